"""The inbox: what waits for a coordinator, and what this one may do about it.

Seen to turn red: newest first; leaving out contested entries; leaving out what nobody could be
asked about; an entry under two kinds; a call that does not come again; quiet people for ever; a
look that takes what another coordinator has in hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ledger import Minutes
from tests.timebank.factories import a_member, at
from tests.timebank.inbox_rows import entry_of, person_of
from tests.timebank.scenes import MillRoad, counted, helped, mill_road
from timebank import closing, entry_steps, inbox, proposal_dates, proposing
from timebank.agreements import Approval, OtherSide, Terms
from timebank.db import Database
from timebank.errors import BadInput, Forbidden, NotConfirmed, NotFound, OwnGain, ReasonMissing
from timebank.inbox import Inbox, Thing, Why, aside, in_hand
from timebank.inbox.of_rules import Review, WaitingMonth
from timebank.limits import Beyond
from timebank.members import Member, Status
from timebank.moment import Moment
from timebank.odd import Oddity
from timebank.periods import Month
from timebank.proposals import Proposal, Stance
from timebank.proposing import NewProposal

APRIL = Month(2026, 4)


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def look(
    place: MillRoad, by: Member | None = None, now: Moment | None = None, **asked: Any
) -> Inbox:
    async with place.db.read(place.id) as conn:
        moment = now or at(hours=1)
        found = await inbox.page(conn, place.id, by=(by or place.carla).id, now=moment, **asked)
        assert found.total == await inbox.count(conn, place.id, now=moment)
        return found


async def put_aside(
    place: MillRoad, thing: Thing, now: Moment, words: str = "", **until: int
) -> None:
    async with place.db.write(place.id) as conn:
        await aside.put(
            conn,
            place.id,
            [thing],
            until=now.at + timedelta(**until),
            words=words,
            by=place.carla.id,
            now=now,
        )


async def test_only_coordinators_look(place: MillRoad) -> None:
    with pytest.raises(Forbidden):
        await look(place, place.ana)
    assert (await look(place)).total == 0


async def test_each_row_says_why_it_is_here_and_what_stands_in_its_way(
    place: MillRoad,
) -> None:
    fine = await place.record(helped(place.ana, place.bert), place.ana)
    own = await place.record(helped(place.carla, place.bert), place.carla, at(minutes=1))
    disputed = await place.record(helped(place.ana, place.bert, 45), place.ana, at(minutes=2))
    await place.step(entry_steps.dispute, disputed, place.bert, "No.")
    contested = await place.record(helped(place.ana, place.dora), place.ana, at(minutes=3))
    await place.approve(contested)
    await place.step(entry_steps.dispute, contested, place.dora, "No.", at(hours=2))
    returned = await place.record(helped(place.ana, place.bert, 30), place.ana, at(minutes=4))
    await place.step(entry_steps.return_with_question, returned, place.carla, "When?")
    found = await look(place, now=at(hours=3))
    rows = [
        (row.id, row.why, entry_of(row).may_approve, type(entry_of(row).why_not))
        for row in found.rows
    ]
    assert rows == [
        (fine.id, Why.APPROVAL, True, type(None)),
        (own.id, Why.APPROVAL, False, OwnGain),
        (disputed.id, Why.DISPUTE, False, ReasonMissing),
        (contested.id, Why.DISPUTE, False, type(None)),
    ]
    assert (found.counts, found.oldest_at) == ({Why.APPROVAL: 2, Why.DISPUTE: 2}, at().at)
    await place.step(entry_steps.answer, returned, place.ana, "On Monday.", at(hours=4))
    answered = (await look(place, now=at(hours=5))).rows[-1]
    assert (answered.id, answered.why, answered.since) == (returned.id, Why.ANSWER, at(hours=4).at)
    assert (entry_of(answered).last.words, entry_of(answered).may_approve) == ("On Monday.", True)
    question = entry_of(answered).asked
    assert question is not None
    assert question.words == "When?"


async def test_unconfirmed_entries_wait_where_the_agreement_asks(place: MillRoad) -> None:
    await place.agree(other_side=OtherSide.CONFIRMS)
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    (row,) = (await look(place)).rows
    assert (entry_of(row).may_approve, type(entry_of(row).why_not)) == (False, NotConfirmed)
    (row,) = (await look(place, now=at(days=7))).rows
    assert entry_of(row).may_approve  # silence agrees
    await place.step(entry_steps.confirm, entry, place.bert)
    (row,) = (await look(place)).rows
    assert entry_of(row).may_approve


async def test_what_goes_by_itself_is_not_here_unless_somebody_could_not_be_asked(
    place: MillRoad,
) -> None:
    await place.agree(approval=Approval.ABOVE, approval_above=Minutes(90))
    await place.record(helped(place.ana, place.bert), place.ana)
    long = await place.record(helped(place.ana, place.bert, 105), place.ana, at(minutes=1))
    unasked = await place.record(helped(place.bert, place.ines), place.bert, at(minutes=2))
    commons = await place.record(helped(place.bert, place.commons), place.bert, at(minutes=3))
    found = await look(place)
    assert [row.id for row in found.rows] == [long.id, unasked.id, commons.id]


async def test_pages_follow_one_another_over_all_kinds(place: MillRoad) -> None:
    recorded = [
        await place.record(helped(place.ana, place.bert, 15 * (n % 2 + 1)), place.ana)
        for n in range(7)
    ]
    async with place.db.write(place.id) as conn:
        zora = await a_member(conn, place.id, "Zora", status=Status.APPLIED)
    seen: list[Thing] = []
    after = None
    while True:
        found = await look(place, after=after, limit=3)
        assert found.total == 8
        seen += [row.key for row in found.rows]
        after = found.next_after
        if after is None:
            break
    assert len(seen) == len(set(seen))
    assert {thing.id for thing in seen} == {zora.id, *(entry.id for entry in recorded)}
    for wrong in ("", "x", "1-2", "-" * 40, "9" * 30 + "-odd-" + "0" * 32, "1-never-" + "0" * 32):
        with pytest.raises(NotFound):
            await look(place, after=wrong)


async def test_one_kind_or_some_words_can_be_asked_for(place: MillRoad) -> None:
    garden = await place.record(helped(place.ana, place.bert), place.ana)
    piano = await place.record(
        helped(place.ines, place.bert, note="Piano for Éva, 100%"), place.carla
    )
    async with place.db.write(place.id) as conn:
        zora = await a_member(conn, place.id, "Zora Éluard", status=Status.APPLIED, area="Garden")

    async def found(**asked: Any) -> set[Any]:
        return {row.id for row in (await look(place, **asked)).rows}

    assert await found(why=Why.APPLICATION) == {zora.id}
    assert await found(search="garden") == {garden.id, zora.id}
    assert await found(search="eluard") == {zora.id}
    assert await found(search="ines PIANO") == {piano.id}
    assert await found(search="100%") == {piano.id}
    assert await found(search="%") == {piano.id}
    assert await found(search="ines garden") == set()
    assert await found(search="garden", why=Why.APPROVAL) == {garden.id}


async def test_what_looks_odd_has_a_place_of_its_own_and_stops_nobody(place: MillRoad) -> None:
    first = await place.record(helped(place.ana, place.bert), place.ana)
    again = await place.record(helped(place.ana, place.bert), place.bert, at(minutes=1))
    found = await look(place)
    assert [(row.id, row.why) for row in found.rows] == [
        (first.id, Why.APPROVAL),
        (again.id, Why.ODD),
    ]
    assert [reason.what for row in found.rows for reason in entry_of(row).odd] == [Oddity.TWICE] * 2
    assert entry_of(found.rows[1]).may_approve
    await put_aside(place, Thing(Why.ODD, again.id), at(hours=1), days=2)
    assert [row.id for row in (await look(place, now=at(hours=2))).rows] == [first.id]
    assert [row.why for row in (await look(place, now=at(days=3))).rows] == [
        Why.APPROVAL,
        Why.ODD,
    ]
    await place.step(entry_steps.withdraw, first, place.ana)
    (left,) = (await look(place, now=at(hours=2))).rows
    assert (left.id, left.why) == (again.id, Why.APPROVAL)  # there is no second one any more


async def test_whoever_is_past_a_limit_is_worth_a_call_and_another_one_if_it_goes_on(
    place: MillRoad,
) -> None:
    await place.agree(soft_floor=Minutes(-60), soft_ceiling=Minutes(60))
    await place.approve(await place.record(helped(place.ana, place.bert, 75), place.ana))
    found = await look(place, now=at(hours=2))
    calls = {row.id: row for row in found.rows}
    assert found.counts == {Why.CALL: 2}
    bert, ana = person_of(calls[place.bert.id]).call, person_of(calls[place.ana.id]).call
    assert bert is not None
    assert ana is not None
    assert (bert.beyond, bert.balance, bert.limit) == (Beyond.BELOW, Minutes(-75), Minutes(-60))
    assert {row.aside for row in found.rows} == {None}
    assert (ana.beyond, ana.limit) == (Beyond.ABOVE, Minutes(60))
    call = Thing(Why.CALL, place.bert.id)
    await put_aside(place, call, at(hours=2), "All is well, he is moving house.", days=30)
    assert [row.id for row in (await look(place, now=at(hours=3))).rows] == [place.ana.id]
    a_little = await place.record(helped(place.ines, place.bert, 45), place.carla, at(hours=3))
    await place.approve(a_little, now=at(hours=4))
    assert [row.id for row in (await look(place, now=at(hours=5))).rows] == [place.ana.id]
    further = await place.record(helped(place.ines, place.bert, 15), place.carla, at(hours=5))
    await place.approve(further, now=at(hours=6))
    again = {row.id: row for row in (await look(place, now=at(hours=7))).rows}[place.bert.id]
    assert again.aside is not None
    assert again.aside.words == "All is well, he is moving house."
    assert again.since == at(hours=1).at
    back = await place.record(helped(place.bert, place.ines, 90), place.carla, at(hours=7))
    await place.approve(back, now=at(hours=8))
    assert place.bert.id not in {row.id for row in (await look(place, now=at(hours=9))).rows}


async def test_who_was_active_and_then_was_not_is_asked_after_for_a_while(place: MillRoad) -> None:
    await place.approve(await place.record(helped(place.ana, place.bert), place.ana))

    async def quiet(now: Moment) -> list[Any]:
        found = await look(place, why=Why.QUIET, now=now)
        return [(row.id, person_of(row).quiet) for row in found.rows]

    assert await quiet(at(days=89)) == []
    found = dict(await quiet(at(days=90)))
    assert set(found) == {place.ana.id, place.bert.id}
    gone = found[place.ana.id]
    assert gone.latest.date() == at().at.date()
    await put_aside(place, Thing(Why.QUIET, place.ana.id), at(days=91), "In Spain.", days=20)
    assert [id for id, _ in await quiet(at(days=100))] == [place.bert.id]
    assert len(await quiet(at(days=112))) == 2
    assert await quiet(at(days=366)) == []  # that is another question


async def test_nothing_is_put_aside_for_ever_or_by_everybody(place: MillRoad) -> None:
    thing = Thing(Why.QUIET, place.ana.id)
    for days, why in ((400, "day too far"), (-1, "day past")):
        with pytest.raises(BadInput, match=why):
            await put_aside(place, thing, at(), days=days)
    async with place.db.write(place.id) as conn:
        with pytest.raises(Forbidden):
            await aside.put(
                conn, place.id, [thing], until=at(days=1).at, words="", by=place.ana.id, now=at()
            )


async def test_two_coordinators_see_what_the_other_is_on(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    thing = Thing(Why.APPROVAL, entry.id)

    async def do(verb: Any, by: Member, **more: Any) -> None:
        async with place.db.write(place.id) as conn:
            await verb(conn, place.id, [thing], by=by.id, **more)

    async def seen(now: Moment) -> tuple[str, Any] | None:
        (row,) = (await look(place, place.dora, now=now)).rows
        return (row.in_hand.name, row.in_hand.since) if row.in_hand else None

    assert await seen(at()) is None
    await do(in_hand.open_, place.carla, now=at())
    assert await seen(at(minutes=2)) == ("Carla Rossi", at().at)
    await do(in_hand.open_, place.dora, now=at(minutes=3))
    assert await seen(at(minutes=4)) == ("Carla Rossi", at().at)  # a look takes nothing from her
    assert await seen(at(minutes=21)) is None
    await do(in_hand.open_, place.dora, now=at(minutes=22))
    assert await seen(at(minutes=23)) == ("Dora Winter", at(minutes=22).at)
    await do(in_hand.take, place.carla, now=at(minutes=24))
    assert await seen(at(hours=2)) == ("Carla Rossi", at(minutes=24).at)
    await do(in_hand.let_go, place.dora)
    assert await seen(at(hours=2)) is not None
    await do(in_hand.let_go, place.carla)
    assert await seen(at(hours=2)) is None
    with pytest.raises(Forbidden):
        await do(in_hand.take, place.ana, now=at())


async def test_fifty_rows_take_as_many_queries_as_two(place: MillRoad) -> None:
    numbers = []
    for count in (2, 50):
        for n in range(count):
            await place.record(helped(place.ana, place.bert, 15 * (n + 1)), place.ana)
        async with place.db.read(place.id) as conn, counted(place.db) as sent:
            await inbox.page(conn, place.id, by=place.carla.id, search="garden", now=at())
        numbers.append(len(sent))
    assert numbers[0] == numbers[1]
    assert numbers[0] <= 13


async def test_months_proposals_and_the_agreement_wait_until_somebody_did_something(
    place: MillRoad,
) -> None:
    await place.agree(closing_day=4, review_on=at(days=1).at.date())
    terms = replace(Terms(), dispute_days=14)
    async with place.db.write(place.id) as conn:
        new = NewProposal(
            terms, "Two weeks to answer.", (place.bert.id,), at(days=9).at.date(), None, 2
        )
        proposal = await proposing.propose(conn, place.id, new, by=place.ana.id, now=at())
    await closing.remind(place.db, now=at(days=2))
    await proposal_dates.keep(place.db, now=at(days=2))
    later = at(days=3)
    assert (await look(place, now=later)).counts == {Why.MONTH: 1, Why.REVIEW: 1}
    async with place.db.write(place.id) as conn:
        await proposing.say(
            conn, place.id, proposal.id, Stance.AGREE, "", member=place.bert.id, by=place.bert.id,
            now=later,
        )  # fmt: skip
    found = await look(place, now=later)
    month, review, decide = (row.thing for row in found.rows)
    assert isinstance(month, WaitingMonth)
    assert (month.standing.month, month.asked) == (APRIL, None)
    assert review == Review(2, at(days=1).at.date())
    assert isinstance(decide, Proposal)
    assert decide.id == proposal.id
    assert list(found.counts) == [Why.MONTH, Why.PROPOSAL, Why.REVIEW]
    for words, why in (
        ("ABRIL 2026", Why.MONTH),
        ("weeks", Why.PROPOSAL),
        ("lima", Why.PROPOSAL),
        ("talked", Why.REVIEW),
    ):
        assert [row.why for row in (await look(place, now=later, search=words)).rows] == [why]
    async with place.db.write(place.id) as conn:
        await closing.close(conn, place.id, APRIL, by=place.carla.id, now=later)
        await proposing.settle(conn, place.id, proposal.id, by=place.stella.id, now=later)
    assert (await look(place, now=later)).total == 0  # a new version was looked at
    async with place.db.write(place.id) as conn:
        await closing.ask_to_reopen(
            conn, place.id, APRIL, "A sheet was lost.", by=place.stella.id, now=later
        )
    (row,) = (await look(place, now=later)).rows
    assert isinstance(row.thing, WaitingMonth)
    assert row.thing.asked is not None
    assert (row.thing.asked.name, row.thing.asked.words) == (place.stella.name, "A sheet was lost.")
