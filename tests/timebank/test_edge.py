"""The edge of the network: from where nobody comes, how many know somebody there, and never who.

Seen to turn red: counting those who are from there themselves; counting what was undone; showing
one or two as a number.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from ledger import Minutes
from tests.timebank.factories import a_member, at
from tests.timebank.gathering_scenes import EVENING, TEA, Circle, a_circle
from tests.timebank.scenes import helped
from timebank import edge, inviting
from timebank.communities import by_id
from timebank.db import Database
from timebank.edge import Gap, Place
from timebank.gatherings import Answer, seats
from timebank.members import Member, MemberKind


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


async def gaps(circle: Circle, id: UUID) -> dict[str, Gap]:
    """What the prompt says, by name."""
    async with circle.place.db.read(circle.id) as conn:
        here = await by_id(conn, circle.id)
        found = await edge.gaps(conn, here, await circle.get(id))
    return {gap.name: gap for gap in found}


async def counted(circle: Circle, *, days: int = 1) -> None:
    """A night passes."""
    await edge.recount(circle.place.db, now=at(days=days))


async def kept(circle: Circle, place: Place) -> int:
    """The largest number that is kept about places of a kind."""
    numbers = select(edge.edges.c.members).where(edge.edges.c.kind == place.value)
    async with circle.place.db.read(circle.id) as conn:
        return max(int(row.members) for row in await conn.execute(numbers))


async def test_it_says_how_many_know_somebody_there_and_small_numbers_are_some(
    circle: Circle,
) -> None:
    here = circle.place
    async with here.db.write(circle.id) as conn:
        homes = await a_member(conn, circle.id, "Canal Homes", kind=MemberKind.ORGANISATION)
        hal = await a_member(conn, circle.id, "Hal Ortiz", area="Canal Side")
        hana = await a_member(conn, circle.id, "Hana Kim")
        people = [await a_member(conn, circle.id, f"Neighbour {n}") for n in range(3)]
    for one in (hal, hana):
        await circle.belongs(one, homes, "housing")
    await circle.belongs(here.bert, here.library, "culture")
    id = await circle.plan()

    async def meets(one: Member, other: Member, day: date = date(2026, 5, 4)) -> None:
        entry = await here.record(helped(one, other, occurred_on=day), here.carla)
        await here.approve(entry)

    await counted(circle)
    assert (await gaps(circle, id))["housing"].know == 0
    await meets(people[0], hal)
    await meets(hal, hana)  # both are from there: nobody new
    await meets(people[1], hal, date(2025, 4, 1))  # too long ago
    undone = await here.record(helped(people[2], hana), here.carla)
    await here.approve(undone)
    await here.undo(await here.entry(undone.id))
    await counted(circle)  # counted today already
    assert (await gaps(circle, id))["housing"].know == 0
    await counted(circle, days=2)
    assert await kept(circle, Place.SECTOR) == 1
    found = await gaps(circle, id)
    assert found["housing"] == Gap(Place.SECTOR, found["housing"].id, "housing", None, False)
    assert found["Canal Homes"].know is None
    assert found["Canal Side"].know is None
    # In the room together: the others of an evening know her now, as far as they were there.
    before = await circle.plan(TEA, replace(EVENING, day=date(2026, 5, 5)), by=here.carla)
    for who in (hana, people[1], people[2], here.stella):
        await circle.says(before, who, by=here.carla)
    async with here.db.write(circle.id) as conn:
        there = seats.c.member_id.in_([hana.id, people[1].id, people[2].id])
        await conn.execute(update(seats).where(there).values(present=Minutes(90)))
    await counted(circle, days=3)
    found = await gaps(circle, id)
    assert found["housing"].know == 3
    assert found["Canal Homes"].know == 3
    assert found["Canal Side"].know is None  # Hal lives there, Hana does not say
    names = list(found)
    assert names[0] in ("housing", "Canal Homes")
    assert names.index("Canal Side") < names.index("The Library")


async def test_a_place_is_named_until_somebody_from_there_comes(circle: Circle) -> None:
    here = circle.place
    await circle.belongs(here.bert, here.library, "culture")
    id = await circle.plan()
    found = await gaps(circle, id)
    assert {"culture", "The Library"} <= set(found)
    assert not found["culture"].asked
    await circle.invites(id, here.ana, here.bert)
    found = await gaps(circle, id)
    assert found["culture"].asked
    assert found["The Library"].asked
    await circle.says(id, here.bert, Answer.NO)
    assert not (await gaps(circle, id))["culture"].asked
    await circle.do(inviting.organisation, id, here.library.id, by=here.ana)
    assert (await gaps(circle, id))["The Library"].asked
    await circle.says(id, here.bert, Answer.MAYBE)
    assert not {"culture", "The Library"} & set(await gaps(circle, id))


IDS = [UUID(int=number) for number in range(6)]
PLACES: list[edge.Key] = [(Place.AREA, "A"), (Place.AREA, "B"), (Place.SECTOR, "A")]
whences = st.dictionaries(st.sampled_from(IDS), st.frozensets(st.sampled_from(PLACES)))
meetings = st.lists(st.lists(st.sampled_from(IDS), unique=True, max_size=4), max_size=8)


@given(whences, meetings)
def test_counted_in_one_go_it_is_what_one_finds_asking_everybody(
    whence: dict[UUID, frozenset[edge.Key]], met: list[list[UUID]]
) -> None:
    counting = edge.Counting(whence)
    for ids in met:
        counting.met(ids)
    asked = {
        place: sum(_knows(one, place, whence, met) for one in whence if place not in whence[one])
        for place in PLACES
    }
    assert counting.numbers() == {place: number for place, number in asked.items() if number}
    backwards = edge.Counting(whence)
    for ids in reversed(met):
        backwards.met(ids[::-1])
    assert backwards.numbers() == counting.numbers()


def _knows(
    one: UUID, place: edge.Key, whence: dict[UUID, frozenset[edge.Key]], met: list[list[UUID]]
) -> bool:
    return any(
        one in ids and any(place in whence.get(other, ()) for other in ids if other != one)
        for ids in met
    )


def test_nothing_that_is_asked_or_kept_names_a_person() -> None:
    """Who reads cannot matter, because nothing here is told who that is."""
    assert set(edge.edges.c.keys()) == {"community_id", "kind", "place", "members", "counted_at"}
    assert set(Gap.__dataclass_fields__) == {"place", "id", "name", "know", "asked"}
    assert "by" not in edge.gaps.__code__.co_varnames
