"""Afterwards: what people say stays theirs, what the group keeps stays the group's.

Seen to turn red: a story read without its teller's consent; a name shown that was not given; notes
open to who was not there; a memory that counts a guest by subtraction; words that stay when an
account is closed.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from ledger import Minutes
from ledger.sql import metadata
from tests.timebank.evenings import AFTER, Evening, a_gathering, a_seat, an_evening
from tests.timebank.factories import a_member, at
from tests.timebank.scenes import MillRoad, mill_road
from timebank import gathering_actions, gathering_notes, memory, my_data, rooms, stories
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.gatherings import Openness, State, gatherings, seats, series
from timebank.hiding import Groups
from timebank.members import Member, MemberKind
from timebank.organisations import organisations
from timebank.sectors import sectors
from timebank.stories import Story, Told, Use

SAID = Told("The quiet room.", "Ring Jorge.", in_memory=True, in_reports=True, named=True)


@pytest.fixture
async def evening(db: Database) -> Evening:
    """Ana, Bert, Inés and the guest Jo were there."""
    evening = await an_evening(await mill_road(db))
    for name in evening.seats:
        await evening.tick(name, 120)
    return evening


async def tell(evening: Evening, told: Told, by: Member, whose: str | None = None) -> None:
    place = evening.place
    async with place.db.write(place.id) as conn:
        seat = evening.seats[whose] if whose else None
        await stories.tell(conn, place.id, evening.id, told, seat_id=seat, by=by.id, now=AFTER)


async def read(evening: Evening, *, everything: bool = False) -> list[tuple[str, str]]:
    """Who said what, as a member or (everything) who looks after it reads it."""
    place = evening.place
    async with place.db.read(place.id) as conn:
        room = await rooms.get(conn, place.id, evening.id)
        found = await stories.of_gathering(conn, room, everything=everything)
    return [(story.name, story.told.useful) for story in found]


async def allowed(evening: Evening, use: Use, **period: Any) -> list[Story]:
    place = evening.place
    async with place.db.read(place.id) as conn:
        return await stories.allowed(conn, place.id, use, **period)


# ── Stories ──────────────────────────────────────────────────────────────────────────────────────


async def test_each_use_has_a_consent_of_its_own(evening: Evening) -> None:
    place = evening.place
    await tell(evening, Told("Nobody else.", ""), place.ana)
    assert await read(evening) == []
    assert await read(evening, everything=True) == [("", "Nobody else.")]
    await tell(evening, Told("The group.", "", in_memory=True), place.ana)
    assert await read(evening) == [("", "The group.")]
    assert await allowed(evening, Use.REPORTS) == []
    await tell(evening, Told("Reports.", "", in_reports=True, named=True), place.ana)
    assert await read(evening) == []
    (story,) = await allowed(evening, Use.REPORTS)
    assert (story.name, story.told.useful, story.title) == ("Ana Lima", "Reports.", "Tea and talk")
    assert await allowed(evening, Use.REPORTS, since=at(days=1).at) == []
    assert await allowed(evening, Use.REPORTS, until=at().at) == []
    assert len(await allowed(evening, Use.REPORTS, since=at().at, until=at(days=1).at)) == 1


async def test_a_consent_is_taken_back_at_any_time_and_so_is_the_answer(evening: Evening) -> None:
    place = evening.place
    await tell(evening, SAID, place.bert)
    assert await read(evening) == [("Bert Okoro", "The quiet room.")]
    async with place.db.write(place.id) as conn:
        with pytest.raises(Forbidden):
            await stories.forbid(conn, place.id, place.bert.id, by=place.carla.id, now=AFTER)
        assert await stories.forbid(conn, place.id, place.bert.id, by=place.bert.id, now=AFTER) == 1
        (kept,) = await stories.of_member(conn, place.id, place.bert.id)
    assert (kept.told.useful, kept.told.in_memory, kept.told.named) == (
        "The quiet room.",
        False,
        False,
    )
    assert await read(evening) == []
    assert await allowed(evening, Use.REPORTS) == []
    await tell(evening, Told("", ""), place.bert)
    assert await read(evening, everything=True) == []


async def test_a_coordinator_or_a_buddy_writes_down_what_somebody_said(evening: Evening) -> None:
    place = evening.place
    await tell(evening, SAID, place.ana, "Inés García")
    await tell(evening, Told("Good cake.", "", in_memory=True), place.carla, "Jo")
    found = await read(evening)
    assert set(found) == {("Inés García", "The quiet room."), ("", "Good cake.")}
    with pytest.raises(Forbidden):
        await tell(evening, SAID, place.bert, "Inés García")
    async with place.db.read(place.id) as conn:
        story = await stories.own(conn, place.id, evening.id, place.ines.id)
    assert story is not None
    assert story.written_by == "Ana Lima"


async def test_only_who_was_there_has_something_to_tell(evening: Evening) -> None:
    place = evening.place
    with pytest.raises(NotFound):
        await tell(evening, SAID, place.dora)
    await evening.tick("Bert Okoro", 0, now=at(hours=4))
    with pytest.raises(NotFound):
        await tell(evening, SAID, place.bert)
    with pytest.raises(BadInput):
        await tell(evening, Told("a" * 2001, ""), place.ana)


async def test_a_guests_story_goes_along_when_they_turn_out_to_be_a_member(
    evening: Evening,
) -> None:
    from timebank import walk_ins

    place = evening.place
    await tell(evening, SAID, place.carla, "Jo")
    async with place.db.write(place.id) as conn:
        await walk_ins.recognise(
            conn,
            place.id,
            evening.id,
            evening.seats["Jo"],
            place.dora.id,
            by=place.ana.id,
            now=AFTER,
        )
    assert await read(evening) == [("Dora Winter", "The quiet room.")]


async def otto(place: MillRoad) -> Member:
    """A member who was not there."""
    async with place.db.write(EVERYWHERE) as conn:
        return await a_member(conn, place.id, "Otto Berg")


# ── Notes and actions ────────────────────────────────────────────────────────────────────────────


async def test_notes_are_shared_with_those_who_were_there(evening: Evening) -> None:
    place, note = evening.place, uuid4()

    async def write(words: str, by: Member) -> None:
        async with place.db.write(place.id) as conn:
            await gathering_notes.write(
                conn, place.id, evening.id, note, words, by=by.id, now=AFTER
            )

    for _ in range(2):
        await write("We want a bench.", place.bert)
    with pytest.raises(Forbidden):
        await write("We want none.", await otto(place))
    await write("We want a bench by the river.", place.ana)  # she looks after it
    async with place.db.read(place.id) as conn:
        room = await rooms.get(conn, place.id, evening.id)
        (kept,) = await gathering_notes.of_gathering(conn, room)
    assert (kept.words, kept.name) == ("We want a bench by the river.", "Bert Okoro")
    await write("", place.bert)
    async with place.db.read(place.id) as conn:
        assert await gathering_notes.of_gathering(conn, room) == []
    with pytest.raises(BadInput):
        await write("a" * 10_001, place.bert)


async def test_what_somebody_took_on_is_kept_until_it_is_done(evening: Evening) -> None:
    place, action = evening.place, uuid4()
    stranger = await otto(place)
    async with place.db.write(place.id) as conn:
        for _ in range(2):
            await gathering_actions.add(
                conn,
                place.id,
                evening.id,
                action,
                "Ask the council about a bench",
                member=place.ines.id,
                until=date(2026, 6, 1),
                by=place.bert.id,
                now=AFTER,
            )
        with pytest.raises(NotFound):
            await gathering_actions.add(
                conn,
                place.id,
                evening.id,
                uuid4(),
                "Wait",
                member=place.dora.id,
                by=place.ana.id,
                now=AFTER,
            )
        with pytest.raises(BadInput):
            await gathering_actions.add(
                conn, place.id, evening.id, uuid4(), "", by=place.ana.id, now=AFTER
            )
        await gathering_actions.tick_off(
            conn, place.id, evening.id, action, done=True, by=place.ana.id, now=AFTER
        )
        room = await rooms.get(conn, place.id, evening.id)
        (kept,) = await gathering_actions.of_gathering(conn, room)
        assert (kept.name, kept.until, kept.done, kept.done_by) == (
            "Inés García",
            date(2026, 6, 1),
            True,
            "Ana Lima",
        )
        await gathering_actions.tick_off(
            conn, place.id, evening.id, action, done=False, by=place.ana.id, now=AFTER
        )
        with pytest.raises(Forbidden):
            await gathering_actions.tick_off(
                conn, place.id, evening.id, action, done=True, by=stranger.id, now=AFTER
            )
        with pytest.raises(NotFound):
            await gathering_actions.tick_off(
                conn, place.id, evening.id, uuid4(), done=True, by=place.ana.id, now=AFTER
            )
        for _ in range(2):
            await gathering_actions.remove(
                conn, place.id, evening.id, action, by=place.bert.id, now=AFTER
            )
        assert await gathering_actions.of_gathering(conn, room) == []


# ── Memory ───────────────────────────────────────────────────────────────────────────────────────


async def a_full_room(place: MillRoad, sizes: dict[str, int], **facts: Any) -> UUID:
    """A gathering to which so many people of each sector came; "" for neighbours."""
    async with place.db.write(EVERYWHERE) as conn:
        id = await a_gathering(conn, place.id, place.ana.id, state=State.SETTLED, **facts)
        for sector, size in sizes.items():
            house = await _house(conn, place, sector) if sector else None
            for number in range(size):
                member = await a_member(
                    conn, place.id, f"{sector} {number} {id}", area="North" if number else "South"
                )
                await a_seat(conn, place.id, id, member.id, organisation=house, present=Minutes(60))
    return id


async def _house(conn: Any, place: MillRoad, sector: str) -> UUID:
    house = await a_member(conn, place.id, sector, kind=MemberKind.ORGANISATION)
    listed = select(sectors.c.id).where(
        sectors.c.community_id == place.id, sectors.c.name == sector
    )
    sector_id = (await conn.execute(listed)).scalar_one()
    known = await conn.execute(
        update(organisations)
        .where(organisations.c.community_id == place.id, organisations.c.id == house.id)
        .values(sector_id=sector_id)
    )
    if known.rowcount == 0:
        await conn.execute(
            insert(organisations).values(
                community_id=place.id, id=house.id, sector_id=sector_id, contact=""
            )
        )
    return house.id


async def remembered(place: MillRoad, gathering: UUID) -> memory.Memory | None:
    async with place.db.read(place.id) as conn:
        return await memory.of(conn, await rooms.get(conn, place.id, gathering))


async def test_who_was_in_the_room_is_told_in_groups_of_five_and_more(db: Database) -> None:
    place = await mill_road(db)
    id = await a_full_room(place, {"Health": 6, "Housing": 3, "Faith": 4, "": 7})
    found = await remembered(place, id)
    assert found is not None
    assert found.people == 20
    assert found.by_sector == Groups((("", 7), ("Health", 6)), others=7)
    assert found.by_area == Groups((), others=20), "four from the South would be too few"
    assert (found.again, found.new) == (0, 20)
    few = await remembered(place, await a_full_room(place, {"": 4}))
    assert few == memory.Memory(None, None, None, None, None, None, 1)


async def test_who_came_again_is_told_where_it_names_nobody(db: Database) -> None:
    place = await mill_road(db)
    first = await a_full_room(place, {"": 8}, starts=timedelta(days=-14))
    async with place.db.write(place.id) as conn:
        ids = [row.member_id for row in await conn.execute(select(seats.c.member_id))]
        second = await a_gathering(conn, place.id, place.ana.id, state=State.HELD)
        for member in ids[:6]:
            await a_seat(conn, place.id, second, member, present=Minutes(60))
        for name in "abcde":
            await a_seat(conn, place.id, second, name=name, present=Minutes(60))
    found = await remembered(place, second)
    assert found is not None
    assert (found.people, found.again, found.new) == (11, 6, 5)
    async with place.db.write(place.id) as conn:
        await conn.execute(update(seats).where(seats.c.name == "a").values(present=Minutes(0)))
    found = await remembered(place, second)
    assert found is not None
    assert (found.people, found.again, found.new) == (10, None, None)
    assert first


async def test_the_time_since_the_last_one_and_how_many_there_were(db: Database) -> None:
    place = await mill_road(db)
    ids = []
    async with place.db.write(place.id) as conn:
        each = at().new_id()
        await conn.execute(
            insert(series).values(
                community_id=place.id,
                id=each,
                rule="FREQ=WEEKLY;INTERVAL=2",
                first_on=at().at.date(),
                at="12:00",
                lasts=Minutes(120),
                made_by=place.ana.id,
                made_at=at().at,
            )
        )
        for number in range(3):
            starts = timedelta(days=14 * number)
            ids.append(await a_gathering(conn, place.id, place.ana.id, series=each, starts=starts))
        await conn.execute(
            update(gatherings).where(gatherings.c.id.in_(ids[:2])).values(state=State.SETTLED.value)
        )
    found = await remembered(place, ids[1])
    assert found is not None
    assert (found.since_last, found.number) == (timedelta(days=14), 2)
    assert await remembered(place, ids[2]) is None
    async with place.db.read(place.id) as conn:
        room = await rooms.get(conn, place.id, ids[1])
        coming = await rooms.next_after(conn, room, at(days=15))
        assert coming is not None
        assert coming.id == ids[2]
        assert await rooms.next_after(conn, room, at(days=60)) is None
    async with place.db.write(place.id) as conn:
        await conn.execute(
            update(gatherings)
            .where(gatherings.c.id == ids[2])
            .values(openness=Openness.INVITED.value)
        )
    async with place.db.read(place.id) as conn:
        assert await rooms.next_after(conn, room, at(days=15)) is None, "told to who may not know"
        closed = replace(room, openness=Openness.INVITED)
        coming = await rooms.next_after(conn, closed, at(days=15))
        assert coming is not None
        assert coming.id == ids[2]


# ── Leaving ──────────────────────────────────────────────────────────────────────────────────────


async def test_whoever_leaves_takes_their_words_along_and_the_group_keeps_its_notes(
    evening: Evening,
) -> None:
    place = evening.place
    await evening.settle()
    await evening.reopen("canary-reason", by=place.carla, now=at(hours=5))
    await evening.tick("Bert Okoro", 60, now=at(hours=5))
    await evening.close(by=place.dora, now=at(hours=6))
    entry = await evening.sent(place.dora, now=at(hours=6))
    await place.approve(entry, place.stella, now=at(hours=6))
    async with place.db.write(place.id) as conn:
        await a_seat(conn, place.id, evening.id, place.carla.id, present=Minutes(60))
        await stories.tell(
            conn,
            place.id,
            evening.id,
            Told("canary-useful", "canary-might", named=True),
            by=place.carla.id,
            now=AFTER,
        )
        await gathering_notes.write(
            conn, place.id, evening.id, uuid4(), "We want a bench.", by=place.carla.id, now=AFTER
        )
        archive = await my_data.archive(conn, place.id, place.carla.id, now=AFTER)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        kept = {name: files.read(name).decode() for name in files.namelist()}
    assert "canary-useful" in kept["stories.json"]
    assert "canary-reason" in kept["lists.json"]
    assert "bench" in kept["notes.json"]
    assert json.loads(kept["hours.json"]) == []
    async with place.db.write(EVERYWHERE) as conn:
        await my_data.close(conn, place.id, place.carla.id, by=place.carla.id, now=at(days=2))
    text = ""
    async with place.db.read(EVERYWHERE) as conn:
        for table in metadata.sorted_tables:
            if table.name != "outbox":
                text += "".join(repr(tuple(row)) for row in await conn.execute(select(table)))
        room = await rooms.get(conn, place.id, evening.id)
        (note,) = await gathering_notes.of_gathering(conn, room)
    assert "canary" not in text
    assert note.name.startswith("Former member")
    await place.assert_sound()
