"""What is done with a proposal: made, revised, talked about, agreed to, settled, let go.

Every step is kept with who and when, in the transaction of what it changes, together with the audit
and the mails that tell of it. Steps that change how a proposal stands are taken under the lock of
the journal's head, as versions of the agreement are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import store
from timebank import acting, agreements, audit, communities, members, policy, proposal_mails
from timebank.acting import Actor
from timebank.agreements import Agreement, Terms
from timebank.entries import LONGEST_WORDS
from timebank.errors import (
    AgreementMoved,
    BadInput,
    Forbidden,
    NotFound,
    NotTakingPart,
    NotYours,
    ReasonMissing,
    VoicesMissing,
    WrongState,
)
from timebank.i18n import N_, translations
from timebank.members import Status
from timebank.moment import Moment
from timebank.patches import overlap, patch, patched
from timebank.proposals import (
    PENDING,
    Proposal,
    Stance,
    State,
    StepKind,
    get,
    proposals,
    steps,
    voices,
)

MOST_ASKED = 100
LONGEST_OPEN = timedelta(days=365)
_GONE = N_("Whoever proposed this has left, and their words with them.")


@dataclass(frozen=True, slots=True)
class NewProposal:
    """What somebody proposes: the terms as they should be, why, and who has to agree.

    `expected_version` is the version it was written for; `open_until` the last day to agree, and
    `effective_on` the first day it is to hold, None for as soon as it is settled.
    """

    terms: Terms
    reason: str
    asked: tuple[UUID, ...]
    open_until: date
    effective_on: date | None
    expected_version: int
    on_behalf_of: UUID | None = None


# ── Proposing ────────────────────────────────────────────────────────────────────────────────────


async def propose(
    conn: AsyncConnection,
    community: UUID,
    new: NewProposal,
    *,
    by: UUID,
    now: Moment,
    proposal_id: UUID | None = None,
) -> Proposal:
    """Propose to change the agreement, and ask those who have to agree.

    Who proposes agrees, and so does the organisation they propose for. With a `proposal_id`, the
    same sheet sent twice is one proposal. Refuses with `ReadOnlyMember`, `AgreementMoved`,
    `BadInput`, `ReasonMissing`, `NotYours`, `NotFound` and `NotTakingPart`.
    """
    actor = await acting.active(conn, community, by)
    if not policy.may_propose(actor.member):
        raise Forbidden("propose")
    id = proposal_id or now.new_id()
    await store.lock(conn, community)  # the same sheet twice at once: one after the other
    sent_before = await _sent_before(conn, community, id, by)
    if sent_before is not None:
        return sent_before
    draft = await _draft(conn, community, new, actor, now)
    await conn.execute(
        insert(proposals).values(
            community_id=community,
            id=id,
            proposed_by=by,
            proposed_at=now.at,
            state=State.OPEN.value,
            **draft | {"touched_at": now.at},
        )
    )
    await _ask(conn, community, id, new.asked)
    for own in {by, new.on_behalf_of or by}:
        await _put_voice(conn, community, id, own, Stance.AGREE, "", by, now)
    await keep_step(conn, community, id, StepKind.PROPOSED, by, new.reason, now)
    made = await get(conn, community, id)
    await proposal_mails.proposed(conn, community, made, now=now)
    return made


async def revise(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    new: NewProposal,
    *,
    by: UUID,
    now: Moment,
) -> Proposal:
    """Change what is proposed, as the one who proposed it, while it is open.

    What others said was about something else, so they are asked again. Refuses for the same reasons
    as a new one, and with `Forbidden` and `WrongState`.
    """
    actor, proposal = await _at_hand(conn, community, id, by)
    if proposal.proposed_by != by:
        raise Forbidden("revise")
    if proposal.state is not State.OPEN:
        raise WrongState(proposal.state.value, "revise")
    draft = await _draft(conn, community, new, actor, now)
    await _set(conn, community, id, now, **draft)
    await conn.execute(
        update(voices)
        .where(voices.c.community_id == community, voices.c.proposal_id == id)
        .values(asked=False, stance="", words="", said_by=None, said_at=None)
    )
    await _ask(conn, community, id, new.asked)
    for own in {by, new.on_behalf_of or by}:
        await _put_voice(conn, community, id, own, Stance.AGREE, "", by, now)
    await keep_step(conn, community, id, StepKind.REVISED, by, new.reason, now)
    revised = await get(conn, community, id)
    await proposal_mails.proposed(conn, community, revised, now=now)
    return revised


async def withdraw(
    conn: AsyncConnection, community: UUID, id: UUID, words: str = "", *, by: UUID, now: Moment
) -> None:
    """Take a proposal back, as the one who made it. Twice is once."""
    _refuse_words(words)
    _, proposal = await _at_hand(conn, community, id, by)
    if proposal.proposed_by != by:
        raise Forbidden("withdraw")
    if proposal.state is State.WITHDRAWN:
        return
    await _end(conn, community, proposal, State.WITHDRAWN, StepKind.WITHDRAWN, by, words, now)


async def _draft(
    conn: AsyncConnection, community: UUID, new: NewProposal, actor: Actor, now: Moment
) -> dict[str, Any]:
    """Check what somebody proposes, against the agreement of today and who is here."""
    current = await agreements.current(conn, community)
    if current.version != new.expected_version:
        raise AgreementMoved(current.version)
    changes = patch(current.terms, new.terms)
    if not changes:
        raise BadInput("reason", "nothing_changed")
    agreements.refuse_nonsense(new.terms)
    _refuse_words(new.reason, needed=True)
    if new.on_behalf_of is not None and new.on_behalf_of not in actor.manages:
        raise NotYours
    place = await communities.by_id(conn, community)
    _refuse_days(new, now.day_in(place.timezone))
    await _refuse_strangers(conn, community, new.asked)
    return {
        "base_version": current.version,
        "changes": changes,
        "reason": new.reason,
        "on_behalf_of": new.on_behalf_of,
        "open_until": new.open_until,
        "effective_on": new.effective_on,
        "touched_at": now.at,
    }


def _refuse_days(new: NewProposal, today: date) -> None:
    if not today < new.open_until <= today + LONGEST_OPEN:
        raise BadInput("open_until", "deadline_range")
    if new.effective_on is not None and new.effective_on < today:
        raise BadInput("effective_on", "day_past")


async def _refuse_strangers(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> None:
    """Everyone who is asked has to be an active member here."""
    if len(ids) > MOST_ASKED:
        raise BadInput("asked", "too_many_asked", MOST_ASKED)
    found = await members.get_many(conn, community, ids)
    for id in ids:
        if id not in found:
            raise NotFound("member")
        if found[id].status is not Status.ACTIVE:
            raise NotTakingPart(found[id].name)


async def _sent_before(
    conn: AsyncConnection, community: UUID, id: UUID, by: UUID
) -> Proposal | None:
    try:
        found = await get(conn, community, id)
    except NotFound:
        return None
    if found.proposed_by != by:
        raise Forbidden("propose")
    return found


# ── Talking about it ─────────────────────────────────────────────────────────────────────────────


async def say(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    stance: Stance,
    words: str = "",
    *,
    member: UUID,
    by: UUID,
    now: Moment,
) -> None:
    """Say that somebody agrees, has a concern, or stands aside; it can be said anew at any time.

    For oneself, an organisation whose account one manages, somebody one records for; a coordinator
    for a person without a sign-in. A concern needs words (`ReasonMissing`). Refuses with
    `Forbidden`, and with `WrongState` when it is in force or gone.
    """
    _refuse_words(words, needed=stance is Stance.CONCERN)
    actor, proposal = await _at_hand(conn, community, id, by)
    speaker = await members.get(conn, community, member)
    if not policy.may_voice(actor.member, speaker, actor.acts_for):
        raise Forbidden("voice")
    if speaker.status is not Status.ACTIVE:
        raise NotTakingPart(speaker.name)
    if proposal.state not in PENDING:
        raise WrongState(proposal.state.value, "voice")
    await _put_voice(conn, community, id, member, stance, words, by, now)
    await _set(conn, community, id, now)
    await _note(conn, community, id, by, "proposal.voice", {"stance": stance.value}, now)
    if stance is Stance.CONCERN and by != proposal.proposed_by:
        await proposal_mails.concern(conn, community, proposal, speaker.name, words, now=now)


async def comment(
    conn: AsyncConnection, community: UUID, id: UUID, words: str, *, by: UUID, now: Moment
) -> None:
    """Say something about a proposal, for all to read (`ReasonMissing` without words)."""
    _refuse_words(words, needed=True)
    await acting.active(conn, community, by)
    await get(conn, community, id)
    await keep_step(conn, community, id, StepKind.COMMENT, by, words, now)


# ── A steward decides ────────────────────────────────────────────────────────────────────────────


async def settle(
    conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
) -> Proposal:
    """Put a proposal into force, today or on the day it names, once all who were asked agree.

    By a steward (`Forbidden`). Refuses with `WrongState`, `VoicesMissing`, and, where another
    version changed the same meanwhile, `AgreementMoved`: then it has to be looked at again.
    """
    proposal = await _for_steward(conn, community, id, by, "settle")
    if proposal.state is not State.OPEN:
        raise WrongState(proposal.state.value, "settle")
    current = await agreements.current(conn, community)
    refuse_unready(proposal, current, await _base(conn, community, proposal))
    place = await communities.by_id(conn, community)
    today = now.day_in(place.timezone)
    if proposal.effective_on is None or proposal.effective_on <= today:
        return await put_into_force(conn, community, proposal, by=by, now=now)
    await _set(conn, community, id, now, state=State.SETTLED.value, settled_by=by)
    await keep_step(conn, community, id, StepKind.SETTLED, by, "", now)
    settled = await get(conn, community, id)
    await proposal_mails.settled(conn, community, settled, now=now)
    return settled


async def decline(
    conn: AsyncConnection, community: UUID, id: UUID, words: str, *, by: UUID, now: Moment
) -> None:
    """Decline a proposal that is not in force, for a reason that everyone can read."""
    _refuse_words(words, needed=True)
    proposal = await _for_steward(conn, community, id, by, "decline")
    await _end(conn, community, proposal, State.DECLINED, StepKind.DECLINED, by, words, now)
    steward = (await members.get(conn, community, by)).name
    await proposal_mails.declined(conn, community, proposal, words, steward=steward, now=now)


def refuse_unready(proposal: Proposal, current: Agreement, base: Agreement) -> None:
    """Raise `VoicesMissing`, `AgreementMoved` or `BadInput` for what cannot come into force."""
    if proposal.missing:
        raise VoicesMissing(tuple(voice.name for voice in proposal.missing))
    if overlap(proposal.changes, base.terms, current.terms):
        raise AgreementMoved(current.version)
    agreements.refuse_nonsense(patched(current.terms, proposal.changes))


async def put_into_force(
    conn: AsyncConnection, community: UUID, proposal: Proposal, *, by: UUID, now: Moment
) -> Proposal:
    """Adopt what is proposed as the next version. Whether it may be, the caller has asked."""
    current = await agreements.current(conn, community)
    language = (await communities.by_id(conn, community)).language
    gone = translations(language).gettext(_GONE)
    adopted = await agreements.enact(
        conn,
        community,
        current,
        patched(current.terms, proposal.changes),
        reason=proposal.reason or gone,
        by=by,
        now=now,
    )
    await _set(
        conn,
        community,
        proposal.id,
        now,
        state=State.IN_FORCE.value,
        settled_by=by,
        version=adopted.version,
    )
    calendar = proposal.state is State.SETTLED
    await keep_step(
        conn, community, proposal.id, StepKind.IN_FORCE, None if calendar else by, "", now
    )
    in_force = await get(conn, community, proposal.id)
    await proposal_mails.in_force(conn, community, in_force, now=now)
    return in_force


async def _base(conn: AsyncConnection, community: UUID, proposal: Proposal) -> Agreement:
    return await agreements.version(conn, community, proposal.base_version)


# ── What all of them share ───────────────────────────────────────────────────────────────────────


async def _at_hand(
    conn: AsyncConnection, community: UUID, id: UUID, by: UUID
) -> tuple[Actor, Proposal]:
    """Who acts, and the proposal as it stands, with the journal's head locked."""
    await store.lock(conn, community)
    actor = await acting.active(conn, community, by)
    return actor, await get(conn, community, id)


async def _for_steward(
    conn: AsyncConnection, community: UUID, id: UUID, by: UUID, action: str
) -> Proposal:
    actor, proposal = await _at_hand(conn, community, id, by)
    if not policy.may_settle(actor.member):
        raise Forbidden(action)
    return proposal


async def _end(
    conn: AsyncConnection,
    community: UUID,
    proposal: Proposal,
    state: State,
    kind: StepKind,
    by: UUID,
    words: str,
    now: Moment,
) -> None:
    if proposal.state not in PENDING:
        raise WrongState(proposal.state.value, kind.value)
    await _set(conn, community, proposal.id, now, state=state.value)
    await keep_step(conn, community, proposal.id, kind, by, words, now)


async def _ask(conn: AsyncConnection, community: UUID, id: UUID, asked: Sequence[UUID]) -> None:
    """Note whose word is needed; what they said already stays."""
    if not asked:
        return
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    rows = [
        {"community_id": community, "proposal_id": id, "member_id": member}
        | {"asked": True, "stance": "", "words": ""}
        for member in sorted(set(asked))
    ]
    await conn.execute(
        dialect.insert(voices).on_conflict_do_update(
            index_elements=["community_id", "proposal_id", "member_id"], set_={"asked": True}
        ),
        rows,
    )


async def _put_voice(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    member: UUID,
    stance: Stance,
    words: str,
    by: UUID,
    now: Moment,
) -> None:
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    said = {"stance": stance.value, "words": words, "said_by": by, "said_at": now.at}
    await conn.execute(
        dialect.insert(voices)
        .values(community_id=community, proposal_id=id, member_id=member, asked=False, **said)
        .on_conflict_do_update(
            index_elements=["community_id", "proposal_id", "member_id"], set_=said
        )
    )


async def _set(
    conn: AsyncConnection, community: UUID, id: UUID, now: Moment, **values: Any
) -> None:
    await conn.execute(
        update(proposals)
        .where(proposals.c.community_id == community, proposals.c.id == id)
        .values(**values | {"touched_at": now.at})
    )


async def keep_step(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    kind: StepKind,
    by: UUID | None,
    words: str,
    now: Moment,
) -> None:
    """Keep a step of a proposal's story, and write the audit."""
    number = select(func.coalesce(func.max(steps.c.number), 0) + 1).where(
        steps.c.community_id == community, steps.c.proposal_id == id
    )
    await conn.execute(
        insert(steps).values(
            community_id=community,
            proposal_id=id,
            number=number.scalar_subquery(),
            kind=kind.value,
            member_id=by,
            at=now.at,
            words=words,
        )
    )
    await _note(conn, community, id, by, f"proposal.{kind.value}", {}, now)


async def _note(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    by: UUID | None,
    action: str,
    facts: dict[str, Any],
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="proposal",
        subject=id,
        facts=facts,
        now=now,
    )


def _refuse_words(words: str, *, needed: bool = False) -> None:
    if needed and not words.strip():
        raise ReasonMissing
    if len(words) > LONGEST_WORDS:
        raise BadInput("words", "too_long", LONGEST_WORDS)
