"""Sharing out: to the minute, fairly, and always the same way."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import ZERO, Minutes, split

totals = st.integers(min_value=0, max_value=10_000).map(Minutes)
weights = st.lists(st.integers(min_value=0, max_value=50), min_size=1, max_size=12).filter(any)


def test_a_left_over_minute_goes_to_the_first() -> None:
    assert split(Minutes(100), 3) == [Minutes(34), Minutes(33), Minutes(33)]


def test_the_largest_remainder_comes_first() -> None:
    assert split(Minutes(10), [1, 2, 4]) == [Minutes(1), Minutes(3), Minutes(6)]
    assert split(Minutes(1), [1, 2, 2]) == [ZERO, Minutes(1), ZERO]


@given(totals, weights)
def test_the_parts_add_up_to_the_whole(total: Minutes, weights: list[int]) -> None:
    assert sum(split(total, weights), ZERO) == total


@given(totals, weights)
def test_each_part_is_its_exact_share_rounded(total: Minutes, weights: list[int]) -> None:
    for part, weight in zip(split(total, weights), weights, strict=True):
        exact = Fraction(total.count * weight, sum(weights))
        assert exact - 1 < part.count < exact + 1


@given(totals, weights)
def test_whoever_weighs_more_or_as_much_and_comes_first_gets_no_less(
    total: Minutes, weights: list[int]
) -> None:
    parts = split(total, weights)
    for later in range(len(parts)):
        for earlier in range(later):
            if weights[earlier] >= weights[later]:
                assert parts[earlier] >= parts[later]


@given(totals, st.integers(1, 20))
def test_equal_shares_are_weights_of_one(total: Minutes, number: int) -> None:
    assert split(total, number) == split(total, [1] * number)


@pytest.mark.parametrize("shares", [0, [], [0], [1, -1], [2, -1]])
def test_without_shares_nothing_can_be_split(shares: int | list[int]) -> None:
    with pytest.raises(ValueError, match="at least one share"):
        split(Minutes(5), shares)


def test_minutes_that_are_not_there_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="that are there"):
        split(Minutes(-5), 2)
