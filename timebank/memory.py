"""The memory of a group: who was in a room, without naming anybody or counting too small.

By where people came from that day, in words and never in fewer than five (`timebank.hiding`): a
number that names nobody is meant, not a score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO
from timebank import hiding
from timebank.gatherings import State, gatherings, seats
from timebank.hiding import Groups
from timebank.members import members
from timebank.organisations import organisations
from timebank.rooms import Room
from timebank.sectors import sectors

NEIGHBOURS = ""
"""The group of those who came as neighbours, under no organisation's hat."""
ELSEWHERE = "*"
"""The group of those whose organisation is no member, so that we know no sector or area."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What may be said about who was in the room.

    Each is None where it would say too much: `people` in all, by sector and by area (the names of
    groups are the community's own; `NEIGHBOURS` and `ELSEWHERE` have none), those who had been at a
    gathering before, and who was new or visiting: together they are all people, so that nobody is
    left over to be counted. `since_last` is the time since the one before in the series, and
    `number` says the how-manieth it was.
    """

    people: int | None
    by_sector: Groups[str] | None
    by_area: Groups[str] | None
    again: int | None
    new: int | None
    since_last: timedelta | None
    number: int


async def of(conn: AsyncConnection, room: Room) -> Memory | None:
    """The memory of a gathering; None as long as its list was never closed."""
    if room.state not in (State.HELD, State.SETTLED):
        return None
    rows = await _present(conn, room)
    sectors_there = Counter(_sector(row) for row in rows)
    areas_there = Counter(_area(row) for row in rows)
    ids = {row.member_id for row in rows if row.member_id is not None}
    before = await _been_before(conn, room, ids)
    faces = hiding.groups({"again": len(before), "new": len(rows) - len(before)})
    told = dict(faces.named) if faces is not None and not faces.others else {}
    dates = await _earlier(conn, room)
    return Memory(
        people=len(rows) if len(rows) >= hiding.LEAST else None,
        by_sector=hiding.groups(sectors_there),
        by_area=hiding.groups(areas_there),
        again=told.get("again", 0) if told else None,
        new=told.get("new", 0) if told else None,
        since_last=room.starts_at - dates[-1] if dates else None,
        number=len(dates) + 1,
    )


def _sector(row: Any) -> str:
    """The sector of the hat somebody wore that day."""
    if row.organisation_id is not None:
        return row.sector or ELSEWHERE
    return ELSEWHERE if row.from_words else NEIGHBOURS


def _area(row: Any) -> str:
    """Where they live, else where their organisation is; `ELSEWHERE` where we know neither."""
    return row.area or row.house_area or ELSEWHERE


async def _present(conn: AsyncConnection, room: Room) -> list[Any]:
    house = members.alias("house")
    rows = await conn.execute(
        select(
            seats.c.member_id,
            seats.c.organisation_id,
            seats.c.from_words,
            members.c.area,
            house.c.area.label("house_area"),
            sectors.c.name.label("sector"),
        )
        .outerjoin(members, _same(members, seats.c.member_id))
        .outerjoin(house, _same(house, seats.c.organisation_id))
        .outerjoin(organisations, _same(organisations, seats.c.organisation_id))
        .outerjoin(
            sectors,
            and_(
                sectors.c.community_id == organisations.c.community_id,
                sectors.c.id == organisations.c.sector_id,
            ),
        )
        .where(
            seats.c.community_id == room.community_id,
            seats.c.gathering_id == room.id,
            seats.c.present > ZERO,
        )
    )
    return list(rows)


async def _been_before(conn: AsyncConnection, room: Room, ids: Collection[UUID]) -> set[UUID]:
    """Those of these members who had been at a gathering of this community before."""
    rows = await conn.execute(
        select(seats.c.member_id)
        .join(
            gatherings,
            and_(
                gatherings.c.community_id == seats.c.community_id,
                gatherings.c.id == seats.c.gathering_id,
            ),
        )
        .where(
            seats.c.community_id == room.community_id,
            seats.c.member_id.in_(ids),
            seats.c.present > ZERO,
            gatherings.c.starts_at < room.starts_at,
        )
        .distinct()
    )
    return {row.member_id for row in rows}


async def _earlier(conn: AsyncConnection, room: Room) -> list[datetime]:
    """When the earlier gatherings of the series were held, the oldest first."""
    if room.series_id is None:
        return []
    rows = await conn.execute(
        select(gatherings.c.starts_at)
        .where(
            gatherings.c.community_id == room.community_id,
            gatherings.c.series_id == room.series_id,
            gatherings.c.state.in_([State.HELD.value, State.SETTLED.value]),
            gatherings.c.starts_at < room.starts_at,
        )
        .order_by(gatherings.c.starts_at)
    )
    return [row.starts_at for row in rows]


def _same(table: Any, id: Any) -> Any:
    return and_(table.c.community_id == seats.c.community_id, table.c.id == id)
