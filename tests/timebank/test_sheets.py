"""Sheets: checked as a whole, written down all or not at all, posted once, undone as one.

Seen to turn red: a row that is written though another is refused; own gain that counts; entries
of the batch itself taken for doubles; undoing from the first row on, where a floor is in the way;
a row that says nothing to anybody.
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from ledger import Minutes
from ledger.errors import FloorReached, KeyReused, NotPositive
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import DAY, MillRoad, helped, mill_road
from timebank import batches, members, sheets
from timebank.agreements import OtherSide
from timebank.batches import Undone
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, State
from timebank.errors import (
    BadInput,
    DayAhead,
    Forbidden,
    NotConfirmed,
    NotFound,
    NotTakingPart,
    OwnGain,
    ReasonMissing,
    SamePersonTwice,
)
from timebank.members import Member
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.sheets import Below, Checked, Line, LongAgo, Posted, Stopped, Twice

NOW = at(hours=3)


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


def line(row: int, giver: Member | UUID, receiver: Member | UUID, minutes: int = 60) -> Line:
    """One row: `giver` gave `receiver` so many minutes."""
    ids = [one if isinstance(one, UUID) else one.id for one in (giver, receiver)]
    return Line(row, Kind.HELP, ids[0], ids[1], Minutes(minutes), DAY, f"Row {row}")


async def check(
    place: MillRoad, *lines: Line, by: Member | None = None, batch: UUID | None = None
) -> list[Checked]:
    async with place.db.read(place.id) as conn:
        by = by or place.carla
        return await sheets.check(conn, place.id, lines, by=by.id, now=NOW, batch=batch)


async def post(
    place: MillRoad, *lines: Line, by: Member | None = None, batch: UUID, now: Moment = NOW
) -> Posted | Stopped:
    by = by or place.carla
    return await sheets.post(place.db, place.id, lines, batch=batch, label="May", by=by.id, now=now)


async def undo(place: MillRoad, batch: UUID, by: Member | None = None) -> Undone:
    by = by or place.carla
    return await batches.undo(
        place.db, place.id, batch, by=by.id, reason="The wrong week", now=at(hours=5)
    )


async def states(place: MillRoad, batch: UUID) -> list[State]:
    """Where the rows of a batch stand."""
    async with place.db.read(place.id) as conn:
        ids = await batches.entries_of(conn, place.id, batch)
    return [(await place.entry(id)).state for id in ids]


async def written(place: MillRoad) -> int:
    async with place.db.read(EVERYWHERE) as conn:
        return sum([len((await conn.execute(select(t))).all()) for t in (batches.batches, outbox)])


# ── Checking ─────────────────────────────────────────────────────────────────────────────────────


async def test_each_row_says_what_it_would_become(place: MillRoad) -> None:
    rows = (
        line(1, place.ana, place.bert, 50),
        line(2, place.carla, place.ines),
        line(3, place.ana, place.ana),
        line(4, place.ana, place.bert, 5),
        Line(5, Kind.HELP, place.ana.id, place.bert.id, Minutes(60), DAY + timedelta(days=1)),
        Line(6, Kind.HELP, place.ana.id, place.bert.id, Minutes(60), date(2025, 5, 4)),
    )
    found = await check(place, *rows)
    assert found[0].counts
    assert found[0].minutes == Minutes(45)  # the agreement's steps
    assert isinstance(found[1].waits, OwnGain)
    assert isinstance(found[2].refused, SamePersonTwice)
    assert isinstance(found[3].refused, NotPositive)
    assert isinstance(found[4].refused, DayAhead)
    assert found[5].remarks == (LongAgo(date(2025, 5, 4)),)
    assert sheets.total(found[:2]) == Minutes(105)


async def test_what_is_there_twice_is_remarked_and_hinders_nothing(place: MillRoad) -> None:
    known = await place.record(helped(place.ana, place.bert), place.ana)
    await place.record(helped(place.ana, place.bert, 30), place.ana)
    found = await check(place, line(1, place.ana, place.bert), line(2, place.ana, place.bert, 65))
    assert found[0].remarks == (Twice(entry_id=known.id),)
    assert found[1].remarks == (Twice(row=1), Twice(entry_id=known.id))  # 65 is 60, in steps of 15
    assert all(one.counts for one in found)


async def test_balances_are_followed_from_row_to_row(place: MillRoad) -> None:
    await place.agree(soft_floor=Minutes(-100), hard_floor=Minutes(-150))
    found = await check(place, *(line(row, place.ana, place.bert) for row in (1, 2, 3, 4)))
    assert found[0].remarks == ()
    assert Below("Bert Okoro", Minutes(-120)) in found[1].remarks
    for one in found[2:]:
        assert isinstance(one.waits, FloorReached)
        assert one.waits.balance == Minutes(-120)
    found = await check(
        place,
        line(1, place.ana, place.bert, 150),
        line(2, place.bert, place.ines, 15),
        line(3, place.ana, place.bert, 15),
    )
    assert [one.counts for one in found] == [True, True, True]


async def test_where_the_other_side_confirms_it_is_said_before(place: MillRoad) -> None:
    await place.agree(other_side=OtherSide.CONFIRMS)
    asked, alone = await check(
        place, line(1, place.ana, place.bert), line(2, place.ines, place.commons)
    )
    assert isinstance(asked.waits, NotConfirmed)
    assert alone.counts  # Ines has no sign-in: nobody is asked and nobody waited for


async def test_checking_takes_as_many_statements_for_few_rows_as_for_many(place: MillRoad) -> None:
    from tests.timebank.scenes import counted

    numbers = []
    for many in (2, 60):
        rows = [line(row, place.ana, place.bert, 15 * row) for row in range(1, many + 1)]
        async with counted(place.db) as sent:
            await check(place, *rows)
        numbers.append(len(sent))
    assert numbers[0] == numbers[1] <= 12


# ── Posting ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_sheet_is_on_the_statements_at_once_and_own_gain_waits(place: MillRoad) -> None:
    batch = NOW.new_id()
    posted = await post(
        place,
        line(1, place.ana, place.bert, 90),
        line(2, place.ines, place.commons, 60),
        line(3, place.carla, place.ines, 30),
        batch=batch,
    )
    assert isinstance(posted, Posted)
    assert posted.counted == 2
    assert await states(place, batch) == [State.APPROVED, State.APPROVED, State.RECORDED]
    assert await place.balance(place.ana) == 90
    assert await place.balance(place.carla) == 0
    async with place.db.read(place.id) as conn:
        kept = await batches.get(conn, place.id, batch)
        standing = await batches.standing(conn, place.id, batch)
        ids = await batches.entries_of(conn, place.id, batch)
        assert await batches.of_entry(conn, place.id, ids[0]) == batch
    assert (kept.label, kept.made_by_name, kept.entries) == ("May", "Carla Rossi", 3)
    assert standing[State.APPROVED].minutes == Minutes(150)
    assert ids == sorted(ids), "the ids are in the order of the rows"
    await place.assert_sound()


async def test_everyone_hears_of_each_row_once(place: MillRoad) -> None:
    before = len(await place.told())
    await post(
        place,
        line(1, place.ana, place.bert),  # both have an address
        line(2, place.carla, place.dora),  # Carla gains: Dora hears that it waits
        batch=NOW.new_id(),
    )
    told = (await place.told())[before:]
    assert sorted(told) == ["ana@example.org", "bert@example.org", "dora@example.org"]


async def test_who_was_to_hear_that_it_counts_hears_if_it_waits_after_all(place: MillRoad) -> None:
    """A floor that nobody could foresee: Ana, Bert and Ines' buddy are told all the same."""
    await place.agree(soft_floor=Minutes(-60), hard_floor=Minutes(-60))
    before = len(await place.told())
    rows = [line(1, place.ana, place.bert), line(2, place.bert, place.ana)]
    other = [line(1, place.ines, place.bert)]
    results = await asyncio.gather(
        post(place, *rows[:1], batch=NOW.new_id()), post(place, *other, batch=NOW.new_id())
    )
    counted = sum(one.counted for one in results if isinstance(one, Posted))
    assert counted == 1, "the floor holds, whoever comes first"
    told = (await place.told())[before:]
    assert told.count("bert@example.org") == 2, "once for what counts, once for what waits"
    assert told.count("ana@example.org") == 2, "for herself, and as Inés' buddy"
    await place.assert_sound()


async def test_one_bad_row_and_nothing_is_written(place: MillRoad) -> None:
    async with place.db.write(place.id) as conn:
        await members.pause(conn, place.id, place.bert.id, by=place.carla.id, now=NOW)
    before = await written(place)
    stopped = await post(
        place,
        line(1, place.ana, place.ines),
        line(2, place.ana, place.bert),
        batch=NOW.new_id(),
    )
    assert isinstance(stopped, Stopped)
    assert stopped.row == 2
    assert isinstance(stopped.error, NotTakingPart)
    assert await written(place) == before
    assert await place.balance(place.ana) == 0


async def test_a_double_click_and_a_retry_post_once(place: MillRoad) -> None:
    batch = NOW.new_id()
    rows = [line(1, place.ana, place.bert, 90), line(2, place.carla, place.bert, 30)]
    first, second = await asyncio.gather(
        post(place, *rows, batch=batch), post(place, *rows, batch=batch)
    )
    third = await post(place, *rows, batch=batch, now=at(hours=4))
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert isinstance(third, Posted)
    assert first.counted == second.counted == third.counted == 1
    assert await place.balance(place.ana) == 90
    assert len(await states(place, batch)) == 2
    assert (await check(place, *rows, batch=batch))[0].remarks == ()
    assert (await place.told()).count("ana@example.org") == 1


async def test_another_sheet_under_the_same_id_is_refused(place: MillRoad) -> None:
    batch = NOW.new_id()
    await post(place, line(1, place.ana, place.bert), batch=batch)
    longer = (line(1, place.ana, place.bert), line(2, place.ana, place.bert, 30))
    with pytest.raises(KeyReused):
        await post(place, *longer, batch=batch)
    with pytest.raises(KeyReused):
        await post(place, line(1, place.ana, place.bert), batch=batch, by=place.dora)
    other = await post(place, line(1, place.ana, place.bert, 75), batch=batch)
    assert isinstance(other, Stopped)
    assert isinstance(other.error, KeyReused)
    assert await place.balance(place.ana) == 60


async def test_only_coordinators_post_sheets_and_only_of_people_here(place: MillRoad) -> None:
    async with place.db.write(EVERYWHERE) as conn:
        there = await a_community(conn, "next-door")
        stranger = await a_member(conn, there.id, "Olga Nord")
    with pytest.raises(Forbidden):
        await check(place, line(1, place.ana, place.bert), by=place.ana)
    with pytest.raises(Forbidden):
        await post(place, line(1, place.ana, place.bert), by=place.ana, batch=NOW.new_id())
    stopped = await post(place, line(1, place.ana, stranger), batch=NOW.new_id())
    assert isinstance(stopped, Stopped)
    assert isinstance(stopped.error, NotFound)
    for rows in ([], [line(row, place.ana, place.bert) for row in range(1, 102)]):
        with pytest.raises(BadInput):
            await post(place, *rows, batch=NOW.new_id())


# ── Undoing ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_is_undone_as_one_and_twice_is_once(place: MillRoad) -> None:
    batch = NOW.new_id()
    await post(
        place,
        line(1, place.ana, place.bert, 90),
        line(2, place.carla, place.ines, 30),
        line(3, place.ines, place.carla, 45),
        batch=batch,
    )
    async with place.db.read(place.id) as conn:
        plan = await batches.undoing(conn, place.id, batch, by=place.carla.id)
        ids = await batches.entries_of(conn, place.id, batch)
    assert (plan.moved_back, plan.taken_back, plan.not_by_me, plan.count) == (1, 1, 1, 2)
    assert plan.minutes == Minutes(90)
    assert plan.first_not_by_me == (ids[2],)
    done = await undo(place, batch)
    assert (done.moved_back, done.taken_back) == (1, 1)
    assert [type(one.error) for one in done.refused] == [OwnGain]
    assert await states(place, batch) == [State.REVERSED, State.WITHDRAWN, State.APPROVED]
    done = await undo(place, batch, by=place.dora)
    assert (done.moved_back, done.taken_back, done.refused) == (1, 0, ())
    done = await undo(place, batch, by=place.dora)
    assert (done.moved_back, done.taken_back, done.refused) == (0, 0, ())
    assert await place.balance(place.ana) == await place.balance(place.carla) == 0
    await place.assert_sound()


async def test_undoing_goes_backwards_so_that_no_floor_is_in_the_way(place: MillRoad) -> None:
    await place.agree(soft_floor=Minutes(0), hard_floor=Minutes(0))
    await place.approve(
        await place.record(helped(place.dora, place.commons, 60), place.dora), by=place.carla
    )
    batch = NOW.new_id()
    posted = await post(
        place,
        line(1, place.ana, place.dora, 60),
        line(2, place.bert, place.ana, 60),
        line(3, place.ines, place.bert, 60),
        batch=batch,
    )
    assert isinstance(posted, Posted)
    assert posted.counted == 3
    done = await undo(place, batch)
    assert (done.moved_back, done.refused) == (3, ())
    assert await place.balance(place.dora) == 60


async def test_undoing_wants_a_coordinator_a_reason_and_a_batch_of_here(place: MillRoad) -> None:
    batch = NOW.new_id()
    await post(place, line(1, place.ana, place.bert), batch=batch)
    with pytest.raises(Forbidden):
        await undo(place, batch, by=place.ana)
    with pytest.raises(NotFound):
        await undo(place, NOW.new_id())
    with pytest.raises(ReasonMissing):
        await batches.undo(place.db, place.id, batch, by=place.carla.id, reason=" ", now=NOW)
    async with place.db.read(place.id) as conn:
        with pytest.raises(Forbidden):
            await batches.undoing(conn, place.id, batch, by=place.ana.id)


# ── Ids ──────────────────────────────────────────────────────────────────────────────────────────


@given(st.uuids(), st.uuids(), st.integers(1, 4000), st.integers(1, 4000))
def test_ids_come_from_the_batch_and_the_row_alone(
    one: UUID, other: UUID, row: int, next_row: int
) -> None:
    id = batches.entry_id(one, row)
    assert id == batches.entry_id(one, row)
    assert id.version == 7
    assert (id == batches.entry_id(other, next_row)) == ((one, row) == (other, next_row))
    if row < next_row:
        assert id < batches.entry_id(one, next_row)
