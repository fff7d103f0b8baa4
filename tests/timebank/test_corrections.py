"""Undo, correct, and disputes that are a conversation with one coordinator.

Seen to turn red: writing the new entry down when the undoing was refused; undoing although the new
entry is refused; a second correction by a double click; a coordinator who stands in the entry
looking into it; telling those concerned twice; taking back a question that was answered.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from ledger import Minutes
from ledger.errors import FloorReached
from tests.infrastructure.by_hand import by_hand
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import (
    acting,
    corrections,
    disputes,
    entries,
    entry_steps,
    policy,
    posting,
    statements,
)
from timebank.corrections import Around
from timebank.db import Database
from timebank.entry import Entry, NewEntry, State, StepKind
from timebank.errors import (
    Forbidden,
    NotTakingPart,
    OwnGain,
    ReasonMissing,
    SamePersonTwice,
    WrongState,
)
from timebank.members import Member, members
from timebank.outbox import outbox
from timebank.posting import Approve, Correct, Done, Refused, Verdict

NEW = UUID(int=7)


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def correct(
    place: MillRoad,
    entry: Entry,
    new: NewEntry,
    *,
    by: Member | None = None,
    reason: str = "It was an hour less.",
    new_id: UUID = NEW,
    override: bool = False,
) -> Verdict:
    asked = Correct(place.id, entry.id, (by or place.carla).id, reason, new, new_id, override)
    (verdict,) = await posting.post(place.db, [asked], now=at(hours=3))
    return verdict


async def posted(place: MillRoad, minutes: int = 120) -> Entry:
    entry = await place.record(helped(place.ana, place.bert, minutes), place.ana)
    await place.approve(entry)
    return entry


async def around(place: MillRoad, id: UUID) -> Around:
    async with place.db.read(place.id) as conn:
        return await corrections.around(conn, place.id, id)


async def mails_since(place: MillRoad, count: int) -> list[tuple[str, str]]:
    async with place.db.read(place.id) as conn:
        rows = await conn.execute(select(outbox).order_by(outbox.c.id))
        return sorted((row.to_address, row.subject) for row in rows.all()[count:])


async def there(place: MillRoad, id: UUID) -> bool:
    async with place.db.read(place.id) as conn:
        return bool(await entries.load(conn, place.id, [id]))


# ── Correcting what is posted ────────────────────────────────────────────────────────────────────


async def test_a_correction_undoes_and_writes_down_in_one_go_and_the_story_shows_both_ways(
    place: MillRoad,
) -> None:
    old = await posted(place)
    before = len(await place.told())
    verdict = await correct(place, old, helped(place.ana, place.bert, 60))
    assert verdict == Done(old.id, 1, replayed=False)
    undone, fresh = await place.entry(old.id), await place.entry(NEW)
    assert (undone.state, fresh.state, fresh.minutes) == (
        State.REVERSED,
        State.RECORDED,
        Minutes(60),
    )
    assert await place.balance(place.ana) == 0
    reversal = posting.reversal_id(old.id)
    assert await around(place, old.id) == Around(corrected_by=NEW)
    assert await around(place, NEW) == Around(corrects=old.id)
    assert await around(place, reversal) == Around(corrected_by=NEW)
    # One mail each, about both together; Carla did it herself.
    assert await mails_since(place, before) == [
        ("ana@example.org", "Corrected: The garden"),
        ("bert@example.org", "Corrected: The garden"),
    ]
    assert isinstance(await place.approve(fresh, place.dora), Done)
    assert await place.balance(place.ana) == 60
    async with place.db.read(place.id) as conn:
        page = await statements.page(conn, place.id, place.ana.id, by=place.ana.id)
    assert [(line.minutes.count, line.undone) for line in page.lines] == [
        (60, False),
        (-120, True),
        (120, True),
    ]
    await place.assert_sound()


async def test_a_double_click_corrects_once_and_another_correction_is_too_late(
    place: MillRoad,
) -> None:
    old = await posted(place)
    new = helped(place.ana, place.bert, 60)
    await correct(place, old, new)
    assert await correct(place, old, new) == Done(old.id, 1, replayed=True)
    late = await correct(place, old, new, new_id=UUID(int=8))
    assert isinstance(late, Refused)
    assert isinstance(late.error, WrongState)
    assert not await there(place, UUID(int=8))
    other = await posted(place, 30)
    await place.undo(other)
    gone = await correct(place, other, new, new_id=UUID(int=9))
    assert isinstance(gone, Refused)
    assert isinstance(gone.error, WrongState)
    await place.assert_sound()


async def test_of_two_coordinators_at_once_one_corrects(place: MillRoad) -> None:
    old = await posted(place)
    new = helped(place.ana, place.bert, 60)
    verdicts = await asyncio.gather(
        correct(place, old, new, by=place.carla, new_id=UUID(int=8)),
        correct(place, old, new, by=place.dora, new_id=UUID(int=9)),
    )
    assert sorted(type(verdict).__name__ for verdict in verdicts) == ["Done", "Refused"]
    assert [await there(place, UUID(int=n)) for n in (8, 9)].count(True) == 1
    await place.assert_sound()


async def test_what_stands_in_its_place_hears_only_of_itself(place: MillRoad) -> None:
    """It was Dora and not Bert: Bert hears that it is gone, Dora that something was written."""
    old = await posted(place)
    before = len(await place.told())
    await correct(place, old, helped(place.ana, place.dora, 120))
    assert await mails_since(place, before) == [
        ("ana@example.org", "Corrected: The garden"),
        ("bert@example.org", "Corrected: The garden"),
        ("dora@example.org", "Carla Rossi recorded 2:00: The garden"),
    ]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"reason": " "}, ReasonMissing),
        ({"new": "oneself"}, SamePersonTwice),
        ({"new": "paused"}, NotTakingPart),
        ({"by": "bert"}, Forbidden),
    ],
)
async def test_where_one_half_is_refused_neither_is_done(
    place: MillRoad, change: dict[str, str], refusal: type[Exception]
) -> None:
    old = await posted(place)
    new = helped(place.ana, place.bert, 60)
    if change.get("new") == "oneself":
        new = helped(place.ana, place.ana)
    elif change.get("new") == "paused":
        async with place.db.write(place.id) as conn:
            await conn.execute(
                members.update().where(members.c.id == place.dora.id).values(status="paused")
            )
        new = helped(place.ana, place.dora)
    by = {"bert": place.bert}.get(change.get("by", ""), place.carla)
    verdict = await correct(place, old, new, by=by, reason=change.get("reason", "It was less."))
    assert isinstance(verdict, Refused)
    assert isinstance(verdict.error, refusal)
    assert (await place.entry(old.id)).state is State.APPROVED
    assert not await there(place, NEW)
    assert await around(place, old.id) == Around()


async def test_a_floor_refuses_the_whole_correction_unless_a_reason_is_given(
    place: MillRoad,
) -> None:
    await place.agree(soft_floor=Minutes(-60), hard_floor=Minutes(-60))
    old = await posted(place, 60)
    spent = await place.record(helped(place.dora, place.ana, 90), place.dora)
    await place.approve(spent, place.stella)
    new = helped(place.ana, place.bert, 30)
    refused = await correct(place, old, new)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, FloorReached)
    assert not await there(place, NEW)
    assert isinstance(await correct(place, old, new, override=True), Done)
    step = (await place.story(old))[-1]
    assert (step.kind, step.override) == (StepKind.REVERSED, True)
    async with place.db.read(place.id) as conn:
        page = await statements.page(conn, place.id, place.ana.id, by=place.ana.id)
    # It is undoing that passed the floor, and so the line that undoes carries the mark.
    assert [line.override for line in page.lines] == [True, False, False]
    await place.assert_sound()


async def test_nobody_corrects_to_their_own_gain_and_a_crowd_does_not_suffer(
    place: MillRoad,
) -> None:
    received = await place.record(helped(place.ana, place.carla), place.ana)
    await place.approve(received, place.dora)
    fine = await place.record(helped(place.ana, place.bert), place.ana)
    asked: list[Any] = [
        Correct(place.id, received.id, place.carla.id, "No.", helped(place.ana, place.bert), NEW),
        Approve(place.id, fine.id, place.carla.id),
    ]
    own, other = await posting.post(place.db, asked, now=at(hours=3))
    assert isinstance(own, Refused)
    assert isinstance(own.error, OwnGain)
    assert isinstance(other, Done)


async def test_an_id_that_is_taken_is_no_door_for_a_correction(place: MillRoad) -> None:
    old = await posted(place)
    await place.record(helped(place.ana, place.bert), place.ana, entry_id=NEW)
    verdict = await correct(place, old, helped(place.ana, place.bert, 60))
    assert isinstance(verdict, Refused)
    assert (await place.entry(old.id)).state is State.APPROVED


# ── Correcting what waits ────────────────────────────────────────────────────────────────────────


async def test_an_entry_that_waits_is_declined_and_written_anew(place: MillRoad) -> None:
    old = await place.record(helped(place.ana, place.bert, 120), place.ana)
    before = len(await place.told())

    async def replace(by: Member, reason: str = "An hour less.") -> Entry:
        async with place.db.write(place.id) as conn:
            return await corrections.replace(
                conn,
                place.id,
                old.id,
                helped(place.ana, place.bert, 60),
                reason=reason,
                corrected_id=NEW,
                by=by.id,
                now=at(hours=1),
            )

    with pytest.raises(Forbidden):
        await replace(place.ana)
    with pytest.raises(ReasonMissing):
        await replace(place.carla, "")
    fresh = await replace(place.carla)
    assert (await replace(place.carla)).id == fresh.id == NEW
    declined = await place.entry(old.id)
    assert (declined.state, fresh.state) == (State.DECLINED, State.RECORDED)
    assert await around(place, old.id) == Around(corrected_by=NEW)
    assert await mails_since(place, before) == [
        ("ana@example.org", "Corrected: The garden"),
        ("bert@example.org", "Corrected: The garden"),
    ]


async def test_corrections_are_kept_as_they_were_written(place: MillRoad) -> None:
    old = await posted(place)
    await correct(place, old, helped(place.ana, place.bert, 60))
    for statement in ("UPDATE correction SET made_at = made_at", "DELETE FROM correction"):
        with pytest.raises(IntegrityError, match="kept as it was written"):
            async with by_hand(place.db.settings) as conn:
                await conn.exec_driver_sql(statement)


# ── Disputes ─────────────────────────────────────────────────────────────────────────────────────


async def who(place: MillRoad, entry: Entry) -> str | None:
    step = disputes.looked_into_by(await place.story(entry))
    return step.name if step else None


async def test_the_first_coordinator_who_takes_a_dispute_looks_into_it(place: MillRoad) -> None:
    entry = await posted(place)
    await place.step(entry_steps.ask_undo, entry, place.bert, "I was away.", at(hours=4))
    assert (await place.entry(entry.id)).contested
    assert await who(place, entry) is None
    with pytest.raises(Forbidden):
        await place.step(entry_steps.take, entry, place.ana)
    before = len(await place.told())
    await place.step(entry_steps.take, entry, place.carla, "I ring you both.", at(hours=5))
    await place.step(entry_steps.take, entry, place.carla)  # twice is once
    assert await who(place, entry) == "Carla Rossi"
    assert await mails_since(place, before) == [
        ("ana@example.org", "Carla Rossi looks into it: The garden"),
        ("bert@example.org", "Carla Rossi looks into it: The garden"),
    ]
    # Both sides are heard, and Carla hears them; Dora may say something without taking it over.
    before = len(await place.told())
    await place.step(entry_steps.answer, entry, place.ana, "It was Monday.", at(hours=6))
    assert [address for address, _ in await mails_since(place, before)] == [
        "bert@example.org",
        "carla@example.org",
    ]
    await place.step(entry_steps.answer, entry, place.dora, "I saw them.", at(hours=7))
    assert await who(place, entry) == "Carla Rossi"
    await place.step(entry_steps.take, entry, place.dora, "Carla is ill.", at(hours=8))
    assert await who(place, entry) == "Dora Winter"
    await place.step(entry_steps.keep, entry, place.dora, "It was Monday.", at(hours=9))
    assert not (await place.entry(entry.id)).contested
    with pytest.raises(WrongState):
        await place.step(entry_steps.take, entry, place.carla)


async def test_a_coordinator_who_speaks_first_looks_into_it(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.step(entry_steps.dispute, entry, place.bert, "Half an hour.")
    await place.step(entry_steps.answer, entry, place.carla, "I'll ask.", at(hours=1))
    last = (await place.story(entry))[-1]
    assert (last.kind, last.words) == (StepKind.TAKEN, "I'll ask.")
    assert await who(place, entry) == "Carla Rossi"


async def test_nobody_looks_into_what_they_stand_in(place: MillRoad) -> None:
    entry = await place.record(helped(place.carla, place.bert), place.carla)
    await place.step(entry_steps.dispute, entry, place.bert, "No.")
    with pytest.raises(Forbidden):
        await place.step(entry_steps.take, entry, place.carla)
    await place.step(entry_steps.answer, entry, place.carla, "I remember it well.", at(hours=1))
    assert await who(place, entry) is None
    async with place.db.read(place.id) as conn:
        dora = await acting.one(conn, place.id, place.dora.id)
    assert policy.may_look_into(dora.member, await place.entry(entry.id))


async def test_a_dispute_after_it_was_settled_begins_anew(place: MillRoad) -> None:
    entry = await posted(place)
    await place.step(entry_steps.dispute, entry, place.bert, "No.", at(hours=4))
    await place.step(entry_steps.take, entry, place.carla)
    await place.step(entry_steps.keep, entry, place.carla, "It was so.", at(hours=5))
    await place.step(entry_steps.dispute, entry, place.bert, "Once more: no.", at(hours=6))
    assert await who(place, entry) is None


async def test_the_outcome_of_a_dispute_may_be_a_correction(place: MillRoad) -> None:
    entry = await posted(place)
    await place.step(entry_steps.dispute, entry, place.bert, "One hour.", at(hours=4))
    await place.step(entry_steps.take, entry, place.carla)
    assert isinstance(await correct(place, entry, helped(place.ana, place.bert, 60)), Done)
    undone = await place.entry(entry.id)
    assert (undone.state, undone.contested) == (State.REVERSED, False)


# ── A question taken back ────────────────────────────────────────────────────────────────────────


async def test_a_question_is_taken_back_until_it_is_answered(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)

    async def unask(by: Member) -> Entry:
        async with place.db.write(place.id) as conn:
            return await entry_steps.unask(
                conn, place.id, entry.id, before=State.RECORDED, by=by.id, now=at(hours=2)
            )

    await place.step(entry_steps.return_with_question, entry, place.carla, "When?")
    with pytest.raises(WrongState):
        await unask(place.dora)
    assert (await unask(place.carla)).state is State.RECORDED
    assert (await unask(place.carla)).state is State.RECORDED
    await place.step(entry_steps.return_with_question, entry, place.carla, "When?")
    await place.step(entry_steps.answer, entry, place.ana, "On Monday.")
    with pytest.raises(WrongState):
        await unask(place.carla)
