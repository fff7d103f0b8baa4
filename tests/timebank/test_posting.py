"""The door: what it lets through, whom it refuses, and that everything goes together.

Seen to turn red: not asking whether the approver gains; letting a plain member approve;
approving a disputed entry without words; counting gifts as help; adding instead of taking off when
undoing; leaving parts awaited; a new id for each reversal.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, update

from ledger import Minutes
from ledger.errors import AccountClosed, FloorReached
from ledger.sql import read, store
from tests.timebank.factories import a_member, at
from tests.timebank.scenes import DAY, MillRoad, counted, helped, mill_road
from timebank import agreements, audit, entry_steps, limits, members, posting, statements
from timebank.agreements import Approval, OtherSide, Silence
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share, State, StepKind
from timebank.errors import (
    CannotUndo,
    Forbidden,
    NotConfirmed,
    NotFound,
    OwnGain,
    ReadOnlyMember,
    ReasonMissing,
    WrongState,
)
from timebank.members import Member, Role
from timebank.outbox import outbox
from timebank.posting import Approve, Done, PostAgreed, Refused, Undo, Verdict


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


def why(verdict: Verdict) -> type[Exception]:
    """What the verdict refuses with."""
    assert isinstance(verdict, Refused), verdict
    return type(verdict.error)


async def tally(place: MillRoad, member: Member) -> tuple[int, int]:
    async with place.db.read(place.id) as conn:
        given, received, _ = await statements.totals(conn, place.id, member.account_id)
    return given.count, received.count


async def test_approval_moves_hours_from_the_receiver_to_the_giver(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.ines, 90), place.ana)
    verdict = await place.approve(entry)
    assert verdict == Done(entry.id, 1, replayed=False)
    assert (await place.balance(place.ana), await place.balance(place.ines)) == (90, -90)
    assert (await tally(place, place.ana), await tally(place, place.ines)) == ((90, 0), (0, 90))
    posted = await place.entry(entry.id)
    assert (posted.state, posted.posted_at) == (State.APPROVED, at(hours=1).at)
    assert (await place.story(entry))[-1].kind is StepKind.APPROVED
    assert set(await place.told()) == {"ana@example.org"}
    await place.assert_sound()


async def test_a_double_click_is_a_success_and_posts_once(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    mails = len(await place.told())
    again = await place.approve(entry, now=at(hours=3))
    assert again == Done(entry.id, 1, replayed=True)
    assert await place.approve(entry, place.dora) == again
    assert await place.balance(place.ana) == 60
    assert len(await place.told()) == mails
    assert len(await place.story(entry)) == 2
    await place.assert_sound()


async def test_a_coordinator_cannot_approve_an_entry_they_gain_from(place: MillRoad) -> None:
    gave = await place.record(helped(place.carla, place.bert), place.carla)
    assert why(await place.approve(gave)) is OwnGain
    received = await place.record(helped(place.bert, place.carla), place.bert)
    assert isinstance(await place.approve(received), Done)
    assert isinstance(await place.approve(gave, place.dora), Done)
    grant = NewEntry(
        Kind.GRANT, (Share(place.commons),), (Share(place.carla.id),), Minutes(60), DAY
    )
    gift = await place.record(grant, place.carla)
    assert why(await place.approve(gift)) is OwnGain
    assert (await place.entry(gift.id)).state is State.RECORDED
    await place.assert_sound()


async def test_a_coordinator_cannot_approve_what_their_organisation_gains(
    place: MillRoad,
) -> None:
    async with place.db.write(place.id) as conn:
        await members.set_role(
            conn, place.id, place.bert.id, Role.COORDINATOR, by=place.stella.id, now=at()
        )
    entry = await place.record(helped(place.library, place.ana), place.bert)
    assert why(await place.approve(entry, place.bert)) is OwnGain
    assert isinstance(await place.approve(entry, place.carla), Done)


async def test_the_other_sides_word_stands_in_where_there_is_one_coordinator(
    place: MillRoad,
) -> None:
    async with place.db.write(place.id) as conn:
        await conn.execute(
            update(members.members)
            .where(members.members.c.id.in_([place.dora.id, place.carla.id]))
            .values(role="member")
        )
    entry = await place.record(helped(place.stella, place.bert), place.stella)
    assert why(await place.approve(entry, place.stella)) is OwnGain
    await place.agree(sole_coordinator=True)
    assert why(await place.approve(entry, place.stella)) is OwnGain  # Bert has not said a word
    await place.step(entry_steps.confirm, entry, place.bert)
    assert isinstance(await place.approve(entry, place.stella), Done)
    assert (await place.story(entry))[-1].stood_in
    await place.assert_sound()


async def test_only_active_coordinators_approve(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    assert why(await place.approve(entry, place.bert)) is Forbidden
    stranger = helped(place.carla, place.dora)
    other = await place.record(stranger, place.carla)
    assert why(await place.approve(other, place.bert)) is NotFound
    async with place.db.write(place.id) as conn:
        await members.pause(conn, place.id, place.carla.id, by=place.carla.id, now=at())
    verdict = await place.approve(entry, place.carla)
    assert why(verdict) in (ReadOnlyMember, NotFound)
    assert await place.balance(place.ana) == 0


async def test_where_the_other_side_confirms_an_unconfirmed_entry_waits(
    place: MillRoad,
) -> None:
    await place.agree(other_side=OtherSide.CONFIRMS, silence=Silence.WAITS)
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    unreachable = await place.record(helped(place.bert, place.ines), place.bert)
    assert why(await place.approve(entry)) is NotConfirmed
    assert why(await place.approve(entry, now=at(days=30))) is NotConfirmed
    assert isinstance(await place.approve(unreachable), Done)
    await place.step(entry_steps.confirm, entry, place.bert)
    assert isinstance(await place.approve(entry), Done)


async def test_silence_agrees_once_the_days_have_passed(place: MillRoad) -> None:
    await place.agree(other_side=OtherSide.CONFIRMS)
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    assert why(await place.approve(entry, now=at(days=6))) is NotConfirmed
    assert isinstance(await place.approve(entry, now=at(days=7)), Done)
    assert not (await place.entry(entry.id)).receivers[0].awaited


async def test_a_disputed_entry_is_approved_with_words_only(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.step(entry_steps.dispute, entry, place.bert, "It was half an hour.")
    assert why(await place.approve(entry)) is ReasonMissing
    assert isinstance(await place.approve(entry, words="Both were there."), Done)
    assert (await place.story(entry))[-1].words == "Both were there."


async def test_what_is_no_longer_open_is_not_approved(place: MillRoad) -> None:
    for verb, words in (
        (entry_steps.withdraw, ""),
        (entry_steps.decline, "No."),
        (entry_steps.return_with_question, "When?"),
    ):
        entry = await place.record(helped(place.ana, place.bert), place.ana)
        await place.step(verb, entry, place.carla, words)
        assert why(await place.approve(entry)) is WrongState
    assert await place.balance(place.ana) == 0


async def test_a_hard_floor_refuses_unless_a_coordinator_says_why(place: MillRoad) -> None:
    await place.agree(soft_floor=Minutes(-60), hard_floor=Minutes(-90))
    entry = await place.record(helped(place.ana, place.bert, 120), place.ana)
    async with place.db.read(place.id) as conn:
        terms = (await agreements.current(conn, place.id)).terms
        (past,) = await limits.foresee(conn, place.id, terms, entry.kind, entry.parts)
    assert past == limits.Foreseen(place.bert.id, Minutes(-120), limits.Beyond.BELOW, crosses=True)
    refused = await place.approve(entry)
    assert isinstance(refused, Refused)
    assert refused.error == FloorReached(place.bert.id, Minutes(-90), Minutes(0), Minutes(120))
    assert (await place.entry(entry.id)).state is State.RECORDED
    assert why(await place.approve(entry, override=True)) is ReasonMissing
    verdict = await place.approve(entry, words="He has been ill.", override=True)
    assert isinstance(verdict, Done)
    step = (await place.story(entry))[-1]
    assert (step.override, step.words) == (True, "He has been ill.")
    assert {"ana@example.org", "bert@example.org"} <= set(await place.told())
    await place.assert_sound()


async def test_gifts_move_hours_the_other_way_and_are_no_help(place: MillRoad) -> None:
    grant = NewEntry(
        Kind.GRANT, (Share(place.commons),), (Share(place.ines.id),), Minutes(120), DAY
    )
    donation = helped(place.ana, place.commons, 60, kind=Kind.DONATION)
    for entry in (
        await place.record(grant, place.carla),
        await place.record(donation, place.ana),
    ):
        assert isinstance(await place.approve(entry), Done)
    assert await place.balance(place.commons) == -60
    assert (await place.balance(place.ines), await place.balance(place.ana)) == (120, -60)
    assert await tally(place, place.ines) == await tally(place, place.ana) == (0, 0)
    await place.assert_sound()


async def test_an_undone_entry_leaves_a_pair_and_no_arithmetic(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert, 90), place.ana)
    await place.approve(entry)
    assert why(await place.undo(entry, reason=" ")) is ReasonMissing
    assert await place.undo(entry) == Done(entry.id, 1, replayed=False)
    undone = await place.entry(entry.id)
    assert undone.state is State.REVERSED
    assert undone.reversed_by_id == posting.reversal_id(entry.id)
    reversal = await place.entry(undone.reversed_by_id)
    assert (reversal.reverses_id, reversal.note) == (entry.id, "Written down twice.")
    assert reversal.parts[0].minutes == Minutes(90)
    assert await place.balance(place.ana) == await place.balance(place.bert) == 0
    assert await tally(place, place.ana) == await tally(place, place.bert) == (0, 0)
    assert (await place.story(entry))[-1].kind is StepKind.REVERSED
    assert {"ana@example.org", "bert@example.org"} <= set((await place.told())[-2:])
    await place.assert_sound()


async def test_undoing_twice_undoes_once(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    await place.undo(entry)
    assert await place.undo(entry, place.dora, "Again") == Done(entry.id, 1, replayed=True)
    assert await place.balance(place.ana) == 0
    reversal = await place.entry(posting.reversal_id(entry.id))
    assert why(await place.undo(reversal)) is CannotUndo
    assert why(await place.approve(entry)) is WrongState
    await place.assert_sound()


async def test_what_was_never_posted_cannot_be_undone(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    assert why(await place.undo(entry)) is CannotUndo


async def test_a_coordinator_does_not_undo_to_their_own_gain(place: MillRoad) -> None:
    entry = await place.record(helped(place.bert, place.carla), place.bert)
    await place.approve(entry)
    assert why(await place.undo(entry)) is OwnGain
    assert isinstance(await place.undo(entry, place.dora), Done)


async def test_hours_of_a_closed_account_do_not_move(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    async with place.db.write(place.id) as conn:
        await store.close_account(conn, place.id, place.bert.id, at().at)
    assert why(await place.approve(entry)) is AccountClosed
    assert (await place.entry(entry.id)).state is State.RECORDED


async def test_each_request_of_a_list_has_its_own_verdict(place: MillRoad) -> None:
    await place.agree(soft_floor=Minutes(-60), hard_floor=Minutes(-60))
    fine = await place.record(helped(place.ana, place.dora), place.ana)
    too_low = await place.record(helped(place.ana, place.bert, 120), place.ana)
    own = await place.record(helped(place.carla, place.ines), place.carla)

    def ask(entry: Any) -> Approve:
        return Approve(place.id, entry.id, place.carla.id)

    elsewhere = Approve(place.ana.id, fine.id, place.carla.id)
    asked = [ask(fine), ask(too_low), ask(own), ask(fine), elsewhere]
    asked.append(Undo(place.id, fine.id, place.carla.id, "No."))  # type: ignore[arg-type]
    verdicts = await posting.post(place.db, asked, now=at(hours=1))
    assert verdicts[0] == Done(fine.id, 1, replayed=False)
    assert why(verdicts[1]) is FloorReached
    assert why(verdicts[2]) is OwnGain
    assert verdicts[3] == Done(fine.id, 1, replayed=True)
    assert why(verdicts[4]) is NotFound
    assert verdicts[5] == Done(fine.id, 1, replayed=False)
    assert (await place.entry(fine.id)).state is State.REVERSED
    assert await place.balance(place.ana) == 0
    await place.assert_sound()


async def test_an_entry_of_many_is_posted_whole_or_not_at_all(place: MillRoad) -> None:
    async with place.db.write(place.id) as conn:
        await store.set_floor(conn, place.id, [place.ines.id], Minutes(-10))
    new = NewEntry(
        Kind.ACTIVITY,
        (Share(place.ana.id), Share(place.bert.id)),
        (Share(place.dora.id), Share(place.ines.id), Share(place.commons)),
        Minutes(90),
        DAY,
    )
    entry = await place.record(new, place.ana)
    assert why(await place.approve(entry)) is FloorReached
    for account in (place.ana, place.bert, place.dora, place.ines):
        assert await place.balance(account) == 0
    async with place.db.write(place.id) as conn:
        await store.set_floor(conn, place.id, [place.ines.id], None)
    assert await place.approve(entry) == Done(entry.id, 4, replayed=False)
    assert await place.balance(place.commons) == -60
    await place.assert_sound()


@pytest.mark.parametrize("undo", [False, True])
async def test_a_list_takes_the_same_number_of_statements_as_one(
    place: MillRoad, undo: bool
) -> None:
    people = (place.bert, place.dora, place.ines)
    recorded = [await place.record(helped(place.ana, people[n % 3]), place.ana) for n in range(12)]
    asked = [Approve(place.id, entry.id, place.carla.id) for entry in recorded]
    if undo:
        await posting.post(place.db, asked, now=at(hours=1))
    numbers = []
    for some in (recorded[:2], recorded[2:]):
        requests = [
            Undo(place.id, entry.id, place.carla.id, "No.")
            if undo
            else Approve(place.id, entry.id, place.carla.id)
            for entry in some
        ]
        async with counted(place.db) as sent:
            verdicts = await posting.post(place.db, requests, now=at(hours=2))
        assert all(isinstance(verdict, Done) for verdict in verdicts)
        numbers.append(len(sent))
    assert numbers[0] == numbers[1]
    assert numbers[0] <= 30
    await place.assert_sound()


async def test_everything_about_a_posting_is_written_with_it(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    async with place.db.read(place.id) as conn:
        acts = await audit.page(conn, place.id, by=place.stella.id)
        mails = await conn.scalar(select(func.count()).select_from(outbox))
    approved = next(act for act in acts if act.action == "entry.approved")
    assert (approved.actor_id, approved.subject_id) == (place.carla.id, entry.id)
    assert approved.agreement_version == 1
    assert mails == 3  # Bert was asked; then both were told


async def test_what_the_agreement_lets_through_needs_no_coordinator(place: MillRoad) -> None:
    await place.agree(approval=Approval.ABOVE, approval_above=Minutes(90))
    agreed = await place.record(helped(place.ana, place.bert), place.ana)
    long = await place.record(helped(place.ana, place.bert, 120), place.ana)
    silent = await place.record(helped(place.ana, place.dora), place.ana)
    unasked = await place.record(helped(place.bert, place.ines), place.bert)
    commons = await place.record(helped(place.bert, place.commons), place.bert)
    for entry in (agreed, long):
        await place.step(entry_steps.confirm, entry, place.bert)
    verdicts = await posting.post_agreed(place.db, now=at(hours=1))
    assert verdicts == [Done(agreed.id, 1, replayed=False)]
    step = (await place.story(agreed))[-1]
    assert (step.kind, step.member_id) == (StepKind.POSTED, None)
    verdicts = await posting.post_agreed(place.db, now=at(days=8))
    assert verdicts == [Done(silent.id, 1, replayed=False)]
    for entry in (long, unasked, commons):
        (verdict,) = await posting.post(place.db, [PostAgreed(place.id, entry.id)], now=at(days=90))
        assert why(verdict) is WrongState
    await place.assert_sound()


async def test_nothing_goes_by_itself_where_a_coordinator_approves_all(
    place: MillRoad,
) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.step(entry_steps.confirm, entry, place.bert)
    assert await posting.post_agreed(place.db, now=at(days=30)) == []


async def test_an_entry_is_judged_by_the_agreement_of_the_day_it_is_posted(
    place: MillRoad,
) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.agree(other_side=OtherSide.CONFIRMS)
    assert why(await place.approve(entry)) is NotConfirmed
    assert (await place.entry(entry.id)).agreement_version == 1
    async with place.db.read(place.id) as conn:
        assert (await agreements.current(conn, place.id)).version == 2


async def test_communities_of_one_list_do_not_touch_each_other(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    async with place.db.write(EVERYWHERE) as conn:
        from tests.timebank.factories import a_community

        elsewhere = await a_community(conn, "elsewhere")
        boss = await a_member(
            conn, elsewhere.id, "Zora", email="zora@example.org", role=Role.STEWARD
        )
    verdicts = await posting.post(
        place.db,
        [Approve(elsewhere.id, entry.id, boss.id), Approve(place.id, entry.id, boss.id)],
        now=at(hours=1),
    )
    assert [why(verdict) for verdict in verdicts] == [NotFound, NotFound]
    async with place.db.read(place.id) as conn:
        assert (await read.head(conn, place.id)).seq == 0
