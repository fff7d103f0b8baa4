"""The audit: who did what to whom. Stewards read all of it, members their own matters."""

from __future__ import annotations

import pytest

from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import audit, members
from timebank.audit import Act, NewAct
from timebank.db import EVERYWHERE, Database
from timebank.errors import NotFound
from timebank.members import Member, Role


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _read(road: MillRoad, by: Member) -> list[Act]:
    async with road.db.read(road.id) as conn:
        return await audit.page(conn, road.id, by=by.id, limit=500)


async def test_an_act_tells_who_did_what_to_whom_when_and_under_which_agreement(
    road: MillRoad,
) -> None:
    entry = await road.record(helped(road.ana, road.bert), road.ana)
    await road.approve(entry)
    (act,) = [act for act in await _read(road, road.stella) if act.action == "entry.approved"]
    assert (act.actor, act.subject_kind, act.subject_id) == ("Carla Rossi", "entry", entry.id)
    assert act.agreement_version == 1
    assert act.at == at(hours=1).at


async def test_members_read_what_they_did_and_what_concerns_them(road: MillRoad) -> None:
    between = await road.record(helped(road.ana, road.bert), road.ana)
    await road.approve(between)
    async with road.db.write(road.id) as conn:
        await members.pause(conn, road.id, road.dora.id, by=road.carla.id, now=at(hours=3))
    everything = await _read(road, road.stella)
    for member in (road.ana, road.bert):
        own = await _read(road, member)
        assert {act.subject_id for act in own} >= {between.id}
        assert all(act.subject_id != road.dora.id for act in own)
        assert len(own) < len(everything)
    assert {act.action for act in await _read(road, road.dora)} >= {"member.paused"}
    assert between.id not in {act.subject_id for act in await _read(road, road.ines)}


async def test_a_coordinator_reads_no_more_than_a_member(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        await members.pause(conn, road.id, road.ana.id, by=road.stella.id, now=at(hours=3))
    actions = [(act.action, act.subject_id) for act in await _read(road, road.carla)]
    assert ("member.paused", road.ana.id) not in actions


async def test_it_is_read_page_by_page_newest_first_without_gaps(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        for minute in range(25):
            act = NewAct(road.id, None, f"test.{minute}", "community", road.id)
            await audit.write_many(conn, [act], now=at(days=1, minutes=minute))
    seen: list[str] = []
    before = None
    for _ in range(5):
        async with road.db.read(road.id) as conn:
            acts = await audit.page(conn, road.id, by=road.stella.id, before=before, limit=5)
        seen += [act.action for act in acts]
        before = acts[-1].id
    assert seen == [f"test.{minute}" for minute in reversed(range(25))]


async def test_it_holds_no_words_of_people(road: MillRoad) -> None:
    entry = await road.record(helped(road.ana, road.bert, note="a secret garden"), road.ana)
    await road.approve(entry, words="a secret reason")
    for act in await _read(road, road.stella):
        assert "secret" not in str(act.facts)
        assert "example.org" not in str(act.facts)


async def test_communities_read_their_own(road: MillRoad) -> None:
    async with road.db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere")
        steward = await a_member(conn, elsewhere.id, "Sam", role=Role.STEWARD)
        acts = await audit.page(conn, elsewhere.id, by=steward.id)
        assert [act.action for act in acts] == ["community.created"]
        with pytest.raises(NotFound):
            await audit.page(conn, road.id, by=steward.id)
