"""Attendance: the list of a gathering, as those who look after it see it.

Everybody who was asked, came or walked in has one seat, so nobody is counted twice. How long they
were there comes from ticks (`timebank.ticks`); which role they carried, with its real minutes, from
their duties (`timebank.carrying`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from ledger.sql.types import Instant
from timebank import rooms
from timebank.agreements import Terms
from timebank.attendance_steps import Step, StepKind, attendance_steps, is_open, steps
from timebank.entry import Kind
from timebank.gathering import CARRIED
from timebank.gatherings import Answer, DutyState, State, duties, gatherings, seats
from timebank.members import members
from timebank.moment import Moment
from timebank.rooms import Room
from timebank.settling import Attendee, Carried
from timebank.text import fold

LATE = timedelta(days=2)
"""So long after a gathering its list is expected to be closed."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A role somebody carries at a gathering, with the minutes that count for it.

    Those that were agreed, unless others were written down (`corrected`).
    """

    key: str
    name: str
    kind: Kind
    before: Minutes
    during: Minutes
    after: Minutes
    corrected: bool
    expected: bool  # they were asked and have not answered: nothing counts yet

    @property
    def minutes(self) -> Minutes:
        """All of it together."""
        return self.before + self.during + self.after


@dataclass(frozen=True, slots=True)
class Row:
    """One person on the list. Without a member they are a guest, under the name they gave.

    `present` is None as long as nobody ticked, zero for who did not come. `house` is where they
    come from this time, "" for a neighbour.
    """

    seat_id: UUID
    member_id: UUID | None
    name: str
    house: str
    answer: Answer
    waiting: bool
    present: Minutes | None
    ticked_at: datetime | None
    ticked_by: str | None
    how: str
    to_confirm: bool
    duties: tuple[Duty, ...]

    @property
    def came(self) -> bool:
        """Whether they were there."""
        return bool(self.present)

    @property
    def expected(self) -> bool:
        """Whether they said they would come, or carry something."""
        said_so = self.answer is Answer.YES and not self.waiting
        return said_so or any(not duty.expected for duty in self.duties)


@dataclass(frozen=True, slots=True)
class Roll:
    """The list: everybody on it, those expected first, and what happened to it."""

    room: Room
    rows: tuple[Row, ...]
    steps: tuple[Step, ...]

    @property
    def open(self) -> bool:
        """Whether one may still tick."""
        return self.room.state is not State.CANCELLED and is_open(self.steps)

    @property
    def came(self) -> tuple[Row, ...]:
        """Those who were there."""
        return tuple(row for row in self.rows if row.came)

    @property
    def to_confirm(self) -> tuple[Row, ...]:
        """Names somebody still has to look at: given at the door, or fitting several members."""
        return tuple(row for row in self.rows if row.to_confirm)

    @property
    def reason(self) -> str:
        """Why the list was opened again; "" if it never was."""
        opened = [step for step in self.steps if step.kind is StepKind.OPENED]
        return opened[-1].words if opened else ""

    def attendees(self) -> list[Attendee]:
        """Everybody as settling takes them."""
        return [_attendee(row) for row in self.rows]


async def roll(conn: AsyncConnection, room: Room) -> Roll:
    """The list of a gathering. Who may see it, `rooms.for_organiser` says."""
    return Roll(
        room,
        tuple(sorted(await _rows(conn, room), key=_order)),
        tuple(await steps(conn, room.community_id, room.id)),
    )


async def names(conn: AsyncConnection, room: Room) -> int:
    """How many stand on the list."""
    query = select(func.count()).where(
        seats.c.community_id == room.community_id, seats.c.gathering_id == room.id
    )
    return await conn.scalar(query) or 0


async def was_there(conn: AsyncConnection, community: UUID, gathering: UUID, member: UUID) -> bool:
    """Whether this member was at a gathering."""
    present = await conn.scalar(
        select(seats.c.present).where(
            seats.c.community_id == community,
            seats.c.gathering_id == gathering,
            seats.c.member_id == member,
        )
    )
    return bool(present)


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:  # noqa: ARG001
    """Gatherings whose list is still open two days after it could be closed: `id`, `since`."""
    step = attendance_steps
    latest = (
        select(step.c.kind)
        .where(step.c.community_id == community, step.c.gathering_id == gatherings.c.id)
        .order_by(step.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    since = (
        select(func.max(step.c.at))
        .where(step.c.community_id == community, step.c.gathering_id == gatherings.c.id)
        .scalar_subquery()
    )
    columns = select(
        gatherings.c.id, func.coalesce(since, gatherings.c.ends_at, type_=Instant).label("since")
    )
    late = now.at - LATE
    return columns.where(
        gatherings.c.community_id == community,
        gatherings.c.state.in_([State.PLANNED.value, State.HELD.value, State.SETTLED.value]),
        gatherings.c.ends_at <= late,
        or_(
            and_(gatherings.c.state == State.PLANNED.value, since.is_(None)),
            and_(latest == StepKind.OPENED.value, since <= late),
        ),
    )


def _attendee(row: Row) -> Attendee:
    """What counts: minutes there, and the roles they carried.

    Who did not come carried nothing, unless somebody wrote down what they did all the same.
    """
    roles = tuple(
        Carried(duty.key, duty.kind, duty.before, duty.during, duty.after)
        for duty in row.duties
        if not duty.expected and (row.came or duty.corrected)
    )
    return Attendee(row.member_id, row.present or ZERO, roles)


async def _rows(conn: AsyncConnection, room: Room) -> list[Row]:
    """Everybody on the list, in two queries."""
    house, ticker = members.alias("house"), members.alias("ticker")
    found = await conn.execute(
        select(
            seats,
            func.coalesce(members.c.name, seats.c.name).label("shown"),
            house.c.name.label("house"),
            ticker.c.name.label("ticker"),
        )
        .outerjoin(members, _of_seat(members, seats.c.member_id))
        .outerjoin(house, _of_seat(house, seats.c.organisation_id))
        .outerjoin(ticker, _of_seat(ticker, seats.c.ticked_by))
        .where(seats.c.community_id == room.community_id, seats.c.gathering_id == room.id)
    )
    rows = list(found)
    carried = await _duties(conn, room, {row.id: row.present or ZERO for row in rows})
    return [
        Row(
            seat_id=row.id,
            member_id=row.member_id,
            name=row.shown,
            house=row.house or row.from_words,
            answer=Answer(row.answer),
            waiting=row.waiting,
            present=row.present,
            ticked_at=row.ticked_at,
            ticked_by=row.ticker,
            how=row.ticked_how,
            to_confirm=row.to_confirm,
            duties=tuple(carried.get(row.id, ())),
        )
        for row in rows
    ]


async def _duties(
    conn: AsyncConnection, room: Room, present: Mapping[UUID, Minutes]
) -> dict[UUID, list[Duty]]:
    """What everybody carries, in the order of the roles."""
    rows = await conn.execute(
        select(duties).where(
            duties.c.community_id == room.community_id,
            duties.c.gathering_id == room.id,
            duties.c.state != DutyState.DECLINED.value,
        )
    )
    order = {role.key: number for number, role in enumerate(room.roles)}
    found: dict[UUID, list[Duty]] = {}
    for row in sorted(rows, key=lambda row: order.get(row.role_key, 0)):
        role = room.role(row.role_key)
        if role is not None:
            duty = _duty(row, role, present.get(row.seat_id, ZERO))
            found.setdefault(row.seat_id, []).append(duty)
    return found


def _duty(row: Any, role: rooms.Role, present: Minutes) -> Duty:
    whole = present if role.during else ZERO
    written = (row.before, row.during, row.after)
    return Duty(
        key=role.key,
        name=role.name,
        kind=role.kind,
        before=role.before if row.before is None else row.before,
        during=whole if row.during is None else row.during,
        after=role.after if row.after is None else row.after,
        corrected=any(minutes is not None for minutes in written),
        expected=row.state not in CARRIED,
    )


def _order(row: Row) -> tuple[int, str, UUID]:
    """Those expected, then those who may still come, then those who said no; each by name."""
    if row.to_confirm:
        rank = 0
    elif row.expected or row.came:
        rank = 1
    else:
        rank = 3 if row.answer is Answer.NO else 2
    return rank, fold(row.name), row.seat_id


def _of_seat(table: Any, id: Any) -> Any:
    return and_(table.c.community_id == seats.c.community_id, table.c.id == id)
