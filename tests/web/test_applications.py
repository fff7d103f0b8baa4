"""Applications: who waits, which of them are one person, and who decided about whom."""

from __future__ import annotations

import pytest

from tests.timebank.factories import a_member
from tests.web.town import Town
from timebank import members
from timebank.db import EVERYWHERE
from timebank.members import Member, Status


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    """SQLite alone: what these pages ask is tried on both databases in tests/timebank."""
    return town_on_sqlite


async def applies(town: Town, name: str, email: str) -> Member:
    async with town.db.write(EVERYWHERE) as conn:
        return await a_member(
            conn, town.community.id, name, email=email, status=Status.APPLIED, now=town.now
        )


async def test_one_person_who_asked_twice_becomes_one_application(town: Town) -> None:
    again = await applies(town, "mei  TAN", "mei.tan@m.example")
    await applies(town, "Rosa Diaz", "rosa@m.example")
    page = await town.get("Carla", "applications/")
    for said in ("Mei Tan", "Asked 2 times", "mei.tan@m.example", "Rosa Diaz"):
        assert said in page.text, said
    assert page.text.count('">Welcome</button>') == 2
    form = {"double": str(town.id("Mei"))}
    path = f"applications/{again.id}/same"
    assert (await town.post("Ana", path, form)).status_code == 403
    assert (await town.post("Carla", path, form)).status_code == 303
    assert (await town.post("Carla", path, form)).status_code == 422
    async with town.db.read(town.community.id) as conn:
        gone = await members.get(conn, town.community.id, town.id("Mei"))
    assert gone.status is Status.LEFT
    assert "Asked 2 times" not in (await town.get("Carla", "applications/")).text


async def test_everybody_who_coordinates_sees_who_welcomed_whom(town: Town) -> None:
    await town.post("Dora", f"members/{town.id('Mei')}/welcome", {})
    rosa = await applies(town, "Rosa Diaz", "rosa@m.example")
    await town.post("Carla", f"members/{rosa.id}/decline", {"words": "You live far away."})
    page = await town.get("Stella", "applications/")
    for said in ("welcomed by Dora Nagy", "turned down by Carla Reyes", "Nobody waits"):
        assert said in page.text, said
    assert (await town.get("Ana", "applications/")).status_code == 403
