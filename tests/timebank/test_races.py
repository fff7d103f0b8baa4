"""Many hands at once: one posting, a floor that holds, one winner.

Seen to turn red: reading before the head and the entries are locked; not locking the entries
while a step is taken.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ledger import Minutes
from ledger.sql import read
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import entries, entry_steps
from timebank.db import Database
from timebank.entry import State
from timebank.errors import WrongState
from timebank.posting import Done, Refused


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def transfers(place: MillRoad) -> int:
    async with place.db.read(place.id) as conn:
        return (await read.head(conn, place.id)).seq


async def test_twenty_approvals_at_once_are_one_posting(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    by = (place.carla, place.dora)
    verdicts = await asyncio.gather(*(place.approve(entry, by[n % 2]) for n in range(20)))
    assert all(isinstance(verdict, Done) for verdict in verdicts)
    assert sum(not verdict.replayed for verdict in verdicts if isinstance(verdict, Done)) == 1
    assert await transfers(place) == 1
    assert await place.balance(place.ana) == 60
    assert len(await place.story(entry)) == 2
    await place.assert_sound()


async def test_a_hundred_spends_at_once_do_not_pass_the_floor(place: MillRoad) -> None:
    await place.agree(hard_floor=Minutes(-600))
    people = (place.ana, place.dora, place.ines, place.stella)
    recorded = []
    for number in range(100):
        giver = people[number % 4]
        recorded.append(await place.record(helped(giver, place.bert, 30), place.bert))
    verdicts = await asyncio.gather(*(place.approve(entry) for entry in recorded))
    assert sum(isinstance(verdict, Done) for verdict in verdicts) == 20
    assert await place.balance(place.bert) == -600
    assert await transfers(place) == 20
    await place.assert_sound()


async def test_approving_and_taking_back_at_once_has_one_winner(place: MillRoad) -> None:
    for round_ in range(5):
        entry = await place.record(helped(place.ana, place.bert, 60 + 15 * round_), place.ana)
        verdict, withdrawn = await asyncio.gather(
            place.approve(entry),
            place.step(entry_steps.withdraw, entry, place.ana),
            return_exceptions=True,
        )
        now = await place.entry(entry.id)
        if isinstance(verdict, Done):
            assert isinstance(withdrawn, WrongState)
            assert now.state is State.APPROVED
        else:
            assert now.state is State.WITHDRAWN
    await place.assert_sound()


async def test_an_approval_waits_for_a_step_that_is_being_taken(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    async with place.db.write(place.id) as conn:
        await entry_steps.withdraw(conn, place.id, entry.id, by=place.ana.id, now=at())
        approving = asyncio.create_task(place.approve(entry))
        await asyncio.sleep(0.5)
        assert not approving.done()
    verdict = await approving
    assert isinstance(verdict, Refused)
    assert isinstance(verdict.error, WrongState)
    assert await transfers(place) == 0


async def test_two_steps_at_once_are_taken_one_after_the_other(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    async with place.db.write(place.id) as conn:
        await entry_steps.withdraw(conn, place.id, entry.id, by=place.ana.id, now=at())
        confirming = asyncio.create_task(place.step(entry_steps.confirm, entry, place.bert))
        await asyncio.sleep(0.5)
        assert not confirming.done()
    with pytest.raises(WrongState):
        await confirming
    assert (await place.entry(entry.id)).state is State.WITHDRAWN


async def test_two_undos_at_once_undo_once(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    verdicts = await asyncio.gather(
        place.undo(entry, place.carla), place.undo(entry, place.dora, "Me too.")
    )
    assert sorted(verdict.replayed for verdict in verdicts if isinstance(verdict, Done)) == [
        False,
        True,
    ]
    assert await transfers(place) == 2
    assert await place.balance(place.ana) == 0
    await place.assert_sound()


async def test_the_same_sheet_sent_many_times_at_once_is_one_entry(place: MillRoad) -> None:
    id = at().new_id()
    new = helped(place.ana, place.bert)
    found = await asyncio.gather(*(place.record(new, place.ana, entry_id=id) for _ in range(8)))
    assert {entry.id for entry in found} == {id}
    async with place.db.read(place.id) as conn:
        assert len(await entries.recent_of(conn, place.id, place.ana.id, 99)) == 1
    assert await place.told() == ["bert@example.org"]


async def test_recording_and_posting_at_once_never_lock_each_other_out(place: MillRoad) -> None:
    people = [place.ana, place.bert, place.dora, place.stella]
    recorded = [
        await place.record(helped(people[n % 4], people[(n + 1) % 4]), place.carla)
        for n in range(12)
    ]
    work: list[Any] = [place.approve(entry) for entry in recorded]
    work += [
        place.record(helped(people[(n + 1) % 4], people[n % 4]), place.carla) for n in range(12)
    ]
    done = await asyncio.gather(*work)
    assert all(isinstance(one, Done) for one in done[:12])
    await place.assert_sound()
