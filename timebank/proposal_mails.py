"""What we write to people about proposals to change the agreement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import readers
from timebank.i18n import N_, format_day
from timebank.moment import Moment
from timebank.proposals import Proposal


async def proposed(
    conn: AsyncConnection, community: UUID, proposal: Proposal, *, now: Moment
) -> None:
    """To those whose word is needed, and to the stewards."""
    asked = [voice.member_id for voice in proposal.missing]
    await _tell(
        conn,
        community,
        proposal,
        asked,
        N_("{who} asks for your word on our agreement"),
        N_(
            "{who} proposes to change our agreement:\n\n{reason}\n\n"
            "You were named as somebody who should agree. You can say yes, say what concerns you, "
            "or stand aside, until {until}."
        ),
        now,
    )
    stewards = set(await readers.stewards(conn, community)) - {*asked, proposal.proposed_by}
    await _tell(
        conn,
        community,
        proposal,
        stewards,
        N_("{who} proposes to change our agreement"),
        N_("{who} proposes to change our agreement:\n\n{reason}"),
        now,
    )


async def concern(
    conn: AsyncConnection,
    community: UUID,
    proposal: Proposal,
    name: str,
    words: str,
    *,
    now: Moment,
) -> None:
    """To whoever made the proposal."""
    await _tell(
        conn,
        community,
        proposal,
        [proposal.proposed_by],
        N_("{speaker} has a concern about your proposal"),
        N_("{speaker} has a concern about your proposal:\n\n{words}"),
        now,
        speaker=name,
        words=words,
    )


async def settled(
    conn: AsyncConnection, community: UUID, proposal: Proposal, *, now: Moment
) -> None:
    """To everyone who said something: from which day it holds."""
    await _tell(
        conn,
        community,
        proposal,
        _everyone(proposal),
        N_("Our agreement changes on {day}"),
        N_("All who were asked agreed, so the proposal of {who} holds from {day} on."),
        now,
        day=proposal.effective_on,
    )


async def in_force(
    conn: AsyncConnection, community: UUID, proposal: Proposal, *, now: Moment
) -> None:
    """To everyone who said something: it holds."""
    await _tell(
        conn,
        community,
        proposal,
        _everyone(proposal),
        N_("Version {version} of our agreement holds"),
        N_("The proposal of {who} is in force, as version {version} of our agreement."),
        now,
        version=str(proposal.version),
    )


async def declined(
    conn: AsyncConnection,
    community: UUID,
    proposal: Proposal,
    words: str,
    *,
    steward: str,
    now: Moment,
) -> None:
    """To whoever made it: who declined it, and why."""
    await _tell(
        conn,
        community,
        proposal,
        [proposal.proposed_by],
        N_("Your proposal was declined"),
        N_("{steward} declined your proposal to change our agreement:\n\n{words}"),
        now,
        steward=steward,
        words=words,
    )


async def expired(
    conn: AsyncConnection, community: UUID, proposal: Proposal, *, now: Moment
) -> None:
    """To whoever made it: not everybody agreed in time."""
    await _tell(
        conn,
        community,
        proposal,
        [proposal.proposed_by],
        N_("Your proposal has run out"),
        N_("Not everyone you asked has agreed until {until}. You can propose it again."),
        now,
    )


async def moved(conn: AsyncConnection, community: UUID, proposal: Proposal, *, now: Moment) -> None:
    """To the stewards and whoever made it: it could not come into force on its day."""
    await _tell(
        conn,
        community,
        proposal,
        {*await readers.stewards(conn, community), proposal.proposed_by},
        N_("A proposal has to be looked at again"),
        N_(
            "The proposal of {who} was to hold from today on. Since it was settled, the agreement "
            "changed in the same place, or somebody took back their word. Please look at it again."
        ),
        now,
    )


async def review_due(conn: AsyncConnection, community: UUID, *, now: Moment) -> None:
    """To the stewards: the day has come to look at the agreement again."""
    await readers.tell(
        conn,
        community,
        await readers.stewards(conn, community),
        N_("Time to look at our agreement again"),
        N_(
            "The day has come to look at our agreement together. If it is still right, propose a "
            "new day to look at it; if not, propose what should change."
        ),
        path="/agreement",
        now=now,
    )


def _everyone(proposal: Proposal) -> set[UUID]:
    return {proposal.proposed_by, *(voice.member_id for voice in proposal.voices)}


async def _tell(
    conn: AsyncConnection,
    community: UUID,
    proposal: Proposal,
    ids: Iterable[UUID],
    subject: str,
    body: str,
    now: Moment,
    *,
    day: date | None = None,
    **facts: str,
) -> None:
    def spoken(language: str) -> Mapping[str, str]:
        days = {"until": format_day(proposal.open_until, language)}
        return days | ({"day": format_day(day, language)} if day else {})

    await readers.tell(
        conn,
        community,
        sorted(ids),
        subject,
        body,
        path=f"/proposals/{proposal.id}",
        now=now,
        spoken=spoken,
        who=proposal.on_behalf_of_name or proposal.proposed_by_name,
        reason=proposal.reason,
        **facts,
    )
