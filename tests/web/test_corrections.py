"""Correcting an entry, undoing it, and disputing it, on its pages."""

from __future__ import annotations

from uuid import UUID

import pytest

from ledger import Minutes
from tests.web.town import Town, hidden
from timebank.entry import Kind, State


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    return town_on_sqlite


async def test_a_correction_begins_with_what_stands_there_and_shows_both_ways(town: Town) -> None:
    old = await town.record("Ana", "Bert", 120, note="The hedge")
    await town.approve(old)
    assert "Correct this entry" in (await town.get("Carla", f"entries/{old.id}")).text
    assert "Correct this entry" not in (await town.get("Ana", f"entries/{old.id}")).text
    page = await town.get("Carla", f"entries/{old.id}/correct")
    for kept in ('value="Ana Lima"', 'value="Bert Cole"', 'value="2:00"', "The hedge"):
        assert kept in page.text
    form = {
        "id": hidden(page, "id"),
        "side": "between",
        "giver-0": "Ana Lima",
        "receiver-0": "Bert Cole",
        "minutes": "1:00",
        "day": "2026-05-04",
        "kind": "help",
        "note": "The hedge",
    }
    missing = await town.post("Carla", f"entries/{old.id}/correct", form)
    assert missing.status_code == 422
    assert (await town.entry(old.id)).state is State.APPROVED
    done = await town.post("Carla", f"entries/{old.id}/correct", form | {"words": "An hour less."})
    assert done.status_code == 303
    again = await town.post("Carla", f"entries/{old.id}/correct", form | {"words": "An hour less."})
    assert again.status_code == 303  # a double click
    fresh = await town.get("Carla", f"entries/{form['id']}")
    assert "This corrects an earlier entry" in fresh.text
    assert (
        "See the entry that stands in its place"
        in (await town.get("Ana", f"entries/{old.id}")).text
    )
    assert await town.balance("Ana") == Minutes(0)
    assert len(await town.entries_of("Bert")) == 3


async def test_a_gift_is_corrected_as_the_gift_it_was(town: Town) -> None:
    gift = await town.record("Ana", "the commons", 60, kind=Kind.DONATION)
    page = await town.get("Carla", f"entries/{gift.id}/correct")
    form = {
        "id": hidden(page, "id"),
        "side": "between",
        "gift": "donation",
        "minutes": "0:30",
        "day": "2026-05-04",
        "words": "Half of it.",
    }
    await town.post("Carla", f"entries/{gift.id}/correct", form)
    fresh = await town.entry(UUID(form["id"]))
    assert [part.name for part in fresh.givers] == ["Ana Lima"]
    assert (await town.entry(gift.id)).state is State.DECLINED  # it had not been approved yet


async def test_both_sides_see_who_looks_into_a_dispute_and_talk_on_the_entry(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60)
    await town.approve(entry)
    path = f"entries/{entry.id}"
    page = await town.get("Jorge", path)
    assert "It should be undone" in page.text
    await town.post("Jorge", f"{path}/dispute", {"words": "I was away.", "wish": "undo"})
    page = await town.get("Ana", path)
    assert "Nobody looks into it yet" in page.text
    assert "Jorge Medina asked for it to be undone" in page.text
    assert "somebody says it is not right" in (await town.get("Ana", "statement")).text
    assert (await town.post("Jorge", f"{path}/take", {})).status_code == 403
    await town.post("Carla", f"{path}/take", {})
    for who in ("Ana", "Jorge", "Dora"):
        assert "Carla Reyes looks into it" in (await town.get(who, path)).text
    assert "You look into it" in (await town.get("Carla", path)).text
    assert "Take it over from Carla Reyes" in (await town.get("Dora", path)).text
    await town.post("Ana", f"{path}/answer", {"words": "It was Monday."})
    assert "It was Monday." in (await town.get("Jorge", path)).text
    await town.post("Carla", f"{path}/keep", {"words": "Both remember Monday."})
    page = await town.get("Jorge", path)
    assert "looks into it. Both" not in page.text
    assert "Both remember Monday." in page.text


async def test_an_undone_pair_is_struck_out_and_says_so_aloud(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60, note="A walk")
    await town.approve(entry)
    await town.post("Carla", f"entries/{entry.id}/undo", {"words": "Twice."})
    for who in ("Ana", "Jorge"):
        page = await town.get(who, "statement")
        assert page.text.count('class="visually-hidden">Undone: </span><s>') == 2
        assert page.text.count('<span class="t"><s>') == 2
        assert "0:00" in page.text
