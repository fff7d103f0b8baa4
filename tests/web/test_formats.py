"""Formats on their page: read by all, written by coordinators."""

from __future__ import annotations

import re

import pytest

from tests.web.town import Town

# What these pages say is no matter of the database; what is beneath them runs on both.
pytestmark = pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)


async def test_a_coordinator_adds_changes_and_puts_away_a_format(town: Town) -> None:
    page = await town.get("Ana", "formats/")
    assert "Reflective practice circle" in page.text
    assert "Put away" not in page.text
    sheet = {
        "name": "Repair café",
        "about": "Bring what is broken.",
        "lasts": "3:00",
        "rule": "none",
        "role-tea": "2",
    }
    assert (await town.post("Ana", "formats/", sheet)).status_code == 403
    assert (await town.post("Carla", "formats/", sheet)).status_code == 303
    twice = await town.post("Carla", "formats/", sheet)
    assert twice.status_code == 422
    assert "There is one of this name already." in twice.text
    page = await town.get("Carla", "formats/")
    id = re.search(r"formats/([0-9a-f-]{36})/edit\" aria-label=\"Change Repair café", page.text)
    assert id
    assert "Tea and cake × 2" in page.text
    edit = await town.get("Carla", f"formats/{id[1]}/edit")
    assert 'name="role-tea" value="2"' in edit.text
    changed = sheet | {"lasts": "2:30"}
    assert (await town.post("Carla", f"formats/{id[1]}/edit", changed)).status_code == 303
    assert 'value="2:30"' in (await town.get("Ana", "gatherings/new", format=id[1])).text
    await town.post("Carla", f"formats/{id[1]}/retire", {})
    assert "Repair café" not in (await town.get("Ana", "formats/")).text
    assert "Offer Repair café again" in (await town.get("Carla", "formats/")).text
    await town.post("Carla", f"formats/{id[1]}/retire", {"back": "1"})
    assert "Repair café" in (await town.get("Ana", "gatherings/new")).text
