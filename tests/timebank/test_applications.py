"""Several applications of one person become one; and everybody can see who welcomed whom."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.timebank.factories import START, at
from tests.timebank.scenes import MillRoad, mill_road
from timebank import applicants, applications, members
from timebank.applicants import Application
from timebank.db import EVERYWHERE, Database
from timebank.errors import Forbidden, NotFound, WrongState
from timebank.members import Member, MemberKind, Role, Status
from timebank.people import people

PLACE = UUID(int=1)


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _apply(road: MillRoad, name: str, email: str, days: int = 0) -> None:
    async with road.db.write(EVERYWHERE) as conn:
        await applications.apply(
            conn,
            road.id,
            name=name,
            email=email,
            about=f"I am {name}",
            language="en",
            network=email,
            now=at(days=days),
        )


async def _waiting(road: MillRoad) -> list[list[str]]:
    async with road.db.read(road.id) as conn:
        found = await applicants.waiting(conn, road.id)
    return [[one.email for one in some] for some in found]


async def test_who_asks_again_with_another_address_is_shown_once_and_becomes_one(
    road: MillRoad,
) -> None:
    await _apply(road, "Noor Said", "noor@example.org")
    await _apply(road, "Tom", "tom@example.org", 1)
    await _apply(road, "noor  SAID", "n.said@example.org", 2)
    await _apply(road, "N.", "noor+again@example.org", 3)
    mine = ["noor@example.org", "n.said@example.org", "noor+again@example.org"]
    assert await _waiting(road) == [mine, ["tom@example.org"]]
    async with road.db.read(road.id) as conn:
        first, second, third = (await applicants.waiting(conn, road.id))[0]
    with pytest.raises(Forbidden):
        await _same(road, third, first, second, by=road.ana)
    await _same(road, third, first, second, third, by=road.carla)
    assert await _waiting(road) == [["tom@example.org"], ["noor+again@example.org"]]
    async with road.db.read(EVERYWHERE) as conn:
        left = (await conn.execute(select(people.c.email))).scalars().all()
        assert not {"noor@example.org", "n.said@example.org"} & set(left)
        gone = await members.get(conn, road.id, first.member.id)
        assert gone.name.startswith("Former member ")
    with pytest.raises(WrongState):
        await _same(road, third, first, by=road.carla)
    async with road.db.write(road.id) as conn:
        await applications.welcome(conn, road.id, third.member.id, by=road.dora.id, now=at(days=4))
    with pytest.raises(WrongState):
        await _same(road, third, first, by=road.carla)


async def _same(road: MillRoad, kept: Application, *others: Application, by: Member) -> None:
    async with road.db.write(EVERYWHERE) as conn:
        await applications.same_person(
            conn,
            road.id,
            kept.member.id,
            [one.member.id for one in others],
            by=by.id,
            now=at(days=4),
        )


async def test_members_are_not_folded_away(road: MillRoad) -> None:
    await _apply(road, "Ana Lima", "ana2@example.org")
    async with road.db.read(road.id) as conn:
        ((one,),) = await applicants.waiting(conn, road.id)
    with pytest.raises(WrongState):
        async with road.db.write(EVERYWHERE) as conn:
            await applications.same_person(
                conn, road.id, one.member.id, [road.ana.id], by=road.carla.id, now=at()
            )
    with pytest.raises(NotFound):
        async with road.db.write(EVERYWHERE) as conn:
            await applications.same_person(
                conn, road.id, one.member.id, [at().new_id()], by=road.carla.id, now=at()
            )


async def test_who_welcomed_whom_and_who_turned_whom_down_is_known(road: MillRoad) -> None:
    await _apply(road, "Noor", "noor@example.org")
    await _apply(road, "Tom", "tom@example.org", 1)
    async with road.db.read(road.id) as conn:
        (noor,), (tom,) = await applicants.waiting(conn, road.id)
    async with road.db.write(road.id) as conn:
        await applications.welcome(conn, road.id, noor.member.id, by=road.dora.id, now=at(days=2))
        await applications.refuse(
            conn, road.id, tom.member.id, reason="Too far.", by=road.carla.id, now=at(days=3)
        )
        found = await applications.decided(conn, road.id, limit=2)
    assert [(one.member.name, one.welcomed, one.by) for one in found] == [
        ("Tom", False, "Carla Rossi"),
        ("Noor", True, "Dora Winter"),
    ]


async def test_who_was_turned_down_may_ask_again(road: MillRoad) -> None:
    await _apply(road, "Tom", "tom@example.org")
    async with road.db.read(road.id) as conn:
        ((tom,),) = await applicants.waiting(conn, road.id)
    async with road.db.write(road.id) as conn:
        await applications.refuse(
            conn, road.id, tom.member.id, reason="Not now.", by=road.carla.id, now=at(days=1)
        )
    await _apply(road, "Thomas", "tom@example.org", 20)
    async with road.db.read(road.id) as conn:
        ((again,),) = await applicants.waiting(conn, road.id)
    assert (again.member.id, again.member.name, again.about) == (
        tom.member.id,
        "Thomas",
        "I am Thomas",
    )
    async with road.db.write(road.id) as conn:
        await applications.welcome(conn, road.id, again.member.id, by=road.dora.id, now=at(days=21))
        await members.leave(conn, road.id, again.member.id, by=again.member.id, now=at(days=22))
    await _apply(road, "Tom", "tom@example.org", 30)  # a member who left is known already
    assert await _waiting(road) == []


def _application(number: int, name: str, email: str) -> Application:
    member = Member(
        PLACE,
        UUID(int=number),
        MemberKind.PERSON,
        None,
        name,
        "",
        Role.MEMBER,
        Status.APPLIED,
    )
    return Application(member, email, "", START + timedelta(days=number))


names = st.sampled_from(["Ana", "ANA ", "Bert", "Bért", "Cleo"])
emails = st.sampled_from(["", "a@x.org", "A+1@x.org", "a.@x.org", "b@x.org", "b@y.org"])


@given(st.lists(st.tuples(names, emails), max_size=7), st.randoms())
def test_folding_loses_nobody_and_does_not_depend_on_the_order(
    asked: list[tuple[str, str]], dice: object
) -> None:
    everybody = [_application(n, name, email) for n, (name, email) in enumerate(asked)]
    folded = applicants.folded(everybody)
    assert sorted(one.member.id for some in folded for one in some) == [
        one.member.id for one in everybody
    ]
    shuffled = list(everybody)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert applicants.folded(shuffled) == folded
