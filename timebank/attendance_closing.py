"""Closing the list of a gathering, and opening it again for a correction.

While a list is closed nobody ticks on it, so what is settled is what everybody can read there.
Opening it again takes a settlement that waits back; one that is posted stays, and what changes is
posted as the difference.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO
from ledger.sql import store
from timebank import (
    attendance_steps,
    audit,
    communities,
    entries,
    entry_steps,
    rooms,
    settled,
    settlement_mails,
    ticks,
)
from timebank.attendance_steps import StepKind
from timebank.entry import State as EntryState
from timebank.entry import StepKind as EntryStepKind
from timebank.errors import BadInput, NamesWaiting, NotBegun, ReasonMissing, WrongState
from timebank.gatherings import Rule, State, gatherings, seats
from timebank.moment import Moment
from timebank.rooms import Room


async def close(
    conn: AsyncConnection, community: UUID, gathering: UUID, *, by: UUID, now: Moment
) -> None:
    """Close the list: whoever is not ticked did not come. Twice is once.

    A gathering by whose rule no hours move is settled with that, and everybody is thanked. For
    those who look after it (`Forbidden`), once it has begun (`NotBegun`) and every name on it is
    confirmed (`NamesWaiting`).
    """
    await store.lock(conn, community)
    _, room = await rooms.for_organiser(conn, community, gathering, by)
    await rooms.lock(conn, community, gathering)
    if not await ticks.may_tick(conn, room):
        return
    if not room.has_begun(now):
        raise NotBegun
    await _refuse_names(conn, room)
    await conn.execute(
        update(seats)
        .where(
            seats.c.community_id == community,
            seats.c.gathering_id == gathering,
            seats.c.present.is_(None),
        )
        .values(present=ZERO)
    )
    await _step(conn, room, StepKind.CLOSED, "", by, now)
    story = await settled.of_gathering(conn, community, gathering)
    nothing_moves = room.rule is Rule.NONE and settled.standing(story) is None
    await _put(conn, room, State.SETTLED if nothing_moves else State.HELD, now)
    if nothing_moves and room.state is State.PLANNED:
        place = await communities.by_id(conn, community)
        await settlement_mails.thank(conn, place, room, (), now=now)


async def reopen(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Open a closed list again. A settlement that waits is taken back. Twice is once.

    Where hours were posted already it takes a reason (`ReasonMissing`), which everyone concerned
    by the correction can read. For those who look after it (`Forbidden`).
    """
    if len(words) > entries.LONGEST_WORDS:
        raise BadInput("words", "too_long", entries.LONGEST_WORDS)
    await store.lock(conn, community)
    _, room = await rooms.for_organiser(conn, community, gathering, by)
    story = await settled.of_gathering(conn, community, gathering)
    waiting = settled.waiting(story)
    if waiting is not None:
        await entry_steps.lock(conn, community, [waiting.entry_id])
    await rooms.lock(conn, community, gathering)
    if await ticks.may_tick(conn, room):
        return
    if settled.standing(story) is not None and not words.strip():
        raise ReasonMissing
    if waiting is not None:
        await _take_back(conn, community, waiting.entry_id, words, by, now)
    await _step(conn, room, StepKind.OPENED, words.strip(), by, now)
    await _put(conn, room, State.HELD, now)


async def _take_back(
    conn: AsyncConnection, community: UUID, entry_id: UUID, words: str, by: UUID, now: Moment
) -> None:
    """The settlement that waits: its list is no longer what it was made from."""
    await conn.execute(
        update(entries.entries)
        .where(entries.entries.c.community_id == community, entries.entries.c.id == entry_id)
        .values(state=EntryState.WITHDRAWN.value, touched_at=now.at)
    )
    await conn.execute(
        update(entries.parts)
        .where(entries.parts.c.community_id == community, entries.parts.c.entry_id == entry_id)
        .values(awaited=False)
    )
    entry = await entries.one(conn, community, entry_id)
    await entry_steps.add_step(conn, entry, EntryStepKind.WITHDRAWN, by, now, words.strip())
    await audit.write(
        conn,
        community,
        actor=by,
        action="entry.withdrawn",
        subject_kind="entry",
        subject=entry_id,
        facts={"state": entry.state.value},
        agreement_version=entry.agreement_version,
        now=now,
    )


async def _refuse_names(conn: AsyncConnection, room: Room) -> None:
    waiting = await conn.scalar(
        select(func.count()).where(
            seats.c.community_id == room.community_id,
            seats.c.gathering_id == room.id,
            seats.c.to_confirm,
        )
    )
    if waiting:
        raise NamesWaiting(waiting)


async def _step(
    conn: AsyncConnection, room: Room, kind: StepKind, words: str, by: UUID, now: Moment
) -> None:
    """Keep the step, and write the audit."""
    table = attendance_steps.attendance_steps
    number = select(func.coalesce(func.max(table.c.number), 0) + 1).where(
        table.c.community_id == room.community_id, table.c.gathering_id == room.id
    )
    await conn.execute(
        insert(table).values(
            community_id=room.community_id,
            gathering_id=room.id,
            number=number.scalar_subquery(),
            kind=kind.value,
            member_id=by,
            at=now.at,
            words=words,
        )
    )
    await audit.write(
        conn,
        room.community_id,
        actor=by,
        action=f"gathering.list_{kind.value}",
        subject_kind="gathering",
        subject=room.id,
        now=now,
    )


async def _put(conn: AsyncConnection, room: Room, state: State, now: Moment) -> None:
    if room.state is State.CANCELLED:
        raise WrongState(room.state, "close")
    await conn.execute(
        update(gatherings)
        .where(gatherings.c.community_id == room.community_id, gatherings.c.id == room.id)
        .values(state=state.value, touched_at=now.at)
    )
