"""Days as people write them on paper.

Seen to turn red: month before day; a day of this year that is still to come.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timebank.days import NotADay, parse

TODAY = date(2026, 5, 4)
days = st.dates(date(1900, 1, 1), date(2099, 12, 31))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("4/5", date(2026, 5, 4)),
        ("4.5.", date(2026, 5, 4)),
        ("3-5", date(2026, 5, 3)),
        ("03 05", date(2026, 5, 3)),
        ("5/5", date(2025, 5, 5)),  # tomorrow is still to come, so it was last year's
        ("31/12", date(2025, 12, 31)),
        ("29/2", date(2024, 2, 29)),
        ("4/5/25", date(2025, 5, 4)),
        ("4.5.2025", date(2025, 5, 4)),
        ("2025-05-04", date(2025, 5, 4)),
        ("4 May", date(2026, 5, 4)),
        ("12 sept", date(2025, 9, 12)),
        ("3 de enero de 2026", date(2026, 1, 3)),
        ("1. Ago. 2025", date(2025, 8, 1)),
    ],
)
def test_a_day_is_read_as_it_is_written(text: str, day: date) -> None:
    assert parse(text, today=TODAY) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "yesterday",
        "31/4",
        "30/2",
        "5/13",
        "0/5",
        "4/5/6",
        "1/1/1899",
        "٤/٥",
        "4 mmm",
        "4//5",
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(NotADay):
        parse(text, today=TODAY)


@given(days, days)
def test_a_written_out_day_means_itself_whatever_day_it_is(day: date, today: date) -> None:
    assert parse(day.isoformat(), today=today) == day
    assert parse(f"{day.day}/{day.month}/{day.year}", today=today) == day
    assert parse(f"{day.day}.{day.month}.{day.year}", today=today) == day


@given(st.dates(date(1910, 1, 1), date(2099, 12, 31)), st.integers(0, 364))
def test_without_a_year_it_is_the_latest_such_day_there_was(today: date, ago: int) -> None:
    day = today - timedelta(days=ago)
    found = parse(f"{day.day}/{day.month}", today=today)
    assert day <= found <= today
    assert (found.day, found.month) == (day.day, day.month)
