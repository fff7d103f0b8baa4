"""A day as people write it on paper: `4/5`, `4.5.`, `4 May`, `4.5.26`, `2026-05-04`."""

from __future__ import annotations

import re
from datetime import date
from functools import cache

from babel.dates import get_month_names

from timebank.i18n import LANGUAGES
from timebank.text import fold

_NUMBERS = re.compile(r"([0-9]{1,2})[./ -]([0-9]{1,2})[./ -]?([0-9]{4}|[0-9]{2})?", re.ASCII)
_WORD = re.compile(r"([0-9]{1,2})[. ]*(?:de )?([a-z]{3,12})[. ]*(?:de )?([0-9]{4})?", re.ASCII)
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_FIRST = date(1900, 1, 1)


class NotADay(ValueError):
    """The text is no day."""


def parse(text: str, *, today: date) -> date:
    """The day that a text means: the day first, then the month, then perhaps the year.

    Without a year it is the latest such day up to `today`; two digits are of this century. Names of
    months may be in any of our languages, and short. Raises `NotADay`.
    """
    tidy = fold(text)
    try:
        if _ISO.fullmatch(tidy):
            return _not_too_old(date.fromisoformat(tidy))
        if found := _NUMBERS.fullmatch(tidy):
            return _not_too_old(_on(int(found[1]), int(found[2]), found[3], today))
        if found := _WORD.fullmatch(tidy):
            return _not_too_old(_on(int(found[1]), _month(found[2]), found[3], today))
    except ValueError:
        raise NotADay(text) from None
    raise NotADay(text)


def _on(day: int, month: int, year: str | None, today: date) -> date:
    """That day in that year, or the latest there was; `ValueError` if there is none."""
    if year is not None:
        return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    if month == 2 and day == 29:
        years = (one for one in range(today.year, today.year - 9, -1) if _is_leap(one))
        return next(found for one in years if (found := date(one, 2, 29)) <= today)
    found = date(today.year, month, day)
    return found if found <= today else date(today.year - 1, month, day)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _not_too_old(day: date) -> date:
    if day < _FIRST:
        raise ValueError(day)
    return day


def _month(word: str) -> int:
    """The one month whose name begins like this, in any of our languages."""
    found = {number for name, number in _months() if name.startswith(word)}
    if len(found) != 1:
        raise ValueError(word)
    return found.pop()


@cache
def _months() -> tuple[tuple[str, int], ...]:
    return tuple(
        (fold(name), number)
        for language in LANGUAGES
        for number, name in get_month_names("wide", locale=language).items()
    )
