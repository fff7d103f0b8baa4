"""Where somebody belongs: said, confirmed, ended, and taken away when it was a mistake."""

from __future__ import annotations

import pytest

from tests.web.town import Town
from timebank import affiliations
from timebank.affiliations import Hat


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    """SQLite alone: what these pages ask is tried on both databases in tests/timebank."""
    return town_on_sqlite


async def hats(town: Town, name: str) -> list[Hat]:
    async with town.db.read(town.community.id) as conn:
        return await affiliations.of(conn, town.community.id, town.id(name))


async def test_somebody_wears_several_hats(town: Town) -> None:
    path = f"affiliations/{town.id('Ana')}"
    library = str(town.id("the library"))
    for form in ({"organisation": ""}, {"organisation": library, "role": "volunteer"}):
        assert (await town.post("Ana", path, form)).status_code == 303
    profile = await town.get("Jorge", f"members/{town.id('Ana')}")
    for said in ("here as a neighbour", "volunteer, <a", "(not confirmed yet)"):
        assert said in profile.text, said
    again = await town.post("Ana", path, {"organisation": library})
    assert again.status_code == 422
    assert "stands there already" in again.text
    assert (await town.post("Jorge", path, {"organisation": library})).status_code == 403


async def test_it_is_confirmed_ended_and_stays_readable(town: Town) -> None:
    path = f"affiliations/{town.id('Ana')}"
    form = {"organisation": str(town.id("the library")), "since": "2026-01-01"}
    await town.post("Ana", path, form)
    (hat,) = await hats(town, "Ana")
    assert (await town.post("Ana", f"{path}/{hat.id}/confirm", {})).status_code == 403
    assert "Yes, that is so" in (await town.get("Carla", path)).text
    assert (await town.post("Carla", f"{path}/{hat.id}/confirm", {})).status_code == 303
    early = await town.post("Ana", f"{path}/{hat.id}/end", {"until": "2025-12-31"})
    assert early.status_code == 422
    assert (
        await town.post("Ana", f"{path}/{hat.id}/end", {"until": "2026-03-31"})
    ).status_code == 303
    page = await town.get("Jorge", path)
    assert "What was before" in page.text
    assert "Mill Road Library" in page.text


async def test_a_mistake_of_today_is_taken_away_by_who_made_it(town: Town) -> None:
    path = f"affiliations/{town.id('Bert')}"
    await town.post("Carla", path, {"organisation": str(town.id("the library"))})
    (hat,) = await hats(town, "Bert")
    assert (await town.post("Dora", f"{path}/{hat.id}/remove", {})).status_code == 403
    assert "That was a mistake" in (await town.get("Carla", path)).text
    assert (await town.post("Carla", f"{path}/{hat.id}/remove", {})).status_code == 303
    assert await hats(town, "Bert") == []
    # A hat belongs to whose page it is on.
    await town.post("Carla", path, {"organisation": ""})
    (hat,) = await hats(town, "Bert")
    wrong = f"affiliations/{town.id('Ana')}/{hat.id}/remove"
    assert (await town.post("Carla", wrong, {})).status_code == 404
