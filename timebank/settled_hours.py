"""What the settlements of gatherings add up to in a period: by role, each correction once.

A settlement's lines say what the whole gathering comes to, and its entry moves only the difference
to the settlement before it that still stands. Pure: values in, values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from timebank.figures import Part


class Settled(NamedTuple):
    """A posted settlement; `undone_` says when its entry was undone, if it was.

    Ids, days and moments are as the driver has them, and are only compared.
    """

    gathering: Any
    number: int
    category: Any
    day: Any
    counted: Any
    posted_at: Any
    undone_counted: Any
    undone_at: Any


Side = tuple[Any, str, str]
"""An account, what its minutes are for, and whether it gave or received them."""


@dataclass(frozen=True, slots=True)
class _Event:
    """Minutes that a settlement, or its undoing, brought or took, and the day they count."""

    counted: Any
    minutes: Mapping[Side, int]


def within(
    settlements: Iterable[Settled],
    lines: Mapping[tuple[Any, int], Mapping[Side, int]],
    first: Any,
    last: Any,
) -> tuple[list[Part], list[Part]]:
    """What was given in gatherings, and what was taken back, in what counts from `first` to `last`.

    `settlements` come by gathering and number, all of a gathering that has any in the period.
    Taken back is what corrections and undoing took off hours that were counted before.
    """
    given: list[Part] = []
    back: list[Part] = []
    for _, some in groupby(settlements, key=lambda one: one.gathering):
        posted = list(some)
        events = [event for event in _events(posted, lines) if first <= event.counted <= last]
        net: Counter[Side] = Counter()
        for event in events:
            net.update(event.minutes)
        for part in _parts(posted[0], events, net):
            (given if part.minutes > 0 else back).append(part)
    return given, [part._replace(minutes=-part.minutes) for part in back]


def _events(
    posted: Sequence[Settled], lines: Mapping[tuple[Any, int], Mapping[Side, int]]
) -> Iterator[_Event]:
    for place, one in enumerate(posted):
        before = next((old for old in reversed(posted[:place]) if _stood(old, one)), None)
        moved = Counter(lines.get((one.gathering, one.number), {}))
        moved.subtract(lines.get((before.gathering, before.number), {}) if before else {})
        yield _Event(one.counted, moved)
        if one.undone_counted is not None:
            yield _Event(one.undone_counted, {side: -some for side, some in moved.items()})


def _stood(old: Settled, one: Settled) -> bool:
    """Whether a settlement was not undone when the next one was posted."""
    return old.undone_at is None or old.undone_at > one.posted_at


def _parts(of: Settled, events: Sequence[_Event], net: Mapping[Side, int]) -> Iterator[Part]:
    for (account, kind, side), minutes in net.items():
        if minutes:
            counted = events[0].counted
            yield Part(of.gathering, kind, of.category, of.day, counted, account, side, minutes)
