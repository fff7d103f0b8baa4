"""Nothing that is shown tells of one to four people, however it is added and subtracted.

Seen to turn red: a sum of two rows about four people;
the total shown of four; a group shown whose difference to another is three people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from timebank.small_counts import FEWEST, Amount, Row, added, fold, showable

people = st.frozensets(st.integers(0, 11), max_size=7)


@st.composite
def amounts(draw: st.DrawFn) -> Amount:
    some = draw(people)
    return Amount(draw(st.integers(1, 3)) if some else 0, some)


tables = st.lists(st.tuples(amounts(), amounts()), max_size=6).map(
    lambda rows: [
        Row(number, {"given": given_, "received": received})
        for number, (given_, received) in enumerate(rows)
    ]
)


def combinations(sets: Sequence[frozenset[int]], size: int) -> Iterator[frozenset[int]]:
    """Every set of rows whose sum comes out by adding and subtracting those that are shown."""
    for signs in product((-1, 0, 1), repeat=len(sets)):
        times = [
            sum(sign for sign, rows in zip(signs, sets, strict=True) if row in rows)
            for row in range(size)
        ]
        if set(times) <= {0, 1}:
            yield frozenset(row for row, once in enumerate(times) if once)


@settings(deadline=None)
@given(tables)
def test_no_sum_or_difference_of_what_a_table_shows_is_about_few(rows: list[Row[int]]) -> None:
    shown = fold(rows)
    sets = [frozenset({row.key}) for row in shown.rows]
    hidden = frozenset(row.key for row in rows) - {row.key for row in shown.rows}
    if shown.together is not None:
        sets.append(hidden)
    if shown.total is not None:
        sets.append(frozenset(row.key for row in rows))
    for some in combinations(sets, len(rows)):
        told = added(rows[place].amounts for place in some)
        for amount in told.values():
            assert amount.value == 0 or len(amount.people) >= FEWEST


@given(tables)
def test_what_is_shown_is_true_and_what_need_not_be_hidden_is_shown(rows: list[Row[int]]) -> None:
    shown = fold(rows)
    assert [row for row in rows if row in shown.rows] == list(shown.rows)
    left_out = [row for row in rows if row not in shown.rows]
    if shown.together is not None:
        assert shown.together == added(row.amounts for row in left_out)
        assert shown.folded == len(left_out) >= 2
    if shown.total is not None:
        assert shown.total == added(row.amounts for row in rows)
        if all(row.shown for row in rows):
            assert list(shown.rows) == rows
    else:
        assert (shown.rows, shown.together) == ((), None)


def test_one_small_row_takes_the_smallest_of_the_others_along() -> None:
    def row(key: str, first: int, last: int) -> Row[str]:
        return Row(key, {"given": Amount(60, frozenset(range(first, last)))})

    large, medium, small = row("large", 0, 9), row("medium", 10, 16), row("small", 20, 22)
    shown = fold([small, large, medium])
    assert shown.rows == (large,)
    assert (shown.folded, shown.together) == (2, added([small.amounts, medium.amounts]))
    assert fold([small]).total is None
    assert fold([large, small]).rows == ()
    assert fold([large, small]).total is not None


@settings(deadline=None)
@given(st.lists(people, min_size=1, max_size=5))
def test_no_sum_or_difference_of_head_counts_is_about_few(groups: list[frozenset[int]]) -> None:
    shown = showable({str(place): some for place, some in enumerate(groups)})
    told = [some for place, some in enumerate(groups) if shown[str(place)] is not None]
    for signs in product((-1, 0, 1), repeat=len(told)):
        times = [_times(person, signs, told) for person in range(12)]
        if set(times) <= {0, 1}:
            assert sum(times) == 0 or sum(times) >= FEWEST
    for place, some in enumerate(groups):
        assert shown[str(place)] in (None, len(some))
    assert shown["0"] == len(groups[0]) or 0 < len(groups[0]) < FEWEST


def _times(person: int, signs: Iterable[int], groups: Sequence[frozenset[int]]) -> int:
    return sum(sign for sign, some in zip(signs, groups, strict=True) if person in some)


def test_who_did_both_is_hidden_where_it_would_tell_who_did_one_only() -> None:
    gave, received = frozenset(range(20)), frozenset(range(15, 30))
    shown = showable({"active": gave | received, "gave": gave, "received": received})
    assert shown == {"active": 30, "gave": 20, "received": 15}
    few_both = showable({"active": gave | received, "gave": gave, "received": received - {15}})
    assert few_both == {"active": 30, "gave": 20, "received": None}
    few_only = showable({"active": gave | {20, 21}, "gave": gave, "received": frozenset({20, 21})})
    assert few_only == {"active": 22, "gave": None, "received": None}
