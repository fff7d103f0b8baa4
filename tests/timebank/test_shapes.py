"""Shapes: whatever is written down, everybody's minutes come out exact.

Seen to turn red: taking the larger of two amounts when matching; handing the minutes of a
side out in the other order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import MAX, ZERO, Minutes, Rounding, split
from ledger.errors import NotPositive, TooMuch
from timebank import shapes
from timebank.entry import Kind, NewEntry, Share, Side
from timebank.errors import BadInput, NobodyThere, SamePersonTwice, SharesDiffer
from timebank.shapes import NewPart

QUARTER = Minutes(15)
A, B, C, D, E = (UUID(int=number) for number in range(1, 6))


def written(
    givers: Sequence[tuple[UUID, int | None]],
    receivers: Sequence[tuple[UUID, int | None]],
    minutes: int | None = None,
) -> NewEntry:
    def shares(side: Sequence[tuple[UUID, int | None]]) -> tuple[Share, ...]:
        return tuple(Share(id, None if own is None else Minutes(own)) for id, own in side)

    total = None if minutes is None else Minutes(minutes)
    return NewEntry(Kind.HELP, shares(givers), shares(receivers), total, date(2026, 5, 4))


def resolved(new: NewEntry) -> list[tuple[UUID, int]]:
    parts = shapes.resolve(new, QUARTER, Rounding.NEAREST)
    return [(part.account_id, part.minutes.count) for part in parts]


def test_one_gives_to_one() -> None:
    assert resolved(written([(A, None)], [(B, None)], 90)) == [(A, 90), (B, 90)]


def test_what_is_written_is_rounded_to_the_step_and_shares_stay_exact() -> None:
    new = written([(A, None)], [(B, None), (C, None)], 40)
    assert resolved(new) == [(A, 45), (B, 23), (C, 22)]


def test_each_giver_gave_as_much_as_is_written_for_all() -> None:
    new = written([(A, None), (B, None)], [(C, None)], 60)
    assert resolved(new) == [(A, 60), (B, 60), (C, 120)]


def test_receivers_without_minutes_of_their_own_share_what_is_left() -> None:
    new = written([(A, None)], [(B, 30), (C, None), (D, None)], 120)
    assert resolved(new) == [(A, 120), (B, 30), (C, 45), (D, 45)]


def test_receivers_move_along_when_rounding_moves_what_they_add_up_to() -> None:
    new = written([(A, None)], [(B, 50), (C, 50)], 100)
    assert resolved(new) == [(A, 105), (B, 53), (C, 52)]


def test_minutes_of_their_own_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(SharesDiffer) as refused:
        resolved(written([(A, None)], [(B, 30), (C, 45)], 90))
    assert (refused.value.given, refused.value.received) == (Minutes(90), Minutes(75))


def test_nobody_receives_more_than_was_given() -> None:
    with pytest.raises(SharesDiffer):
        resolved(written([(A, None)], [(B, 120), (C, None)], 90))


def test_nobody_stands_on_both_sides_or_twice() -> None:
    for givers, receivers in (
        ([(A, None)], [(A, None)]),
        ([(A, None), (A, None)], [(B, None)]),
        ([(A, None)], [(B, None), (B, None)]),
    ):
        with pytest.raises(SamePersonTwice):
            resolved(written(givers, receivers, 60))


def test_both_sides_have_to_be_there() -> None:
    with pytest.raises(NobodyThere):
        resolved(written([], [(A, None)], 60))
    with pytest.raises(NobodyThere):
        resolved(written([(A, None)], [], 60))


def test_somebody_has_to_say_how_long() -> None:
    with pytest.raises(BadInput):
        resolved(written([(A, None)], [(B, None)]))


@pytest.mark.parametrize("minutes", [0, 5, -60])
def test_nothing_is_not_recorded_even_if_only_rounding_makes_it_nothing(minutes: int) -> None:
    with pytest.raises(NotPositive):
        resolved(written([(A, None)], [(B, None)], minutes))


def test_too_few_minutes_for_so_many_receivers_are_refused() -> None:
    many = [(UUID(int=number), None) for number in range(10, 30)]
    with pytest.raises(NotPositive):
        resolved(written([(A, None)], many, 15))


def test_more_than_a_transfer_may_move_is_refused() -> None:
    with pytest.raises(TooMuch):
        resolved(written([(A, None)], [(B, None)], MAX.count + 60))


def test_an_entry_holds_at_most_so_many_people() -> None:
    many = [(UUID(int=number), None) for number in range(10, 10 + shapes.MOST_PARTS)]
    with pytest.raises(BadInput):
        resolved(written([(A, None)], many, 6000))


def test_many_to_many_is_matched_in_the_written_order() -> None:
    parts = shapes.resolve(
        written([(A, 60), (B, 30)], [(C, None), (D, None)]), QUARTER, Rounding.NEAREST
    )
    moved = shapes.transfers(parts, Kind.HELP)
    assert [(one.source, one.destination, one.minutes.count) for one in moved] == [
        (C, A, 45),
        (D, A, 15),
        (D, B, 30),
    ]


def test_a_gift_moves_from_giver_to_receiver() -> None:
    parts = [NewPart(A, Side.GAVE, Minutes(60)), NewPart(B, Side.RECEIVED, Minutes(60))]
    (gift,) = shapes.transfers(parts, Kind.GRANT)
    (favour,) = shapes.transfers(parts, Kind.HELP)
    assert (gift.source, gift.destination) == (A, B)
    assert favour == gift.reversed()


def test_sides_that_differ_move_nothing() -> None:
    parts = [NewPart(A, Side.GAVE, Minutes(60)), NewPart(B, Side.RECEIVED, Minutes(61))]
    with pytest.raises(SharesDiffer):
        shapes.transfers(parts, Kind.HELP)


@st.composite
def balanced(draw: st.DrawFn) -> list[NewPart]:
    """Givers and receivers with whatever minutes, adding up to the same."""
    given_ = draw(st.lists(st.integers(1, 500), min_size=1, max_size=12))
    count = draw(st.integers(1, min(12, sum(given_))))
    weights = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    rest = Minutes(sum(given_) - count)
    received = [part + Minutes(1) for part in split(rest, weights if any(weights) else count)]
    givers = [
        NewPart(UUID(int=1 + n), Side.GAVE, Minutes(minutes)) for n, minutes in enumerate(given_)
    ]
    receivers = [
        NewPart(UUID(int=100 + n), Side.RECEIVED, minutes) for n, minutes in enumerate(received)
    ]
    return givers + receivers


@given(balanced(), st.sampled_from(list(Kind)))
def test_transfers_bring_everyone_exactly_their_minutes(parts: list[NewPart], kind: Kind) -> None:
    moved = shapes.transfers(parts, kind)
    net: Counter[UUID] = Counter()
    for one in moved:
        assert one.minutes > ZERO
        net[one.source] -= one.minutes.count
        net[one.destination] += one.minutes.count
    for part in parts:
        up = (part.side is Side.GAVE) is not kind.is_gift
        assert net[part.account_id] == (part.minutes.count if up else -part.minutes.count)
    givers = sum(part.side is Side.GAVE for part in parts)
    assert len(moved) <= len(parts) - 1
    assert len({(one.source, one.destination) for one in moved}) == len(moved)
    assert moved == shapes.transfers(tuple(parts), kind)
    assert 0 < givers < len(parts)


@given(balanced())
def test_transfers_keep_to_the_written_order(parts: list[NewPart]) -> None:
    order = {part.account_id: place for place, part in enumerate(parts)}
    moved = shapes.transfers(parts, Kind.HELP)
    places = [(order[one.destination], order[one.source]) for one in moved]
    assert places == sorted(places)


@given(
    st.lists(st.integers(8, 600), min_size=1, max_size=6),
    st.integers(1, 20),
    st.integers(1, 60),
    st.sampled_from(list(Rounding)),
)
def test_what_is_received_is_what_was_given(
    minutes: list[int], receivers: int, step: int, rounding: Rounding
) -> None:
    new = written(
        [(UUID(int=1 + n), own) for n, own in enumerate(minutes)],
        [(UUID(int=100 + n), None) for n in range(receivers)],
    )
    try:
        parts = shapes.resolve(new, Minutes(step), rounding)
    except NotPositive:
        return
    given_ = [part.minutes.count for part in parts if part.side is Side.GAVE]
    shares = [part.minutes.count for part in parts if part.side is Side.RECEIVED]
    assert sum(given_) == sum(shares)
    assert all(own % step == 0 for own in given_)
    assert max(shares) - min(shares) <= 1
