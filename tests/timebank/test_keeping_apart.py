"""Two who had better not meet are kept apart, and whoever did not ask for it is not told."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from sqlalchemy import select

from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import audit, buddies, caring, contacts, keeping_apart, members, my_data
from timebank.db import Database
from timebank.entry import Kind
from timebank.errors import BadInput, Forbidden, LeftToCoordinators, NotFound
from timebank.members import Member
from timebank.outbox import outbox


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _begin(road: MillRoad, one: Member, other: Member, by: Member, words: str = "") -> None:
    async with road.db.write(road.id) as conn:
        await keeping_apart.begin(
            conn, road.id, one.id, other.id, words=words, by=by.id, now=at(hours=1)
        )


async def _apart(road: MillRoad, *pairs: tuple[Member, Member]) -> int:
    async with road.db.read(road.id) as conn:
        found = await keeping_apart.apart(
            conn, road.id, [(one.id, other.id) for one, other in pairs]
        )
    return len(found)


async def _of(road: MillRoad, member: Member, by: Member) -> list[str]:
    async with road.db.read(road.id) as conn:
        found = await keeping_apart.of(conn, road.id, member.id, by=by.id)
    return [one.other for one in found]


async def test_one_of_the_two_asks_or_a_coordinator(road: MillRoad) -> None:
    await _begin(road, road.ana, road.bert, road.ana)
    await _begin(road, road.bert, road.ana, road.carla)  # asking again is asking once
    await _begin(road, road.ines, road.dora, road.carla)
    assert await _apart(road, (road.ana, road.bert), (road.bert, road.ana)) == 1
    assert await _apart(road, (road.dora, road.ines)) == 1
    assert await _apart(road, (road.ana, road.dora), (road.ana, road.ana)) == 0


async def test_nobody_asks_for_others_nor_for_themselves_alone(road: MillRoad) -> None:
    with pytest.raises(Forbidden):
        await _begin(road, road.dora, road.bert, road.ana)
    with pytest.raises(BadInput):
        await _begin(road, road.ana, road.ana, road.ana)
    assert await _apart(road, (road.dora, road.bert)) == 0


async def test_no_hours_between_them_whoever_writes_them_down(road: MillRoad) -> None:
    await _begin(road, road.ana, road.bert, road.ana)
    for new, by in (
        (helped(road.ana, road.bert), road.ana),
        (helped(road.bert, road.ana), road.bert),
        (helped(road.ana, road.bert), road.carla),
    ):
        with pytest.raises(LeftToCoordinators) as refused:
            await road.record(new, by)
        assert "Ana" not in str(refused.value)
        assert "Bert" not in str(refused.value)
    await road.record(helped(road.ana, road.dora), road.ana)
    await road.record(helped(road.bert, road.commons, kind=Kind.DONATION), road.bert)


async def test_contact_is_hidden_both_ways(road: MillRoad) -> None:
    for who in (road.ana, road.bert):
        async with road.db.write(road.id) as conn:
            await members.edit(
                conn,
                road.id,
                who.id,
                name=who.name,
                phone="07700 900100",
                contact_shown=True,
                area="",
                about="",
                by=who.id,
                now=at(),
            )

    async def sees(by: Member, whom: Member) -> bool:
        async with road.db.read(road.id) as conn:
            found = await contacts.sight(conn, road.id, whom.id, by=by.id)
        return found.contact is not None

    assert await sees(road.ana, road.bert)
    await _begin(road, road.ana, road.bert, road.ana)
    assert not await sees(road.ana, road.bert)
    assert not await sees(road.bert, road.ana)
    assert await sees(road.dora, road.ana)
    assert await sees(road.ana, road.ana)


async def test_a_coordinator_who_is_one_of_the_two_leaves_the_other_to_others(
    road: MillRoad,
) -> None:
    await _begin(road, road.ana, road.carla, road.ana)
    async with road.db.write(road.id) as conn:
        with pytest.raises(Forbidden):
            await caring.carer(conn, road.id, road.ana.id, road.carla.id)
        with pytest.raises(Forbidden):
            await contacts.look(conn, road.id, road.ana.id, by=road.carla.id, now=at(hours=2))
        assert await caring.carer(conn, road.id, road.ana.id, road.dora.id)


async def test_a_buddy_who_is_kept_apart_is_a_buddy_no_more(road: MillRoad) -> None:
    await _begin(road, road.ines, road.ana, road.carla)
    async with road.db.write(road.id) as conn:
        assert await buddies.of(conn, road.id, road.ines.id) == []
        with pytest.raises(BadInput):
            await buddies.add(
                conn,
                road.id,
                road.ines.id,
                road.ana.id,
                consent="Again.",
                by=road.carla.id,
                now=at(hours=2),
            )


async def test_whoever_did_not_ask_finds_no_trace_of_it(road: MillRoad) -> None:
    await _begin(road, road.ana, road.bert, road.ana, "He shouted at me.")
    assert await _of(road, road.bert, road.bert) == []
    assert await _of(road, road.ana, road.ana) == ["Bert Okoro"]
    assert await _of(road, road.bert, road.ana) == ["Ana Lima"]
    assert await _of(road, road.bert, road.carla) == ["Ana Lima"]
    async with road.db.read(road.id) as conn:
        assert (await conn.execute(select(outbox))).all() == []
        theirs = await audit.page(conn, road.id, by=road.bert.id)
        assert not [act for act in theirs if act.action.startswith("apart")]
        hers = await audit.page(conn, road.id, by=road.ana.id)
        assert [act.action for act in hers if act.action.startswith("apart")] == ["apart.begun"]
        for who, knows in ((road.bert, False), (road.ana, True)):
            packed = await my_data.archive(conn, road.id, who.id, now=at(hours=2))
            with zipfile.ZipFile(io.BytesIO(packed)) as folder:
                text = "".join(folder.read(name).decode() for name in folder.namelist())
                care = json.loads(folder.read("care.json"))
            assert ("shouted" in text) is knows
            assert bool(care["kept_apart"]) is knows


async def test_it_ends_when_who_asked_says_so_or_a_coordinator(road: MillRoad) -> None:
    await _begin(road, road.ana, road.bert, road.ana)
    async with road.db.read(road.id) as conn:
        (row,) = await keeping_apart.of(conn, road.id, road.ana.id, by=road.carla.id)

    async def end(by: Member) -> None:
        async with road.db.write(road.id) as conn:
            await keeping_apart.end(conn, road.id, row.id, by=by.id, now=at(days=1))

    for by in (road.bert, road.ines):
        with pytest.raises(NotFound):
            await end(by)
    await end(road.carla)
    assert await _apart(road, (road.ana, road.bert)) == 0
    await road.record(helped(road.ana, road.bert), road.ana)
    with pytest.raises(NotFound):
        await end(road.ana)
    await _begin(road, road.ana, road.bert, road.ana)  # and may begin anew


async def test_many_are_asked_about_at_once(road: MillRoad) -> None:
    await _begin(road, road.ana, road.bert, road.ana)
    await _begin(road, road.dora, road.ines, road.carla)
    async with road.db.read(road.id) as conn:
        found = await keeping_apart.among(
            conn, road.id, [road.ana.id, road.bert.id, road.dora.id, road.ines.id, road.commons]
        )
        assert found == {
            frozenset((road.ana.id, road.bert.id)),
            frozenset((road.dora.id, road.ines.id)),
        }
        assert await keeping_apart.from_whom(conn, road.id, road.bert.id) == {road.ana.id}
