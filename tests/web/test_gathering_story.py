"""One gathering from its plan to its next date: what was said before is what is settled after."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from ledger import Minutes
from tests.web.rooms import InTown
from tests.web.test_gatherings import found, planned, says
from tests.web.town import Town
from timebank.gatherings import Answer, State

EVENING = timedelta(days=1, hours=7)
"""From the tests' noon to the middle of the next evening."""


@pytest.mark.parametrize(
    ("rule", "jorge", "carla", "commons"),
    [("sponsored", 195, 120, -315), ("one_for_one", 75, -120, 45)],
)
async def test_from_the_plan_to_what_is_left(
    town: Town, rule: str, jorge: int, carla: int, commons: int
) -> None:
    id = await planned(town, day="2026-05-05", every="two_weeks", rule=rule)
    room = InTown(town, id)
    await town.post("Jorge", f"duties/{id}/offer", {"duty": "tea"})
    await says(town, id, "Carla")
    await says(town, id, "Dora", Answer.NO)
    before = (await town.get("Ana", f"gatherings/{id}")).text
    assert f"/attendance/{id}" not in before, "nobody is there yet"

    town.later += EVENING
    assert f"/attendance/{id}" in (await town.get("Ana", f"gatherings/{id}")).text
    assert f"/attendance/{id}" not in (await town.get("Jorge", f"gatherings/{id}")).text
    rows = {row.name: row for row in (await room.roll()).rows}
    expected = {name for name, row in rows.items() if row.expected}
    assert expected == {"Jorge Medina", town.people["Carla"].name}
    assert [duty.key for duty in rows["Jorge Medina"].duties] == ["tea"]
    came = [str(row.seat_id) for row in rows.values() if row.expected]
    await room.post("Ana", "attendance", await room.sheet() | {"came": came})
    assert f"/gatherings/{id}" in (await room.get("Ana", "attendance")).text

    town.later += timedelta(hours=3)
    assert "is still open" in (await town.get("Ana")).text
    assert "is still open" not in (await town.get("Jorge")).text
    await room.close_and_send()
    assert "is still open" not in (await town.get("Ana")).text
    assert f"/settlement/{id}" in (await town.get("Ana", f"gatherings/{id}")).text
    assert (await room.post("Stella", "settlement/approve")).status_code == 303
    assert (await found(town, id)).state is State.SETTLED
    # The tea is an hour and a quarter, as agreed; taking part is the whole two hours.
    assert await town.balance("Jorge") == Minutes(jorge)
    assert await town.balance("Carla") == Minutes(carla)
    assert await town.balance("the commons") == Minutes(commons)

    after = (await town.get("Jorge", f"gatherings/{id}")).text
    assert "2 came." in after
    assert f"/afterwards/{id}" in after
    left = (await room.get("Jorge", "afterwards")).text
    coming = re.search(r"Next time</strong> <a href=\"[^\"]*/gatherings/([0-9a-f-]{36})", left)
    assert coming
    assert "19 May" in (await town.get("Jorge", f"gatherings/{coming[1]}")).text


async def test_a_next_date_by_invitation_is_told_to_nobody_who_may_not_know(town: Town) -> None:
    id = await planned(town, day="2026-05-05", openness="invited")
    await planned(town, day="2026-05-12", openness="invited", title="Canary tea")
    town.later += EVENING
    left = await InTown(town, id).get("Ana", "afterwards")
    assert left.status_code == 200
    assert "Canary" not in left.text
    assert (await InTown(town, id).get("Jorge", "afterwards")).status_code == 404
