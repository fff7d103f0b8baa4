"""Planning one gathering: what is asked for, who may change it, and that everyone is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from ledger import Minutes
from tests.timebank.factories import a_community, at
from tests.timebank.gathering_scenes import EVENING, TEA, TUESDAY, Circle, a_circle
from timebank import agreements, planning, series
from timebank import plan as plans
from timebank.audit import audit
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind
from timebank.errors import (
    BadInput,
    Forbidden,
    NotFound,
    ReadOnlyMember,
    RoleCarried,
    WrongState,
)
from timebank.gatherings import Answer, Openness, Rule, State, gatherings
from timebank.gatherings import series as series_table
from timebank.members import pause
from timebank.plan import When
from timebank.recurrence import Every
from timebank.roles import FIRST_ROLES, AgreedRole


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


async def test_a_gathering_takes_its_roles_and_minutes_from_the_agreement_of_the_day(
    circle: Circle,
) -> None:
    here = circle.place
    soup = AgreedRole("r1", Kind.HOSPITALITY, Minutes(90), False, Minutes(15), "Soup")
    await here.agree(roles=(*FIRST_ROLES, soup))
    plan = replace(
        TEA,
        hosts=(here.library.id,),
        payer_id=here.library.id,
        roles=(("r1", 2), ("tea", 1), ("take_part", 3), ("unheard_of", 1), ("notes", 0)),
        capacity=12,
    )
    id = await circle.plan(plan)
    await here.agree(roles=FIRST_ROLES)
    found = await circle.get(id)
    assert found.agreement_version == 2
    assert [(role.key, role.wanted) for role in found.roles] == [
        ("take_part", 0),
        ("tea", 1),
        ("r1", 2),
    ]
    assert found.role("r1") is not None
    assert [found.roles[2].name, found.roles[2].before] == ["Soup", Minutes(90)]
    assert [role.key for role in found.needed] == ["tea", "r1"]
    assert found.host_ids == {here.library.id}
    assert found.payer_id == here.library.id
    assert (found.starts_at.hour, found.lasts) == (17, Minutes(120))  # 18:00 in London in May
    assert plans.of(found).roles == (("tea", 1), ("r1", 2))
    assert plans.when_of(found, "Europe/London") == EVENING


async def test_a_plan_that_cannot_be_meant_is_refused_and_nothing_is_written(
    circle: Circle,
) -> None:
    here = circle.place
    async with here.db.write(EVERYWHERE) as conn:
        other = await a_community(conn, "next-door")
    cases: tuple[tuple[str, Any, When], ...] = (
        ("title", replace(TEA, title=""), EVENING),
        ("place", replace(TEA, place=""), EVENING),
        ("link", replace(TEA, link="javascript:alert(1)"), EVENING),
        ("link", replace(TEA, link="meet.example.org/tea"), EVENING),
        ("capacity", replace(TEA, capacity=0), EVENING),
        ("lasts", TEA, replace(EVENING, lasts=Minutes(4))),
        ("lasts", TEA, replace(EVENING, lasts=Minutes(8 * 24 * 60))),
        ("day", TEA, replace(EVENING, day=date(2028, 6, 1))),
        ("day", TEA, replace(EVENING, day=date(2026, 2, 1))),
        ("hosts", replace(TEA, hosts=(here.bert.id,)), EVENING),
        ("payer", replace(TEA, payer_id=here.bert.id), EVENING),
        ("payer", replace(TEA, payer_id=other.id), EVENING),
        ("format", replace(TEA, format_id=at().new_id()), EVENING),
        ("roles", replace(TEA, roles=(("tea", 21),)), EVENING),
    )
    for field, plan, when in cases:
        with pytest.raises(BadInput) as refused:
            await circle.plan(plan, when)
        assert refused.value.field == field, (field, refused.value)
    await circle.do(pause, here.bert.id, by=here.bert)
    with pytest.raises(ReadOnlyMember):
        await circle.plan(by=here.bert)
    async with here.db.read(circle.id) as conn:
        rows = await conn.execute(select(gatherings.c.id))
        assert rows.all() == []
    await circle.plan(replace(TEA, place="", link="https://meet.example.org/tea"))


async def test_a_double_click_plans_once_and_nobody_plans_over_another(circle: Circle) -> None:
    here = circle.place
    once, again = at().new_id(), at().new_id()
    clicks = [circle.do(planning.make, TEA, EVENING, by=here.ana, id=once) for _ in range(3)]
    clicks += [
        circle.do(series.begin, TEA, EVENING, Every.WEEK, by=here.ana, id=again) for _ in range(3)
    ]
    assert set(await asyncio.gather(*clicks)) == {once, again}
    async with here.db.read(circle.id) as conn:
        (number,) = (await conn.execute(select(func.count()).select_from(gatherings))).one()
        assert number == 1 + 17  # 120 days of Tuesdays
        assert len((await conn.execute(select(series_table.c.id))).all()) == 1
    with pytest.raises(NotFound):
        await circle.do(planning.make, TEA, EVENING, by=here.bert, id=once)


async def test_organisers_change_it_and_everyone_with_a_seat_is_told_where_to_now(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, hosts=(here.library.id,)))
    await circle.says(id, here.stella, Answer.MAYBE)
    await circle.says(id, here.carla, Answer.NO)
    await circle.says(id, here.ines, by=here.ana)
    await circle.do(
        planning.edit, id, replace(TEA, purpose="What would make it kinder?"), EVENING, by=here.bert
    )  # he keeps the account of the host
    assert await circle.to("stella") == []
    for who in (here.ines,):
        with pytest.raises(Forbidden):
            await circle.do(planning.edit, id, TEA, EVENING, by=who)
    later = replace(EVENING, at=time(19))
    await circle.do(planning.edit, id, replace(TEA, place="Library garden"), later, by=here.carla)
    letters = {letter.to_address: letter for letter in await circle.letters()}
    assert set(letters) == {"stella@example.org", "ana@example.org"}
    body = letters["stella@example.org"].body
    assert "Tuesday, 12 May 2026, 18:00 to 20:00 → now Tuesday, 12 May 2026, 19:00" in body
    assert "Library, back room → now Library garden" in body
    assert "This is about Inés García, for whom you may answer." in letters["ana@example.org"].body
    found = await circle.get(id)
    assert (found.revision, found.host_ids) == (2, frozenset())
    with pytest.raises(Forbidden):  # the library hosts no more
        await circle.do(planning.edit, id, TEA, EVENING, by=here.bert)


async def test_a_role_that_somebody_carries_is_not_taken_away_from_under_them(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, roles=(("tea", 2), ("notes", 1))))
    await circle.offers(id, here.bert, "tea")
    for roles in ((("notes", 1),), ()):
        with pytest.raises(RoleCarried):
            await circle.do(planning.edit, id, replace(TEA, roles=roles), EVENING, by=here.ana)
    plan = replace(TEA, roles=(("tea", 1), ("host", 1)))
    await circle.do(planning.edit, id, plan, EVENING, by=here.ana)
    found = await circle.get(id)
    assert [(role.key, role.wanted) for role in found.roles if role.wanted] == [
        ("host", 1),
        ("tea", 1),
    ]
    assert [seat.name for seat in found.carriers("tea")] == ["Bert Okoro"]


async def test_called_off_with_a_word_to_everyone_and_for_good(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan()
    await circle.says(id, here.bert)
    await circle.brings(id, "Rosa", here.bert)
    await circle.do(planning.call_off, id, "The pipes burst.", by=here.ana)
    found = await circle.get(id)
    assert (found.state, found.parting) == (State.CANCELLED, "The pipes burst.")
    assert await circle.to("bert") == ["Called off: Tea and talk"]
    assert "Why: The pipes burst." in (await circle.letters())[0].body
    with pytest.raises(WrongState):
        await circle.do(planning.edit, id, TEA, EVENING, by=here.ana)
    async with here.db.read(circle.id) as conn:
        acts = [
            row.action for row in await conn.execute(select(audit.c.action).order_by(audit.c.id))
        ]
    assert acts[-1] == "gathering.called_off"
    assert "gathering.planned" in acts


async def test_what_lacks_somebody_within_a_week_waits_for_a_coordinator(circle: Circle) -> None:
    here = circle.place
    alone = await circle.plan(replace(TEA, roles=()))
    lacks = await circle.plan(replace(TEA, roles=(("tea", 1),)))
    await circle.plan(TEA, replace(EVENING, day=TUESDAY + timedelta(days=30)))
    ready = await circle.plan(replace(TEA, roles=(("tea", 1),)))
    for id in (lacks, ready):
        await circle.says(id, here.bert)
    await circle.offers(ready, here.bert, "tea")
    now = at(days=3)

    async def waits() -> dict[Any, Any]:
        async with here.db.read(circle.id) as conn:
            terms = (await agreements.current(conn, circle.id)).terms
            rows = await conn.execute(planning.waits(circle.id, terms=terms, now=now))
            return {row.id: row.since for row in rows}

    found = await waits()
    assert set(found) == {alone, lacks}
    begins = (await circle.get(alone)).starts_at
    assert set(found.values()) == {begins - planning.SOON}
    await circle.do(planning.call_off, alone, "", by=here.ana)
    assert set(await waits()) == {lacks}


def test_a_plan_is_kept_as_it_was_meant() -> None:
    plan = replace(
        TEA,
        capacity=8,
        openness=Openness.PUBLIC,
        rule=Rule.SPLIT,
        hosts=(at().new_id(),),
        format_id=at().new_id(),
        link="https://meet.example.org",
    )
    assert plans.from_json(plans.as_json(plan)) == plan
    assert plans.tidy(replace(plan, payer_id=at().new_id())).payer_id is None
