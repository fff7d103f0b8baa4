"""Who has what in hand, so that two coordinators do not do the same twice.

It tells others and stops nobody. Somebody takes a thing with a button, or by opening it; after a
while without an end it counts no longer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Table,
    and_,
    delete,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Id, Instant, Words
from timebank import policy
from timebank.errors import Forbidden
from timebank.inbox.source import Thing, Why
from timebank.members import get, members
from timebank.moment import Moment

FOR_THE_DAY = timedelta(hours=8)
"""So long somebody has in hand what they took with a button."""

FOR_A_LOOK = timedelta(minutes=20)
"""So long somebody has in hand what they opened."""

in_hand = Table(
    "in_hand",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("why", Words, primary_key=True),
    Column("thing_id", Id, primary_key=True),  # an entry, a member, whatever it is
    Column("member_id", Id, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class InHand:
    """Somebody is on it, since then (UTC)."""

    member_id: UUID
    name: str
    since: datetime


async def take(
    conn: AsyncConnection, community: UUID, things: Collection[Thing], *, by: UUID, now: Moment
) -> None:
    """Have these in hand until the end of the day's work, whoever had them before.

    For coordinators (`Forbidden`).
    """
    await _refuse_others(conn, community, by)
    until = now.at + FOR_THE_DAY
    await _put(conn, community, things, by, now, until, over_others=True)


async def open_(
    conn: AsyncConnection, community: UUID, things: Collection[Thing], *, by: UUID, now: Moment
) -> None:
    """Have these in hand for as long as a look takes; not what somebody else has, or oneself."""
    await _refuse_others(conn, community, by)
    until = now.at + FOR_A_LOOK
    await _put(conn, community, things, by, now, until, over_others=False)


async def let_go(
    conn: AsyncConnection, community: UUID, things: Collection[Thing], *, by: UUID
) -> None:
    """Leave these to whoever comes; what others have in hand stays theirs."""
    await _refuse_others(conn, community, by)
    if not things:
        return
    await conn.execute(
        delete(in_hand).where(
            in_hand.c.community_id == community, in_hand.c.member_id == by, _among(things)
        )
    )


async def of(
    conn: AsyncConnection, community: UUID, things: Iterable[Thing], *, now: Moment
) -> dict[Thing, InHand]:
    """Who has which of these in hand, in one query."""
    wanted = list(things)
    if not wanted:
        return {}
    rows = await conn.execute(
        select(in_hand, members.c.name)
        .join(
            members,
            and_(
                members.c.community_id == in_hand.c.community_id,
                members.c.id == in_hand.c.member_id,
            ),
        )
        .where(in_hand.c.community_id == community, in_hand.c.until > now.at, _among(wanted))
    )
    return {
        Thing(Why(row.why), row.thing_id): InHand(row.member_id, row.name, row.since)
        for row in rows
    }


async def sweep(conn: AsyncConnection, *, now: Moment) -> None:
    """Forget what counts no longer, in all communities."""
    await conn.execute(delete(in_hand).where(in_hand.c.until <= now.at))


async def _refuse_others(conn: AsyncConnection, community: UUID, by: UUID) -> None:
    if not policy.may_coordinate(await get(conn, community, by)):
        raise Forbidden("inbox")


async def _put(
    conn: AsyncConnection,
    community: UUID,
    things: Collection[Thing],
    by: UUID,
    now: Moment,
    until: datetime,
    *,
    over_others: bool,
) -> None:
    if not things:
        return
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(in_hand)
    new = statement.excluded
    lasts = in_hand.c.until < new.since  # what counts no longer anybody may take
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=["community_id", "why", "thing_id"],
            set_={"member_id": new.member_id, "since": new.since, "until": new.until},
            where=None if over_others else lasts,
        ),
        [
            {
                "community_id": community,
                "why": thing.why.value,
                "thing_id": thing.id,
                "member_id": by,
                "since": now.at,
                "until": until,
            }
            for thing in sorted(set(things))
        ],
    )


def _among(things: Iterable[Thing]) -> Any:
    return tuple_(in_hand.c.why, in_hand.c.thing_id).in_(
        [(thing.why.value, thing.id) for thing in things]
    )
