"""Settlements: a table first, then one posting or nothing; corrections post the difference only.

Seen to turn red: tallies that forget what a correction takes back, when posting, when undoing and
when verifying; a sponsor who was never asked; a settlement sent twice; a waiting one that survives
its list being opened again; the first one undone under a correction; a coordinator who gains and
approves on nobody's word.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from ledger import Minutes
from ledger.errors import FloorReached
from ledger.sql import read, store
from tests.timebank.evenings import AFTER, Evening, a_duty, a_gathering, a_seat, an_evening
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, count_rows, mill_road
from timebank import (
    books,
    comparing,
    entries,
    entry_steps,
    members,
    my_data,
    posting,
    recording,
    settled,
    statements,
    workshops,
)
from timebank.agreements import Approval, Terms
from timebank.communities import by_id
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share, Side, StepKind
from timebank.entry import State as EntryState
from timebank.errors import (
    CorrectedSince,
    Forbidden,
    ListOpen,
    NobodyAgrees,
    NotConfirmed,
    OwnGain,
    ReasonMissing,
    SettlementMoved,
    WrongState,
)
from timebank.export import Format, lines
from timebank.gatherings import Rule, State
from timebank.members import Member, Role
from timebank.outbox import outbox
from timebank.posting import Done, Refused, Verdict

CARRIES = {"Ana Lima": ("facilitate",), "Inés García": ("tea",)}


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def held(place: MillRoad, **facts: Any) -> Evening:
    """Ana facilitated for two hours, Inés made tea and stayed, Bert stayed 1:15, Jo the guest."""
    evening = await an_evening(place, carries=CARRIES, **facts)
    for name, minutes in (("Ana Lima", 120), ("Inés García", 120), ("Bert Okoro", 75), ("Jo", 120)):
        await evening.tick(name, minutes)
    return evening


def why(verdict: Verdict) -> type[Exception]:
    assert isinstance(verdict, Refused), verdict
    return type(verdict.error)


async def balances(place: MillRoad) -> dict[str, int]:
    """Who stands where; those at zero are left out."""
    async with place.db.read(place.id) as conn:
        rows = await books.account_rows(conn, place.id, None, 100)
    return {row.name: row.balance.count for row in rows if row.balance}


async def tally(place: MillRoad, member: Member | UUID) -> tuple[int, int]:
    account = member if isinstance(member, UUID) else member.account_id
    async with place.db.read(place.id) as conn:
        given, received, _ = await statements.totals(conn, place.id, account)
    return given.count, received.count


async def mails(place: MillRoad) -> list[tuple[str, str, str]]:
    """Address, subject and body of everything in the outbox."""
    async with place.db.read(place.id) as conn:
        rows = await conn.execute(select(outbox).order_by(outbox.c.to_address))
        return [(row.to_address, row.subject, row.body) for row in rows]


# ── One posting ──────────────────────────────────────────────────────────────────────────────────


async def test_one_approval_posts_the_whole_gathering(place: MillRoad) -> None:
    evening = await held(place)
    await evening.close()
    plan = await evening.plan()
    assert plan.room.state is State.HELD
    assert [(one.name, one.minutes.count, one.left) for one in plan.gives] == [
        ("Mill Road", 180 + 195 + 75, None)
    ]
    entry = await evening.sent()
    assert (entry.gathering_id, entry.kind, entry.minutes) == (
        evening.id,
        Kind.ACTIVITY,
        Minutes(450),
    )
    assert (await evening.plan()).waiting is not None
    assert await balances(place) == {}
    verdict = await place.approve(entry)
    assert verdict == Done(entry.id, 3, replayed=False)
    assert await balances(place) == {
        "Mill Road": -450,
        "Ana Lima": 180,
        "Bert Okoro": 75,
        "Inés García": 195,
    }
    assert await evening.state() is State.SETTLED
    assert (await tally(place, place.ana), await tally(place, place.commons)) == (
        (180, 0),
        (0, 450),
    )
    await place.assert_sound()


async def test_everyone_who_was_there_is_thanked_with_what_was_written_down(
    place: MillRoad,
) -> None:
    async with place.db.write(place.id) as conn:
        next_time = await a_gathering(
            conn, place.id, place.ana.id, title="Shared meal", starts=at(days=14).at - at().at
        )
    evening = await held(place)
    await evening.close()
    entry = await evening.sent()
    assert await mails(place) == [], "as long as it waits, nobody hears of it"
    await place.approve(entry)
    told = await mails(place)
    assert [address for address, _, _ in told] == [
        "ana@example.org",  # for herself, and for Inés, whose buddy she is
        "ana@example.org",
        "bert@example.org",
        "jo@example.org",  # a guest with an address
    ]
    assert {subject for _, subject, _ in told} == {"Thank you for Tea and talk"}
    for_ines = next(body for _, _, body in told if "You read this for Inés García." in body)
    assert "3:15 in all" in for_ines
    assert "1:15  tea and cake" in for_ines
    assert "2:00  taking part" in for_ines
    bert = next(body for address, _, body in told if address.startswith("bert"))
    assert "1:15  taking part" in bert
    assert "Next time: Shared meal, 18 May 2026, 13:00, The Library." in bert
    assert "What was useful?" in bert
    assert next_time


async def test_sending_twice_is_sending_once_and_approving_twice_is_approving_once(
    place: MillRoad,
) -> None:
    evening = await held(place)
    await evening.close()
    seal = (await evening.plan()).seal
    sent = await asyncio.gather(
        *(evening.send(by, seal) for by in (place.ana, place.carla, place.ana, place.dora))
    )
    assert len({entry.id for entry in sent if entry}) == 1
    entry = sent[0]
    assert entry is not None
    by = (place.carla, place.dora)
    verdicts = await asyncio.gather(*(place.approve(entry, by[n % 2]) for n in range(8)))
    assert {verdict for verdict in verdicts if isinstance(verdict, Done)} == {
        Done(entry.id, 3, replayed=False),
        Done(entry.id, 3, replayed=True),
    }
    assert sum(not verdict.replayed for verdict in verdicts if isinstance(verdict, Done)) == 1
    assert len(await mails(place)) == 4
    assert len(await evening.story()) == 1
    await place.assert_sound()


async def test_what_was_looked_at_is_what_is_sent(place: MillRoad) -> None:
    evening = await held(place)
    with pytest.raises(ListOpen):
        await evening.send()
    await evening.close()
    seal = (await evening.plan()).seal
    await evening.reopen()
    await evening.tick("Bert Okoro", 60, now=at(hours=4))
    await evening.close(now=at(hours=4))
    with pytest.raises(SettlementMoved):
        await evening.send(seal=seal)
    assert await evening.story() == ()


async def test_who_looks_after_it_sends_it_and_who_was_there_reads_it(place: MillRoad) -> None:
    evening = await held(place)
    await evening.close()
    with pytest.raises(Forbidden):
        await evening.send(place.bert, "")
    assert (await evening.plan(place.bert)).lines
    stranger = place.dora
    async with place.db.write(EVERYWHERE) as conn:
        await members.set_role(
            conn, place.id, stranger.id, Role.MEMBER, by=place.stella.id, now=at()
        )
    with pytest.raises(Forbidden):
        await evening.plan(stranger)


async def test_the_hours_of_a_gathering_are_corrected_on_its_list_only(place: MillRoad) -> None:
    evening = await held(place)
    await evening.close()
    entry = await evening.sent()
    other = NewEntry(
        Kind.HELP, (Share(place.ana.id),), (Share(place.bert.id),), Minutes(60), at().at.date()
    )
    async with place.db.write(place.id) as conn:
        with pytest.raises(WrongState):
            await recording.change(conn, place.id, entry.id, other, by=place.ana.id, now=AFTER)
    await place.agree(approval=Approval.COMMONS)
    await posting.post_agreed(place.db, now=at(days=30))
    assert (await place.entry(entry.id)).state is EntryState.RECORDED, "a coordinator looks at it"


async def test_every_rule_moves_whole_gatherings_and_the_books_verify(place: MillRoad) -> None:
    for rule, moved in (
        (
            Rule.ONE_FOR_ONE,
            {"Ana Lima": 180, "Inés García": 75, "Bert Okoro": -75, "Mill Road": -180},
        ),
        (Rule.SPLIT, {"Ana Lima": 180, "Inés García": 75, "Bert Okoro": -255}),
        (Rule.SPONSORED, {"Ana Lima": 180, "Inés García": 75, "Mill Road": -255}),
    ):
        before = await balances(place)
        evening = await held(place, rule=rule, credits_taking_part=False)
        await evening.settle()
        after = await balances(place)
        names = {*before, *after}
        assert {
            name: after.get(name, 0) - before.get(name, 0)
            for name in names
            if after.get(name, 0) != before.get(name, 0)
        } == moved
    await place.assert_sound()


async def test_a_workshop_keeps_the_rest_for_next_time_and_cannot_give_what_it_lacks(
    place: MillRoad,
) -> None:
    async def workshop(*paying: Member) -> Evening:
        async with place.db.write(place.id) as conn:
            id = await a_gathering(
                conn,
                place.id,
                place.ana.id,
                title="Bicycle workshop",
                rule=Rule.WORKSHOP,
                lasts=Minutes(60),
            )
            evening = Evening(place, id)
            for member in (place.ana, *paying):
                evening.seats[member.name] = await a_seat(
                    conn, place.id, id, member.id, present=Minutes(60)
                )
            await a_duty(conn, place.id, id, evening.seats["Ana Lima"], "facilitate")
        await evening.close()
        return evening

    full = await workshop(place.bert, place.ines, place.dora)
    assert [gives.account_id for gives in (await full.plan()).gives] == sorted(
        [place.bert.id, place.ines.id, place.dora.id]
    )
    await place.approve(await full.sent())
    assert await balances(place) == {
        "Ana Lima": 120,
        "Bert Okoro": -60,
        "Inés García": -60,
        "Dora Winter": -60,
        "Bicycle workshop": 60,
    }
    empty = await workshop(place.bert)
    (_, holds) = sorted((await empty.plan()).gives, key=lambda one: one.name)
    assert (holds.name, holds.balance, holds.short) == ("Bicycle workshop", Minutes(0), Minutes(60))
    entry = await empty.sent()
    assert why(await place.approve(entry)) is FloorReached
    assert isinstance(await place.approve(entry, words="It will fill.", override=True), Done)

    async with place.db.read(place.id) as conn:
        room = (await full.plan()).room
        account = workshops.account_of(room)
        page = await statements.page(conn, place.id, account, by=place.bert.id)
        view = await books.overview(conn, place.id)
        here = await by_id(conn, place.id)
        journal = [line async for line in lines(conn, here, Format.HLEDGER)]
    assert (page.name, page.balance) == ("Bicycle workshop", Minutes(60))
    assert page.lines[0].others == ("Inés García",)
    assert (view.commons_total, view.workshop_accounts, view.workshop_total) == (
        Minutes(0),
        2,
        Minutes(0),
    )
    assert "account Workshops:Bicycle workshop" in journal
    await place.assert_sound()


async def test_the_commons_budget_holds_and_a_reason_lets_it_through(place: MillRoad) -> None:
    await place.agree(commons_floor=Minutes(-300))
    evening = await held(place)
    await evening.close()
    (commons,) = (await evening.plan()).gives
    assert (commons.left, commons.short) == (Minutes(300), Minutes(150))
    entry = await evening.sent()
    verdict = await place.approve(entry)
    assert why(verdict) is FloorReached
    assert await balances(place) == {}
    assert await evening.state() is State.HELD
    assert why(await place.approve(entry, override=True)) is ReasonMissing
    assert isinstance(await place.approve(entry, words="Our birthday.", override=True), Done)
    assert (await balances(place))["Mill Road"] == -450
    await place.assert_sound()


# ── Who agrees ───────────────────────────────────────────────────────────────────────────────────


async def test_an_organisation_agrees_to_what_it_sponsors_whatever_the_agreement_says(
    place: MillRoad,
) -> None:
    evening = await held(place, payer=place.library.id)
    await evening.close()
    entry = await evening.sent()
    ((address, subject, _),) = await mails(place)
    assert (address, subject) == (
        "bert@example.org",
        "Tea and talk: does The Library agree to 7:30?",
    )
    assert why(await place.approve(entry)) is NotConfirmed
    await place.agree(dispute_days=1)
    assert why(await place.approve(entry, now=at(days=60))) is NotConfirmed
    await place.step(entry_steps.confirm, entry, place.bert)
    agreed = await place.entry(entry.id)
    assert agreed.state is EntryState.CONFIRMED
    assert isinstance(await place.approve(entry), Done)
    assert (await balances(place))["The Library"] == -450
    await place.assert_sound()


async def test_who_keeps_the_sponsors_account_and_sends_it_has_agreed(place: MillRoad) -> None:
    evening = await held(place, payer=place.library.id, hosted_by=(place.library.id,))
    await evening.close(by=place.bert)
    entry = await evening.sent(place.bert)
    sponsor = next(part for part in entry.parts if part.account_id == place.library.id)
    assert (sponsor.confirmed_by, sponsor.must_agree, sponsor.awaited) == (
        place.bert.id,
        True,
        False,
    )
    assert isinstance(await place.approve(entry), Done)
    assert place.bert.id in {part.account_id for part in entry.parts}


async def test_nobody_can_send_what_nobody_can_agree_to(place: MillRoad) -> None:
    async with place.db.write(EVERYWHERE) as conn:
        await conn.execute(update(members.buddies).values(until=at().at))
    evening = await held(place, payer=place.library.id)
    await evening.close()
    with pytest.raises(NobodyAgrees):
        await evening.send()
    assert await evening.story() == ()


async def everyone_coordinates_and_was_there(place: MillRoad) -> Evening:
    """All three coordinators came, so all of them gain."""
    evening = await held(place)
    for member in (place.carla, place.dora, place.stella):
        evening.seats[member.name] = (await evening.add(member.name)).seat_id
    await evening.close()
    return evening


async def test_where_every_coordinator_gains_somebody_who_was_there_stands_in(
    place: MillRoad,
) -> None:
    evening = await everyone_coordinates_and_was_there(place)
    entry = await evening.sent()
    assert why(await place.approve(entry)) is OwnGain
    with pytest.raises(Forbidden):
        await evening.vouch(place.bert)  # the agreement knows nothing of it
    await place.agree(sole_coordinator=True)
    assert why(await place.approve(entry)) is OwnGain
    with pytest.raises(Forbidden):
        await evening.vouch(place.ana)  # she sent it
    for _ in range(2):
        await evening.vouch(place.bert)
    assert (await place.entry(entry.id)).witnessed_by == (place.bert.id,)
    assert isinstance(await place.approve(entry), Done)
    recorded, confirmed, approved = await place.story(entry)
    assert (confirmed.kind, confirmed.name) == (StepKind.CONFIRMED, "Bert Okoro")
    assert approved.stood_in
    assert not recorded.stood_in
    await place.assert_sound()


async def test_nobody_vouches_for_their_own_approval_nor_where_a_coordinator_is_free(
    place: MillRoad,
) -> None:
    await place.agree(sole_coordinator=True)
    evening = await everyone_coordinates_and_was_there(place)
    entry = await evening.sent()
    await evening.vouch(place.carla)
    assert why(await place.approve(entry, place.carla)) is OwnGain
    async with place.db.write(place.id) as conn:
        await members.set_role(
            conn, place.id, place.ines.id, Role.COORDINATOR, by=place.stella.id, now=at()
        )
        await conn.execute(
            update(entries.parts)
            .where(entries.parts.c.account_id == place.ines.id)
            .values(account_id=place.library.id)
        )
    assert why(await place.approve(entry, place.dora)) is OwnGain, "Inés gains nothing: she may"
    free = await held(place)
    await free.close()
    await free.sent()
    with pytest.raises(Forbidden):
        await free.vouch(place.bert)


# ── Corrections ──────────────────────────────────────────────────────────────────────────────────


async def test_a_correction_posts_the_difference_and_takes_back_what_was_counted(
    place: MillRoad,
) -> None:
    evening = await held(place, rule=Rule.ONE_FOR_ONE)
    await evening.settle()
    assert (await tally(place, place.bert), await tally(place, place.ines)) == ((0, 75), (75, 0))
    sent_before = len(await mails(place))

    with pytest.raises(ReasonMissing):
        await evening.reopen(" ")
    await evening.reopen("Bert took the notes, and stayed.", now=at(hours=5))
    await evening.tick("Bert Okoro", 120, now=at(hours=5))
    await evening.carry("Bert Okoro", "notes")
    await evening.close(now=at(hours=6))
    plan = await evening.plan()
    assert {plan.names[move.account_id]: move.minutes.count for move in plan.moves} == {
        "Bert Okoro": 75 + 60,
        "Mill Road": 75 + 60,
    }
    second = await evening.sent(now=at(hours=6))
    assert second.note == "Tea and talk: Bert took the notes, and stayed."
    bert = next(part for part in second.parts if part.account_id == place.bert.id)
    assert (bert.side, bert.minutes, bert.back) == (Side.GAVE, Minutes(135), Minutes(75))
    await place.approve(second, now=at(hours=7))
    assert await tally(place, place.bert) == (60, 0)
    assert (await balances(place))["Bert Okoro"] == 60
    assert [(one.number, one.corrects) for one in await evening.story()] == [(1, None), (2, 1)]
    news = (await mails(place))[sent_before:]
    corrected = [body for address, subject, body in await mails(place) if "corrected" in subject]
    assert len(news) == len(corrected) == 1, "only who stands otherwise now hears of it"
    assert "1:00  taking notes" in corrected[0]
    await place.assert_sound()

    undone = await place.undo(second, reason="It was Dora after all.", now=at(hours=8))
    assert isinstance(undone, Done)
    assert await tally(place, place.bert) == (0, 75)
    assert await evening.state() is State.HELD
    await place.assert_sound()


async def test_settling_again_with_nothing_changed_posts_nothing(place: MillRoad) -> None:
    evening = await held(place)
    await evening.settle()
    before = (await balances(place), len(await mails(place)))
    await evening.reopen("Was that all?", now=at(hours=5))
    await evening.close(now=at(hours=6))
    assert (await evening.plan()).moves == ()
    assert await evening.send(now=at(hours=6)) is None
    assert await evening.state() is State.SETTLED
    assert (await balances(place), len(await mails(place))) == before
    assert len(await evening.story()) == 1


async def test_other_words_for_the_same_minutes_are_kept_without_a_posting(
    place: MillRoad,
) -> None:
    evening = await held(place, credits_taking_part=False)
    await evening.settle()
    await evening.reopen("The tea was hosting.", now=at(hours=5))
    await evening.carry("Inés García", "tea", before=0, after=0)
    await evening.carry("Inés García", "host", before=30, during=0, after=45)
    await evening.close(now=at(hours=6))
    assert await evening.send(now=at(hours=6)) is None
    first, second = await evening.story()
    assert (second.number, second.entry_id) == (2, first.entry_id)
    async with place.db.read(place.id) as conn:
        found = (await conn.execute(settled.standing_lines(place.id))).all()
        assert {(row.role_key, row.minutes.count) for row in found if row.role_key} == {
            ("facilitate", 180),
            ("host", 75),
        }
        assert len(await entries.load(conn, place.id, [first.entry_id])) == 1
    await place.assert_sound()


async def test_opening_the_list_again_takes_a_waiting_settlement_back(place: MillRoad) -> None:
    evening = await held(place)
    await evening.close()
    first = await evening.sent()
    await evening.reopen(by=place.carla, now=at(hours=4))
    assert (await place.entry(first.id)).state is EntryState.WITHDRAWN
    assert why(await place.approve(first)) is WrongState
    await evening.tick("Bert Okoro", 120, now=at(hours=4))
    await evening.close(now=at(hours=5))
    second = await evening.sent(now=at(hours=5))
    assert second.id != first.id
    await place.approve(second)
    assert (await balances(place))["Bert Okoro"] == 120
    assert await mails(place) != []
    await place.assert_sound()


async def test_approving_while_the_list_is_opened_again_has_one_winner(place: MillRoad) -> None:
    for _ in range(4):
        evening = await held(place)
        await evening.close()
        entry = await evening.sent()
        verdict, reopened = await asyncio.gather(
            place.approve(entry), evening.reopen("Wait!", now=at(hours=4)), return_exceptions=True
        )
        assert reopened is None
        state = (await place.entry(entry.id)).state
        if isinstance(verdict, Done):
            assert state is EntryState.APPROVED
        else:
            assert state is EntryState.WITHDRAWN
        assert (await evening.roll()).open
        await evening.close(now=at(hours=5))
        again = await evening.send(now=at(hours=5))
        assert (again is None) is isinstance(verdict, Done)
    await place.assert_sound()


async def test_what_a_correction_builds_on_stays_and_undoing_all_leaves_nothing(
    place: MillRoad,
) -> None:
    evening = await held(place)
    first = await evening.settle()
    await evening.reopen("Bert stayed.", now=at(hours=5))
    await evening.tick("Bert Okoro", 120, now=at(hours=5))
    await evening.close(now=at(hours=6))
    second = await evening.sent(now=at(hours=6))
    await place.undo(first, now=at(hours=6))
    assert why(await place.approve(second, now=at(hours=7))) is SettlementMoved
    await place.step(entry_steps.withdraw, second, place.ana, now=at(hours=7))
    whole = await evening.sent(now=at(hours=8))
    assert whole.minutes == Minutes(180 + 195 + 120)
    await place.approve(whole, now=at(hours=8))

    await evening.reopen("Inés left early.", now=at(hours=9))
    await evening.tick("Inés García", 60, now=at(hours=9))
    await evening.close(now=at(hours=9))
    correction = await evening.sent(now=at(hours=9))
    await place.approve(correction, now=at(hours=9))
    assert why(await place.undo(whole, now=at(hours=10))) is CorrectedSince
    assert isinstance(await place.undo(correction, now=at(hours=10)), Done)
    assert isinstance(await place.undo(whole, now=at(hours=10)), Done)
    assert await balances(place) == {}
    assert await tally(place, place.ines) == (0, 0)
    assert (await evening.plan()).base is None
    await place.assert_sound()


async def test_a_declined_settlement_can_be_sent_again(place: MillRoad) -> None:
    evening = await held(place)
    await evening.close()
    async with place.db.read(place.id) as conn:
        query = settled.waits(place.id, terms=Terms(), now=at(days=1))
        assert [row.id for row in await conn.execute(query)] == [evening.id]
    entry = await evening.sent()
    async with place.db.read(place.id) as conn:
        assert (await conn.execute(query)).all() == []
    await place.step(entry_steps.decline, entry, place.carla, "Jo is a member by now.")
    async with place.db.read(place.id) as conn:
        assert [row.since for row in await conn.execute(query)] == [AFTER.at]
    assert (await evening.sent()).id != entry.id
    assert [one.number for one in await evening.story()] == [1, 2]


async def test_whose_account_was_closed_counts_as_a_guest(place: MillRoad) -> None:
    evening = await held(place)
    async with place.db.write(EVERYWHERE) as conn:
        await my_data.close(conn, place.id, place.bert.id, by=place.bert.id, now=at(hours=3))
    await evening.close()
    entry = await evening.sent()
    assert place.bert.id not in {part.account_id for part in entry.parts}
    assert isinstance(await place.approve(entry), Done)
    await evening.reopen("Inés left early.", now=at(hours=5))
    await evening.tick("Inés García", 60, now=at(hours=5))
    await evening.close(now=at(hours=6))
    assert isinstance(await place.approve(await evening.sent(now=at(hours=6))), Done)
    await place.assert_sound()


async def test_a_tally_that_was_changed_behind_our_back_is_found_in_corrections_too(
    place: MillRoad,
) -> None:
    evening = await held(place, rule=Rule.ONE_FOR_ONE)
    await evening.settle()
    await evening.reopen("Bert took the notes.", now=at(hours=5))
    await evening.carry("Bert Okoro", "notes")
    await evening.close(now=at(hours=6))
    second = await evening.sent(now=at(hours=6))
    await place.approve(second, now=at(hours=6))
    async with place.db.write(place.id) as conn:
        assert (await comparing.compare(conn, place.id)).found == 0
        await conn.execute(
            update(entries.parts)
            .where(
                entries.parts.c.entry_id == second.id, entries.parts.c.account_id == place.bert.id
            )
            .values(back=Minutes(0))
        )
        found = await comparing.compare(conn, place.id)
    assert found.found == 1
    assert str(place.bert.id) in found.findings[0]


async def test_a_gathering_of_more_than_two_hundred_is_one_posting(place: MillRoad) -> None:
    async with place.db.write(EVERYWHERE) as conn:
        id = await a_gathering(conn, place.id, place.ana.id)
        evening = Evening(place, id)
        for number in range(210):
            member = await members.add(
                conn, place.id, name=f"Neighbour {number:03}", by=place.carla.id, now=at()
            )
            await a_seat(conn, place.id, id, member.id, present=Minutes(60))
    entry = await evening.settle()
    assert len(entry.parts) == 211
    assert (await balances(place))["Mill Road"] == -210 * 60
    async with place.db.read(place.id) as conn:
        assert (await read.head(conn, place.id)).seq == 210
        assert await count_rows(conn, entries.entries) == 1
    await place.assert_sound()


async def test_a_hard_floor_of_somebody_who_took_part_is_told_by_name(place: MillRoad) -> None:
    async with place.db.write(place.id) as conn:
        await store.set_floor(conn, place.id, [place.bert.id], Minutes(-30))
    evening = await held(place, rule=Rule.ONE_FOR_ONE)
    await evening.close()
    short = [one for one in (await evening.plan()).gives if one.short]
    assert [(one.name, one.short.count) for one in short] == [("Bert Okoro", 45)]


async def test_only_one_of_two_who_finish_thanks_everybody(place: MillRoad) -> None:
    evening = await an_evening(place, rule=Rule.SPLIT)
    await evening.tick("Bert Okoro")
    await evening.close()
    await asyncio.gather(evening.send(place.ana), evening.send(place.carla))
    assert await evening.state() is State.SETTLED
    assert [address for address, _, _ in await mails(place)] == ["bert@example.org"]
