"""People belong to organisations, to several at once, from one day to another."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.timebank.factories import a_member, at
from tests.timebank.scenes import DAY, MillRoad, mill_road
from timebank import affiliations, members, organisations, own_lists
from timebank.agreements import Terms
from timebank.db import Database
from timebank.errors import BadInput, Forbidden, NotFound, NotTakingPart, WrongState
from timebank.members import Member, MemberKind, Status
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.own_lists import Which


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _add(
    road: MillRoad,
    member: Member,
    by: Member,
    organisation: Member | None = None,
    since: date = DAY,
    now: Moment | None = None,
) -> UUID:
    async with road.db.write(road.id) as conn:
        return await affiliations.add(
            conn,
            road.id,
            member.id,
            organisation=organisation.id if organisation else None,
            role="volunteer",
            since=since,
            by=by.id,
            now=now or at(hours=1),
        )


async def _do(road: MillRoad, verb: Any, row: UUID, by: Member, now: Moment, **more: Any) -> None:
    async with road.db.write(road.id) as conn:
        await verb(conn, road.id, row, by=by.id, now=now, **more)


async def _hats(road: MillRoad, member: Member, on: date | None = None) -> list[str]:
    async with road.db.read(road.id) as conn:
        found = await affiliations.of_many(conn, road.id, [member.id], on=on)
    return [
        f"{hat.organisation or 'neighbour'}{'' if hat.confirmed else '?'}"
        for hat in found.get(member.id, [])
    ]


async def test_one_says_it_oneself_and_the_house_or_a_coordinator_makes_it_sure(
    road: MillRoad,
) -> None:
    for member, by, hat in (
        (road.ana, road.ana, "The Library?"),
        (road.dora, road.bert, "The Library"),  # who keeps the account
        (road.ines, road.carla, "The Library"),
    ):
        await _add(road, member, by, road.library)
        assert await _hats(road, member) == [hat]


async def test_whoever_keeps_the_account_is_asked_and_confirms_it_once(road: MillRoad) -> None:
    row = await _add(road, road.ana, road.ana, road.library)
    async with road.db.read(road.id) as conn:
        (mail,) = await conn.execute(select(outbox.c.to_address, outbox.c.path))
    assert mail.to_address == "bert@example.org"
    assert mail.path.endswith(f"/organisations/{road.library.id}")
    with pytest.raises(Forbidden):
        await _do(road, affiliations.confirm, row, road.ana, at(hours=2))
    await _do(road, affiliations.confirm, row, road.bert, at(hours=2))
    await _do(road, affiliations.confirm, row, road.carla, at(hours=3))
    assert await _hats(road, road.ana) == ["The Library"]


async def test_several_hats_at_once_and_a_neighbour_needs_nobodys_word(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        surgery = await a_member(conn, road.id, "The Surgery", kind=MemberKind.ORGANISATION)
    await _add(road, road.ana, road.ana)
    await _add(road, road.ana, road.carla, road.library, since=DAY - timedelta(days=9))
    await _add(road, road.ana, road.carla, surgery)
    assert (await _hats(road, road.ana))[0] == "The Library"  # the oldest
    assert set(await _hats(road, road.ana)) == {"The Library", "neighbour", "The Surgery"}
    with pytest.raises(BadInput):
        await _add(road, road.ana, road.ana)
    with pytest.raises(BadInput):
        await _add(road, road.ana, road.carla, surgery)


async def test_it_ends_with_a_day_and_stays_as_what_was(road: MillRoad) -> None:
    row = await _add(road, road.ana, road.carla, road.library, since=DAY - timedelta(days=30))
    last = DAY - timedelta(days=10)
    with pytest.raises(BadInput):
        await _do(road, affiliations.end, row, road.ana, at(), until=DAY - timedelta(days=31))
    await _do(road, affiliations.end, row, road.ana, at(), until=last)
    assert await _hats(road, road.ana, on=last) == ["The Library"]
    assert await _hats(road, road.ana, on=last + timedelta(days=1)) == []
    assert await _hats(road, road.ana) == ["The Library"]
    with pytest.raises(WrongState):
        await _do(road, affiliations.end, row, road.ana, at(), until=DAY)
    await _add(road, road.ana, road.carla, road.library)  # and may begin anew
    assert await _hats(road, road.ana, on=DAY) == ["The Library"]


async def test_a_mistake_is_taken_away_on_its_day_by_whoever_made_it(road: MillRoad) -> None:
    row = await _add(road, road.ana, road.bert, road.library)
    for by, now in ((road.carla, at(hours=2)), (road.bert, at(days=1))):
        with pytest.raises(Forbidden):
            await _do(road, affiliations.remove, row, by, now)
    await _do(road, affiliations.remove, row, road.bert, at(hours=2))
    assert await _hats(road, road.ana) == []
    with pytest.raises(NotFound):
        await _do(road, affiliations.remove, row, road.bert, at(hours=2))


async def test_nobody_says_it_of_somebody_else_but_a_buddy_does(road: MillRoad) -> None:
    with pytest.raises(Forbidden):
        await _add(road, road.dora, road.ana, road.library)
    await _add(road, road.ines, road.ana, road.library)
    assert await _hats(road, road.ines) == ["The Library?"]


async def test_what_cannot_be_is_refused(road: MillRoad) -> None:
    with pytest.raises(BadInput):
        await _add(road, road.ana, road.ana, since=DAY + timedelta(days=1))
    with pytest.raises(NotFound):
        await _add(road, road.ana, road.ana, road.bert)  # a person is no organisation
    with pytest.raises(NotTakingPart):
        await _add(road, road.library, road.bert)  # nor is an organisation a neighbour
    async with road.db.write(road.id) as conn:
        gone = await a_member(
            conn, road.id, "Gone", kind=MemberKind.ORGANISATION, status=Status.PAUSED
        )
    with pytest.raises(NotTakingPart):
        await _add(road, road.ana, road.carla, gone)


async def test_an_organisation_knows_who_belongs_to_it_today(road: MillRoad) -> None:
    arts = (await _sectors(road))["Arts and culture"]
    async with road.db.write(road.id) as conn:
        await organisations.edit(
            conn,
            road.id,
            road.library.id,
            name="The Library",
            sector=arts,
            area="Mill Road",
            about="Books and warmth.",
            contact="Elena at the desk",
            by=road.bert.id,
            now=at(),
        )
    await _add(road, road.dora, road.carla, road.library)
    await _add(road, road.ana, road.ana, road.library)
    async with road.db.read(road.id) as conn:
        people = await affiliations.people_of(conn, road.id, road.library.id, on=DAY)
        assert [(one.member.name, one.role, one.confirmed) for one in people] == [
            ("Ana Lima", "volunteer", False),
            ("Dora Winter", "volunteer", True),
        ]
        (house,) = await organisations.page(conn, road.id, sector=arts, area="Mill Road")
        assert (house.member.name, house.sector, house.contact) == (
            "The Library",
            "Arts and culture",
            "Elena at the desk",
        )
        assert await organisations.page(conn, road.id, area="Elsewhere") == []
        assert await organisations.areas(conn, road.id) == ["Mill Road"]


async def test_an_organisation_is_changed_by_who_keeps_it_and_with_sectors_that_are_there(
    road: MillRoad,
) -> None:
    async def edit(by: Member, sector: UUID | None) -> None:
        async with road.db.write(road.id) as conn:
            await organisations.edit(
                conn,
                road.id,
                road.library.id,
                name="The Library",
                sector=sector,
                area="",
                about="",
                contact="",
                by=by.id,
                now=at(),
            )

    known = await _sectors(road)
    with pytest.raises(Forbidden):
        await edit(road.ana, known["Health"])
    with pytest.raises(NotFound):
        await edit(road.bert, at().new_id())
    await edit(road.bert, known["Health"])
    async with road.db.write(road.id) as conn:
        for name in ("Health", "Faith"):
            await own_lists.retire(
                conn, road.id, Which.SECTORS, known[name], by=road.carla.id, now=at()
            )
    await edit(road.bert, known["Health"])  # what was retired may stay
    with pytest.raises(NotFound):
        await edit(road.bert, known["Faith"])


async def test_a_coordinator_adds_an_organisation_with_all_that_is_known_of_it(
    road: MillRoad,
) -> None:
    health = (await _sectors(road))["Health"]
    async with road.db.write(road.id) as conn:
        new = await organisations.add(
            conn,
            road.id,
            name="The Surgery",
            sector=health,
            area="Station Quarter",
            about="Two doctors.",
            contact="Priya",
            by=road.carla.id,
            now=at(),
        )
        profile = await members.profile(conn, road.id, new.id)
    assert (profile.sector, profile.about, profile.contact, profile.member.area) == (
        "Health",
        "Two doctors.",
        "Priya",
        "Station Quarter",
    )
    with pytest.raises(Forbidden):
        async with road.db.write(road.id) as conn:
            await organisations.add(conn, road.id, name="Mine", by=road.ana.id, now=at())


async def test_what_nobody_confirmed_for_a_week_waits_for_a_coordinator(road: MillRoad) -> None:
    row = await _add(road, road.ana, road.ana, road.library)

    async def waiting(now: Moment) -> list[UUID]:
        async with road.db.read(road.id) as conn:
            query = affiliations.waits(road.id, terms=Terms(), now=now)
            return [found.id for found in await conn.execute(query)]

    assert await waiting(at(days=6)) == []
    assert await waiting(at(days=8)) == [row]
    await _do(road, affiliations.confirm, row, road.carla, at(days=8))
    assert await waiting(at(days=8)) == []


async def _sectors(road: MillRoad) -> dict[str, UUID]:
    async with road.db.read(road.id) as conn:
        return {one.name: one.id for one in await own_lists.items(conn, road.id, Which.SECTORS)}
