"""What a coordinator did in the inbox, and the way back; and the mail of the morning.

Seen to turn red: a deed twice by a double click; somebody else's deeds; undoing without a reason;
marking a deed as undone although something of it was refused; a second mail on the same morning.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.timebank.factories import a_member, at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import entry_steps, inbox, members
from timebank.db import Database
from timebank.entry import Entry, State
from timebank.errors import Forbidden, NotFound, OwnGain, ReasonMissing, WrongState
from timebank.inbox import Thing, Why, aside, deeds, in_hand, morning, undoing
from timebank.inbox.deeds import Deed, DeedKind, Item
from timebank.inbox.undoing import Undone
from timebank.members import Member, Role, Status
from timebank.moment import Moment
from timebank.outbox import outbox

DEED = UUID(int=5)


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def keep(place: MillRoad, kind: DeedKind, items: list[Item], id: UUID = DEED) -> None:
    async with place.db.write(place.id) as conn:
        await deeds.keep(conn, place.id, kind, items, id=id, by=place.carla.id, now=at(hours=1))


async def undo(place: MillRoad, reason: str = "", by: Member | None = None) -> Undone:
    return await undoing.undo(
        place.db, place.id, DEED, reason=reason, by=(by or place.carla).id, now=at(hours=2)
    )


async def today(place: MillRoad, by: Member | None = None) -> list[Deed]:
    async with place.db.read(place.id) as conn:
        return await deeds.since(conn, place.id, at().at, by=(by or place.carla).id)


async def approved(place: MillRoad, *entries: Entry) -> None:
    for entry in entries:
        await place.approve(entry)
    items = [Item(Thing(Why.APPROVAL, entry.id), entry.minutes) for entry in entries]
    await keep(place, DeedKind.APPROVED, items)
    await keep(place, DeedKind.APPROVED, items)  # a double click


async def test_a_batch_of_approvals_is_undone_with_one_reason(place: MillRoad) -> None:
    written = [await place.record(helped(place.ana, place.bert, n), place.ana) for n in (60, 45)]
    await approved(place, *written)
    (deed,) = await today(place)
    assert (deed.kind, deed.count, deed.minutes.count, deed.can_be_undone) == (
        DeedKind.APPROVED,
        2,
        105,
        True,
    )
    assert await today(place, place.dora) == []
    with pytest.raises(NotFound):
        await undo(place, "No.", by=place.dora)
    with pytest.raises(ReasonMissing):
        await undo(place)
    undone = await undo(place, "The wrong sheet.")
    assert ([thing.id for thing in undone.done], undone.refused) == (
        [entry.id for entry in written],
        {},
    )
    assert await place.balance(place.ana) == 0
    assert [(await place.story(entry))[-1].words for entry in written] == ["The wrong sheet."] * 2
    (deed,) = await today(place)
    assert not deed.can_be_undone
    assert (await undo(place, "Again.")).refused == {}  # twice is once
    await place.assert_sound()


async def test_what_cannot_be_undone_says_why_and_the_rest_is(place: MillRoad) -> None:
    mine = await place.record(helped(place.ana, place.carla), place.ana)
    fine = await place.record(helped(place.ana, place.bert, 45), place.ana)
    await place.approve(mine, place.dora)
    await place.approve(fine)
    items = [Item(Thing(Why.APPROVAL, entry.id), entry.minutes) for entry in (mine, fine)]
    await keep(place, DeedKind.APPROVED, items)
    undone = await undo(place, "No.")
    assert [thing.id for thing in undone.done] == [fine.id]
    ((thing, error),) = undone.refused.items()
    assert (thing.id, type(error)) == (mine.id, OwnGain)
    (deed,) = await today(place)
    assert deed.can_be_undone


async def test_a_question_to_many_is_taken_back_where_nobody_answered(place: MillRoad) -> None:
    written = [await place.record(helped(place.ana, place.bert, n), place.ana) for n in (60, 45)]
    for entry in written:
        await place.step(entry_steps.return_with_question, entry, place.carla, "When?")
    await keep(
        place,
        DeedKind.RETURNED,
        [Item(Thing(Why.APPROVAL, e.id), e.minutes, State.RECORDED.value) for e in written],
    )
    await place.step(entry_steps.answer, written[1], place.ana, "On Monday.")
    undone = await undo(place)
    assert [thing.id for thing in undone.done] == [written[0].id]
    assert [type(error) for error in undone.refused.values()] == [WrongState]
    assert (await place.entry(written[0].id)).state is State.RECORDED


async def test_what_was_put_aside_or_taken_comes_back(place: MillRoad) -> None:
    first = await place.record(helped(place.ana, place.bert), place.ana)
    again = await place.record(helped(place.ana, place.bert), place.ana, at(minutes=1))
    thing = Thing(Why.ODD, again.id)
    assert first.minutes == again.minutes

    async def waiting() -> list[Any]:
        async with place.db.read(place.id) as conn:
            found = await inbox.page(conn, place.id, by=place.carla.id, now=at(hours=2))
            return [row.key for row in found.rows if row.why is Why.ODD]

    async with place.db.write(place.id) as conn:
        (note,) = await aside.put(
            conn, place.id, [thing], until=at(days=3).at, words="", by=place.carla.id, now=at()
        )
    await keep(place, DeedKind.PUT_ASIDE, [Item(thing, before=str(note))])
    assert await waiting() == []
    assert (await undo(place)).done == (thing,)
    assert await waiting() == [thing]


async def test_who_was_welcomed_is_a_member_and_that_has_no_undo(place: MillRoad) -> None:
    await keep(place, DeedKind.WELCOMED, [Item(Thing(Why.APPLICATION, place.ana.id))])
    with pytest.raises(WrongState):
        await undo(place)


async def test_letting_go_is_the_way_back_from_taking(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    thing = Thing(Why.APPROVAL, entry.id)
    async with place.db.write(place.id) as conn:
        await in_hand.take(conn, place.id, [thing], by=place.carla.id, now=at())
    await keep(place, DeedKind.TAKEN, [Item(thing)])
    await undo(place)
    async with place.db.read(place.id) as conn:
        assert await in_hand.of(conn, place.id, [thing], now=at()) == {}


# ── The mail of the morning ──────────────────────────────────────────────────────────────────────


async def mailed(place: MillRoad, now: Moment) -> list[str]:
    """Who gets a mail by this look at the clock."""
    async with place.db.read(place.id) as conn:
        before = {row.id for row in await conn.execute(select(outbox.c.id))}
    await morning.mail(place.db, now=now)
    async with place.db.read(place.id) as conn:
        rows = await conn.execute(select(outbox))
        return sorted(row.to_address for row in rows if row.id not in before)


async def want(place: MillRoad, member: Member, hour: int | None, now: Moment) -> None:
    async with place.db.write(place.id) as conn:
        await morning.choose(conn, place.id, hour, by=member.id, now=now)


async def test_each_morning_at_the_hour_of_the_place_if_something_waits(place: MillRoad) -> None:
    # Noon in UTC on 4 May is one o'clock in London.
    await want(place, place.carla, 8, at())
    await want(place, place.stella, 14, at())
    with pytest.raises(Forbidden):
        await want(place, place.ana, 8, at())
    await place.record(helped(place.ana, place.bert), place.ana)
    assert await mailed(place, at(hours=6)) == []  # the first one comes tomorrow
    tomorrow = timedelta(days=1)

    def clock(hour: int, minute: int = 0) -> Moment:
        return Moment(at().at.replace(hour=hour, minute=minute) + tomorrow)

    assert await mailed(place, clock(6, 59)) == []  # 7:59 in London
    assert await mailed(place, clock(7)) == ["carla@example.org"]
    assert await mailed(place, clock(7, 30)) == []
    assert await mailed(place, clock(13, 5)) == ["stella@example.org"]
    async with place.db.read(place.id) as conn:
        mail = (
            await conn.execute(select(outbox).where(outbox.c.to_address == "carla@example.org"))
        ).all()[-1]
    assert mail.subject == "(1) One thing waits in Mill Road"
    assert "Hours to approve: 1" in mail.body
    assert mail.path == "/c/mill-road/inbox"


async def test_no_mail_where_nothing_waits_or_nobody_coordinates_any_more(place: MillRoad) -> None:
    await want(place, place.carla, 8, at())
    await want(place, place.dora, 8, at())
    assert await mailed(place, at(days=1)) == []
    await place.record(helped(place.ana, place.bert), place.ana, at(days=1))
    assert await mailed(place, at(days=1, hours=1)) == []  # today was looked at
    async with place.db.write(place.id) as conn:
        await members.set_role(
            conn, place.id, place.dora.id, Role.MEMBER, by=place.stella.id, now=at(days=1)
        )
    assert await mailed(place, at(days=2)) == ["carla@example.org"]
    await want(place, place.carla, None, at(days=2))
    assert await mailed(place, at(days=3)) == []


async def test_a_new_coordinator_hears_of_applications_too(place: MillRoad) -> None:
    await want(place, place.carla, 0, at(days=-1))
    async with place.db.write(place.id) as conn:
        await a_member(conn, place.id, "Zora", status=Status.APPLIED, now=at())
    assert await mailed(place, at()) == ["carla@example.org"]
