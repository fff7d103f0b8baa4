"""What a benchmark found: rows of figures, kept in `results.json` and shown in docs/performance.md.

A benchmark is a function `rows(size)` that yields a `Row` as soon as it is measured. Running some
benchmarks replaces the rows of those and leaves the others as they were measured before.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias


class Size(IntEnum):
    """How much is measured: for a test, for a glance, for the figures, and at ten million."""

    TINY = 0
    QUICK = 1
    ORDINARY = 2
    FULL = 3

    def of(self, tiny: int, quick: int, ordinary: int, full: int | None = None) -> int:
        """The number for this size; without a full one the ordinary."""
        return (tiny, quick, ordinary, ordinary if full is None else full)[self]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: ours, the peer, and what the goal is held against.

    `ours` and `peer` are medians in `unit`. `ratio` is the median of the ratios of neighbouring
    turns (ours ÷ peer), with the least and the most of them; where there is no peer it is ours
    itself. The goal is the least that is good enough, or, `at_most`, the most. Books that did not
    verify afterwards are not `sound`, and then the figures do not count. `foreign` is the largest
    share of all processors that programs outside the benchmark took during one of the turns.
    """

    name: str
    goal: float | None
    ours: float
    peer: float | None
    ratio: float
    least: float
    most: float
    n: int
    unit: str
    sound: bool
    note: str = ""
    at_most: bool = False
    foreign: float = 0.0

    @property
    def met(self) -> bool:
        """Whether the books are sound and the goal, if there is one, is reached."""
        if self.goal is None or not self.sound:
            return self.sound
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


def compared(
    name: str,
    ours: Sequence[float],
    peers: Sequence[float],
    *,
    goal: float | None,
    unit: str,
    sound: bool,
    note: str = "",
    at_most: bool = False,
    foreign: float = 0.0,
) -> Row:
    """The row of a comparison in turns: ours and the peer's figure of each turn, in their order."""
    ratios = [mine / theirs for mine, theirs in zip(ours, peers, strict=True)]
    return Row(
        name=name,
        goal=goal,
        ours=statistics.median(ours),
        peer=statistics.median(peers),
        ratio=statistics.median(ratios),
        least=min(ratios),
        most=max(ratios),
        n=len(ratios),
        unit=unit,
        sound=sound,
        note=note,
        at_most=at_most,
        foreign=foreign,
    )


def alone(
    name: str,
    figures: Sequence[float],
    *,
    goal: float | None,
    unit: str,
    sound: bool,
    note: str = "",
    at_most: bool = False,
    foreign: float = 0.0,
) -> Row:
    """The row of a figure that has no peer."""
    middle = statistics.median(figures)
    return Row(
        name=name,
        goal=goal,
        ours=middle,
        peer=None,
        ratio=middle,
        least=min(figures),
        most=max(figures),
        n=len(figures),
        unit=unit,
        sound=sound,
        note=note,
        at_most=at_most,
        foreign=foreign,
    )


Benchmark: TypeAlias = Callable[[Size], Iterator[Row]]
"""Measures at a size and yields each row when it is known. Registered in `benchmarks.__main__`."""
