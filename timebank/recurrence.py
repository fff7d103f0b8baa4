"""When something comes again: "every second Tuesday" as days, and as moments on local clocks.

Values in, values out. Days are calendar days of a time zone, so a clock that is put forward or back
moves nothing: 18:00 stays 18:00.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from dateutil import rrule

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKLY = re.compile(rf"FREQ=WEEKLY;INTERVAL=([1-9][0-9]?);BYDAY=({'|'.join(_WEEKDAYS)})")
_MONTHLY = re.compile(rf"FREQ=MONTHLY;BYDAY=([1-4]|-1)({'|'.join(_WEEKDAYS)})")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])[:.h]([0-5][0-9])", re.ASCII)
LAST = -1
"""As `Recurrence.nth`: the last one of the month."""


class Every(StrEnum):
    """How often something comes again, as people choose it. The weekday is that of the first."""

    WEEK = "week"
    TWO_WEEKS = "two_weeks"
    THREE_WEEKS = "three_weeks"
    FOUR_WEEKS = "four_weeks"
    MONTH = "month"  # on the first, second, third or fourth such weekday
    MONTH_END = "month_end"  # on the last such weekday


_WEEKS = {Every.WEEK: 1, Every.TWO_WEEKS: 2, Every.THREE_WEEKS: 3, Every.FOUR_WEEKS: 4}


class NoRuleError(ValueError):
    """A text that is no rule of ours."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A weekday (0 is Monday), every so many `weeks`; or, if these are 0, once a month.

    Then `nth` says which such weekday of the month: 1 to 4, or `LAST`.
    """

    weekday: int
    weeks: int = 0
    nth: int = 0

    @classmethod
    def of(cls, every: Every, first: date) -> Recurrence:
        """What people choose, seen from the first day. A fifth weekday counts as the last one."""
        weekday = first.weekday()
        if every in _WEEKS:
            return cls(weekday, weeks=_WEEKS[every])
        nth = (first.day - 1) // 7 + 1
        return cls(weekday, nth=LAST if every is Every.MONTH_END or nth > 4 else nth)

    @classmethod
    def parse(cls, rule: str) -> Recurrence:
        """What `str` writes: a rule of RFC 5545 without its start; else `NoRuleError`."""
        if found := _WEEKLY.fullmatch(rule):
            return cls(_WEEKDAYS.index(found[2]), weeks=int(found[1]))
        if found := _MONTHLY.fullmatch(rule):
            return cls(_WEEKDAYS.index(found[2]), nth=int(found[1]))
        raise NoRuleError(rule)

    def __str__(self) -> str:
        day = _WEEKDAYS[self.weekday]
        if self.weeks:
            return f"FREQ=WEEKLY;INTERVAL={self.weeks};BYDAY={day}"
        return f"FREQ=MONTHLY;BYDAY={self.nth}{day}"

    @property
    def every(self) -> Every | None:
        """What people chose; None for a rule they cannot choose."""
        if self.weeks:
            return next((one for one, weeks in _WEEKS.items() if weeks == self.weeks), None)
        return Every.MONTH_END if self.nth == LAST else Every.MONTH

    def days(self, first: date, until: date) -> Iterator[date]:
        """The days from `first` on (the first one that fits) up to `until`, both included."""
        begin = datetime.combine(first, time())
        day = rrule.weekdays[self.weekday]
        if self.weeks:
            rule = rrule.rrule(rrule.WEEKLY, begin, interval=self.weeks, byweekday=day)
        else:
            rule = rrule.rrule(rrule.MONTHLY, begin, byweekday=day(self.nth))
        for at in rule:
            if at.date() > until:
                return
            yield at.date()


def moment(day: date, clock: time, timezone: str) -> datetime:
    """The moment (UTC) at which the clocks of a time zone show this time on this day.

    A time that the clocks skip in spring is that much later by them; of one that they show twice in
    autumn, the first is meant.
    """
    return datetime.combine(day, clock.replace(fold=0), ZoneInfo(timezone)).astimezone(UTC)


def local(at: datetime, timezone: str) -> tuple[date, time]:
    """The day and the time, to the minute, that the clocks of a time zone show at a moment."""
    shown = at.astimezone(ZoneInfo(timezone))
    return shown.date(), shown.time().replace(second=0, microsecond=0, fold=0)


def read_clock(text: str) -> time | None:
    """A time of day as people write it, `18:00`, `18.00` or `18h00`; None for anything else."""
    found = _CLOCK.fullmatch(text.strip())
    return time(int(found[1]), int(found[2])) if found else None


def write_clock(clock: time) -> str:
    """`18:00`."""
    return f"{clock:%H:%M}"
