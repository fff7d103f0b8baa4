"""Ticks: each change on a gathering's list, as it was made, on whichever phone.

A phone sends every tick by itself, again and again until it hears that it arrived. So a tick has an
id that the phone made, and counts once. Of two ticks about one person the one that was *made* later
stands, whichever arrives first. Ticks are never changed; what stands is kept on the seat.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import metadata
from ledger.sql.types import Id, Instant, MinutesType, Words
from timebank import attendance_steps, rooms
from timebank.errors import BadInput, WrongState
from timebank.gatherings import State, seats
from timebank.moment import Moment
from timebank.rooms import Room

LONGEST = Minutes(24 * 60)
"""Nobody is at one gathering for longer, nor prepares one role for longer."""

_OLDEST = timedelta(days=14)  # what a phone says it has kept for longer counts as this old

ticks = Table(
    "tick",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),  # made where it was ticked
    Column("gathering_id", Id, nullable=False),
    Column("seat_id", Id, nullable=False),  # it may be gone: two names were one person
    Column("present", MinutesType),  # NULL: not known after all
    Column("how", Words, nullable=False),
    Column("made_at", Instant, nullable=False),  # by our clock, never later than it arrived
    Column("at", Instant, nullable=False),  # when it arrived
    Column("member_id", Id),  # who ticked; NULL: somebody at the door who is no member
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    CheckConstraint("present >= 0", name="present"),
    Index("ix_tick_seat", "community_id", "seat_id", "made_at"),
    Index("ix_tick_arrived", "community_id", "gathering_id", "at"),
    Index("ix_tick_member", "community_id", "member_id"),
    sqlite_strict=True,
)


class How(StrEnum):
    """In which way somebody was ticked."""

    LIST = "list"
    SHEET = "sheet"  # typed in from paper
    DOOR = "door"


class Outcome(StrEnum):
    """What became of a tick. Whatever it is, it need not be sent again."""

    KEPT = "kept"  # it is there now, or was before; perhaps a later one stands
    CLOSED = "closed"  # the list was closed; nothing was written
    GONE = "gone"  # nobody stands there any more


@dataclass(frozen=True, slots=True)
class NewTick:
    """One change: how long somebody was there (None: not known after all).

    `id` was made where it was ticked, and counts once. `made_at` is when that was, as a phone
    reckons it by our clock; without it, now. It is never believed to be later than the arrival.
    """

    id: UUID
    seat_id: UUID
    present: Minutes | None
    made_at: datetime | None = None
    how: How = How.LIST


@dataclass(frozen=True, slots=True)
class Stands:
    """What stands for a seat since some tick arrived."""

    seat_id: UUID
    present: Minutes | None


async def tick(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    changes: Sequence[NewTick],
    *,
    by: UUID,
    now: Moment,
) -> dict[UUID, Outcome]:
    """Keep these ticks, each once, and let the latest of each person stand; an outcome for each.

    For those who look after the gathering (`Forbidden`). Refuses more than a day (`BadInput`) and
    a gathering that was called off (`WrongState`); a closed list is no error but an outcome.
    """
    for change in changes:
        _refuse_nonsense(change)
    _, room = await rooms.for_organiser(conn, community, gathering, by)
    await rooms.lock(conn, community, gathering)
    if not await may_tick(conn, room):
        return {change.id: Outcome.CLOSED for change in changes}
    return await keep(conn, room, changes, by=by, now=now)


async def keep(
    conn: AsyncConnection,
    room: Room,
    changes: Sequence[NewTick],
    *,
    by: UUID | None,
    now: Moment,
) -> dict[UUID, Outcome]:
    """The same for whoever decided already that this may be; the gathering's row is locked."""
    community = room.community_id
    known = await _there(conn, room, {change.seat_id for change in changes})
    kept = {change.id: change for change in changes if change.seat_id in known}
    for id in await _kept_before(conn, community, kept):
        del kept[id]
    if kept:
        # The same tick may come from two tabs at once: on PostgreSQL the second one waits here.
        dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
        rows = [_row(room, change, by, now) for change in kept.values()]
        await conn.execute(dialect.insert(ticks).on_conflict_do_nothing(), rows)
        await _let_stand(conn, community, {change.seat_id for change in kept.values()})
    return {
        change.id: Outcome.KEPT if change.seat_id in known else Outcome.GONE for change in changes
    }


async def may_tick(conn: AsyncConnection, room: Room) -> bool:
    """Whether the list is open. A gathering that was called off has none (`WrongState`)."""
    if room.state is State.CANCELLED:
        raise WrongState(room.state, "tick")
    story = await attendance_steps.steps(conn, room.community_id, room.id)
    return attendance_steps.is_open(story)


async def arrived_since(
    conn: AsyncConnection, community: UUID, gathering: UUID, since: datetime
) -> list[Stands]:
    """What stands for everybody about whom a tick arrived since: for phones that look again."""
    lately = select(ticks.c.seat_id).where(
        ticks.c.community_id == community, ticks.c.gathering_id == gathering, ticks.c.at >= since
    )
    rows = await conn.execute(
        select(seats.c.id, seats.c.present).where(
            seats.c.community_id == community,
            seats.c.gathering_id == gathering,
            seats.c.id.in_(lately),
        )
    )
    return [Stands(row.id, row.present) for row in rows]


def _refuse_nonsense(change: NewTick) -> None:
    if change.present is not None and not Minutes(0) <= change.present <= LONGEST:
        raise BadInput("minutes", "longer_than_a_day")


async def _kept_before(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> list[UUID]:
    rows = await conn.execute(
        select(ticks.c.id).where(ticks.c.community_id == community, ticks.c.id.in_(ids))
    )
    return [row.id for row in rows]


async def _there(conn: AsyncConnection, room: Room, ids: Collection[UUID]) -> set[UUID]:
    rows = await conn.execute(
        select(seats.c.id).where(
            seats.c.community_id == room.community_id,
            seats.c.gathering_id == room.id,
            seats.c.id.in_(ids),
        )
    )
    return {row.id for row in rows}


def _row(room: Room, change: NewTick, by: UUID | None, now: Moment) -> dict[str, Any]:
    made_at = min(change.made_at or now.at, now.at)
    return {
        "community_id": room.community_id,
        "id": change.id,
        "gathering_id": room.id,
        "seat_id": change.seat_id,
        "present": change.present,
        "how": change.how.value,
        "made_at": max(made_at, now.at - _OLDEST),
        "at": now.at,
        "member_id": by,
    }


async def _let_stand(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> None:
    """Put onto each seat what its latest tick says, by when it was made."""
    rows = await conn.execute(
        select(ticks)
        .where(ticks.c.community_id == community, ticks.c.seat_id.in_(ids))
        .order_by(ticks.c.made_at, ticks.c.id)
    )
    latest: Mapping[UUID, Any] = {row.seat_id: row for row in rows}
    await conn.execute(
        update(seats)
        .where(seats.c.community_id == community, seats.c.id == bindparam("seat"))
        .values(
            present=bindparam("minutes"),
            ticked_at=bindparam("made"),
            ticked_by=bindparam("who"),
            ticked_how=bindparam("way"),
        ),
        [
            {
                "seat": seat_id,
                "minutes": row.present,
                "made": row.made_at,
                "who": row.member_id,
                "way": row.how,
            }
            for seat_id, row in latest.items()
        ],
    )
