"""What people wait for, in the inbox: an answer, a welcome, a second look, a word that they stay.

Seen to turn red: a request that is put aside and stays; a coordinator who reads what is kept about
themselves; a word about a request that outlives who asked for it; a check as old as its last look;
a newcomer who is done with because somebody else is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from tests.timebank.factories import a_member, at
from tests.timebank.inbox_rows import person_of
from tests.timebank.scenes import DAY, MillRoad, counted, mill_road
from timebank import (
    affiliations,
    checks,
    inbox,
    keeping_apart,
    listing_steps,
    my_data,
    own_lists,
    welcoming,
)
from timebank.checks import Standing
from timebank.db import EVERYWHERE, Database
from timebank.inbox import Act, Row, Thing, Why, aside, in_hand
from timebank.inbox.of_care import DueChecks, Newcomer, Unconfirmed
from timebank.inbox.of_listings import Unanswered
from timebank.listing_steps import NewListing
from timebank.listings import ListingKind
from timebank.members import Member
from timebank.moment import Moment
from timebank.own_lists import Which
from timebank.stays import stays

LIFT = NewListing(ListingKind.REQUEST, "A lift to the eye clinic", area="Mill Road")


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _do(road: MillRoad, verb: Any, *args: Any, by: Member, **more: Any) -> Any:
    async with road.db.write(road.id) as conn:
        return await verb(conn, road.id, *args, by=by.id, **({"now": at(hours=1)} | more))


async def _look(
    road: MillRoad, why: Why, now: Moment, by: Member | None = None, **asked: Any
) -> dict[UUID, Row]:
    async with road.db.read(road.id) as conn:
        found = await inbox.page(conn, road.id, by=(by or road.carla).id, why=why, now=now, **asked)
    return {row.id: row for row in found.rows}


async def _aside(road: MillRoad, why: Why, id: UUID, now: Moment, words: str = "") -> None:
    until = now.at + timedelta(days=10)
    await _do(road, aside.put, [Thing(why, id)], until=until, words=words, by=road.carla, now=now)


async def _check(road: MillRoad, member: Member, again: int, by: Member) -> None:
    async with road.db.read(road.id) as conn:
        kind = (await own_lists.items(conn, road.id, Which.CHECKS))[0].id
    await _do(
        road,
        checks.note,
        member.id,
        kind=kind,
        standing=Standing.IN_ORDER,
        checked_on=DAY,
        again_on=DAY + timedelta(days=again),
        by=by,
    )


async def _ask(road: MillRoad, member: Member, asked: int | None, by: Member | None) -> None:
    """A question whether they stay: found on the first day, and asked so many days later."""
    async with road.db.write(road.id) as conn:
        await conn.execute(
            insert(stays).values(
                community_id=road.id,
                id=at().new_id(),
                member_id=member.id,
                found_at=at().at,
                asked_at=None if asked is None else at(days=asked).at,
                asked_by=by.id if by else None,
            )
        )


async def test_a_request_nobody_answered_is_here_until_somebody_does(road: MillRoad) -> None:
    id = await _do(road, listing_steps.write, road.ana.id, LIFT, by=road.ana, now=at())
    assert await _look(road, Why.REQUEST, at(days=6)) == {}
    (row,) = (await _look(road, Why.REQUEST, at(days=8))).values()
    assert isinstance(row.thing, Unanswered)
    assert (row.id, row.since, row.thing.listing.title) == (id, at().at, LIFT.title)
    assert row.acts == {Act.TAKE, Act.PUT_ASIDE}
    for words, found in (("eye clinic", [id]), ("ANA", [id]), ("soup", [])):
        assert list(await _look(road, Why.REQUEST, at(days=8), search=words)) == found
    await _aside(road, Why.REQUEST, id, at(days=8), "Bert may drive her.")
    assert await _look(road, Why.REQUEST, at(days=9)) == {}
    again = (await _look(road, Why.REQUEST, at(days=19)))[id]
    assert again.aside is not None
    assert (again.aside.name, again.aside.words) == ("Carla Rossi", "Bert may drive her.")
    await _do(road, listing_steps.answer, id, "I can.", by=road.bert, now=at(days=19))
    assert await _look(road, Why.REQUEST, at(days=19)) == {}


async def test_what_was_said_about_a_request_is_its_members_and_goes_with_them(
    road: MillRoad,
) -> None:
    id = await _do(road, listing_steps.write, road.ana.id, LIFT, by=road.ana, now=at())
    await _aside(road, Why.REQUEST, id, at(days=8), "She cannot see well.")
    async with road.db.read(road.id) as conn:
        about = select(aside.put_aside.c.words).where(aside.concerns(road.id, road.ana.id))
        assert (await conn.execute(about)).scalars().all() == ["She cannot see well."]
        others = select(aside.put_aside.c.words).where(aside.concerns(road.id, road.bert.id))
        assert (await conn.execute(others)).scalars().all() == []
    async with road.db.write(EVERYWHERE) as conn:
        await my_data.close(conn, road.id, road.ana.id, by=road.ana.id, now=at(days=9))
    async with road.db.read(road.id) as conn:
        assert (await conn.execute(select(aside.put_aside.c.words))).scalars().all() == [""]


async def test_a_newcomer_is_here_with_what_is_still_to_be_done(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        noor = await a_member(conn, road.id, "Noor", now=at(days=1))
        steps = await welcoming.of(conn, road.id, noor.id)
    first = [steps[0].step_id]
    await _do(road, welcoming.tick, noor.id, first, by=road.dora, now=at(days=2))
    assert noor.id not in await _look(road, Why.NEWCOMER, at(days=14))
    row = (await _look(road, Why.NEWCOMER, at(days=15)))[noor.id]
    assert isinstance(row.thing, Newcomer)
    assert row.thing.missing == tuple(step.name for step in steps[1:])
    assert row.thing.last is not None
    assert (row.thing.last.name, row.thing.last.at) == ("Dora Winter", at(days=2).at)
    assert row.thing.cares
    await _do(road, welcoming.tick_all, [road.ana.id], by=road.carla, now=at(days=15))
    others = await _look(road, Why.NEWCOMER, at(days=15))
    assert noor.id in others  # what is done with Ana is not done with Noor
    assert road.ana.id not in others
    await _aside(road, Why.NEWCOMER, noor.id, at(days=15))
    assert noor.id not in await _look(road, Why.NEWCOMER, at(days=16))
    await _do(road, welcoming.tick_all, [noor.id], by=road.carla, now=at(days=16))
    assert noor.id not in await _look(road, Why.NEWCOMER, at(days=40))


async def test_a_check_waits_since_its_day_and_not_before_the_eyes_of_whom_it_is_about(
    road: MillRoad,
) -> None:
    await _check(road, road.ana, again=30, by=road.carla)
    await _check(road, road.dora, again=40, by=road.carla)
    assert await _look(road, Why.CHECK, at(days=29)) == {}
    seen = await _look(road, Why.CHECK, at(days=41))
    assert [(row.id, row.since) for row in seen.values()] == [
        (road.ana.id, at().at.replace(hour=0) + timedelta(days=30)),
        (road.dora.id, at().at.replace(hour=0) + timedelta(days=40)),
    ]
    about = {id: row.thing for id, row in seen.items()}
    theirs = (await _look(road, Why.CHECK, at(days=41), road.dora))[road.dora.id].thing
    await _do(road, keeping_apart.begin, road.ana.id, road.dora.id, by=road.carla)
    apart = (await _look(road, Why.CHECK, at(days=41), road.dora))[road.ana.id].thing
    for thing, cares in ((about[road.dora.id], True), (theirs, False), (apart, False)):
        assert isinstance(thing, DueChecks)
        assert (thing.cares, len(thing.due)) == (cares, int(cares))
    await _aside(road, Why.CHECK, road.ana.id, at(days=41))
    assert list(await _look(road, Why.CHECK, at(days=42))) == [road.dora.id]


async def test_where_somebody_belongs_waits_for_a_word_of_who_knows(road: MillRoad) -> None:
    async def says(member: Member, by: Member) -> UUID:
        id: UUID = await _do(
            road,
            affiliations.add,
            member.id,
            organisation=road.library.id,
            role="volunteer",
            since=DAY,
            by=by,
        )
        return id

    own, for_ines = await says(road.ana, road.ana), await says(road.ines, road.ana)
    found = await _look(road, Why.BELONGING, at(days=8))
    things = {id: row.thing for id, row in found.items()}
    assert set(things) == {own, for_ines}
    for id, thing in things.items():
        assert isinstance(thing, Unconfirmed)
        assert thing.hat.organisation == "The Library"
        assert thing.said_by == ("Ana Lima" if id == for_ines else None)
    assert list(await _look(road, Why.BELONGING, at(days=8), search="ines")) == [for_ines]
    assert set(await _look(road, Why.BELONGING, at(days=8), search="library")) == set(things)
    assert await _look(road, Why.BELONGING, at(days=8), search="station") == {}
    await _aside(road, Why.BELONGING, for_ines, at(days=8))
    assert for_ines not in await _look(road, Why.BELONGING, at(days=9))
    await _do(road, affiliations.confirm, for_ines, by=road.carla, now=at(days=30))
    assert for_ines not in await _look(road, Why.BELONGING, at(days=31))


async def test_who_is_to_be_asked_and_who_is_forgotten_soon_are_two_things(
    road: MillRoad,
) -> None:
    await road.agree(retention_months=6)
    await _ask(road, road.ines, None, None)
    await _ask(road, road.bert, 0, road.dora)
    (row,) = (await _look(road, Why.ASK, at(days=1))).values()
    stay = person_of(row).stay
    assert stay is not None
    assert (row.id, stay.forgotten_at) == (road.ines.id, None)
    await _aside(road, Why.ASK, road.ines.id, at(days=1), "In Spain.")
    assert await _look(road, Why.ASK, at(days=2)) == {}
    assert await _look(road, Why.FORGET, at(days=45)) == {}
    (row,) = (await _look(road, Why.FORGET, at(days=47))).values()
    stay = person_of(row).stay
    assert stay is not None
    assert (row.id, stay.question.asked_by) == (road.bert.id, "Dora Winter")
    assert stay.forgotten_at == at(days=60).at
    assert row.acts == {Act.TAKE}  # to put it aside would be to let it happen
    await road.agree(retention_months=None)
    assert await _look(road, Why.FORGET, at(days=47)) == {}


async def test_nobody_is_about_to_be_forgotten_whom_no_mail_reached(road: MillRoad) -> None:
    await road.agree(retention_months=6)
    await _ask(road, road.ana, 0, None)  # by a mail that never left
    assert await _look(road, Why.FORGET, at(days=50)) == {}
    async with road.db.write(road.id) as conn:
        await conn.execute(update(stays).values(asked_by=road.carla.id))
    assert list(await _look(road, Why.FORGET, at(days=50))) == [road.ana.id]


async def test_all_kinds_at_once_take_a_fixed_number_of_questions(road: MillRoad) -> None:
    await road.agree(retention_months=6)
    numbers = []
    for round_ in range(2):
        for n in range(1 if round_ == 0 else 10):
            async with road.db.write(road.id) as conn:
                noor = await a_member(conn, road.id, f"Noor {round_} {n}", now=at(days=1))
            await _do(road, listing_steps.write, noor.id, LIFT, by=noor, now=at(days=1))
            await _check(road, noor, again=2, by=road.carla)
            await _do(
                road,
                affiliations.add,
                noor.id,
                organisation=road.library.id,
                role="",
                since=DAY,
                by=noor,
            )
            await _ask(road, noor, None if n % 2 else 0, None if n % 2 else road.carla)
        async with road.db.read(road.id) as conn, counted(road.db) as sent:
            found = await inbox.page(conn, road.id, by=road.dora.id, now=at(days=50))
        kinds = {Why.REQUEST, Why.NEWCOMER, Why.CHECK, Why.BELONGING, Why.FORGET}
        assert kinds <= set(found.counts)
        numbers.append(len(sent))
    assert numbers[0] == numbers[1]
    assert numbers[0] <= 14
    things = [row.key for row in found.rows]
    await _do(road, in_hand.take, things, by=road.dora, now=at(days=50))
    async with road.db.read(road.id) as conn:
        again = await inbox.page(conn, road.id, by=road.carla.id, now=at(days=50))
    assert {row.in_hand.name for row in again.rows if row.in_hand} == {"Dora Winter"}
    assert all(row.in_hand for row in again.rows)
