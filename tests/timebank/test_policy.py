"""Who may do what, as tables of who, what and whether.

Seen to turn red: letting paused members act; letting whoever wrote an entry down confirm it;
letting a manager answer for the side opposite to their own; letting one's own confirmation stand
in; not turning the flow around for a reversal.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from ledger import Minutes
from timebank import policy
from timebank.agreements import Approval, OtherSide, Silence, Terms
from timebank.entry import OPEN, Entry, Kind, Part, Side, State
from timebank.members import Member, MemberKind, Role, Status

PLACE = UUID(int=99)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def somebody(number: int, role: Role = Role.MEMBER, status: Status = Status.ACTIVE) -> Member:
    return Member(
        PLACE, UUID(int=number), MemberKind.PERSON, None, f"No. {number}", "", role, status
    )


ana, bert, other = somebody(1), somebody(2), somebody(3)
carla = somebody(4, Role.COORDINATOR)
stella = somebody(5, Role.STEWARD)
house = UUID(int=6)
EVERYONE = (ana, bert, other, carla, stella)


def part(account: UUID, side: Side, *, awaited: bool = False, by: Member | None = None) -> Part:
    return Part(
        account, "", side, Minutes(60), awaited, NOON if by else None, by.id if by else None, True
    )


def entry(
    giver: UUID = ana.id,
    receiver: UUID = bert.id,
    *,
    state: State = State.RECORDED,
    kind: Kind = Kind.HELP,
    contested: bool = False,
    by: Member = ana,
    confirmed: Member | None = None,
    awaited: bool = True,
) -> Entry:
    """Ana gave Bert an hour and wrote it down; Bert is asked."""
    received = part(receiver, Side.RECEIVED, awaited=awaited and confirmed is None, by=confirmed)
    return Entry(
        community_id=PLACE,
        id=UUID(int=50),
        kind=kind,
        category=None,
        category_id=None,
        occurred_on=date(2026, 5, 3),
        note="",
        minutes=Minutes(60),
        state=state,
        contested=contested,
        agreement_version=1,
        recorded_by=by.id,
        recorded_by_name="",
        on_behalf_of=None,
        on_behalf_of_name=None,
        recorded_at=NOON,
        touched_at=NOON,
        posted_at=NOON if state in (State.APPROVED, State.REVERSED) else None,
        reverses_id=None,
        reversed_by_id=None,
        parts=(part(giver, Side.GAVE, by=by), received),
    )


@pytest.mark.parametrize("status", [Status.PAUSED, Status.APPLIED, Status.LEFT])
@pytest.mark.parametrize("role", list(Role))
def test_only_active_members_act(role: Role, status: Status) -> None:
    me = somebody(1, role, status)
    assert not policy.may_act(me)
    assert not policy.may_coordinate(me)
    assert not policy.may_adopt(me)
    assert not policy.may_set_role(me)
    assert not policy.may_read_audit(me)
    assert not policy.may_invite(me)
    assert not policy.may_record(me, [me.id])
    assert policy.steps_open_to(me, entry(), Terms()) == frozenset()


def test_roles_include_one_another() -> None:
    assert [policy.may_coordinate(who) for who in EVERYONE] == [False] * 3 + [True] * 2
    assert [policy.may_adopt(who) for who in EVERYONE] == [False] * 4 + [True]
    assert [policy.may_welcome(who) for who in EVERYONE] == [False] * 3 + [True] * 2


def test_statements_are_open_to_their_owner_their_keeper_coordinators_and_the_commons_to_all() -> (
    None
):
    assert policy.may_see_statement(ana, ana.id)
    assert not policy.may_see_statement(ana, bert.id)
    assert policy.may_see_statement(ana, house, {house})
    assert policy.may_see_statement(ana, PLACE)
    assert policy.may_see_statement(carla, bert.id)
    assert not policy.may_see_statement(somebody(1, status=Status.LEFT), ana.id)
    assert policy.may_see_statement(somebody(1, status=Status.PAUSED), ana.id)


def test_profiles_of_applicants_are_seen_by_coordinators_only() -> None:
    applicant = somebody(7, status=Status.APPLIED)
    assert policy.may_see_profile(carla, applicant)
    assert policy.may_see_profile(applicant, applicant)
    assert not policy.may_see_profile(ana, applicant)
    assert not policy.may_see_profile(applicant, ana)
    assert policy.may_see_profile(ana, bert)


def test_who_stands_in_an_entry_or_acts_for_somebody_in_it_records() -> None:
    sides = [ana.id, bert.id]
    assert policy.may_record(ana, sides)
    assert not policy.may_record(other, sides)
    assert policy.may_record(other, sides, {bert.id})
    assert policy.may_record(carla, sides)


def test_those_concerned_see_an_entry_and_others_do_not() -> None:
    assert [policy.may_see_entry(who, entry()) for who in EVERYONE] == [
        True,
        True,
        False,
        True,
        True,
    ]
    assert policy.may_see_entry(other, entry(), {bert.id})
    assert not policy.may_see_entry(other, entry(receiver=PLACE))
    assert policy.may_see_entry(other, entry(receiver=PLACE, state=State.APPROVED))


def test_the_other_side_confirms_and_the_recorder_does_not() -> None:
    assert policy.may_confirm(bert, entry())
    assert not policy.may_confirm(ana, entry())
    assert not policy.may_confirm(other, entry())
    assert policy.may_confirm(other, entry(), {bert.id})
    assert not policy.may_confirm(ana, entry(), {bert.id})  # she wrote it down herself
    assert not policy.may_confirm(bert, entry(confirmed=bert))
    for_both = entry(by=other)  # a buddy of both of them wrote it down
    assert not policy.may_confirm(other, for_both, {ana.id, bert.id})


def test_nobody_answers_for_the_side_opposite_to_their_own() -> None:
    theirs = entry(giver=ana.id, receiver=house, by=carla)
    assert not [one for one in policy.answerable(ana, theirs, {house}) if one.account_id == house]
    assert policy.may_confirm(other, theirs, {house})


@pytest.mark.parametrize("state", list(State))
def test_each_step_starts_from_its_states(state: State) -> None:
    one = entry(state=state)
    waits = state in OPEN
    assert policy.may_change(ana, one) is waits
    assert policy.may_withdraw(ana, one) is waits
    assert policy.may_withdraw(carla, one) is waits
    assert policy.may_decline(carla, one) is waits
    assert policy.may_return(carla, one) is (waits and state is not State.RETURNED)
    assert policy.may_approve(carla, one) is (waits and state is not State.RETURNED)
    assert policy.may_undo(carla, one) is (state is State.APPROVED)
    assert policy.may_answer(ana, one) is (state in (State.RETURNED, State.DISPUTED))
    assert policy.may_answer(bert, one) is (state is State.DISPUTED)
    assert policy.may_dispute(bert, one) is (waits or state is State.APPROVED)
    assert policy.may_dispute(ana, one) is (state is State.APPROVED)


@pytest.mark.parametrize(
    ("kind", "gives", "receives"),
    [(Kind.HELP, True, False), (Kind.ACTIVITY, True, False), (Kind.GRANT, False, True)],
)
def test_who_gains_depends_on_whether_hours_or_help_are_given(
    kind: Kind, gives: bool, receives: bool
) -> None:
    giving, receiving = entry(giver=carla.id, kind=kind), entry(receiver=carla.id, kind=kind)
    assert policy.gains(carla, giving) is gives
    assert policy.gains(carla, receiving) is receives
    assert policy.gains(carla, giving, reversal=True) is not gives
    assert policy.may_approve(carla, giving) is not gives
    undoing = replace(giving, reverses_id=UUID(int=51))
    assert policy.gains(carla, undoing) is not gives


def test_a_managed_organisation_gains_for_its_manager() -> None:
    assert not policy.may_approve(carla, entry(giver=house), {house})
    assert policy.may_approve(carla, entry(receiver=house), {house})
    assert not policy.may_undo(carla, entry(receiver=house, state=State.APPROVED), {house})


def test_the_other_sides_word_stands_in_only_for_a_sole_coordinator() -> None:
    mine = entry(giver=carla.id, by=carla, confirmed=bert, state=State.CONFIRMED)
    open_ = Terms(sole_coordinator=True)
    assert policy.may_approve(carla, mine, terms=open_, sole=True)
    assert not policy.may_approve(carla, mine, terms=open_, sole=False)
    assert not policy.may_approve(carla, mine, terms=Terms(), sole=True)
    unanswered = entry(giver=carla.id, by=carla)
    assert not policy.may_approve(carla, unanswered, terms=open_, sole=True)
    by_herself = entry(giver=carla.id, by=carla, confirmed=carla)
    assert not policy.may_approve(carla, by_herself, terms=open_, sole=True)


def test_what_the_agreement_asks_of_the_other_side() -> None:
    confirms = Terms(other_side=OtherSide.CONFIRMS)
    waits = replace(confirms, silence=Silence.WAITS)
    assert policy.agreed_enough(entry(), Terms())
    assert not policy.agreed_enough(entry(), confirms)
    assert policy.agreed_enough(entry(), confirms, silent=True)
    assert not policy.agreed_enough(entry(), waits, silent=True)
    assert policy.agreed_enough(entry(confirmed=bert), waits)
    assert policy.agreed_enough(entry(awaited=False), waits)  # nobody could be asked
    assert policy.agreed_enough(entry(state=State.DISPUTED), waits)


def test_what_goes_by_itself() -> None:
    above = Terms(approval=Approval.ABOVE, approval_above=Minutes(90))
    agreed = entry(confirmed=bert, state=State.CONFIRMED)
    assert policy.goes_by_itself(agreed, above, silent=False)
    assert not policy.goes_by_itself(agreed, Terms(), silent=False)
    assert not policy.goes_by_itself(entry(), above, silent=False)
    assert policy.goes_by_itself(entry(), above, silent=True)
    assert not policy.goes_by_itself(entry(), replace(above, silence=Silence.WAITS), silent=True)
    assert not policy.goes_by_itself(entry(awaited=False), above, silent=True)  # never asked
    assert not policy.goes_by_itself(replace(agreed, minutes=Minutes(91)), above, silent=False)
    assert not policy.goes_by_itself(replace(agreed, state=State.DISPUTED), above, silent=True)


def test_what_the_commons_gives_needs_a_coordinator_and_what_it_gets_does_not() -> None:
    terms = Terms(approval=Approval.COMMONS)
    assert policy.needs_coordinator(entry(receiver=PLACE), terms)
    assert policy.needs_coordinator(entry(giver=PLACE, kind=Kind.GRANT), terms)
    donation = entry(receiver=PLACE, kind=Kind.DONATION)
    assert not policy.needs_coordinator(donation, terms)
    assert policy.goes_by_itself(replace(donation), terms, silent=False)


def test_a_dispute_is_looked_into_by_a_coordinator_who_stands_on_neither_side() -> None:
    disputed, contested = entry(state=State.DISPUTED), entry(state=State.APPROVED, contested=True)
    for one in (disputed, contested):
        assert policy.may_look_into(carla, one)
        assert not policy.may_look_into(ana, one)
        assert not policy.may_look_into(carla, one, {ana.id})
    assert not policy.may_look_into(carla, entry())


def test_what_may_be_undone_or_declined_may_be_corrected() -> None:
    for state in State:
        one = entry(state=state)
        wanted = policy.may_undo(carla, one) or policy.may_decline(carla, one)
        assert policy.may_correct(carla, one) is wanted, state
        assert not policy.may_correct(ana, one)


def test_a_page_offers_only_what_is_possible() -> None:
    late = NOON.date() + timedelta(days=8)
    posted = entry(state=State.APPROVED)
    assert policy.steps_open_to(ana, entry(), Terms()) == {"change", "withdraw"}
    assert policy.steps_open_to(bert, entry(), Terms()) == {"confirm", "dispute"}
    assert policy.steps_open_to(carla, entry(), Terms()) == {
        "approve",
        "correct",
        "decline",
        "return",
        "withdraw",
    }
    assert policy.steps_open_to(bert, posted, Terms(), today=NOON.date()) == {"dispute"}
    assert policy.steps_open_to(bert, posted, Terms(), today=late) == frozenset()
    assert policy.steps_open_to(other, entry(), Terms()) == frozenset()
