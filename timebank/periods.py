"""Months and other periods, and the day on which minutes are counted. Pure: values in, values out.

Days are those of a community's own calendar; a period holds its first and its last day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})", re.ASCII)
_EARLIEST, _LATEST = 1900, 9998
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One month of the calendar. Raises `ValueError` for one that is none."""

    year: int
    number: int

    def __post_init__(self) -> None:
        if not (_EARLIEST <= self.year <= _LATEST and 1 <= self.number <= 12):
            raise ValueError(f"{self.year}-{self.number} is no month")

    @classmethod
    def of(cls, day: date) -> Month:
        """The month a day lies in."""
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """A month as it is written in addresses, `2026-10`; `ValueError` for anything else."""
        found = _MONTH.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no month")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return date(self.year, self.number, monthrange(self.year, self.number)[1])

    @property
    def next(self) -> Month:
        """The month after it."""
        return self.later(1)

    @property
    def previous(self) -> Month:
        """The month before it."""
        return self.later(-1)

    def later(self, months: int) -> Month:
        """So many months after it; before it, below zero."""
        year, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, number + 1)

    def day(self, number: int) -> date:
        """A day of it, from 1 to 28."""
        return date(self.year, self.number, number)

    @property
    def period(self) -> Period:
        """The month as a period."""
        return Period(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Period:
    """Some days in a row, `first` and `last` among them. Raises `ValueError` for none at all."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("a period ends after it begins")

    @classmethod
    def quarter(cls, day: date) -> Period:
        """The quarter of the year a day lies in."""
        begin = Month(day.year, day.month - (day.month - 1) % 3)
        return cls(begin.first, begin.later(2).last)

    @classmethod
    def year(cls, day: date) -> Period:
        """The calendar year a day lies in."""
        return cls(Month(day.year, 1).first, Month(day.year, 12).last)

    @property
    def after(self) -> date:
        """The day after it."""
        return self.last + _ONE_DAY

    @property
    def month(self) -> Month | None:
        """The month that it is; None for anything else."""
        one = Month.of(self.first)
        return one if one.period == self else None

    @property
    def months(self) -> Iterator[Month]:
        """The months that have days in it, in order."""
        one, last = Month.of(self.first), Month.of(self.last)
        while one < last:
            yield one
            one = one.next
        yield one

    def split(self, most: int) -> list[Period]:
        """It in at most `most` pieces of about the same length, in order."""
        days = (self.last - self.first).days + 1
        pieces = min(most, days)
        ends = [self.first + timedelta(days=days * n // pieces) for n in range(pieces + 1)]
        return [Period(begin, end - _ONE_DAY) for begin, end in pairwise(ends)]


def counted_on(day: date, posted_on: date, closed: Collection[Month]) -> date:
    """On which day minutes are counted, in statements and reports.

    `day` is when the help happened; for what undoes an entry, when that entry was counted.
    `posted_on` is the day of posting, and `closed` are the months that were closed then. Minutes
    count on their own day while its month is open. Those of a closed month are late: they count in
    the first month after it that is open, on the day they were posted if that lies in it.
    """
    month = Month.of(day)
    if month not in closed:
        return day
    while month in closed:
        month = month.next
    return min(max(posted_on, month.first), month.last)
