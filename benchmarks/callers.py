"""Callers: who asks, how often, and how long they wait.

closed loop   each caller asks again when it was answered: how much there is room for
open loop     asks come when they come, as people do: how long one waits
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias, TypeVar

import uvloop

Item = TypeVar("Item")
Result = TypeVar("Result")

Ask: TypeAlias = Callable[[Item], Awaitable[None]]
"""Asks for one thing, and comes back when it is done. Raises when it is not."""


@dataclass(slots=True)
class Taken:
    """What came of it: the time until the last answer, and each one's wait, in seconds."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.waits) / self.seconds

    def percentile(self, percent: int) -> float:
        """The wait in milliseconds that so many percent did not exceed."""
        if len(self.waits) < 2:
            return 1000 * self.waits[0]
        return 1000 * statistics.quantiles(self.waits, n=100, method="inclusive")[percent - 1]


async def closed_loop(asks: Sequence[Ask[Item]], items: Sequence[Item], seconds: float) -> Taken:
    """One caller for each `ask`, all taking from the same items, until time or items run out."""
    taken, supply, clock = Taken(), iter(items), time.perf_counter

    async def caller(ask: Ask[Item]) -> None:
        asked = clock()
        while asked - start < seconds and (item := next(supply, None)) is not None:
            await ask(item)
            answered = clock()
            taken.waits.append(answered - asked)
            asked = answered

    with _prepared_things_out_of_sight():
        start = clock()
        await asyncio.gather(*map(caller, asks))
        taken.seconds = clock() - start
    return taken


async def open_loop(
    ask: Ask[Item], items: Iterator[Item], *, rate: float, seconds: float, dice: Random
) -> Taken:
    """Asks that come by chance (a Poisson process), so many a second, whoever still waits.

    A wait begins when somebody was to come, not when the program found the time to let them in.
    """
    taken, clock = Taken(), time.perf_counter

    async def visitor(item: Item, due: float) -> None:
        await ask(item)
        taken.waits.append(clock() - due)

    with _prepared_things_out_of_sight():
        start = due = clock()
        async with asyncio.TaskGroup() as visitors:
            while (due := due + dice.expovariate(rate)) < start + seconds:
                if due > clock():
                    await asyncio.sleep(due - clock())
                visitors.create_task(visitor(next(items), due))
        taken.seconds = clock() - start
    return taken


@contextmanager
def _prepared_things_out_of_sight() -> Iterator[None]:
    """What was made in advance is no business of the garbage collector's while we measure."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run to the end on uvloop, as the server does."""

    async def main() -> Result:
        return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
