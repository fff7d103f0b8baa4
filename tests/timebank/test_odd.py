"""What looks odd about an entry is noted when it is written down, and stops nobody.

Seen to turn red: comparing people without their sides; a median that one long day moves; counting
what was undone as usual; a twin that is gone; everybody's parts read in search of a twin.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Minutes
from tests.timebank.factories import at
from tests.timebank.scenes import DAY, MillRoad, counted, helped, mill_road
from timebank import entry_steps, odd, recording
from timebank.config import Settings
from timebank.db import Database
from timebank.entry import Entry, Kind, NewEntry, Share
from timebank.odd import Oddity, Reason
from timebank.posting import Done


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def about(place: MillRoad, entry: Entry) -> list[Reason]:
    async with place.db.read(place.id) as conn:
        return (await odd.reasons(conn, place.id, [entry.id])).get(entry.id, [])


# ── Far more than usual ──────────────────────────────────────────────────────────────────────────

amounts = st.lists(st.integers(1, 12).map(lambda n: Minutes(15 * n)), max_size=9)


@given(amounts, st.integers(1, 60).map(lambda n: Minutes(15 * n)))
def test_far_more_is_far_above_what_half_of_the_earlier_ones_were(
    earlier: list[Minutes], minutes: Minutes
) -> None:
    usual = odd.far_more(minutes, earlier)
    if usual is None:
        return
    assert len(earlier) >= 5
    assert 2 * sum(one <= usual for one in earlier) >= len(earlier)
    assert minutes.count > 3 * usual.count
    assert minutes.count > usual.count + 120


def test_one_long_day_does_not_make_long_days_usual() -> None:
    usual = [Minutes(60)] * 5
    assert odd.far_more(Minutes(300), usual) == Minutes(60)
    assert odd.far_more(Minutes(300), [*usual, Minutes(600)]) == Minutes(60)
    assert odd.far_more(Minutes(180), usual) is None  # three times as much is not far more
    assert odd.far_more(Minutes(300), usual[:4]) is None  # we hardly know them


# ── Noted ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def on_sqlite(sqlite_settings: Settings) -> AsyncIterator[MillRoad]:
    """PostgreSQL looks at its tables and chooses; SQLite guesses, and always the same."""
    db = Database(sqlite_settings)
    await db.start()
    yield await mill_road(db)
    await db.stop()


async def test_writing_hours_down_does_not_read_what_everybody_did(on_sqlite: MillRoad) -> None:
    place = on_sqlite
    async with counted(place.db) as sent:
        await place.record(helped(place.ana, place.bert), place.ana)
    asked = {statement for statement in sent if re.search(r"(FROM|JOIN|UPDATE) part\b", statement)}
    assert asked
    async with place.db.read(place.id) as conn:
        for statement in asked:
            values = (None,) * statement.count("?")
            plan = await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = [row.detail for row in plan if re.search(r"(SCAN|SEARCH) part\b", row.detail)]
            assert steps, statement
            assert not any("SCAN" in step or "(community_id=?)" in step for step in steps), steps


async def test_the_same_people_day_and_minutes_look_odd_the_second_time(place: MillRoad) -> None:
    first = await place.record(helped(place.ana, place.bert), place.ana)
    other_way = await place.record(helped(place.bert, place.ana), place.ana)
    longer = await place.record(helped(place.ana, place.bert, 75), place.ana)
    earlier = helped(place.ana, place.bert, occurred_on=DAY - timedelta(days=1))
    other_day = await place.record(earlier, place.ana)
    again = await place.record(helped(place.ana, place.bert), place.bert, at(minutes=1))
    for fine in (other_way, longer, other_day):
        assert await about(place, fine) == []
    assert await about(place, again) == [Reason(Oddity.TWICE, first.id, other_waits=True)]
    assert await about(place, first) == [Reason(Oddity.TWICE, again.id, other_waits=True)]
    await place.approve(first)
    assert await about(place, again) == [Reason(Oddity.TWICE, first.id, other_waits=False)]
    await place.undo(first)
    assert await about(place, again) == []


async def test_correcting_an_entry_looks_at_it_anew(place: MillRoad) -> None:
    await place.record(helped(place.ana, place.bert), place.ana)
    again = await place.record(helped(place.ana, place.bert), place.ana)
    assert [one.what for one in await about(place, again)] == [Oddity.TWICE]
    async with place.db.write(place.id) as conn:
        await recording.change(
            conn, place.id, again.id, helped(place.ana, place.bert, 90), by=place.ana.id, now=at()
        )
    assert await about(place, again) == []


async def test_far_more_than_usual_names_whose_and_how_much_is_usual(place: MillRoad) -> None:
    for n in range(5):
        day = DAY - timedelta(days=n)
        entry = await place.record(helped(place.ana, place.bert, occurred_on=day), place.ana)
        await place.approve(entry)
    undone = await place.record(helped(place.ana, place.bert, 600), place.ana)
    await place.approve(undone)
    await place.undo(undone)
    long = await place.record(helped(place.ana, place.dora, 300), place.ana)
    (reason,) = await about(place, long)
    assert (reason.what, reason.name, reason.usual) == (Oddity.MUCH, "Ana Lima", Minutes(60))
    # What Ana receives has nothing to do with what she gives, and a gift is nobody's time.
    assert (
        await about(place, await place.record(helped(place.dora, place.ana, 300), place.ana)) == []
    )
    gift = helped(place.ana, place.commons, 300, kind=Kind.DONATION)
    assert await about(place, await place.record(gift, place.ana)) == []
    assert isinstance(await place.approve(long), Done)


async def test_a_whole_day_and_a_day_long_past_look_odd(place: MillRoad) -> None:
    day = await place.record(helped(place.ana, place.bert, 735), place.ana)
    (reason,) = await about(place, day)
    assert (reason.what, reason.name) == (Oddity.LONG, "Ana Lima")
    old = helped(place.ana, place.bert, occurred_on=DAY - timedelta(days=61))
    assert [one.what for one in await about(place, await place.record(old, place.ana))] == [
        Oddity.LATE
    ]
    recent = helped(place.ana, place.bert, occurred_on=DAY - timedelta(days=60))
    assert await about(place, await place.record(recent, place.ana)) == []
    many = NewEntry(
        Kind.ACTIVITY,
        (Share(place.ana.id), Share(place.bert.id)),
        (Share(place.library.id),),
        Minutes(420),
        DAY,
    )
    assert await about(place, await place.record(many, place.ana)) == []  # seven hours each


async def test_looking_asks_as_often_for_twelve_people_as_for_two(place: MillRoad) -> None:
    numbers = []
    for givers in ((place.ana,), (place.ana, place.carla, place.dora, place.stella, place.ines)):
        new = NewEntry(
            Kind.ACTIVITY,
            tuple(Share(giver.id) for giver in givers),
            (Share(place.bert.id),),
            Minutes(60),
            DAY,
        )
        entry = await place.record(new, place.carla)
        async with place.db.write(place.id) as conn, counted(place.db) as sent:
            await odd.look(conn, entry, timezone="Europe/London", now=at())
        numbers.append(len(sent))
    assert numbers[0] == numbers[1]
    await place.step(entry_steps.withdraw, entry, place.carla)
