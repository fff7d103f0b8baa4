"""Reading single cells: days, amounts of time, names of people, as other programs write them.

Pure. Where a cell cannot be read, `BadCell` carries the reason that pages have a sentence for.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from ledger import Minutes, NotMinutes
from ledger.minutes import MAX
from timebank.text import NotText, clean, fold

if TYPE_CHECKING:
    from timebank.imports.matching import Order, Unit

_FIRST_DAY = date(1900, 1, 1)
_ISO = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[t ].*)?", re.ASCII)
_FIGURES = re.compile(r"([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{4}|[0-9]{2})(?:[t ,].*)?")
_NAMED = re.compile(
    r"(?:[a-z]+,? )?(?:([0-9]{1,2})(?:st|nd|rd|th|er|o)?\.?(?: de)? ([a-z]{3,12})\.?,?(?: de)?"
    r"|([a-z]{3,12})\.? ([0-9]{1,2})(?:st|nd|rd|th)?,?) ([0-9]{4})(?:[ ,].*)?"
)
_CLOCK = re.compile(r"(-?)([0-9]{1,5}):([0-9]{2})(?::([0-9]{2}))?(?: ?([AaPp])[Mm])?")
_NUMBER = re.compile(r"(-?)([0-9]{1,9})(?:[.,]([0-9]{1,18}))?")
_MARKED = re.compile(r"'[=+\-@\t\r]")

# The first letters of the months in the languages such files are written in, folded.
_MONTHS: dict[str, int] = {
    name: number
    for names, number in (
        (("jan", "ene", "gen", "xan"), 1),
        (("feb", "fev", "fevr"), 2),
        (("mar", "maa"), 3),
        (("apr", "abr", "avr"), 4),
        (("may", "mai", "mag", "maj", "mei"), 5),
        (("jun", "juin", "giu", "xun"), 6),
        (("jul", "juil", "lug", "xul"), 7),
        (("aug", "ago", "aou", "aout"), 8),
        (("sep", "set"), 9),
        (("oct", "okt", "ott", "out"), 10),
        (("nov",), 11),
        (("dec", "dic", "dez", "des"), 12),
    )
    for name in names
}


class BadCell(ValueError):
    """A cell that cannot be read; the reason is a key of a sentence, `text` what stands there."""

    def __init__(self, reason: str, text: str, limit: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.text, self.limit = reason, text, limit


def unmarked(cell: str) -> str:
    """A cell as it was before it was kept from being taken for a formula."""
    return cell[1:] if _MARKED.match(cell) else cell


def text(cell: str, limit: int, *, lines: bool = False) -> str:
    """Ordinary text of at most `limit` characters."""
    try:
        return _cleaned(cell if lines else " ".join(cell.split()), limit, lines)
    except NotText as fault:
        raise BadCell(fault.fault.value, cell[:40], limit) from None


@lru_cache(20_000)  # a file says the same names over and over
def _cleaned(cell: str, limit: int, lines: bool) -> str:
    return clean(cell, limit, lines=lines)


def day(cell: str, order: Order, *, today: date) -> date:
    """A day that is not ahead: 2026-11-10, 10/11/2026, 10 Nov 2026, with or without a time."""
    found = _day(fold(cell), order, today)
    if found is None or found < _FIRST_DAY:
        raise BadCell("not_a_day", cell[:40])
    return found


def past_day(cell: str, order: Order, *, today: date) -> date:
    """The same, and not still to come."""
    found = day(cell, order, today=today)
    if found > today:
        raise BadCell("day_ahead", cell[:40])
    return found


def _day(tidy: str, order: Order, today: date) -> date | None:
    try:
        if found := _ISO.fullmatch(tidy):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _FIGURES.fullmatch(tidy):
            first, second, year = int(found[1]), int(found[2]), _year(found[3], today)
            if order == "month_first":
                first, second = second, first
            return date(year, second, first)
        if found := _NAMED.fullmatch(tidy):
            number, name = (found[1], found[2]) if found[1] else (found[4], found[3])
            return date(int(found[5]), _month(name), int(number))
    except ValueError:
        return None
    return None


def _year(digits: str, today: date) -> int:
    """Two digits mean a year of the last hundred."""
    year = int(digits)
    if len(digits) == 4:
        return year
    century = today.year - today.year % 100
    return century + year if century + year <= today.year else century - 100 + year


def _month(name: str) -> int:
    found = next((_MONTHS[name[:n]] for n in (4, 3) if name[:n] in _MONTHS), None)
    if found is None:
        raise ValueError(name)
    return found


def month_is_first(cell: str) -> bool:
    """Whether a day in figures can only be read with the month first: 12/31/2026."""
    found = _FIGURES.fullmatch(fold(cell))
    return found is not None and int(found[1]) <= 12 < int(found[2]) <= 31


def signed(cell: str, unit: Unit) -> Minutes:
    """An amount of time that may be below zero, in whole minutes.

    A bare number is in `unit`; 1:30, 90 min and 1.5 h say it themselves. Hours with decimals are
    rounded to the nearest minute: a program that kept 20 minutes wrote them as 0.33.
    """
    tidy = cell.strip().replace("\u2212", "-").replace("\u00a0", "")
    sign = -1 if tidy.startswith("-") else 1
    if found := _CLOCK.fullmatch(tidy):
        if int(found[3]) > 59 or int(found[4] or 0) > 59:
            raise BadCell("not_minutes", cell[:40])
        hours = int(found[2])
        if found[5]:  # an amount of time that a spreadsheet took for a time of day
            hours = hours % 12 + 12 * (found[5] in "Pp")
        seconds = hours * 3600 + int(found[3]) * 60 + int(found[4] or 0)
        return _bounded(sign * _rounded(seconds, 60), cell)
    if found := _NUMBER.fullmatch(tidy):
        digits = found[3] or ""
        parts, scale = int(found[2] + digits), 10 ** len(digits)
        times, by = {"hours": (60, 1), "minutes": (1, 1), "seconds": (1, 60)}[unit]
        return _bounded(sign * _rounded(parts * times, scale * by), cell)
    try:
        return Minutes(sign * Minutes.parse(tidy.removeprefix("-")).count)
    except NotMinutes:
        raise BadCell("not_minutes", cell[:40]) from None


def minutes(cell: str, unit: Unit) -> Minutes:
    """An amount of time, at least one minute."""
    found = signed(cell, unit)
    if found < Minutes(0):
        raise BadCell("below_zero", cell[:40])
    if not found:
        raise BadCell("no_time", cell[:40])
    return found


def _rounded(count: int, by: int) -> int:
    """To the nearest whole number; halves go up."""
    return (2 * count + by) // (2 * by)


def _bounded(count: int, cell: str) -> Minutes:
    if abs(count) > MAX.count:
        raise BadCell("too_much", cell[:40])
    return Minutes(count)


def several(cell: str) -> list[str]:
    """The names in a cell: parted by semicolons, lines or, if there are none, commas."""
    for sign in (";", "\n", "|", ","):
        if sign in cell:
            return [name.strip() for name in cell.split(sign) if name.strip()]
    return [cell.strip()] if cell.strip() else []
