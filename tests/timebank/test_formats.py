"""Formats: seven to begin with, in the community's language, and those it adds."""

from __future__ import annotations

import pytest

from ledger import Minutes
from tests.timebank.factories import a_community
from tests.timebank.gathering_scenes import Circle, a_circle
from timebank import formats
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.formats import FIRST_FORMATS, NewFormat
from timebank.gatherings import Rule
from timebank.roles import BuiltIn


async def test_a_community_begins_with_seven_and_adds_changes_and_retires_its_own(
    db: Database,
) -> None:
    circle: Circle = await a_circle(db)
    here = circle.place
    async with db.write(EVERYWHERE) as conn:
        calle = await a_community(conn, "calle", language="es")

    async def names(*, retired: bool = False) -> list[str]:
        async with db.read(circle.id) as conn:
            return [one.name for one in await formats.of(conn, circle.id, retired=retired)]

    assert len(await names()) == 7
    assert (await names())[0] == "Tea and talk"
    async with db.read(calle.id) as conn:
        assert (await formats.of(conn, calle.id))[0].name == "Té y charla"
    repair = NewFormat("Repair café", "Bring what is broken.", Minutes(180), Rule.NONE, False)
    with pytest.raises(Forbidden):
        await circle.do(formats.add, repair, by=here.ana)
    for wrong in (NewFormat(""), NewFormat("Tea and talk"), NewFormat("X", lasts=Minutes(1))):
        with pytest.raises(BadInput):
            await circle.do(formats.add, wrong, by=here.carla)
    id = await circle.do(formats.add, repair, by=here.carla)
    assert (await names())[-1] == "Repair café"
    changed = NewFormat("Repair café", "Mend it.", roles=((BuiltIn.TEA, 2), (BuiltIn.NOTES, 0)))
    await circle.do(formats.edit, id, changed, by=here.carla)
    async with db.read(circle.id) as conn:
        found = await formats.get(conn, circle.id, id)
        with pytest.raises(NotFound):
            await formats.get(conn, circle.id, calle.id)
    assert (found.about, found.roles, found.lasts) == ("Mend it.", (("tea", 2),), Minutes(120))
    await circle.do(formats.retire, id, True, by=here.carla)
    assert "Repair café" not in await names()
    assert (await names(retired=True))[-1] == "Repair café"
    await circle.do(formats.retire, id, False, by=here.carla)
    assert "Repair café" in await names()


def test_each_language_has_the_same_seven() -> None:
    shapes = {
        language: [(one.lasts, one.rule, one.roles) for one in found]
        for language, found in FIRST_FORMATS.items()
    }
    assert len(shapes["en"]) == 7
    assert shapes["es"] == shapes["en"]
