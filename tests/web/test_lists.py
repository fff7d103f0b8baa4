"""Lists of our own, on pages for coordinators."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from tests.web.town import Town
from timebank import own_lists
from timebank.own_lists import Item, Which


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    """SQLite alone: what these pages ask is tried on both databases in tests/timebank."""
    return town_on_sqlite


async def items(town: Town, which: Which) -> list[Item]:
    async with town.db.read(town.community.id) as conn:
        return await own_lists.items(conn, town.community.id, which)


async def first(town: Town, which: Which) -> UUID:
    return (await items(town, which))[0].id


@pytest.mark.parametrize("which", list(Which))
async def test_each_list_has_its_page(town: Town, which: Which) -> None:
    page = await town.get("Carla", f"lists/{which}")
    for one in await items(town, which):
        assert one.name in page.text
    assert f"lists/{which}" in (await town.get("Carla", "lists/")).text
    assert (await town.get("Ana", f"lists/{which}")).status_code == 403


async def test_a_list_is_changed_and_forms_offer_what_is_on_it(town: Town) -> None:
    here = "lists/categories"
    assert (await town.post("Carla", here, {"name": "Bees"})).status_code == 303
    assert ">Bees</option>" in (await town.get("Ana", "entries/new")).text
    taken = await town.post("Carla", here, {"name": "bees"})
    assert taken.status_code == 422
    assert "on the list already" in taken.text
    bees = (await items(town, Which.CATEGORIES))[-1].id
    assert (await town.post("Carla", f"{here}/{bees}/move", {"up": "1"})).status_code == 303
    assert [one.name for one in await items(town, Which.CATEGORIES)][-2] == "Bees"
    renamed = await town.post("Carla", f"{here}/{bees}/rename", {"name": ""})
    assert renamed.status_code == 422
    assert re.search(r"<details open><summary>Bees", renamed.text), "it stays unfolded"
    assert (await town.post("Carla", f"{here}/{bees}/rename", {"name": "Honey"})).status_code == 303
    assert (await town.post("Carla", f"{here}/{bees}/retire", {})).status_code == 303
    assert "Honey" not in (await town.get("Ana", "listings/new")).text
    assert "Not offered any more" in (await town.get("Carla", here)).text
    assert (await town.post("Carla", f"{here}/{bees}/restore", {})).status_code == 303
    assert "Honey" in (await town.get("Ana", "listings/new")).text


async def test_what_is_no_list_or_stands_on_another_one_is_not_there(town: Town) -> None:
    assert (await town.get("Carla", "lists/money")).status_code == 404
    assert (await town.post("Carla", "lists/money", {"name": "x"})).status_code == 404
    sector = await first(town, Which.SECTORS)
    answer = await town.post("Carla", f"lists/categories/{sector}/retire", {})
    assert answer.status_code == 404
