"""An invitation is a personal link: it works once, for a month, and raises nobody's role."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from ledger.sql import read
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import MillRoad, mill_road
from timebank import invitations, members, sessions
from timebank.db import EVERYWHERE, Database
from timebank.errors import (
    AlreadyMember,
    BadInput,
    Forbidden,
    LinkSpent,
    NotFound,
    TooManyTries,
    WeakPassword,
)
from timebank.members import Member, Role, Status
from timebank.moment import Moment
from timebank.outbox import outbox

PASSWORD = "our kettle sings at four"
SITE = "https://hours.example.org"


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _invite(
    road: MillRoad, by: Member, *, email: str = "", member_id: UUID | None = None
) -> str:
    async with road.db.write(road.id) as conn:
        link = await invitations.invite(
            conn,
            road.id,
            name="Noor",
            email=email,
            by=by.id,
            now=at(),
            base_url=SITE,
            member_id=member_id,
        )
    assert link.startswith(f"{SITE}/invitation/")
    return link.rpartition("/")[2]


async def _accept(
    road: MillRoad,
    token: str,
    *,
    email: str = "noor@example.org",
    password: str = PASSWORD,
    now: Moment | None = None,
) -> Any:
    return await invitations.accept(
        road.db,
        token,
        name="Noor Haddad",
        email=email,
        password=password,
        language="es",
        device="a phone",
        now=now or at(days=1),
    )


async def test_who_is_invited_is_active_at_once_and_signed_in(road: MillRoad) -> None:
    person, session, community = await _accept(road, await _invite(road, road.ana))
    async with road.db.read(road.id) as conn:
        member = await members.of_person(conn, road.id, person.id)
        assert await sessions.find(conn, session, now=at(days=1)) is not None
        assert member is not None
        profile = await members.profile(conn, road.id, member.id)
        assert member.account_id in await read.accounts(conn, road.id)
    assert community.id == road.id
    assert (member.name, member.role, member.status) == ("Noor Haddad", Role.MEMBER, Status.ACTIVE)
    assert (profile.invited_by, person.language) == ("Ana Lima", "es")


async def test_an_invitation_works_once_even_for_twenty_at_once(road: MillRoad) -> None:
    token = await _invite(road, road.ana)
    outcomes = await asyncio.gather(
        *(_accept(road, token, email=f"noor{number}@example.org") for number in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    with pytest.raises(LinkSpent):
        await _accept(road, token)


async def test_an_invitation_is_good_for_thirty_days(road: MillRoad) -> None:
    token = await _invite(road, road.ana)
    with pytest.raises(LinkSpent):
        await _accept(road, token, now=at(days=30))
    await _accept(road, token, now=at(days=29))


async def test_an_invitation_with_an_address_is_mailed_there(road: MillRoad) -> None:
    token = await _invite(road, road.ana, email="Noor@Example.org")
    async with road.db.read(road.id) as conn:
        (row,) = (await conn.execute(select(outbox))).all()
    assert (row.to_address, row.path) == ("noor@example.org", f"/invitation/{token}")


async def test_a_paused_member_invites_nobody(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        await members.pause(conn, road.id, road.ana.id, by=road.ana.id, now=at())
    with pytest.raises(Forbidden):
        await _invite(road, road.ana)


async def test_a_member_without_a_sign_in_gets_one(road: MillRoad) -> None:
    token = await _invite(road, road.carla, member_id=road.ines.id)
    person, _, _ = await _accept(road, token)
    async with road.db.read(road.id) as conn:
        member = await members.of_person(conn, road.id, person.id)
    assert member is not None
    assert (member.id, member.name) == (road.ines.id, "Inés García")
    with pytest.raises(AlreadyMember):
        await _invite(road, road.carla, member_id=road.ines.id)


async def test_only_coordinators_give_a_member_a_sign_in(road: MillRoad) -> None:
    with pytest.raises(Forbidden):
        await _invite(road, road.ana, member_id=road.ines.id)
    with pytest.raises(AlreadyMember):
        await _invite(road, road.carla, member_id=road.bert.id)


async def test_who_is_signed_in_follows_an_invitation_to_another_community(
    road: MillRoad,
) -> None:
    async with road.db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere")
        host = await a_member(conn, elsewhere.id, "Host")
        link = await invitations.invite(
            conn, elsewhere.id, name="Ana", email="", by=host.id, now=at(), base_url=SITE
        )
    assert road.ana.person_id is not None
    token = link.rpartition("/")[2]
    await invitations.accept_as(road.db, token, road.ana.person_id, now=at(days=1))
    async with road.db.read(EVERYWHERE) as conn:
        assert await members.of_person(conn, elsewhere.id, road.ana.person_id) is not None
        assert (await members.get(conn, road.id, road.ana.id)).role is Role.MEMBER


async def test_a_member_joins_once_and_the_link_stays_good(road: MillRoad) -> None:
    token = await _invite(road, road.carla)
    assert road.ana.person_id is not None
    with pytest.raises(AlreadyMember):
        await invitations.accept_as(road.db, token, road.ana.person_id, now=at(days=1))
    await _accept(road, token)


async def test_an_invitation_is_no_way_to_try_out_passwords(road: MillRoad) -> None:
    token = await _invite(road, road.ana)
    with pytest.raises(TooManyTries):
        for number in range(40):
            try:
                await _accept(road, token, email="bert@example.org", password=f"kettle {number} xx")
            except BadInput:
                continue


async def test_a_weak_password_leaves_the_link_usable(road: MillRoad) -> None:
    token = await _invite(road, road.ana)
    with pytest.raises(WeakPassword):
        await _accept(road, token, password="password1234")
    await _accept(road, token)


async def test_the_operators_link_makes_a_steward_and_no_other_does(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
        link = await invitations.invite_steward(conn, community.id, now=at(), base_url=SITE)
    person, _, _ = await invitations.accept(
        db,
        link.rpartition("/")[2],
        name="Stella",
        email="stella@example.org",
        password=PASSWORD,
        language="en",
        device="",
        now=at(minutes=1),
    )
    async with db.read(EVERYWHERE) as conn:
        member = await members.of_person(conn, community.id, person.id)
    assert member is not None
    assert member.role is Role.STEWARD


@pytest.mark.parametrize(("who", "may"), [("ana", True), ("carla", True), ("bert", False)])
async def test_an_invitation_is_taken_back_by_who_made_it_or_a_coordinator(
    road: MillRoad, who: str, may: bool
) -> None:
    token = await _invite(road, road.ana)
    async with road.db.read(road.id) as conn:
        (waiting,) = await invitations.waiting(conn, road.id, now=at())

    async def withdraw() -> None:
        async with road.db.write(road.id) as conn:
            await invitations.withdraw(
                conn, road.id, waiting.id, by=getattr(road, who).id, now=at()
            )

    if not may:
        with pytest.raises(NotFound):
            await withdraw()
        return
    await withdraw()
    with pytest.raises(LinkSpent):
        await _accept(road, token)
    async with road.db.read(road.id) as conn:
        assert await invitations.waiting(conn, road.id, now=at()) == []
