"""Settling: real minutes one to one, whatever the rule; and a correction moves the difference only.

Seen to turn red: two roles at the same time counted twice; a role credited beyond the time somebody
was there; the odd minute given to whoever stands first on the list; a guest taking a share; the
payer crediting itself; a carrier of a role paying as well; a correction that forgets what it takes
back; the rest going to nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import ZERO, Journal, JournalEntry, Minutes, Posted
from timebank import shapes
from timebank.entry import Kind, Side
from timebank.gatherings import Rule
from timebank.settling import (
    PAYS,
    TAKE_PART,
    Attendee,
    Carried,
    Line,
    Moved,
    difference,
    settle,
    time_of,
)

ANA, BERT, CLEO, DORA, EVA, FRED = PEOPLE = tuple(UUID(int=number) for number in range(1, 7))
COMMONS, LIBRARY = UUID(int=100), UUID(int=101)
TEA_AND_TALK = UUID(int=1000)
TEA, HOST, FACILITATE, INVITE = "tea", "host", "facilitate", "invite"
KINDS = {
    TEA: Kind.HOSPITALITY,
    HOST: Kind.HOSPITALITY,
    INVITE: Kind.HOSPITALITY,
    FACILITATE: Kind.FACILITATION,
}


def there(account: UUID | None, present: int, *roles: Carried) -> Attendee:
    return Attendee(account, Minutes(present), roles)


def did(key: str, before: int = 0, during: int = 0, after: int = 0) -> Carried:
    return Carried(key, KINDS[key], Minutes(before), Minutes(during), Minutes(after))


def settled(
    rule: Rule,
    *people: Attendee,
    payer: UUID | None = COMMONS,
    credits: bool = True,
    draw: UUID = TEA_AND_TALK,
) -> tuple[Line, ...]:
    return settle(rule, people, payer=payer, credits_taking_part=credits, draw=draw)


def told(lines: Iterable[Line]) -> dict[tuple[UUID, str], int]:
    """Minutes by account and reason; below zero where hours are given."""
    return {
        (line.account_id, line.role_key): line.minutes.count * (1 if line.side is Side.GAVE else -1)
        for line in lines
    }


EVENING = (
    there(ANA, 120, did(TEA, before=45, after=30)),
    there(BERT, 120, did(FACILITATE, before=60, during=120)),
    there(CLEO, 120),
    there(DORA, 75),
    there(None, 120),
)


# ── By example ───────────────────────────────────────────────────────────────────────────────────


def test_the_commons_credits_every_role_and_everyones_time_there() -> None:
    assert told(settled(Rule.SPONSORED, *EVENING)) == {
        (ANA, TEA): 75,
        (ANA, TAKE_PART): 120,
        (BERT, FACILITATE): 180,
        (CLEO, TAKE_PART): 120,
        (DORA, TAKE_PART): 75,
        (COMMONS, PAYS): -570,
    }


def test_where_taking_part_is_not_credited_roles_are_all_the_same() -> None:
    lines = settled(Rule.SPONSORED, *EVENING, payer=LIBRARY, credits=False)
    assert told(lines) == {(ANA, TEA): 75, (BERT, FACILITATE): 180, (LIBRARY, PAYS): -255}
    assert {line.kind for line in lines if line.role_key == TEA} == {Kind.HOSPITALITY}
    assert {line.kind for line in lines if line.role_key == FACILITATE} == {Kind.FACILITATION}


def test_an_organisation_that_sponsors_does_not_credit_itself() -> None:
    host = there(LIBRARY, 120, did(HOST, before=30, during=120, after=30))
    assert settled(Rule.SPONSORED, host, payer=LIBRARY) == ()
    assert told(settled(Rule.SPONSORED, host, *EVENING, payer=LIBRARY, credits=False)) == {
        (ANA, TEA): 75,
        (BERT, FACILITATE): 180,
        (LIBRARY, PAYS): -255,
    }


def test_one_earns_one_gives_and_the_rest_goes_to_the_commons() -> None:
    assert told(settled(Rule.ONE_FOR_ONE, *EVENING, there(EVA, 120))) == {
        (ANA, TEA): 75,
        (BERT, FACILITATE): 180,
        (CLEO, PAYS): -120,
        (DORA, PAYS): -75,
        (EVA, PAYS): -120,
        (COMMONS, PAYS): 60,
    }


def test_where_few_came_the_commons_adds_what_is_missing() -> None:
    lines = settled(Rule.ONE_FOR_ONE, *EVENING[:3])
    assert told(lines)[COMMONS, PAYS] == -135
    assert told(settled(Rule.WORKSHOP, *EVENING[:3], payer=LIBRARY))[LIBRARY, PAYS] == -135


def test_the_minutes_of_those_who_carried_it_are_split_among_those_who_took_part() -> None:
    lines = told(settled(Rule.SPLIT, *EVENING, payer=None))
    assert lines == {
        (ANA, TEA): 75,
        (BERT, FACILITATE): 180,
        (CLEO, PAYS): -128,
        (DORA, PAYS): -127,
    }
    evenings = [settled(Rule.SPLIT, *EVENING, payer=None, draw=UUID(int=n)) for n in range(9)]
    assert {told(lines)[DORA, PAYS] for lines in evenings} == {-127, -128}, "by lot, not by name"


def test_with_nobody_to_share_it_nothing_moves() -> None:
    assert settled(Rule.SPLIT, *EVENING[:2], there(None, 120), payer=None) == ()
    assert settled(Rule.SPLIT, there(CLEO, 60), payer=None) == ()


def test_a_gathering_may_move_no_hours_at_all() -> None:
    assert settled(Rule.NONE, *EVENING) == ()


def test_roles_at_the_same_time_share_it_and_never_double_it() -> None:
    one = there(ANA, 90, did(HOST, 30, 120, 30), did(FACILITATE, 60, 120))
    assert [(role.key, role.minutes.count) for role in time_of(one)] == [
        (FACILITATE, 105),
        (HOST, 105),
    ]
    assert told(settled(Rule.SPONSORED, one)) == {
        (ANA, FACILITATE): 105,
        (ANA, HOST): 105,
        (COMMONS, PAYS): -210,
    }


def test_a_role_that_took_half_the_evening_leaves_the_other_half_for_taking_part() -> None:
    lines = told(settled(Rule.SPONSORED, there(ANA, 120, did(FACILITATE, during=60))))
    assert lines == {(ANA, FACILITATE): 60, (ANA, TAKE_PART): 60, (COMMONS, PAYS): -120}


def test_who_prepared_and_could_not_come_gets_the_preparation_and_no_more() -> None:
    baker = there(ANA, 0, did(TEA, before=45), did(HOST, before=0, during=120))
    assert told(settled(Rule.SPONSORED, baker)) == {(ANA, TEA): 45, (COMMONS, PAYS): -45}


def test_a_role_of_no_minutes_is_none_so_its_bearer_took_part_like_others() -> None:
    assert told(settled(Rule.ONE_FOR_ONE, there(ANA, 60, did(INVITE)))) == {
        (ANA, PAYS): -60,
        (COMMONS, PAYS): 60,
    }


def test_an_account_on_the_list_twice_or_a_missing_payer_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="twice"):
        settled(Rule.SPONSORED, there(ANA, 60), there(ANA, 30))
    with pytest.raises(ValueError, match="needs an account"):
        settled(Rule.SPONSORED, there(ANA, 60), payer=None)


def test_a_correction_takes_back_what_was_counted_on_the_other_side() -> None:
    took_part = settled(Rule.ONE_FOR_ONE, there(ANA, 60), there(BERT, 120, did(FACILITATE, 60)))
    made_tea = settled(
        Rule.ONE_FOR_ONE, there(ANA, 60, did(TEA, 60)), there(BERT, 120, did(FACILITATE, 60))
    )
    assert difference(took_part, made_tea) == (
        Moved(ANA, Side.GAVE, Minutes(120), back=Minutes(60)),
        Moved(COMMONS, Side.RECEIVED, Minutes(120), back=ZERO),
    )
    assert difference(made_tea, took_part)[0] == Moved(
        ANA, Side.RECEIVED, Minutes(120), back=Minutes(60)
    )


def test_an_account_on_both_sides_cannot_be_told_apart() -> None:
    lines = [
        Line(ANA, TEA, Kind.HOSPITALITY, Side.GAVE, Minutes(30)),
        Line(ANA, PAYS, Kind.ACTIVITY, Side.RECEIVED, Minutes(60)),
    ]
    with pytest.raises(ValueError, match="both sides"):
        difference(lines, ())


# ── For every attendance, and every rule ─────────────────────────────────────────────────────────

few = st.integers(min_value=0, max_value=9).map(Minutes)
carried = st.builds(
    lambda key, before, during, after: Carried(key, KINDS[key], before, during, after),
    st.sampled_from(sorted(KINDS)),
    few,
    few,
    few,
)
roles = st.lists(carried, max_size=3, unique_by=lambda role: role.key).map(tuple)


def attendances(accounts: Iterable[UUID]) -> st.SearchStrategy[tuple[Attendee, ...]]:
    """Some of these people, each once, and a guest or two."""
    members = st.lists(
        st.builds(Attendee, st.sampled_from(list(accounts)), few, roles),
        max_size=6,
        unique_by=lambda one: one.account_id,
    )
    guests = st.lists(st.builds(Attendee, st.none(), few, roles), max_size=2)
    return st.tuples(members, guests).map(lambda both: (*both[0], *both[1]))


people = attendances((*PEOPLE, LIBRARY))
rules = st.sampled_from(Rule)
payers = st.sampled_from([COMMONS, LIBRARY])
draws = st.integers(min_value=0, max_value=50).map(lambda number: UUID(int=number))


def stands(lines: Iterable[Line]) -> Counter[UUID]:
    """What each account's balance moves by; those that do not move are left out."""
    found: Counter[UUID] = Counter()
    for line in lines:
        sign = 1 if line.side is Side.GAVE else -1
        found[line.account_id] += sign * line.minutes.count
    return Counter({account: minutes for account, minutes in found.items() if minutes})


def helped(lines: Iterable[Line]) -> Counter[tuple[UUID, Side]]:
    """What each account gave, and received."""
    found: Counter[tuple[UUID, Side]] = Counter()
    for line in lines:
        found[line.account_id, line.side] += line.minutes.count
    return found


@given(rules, people, payers, st.booleans(), draws)
def test_what_some_get_others_give_and_nobody_gets_more_than_their_real_minutes(
    rule: Rule, people: tuple[Attendee, ...], payer: UUID, credits: bool, draw: UUID
) -> None:
    lines = settled(rule, *people, payer=payer, credits=credits, draw=draw)
    assert sum(stands(lines).values()) == 0
    assert len({(line.account_id, line.role_key) for line in lines}) == len(lines)
    assert all(line.minutes > ZERO for line in lines)
    by_account = {one.account_id: one for one in people if one.account_id}
    for account, minutes in stands(lines).items():
        if account == payer:
            continue
        one = by_account[account]
        outside = sum((role.before + role.after for role in one.roles), ZERO)
        assert minutes <= (one.present + outside).count
    for line in lines:
        if line.account_id != payer and line.role_key == PAYS:
            one = by_account[line.account_id]
            assert line.side is Side.RECEIVED
            assert time_of(one) == (), "who carries a role gives nothing as a participant"
            assert rule is Rule.SPLIT or line.minutes == one.present


@given(rules, people, payers, st.booleans(), draws, st.randoms(use_true_random=False))
def test_the_order_of_the_list_changes_nothing_and_guests_neither(
    rule: Rule,
    people: tuple[Attendee, ...],
    payer: UUID,
    credits: bool,
    draw: UUID,
    random: Random,
) -> None:
    shuffled = [
        Attendee(one.account_id, one.present, tuple(random.sample(one.roles, len(one.roles))))
        for one in people
        if one.account_id is not None
    ]
    random.shuffle(shuffled)
    as_written = settled(rule, *people, payer=payer, credits=credits, draw=draw)
    assert settled(rule, *shuffled, payer=payer, credits=credits, draw=draw) == as_written


@given(people, draws)
def test_a_split_is_equal_to_the_minute_and_adds_up(
    people: tuple[Attendee, ...], draw: UUID
) -> None:
    lines = settled(Rule.SPLIT, *people, payer=None, draw=draw)
    given_ = [line.minutes.count for line in lines if line.side is Side.RECEIVED]
    took_part = [one for one in people if one.account_id and one.present and not time_of(one)]
    if lines:
        given_ += [0] * (len(took_part) - len(given_))  # whose share came to nothing
        assert max(given_) - min(given_) <= 1
        carried = [time_of(one) for one in people if one.account_id]
        assert sum(given_) == sum(role.minutes.count for some in carried for role in some)


@given(st.lists(st.tuples(rules, people, payers, st.booleans(), draws), min_size=1, max_size=4))
def test_settling_again_moves_the_difference_and_nothing_when_nothing_changed(
    tries: list[tuple[Rule, tuple[Attendee, ...], UUID, bool, UUID]],
) -> None:
    standing: tuple[Line, ...] = ()
    balances: Counter[UUID] = Counter()
    tallies: Counter[tuple[UUID, Side]] = Counter()
    for rule, people, payer, credits, draw in tries:
        lines = settled(rule, *people, payer=payer, credits=credits, draw=draw)
        moved = difference(standing, lines)
        assert sum(part.minutes.count for part in moved if part.side is Side.GAVE) == sum(
            part.minutes.count for part in moved if part.side is Side.RECEIVED
        )
        for part in moved:
            assert ZERO <= part.back <= part.minutes
            other = Side.RECEIVED if part.side is Side.GAVE else Side.GAVE
            balances[part.account_id] += part.minutes.count * (1 if part.side is Side.GAVE else -1)
            tallies[part.account_id, part.side] += (part.minutes - part.back).count
            tallies[part.account_id, other] -= part.back.count
        standing = lines
        assert {id: minutes for id, minutes in balances.items() if minutes} == stands(standing)
        assert {one: minutes for one, minutes in tallies.items() if minutes} == helped(standing)
        assert difference(standing, lines) == ()


@given(st.lists(st.tuples(rules, people, st.booleans()), max_size=5), st.integers(-40, 0))
def test_the_commons_never_passes_its_budget(
    evenings: list[tuple[Rule, tuple[Attendee, ...], bool]], budget: int
) -> None:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    books = Journal.open(UUID(int=9), now)
    books.open_account(COMMONS, floor=Minutes(budget))
    for account in (*PEOPLE, LIBRARY):
        books.open_account(account)
    for number, (rule, people, credits) in enumerate(evenings, start=1):
        lines = settled(rule, *people, credits=credits)
        parts = difference((), lines)
        before = books.balances()
        if not parts:
            continue
        entry = JournalEntry(
            UUID(int=number), shapes.transfers(parts, Kind.ACTIVITY), date(2026, 5, 4), bytes(32)
        )
        (verdict,) = books.post([entry], now)
        gained = stands(lines)
        if isinstance(verdict, Posted):
            assert books.balances() == {id: before[id] + Minutes(gained[id]) for id in before}
        else:
            assert books.balances() == before, "all of a gathering is posted, or nothing"
            assert (before[COMMONS] + Minutes(gained[COMMONS])).count < budget
        assert books.balances()[COMMONS].count >= budget
