"""Limits: floors that follow what was given, and who is past a limit at which we talk.

Seen to turn red: growing by what was received; growing past the lowest floor; rounding away from
zero; judging a crowd by the floors they began with; leaving floors as they were when an entry is
undone, or when the agreement changes; keeping somebody past a limit who came back.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from ledger import Minutes
from ledger.sql import store, tables
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import agreements, books, limits, migrate, posting
from timebank.agreements import Terms
from timebank.db import Database
from timebank.entries import parts, steps
from timebank.entry import Kind
from timebank.limits import Beyond, past_limits
from timebank.members import tallies
from timebank.posting import Approve, Done, Undo

NARROW: dict[str, Any] = {
    "step": Minutes(1),
    "soft_floor": Minutes(-20),
    "hard_floor": Minutes(-30),
    "floor_growth": 50,
    "lowest_floor": Minutes(-60),
    "soft_ceiling": Minutes(40),
}


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


# ── Worked out ───────────────────────────────────────────────────────────────────────────────────

small = st.integers(0, 12).map(Minutes)
percents = st.integers(0, 100)


@given(small, percents, st.integers(0, 5).map(lambda n: Minutes(-n)), st.none() | small)
def test_a_floor_is_between_where_it_begins_and_the_lowest(
    given_: Minutes, percent: int, hard: Minutes, further: Minutes | None
) -> None:
    lowest = None if further is None else hard - further
    terms = Terms(hard_floor=hard, floor_growth=percent, lowest_floor=lowest)
    floor = limits.hard_floor(terms, given_)
    assert floor is not None
    assert floor <= hard
    assert lowest is None or floor >= lowest
    exact = hard.count - given_.count * percent / 100
    if lowest is None or exact >= lowest.count:
        assert exact <= floor.count < exact + 1  # whole minutes, never further than agreed


@given(small, small)
def test_giving_more_never_makes_a_floor_higher(some: Minutes, more: Minutes) -> None:
    terms = Terms(hard_floor=Minutes(-3), floor_growth=50, lowest_floor=Minutes(-6))
    before, after = (limits.hard_floor(terms, given_) for given_ in (some, some + more))
    assert before is not None
    assert after is not None
    assert after <= before


def test_without_a_floor_or_without_growth_nothing_follows() -> None:
    assert limits.hard_floor(Terms(floor_growth=50), Minutes(600)) is None
    assert limits.hard_floor(Terms(hard_floor=Minutes(-9)), Minutes(600)) == Minutes(-9)
    # What was undone may leave less than nothing given; a floor never rises above its beginning.
    terms = Terms(hard_floor=Minutes(-9), floor_growth=50)
    assert limits.hard_floor(terms, Minutes(-600)) == Minutes(-9)


@pytest.mark.parametrize(
    ("balance", "where"),
    [(-21, Beyond.BELOW), (-20, None), (0, None), (40, None), (41, Beyond.ABOVE)],
)
def test_at_a_limit_nobody_is_past_it(balance: int, where: Beyond | None) -> None:
    assert limits.beyond(Terms(**NARROW), Minutes(balance)) is where


# ── Kept ─────────────────────────────────────────────────────────────────────────────────────────


async def floors(place: MillRoad) -> dict[Any, int | None]:
    async with place.db.read(place.id) as conn:
        rows = await conn.execute(
            select(tables.account.c.id, tables.account.c.floor).where(
                tables.account.c.community_id == place.id, tables.account.c.kind != "commons"
            )
        )
        return {row.id: None if row.floor is None else row.floor.count for row in rows}


async def past(place: MillRoad) -> dict[Any, tuple[str, Any]]:
    async with place.db.read(place.id) as conn:
        rows = await conn.execute(select(past_limits))
        return {row.account_id: (row.beyond, row.since) for row in rows}


async def test_the_floor_follows_what_was_given_and_back_when_it_is_undone(
    place: MillRoad,
) -> None:
    await place.agree(**NARROW)
    assert set((await floors(place)).values()) == {-30}
    entry = await place.record(helped(place.ana, place.bert, 25), place.ana)
    await place.approve(entry)
    assert (await floors(place))[place.ana.id] == -42
    assert (await floors(place))[place.bert.id] == -30
    more = await place.record(helped(place.ana, place.dora, 20), place.ana)
    await place.approve(more)
    last = await place.record(helped(place.ana, place.stella, 29), place.ana)
    await place.approve(last)
    assert (await floors(place))[place.ana.id] == -60  # and not 67
    await place.assert_sound()
    await place.undo(last)
    assert (await floors(place))[place.ana.id] == -52
    await place.agree(floor_growth=0)
    assert set((await floors(place)).values()) == {-30}
    await place.agree(floor_growth=100, lowest_floor=None)
    assert (await floors(place))[place.ana.id] == -75
    await place.agree(hard_floor=None)
    assert set((await floors(place)).values()) == {None}
    await place.assert_sound()


async def test_gifts_of_hours_move_no_floor(place: MillRoad) -> None:
    await place.agree(**NARROW)
    gift = await place.record(helped(place.ana, place.commons, 20, kind=Kind.DONATION), place.ana)
    await place.approve(gift)
    assert set((await floors(place)).values()) == {-30}


async def test_a_floor_that_is_not_the_agreed_one_is_found(place: MillRoad) -> None:
    await place.agree(**NARROW)
    async with place.db.write(place.id) as conn:
        await store.set_floor(conn, place.id, [place.bert.id], Minutes(-31))
    report = await books.verify(place.db, place.id, now=at(days=1))
    assert report.findings == (
        f"account {place.bert.id} has the hard floor -0:31; by the agreement it is -0:30",
    )


async def test_who_crosses_a_limit_is_noted_with_the_posting_and_forgotten_when_they_return(
    place: MillRoad,
) -> None:
    await place.agree(**{**NARROW, "hard_floor": None})
    await place.approve(await place.record(helped(place.ana, place.bert, 20), place.ana))
    assert await past(place) == {}
    second = await place.record(helped(place.ana, place.bert, 21), place.ana)
    await place.approve(second, now=at(hours=2))
    since = at(hours=2).at
    assert await past(place) == {
        place.bert.id: ("below", since),
        place.ana.id: ("above", since),
    }
    third = await place.record(helped(place.ines, place.bert, 5), place.carla)
    await place.approve(third, now=at(hours=3))
    assert (await past(place))[place.bert.id] == ("below", since)  # still the same crossing
    await place.agree(soft_floor=Minutes(-46), soft_ceiling=None)
    assert await past(place) == {}
    await place.agree(soft_floor=Minutes(-45))
    assert set(await past(place)) == {place.bert.id}
    await place.undo(second)
    assert await past(place) == {}


async def test_the_commons_and_gatherings_accounts_are_not_rung_up(place: MillRoad) -> None:
    await place.agree(**{**NARROW, "hard_floor": None})
    thanks = await place.record(helped(place.ana, place.commons, 39), place.ana)
    await place.approve(thanks)
    assert await past(place) == {}


# ── Nothing passes the floor of the moment ───────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_passes_the_floor_of_its_moment(place: MillRoad, seed: int) -> None:
    """Entries, undone ones and overrides in crowds; the journal is read again afterwards."""
    await place.agree(**NARROW)
    dice = Random(seed)
    posted: list[Any] = []
    people = (place.ana, place.bert, place.dora, place.ines)
    for turn in range(10):
        requests: list[Any] = []
        for _ in range(dice.randint(1, 4)):
            if posted and dice.random() < 0.25:
                requests.append(Undo(place.id, dice.choice(posted), place.stella.id, "A mistake."))
                continue
            giver, receiver = dice.sample(people, 2)
            new = helped(giver, receiver, dice.randint(5, 30))
            entry = await place.record(new, place.carla, at(hours=turn))
            override = dice.random() < 0.1
            words = "He is ill." if override else ""
            requests.append(Approve(place.id, entry.id, place.stella.id, words, override))
        verdicts = await posting.post(place.db, requests, now=at(hours=turn, minutes=1))
        posted += [
            request.entry_id
            for request, verdict in zip(requests, verdicts, strict=True)
            if isinstance(request, Approve) and isinstance(verdict, Done)
        ]
    assert await _passed(place) == []
    assert any(floor != -30 for floor in (await floors(place)).values())
    await place.assert_sound()
    async with place.db.read(place.id) as conn:
        terms = (await agreements.current(conn, place.id)).terms
        stood = await conn.execute(select(tables.account.c.id, tables.account.c.balance))
        wanted = {row.id: limits.beyond(terms, row.balance) for row in stood}
    noted = {id: where for id, (where, _since) in (await past(place)).items()}
    assert noted == {id: where for id, where in wanted.items() if where and id != place.id}


async def _passed(place: MillRoad) -> list[Any]:
    """Entries that took somebody below the floor they had by then, without an override."""
    async with place.db.read(place.id) as conn:
        journal = (
            await conn.execute(select(tables.transfer).order_by(tables.transfer.c.seq))
        ).all()
        overridden = {
            row.entry_id
            for row in await conn.execute(select(steps.c.entry_id).where(steps.c.override))
        }
        gave = {
            (row.entry_id, row.account_id): row.minutes.count
            for row in await conn.execute(select(parts).where(parts.c.side == "gave"))
        }
    given_, wrong = dict[Any, int](), []
    for row in journal:
        floor = max(-60, -30 - max(0, given_.get(row.source_id, 0)) // 2)
        if row.source_balance.count < floor and row.entry_id not in overridden:
            wrong.append(row.entry_id)
        giver = row.destination_id if row.reverses_id is None else row.source_id
        sign = 1 if row.reverses_id is None else -1
        minutes = gave[(row.reverses_id or row.entry_id, giver)]
        given_[giver] = given_.get(giver, 0) + sign * minutes
    return wrong


async def test_the_migration_notes_what_was_there_before(place: MillRoad) -> None:
    """Taken away and made anew from the books, both notes are the same."""
    await place.agree(**{**NARROW, "hard_floor": None})
    for n, minutes in enumerate((30, 12)):
        entry = await place.record(helped(place.ana, place.bert, minutes), place.ana)
        await place.approve(entry, now=at(hours=n + 2))
    noted, latest = await past(place), await _latest(place)
    assert set(noted) == {place.ana.id, place.bert.id}
    await place.db.stop()
    await asyncio.to_thread(migrate.downgrade, place.db.settings, "0009")
    await asyncio.to_thread(migrate.upgrade, place.db.settings)
    await place.db.start()
    assert (await past(place), await _latest(place)) == (noted, latest)


async def _latest(place: MillRoad) -> dict[Any, Any]:
    async with place.db.read(place.id) as conn:
        return {row.account_id: row.latest_at for row in await conn.execute(select(tallies))}
