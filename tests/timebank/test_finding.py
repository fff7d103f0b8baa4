"""Finding any entry: by a name, words of the note or the category, days and states.

Seen to turn red: names of one side only; a rare word that only the latest days are searched for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.timebank.factories import at
from tests.timebank.scenes import DAY, MillRoad, helped, mill_road
from timebank import communities, entry_steps, finding
from timebank.db import Database
from timebank.entry import State
from timebank.errors import Forbidden, NotFound


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def find(place: MillRoad, **asked: Any) -> list[UUID]:
    async with place.db.read(place.id) as conn:
        found = await finding.find(conn, place.id, by=place.carla.id, **asked)
        return [entry.id for entry in found.entries]


async def written(place: MillRoad) -> dict[str, UUID]:
    async with place.db.read(place.id) as conn:
        garden = next(
            one for one in await communities.categories_of(conn, place.id) if one.name == "Garden"
        )
    new = {
        "piano": helped(place.ana, place.bert, note="Piano for Éva, 100%"),
        "hedge": helped(place.ines, place.dora, note="The hedge", category_id=garden.id),
        "old": helped(place.ana, place.ines, note="Soup", occurred_on=DAY - timedelta(days=40)),
    }
    return {
        name: (await place.record(entry, place.carla, at(minutes=n))).id
        for n, (name, entry) in enumerate(new.items())
    }


@pytest.mark.parametrize("latest", [5000, 1])
async def test_every_word_is_found_somewhere_in_the_entry(
    place: MillRoad, latest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_LATEST", latest)  # as if there were many more
    ids = await written(place)
    assert await find(place) == [*sorted([ids["piano"], ids["hedge"]], reverse=True), ids["old"]]
    assert await find(place, search="PIANO") == [ids["piano"]]
    assert await find(place, search="100%") == [ids["piano"]]
    assert await find(place, search="garcia") == [ids["hedge"], ids["old"]]
    assert await find(place, search="ines garden") == [ids["hedge"]]
    assert await find(place, search="ana soup") == [ids["old"]]
    assert await find(place, search="bert soup") == []


async def test_days_and_states_narrow_it_down(place: MillRoad) -> None:
    ids = await written(place)
    assert await find(place, last_day=DAY - timedelta(days=1)) == [ids["old"]]
    assert await find(place, first_day=DAY - timedelta(days=40), search="soup") == [ids["old"]]
    assert ids["old"] not in await find(place, first_day=DAY)
    entry = await place.entry(ids["piano"])
    await place.step(entry_steps.withdraw, entry, place.carla)
    assert await find(place, states=[State.WITHDRAWN]) == [ids["piano"]]


async def test_pages_follow_one_another_and_only_coordinators_search(place: MillRoad) -> None:
    await written(place)
    seen: list[UUID] = []
    before = None
    for _ in range(3):
        async with place.db.read(place.id) as conn:
            found = await finding.find(conn, place.id, by=place.carla.id, before=before, limit=1)
        seen += [entry.id for entry in found.entries]
        before = found.next_before
    assert before is None
    assert seen == await find(place)
    async with place.db.read(place.id) as conn:
        with pytest.raises(Forbidden):
            await finding.find(conn, place.id, by=place.ana.id)
        for wrong in ("", "x", "2026-13-01." + "0" * 32, "2026-05-04.x"):
            with pytest.raises(NotFound):
                await finding.find(conn, place.id, by=place.carla.id, before=wrong)
