"""Personal links to a gathering, for people who are not members: mailed, or printed on a card.

A link works as often as it is opened, until two months after the gathering. One made for a guest
belongs to their seat. One on a blank card belongs to nobody, until somebody gives their name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import tokens
from timebank.errors import LinkSpent
from timebank.gathering import Gathering
from timebank.moment import Moment
from timebank.tokens import Purpose, Token

AFTERWARDS = timedelta(days=60)
"""For how long after a gathering its links work, and its guests' names are kept."""


@dataclass(frozen=True, slots=True)
class GuestLink:
    """A link that works. `key` is its hash; `by` is the member who gave it away.

    `on_card`: it was handed on with nobody's name on it, so that nobody vouches for who has it.
    """

    key: bytes
    community_id: UUID
    gathering_id: UUID
    seat_id: UUID | None
    by: UUID
    on_card: bool


async def make(
    conn: AsyncConnection, gathering: Gathering, seat_id: UUID | None, *, by: UUID, now: Moment
) -> str:
    """A new link's secret: for a seat, or without one for a blank card."""
    return await tokens.make(
        conn,
        Purpose.GATHERING,
        community=gathering.community_id,
        facts={
            "gathering": str(gathering.id),
            "seat": str(seat_id) if seat_id else None,
            "by": str(by),
            "card": seat_id is None,
        },
        lifetime=max(gathering.ends_at, now.at) + AFTERWARDS - now.at,
        now=now,
    )


def path(token: str) -> str:
    """Where a link leads, on our own site."""
    return f"/gathering/{token}"


async def look(conn: AsyncConnection, token: str, *, now: Moment) -> GuestLink:
    """What a link stands for; `LinkSpent` if it does not work."""
    found = await tokens.look(conn, token, Purpose.GATHERING, now=now)
    if found.community_id is None:
        raise LinkSpent
    return _link(found, found.community_id)


async def tie(conn: AsyncConnection, link: GuestLink, seat_id: UUID) -> None:
    """A blank card belongs to somebody from now on."""
    facts = {
        "gathering": str(link.gathering_id),
        "seat": str(seat_id),
        "by": str(link.by),
        "card": link.on_card,
    }
    await tokens.keep(conn, link.key, facts=facts)


async def last_until(
    conn: AsyncConnection, community: UUID, gathering: UUID, ends_at: datetime, *, now: Moment
) -> None:
    """The gathering was moved: its links work as long after it as before."""
    for link in await _of(conn, community, gathering, now):
        await tokens.keep(conn, link.key, expires_at=ends_at + AFTERWARDS)


async def end(
    conn: AsyncConnection, community: UUID, gathering: UUID, seat_id: UUID, *, now: Moment
) -> None:
    """Links of this seat work no more."""
    ours = await _of(conn, community, gathering, now)
    await tokens.revoke(conn, [link.key for link in ours if link.seat_id == seat_id])


async def _of(
    conn: AsyncConnection, community: UUID, gathering: UUID, now: Moment
) -> list[GuestLink]:
    working = await tokens.waiting(conn, community, Purpose.GATHERING, now=now)
    links = [_link(one, community) for one in working]
    return [link for link in links if link.gathering_id == gathering]


def _link(found: Token, community: UUID) -> GuestLink:
    facts = found.facts
    return GuestLink(
        found.key,
        community,
        UUID(facts["gathering"]),
        UUID(facts["seat"]) if facts.get("seat") else None,
        UUID(facts["by"]),
        bool(facts.get("card")),
    )
