"""Who gave no sign for long is asked, in time and truly, and forgotten only without an answer.

Seen to turn red: asking without a limit; asking somebody twice; forgetting people whose mail never
left; not taking an entry, or no sign at all, for an answer; breaking off at an entry that waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from ledger.sql import tables
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import members, my_data, retention, sessions, stays, tokens
from timebank.agreements import Terms
from timebank.db import EVERYWHERE, Database
from timebank.errors import Forbidden, LinkSpent, WrongState
from timebank.gatherings import gatherings, seats
from timebank.members import Member, Status
from timebank.outbox import outbox
from timebank.people import people
from timebank.retention import Done
from timebank.stays import ANSWER_WITHIN, Answer

LIMIT = 200  # days after which six months have passed since the beginning
FORGOTTEN = LIMIT + ANSWER_WITHIN.days


@pytest.fixture
async def road(db: Database) -> MillRoad:
    """Mill Road, whose agreement keeps people for six months without a sign.

    Whoever coordinates is seen all the time.
    """
    found = await mill_road(db)
    await found.agree(retention_months=6)
    return found


async def _seen(road: MillRoad, member: Member, days: int) -> None:
    assert member.person_id is not None
    async with road.db.write(EVERYWHERE) as conn:
        await sessions.begin(conn, member.person_id, device="", now=at(days=days))


async def _round(road: MillRoad, days: int, *, but: tuple[Member, ...] = ()) -> Done:
    """A round so many days after the beginning, with everybody else seen on the day before."""
    for member in (road.ana, road.bert, road.carla, road.dora, road.stella):
        if member not in but:
            await _seen(road, member, days - 1)
    return await retention.look_after(road.db, road.id, now=at(days=days))


async def _letters(road: MillRoad) -> list[tuple[str, str]]:
    async with road.db.read(road.id) as conn:
        rows = await conn.execute(
            select(outbox.c.to_address, outbox.c.path)
            .where(outbox.c.path.like("/stay/%"))
            .order_by(outbox.c.id)
        )
        return [(row.to_address, row.path.rpartition("/")[2]) for row in rows]


async def _sent(road: MillRoad, days: int, **more: Any) -> None:
    """The mails left the house, or what else became of them."""
    async with road.db.write(EVERYWHERE) as conn:
        await conn.execute(
            update(outbox)
            .where(outbox.c.sent_at.is_(None))
            .values(**(more or {"sent_at": at(days=days).at}))
        )


async def _status(road: MillRoad, member: Member) -> Status:
    async with road.db.read(road.id) as conn:
        return (await members.get(conn, road.id, member.id)).status


async def _waiting(road: MillRoad, query: Any, days: int) -> list[UUID]:
    async with road.db.read(road.id) as conn:
        terms = Terms(retention_months=6)
        rows = await conn.execute(query(road.id, terms=terms, now=at(days=days)))
        return [row.id for row in rows]


async def test_nobody_is_asked_where_the_agreement_says_nothing(db: Database) -> None:
    road = await mill_road(db)
    assert await retention.look_after(road.db, road.id, now=at(days=5000)) == Done()
    assert await _letters(road) == []


async def test_who_gave_no_sign_is_asked_once_reminded_once_and_then_forgotten(
    road: MillRoad,
) -> None:
    gone = (road.ana,)
    async with road.db.write(road.id) as conn:  # Ines gives a sign of life through her buddies
        await conn.execute(
            update(members.members)
            .where(members.members.c.id == road.ines.id)
            .values(joined_at=at(days=LIMIT).at)
        )
    assert await _round(road, 180, but=gone) == Done()
    assert await _round(road, LIMIT, but=gone) == Done(asked=1)
    assert await _round(road, LIMIT + 1, but=gone) == Done()
    await _sent(road, LIMIT + 1)
    assert await _round(road, LIMIT + 31, but=gone) == Done(reminded=1)
    assert [address for address, _ in await _letters(road)] == ["ana@example.org"] * 2
    assert await _waiting(road, stays.waits_to_forget, LIMIT + 45) == []
    assert await _waiting(road, stays.waits_to_forget, LIMIT + 47) == [road.ana.id]
    assert await _round(road, FORGOTTEN - 1, but=gone) == Done()
    assert await _round(road, FORGOTTEN, but=gone) == Done(forgotten=1)
    assert await _status(road, road.ana) is Status.LEFT
    async with road.db.read(EVERYWHERE) as conn:
        found = await members.get(conn, road.id, road.ana.id)
        assert found.name.startswith("Former member ")
        assert (
            await conn.execute(select(people).where(people.c.email == "ana@example.org"))
        ).all() == []
        closed = select(tables.account.c.closed_at).where(tables.account.c.id == road.ana.id)
        assert (await conn.execute(closed)).scalar_one() is not None
    await road.assert_sound()


async def test_one_click_says_yes_and_counts_for_another_six_months(road: MillRoad) -> None:
    gone = (road.ana,)
    await _round(road, LIMIT, but=gone)
    ((_, token),) = await _letters(road)
    async with road.db.read(EVERYWHERE) as conn:
        assert (await retention.look(conn, token, now=at(days=LIMIT + 3))).id == road.id
    for _ in range(2):
        async with road.db.write(EVERYWHERE) as conn:
            await retention.say_yes(conn, token, now=at(days=LIMIT + 3))
    await _sent(road, LIMIT)
    assert await _round(road, FORGOTTEN + 1, but=gone) == Done()
    assert await _status(road, road.ana) is Status.ACTIVE
    assert await _round(road, LIMIT + 190, but=gone) == Done(asked=1)
    with pytest.raises(LinkSpent):
        async with road.db.write(EVERYWHERE) as conn:
            await retention.say_yes(conn, token, now=at(days=LIMIT + 80))
    with pytest.raises(LinkSpent):
        async with road.db.write(EVERYWHERE) as conn:
            link = await tokens.make(
                conn,
                tokens.Purpose.INVITATION,
                community=road.id,
                facts={"member": str(road.ana.id)},
                lifetime=timedelta(days=9),
                now=at(days=LIMIT),
            )
            await retention.say_yes(conn, link, now=at(days=LIMIT))


async def _signs_in(road: MillRoad) -> None:
    await _seen(road, road.ana, LIMIT + 20)


async def _stands_in_an_entry(road: MillRoad) -> None:
    await road.record(helped(road.bert, road.ana), road.bert, now=at(days=LIMIT + 20))


async def _does_something(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        await members.pause(conn, road.id, road.ana.id, by=road.ana.id, now=at(days=LIMIT + 20))


async def _comes_to_a_gathering(road: MillRoad) -> None:
    now = at(days=LIMIT + 20)
    async with road.db.write(road.id) as conn:
        gathering = now.new_id()
        await conn.execute(
            insert(gatherings).values(
                community_id=road.id,
                id=gathering,
                title="Tea",
                purpose="",
                place="",
                access="",
                link="",
                area="",
                bring="",
                starts_at=now.at,
                ends_at=now.at + timedelta(hours=1),
                openness="members",
                rule="none",
                credits_taking_part=False,
                state="held",
                agreement_version=1,
                made_by=road.carla.id,
                made_at=now.at,
                touched_at=now.at,
            )
        )
        await conn.execute(
            insert(seats).values(
                community_id=road.id,
                id=now.new_id(),
                gathering_id=gathering,
                member_id=road.ana.id,
                name="",
                email="",
                from_words="",
                answer="yes",
                words="",
                waiting=False,
                ticked_at=now.at,
                ticked_how="list",
                to_confirm=False,
            )
        )


@pytest.mark.parametrize(
    "sign",
    [_signs_in, _stands_in_an_entry, _does_something, _comes_to_a_gathering],
    ids=["signs in", "stands in an entry", "does something", "comes to a gathering"],
)
async def test_any_sign_is_an_answer(road: MillRoad, sign: Any) -> None:
    gone = (road.ana,)
    await _round(road, LIMIT, but=gone)
    await _sent(road, LIMIT)
    await sign(road)
    done = await _round(road, LIMIT + 21, but=gone)
    assert done.stayed == 1
    assert await _round(road, FORGOTTEN + 5, but=gone) == Done()
    assert await _status(road, road.ana) is not Status.LEFT


async def test_who_has_no_address_waits_until_a_coordinator_has_asked(road: MillRoad) -> None:
    done = await _round(road, LIMIT)
    assert done == Done(to_ask=1)
    assert await _waiting(road, stays.waits_to_ask, LIMIT) == [road.ines.id]
    assert await _round(road, FORGOTTEN + 100) == Done()  # nobody has asked her
    with pytest.raises(Forbidden):
        async with road.db.write(road.id) as conn:
            await retention.note_asked(
                conn, road.id, road.ines.id, by=road.ana.id, now=at(days=LIMIT)
            )
    asked = FORGOTTEN + 100
    async with road.db.write(road.id) as conn:
        await retention.note_asked(
            conn, road.id, road.ines.id, by=road.carla.id, now=at(days=asked)
        )
        found = await stays.open_question(conn, road.id, road.ines.id)
    assert found is not None
    assert found.forgotten_on == (at(days=asked).at + ANSWER_WITHIN).date()
    assert await _waiting(road, stays.waits_to_ask, asked) == []
    assert await _round(road, asked + 59) == Done()
    assert await _round(road, asked + 61) == Done(forgotten=1)
    assert await _letters(road) == []


@pytest.mark.parametrize("answer", [Answer.STAYS, Answer.GOES])
async def test_a_coordinator_writes_down_what_they_said(road: MillRoad, answer: Answer) -> None:
    await _round(road, LIMIT)
    async with road.db.write(EVERYWHERE) as conn:
        await retention.note_answer(
            conn, road.id, road.ines.id, answer, by=road.carla.id, now=at(days=LIMIT + 2)
        )
    goes = answer is Answer.GOES
    assert await _status(road, road.ines) is (Status.LEFT if goes else Status.ACTIVE)
    assert await _waiting(road, stays.waits_to_ask, LIMIT + 2) == []
    with pytest.raises(WrongState):
        async with road.db.write(EVERYWHERE) as conn:
            await retention.note_answer(
                conn, road.id, road.ines.id, answer, by=road.carla.id, now=at(days=LIMIT + 2)
            )


async def test_nobody_is_forgotten_whose_mail_never_left(road: MillRoad) -> None:
    gone = (road.ana,)
    await _round(road, LIMIT, but=gone)
    assert (await _round(road, FORGOTTEN + 1, but=gone)).forgotten == 0
    await _sent(road, LIMIT, dead_at=at(days=LIMIT + 1).at)
    assert (await _round(road, FORGOTTEN + 2, but=gone)).forgotten == 0
    assert set(await _waiting(road, stays.waits_to_ask, FORGOTTEN + 2)) == {
        road.ana.id,
        road.ines.id,
    }


async def test_nothing_happens_to_who_has_an_entry_that_waits_or_is_the_last_steward(
    road: MillRoad,
) -> None:
    gone = (road.ana, road.stella)
    waiting = await road.record(helped(road.bert, road.ana), road.bert, now=at(days=1))
    await _round(road, LIMIT, but=gone)
    await _sent(road, LIMIT)
    assert (await _round(road, FORGOTTEN + 1, but=gone)).forgotten == 0
    assert await _status(road, road.ana) is await _status(road, road.stella) is Status.ACTIVE
    await road.approve(waiting, now=at(days=2))


async def test_whoever_is_in_another_community_too_is_kept_there(road: MillRoad) -> None:
    """Signing in anywhere is a sign everywhere: it is one person who is here."""
    await _round(road, LIMIT, but=(road.ana,))
    await _seen(road, road.ana, LIMIT + 1)
    assert (await _round(road, LIMIT + 2, but=(road.ana,))).stayed == 1


async def test_an_agreement_that_keeps_people_for_good_again_ends_all_questions(
    road: MillRoad,
) -> None:
    gone = (road.ana,)
    await _round(road, LIMIT, but=gone)
    await _sent(road, LIMIT)
    await road.agree(retention_months=None)
    async with road.db.read(road.id) as conn:
        for query in (stays.waits_to_ask, stays.waits_to_forget):
            found = query(road.id, terms=Terms(), now=at(days=FORGOTTEN))
            assert (await conn.execute(found)).all() == []
    assert (await _round(road, FORGOTTEN + 9, but=gone)).stayed == 2
    await road.agree(retention_months=6)
    assert (await _round(road, FORGOTTEN + 10, but=gone)).forgotten == 0
    assert await _status(road, road.ana) is Status.ACTIVE


async def test_all_communities_are_looked_after(road: MillRoad) -> None:
    done = await retention.look_after_all(road.db, now=at(days=LIMIT))
    assert set(done) == {road.id}
    assert done[road.id].asked + done[road.id].to_ask == 6


async def test_what_was_asked_and_said_is_theirs_and_goes_with_them(road: MillRoad) -> None:
    await _round(road, LIMIT)
    async with road.db.write(EVERYWHERE) as conn:
        await my_data.close(conn, road.id, road.ines.id, by=road.carla.id, now=at(days=LIMIT))
        assert (await conn.execute(select(stays.stays))).all() == []
