"""Attendance: what was ticked is not lost, the later tick stands, and nobody is counted twice.

Seen to turn red: whichever tick arrives last stands; a tick counted again when it is sent again;
the phone's clock believed; two places for one member; a closed list that takes ticks; a list closed
with names nobody knows; a code that works the next day.
"""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from uuid import UUID, uuid5

import pytest
from sqlalchemy import func, select, update

from ledger import Minutes
from tests.timebank.evenings import AFTER, Evening, a_gathering, a_seat, an_evening
from tests.timebank.factories import a_member, at
from tests.timebank.scenes import mill_road
from timebank import attendance, carrying, doors, rooms, ticks, walk_ins
from timebank.agreements import Terms
from timebank.attendance_steps import StepKind
from timebank.carrying import Carries
from timebank.db import EVERYWHERE, Database
from timebank.errors import (
    BadInput,
    DoorShut,
    Forbidden,
    LinkSpent,
    ListClosed,
    NamesWaiting,
    NotBegun,
    NotFound,
    NotTakingPart,
    ReadOnlyMember,
    TooManyNames,
    WrongState,
)
from timebank.gatherings import Openness, Rule, State, gatherings, seats
from timebank.members import Status, members
from timebank.ticks import How, NewTick, Outcome


@pytest.fixture
async def evening(db: Database) -> Evening:
    """Ana facilitates, Inés brings the tea, Bert comes, and Jo, whom we hardly know."""
    place = await mill_road(db)
    carries = {"Ana Lima": ("facilitate",), "Inés García": ("tea",)}
    return await an_evening(place, carries=carries)


async def present(evening: Evening, name: str) -> int | None:
    minutes = (await evening.row(name)).present
    return None if minutes is None else minutes.count


# ── Ticks ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_tick_says_who_was_there_how_long_and_who_says_so(evening: Evening) -> None:
    assert await present(evening, "Bert Okoro") is None
    assert await evening.tick("Bert Okoro", 75) is Outcome.KEPT
    row = await evening.row("Bert Okoro")
    assert (row.present, row.ticked_by, row.how) == (Minutes(75), "Ana Lima", How.LIST)
    await evening.tick("Bert Okoro", None, now=at(hours=4))
    assert await present(evening, "Bert Okoro") is None


async def test_a_tick_that_is_sent_again_counts_once(evening: Evening) -> None:
    id = AFTER.new_id()
    await evening.tick("Bert Okoro", 120, id=id)
    await evening.tick("Bert Okoro", 45, now=at(hours=4))
    for _ in range(3):
        again = await evening.tick("Bert Okoro", 120, id=id, now=at(hours=5))
        assert again is Outcome.KEPT
    assert await present(evening, "Bert Okoro") == 45
    async with evening.place.db.read(evening.place.id) as conn:
        assert await conn.scalar(select(func.count()).select_from(ticks.ticks)) == 2


async def test_a_late_old_tick_does_not_undo_a_newer_one(evening: Evening) -> None:
    await evening.tick("Bert Okoro", 120, by=evening.place.carla)
    late = await evening.tick(
        "Bert Okoro", 0, age=timedelta(minutes=20), now=at(hours=3, minutes=1)
    )
    assert late is Outcome.KEPT
    assert await present(evening, "Bert Okoro") == 120
    later = await evening.tick("Bert Okoro", 90, age=timedelta(seconds=5), now=at(hours=4))
    assert later is Outcome.KEPT
    assert await present(evening, "Bert Okoro") == 90


async def test_no_tick_was_made_later_than_it_arrived_whatever_a_phone_says(
    evening: Evening,
) -> None:
    await evening.tick("Bert Okoro", 60, age=timedelta(days=-3))
    await evening.tick("Bert Okoro", 120, now=at(hours=3, seconds=1))
    assert await present(evening, "Bert Okoro") == 120


async def test_in_whatever_order_ticks_arrive_the_one_made_last_stands(evening: Evening) -> None:
    for number, order in enumerate(itertools.permutations((15, 30, 45))):
        name = f"Guest {number}"
        evening.seats[name] = (await evening.add(name)).seat_id
        for place, minutes in enumerate(order):
            arrives = at(hours=5, minutes=place)  # made at 4:15, 4:30, 4:45
            made = at(hours=4, minutes=minutes)
            await evening.tick(name, minutes, age=arrives.at - made.at, now=arrives)
        assert await present(evening, name) == 45


async def test_two_phones_tick_the_same_list_at_once(evening: Evening) -> None:
    names = ("Ana Lima", "Bert Okoro", "Inés García", "Jo")
    phones = (evening.place.ana, evening.place.carla)
    outcomes = await asyncio.gather(
        *(
            evening.tick(name, minutes, by=phones[number % 2], age=timedelta(seconds=number))
            for name in names
            for number, minutes in enumerate((120, 105, 90, 75))
        )
    )
    assert set(outcomes) == {Outcome.KEPT}
    assert [await present(evening, name) for name in names] == [120] * 4, "the newest of each"
    async with evening.place.db.read(evening.place.id) as conn:
        assert await conn.scalar(select(func.count()).select_from(seats)) == 4


async def test_what_another_phone_ticked_since_can_be_asked_for(evening: Evening) -> None:
    await evening.tick("Bert Okoro", 120)
    await evening.tick("Jo", 60, now=at(hours=4))
    place = evening.place
    async with place.db.read(place.id) as conn:
        found = await ticks.arrived_since(conn, place.id, evening.id, at(hours=3, minutes=30).at)
    assert [(one.seat_id, one.present) for one in found] == [(evening.seats["Jo"], Minutes(60))]


async def test_nobody_is_at_a_gathering_for_longer_than_a_day(evening: Evening) -> None:
    with pytest.raises(BadInput):
        await evening.tick("Bert Okoro", 24 * 60 + 1)


async def test_a_tick_for_somebody_who_is_not_on_this_list_is_told_so(evening: Evening) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        other = await a_gathering(conn, place.id, place.ana.id)
        evening.seats["elsewhere"] = await a_seat(conn, place.id, other, place.dora.id)
    assert await evening.tick("elsewhere") is Outcome.GONE
    async with place.db.read(place.id) as conn:
        assert await conn.scalar(select(func.count()).select_from(ticks.ticks)) == 0


async def test_who_looks_after_the_gathering_ticks_and_nobody_else(evening: Evening) -> None:
    place = evening.place
    for allowed in (place.ana, place.carla, place.stella):
        assert await evening.tick("Jo", by=allowed) is Outcome.KEPT
    for other in (place.bert, place.ines):
        with pytest.raises(Forbidden):
            await evening.tick("Jo", by=other)
    async with place.db.write(place.id) as conn:
        hosted = await a_gathering(conn, place.id, place.ana.id, hosted_by=(place.library.id,))
        room = await rooms.get(conn, place.id, hosted)
    assert room.organisers == {place.ana.id, place.bert.id}, "whoever keeps the host's account too"
    async with place.db.write(place.id) as conn:
        hidden = await a_gathering(conn, place.id, place.ana.id, openness=Openness.INVITED)
        with pytest.raises(NotFound):
            await rooms.for_organiser(conn, place.id, hidden, place.bert.id)
        await conn.execute(
            update(members).where(members.c.id == place.ana.id).values(status="paused")
        )
    with pytest.raises(ReadOnlyMember):
        await evening.tick("Jo")


async def test_a_gathering_that_was_called_off_has_no_list(evening: Evening) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        await conn.execute(update(gatherings).values(state=State.CANCELLED.value))
    with pytest.raises(WrongState):
        await evening.tick("Jo")
    assert not (await evening.roll()).open


# ── Names ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_name_of_a_member_ticks_that_member_and_makes_no_second_place(
    evening: Evening,
) -> None:
    added = await evening.add("bert okoro")
    assert (added.member_id, added.seat_id) == (evening.place.bert.id, evening.seats["Bert Okoro"])
    walked_in = await evening.add("Dora")
    assert walked_in.member_id == evening.place.dora.id
    assert await evening.add("Dora Winter") == walked_in
    assert await present(evening, "Dora Winter") == 120
    assert len((await evening.roll()).rows) == 5


async def test_a_name_nobody_has_is_a_guests_and_stands_once(evening: Evening) -> None:
    id = AFTER.new_id()
    for _ in range(2):
        assert (await evening.add("Grandma Joan", seat_id=id)).seat_id == id
    other_phone = await evening.add("grandma  JOAN", by=evening.place.carla)
    assert other_phone.seat_id == id
    row = await evening.row("Grandma Joan")
    assert (row.member_id, row.to_confirm, row.present) == (None, False, Minutes(120))
    with pytest.raises(BadInput):
        await evening.add("  ")


async def test_a_name_that_fits_several_stands_until_somebody_says_who_it_is(
    evening: Evening,
) -> None:
    place = evening.place
    async with place.db.write(EVERYWHERE) as conn:
        await a_member(conn, place.id, "Ana Ruiz")
    added = await evening.add("Ana")
    assert {choice.label for choice in added.choices} == {"Ana Lima", "Ana Ruiz"}
    assert [row.name for row in (await evening.roll()).to_confirm] == ["Ana"]
    with pytest.raises(NamesWaiting):
        await evening.close()
    async with place.db.write(place.id) as conn:
        for _ in range(2):
            await walk_ins.recognise(
                conn, place.id, evening.id, added.seat_id, place.ana.id, by=place.ana.id, now=AFTER
            )
    assert await present(evening, "Ana Lima") == 120
    assert [row.name for row in (await evening.roll()).rows].count("Ana Lima") == 1
    await evening.close()


async def test_a_name_that_turns_out_to_be_a_members_brings_its_ticks_and_roles_along(
    evening: Evening,
) -> None:
    place = evening.place
    added = await evening.add("Tall Bert")
    evening.seats["Tall Bert"] = added.seat_id
    await evening.carry("Tall Bert", "notes", after=50)
    await evening.tick("Tall Bert", 60, now=at(hours=3, minutes=10))
    await evening.tick("Bert Okoro", 0, now=at(hours=3, minutes=5))
    async with place.db.write(place.id) as conn:
        await walk_ins.recognise(
            conn,
            place.id,
            evening.id,
            added.seat_id,
            place.bert.id,
            by=place.ana.id,
            now=at(hours=4),
        )
    row = await evening.row("Bert Okoro")
    assert (row.present, [duty.key for duty in row.duties]) == (Minutes(60), ["notes"])
    assert row.duties[0].after == Minutes(50)
    assert "Tall Bert" not in [row.name for row in (await evening.roll()).rows]
    assert await evening.tick("Tall Bert", 120, now=at(hours=5)) is Outcome.GONE


async def test_a_name_may_be_a_guest_we_know_or_nobody_at_all(evening: Evening) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        room = await rooms.get(conn, place.id, evening.id)
        for name in ("Joe King", "Mr Weber"):
            await walk_ins.at_the_door(
                conn, room, name, seat_id=uuid5(evening.id, name), now=at(hours=1)
            )
    async with place.db.write(place.id) as conn:
        await walk_ins.recognise(
            conn,
            place.id,
            evening.id,
            uuid5(evening.id, "Mr Weber"),
            None,
            by=place.ana.id,
            now=AFTER,
        )
        for _ in range(2):
            await walk_ins.strike(
                conn,
                place.id,
                evening.id,
                uuid5(evening.id, "Joe King"),
                by=place.ana.id,
                now=AFTER,
            )
        await walk_ins.strike(
            conn, place.id, evening.id, evening.seats["Bert Okoro"], by=place.ana.id, now=AFTER
        )
    names = {row.name for row in (await evening.roll()).rows}
    assert names == {"Ana Lima", "Bert Okoro", "Inés García", "Jo", "Mr Weber"}
    assert not (await evening.roll()).to_confirm


async def test_who_is_no_active_member_cannot_be_put_down_as_one(evening: Evening) -> None:
    place = evening.place
    added = await evening.add("Somebody")
    async with place.db.write(EVERYWHERE) as conn:
        gone = await a_member(conn, place.id, "Gone Away", status=Status.LEFT)
    with pytest.raises(NotTakingPart):
        async with place.db.write(place.id) as conn:
            await walk_ins.recognise(
                conn, place.id, evening.id, added.seat_id, gone.id, by=place.ana.id, now=AFTER
            )


async def test_the_list_shows_who_is_expected_first_and_who_said_no_last(evening: Evening) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        for name, answer in (("Yan", "yes"), ("Abe", "no"), ("Mia", "maybe")):
            seat = await a_seat(conn, place.id, evening.id, name=name)
            await conn.execute(update(seats).where(seats.c.id == seat).values(answer=answer))
    names = [row.name for row in (await evening.roll()).rows]
    assert names == ["Ana Lima", "Bert Okoro", "Inés García", "Jo", "Yan", "Mia", "Abe"]


# ── Roles ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_role_counts_the_minutes_agreed_unless_others_are_written_down(
    evening: Evening,
) -> None:
    await evening.tick("Ana Lima", 100)
    await evening.tick("Inés García", 120)
    (facilitating,) = (await evening.row("Ana Lima")).duties
    (tea,) = (await evening.row("Inés García")).duties
    assert (facilitating.minutes, tea.minutes) == (Minutes(160), Minutes(75))
    await evening.carry("Inés García", "tea", before=90, after=30)
    (tea,) = (await evening.row("Inés García")).duties
    assert (tea.before, tea.after, tea.corrected) == (Minutes(90), Minutes(30), True)
    await evening.carry("Inés García", "tea", before=45, after=30)
    assert not (await evening.row("Inés García")).duties[0].corrected
    with pytest.raises(BadInput):
        await evening.carry("Inés García", "tea", before=24 * 60 + 1)


async def test_somebody_else_may_have_done_it_and_a_role_nobody_planned_may_be_carried(
    evening: Evening,
) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        bare = await a_gathering(conn, place.id, place.ana.id, roles=())
        seat = await a_seat(conn, place.id, bare, place.bert.id)
        await carrying.write_down(
            conn, place.id, bare, [Carries(seat, "tea")], by=place.ana.id, now=AFTER
        )
        for strange in (Carries(seat, "juggle"), Carries(evening.id, "tea")):
            with pytest.raises(NotFound):
                await carrying.write_down(
                    conn, place.id, bare, [strange], by=place.ana.id, now=AFTER
                )
        room = await rooms.get(conn, place.id, bare)
        assert [role.key for role in room.roles] == ["tea"]
        assert "host" in {role.key for role in await carrying.more_roles(conn, room)}
        await carrying.write_down(
            conn, place.id, bare, dropped=[(seat, "tea")], by=place.ana.id, now=AFTER
        )
        assert (await attendance.roll(conn, room)).rows[0].duties == ()


# ── The door ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_code_at_the_door_ticks_members_and_takes_names_of_others(
    evening: Evening,
) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        token = await doors.make(
            conn, place.id, evening.id, anew=False, by=place.ana.id, now=at(days=-1)
        )
        assert token == await doors.make(
            conn, place.id, evening.id, anew=False, by=place.carla.id, now=at()
        )
    async with place.db.write(EVERYWHERE) as conn:
        for _ in range(2):
            await doors.come_in(conn, token, by=place.bert.id, now=at(minutes=5))
            await doors.come_in(conn, token, by=place.dora.id, now=at(minutes=5))
            await doors.leave_name(
                conn, token, "Tom Weber", seat_id=uuid5(evening.id, "tom"), now=at(minutes=6)
            )
    rows = {row.name: row for row in (await evening.roll()).rows}
    assert {name for name, row in rows.items() if row.came} == {
        "Bert Okoro",
        "Dora Winter",
        "Tom Weber",
    }
    assert rows["Tom Weber"].to_confirm
    assert not rows["Dora Winter"].to_confirm
    await evening.tick("Bert Okoro", 45, now=at(minutes=30))
    async with place.db.write(EVERYWHERE) as conn:
        await doors.come_in(conn, token, by=place.bert.id, now=at(minutes=31))
    assert await present(evening, "Bert Okoro") == 45, "who is there already is left as they are"


async def test_a_code_works_around_its_gathering_and_as_long_as_the_list_is_open(
    evening: Evening,
) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        token = await doors.make(conn, place.id, evening.id, anew=False, by=place.ana.id, now=at())
    async with place.db.read(EVERYWHERE) as conn:
        for moment, open_ in (
            (at(minutes=-61), False),
            (at(minutes=-59), True),
            (at(minutes=179), True),
            (at(minutes=181), False),
        ):
            assert (await doors.look(conn, token, now=moment)).open is open_
        with pytest.raises(LinkSpent):
            await doors.look(conn, "another", now=at())
    async with place.db.write(EVERYWHERE) as conn:
        with pytest.raises(DoorShut):
            await doors.come_in(conn, token, by=place.bert.id, now=at(days=1))
    async with place.db.write(place.id) as conn:
        newer = await doors.make(conn, place.id, evening.id, anew=True, by=place.ana.id, now=at())
    assert newer != token
    await evening.close(now=at(hours=2))
    async with place.db.write(EVERYWHERE) as conn:
        with pytest.raises(LinkSpent):
            await doors.come_in(conn, token, by=place.bert.id, now=at(hours=2))
        with pytest.raises(DoorShut):
            await doors.come_in(conn, newer, by=place.bert.id, now=at(hours=2))


async def test_a_door_takes_no_more_names_than_a_room_holds(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk_ins, "MOST_NAMES", 2)
    place = evening.place
    async with place.db.write(place.id) as conn:
        room = await rooms.get(conn, place.id, evening.id)
        for name in ("A", "B", "B"):
            await walk_ins.at_the_door(conn, room, name, seat_id=uuid5(room.id, name), now=at())
        with pytest.raises(TooManyNames):
            await walk_ins.at_the_door(conn, room, "C", seat_id=uuid5(room.id, "C"), now=at())


# ── Closing ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_closed_list_says_that_the_others_did_not_come_and_takes_no_more_ticks(
    evening: Evening,
) -> None:
    await evening.tick("Bert Okoro", 120)
    with pytest.raises(NotBegun):
        await evening.close(now=at(minutes=-1))
    await evening.close()
    await evening.close(by=evening.place.carla)
    roll = await evening.roll()
    assert not roll.open
    assert [step.kind for step in roll.steps] == [StepKind.CLOSED]
    assert {row.present for row in roll.rows} == {Minutes(0), Minutes(120)}
    assert await evening.tick("Jo", now=at(hours=5)) is Outcome.CLOSED
    with pytest.raises(ListClosed):
        await evening.add("Somebody")
    with pytest.raises(ListClosed):
        await evening.carry("Bert Okoro", "notes")
    assert await present(evening, "Jo") == 0


async def test_a_list_that_was_opened_again_takes_ticks_and_says_why(evening: Evening) -> None:
    await evening.close()
    await evening.reopen("Jo came after all.", by=evening.place.carla, now=at(hours=4))
    await evening.reopen("Twice.", now=at(hours=4))
    assert await evening.tick("Jo", now=at(hours=5)) is Outcome.KEPT
    roll = await evening.roll()
    assert [(step.kind, step.name, step.words) for step in roll.steps][1:] == [
        (StepKind.OPENED, "Carla Rossi", "Jo came after all.")
    ]
    assert (roll.reason, roll.room.state) == ("Jo came after all.", State.HELD)


async def test_what_waits_for_a_coordinator(evening: Evening) -> None:
    place = evening.place

    async def waiting(source: object, days: float) -> list[tuple[UUID, object]]:
        query = source(place.id, terms=Terms(), now=at(days=days))  # type: ignore[operator]
        async with place.db.read(place.id) as conn:
            return [(row.id, row.since) for row in await conn.execute(query)]

    assert await waiting(attendance.waits, 2) == []
    assert await waiting(attendance.waits, 2.1) == [(evening.id, at(hours=2).at)]
    async with place.db.write(place.id) as conn:
        room = await rooms.get(conn, place.id, evening.id)
        await walk_ins.at_the_door(conn, room, "Tom", seat_id=uuid5(room.id, "Tom"), now=at())
    assert await waiting(walk_ins.waits, 0) == [(evening.id, at().at)]
    async with place.db.write(place.id) as conn:
        await walk_ins.recognise(
            conn, place.id, evening.id, uuid5(evening.id, "Tom"), None, by=place.ana.id, now=AFTER
        )
    assert await waiting(walk_ins.waits, 0) == []
    await evening.close()
    assert await waiting(attendance.waits, 9) == []
    await evening.reopen(now=at(days=3))
    assert await waiting(attendance.waits, 4) == []
    assert await waiting(attendance.waits, 5) == [(evening.id, at(days=3).at)]


async def test_a_gathering_without_hours_is_settled_with_its_list(db: Database) -> None:
    place = await mill_road(db)
    evening = await an_evening(place, rule=Rule.NONE)
    await evening.tick("Bert Okoro")
    await evening.close()
    assert await evening.state() is State.SETTLED
    assert await place.told() == ["bert@example.org"]
    await evening.reopen(now=at(hours=5))
    await evening.close(now=at(hours=6))
    assert await evening.state() is State.SETTLED
    assert len(await place.told()) == 1, "nobody is thanked twice"


async def test_a_change_needs_the_list_and_waits_for_it(evening: Evening) -> None:
    """Closing and ticking at once: the tick is kept before, or told that it came too late."""
    for number in range(4):
        outcome, _ = await asyncio.gather(
            evening.tick("Jo", 30 + number, now=at(hours=4 + number)),
            evening.close(now=at(hours=4 + number)),
        )
        stands = await present(evening, "Jo")
        assert (outcome is Outcome.KEPT) is (stands == 30 + number)
        await evening.reopen(now=at(hours=4 + number, minutes=30))


def test_a_change_knows_how_it_was_made() -> None:
    assert NewTick(UUID(int=1), UUID(int=2), None).how is How.LIST
