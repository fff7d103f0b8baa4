"""What a fault is, so that the short tests and the long soak run the same thing.

    Fault ──► trial(seed, folder) ──► Outcome: how many of what, and what went wrong
              … again with the next seed, until `short` or `long` units are reached

`test_faults.py` runs them in short, `soak.py` for hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trial showed: how many of what, and a sentence for each thing that went wrong."""

    counts: Mapping[str, int]
    wrong: tuple[str, ...] = field(default=())


Trial: TypeAlias = Callable[[int, Path], Outcome]
"""A bounded piece of work of a few seconds: all its chances come from the seed, all it writes
goes into the empty folder it is given, and every process it starts has ended when it returns."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault, and how much of it is enough.

    `unit` is the count that has to reach `short` in the tests and `long` in the soak. A `control`
    is a system known to be unsafe: unless something goes wrong there, the harness is blind. The
    tests do it in so many `parts`, each in less than a minute, so that workers can share them.
    """

    name: str
    unit: str
    short: int
    long: int
    trial: Trial
    control: bool = False
    parts: int = 1
