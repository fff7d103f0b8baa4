"""18:00 stays 18:00: the days of a series against a wall calendar, across clock changes.

Seen to turn red: adding days to the moment instead of the day; counting a fifth weekday as fifth;
keeping which of two showings a time was, where another day's clocks skip it.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timebank.recurrence import (
    LAST,
    Every,
    NoRuleError,
    Recurrence,
    local,
    moment,
    read_clock,
    write_clock,
)

# North and south, half an hour of summer time, a clock change at midnight, and none at all.
ZONES = ("Europe/London", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Kolkata")
days = st.dates(date(2024, 1, 1), date(2030, 12, 31))
clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@given(st.sampled_from(Every), days)
def test_a_rule_is_read_as_it_was_written(every: Every, first: date) -> None:
    rule = Recurrence.of(every, first)
    assert Recurrence.parse(str(rule)) == rule
    assert rule.every in (every, Every.MONTH_END)


@given(days, st.sampled_from([Every.WEEK, Every.TWO_WEEKS, Every.THREE_WEEKS, Every.FOUR_WEEKS]))
def test_weeks_are_counted_from_the_first_day(first: date, every: Every) -> None:
    rule = Recurrence.of(every, first)
    found = list(rule.days(first, first + timedelta(days=400)))
    assert found == [
        first + timedelta(weeks=rule.weeks * n) for n in range(400 // (7 * rule.weeks) + 1)
    ]


@given(days, st.sampled_from([Every.MONTH, Every.MONTH_END]))
def test_every_month_has_its_day_as_a_wall_calendar_shows_it(first: date, every: Every) -> None:
    rule = Recurrence.of(every, first)
    found = list(rule.days(first, first + timedelta(days=400)))
    wanted = [
        _on_the_wall(first.year + (first.month - 1 + n) // 12, (first.month - 1 + n) % 12 + 1, rule)
        for n in range(15)
    ]
    assert found == [day for day in wanted if first <= day <= first + timedelta(days=400)]
    if every is Every.MONTH or first in wanted:
        assert found[0] == first


def _on_the_wall(year: int, month: int, rule: Recurrence) -> date:
    weeks = calendar.monthcalendar(year, month)
    such = [week[rule.weekday] for week in weeks if week[rule.weekday]]
    return date(year, month, such[LAST if rule.nth == LAST else rule.nth - 1])


@given(days, clocks, st.sampled_from(Every), st.sampled_from(ZONES))
def test_the_clocks_show_the_same_time_on_each_of_its_days(
    first: date, clock: time, every: Every, zone: str
) -> None:
    for day in Recurrence.of(every, first).days(first, first + timedelta(days=370)):
        at = moment(day, clock, zone)
        if _is_skipped(day, clock, zone):
            shown = datetime.combine(*local(at, zone))
            assert timedelta() < shown - datetime.combine(day, clock) <= timedelta(hours=1)
        else:
            assert local(at, zone) == (day, clock)


def _is_skipped(day: date, clock: time, zone: str) -> bool:
    there = datetime.combine(day, clock.replace(fold=0), ZoneInfo(zone))
    back = there.astimezone(UTC).astimezone(ZoneInfo(zone))
    return back.replace(tzinfo=None) != there.replace(tzinfo=None)


def test_an_evening_in_london_is_an_hour_earlier_in_utc_once_the_clocks_went_forward() -> None:
    tuesdays = Recurrence.of(Every.WEEK, date(2026, 3, 24)).days(
        date(2026, 3, 24), date(2026, 4, 1)
    )
    moments = [moment(day, time(18), "Europe/London") for day in tuesdays]
    assert [at.hour for at in moments] == [18, 17]


@pytest.mark.parametrize("fold", [0, 1])
def test_a_time_that_the_clocks_show_twice_is_the_first_and_one_they_skip_is_later(
    fold: int,
) -> None:
    half_past_one = time(1, 30, fold=fold)
    assert moment(date(2026, 10, 25), half_past_one, "Europe/London").hour == 0
    skipped = moment(date(2026, 3, 29), half_past_one, "Europe/London")
    assert local(skipped, "Europe/London") == (date(2026, 3, 29), time(2, 30))


def test_the_second_half_past_one_is_read_as_any_other() -> None:
    day, clock = local(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/London")
    assert (day, clock, clock.fold) == (date(2026, 10, 25), time(1, 30), 0)


@pytest.mark.parametrize("rule", ["", "FREQ=DAILY", "FREQ=WEEKLY;INTERVAL=0;BYDAY=TU", "FREQ=X"])
def test_what_is_no_rule_of_ours_is_refused(rule: str) -> None:
    with pytest.raises(NoRuleError):
        Recurrence.parse(rule)


def test_a_time_of_day_is_read_as_people_write_it() -> None:
    for typed in ("18:00", " 18.00 ", "18h00"):
        assert read_clock(typed) == time(18)
    assert read_clock("9:05") == time(9, 5)
    for typed in ("", "24:00", "18", "18:60", "six", "١٨:٠٠"):
        assert read_clock(typed) is None
    assert write_clock(time(9, 5)) == "09:05"
