"""A community keeps its own lists: what is on them, in which order, and what was on them once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.timebank.factories import a_community, at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import audit, communities, directory, members, organisations, own_lists, sectors
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.own_lists import Which


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _names(road: MillRoad, which: Which, *, retired: bool = False) -> list[str]:
    async with road.db.read(road.id) as conn:
        found = await own_lists.items(conn, road.id, which)
    return [one.name for one in found if one.retired is retired]


async def _id(road: MillRoad, which: Which, name: str) -> UUID:
    async with road.db.read(road.id) as conn:
        return next(
            one.id for one in await own_lists.items(conn, road.id, which) if one.name == name
        )


async def _do(road: MillRoad, verb: Any, *args: Any, by: Any = None, **more: Any) -> Any:
    async with road.db.write(road.id) as conn:
        return await verb(conn, road.id, *args, by=(by or road.carla).id, now=at(hours=1), **more)


async def test_a_list_begins_in_the_language_of_its_community(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        places = [
            (await a_community(conn, f"place-{language}", language=language)).id
            for language in ("en", "es")
        ]
        for which in Which:
            english, spanish = [
                [one.name for one in await own_lists.items(conn, place, which)] for place in places
            ]
            assert len(english) == len(spanish) > 1
            assert not set(english) & set(spanish)
        names = [one.name for one in await own_lists.items(conn, places[0], Which.SECTORS)]
    assert len(names) == 12
    for wanted in ("Health", "Social care", "Higher education", "Faith", "Neighbours"):
        assert wanted in names


async def test_something_is_added_moved_renamed_retired_and_brought_back(road: MillRoad) -> None:
    which = Which.CATEGORIES
    begun = await _names(road, which)
    bees = await _do(road, own_lists.add, which, "Bees")
    assert await _names(road, which) == [*begun, "Bees"]
    await _do(road, own_lists.move, which, bees, up=True)
    assert await _names(road, which) == [*begun[:-1], "Bees", begun[-1]]
    await _do(road, own_lists.move, which, bees, up=False)
    await _do(road, own_lists.move, which, bees, up=False)  # it is the last one already
    await _do(road, own_lists.rename, which, bees, "Bees and wasps")
    await _do(road, own_lists.retire, which, bees)
    await _do(road, own_lists.retire, which, bees)
    assert await _names(road, which) == begun
    assert await _names(road, which, retired=True) == ["Bees and wasps"]
    await _do(road, own_lists.restore, which, bees)
    assert await _names(road, which) == [*begun, "Bees and wasps"]
    async with road.db.read(road.id) as conn:
        assert [one.name for one in await communities.categories_of(conn, road.id)][-1] == (
            "Bees and wasps"
        )
        acts = [act.action for act in await audit.page(conn, road.id, by=road.stella.id)]
    assert {"list.added", "list.moved", "list.renamed", "list.retired", "list.restored"} <= set(
        acts
    )


async def test_a_name_stands_on_a_list_once_whatever_its_spelling(road: MillRoad) -> None:
    garden = await _id(road, Which.CATEGORIES, "Garden")
    with pytest.raises(BadInput):
        await _do(road, own_lists.add, Which.CATEGORIES, "GARDÉN")
    with pytest.raises(BadInput):
        await _do(road, own_lists.add, Which.CATEGORIES, "")
    other = await _id(road, Which.CATEGORIES, "Cooking and food")
    with pytest.raises(BadInput):
        await _do(road, own_lists.rename, Which.CATEGORIES, other, "garden")
    await _do(road, own_lists.retire, Which.CATEGORIES, garden)
    again = await _do(road, own_lists.add, Which.CATEGORIES, "garden")
    assert again == garden  # what was on the list once comes back as itself


async def test_a_list_does_not_grow_without_end(road: MillRoad, monkeypatch: Any) -> None:
    monkeypatch.setattr(own_lists, "MOST", 3)
    await _do(road, own_lists.add, Which.CHECKS, "First aid")
    with pytest.raises(BadInput):
        await _do(road, own_lists.add, Which.CHECKS, "Driving licence")


async def test_what_was_used_keeps_its_name_where_it_was_used(road: MillRoad) -> None:
    garden = await _id(road, Which.CATEGORIES, "Garden")
    entry = await road.record(helped(road.ana, road.bert, category_id=garden), road.ana)
    await _do(road, own_lists.retire, Which.CATEGORIES, garden)
    assert (await road.entry(entry.id)).category == "Garden"
    await _do(road, own_lists.rename, Which.CATEGORIES, garden, "Gardens")
    assert (await road.entry(entry.id)).category == "Gardens"
    await road.approve(entry)
    await road.assert_sound()  # the books are tied to the category, not to what it is called


async def test_organisations_are_found_by_what_their_sector_is_called_now(road: MillRoad) -> None:
    arts = await _id(road, Which.SECTORS, "Arts and culture")
    await _do(
        road,
        organisations.edit,
        road.library.id,
        name="The Library",
        sector=arts,
        area="",
        about="",
        contact="",
    )

    async def found(search: str) -> list[str]:
        async with road.db.read(road.id) as conn:
            rows = await directory.page(conn, road.id, search=search)
            return [row.member.name for row in rows]

    assert await found("culture") == ["The Library"]
    await _do(road, own_lists.rename, Which.SECTORS, arts, "Books and music")
    assert await found("culture") == []
    assert await found("books and MUSIC") == ["The Library"]
    async with road.db.read(road.id) as conn:
        assert (await members.profile(conn, road.id, road.library.id)).sector == "Books and music"
    await _do(road, own_lists.retire, Which.SECTORS, arts)
    async with road.db.read(road.id) as conn:
        assert arts not in {one.id for one in await sectors.of(conn, road.id)}
        assert (await members.profile(conn, road.id, road.library.id)).sector == "Books and music"


async def test_coordinators_keep_the_lists_and_nobody_else(road: MillRoad) -> None:
    garden = await _id(road, Which.CATEGORIES, "Garden")
    for verb, args, more in (
        (own_lists.add, (Which.CATEGORIES, "Bees"), {}),
        (own_lists.rename, (Which.CATEGORIES, garden, "Bees"), {}),
        (own_lists.move, (Which.CATEGORIES, garden), {"up": True}),
        (own_lists.retire, (Which.CATEGORIES, garden), {}),
        (own_lists.restore, (Which.CATEGORIES, garden), {}),
    ):
        with pytest.raises(Forbidden):
            await _do(road, verb, *args, by=road.ana, **more)
    with pytest.raises(NotFound):
        await _do(road, own_lists.retire, Which.SECTORS, garden)  # it stands on another list
