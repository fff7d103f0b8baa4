"""Measuring in turns: A B A B, so that whatever else the machine does meets both.

A side is a function that works for so many seconds and answers a figure. What counts is the ratio
of the figures of one turn. The first turns warm up and are thrown away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.machine import Watch
from benchmarks.results import Row, Size, alone, compared

Side: TypeAlias = Callable[[float], Awaitable[float]]
"""Works for so many seconds and answers its figure: entries a second, milliseconds, …"""


@dataclass(slots=True)
class Measured:
    """The figures of each side, turn by turn, and how busy others were during its turns."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    foreign: dict[str, float] = field(default_factory=dict)

    def row(
        self,
        name: str,
        ours: str,
        peer: str | None,
        *,
        goal: float | None,
        sound: bool,
        unit: str = "entries/s",
        note: str = "",
    ) -> Row:
        """The row of two sides, or of one that has no peer."""
        foreign = max(self.foreign[ours], self.foreign[peer or ours])
        if peer is None:
            return alone(
                name,
                self.figures[ours],
                goal=goal,
                unit=unit,
                sound=sound,
                note=note,
                foreign=foreign,
            )
        return compared(
            name,
            self.figures[ours],
            self.figures[peer],
            goal=goal,
            unit=unit,
            sound=sound,
            note=note,
            foreign=foreign,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How many turns, how many of them to warm up, and how long each side works in a turn."""

    turns: int
    warm_up: int
    seconds: float

    @classmethod
    def of(cls, size: Size) -> Plan:
        """The plan for a size."""
        return (cls(1, 0, 0.1), cls(2, 1, 1.0), cls(5, 1, 4.0), cls(5, 1, 4.0))[size]


async def take(plan: Plan, sides: Mapping[str, Side]) -> Measured:
    """Let the sides work in turns, always in the same order."""
    found = Measured({name: [] for name in sides}, dict.fromkeys(sides, 0.0))
    for turn in range(plan.warm_up + plan.turns):
        for name, side in sides.items():
            watch = Watch()
            figure = await side(plan.seconds if turn >= plan.warm_up else plan.seconds / 2)
            if turn >= plan.warm_up:
                found.figures[name].append(figure)
                found.foreign[name] = max(found.foreign[name], watch.foreign())
    return found
