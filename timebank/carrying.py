"""Carrying: who carried which role at a gathering, with the real minutes before, during and after.

The minutes that were agreed hold as long as nobody writes down others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from timebank import agreements, audit, rooms, ticks
from timebank.errors import BadInput, ListClosed, NotFound
from timebank.gatherings import DutyState, duties, gathering_roles, seats
from timebank.moment import Moment
from timebank.roles import AgreedRole, BuiltIn
from timebank.rooms import Role, Room
from timebank.ticks import LONGEST


@dataclass(frozen=True, slots=True)
class Carries:
    """That somebody carried a role, and its real minutes; None where they are as agreed."""

    seat_id: UUID
    role_key: str
    before: Minutes | None = None
    during: Minutes | None = None
    after: Minutes | None = None


async def write_down(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    carried: Sequence[Carries] = (),
    *,
    dropped: Sequence[tuple[UUID, str]] = (),
    by: UUID,
    now: Moment,
) -> None:
    """Write down who carried what; `dropped` are the places and roles that nobody carried.

    A role that was not planned may be carried too, if it is one of the agreement's (`NotFound`
    else). For those who look after the gathering, while its list is open (`ListClosed`). Refuses
    more than a day for anything (`BadInput`).
    """
    for one in carried:
        _refuse_nonsense(one)
    _, room = await rooms.for_organiser(conn, community, gathering, by)
    await rooms.lock(conn, community, gathering)
    if not await ticks.may_tick(conn, room):
        raise ListClosed
    await _refuse_strangers(conn, room, {one.seat_id for one in carried})
    roles = {role.key: role for role in room.roles}
    for key in {one.role_key for one in carried} - set(roles):
        roles[key] = await _take_in(conn, room, key)
    for one in carried:
        await _put(conn, room, roles[one.role_key], one, by, now)
    for seat_id, key in dropped:
        await conn.execute(delete(duties).where(*_is(room, seat_id, key)))
    await audit.write(
        conn,
        community,
        actor=by,
        action="gathering.roles",
        subject_kind="gathering",
        subject=gathering,
        facts={"carried": len(carried), "dropped": len(dropped)},
        now=now,
    )


async def more_roles(conn: AsyncConnection, room: Room) -> list[AgreedRole]:
    """Roles of the agreement that nobody planned for this gathering; they may be carried too."""
    terms = (await agreements.current(conn, room.community_id)).terms
    known = {BuiltIn.TAKE_PART.value, *(role.key for role in room.roles)}
    return [role for role in terms.roles if role.key not in known]


async def _take_in(conn: AsyncConnection, room: Room, key: str) -> Role:
    """A role of the agreement becomes one of this gathering, under the minutes agreed today."""
    agreed = next((role for role in await more_roles(conn, room) if role.key == key), None)
    if agreed is None:
        raise NotFound("role")
    table = gathering_roles
    last = await conn.scalar(
        select(func.max(table.c.position)).where(
            table.c.community_id == room.community_id, table.c.gathering_id == room.id
        )
    )
    await conn.execute(
        insert(table).values(
            community_id=room.community_id,
            gathering_id=room.id,
            key=key,
            name=agreed.name,
            kind=agreed.kind.value,
            before=agreed.before,
            during=agreed.during,
            after=agreed.after,
            wanted=0,
            position=(last or 0) + 1,
        )
    )
    return Role(key, agreed.name, agreed.kind, agreed.before, agreed.during, agreed.after)


async def _put(
    conn: AsyncConnection, room: Room, role: Role, one: Carries, by: UUID, now: Moment
) -> None:
    """What differs from the agreed minutes is kept; what does not stays as agreed."""
    real: Mapping[str, Any] = {
        "before": None if one.before == role.before else one.before,
        "during": one.during if role.during or one.during != ZERO else None,
        "after": None if one.after == role.after else one.after,
    }
    kept = await conn.execute(
        update(duties)
        .where(*_is(room, one.seat_id, role.key))
        .values(state=DutyState.AGREED.value, **real)
    )
    if kept.rowcount == 0:
        await conn.execute(
            insert(duties).values(
                community_id=room.community_id,
                gathering_id=room.id,
                role_key=role.key,
                seat_id=one.seat_id,
                state=DutyState.AGREED.value,
                asked_by=by,
                at=now.at,
                **real,
            )
        )


async def _refuse_strangers(conn: AsyncConnection, room: Room, ids: set[UUID]) -> None:
    rows = await conn.execute(
        select(seats.c.id).where(
            seats.c.community_id == room.community_id,
            seats.c.gathering_id == room.id,
            seats.c.id.in_(ids),
        )
    )
    if ids - {row.id for row in rows}:
        raise NotFound("seat")


def _refuse_nonsense(one: Carries) -> None:
    for field in ("before", "during", "after"):
        minutes = getattr(one, field)
        if minutes is not None and not ZERO <= minutes <= LONGEST:
            raise BadInput(field, "longer_than_a_day")


def _is(room: Room, seat_id: UUID, key: str) -> tuple[Any, ...]:
    return (
        duties.c.community_id == room.community_id,
        duties.c.gathering_id == room.id,
        duties.c.seat_id == seat_id,
        duties.c.role_key == key,
    )
