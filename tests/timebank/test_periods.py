"""Months, periods, and the day on which minutes are counted.

Seen to turn red: late hours counted in the month after the open one; the day of posting taken even
where it lies outside of the month; a month that ends a day early.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timebank.periods import Month, Period, counted_on

days = st.dates(date(2025, 11, 1), date(2026, 4, 30))
closed = st.frozensets(
    st.sampled_from([Month(2025, 11).later(n) for n in range(6)]),
    max_size=6,  # all there are, now and then
)


@given(st.dates(date(1900, 2, 1), date(9998, 11, 30)))
def test_a_month_holds_its_days_and_its_neighbours_the_days_around(day: date) -> None:
    month = Month.of(day)
    assert month.first <= day <= month.last
    assert month.previous.last + timedelta(days=1) == month.first
    assert month.next.first - timedelta(days=1) == month.last
    assert Month.parse(str(month)) == month
    assert month.next.previous == month.later(0)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-1", "1899-12", "9999-01", "202610", "２０２６-10", ""]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no month"):
        Month.parse(text)


def test_quarters_and_years_hold_their_months() -> None:
    quarter = Period.quarter(date(2026, 5, 17))
    assert (quarter.first, quarter.last) == (date(2026, 4, 1), date(2026, 6, 30))
    year = Period.year(date(2026, 5, 17))
    assert [str(month) for month in year.months][::11] == ["2026-01", "2026-12"]
    assert Month(2026, 2).period.month == Month(2026, 2)
    assert quarter.month is None
    with pytest.raises(ValueError, match="ends after it begins"):
        Period(date(2026, 5, 2), date(2026, 5, 1))


@given(days, st.integers(0, 400), st.integers(1, 15))
def test_a_period_in_pieces_is_the_same_period(first: date, length: int, most: int) -> None:
    period = Period(first, first + timedelta(days=length))
    pieces = period.split(most)
    assert 1 <= len(pieces) <= most
    assert (pieces[0].first, pieces[-1].last) == (period.first, period.last)
    for one, following in pairwise(pieces):
        assert one.after == following.first


@given(days, st.integers(0, 150), closed)
def test_minutes_count_on_their_own_day_or_in_the_first_open_month_after_it(
    day: date, later: int, months: frozenset[Month]
) -> None:
    posted_on = day + timedelta(days=later)
    counts = counted_on(day, posted_on, months)
    own = Month.of(day)
    if own not in months:
        assert counts == day
        return
    month = Month.of(counts)
    assert month not in months
    assert month > own
    assert all(one in months for one in Period(own.first, month.previous.last).months)
    if Month.of(posted_on) == month:
        assert counts == posted_on
    else:  # the open month is over, or (with a clock that is behind) has not begun
        assert counts == (month.last if posted_on > month.last else month.first)
