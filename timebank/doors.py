"""The code at the door: whoever opens it says "I'm here". Another one for each gathering.

It hangs in the room and is no secret there. So it opens nothing but that, and only around the time
of its gathering: members who are signed in are ticked, everybody else leaves a name, which somebody
confirms.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Id, Instant, Words
from timebank import acting, attendance_steps, audit, communities, rooms, ticks, walk_ins
from timebank.communities import Community
from timebank.errors import DoorShut, LinkSpent
from timebank.gatherings import State, seats
from timebank.moment import Moment
from timebank.rooms import Room
from timebank.ticks import How, NewTick

OPENS = timedelta(hours=1)
"""So long before a gathering begins, and after it ends, its code works."""

doors = Table(
    "door",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("token", Words, nullable=False),
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    Index("ix_door_token", "token"),  # from a link alone, before the community is known
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Door:
    """What a code opens: the gathering, and whether it works now."""

    community: Community
    room: Room
    open: bool


async def token_of(conn: AsyncConnection, community: UUID, gathering: UUID) -> str | None:
    """The code of a gathering, if somebody made one."""
    found = await conn.scalar(
        select(doors.c.token).where(
            doors.c.community_id == community, doors.c.gathering_id == gathering
        )
    )
    return None if found is None else str(found)


async def make(
    conn: AsyncConnection, community: UUID, gathering: UUID, *, anew: bool, by: UUID, now: Moment
) -> str:
    """The code for a gathering's door; `anew` puts another one in its place.

    For those who look after it (`Forbidden`).
    """
    await rooms.for_organiser(conn, community, gathering, by)
    await rooms.lock(conn, community, gathering)
    known = await token_of(conn, community, gathering)
    if known is not None and not anew:
        return known
    token = base64.urlsafe_b64encode(now.random_bytes(15)).decode()
    await conn.execute(
        delete(doors).where(doors.c.community_id == community, doors.c.gathering_id == gathering)
    )
    await conn.execute(
        insert(doors).values(
            community_id=community,
            gathering_id=gathering,
            token=token,
            made_by=by,
            made_at=now.at,
        )
    )
    await audit.write(
        conn,
        community,
        actor=by,
        action="gathering.door",
        subject_kind="gathering",
        subject=gathering,
        now=now,
    )
    return token


async def look(conn: AsyncConnection, token: str, *, now: Moment) -> Door:
    """What this code opens, from everywhere; `LinkSpent` for a code that never was, or is not now.

    A door that is shut is found too: the page can then say when it opens.
    """
    row = (await conn.execute(select(doors).where(doors.c.token == token))).first()
    if row is None:
        raise LinkSpent
    room = await rooms.get(conn, row.community_id, row.gathering_id)
    story = await attendance_steps.steps(conn, row.community_id, row.gathering_id)
    around = room.starts_at - OPENS <= now.at <= room.ends_at + OPENS
    works = around and room.state is not State.CANCELLED and attendance_steps.is_open(story)
    return Door(await communities.by_id(conn, row.community_id), room, works)


async def is_there(conn: AsyncConnection, room: Room, member_id: UUID) -> bool:
    """Whether this member is ticked already."""
    present = await conn.scalar(
        select(seats.c.present).where(
            seats.c.community_id == room.community_id,
            seats.c.gathering_id == room.id,
            seats.c.member_id == member_id,
        )
    )
    return bool(present)


async def come_in(conn: AsyncConnection, token: str, *, by: UUID, now: Moment) -> Room:
    """A member says "I'm here": they are ticked for the whole time, unless they are already.

    Refuses with `DoorShut`, `LinkSpent`, and `ReadOnlyMember` for who takes a break.
    """
    door = await _open(conn, token, now)
    room = door.room
    await acting.active(conn, room.community_id, by)
    await rooms.lock(conn, room.community_id, room.id)
    if not await is_there(conn, room, by):
        new = uuid5(room.id, f"door:{by}")
        seat_id = await walk_ins.seat_of(conn, room, by, seat_id=new, by=by, now=now)
        tick = NewTick(now.new_id(), seat_id, room.lasts, how=How.DOOR)
        await ticks.keep(conn, room, [tick], by=by, now=now)
    return room


async def leave_name(
    conn: AsyncConnection, token: str, name: str, *, seat_id: UUID, now: Moment
) -> Room:
    """Somebody who is not signed in leaves a name, to be confirmed.

    `seat_id` comes with the form, so that a double click leaves it once. Refuses with `DoorShut`,
    `LinkSpent` and `TooManyNames`.
    """
    door = await _open(conn, token, now)
    await walk_ins.at_the_door(conn, door.room, name, seat_id=seat_id, now=now)
    return door.room


async def _open(conn: AsyncConnection, token: str, now: Moment) -> Door:
    door = await look(conn, token, now=now)
    if not door.open:
        raise DoorShut
    return door
