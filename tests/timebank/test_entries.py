"""Entries: who may write them down, who is asked, and how their story moves on.

Seen to turn red: waiting for members without a sign-in; counting both sides as confirmed;
letting anyone record for anyone; disputes without end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from ledger import Minutes
from ledger.errors import KeyReused, NotPositive
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import DAY, MillRoad, count_rows, helped, mill_road
from timebank import entries, entry_steps, members, recording
from timebank.db import EVERYWHERE, Database
from timebank.entry import OPEN, Entry, Kind, NewEntry, Share, Side, State, StepKind
from timebank.errors import (
    BadInput,
    DayAhead,
    Forbidden,
    NotFound,
    NotTakingPart,
    NotYours,
    OwnGain,
    ReadOnlyMember,
    ReasonMissing,
    SamePersonTwice,
    WrongState,
)


def asked(entry: Entry) -> set[str]:
    """Who was asked and has not answered."""
    return {part.name for part in entry.parts if part.awaited}


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def test_the_recorders_side_counts_as_confirmed_and_the_other_side_is_asked(
    place: MillRoad,
) -> None:
    entry = await place.record(helped(place.ana, place.bert, 65), place.ana)
    (gave,), (received,) = entry.givers, entry.receivers
    assert entry.minutes == Minutes(60)  # steps of a quarter of an hour
    assert (gave.name, gave.awaited, gave.confirmed_by) == ("Ana Lima", False, place.ana.id)
    assert (received.awaited, received.confirmed_at) == (True, None)
    assert (entry.state, entry.on_behalf_of) == (State.RECORDED, None)
    assert await place.told() == ["bert@example.org"]
    assert [step.kind for step in await place.story(entry)] == [StepKind.RECORDED]


async def test_a_member_without_sign_in_is_not_waited_for(place: MillRoad) -> None:
    entry = await place.record(helped(place.bert, place.ines), place.bert)
    (received,) = entry.receivers
    assert (received.awaited, received.reachable, received.confirmed_at) == (False, False, None)
    assert await place.told() == ["ana@example.org"]  # her buddy may speak for her
    confirmed = await place.step(entry_steps.confirm, entry, place.ana)
    assert confirmed.state is State.CONFIRMED
    assert confirmed.receivers[0].confirmed_by == place.ana.id


async def test_an_organisation_is_asked_through_its_manager(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.library), place.ana)
    assert asked(entry) == {entry.receivers[0].name}
    async with place.db.read(place.id) as conn:
        waiting = await entries.waiting_for(conn, place.id, place.bert.id, 10)
    assert [one.id for one in waiting] == [entry.id]
    confirmed = await place.step(entry_steps.confirm, entry, place.bert)
    assert confirmed.state is State.CONFIRMED


async def test_a_manager_gives_to_their_own_organisation_and_cannot_confirm_for_it(
    place: MillRoad,
) -> None:
    entry = await place.record(helped(place.bert, place.library), place.bert)
    assert not entry.receivers[0].awaited
    with pytest.raises(Forbidden):
        await place.step(entry_steps.confirm, entry, place.bert)


async def test_a_buddy_records_on_behalf(place: MillRoad) -> None:
    entry = await place.record(helped(place.ines, place.bert), place.ana)
    assert entry.on_behalf_of_name == "Inés García"
    assert entry.givers[0].confirmed_by == place.ana.id
    assert asked(entry) == {entry.receivers[0].name}


async def test_without_consent_nobody_records_for_others(place: MillRoad) -> None:
    for by, new in (
        (place.ana, helped(place.bert, place.dora)),
        (place.bert, helped(place.ines, place.dora)),
        (place.ana, helped(place.library, place.dora)),
    ):
        with pytest.raises(NotYours):
            await place.record(new, by)


async def test_a_coordinator_between_others_confirms_for_nobody(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.carla)
    assert [part.awaited for part in entry.parts] == [True, True]
    on_behalf = await place.record(
        helped(place.ana, place.bert, on_behalf_of=place.ana.id), place.carla
    )
    assert [part.awaited for part in on_behalf.parts] == [False, True]
    assert on_behalf.on_behalf_of_name == "Ana Lima"


async def test_on_behalf_means_somebody_who_stands_in_it_and_agreed(place: MillRoad) -> None:
    for behalf in (place.ines.id, place.bert.id, place.commons):
        with pytest.raises(NotYours):
            await place.record(helped(place.ana, place.bert, on_behalf_of=behalf), place.ana)


async def test_grants_of_the_commons_are_given_by_coordinators(place: MillRoad) -> None:
    grant = NewEntry(
        Kind.GRANT, (Share(place.commons),), (Share(place.ines.id),), Minutes(120), DAY
    )
    with pytest.raises(Forbidden):
        await place.record(grant, place.ana)
    entry = await place.record(grant, place.carla)
    assert entry.givers[0].name == "Mill Road"


async def test_a_donation_goes_to_the_commons_and_comes_from_ones_own(place: MillRoad) -> None:
    donation = helped(place.ana, place.commons, kind=Kind.DONATION)
    with pytest.raises(NotYours):
        await place.record(donation, place.bert)
    entry = await place.record(donation, place.ana)
    assert entry.receivers[0].account_id == place.commons
    with pytest.raises(BadInput):
        await place.record(helped(place.ana, place.bert, kind=Kind.DONATION), place.ana)


async def test_nobody_gives_away_hours_of_somebody_else(place: MillRoad) -> None:
    with pytest.raises(NotYours):
        await place.record(helped(place.bert, place.ana, kind=Kind.GRANT), place.ana)


async def test_anyone_involved_records_help_for_the_commons(place: MillRoad) -> None:
    entry = await place.record(
        helped(place.ana, place.commons, kind=Kind.HOSPITALITY, note="Tea"), place.ana
    )
    assert entry.kind is Kind.HOSPITALITY
    assert not entry.receivers[0].awaited


async def test_only_active_members_take_part(place: MillRoad) -> None:
    async with place.db.write(place.id) as conn:
        await conn.execute(
            update(members.members)
            .where(members.members.c.id == place.bert.id)
            .values(status="paused")
        )
    with pytest.raises(NotTakingPart):
        await place.record(helped(place.ana, place.bert), place.ana)
    with pytest.raises(ReadOnlyMember):
        await place.record(helped(place.bert, place.ana), place.bert)


async def test_a_member_of_another_community_is_nobody_here(place: MillRoad) -> None:
    async with place.db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere")
        stranger = await a_member(conn, elsewhere.id, "Zora", email="zora@example.org")
    with pytest.raises(NotFound):
        await place.record(helped(place.ana, stranger), place.ana)
    with pytest.raises(NotFound):
        await place.record(helped(place.ana, place.bert), stranger)
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    with pytest.raises(NotFound):
        await place.entry(entry.id, stranger)
    with pytest.raises(NotFound):
        await place.step(entry_steps.confirm, entry, stranger)


async def test_what_has_not_happened_yet_is_not_recorded(place: MillRoad) -> None:
    tomorrow = DAY + timedelta(days=1)
    with pytest.raises(DayAhead):
        await place.record(helped(place.ana, place.bert, occurred_on=tomorrow), place.ana)
    late = at(hours=11, minutes=30)  # half past eleven in the evening in UTC, tomorrow in London
    await place.record(helped(place.ana, place.bert, occurred_on=tomorrow), place.ana, late)


async def test_an_unknown_category_and_endless_words_are_refused(place: MillRoad) -> None:
    with pytest.raises(NotFound):
        await place.record(helped(place.ana, place.bert, category_id=place.id), place.ana)
    with pytest.raises(BadInput):
        await place.record(helped(place.ana, place.bert, note="x" * 4001), place.ana)
    with pytest.raises(NotPositive):
        await place.record(helped(place.ana, place.bert, 5), place.ana)


async def test_naming_somebody_twice_says_who(place: MillRoad) -> None:
    with pytest.raises(SamePersonTwice, match="Ana Lima"):
        await place.record(helped(place.ana, place.ana), place.ana)


async def test_a_refusal_leaves_no_trace(place: MillRoad) -> None:
    with pytest.raises(NotYours):
        await place.record(helped(place.bert, place.library), place.ana)
    async with place.db.read(place.id) as conn:
        for table in (entries.entries, entries.parts, entries.steps):
            assert await count_rows(conn, table) == 0


async def test_the_same_sheet_sent_twice_is_one_entry(place: MillRoad) -> None:
    id = at().new_id()
    new = helped(place.ana, place.bert)
    first = await place.record(new, place.ana, entry_id=id)
    again = await place.record(new, place.ana, at(minutes=1), entry_id=id)
    assert first == again
    assert await place.told() == ["bert@example.org"]
    with pytest.raises(KeyReused):
        await place.record(replace(new, note="Something else"), place.ana, entry_id=id)
    with pytest.raises(KeyReused):
        await place.record(new, place.bert, entry_id=id)


async def test_confirming_twice_is_confirming_once(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.step(entry_steps.confirm, entry, place.bert)
    again = await place.step(entry_steps.confirm, entry, place.bert, now=at(minutes=9))
    assert again.receivers[0].confirmed_at == at(minutes=5).at
    kinds = [step.kind for step in await place.story(entry)]
    assert kinds == [StepKind.RECORDED, StepKind.CONFIRMED]


async def test_an_entry_is_confirmed_once_all_who_were_asked_have_answered(
    place: MillRoad,
) -> None:
    new = NewEntry(
        Kind.ACTIVITY,
        (Share(place.ana.id),),
        (Share(place.bert.id), Share(place.dora.id), Share(place.ines.id)),
        Minutes(90),
        DAY,
    )
    entry = await place.record(new, place.ana)
    half = await place.step(entry_steps.confirm, entry, place.bert)
    assert half.state is State.RECORDED
    whole = await place.step(entry_steps.confirm, entry, place.dora)
    assert whole.state is State.CONFIRMED


async def test_a_dispute_needs_words_and_waits_for_a_coordinator(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    with pytest.raises(ReasonMissing):
        await place.step(entry_steps.dispute, entry, place.bert, "  ")
    disputed = await place.step(entry_steps.dispute, entry, place.bert, "It was half an hour.")
    assert disputed.state is State.DISPUTED
    answered = await place.step(entry_steps.answer, entry, place.ana, "We had tea as well.")
    assert answered.state is State.DISPUTED
    agreed = await place.step(entry_steps.confirm, entry, place.bert)
    assert agreed.state is State.CONFIRMED


async def test_strangers_neither_see_nor_answer_an_entry(place: MillRoad) -> None:
    entry = await place.record(helped(place.carla, place.bert), place.carla)
    for verb in (
        entry_steps.confirm,
        entry_steps.dispute,
        entry_steps.answer,
        entry_steps.withdraw,
    ):
        with pytest.raises(NotFound):
            await place.step(verb, entry, place.ana, "Hello")
    with pytest.raises(NotFound):
        await place.entry(entry.id, place.ana)
    async with place.db.read(place.id) as conn:
        assert await entries.several(conn, place.id, [entry.id], by=place.ana.id) == []
        assert await entries.several(conn, place.id, [entry.id], by=place.bert.id) == [entry]


async def test_a_question_goes_back_to_whoever_wrote_it_down(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    with pytest.raises(ReasonMissing):
        await place.step(entry_steps.return_with_question, entry, place.carla)
    with pytest.raises(Forbidden):
        await place.step(entry_steps.return_with_question, entry, place.bert, "Really?")
    returned = await place.step(entry_steps.return_with_question, entry, place.carla, "Which day?")
    assert returned.state is State.RETURNED
    async with place.db.read(place.id) as conn:
        waiting = await entries.waiting_for(conn, place.id, place.ana.id, 10)
        assert [one.id for one in waiting] == [entry.id]
        assert await entries.waiting_for(conn, place.id, place.bert.id, 10) == []
    with pytest.raises(Forbidden):
        await place.step(entry_steps.answer, entry, place.bert, "Monday.")
    answered = await place.step(entry_steps.answer, entry, place.ana, "Monday.")
    assert answered.state is State.RECORDED


async def test_a_changed_entry_is_asked_about_again(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.step(entry_steps.confirm, entry, place.bert)
    async with place.db.write(place.id) as conn:
        changed = await recording.change(
            conn,
            place.id,
            entry.id,
            helped(place.ana, place.bert, 90),
            by=place.ana.id,
            now=at(minutes=9),
        )
    assert (changed.state, changed.minutes) == (State.RECORDED, Minutes(90))
    assert asked(changed) == {changed.receivers[0].name}
    assert changed.receivers[0].confirmed_at is None
    assert changed.recorded_at == entry.recorded_at
    assert (await place.told())[-1] == "bert@example.org"


async def test_only_the_recorder_changes_an_entry_and_only_while_it_waits(
    place: MillRoad,
) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)

    async def change(by: Any) -> None:
        async with place.db.write(place.id) as conn:
            new = helped(place.ana, place.bert, 90)
            await recording.change(conn, place.id, entry.id, new, by=by.id, now=at())

    for by in (place.bert, place.carla):
        with pytest.raises(Forbidden):
            await change(by)
    await place.approve(entry)
    with pytest.raises(WrongState):
        await change(place.ana)


async def test_the_recorder_or_a_coordinator_takes_an_entry_back(place: MillRoad) -> None:
    for by in (place.ana, place.carla):
        entry = await place.record(helped(place.ana, place.bert), place.ana)
        with pytest.raises(Forbidden):
            await place.step(entry_steps.withdraw, entry, place.bert)
        taken = await place.step(entry_steps.withdraw, entry, by)
        assert taken.state is State.WITHDRAWN
        assert not any(part.awaited for part in taken.parts)
        assert await place.step(entry_steps.withdraw, entry, by) == taken
    with pytest.raises(WrongState):
        await place.step(entry_steps.confirm, entry, place.bert)


async def test_declining_needs_a_reason_and_is_the_end(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    with pytest.raises(ReasonMissing):
        await place.step(entry_steps.decline, entry, place.carla)
    with pytest.raises(Forbidden):
        await place.step(entry_steps.decline, entry, place.bert, "No.")
    declined = await place.step(entry_steps.decline, entry, place.carla, "This was paid work.")
    assert declined.state is State.DECLINED
    for verb in (entry_steps.dispute, entry_steps.answer, entry_steps.withdraw):
        with pytest.raises(WrongState):
            await place.step(verb, entry, place.ana, "But…")
    assert (await place.story(entry))[-1].words == "This was paid work."


async def test_a_posted_entry_may_be_disputed_for_some_days_and_is_kept_with_words(
    place: MillRoad,
) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    contested = await place.step(
        entry_steps.dispute, entry, place.bert, "Not me.", at(days=7, hours=1)
    )
    assert (contested.state, contested.contested) == (State.APPROVED, True)
    with pytest.raises(ReasonMissing):
        await place.step(entry_steps.keep, entry, place.carla)
    kept = await place.step(entry_steps.keep, entry, place.carla, "We spoke.", at(days=8))
    assert (kept.state, kept.contested) == (State.APPROVED, False)
    with pytest.raises(WrongState):
        await place.step(entry_steps.dispute, entry, place.bert, "Still.", at(days=9))
    await place.assert_sound()


async def test_nobody_keeps_an_entry_they_gained_from(place: MillRoad) -> None:
    entry = await place.record(helped(place.carla, place.bert), place.carla)
    await place.approve(entry, place.dora)
    await place.step(entry_steps.dispute, entry, place.bert, "Not me.", at(hours=3))
    with pytest.raises(OwnGain):
        await place.step(entry_steps.keep, entry, place.carla, "It was.")


async def test_a_paused_member_answers_nothing(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    async with place.db.write(place.id) as conn:
        await members.pause(conn, place.id, place.bert.id, by=place.bert.id, now=at())
    with pytest.raises(ReadOnlyMember):
        await place.step(entry_steps.confirm, entry, place.bert)
    assert (await place.entry(entry.id, place.bert)).id == entry.id


async def test_lists_of_what_waits(place: MillRoad) -> None:
    mine = await place.record(helped(place.ana, place.bert), place.ana)
    theirs = await place.record(helped(place.bert, place.ana), place.bert, at(minutes=1))
    done = await place.record(helped(place.ana, place.dora), place.ana, at(minutes=2))
    await place.approve(done)
    async with place.db.read(place.id) as conn:
        for_ana = await entries.waiting_for(conn, place.id, place.ana.id, 10)
        of_ana = await entries.waiting_of(conn, place.id, place.ana.id, 10)
        recent = await entries.recent_of(conn, place.id, place.ana.id, 2)
        waiting = await entries.recent_of(conn, place.id, place.ana.id, 9, states=OPEN)
    assert [entry.id for entry in for_ana] == [theirs.id]
    assert [entry.id for entry in of_ana] == [mine.id]
    assert [entry.id for entry in recent] == [done.id, theirs.id]
    assert [entry.id for entry in waiting] == [theirs.id, mine.id]


async def test_many_to_many_keeps_everyones_side_and_order(place: MillRoad) -> None:
    new = NewEntry(
        Kind.ACTIVITY,
        (Share(place.dora.id, Minutes(120)), Share(place.ana.id)),
        (Share(place.ines.id), Share(place.bert.id)),
        Minutes(60),
        DAY,
    )
    entry = await place.record(new, place.ana)
    assert entry.minutes == Minutes(180)
    assert [(part.name, part.side, part.minutes.count) for part in entry.parts] == [
        ("Dora Winter", Side.GAVE, 120),
        ("Ana Lima", Side.GAVE, 60),
        ("Inés García", Side.RECEIVED, 90),
        ("Bert Okoro", Side.RECEIVED, 90),
    ]
