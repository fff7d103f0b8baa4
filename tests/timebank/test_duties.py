"""Roles: offered or asked for, carried by as many as it takes, and free again when somebody leaves.

Seen to turn red: an offer to host making an organiser; two people in a role for one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.timebank.factories import at
from tests.timebank.gathering_scenes import EVENING, TEA, Circle, a_circle
from timebank import duties, planning, policy
from timebank.db import Database
from timebank.errors import BadInput, Forbidden, NotFound, NotTakingPart, RoleTaken, WrongState
from timebank.gatherings import Answer, DutyState

LED = replace(TEA, roles=(("tea", 1), ("host", 1), ("facilitate", 1)))


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


async def test_whoever_offers_a_role_comes_and_leaving_frees_it(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(replace(LED, capacity=1))
    await circle.says(id, here.stella)
    await circle.says(id, here.dora)  # waits
    seat = await circle.offers(id, here.bert, "tea")  # the tea is needed, so there is room
    assert seat.comes
    with pytest.raises(RoleTaken):
        await circle.offers(id, here.dora, "tea")
    for key in ("take_part", "unheard_of"):
        with pytest.raises(BadInput):
            await circle.offers(id, here.dora, key)
    found = await circle.get(id)
    assert [role.key for role in found.needed] == ["host", "facilitate"]
    assert found.seat_of(here.dora.id).waiting  # type: ignore[union-attr]
    # Once he gives the tea back there is no room for him any more: he waits like the others.
    await circle.do(duties.release, id, "tea", seat.id, by=here.bert)
    found = await circle.get(id)
    assert found.seat_of(here.bert.id).waiting  # type: ignore[union-attr]
    assert await circle.to("ana") == ["Somebody is missing: Tea and cake, Tea and talk"]
    await circle.offers(id, here.bert, "tea")
    await circle.says(id, here.bert, Answer.NO, words="Flu")
    found = await circle.get(id)
    assert found.carriers("tea") == ()
    assert len(await circle.to("ana")) == 2
    # Who acts for somebody offers for them.
    await circle.do(duties.offer, id, "tea", member=here.ines.id, by=here.ana)
    assert [one.name for one in (await circle.get(id)).carriers("tea")] == ["Inés García"]


async def test_of_two_who_offer_the_same_role_at_once_one_has_it(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(LED)
    people = (here.ana, here.bert, here.carla, here.dora, here.stella)
    done = await asyncio.gather(
        *(circle.offers(id, who, "tea") for who in people), return_exceptions=True
    )
    assert sum(isinstance(one, RoleTaken) for one in done) == len(people) - 1
    assert len((await circle.get(id)).carriers("tea")) == 1


async def test_people_are_asked_and_the_first_yes_has_it(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(LED)
    with pytest.raises(Forbidden):
        await circle.do(duties.ask, id, "tea", here.dora.id, by=here.bert)
    with pytest.raises(NotTakingPart):
        await circle.do(duties.ask, id, "tea", here.library.id, by=here.ana)
    for who in (here.bert, here.dora, here.ines):
        await circle.do(duties.ask, id, "tea", who.id, "Yours was so good!", by=here.carla)
    with pytest.raises(WrongState):
        await circle.do(duties.ask, id, "tea", here.bert.id, by=here.ana)
    found = await circle.get(id)
    assert await circle.to("bert") == ["Carla Rossi asks you: Tea and cake, Tea and talk"]
    assert found.needed[0].key == "host"
    seats = {seat.member_id: seat.id for seat in found.seats}
    with pytest.raises(Forbidden):
        await circle.do(duties.reply, id, "tea", seats[here.dora.id], agrees=False, by=here.bert)
    await circle.do(duties.reply, id, "tea", seats[here.bert.id], agrees=False, by=here.bert)
    await circle.do(duties.reply, id, "tea", seats[here.ines.id], agrees=True, by=here.ana)
    with pytest.raises(RoleTaken):
        await circle.do(duties.reply, id, "tea", seats[here.dora.id], agrees=True, by=here.dora)
    found = await circle.get(id)
    duty = found.duty("tea", seats[here.ines.id])
    assert duty is not None
    assert duty.state is DutyState.AGREED
    assert found.seat_of(here.ines.id).comes  # type: ignore[union-attr]
    assert found.seat_of(here.bert.id).answer is Answer.ASKED  # type: ignore[union-attr]
    assert sorted(await circle.to("carla")) == [
        "Bert Okoro cannot: Tea and cake, Tea and talk",
        "Inés García said yes: Tea and cake, Tea and talk",
    ]
    await circle.do(duties.release, id, "tea", seats[here.ines.id], by=here.carla)
    assert "You need not do this: Tea and cake, Tea and talk" in await circle.to("ana")
    with pytest.raises(NotFound):
        await circle.do(duties.release, id, "tea", seats[here.ines.id], by=here.carla)


async def test_offering_to_lead_makes_an_organiser_only_once_one_agrees(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(LED, by=here.carla)
    seat = await circle.offers(id, here.bert, "host")
    found = await circle.get(id)
    assert not policy.may_organise(here.bert, found)
    for by in (here.bert, here.ana):
        with pytest.raises(Forbidden):
            await circle.do(duties.take_up, id, "host", seat.id, by=by)
    await circle.do(duties.take_up, id, "host", seat.id, by=here.carla)
    assert policy.may_organise(here.bert, await circle.get(id))
    assert await circle.to("bert") == ["Yes please: Host, Tea and talk"]
    await circle.do(planning.edit, id, LED, EVENING, by=here.bert, now=at(hours=1))
    with pytest.raises(WrongState):
        await circle.do(duties.take_up, id, "host", seat.id, by=here.carla)
    # Making the tea is much, and still no office.
    await circle.do(duties.ask, id, "tea", here.ana.id, by=here.bert)
    own = (await circle.get(id)).seat_of(here.ana.id)
    assert own is not None
    await circle.do(duties.reply, id, "tea", own.id, agrees=True, by=here.ana)
    assert not policy.may_organise(here.ana, await circle.get(id))
