"""Reminders: some days before, and the day before; never twice, and never of what was called off.

They go out in the morning on the community's clocks. Who reads no mail is on a list for the
organisers, with a number to ring.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import and_, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, gathering_mails, policy, readers
from timebank import gathering as gathering_values
from timebank.acting import Actor
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.gathering import Gathering, Seat
from timebank.gatherings import Answer, State, gatherings, reminders
from timebank.members import members
from timebank.moment import Moment
from timebank.recurrence import local

MORNING = 8
"""The hour on the community's clocks from which reminders go out."""
SOME_DAYS = 3
"""How many days before the first one goes out; less than two, and the day before is enough."""


class Reminder(StrEnum):
    """Which of the two."""

    SOME_DAYS = "some_days"
    DAY_BEFORE = "day_before"


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody who is glad of a call. `phone` is "" where there is none, or it is not shown."""

    seat: Seat
    phone: str


async def send_due(db: Database, *, now: Moment) -> int:
    """Send the reminders that are due, in every community; how many gatherings. For housekeeping.

    Safe to do in several processes at once: a gathering is locked, and looked at again, before its
    reminders are written.
    """
    sent = 0
    async with db.read(EVERYWHERE) as conn:
        every = await communities.every(conn)
    for here in every:
        if local(now.at, here.timezone)[1].hour < MORNING:
            continue
        async with db.read(here.id) as conn:
            ids = await _coming(conn, here, now)
        for id in ids:
            async with db.write(here.id) as conn:
                sent += await _remind(conn, here, id, now)
    return sent


async def _coming(conn: AsyncConnection, here: Community, now: Moment) -> list[UUID]:
    """Gatherings of the next days that have not been reminded of the day before."""
    told = exists().where(
        reminders.c.community_id == gatherings.c.community_id,
        reminders.c.gathering_id == gatherings.c.id,
        reminders.c.kind == Reminder.DAY_BEFORE.value,
    )
    query = select(gatherings.c.id).where(
        gatherings.c.community_id == here.id,
        gatherings.c.state == State.PLANNED.value,
        gatherings.c.starts_at > now.at,
        gatherings.c.starts_at < now.at + timedelta(days=SOME_DAYS + 1),
        ~told,
    )
    return [row.id for row in await conn.execute(query)]


async def _remind(conn: AsyncConnection, here: Community, id: UUID, now: Moment) -> bool:
    found = await gathering_values.lock(conn, here.id, id)
    kind = due(found, here, now)
    if kind is None or await _was_sent(conn, found, kind):
        return False
    await conn.execute(
        insert(reminders).values(
            community_id=here.id, gathering_id=id, kind=kind.value, sent_at=now.at
        )
    )
    send: Callable[..., Awaitable[None]] = gathering_mails.some_days_before
    more = {}
    if kind is Reminder.DAY_BEFORE:
        send = gathering_mails.day_before
        more = {"to_ring_up": len(await to_ring_up(conn, found))}
    await send(conn, here, found, now=now, **more)
    return True


def due(found: Gathering, here: Community, now: Moment) -> Reminder | None:
    """Which reminder a gathering is due for on this day, if it has not gone out yet.

    Of one that was planned or moved today, people have just heard.
    """
    if found.state is not State.PLANNED or now.at >= found.starts_at:
        return None
    days = (_day(found, here) - now.day_in(here.timezone)).days
    if days == 1:
        return Reminder.DAY_BEFORE
    fresh = Moment(found.touched_at).day_in(here.timezone) == now.day_in(here.timezone)
    return Reminder.SOME_DAYS if 1 < days <= SOME_DAYS and not fresh else None


def _day(found: Gathering, here: Community) -> date:
    return local(found.starts_at, here.timezone)[0]


async def _was_sent(conn: AsyncConnection, found: Gathering, kind: Reminder) -> bool:
    query = select(reminders.c.sent_at).where(
        reminders.c.community_id == found.community_id,
        reminders.c.gathering_id == found.id,
        reminders.c.kind == kind.value,
    )
    return (await conn.execute(query)).first() is not None


async def to_ring_up(
    conn: AsyncConnection, found: Gathering, reader: Actor | None = None
) -> list[Call]:
    """Who is invited or comes, and reads no mail, nor does anybody for them; as they answered.

    Their number is there for a reader who may see it: coordinators, who acts for them, everybody if
    they show it. Putting somebody on a list is no way to learn it.
    """
    seats = [
        seat
        for seat in found.seats
        if seat.answer in (Answer.ASKED, Answer.YES, Answer.MAYBE) and not seat.email
    ]
    ids = [seat.member_id for seat in seats if seat.member_id is not None]
    reached = {one.reads_for for one in await readers.of(conn, found.community_id, ids)}
    query = select(members.c.id, members.c.phone, members.c.contact_shown).where(
        and_(members.c.community_id == found.community_id, members.c.id.in_(ids))
    )
    phones = {
        row.id: row.phone
        for row in await conn.execute(query)
        if row.contact_shown or _may_ring(reader, row.id)
    }
    return [
        Call(seat, phones.get(seat.member_id, "") if seat.member_id else "")
        for seat in seats
        if seat.member_id not in reached
    ]


def _may_ring(reader: Actor | None, member: UUID) -> bool:
    if reader is None:
        return False
    return policy.may_coordinate(reader.member) or member in reader.acts_for
