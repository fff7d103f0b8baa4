"""Coordinators look after people: notes, checks, a list for newcomers; and looking is noted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.timebank.factories import a_member, at
from tests.timebank.importing import a_csv, bring
from tests.timebank.scenes import DAY, MillRoad, mill_road
from timebank import (
    applications,
    audit,
    buddies,
    caring,
    checks,
    contacts,
    looks,
    members,
    notes,
    own_lists,
    welcoming,
)
from timebank.agreements import Terms
from timebank.buddies import BuddyKind
from timebank.checks import Standing
from timebank.db import Database
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.looks import Look
from timebank.members import Member, MemberKind, Role, Status
from timebank.moment import Moment
from timebank.own_lists import Which


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _do(road: MillRoad, verb: Any, *args: Any, by: Member, **more: Any) -> Any:
    async with road.db.write(road.id) as conn:
        return await verb(conn, road.id, *args, by=by.id, **({"now": at(hours=1)} | more))


# ── Who cares for whom ───────────────────────────────────────────────────────────────────────────


async def test_coordinators_care_for_everybody_but_themselves(road: MillRoad) -> None:
    async with road.db.read(road.id) as conn:
        assert (await caring.carer(conn, road.id, road.ana.id, road.carla.id)).id == road.ana.id
        assert await caring.carer(conn, road.id, road.carla.id, road.stella.id)
        for member, by in ((road.carla, road.carla), (road.ana, road.bert), (road.ana, road.ana)):
            with pytest.raises(Forbidden):
                await caring.carer(conn, road.id, member.id, by.id)


async def test_notes_are_written_and_removed_by_their_writer_or_a_steward(
    road: MillRoad,
) -> None:
    for by, words in ((road.carla, "Ring after ten."), (road.dora, "Slow to the door.")):
        await _do(road, notes.write, road.ana.id, words, by=by)
    with pytest.raises(Forbidden):
        await _do(road, notes.write, road.ana.id, "Mine.", by=road.bert)
    with pytest.raises(BadInput):
        await _do(road, notes.write, road.ana.id, " ", by=road.carla)
    with pytest.raises(BadInput):
        await _do(road, notes.write, road.ana.id, "x" * (notes.LONGEST + 1), by=road.carla)
    async with road.db.read(road.id) as conn:
        found = {one.words: one.id for one in await notes.of(conn, road.id, road.ana.id)}
    with pytest.raises(Forbidden):
        await _do(road, notes.remove, road.ana.id, found["Ring after ten."], by=road.dora)
    with pytest.raises(NotFound):
        await _do(road, notes.remove, road.bert.id, found["Ring after ten."], by=road.carla)
    await _do(road, notes.remove, road.ana.id, found["Ring after ten."], by=road.carla)
    await _do(road, notes.remove, road.ana.id, found["Slow to the door."], by=road.stella)
    async with road.db.read(road.id) as conn:
        assert await notes.of(conn, road.id, road.ana.id) == []


# ── Checks ───────────────────────────────────────────────────────────────────────────────────────


async def _kinds(road: MillRoad) -> list[UUID]:
    async with road.db.read(road.id) as conn:
        return [one.id for one in await own_lists.items(conn, road.id, Which.CHECKS)]


async def test_a_check_is_a_standing_and_a_day_and_its_story_stays(road: MillRoad) -> None:
    references, safeguarding = await _kinds(road)
    for kind, standing, days in (
        (references, Standing.ASKED, 0),
        (safeguarding, Standing.IN_ORDER, 1),
        (references, Standing.IN_ORDER, 2),
    ):
        await _do(
            road,
            checks.note,
            road.ana.id,
            by=road.carla,
            kind=kind,
            standing=standing,
            checked_on=DAY + timedelta(days=days),
            now=at(days=days),
        )
    async with road.db.read(road.id) as conn:
        found = await checks.of(conn, road.id, road.ana.id)
    assert [one.standing for one in found] == [
        Standing.IN_ORDER,
        Standing.IN_ORDER,
        Standing.ASKED,
    ]
    assert [(one.kind_id, one.standing) for one in checks.latest(found)] == [
        (references, Standing.IN_ORDER),
        (safeguarding, Standing.IN_ORDER),
    ]


async def test_checks_that_cannot_be_are_refused(road: MillRoad) -> None:
    references, other = await _kinds(road)
    facts = {"kind": references, "standing": Standing.IN_ORDER, "checked_on": DAY}
    for wrong, refusal in (
        ({"checked_on": DAY + timedelta(days=1)}, BadInput),
        ({"again_on": DAY - timedelta(days=1)}, BadInput),
        ({"kind": at().new_id()}, NotFound),
    ):
        with pytest.raises(refusal):
            await _do(road, checks.note, road.ana.id, by=road.carla, **(facts | wrong))
    await _do(road, own_lists.retire, Which.CHECKS, other, by=road.carla)
    with pytest.raises(NotFound):
        await _do(road, checks.note, road.ana.id, by=road.carla, **(facts | {"kind": other}))
    with pytest.raises(Forbidden):
        await _do(road, checks.note, road.ana.id, by=road.ana, **facts)


async def test_a_check_waits_when_its_day_has_come_until_somebody_looks_again(
    road: MillRoad,
) -> None:
    references, _ = await _kinds(road)
    facts = {"kind": references, "standing": Standing.IN_ORDER, "checked_on": DAY}
    again = DAY + timedelta(days=30)
    await _do(road, checks.note, road.ana.id, by=road.carla, again_on=again, **facts)

    async def waiting(days: int) -> list[UUID]:
        async with road.db.read(road.id) as conn:
            query = checks.waits(road.id, terms=Terms(), now=at(days=days))
            return [row.id for row in await conn.execute(query)]

    assert await waiting(29) == []
    assert await waiting(30) == [road.ana.id]
    await _do(road, checks.note, road.ana.id, by=road.carla, now=at(days=31), **facts)
    assert await waiting(40) == []


# ── Welcoming ────────────────────────────────────────────────────────────────────────────────────


async def _newcomer(road: MillRoad, now: Moment, **more: Any) -> Member:
    async with road.db.write(road.id) as conn:
        return await a_member(conn, road.id, "Noor", now=now, **more)


async def _steps(road: MillRoad, member: Member) -> list[tuple[UUID, bool]]:
    async with road.db.read(road.id) as conn:
        return [(one.step_id, one.done) for one in await welcoming.of(conn, road.id, member.id)]


async def _waiting(road: MillRoad, now: Moment) -> list[UUID]:
    async with road.db.read(road.id) as conn:
        query = welcoming.waits(road.id, terms=Terms(), now=now)
        return [row.id for row in await conn.execute(query)]


async def test_what_is_done_with_somebody_new_is_ticked_with_who_and_when(
    road: MillRoad,
) -> None:
    noor = await _newcomer(road, at(days=1))
    steps = [id for id, _ in await _steps(road, noor)]
    assert len(steps) == 4
    await _do(road, welcoming.tick, noor.id, steps[:2], by=road.carla, now=at(days=2))
    await _do(road, welcoming.tick, noor.id, [steps[0], steps[3]], by=road.dora, now=at(days=3))
    async with road.db.read(road.id) as conn:
        found = await welcoming.of(conn, road.id, noor.id)
        (open_,) = [
            one for one in await welcoming.newcomers(conn, road.id) if one.member.id == noor.id
        ]
    assert [one.ticked_by for one in found] == ["Carla Rossi", None, None, "Dora Winter"]
    assert (open_.done, open_.of) == (2, 4)
    with pytest.raises(Forbidden):
        await _do(road, welcoming.tick, noor.id, steps, by=road.ana)
    with pytest.raises(NotFound):
        await _do(road, welcoming.tick, noor.id, [at().new_id()], by=road.carla)


async def test_a_newcomer_whose_list_is_open_waits_after_a_fortnight(road: MillRoad) -> None:
    noor = await _newcomer(road, at(days=1))
    await _newcomer(road, at(days=1), kind=MemberKind.ORGANISATION)
    await _newcomer(road, at(days=1), role=Role.COORDINATOR)
    assert noor.id not in await _waiting(road, at(days=14))
    waiting = await _waiting(road, at(days=15))
    assert noor.id in waiting
    assert set(waiting) == {noor.id, road.ana.id, road.bert.id, road.ines.id}
    done = await _do(road, welcoming.tick_all, waiting, by=road.carla, now=at(days=15))
    assert done == 4
    assert await _waiting(road, at(days=15)) == []
    assert await _do(road, welcoming.tick_all, waiting, by=road.carla, now=at(days=15)) == 0


async def test_whom_a_list_brought_in_is_no_newcomer(road: MillRoad) -> None:
    await bring(road, a_csv("Name,Area", "Noor Haddad,Canal", "Omar Haddad,Canal"))
    other = await _do(road, members.add, by=road.carla, name="Pilar Soto")
    async with road.db.read(road.id) as conn:
        new = {one.member.name for one in await welcoming.newcomers(conn, road.id)}
        waiting = await conn.scalars(welcoming.waits(road.id, terms=Terms(), now=at(days=30)))
        assert other.id in set(waiting)
        assert len(await welcoming.of(conn, road.id, other.id)) == 4
    assert "Pilar Soto" in new
    assert not {name for name in new if "Haddad" in name}


async def test_a_new_step_makes_no_newcomers_of_old_members(road: MillRoad) -> None:
    ids = [road.ana.id, road.bert.id, road.ines.id]
    await _do(road, welcoming.tick_all, ids, by=road.carla)
    await _do(road, own_lists.add, Which.WELCOME, "They have a key", by=road.carla, now=at(days=5))
    assert await _waiting(road, at(days=60)) == []
    noor = await _newcomer(road, at(days=6))
    assert len(await _steps(road, noor)) == 5
    assert len(await _steps(road, road.ana)) == 4
    assert await _waiting(road, at(days=60)) == [noor.id]


async def test_the_list_is_there_for_who_asks_to_join(road: MillRoad) -> None:
    noor = await _newcomer(road, at(days=1), status=Status.APPLIED)
    steps = [id for id, _ in await _steps(road, noor)]
    await _do(road, welcoming.tick, noor.id, steps, by=road.carla, now=at(days=1))
    await _do(road, applications.welcome, noor.id, by=road.carla, now=at(days=2))
    assert all(done for _, done in await _steps(road, noor))


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────


async def _looks(road: MillRoad, by: Member) -> list[tuple[str, str | None]]:
    async with road.db.read(road.id) as conn:
        acts = await audit.page(conn, road.id, by=by.id)
    return [(act.action, act.actor) for act in acts if act.action.startswith("look.")]


async def _set_contact(road: MillRoad, member: Member, shown: bool) -> None:
    await _do(
        road,
        members.edit,
        member.id,
        by=member if member.person_id else road.carla,
        name=member.name,
        phone="07700 900100",
        contact_shown=shown,
        area="",
        about="",
    )


async def test_who_looks_up_what_is_not_shown_to_all_is_noted_and_the_member_reads_it(
    road: MillRoad,
) -> None:
    await _set_contact(road, road.ana, False)
    look = contacts.look
    found = await _do(road, look, road.ana.id, by=road.carla)
    assert (found.phone, found.email) == ("07700 900100", "ana@example.org")
    assert await _looks(road, road.ana) == [("look.contact", "Carla Rossi")]
    await _do(road, look, road.ana.id, by=road.ana)  # oneself
    with pytest.raises(Forbidden):
        await _do(road, look, road.ana.id, by=road.bert)
    await _set_contact(road, road.ana, True)
    await _do(road, look, road.ana.id, by=road.bert)  # it is shown to all
    assert len(await _looks(road, road.ana)) == 1
    await _do(road, look, road.ines.id, by=road.ana)  # her buddy
    assert ("look.contact", "Ana Lima") in await _looks(road, road.stella)


async def test_a_list_that_is_taken_away_is_noted(road: MillRoad) -> None:
    await _do(road, looks.keep, Look.LIST, by=road.carla, of="members")
    assert await _looks(road, road.stella) == [("look.list", "Carla Rossi")]


async def test_contact_is_open_once_the_member_wants_it_and_every_guardian_agrees(
    road: MillRoad,
) -> None:
    async def is_open() -> bool:
        async with road.db.read(road.id) as conn:
            one = await contacts.sight(conn, road.id, road.ines.id, by=road.bert.id)
            many = await contacts.open_to_members(conn, road.id, [road.ines.id, road.ana.id])
        assert (one.contact is not None) == (road.ines.id in many)
        return one.contact is not None

    await _set_contact(road, road.ines, True)
    assert await is_open()
    guardians = (road.dora, road.stella)
    for guardian in guardians:
        await _do(
            road,
            buddies.add,
            road.ines.id,
            guardian.id,
            by=road.carla,
            consent="Her son asked.",
            kind=BuddyKind.GUARDIAN,
        )
    assert not await is_open()
    async with road.db.read(road.id) as conn:
        rows = {one.buddy_id: one.id for one in await buddies.of(conn, road.id, road.ines.id)}
    let = buddies.let_contact_be_seen
    await _do(road, let, rows[road.dora.id], True, by=road.dora)
    assert not await is_open()
    await _do(road, let, rows[road.stella.id], True, by=road.stella)
    assert await is_open()
    with pytest.raises(Forbidden):
        await _do(road, let, rows[road.ana.id], True, by=road.ana)  # a buddy, no guardian
    with pytest.raises(Forbidden):
        await _do(road, let, rows[road.dora.id], False, by=road.carla)
    await _do(road, let, rows[road.dora.id], False, by=road.dora)
    assert not await is_open()
    await _do(road, buddies.end, rows[road.dora.id], by=road.dora)  # steps back
    assert await is_open()
