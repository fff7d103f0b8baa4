"""Roles on the page: I will, would you, yes please, and I cannot after all."""

from __future__ import annotations

import pytest

from tests.web.test_gatherings import found, planned
from tests.web.town import Town

# What these pages say is no matter of the database; what is beneath them runs on both.
pytestmark = pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)


async def test_empty_roles_are_seen_offered_asked_for_and_freed(town: Town) -> None:
    id = await planned(town, **{"role-host": "1"})
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "I will: Tea and cake" in page.text
    assert "Ask somebody" not in page.text
    await town.post("Jorge", f"duties/{id}/offer", {"duty": "tea"})
    taken = await town.post("Dora", f"duties/{id}/offer", {"duty": "tea"})
    assert taken.status_code == 422
    assert "Somebody was quicker, and does this already: Tea and cake." in taken.text
    assert "I will: Tea and cake" not in (await town.get("Dora", f"gatherings/{id}")).text
    seat = (await found(town, id)).seat_of(town.id("Jorge"))
    assert seat is not None
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "You come." in page.text
    assert "I cannot do this after all: Tea and cake" in page.text
    await town.post("Jorge", f"duties/{id}/release", {"duty": "tea", "seat": str(seat.id)})
    assert [role.key for role in (await found(town, id)).needed] == ["host", "tea", "facilitate"]


async def test_an_organiser_asks_by_name_and_reads_the_answer(town: Town) -> None:
    id = await planned(town)
    nobody = await town.post("Ana", f"duties/{id}/ask", {"duty": "tea", "who": "Zebedee"})
    assert nobody.status_code == 422
    assert "Nobody here is called “Zebedee”" in nobody.text
    asked = {"duty": "tea", "who": "Jorge", "words": "Your cake!"}
    assert (await town.post("Ana", f"duties/{id}/ask", asked)).status_code == 303
    assert "Jorge Medina is asked" in (await town.get("Ana", f"gatherings/{id}")).text
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "You are asked whether you would do this: Tea and cake" in page.text
    seat = (await found(town, id)).seat_of(town.id("Jorge"))
    assert seat is not None
    reply = {"duty": "tea", "seat": str(seat.id), "agrees": "no"}
    await town.post("Jorge", f"duties/{id}/reply", reply)
    assert "Jorge Medina cannot this time" in (await town.get("Ana", f"gatherings/{id}")).text
    late = await town.post("Jorge", f"duties/{id}/reply", reply | {"agrees": "yes"})
    assert late.status_code == 422


async def test_an_offer_to_host_is_taken_up_and_makes_an_organiser(town: Town) -> None:
    id = await planned(town, **{"role-host": "1"})
    await town.post("Jorge", f"duties/{id}/offer", {"duty": "host"})
    assert "For those who organise it" not in (await town.get("Jorge", f"gatherings/{id}")).text
    page = await town.get("Ana", f"gatherings/{id}")
    assert "Yes please, Jorge Medina: organise it with us" in page.text
    seat = (await found(town, id)).seat_of(town.id("Jorge"))
    assert seat is not None
    await town.post("Ana", f"duties/{id}/take-up", {"duty": "host", "seat": str(seat.id)})
    assert "For those who organise it" in (await town.get("Jorge", f"gatherings/{id}")).text
