"""Minutes: an amount of time, a whole number of minutes, shown as `1:30`.

Everyone's hour is worth the same, so this is the only unit. It is never a float: 0.1 h is six
minutes, and adding it ten times is an hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ledger.errors import NotMinutes, NotMinutesReason


@dataclass(frozen=True, slots=True, order=True)
class Minutes:
    """A whole number of minutes; negative for what left an account.

    Adds, subtracts, negates and compares with other minutes only. `sum(amounts, ZERO)` adds many.
    Anything but an `int` (a bool, a float, a text) raises `TypeError`.
    """

    count: int

    def __post_init__(self) -> None:
        if type(self.count) is not int:
            raise TypeError(f"minutes are counted in int, not {type(self.count).__name__}")

    @classmethod
    def parse(cls, text: str) -> Minutes:
        """Read what a person writes: `1:30`, `1h 30m`, `1h30`, `1h`, `90m`, `90 min`, `1.5 h`.

        Decimal hours take a point or a comma, at most two decimals, and have to be a whole number
        of minutes. Capitals and narrow spaces do not matter; digits are ASCII. There is no sign.
        At most `MAX`. Raises `NotMinutes` with the reason.
        """
        tidy = re.sub(_SPACES, " ", text).strip().lower()
        count = _read(text, tidy)
        if count > MAX.count:
            raise NotMinutes(text, NotMinutesReason.TOO_MUCH)
        return cls(count)

    def __add__(self, other: Minutes) -> Minutes:
        if not isinstance(other, Minutes):
            return NotImplemented
        return Minutes(self.count + other.count)

    def __sub__(self, other: Minutes) -> Minutes:
        if not isinstance(other, Minutes):
            return NotImplemented
        return Minutes(self.count - other.count)

    def __neg__(self) -> Minutes:
        return Minutes(-self.count)

    def __abs__(self) -> Minutes:
        return Minutes(abs(self.count))

    def __bool__(self) -> bool:
        return self.count != 0

    def __repr__(self) -> str:
        return f"Minutes({self.count})"

    def __str__(self) -> str:
        hours, minutes = divmod(abs(self.count), 60)
        return f"{'-' if self.count < 0 else ''}{hours}:{minutes:02}"


ZERO = Minutes(0)
MAX = Minutes(99_999)
"""The most that one entry may be read as, and that one transfer may move: 1666:39."""


class Rounding(StrEnum):
    """Which way minutes go when they are rounded to a step."""

    NEAREST = "nearest"  # halves go up
    UP = "up"
    DOWN = "down"


def round_to(minutes: Minutes, step: Minutes, rounding: Rounding) -> Minutes:
    """Round to a multiple of `step`. Negative minutes mirror positive ones.

    Raises `ValueError` when the step is not positive.
    """
    if step <= ZERO:
        raise ValueError("a step is at least one minute")
    if minutes < ZERO:
        return -round_to(-minutes, step, rounding)
    whole, rest = divmod(minutes.count, step.count)
    up = {
        Rounding.NEAREST: 2 * rest >= step.count,
        Rounding.UP: rest > 0,
        Rounding.DOWN: False,
    }[rounding]
    return Minutes((whole + up) * step.count)


# No-break, thin and narrow no-break spaces: what keyboards and pasted texts put before "h".
_SPACES = "[ \t\u00a0\u2009\u202f]+"
_CLOCK = re.compile(r"([0-9]+):([0-9]{2})")
_HOURS = re.compile(r"([0-9]+) ?h(?: ?([0-9]{1,2}) ?(?:m|min)?)?")
_DECIMAL = re.compile(r"([0-9]+)[.,]([0-9]{1,2}) ?h")
_ONLY_MINUTES = re.compile(r"([0-9]+) ?(?:m|min)")
_BARE = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_LONGEST = 32  # no time anyone means is longer; keeps absurd digits away from int()


def _read(text: str, tidy: str) -> int:
    """The count of minutes in a tidied text; `text` is only for the error."""
    if not tidy:
        raise NotMinutes(text, NotMinutesReason.EMPTY)
    if tidy[0] in "+-\u2212\u2013":
        raise NotMinutes(text, NotMinutesReason.SIGNED)
    if len(tidy) > _LONGEST:
        raise NotMinutes(text, NotMinutesReason.NOT_UNDERSTOOD)
    if found := _CLOCK.fullmatch(tidy) or _HOURS.fullmatch(tidy):
        hours, minutes = int(found[1]), int(found[2] or 0)
        if minutes > 59:
            raise NotMinutes(text, NotMinutesReason.PAST_THE_HOUR)
        return hours * 60 + minutes
    if found := _DECIMAL.fullmatch(tidy):
        hundredths = int(found[1]) * 100 + int(found[2].ljust(2, "0"))
        if hundredths * 60 % 100:
            raise NotMinutes(text, NotMinutesReason.NOT_WHOLE)
        return hundredths * 60 // 100
    if found := _ONLY_MINUTES.fullmatch(tidy):
        return int(found[1])
    if _BARE.fullmatch(tidy):
        raise NotMinutes(text, NotMinutesReason.AMBIGUOUS)
    raise NotMinutes(text, NotMinutesReason.NOT_UNDERSTOOD)
