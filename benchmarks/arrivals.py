"""How long one waits when people come as they come: an open loop at half of what there is room for.

Callers in a closed loop wait politely until they were answered, and so hide how long it takes. Here
asks come by chance (a Poisson process), whoever still waits, and a wait begins when somebody was
to come. Half of capacity, because nobody runs a ledger at its limit. Who is told that a lot is
going on asks again a moment later, and their wait goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from benchmarks.callers import Ask, open_loop, run
from benchmarks.machine import Watch
from benchmarks.places import a_place, on_postgres, on_sqlite, opened
from benchmarks.results import Row, Size, alone
from ledger import JournalEntry
from ledger.errors import Busy
from timebank.config import Settings

_LATER = 0.05  # seconds until somebody who was sent away asks again


def rows(size: Size) -> Iterator[Row]:
    """Waits on both databases."""
    with on_postgres() as (_server, settings):
        yield from run(partial(_measured, "PostgreSQL", settings, size))
    with on_sqlite() as settings:
        yield from run(partial(_measured, "SQLite", settings, size))


async def _measured(name: str, settings: Settings, size: Size) -> list[Row]:
    turns, seconds = size.of(1, 2, 3), (0.1, 1.0, 5.0, 5.0)[size]
    waits: list[tuple[float, float]] = []
    async with opened(settings) as (db, ledger):
        place = await a_place(db, size.of(20, 10_000, 10_000))
        await place.posted(ledger, 128, seconds / 2, hot=False)
        rate = (await place.posted(ledger, 128, seconds, hot=False)).rate / 2
        watch = Watch()
        for _ in range(turns):
            items = iter(place.entries(round(2 * rate * seconds) + 100, hot=False))
            ask = _patiently(place.through(ledger))
            taken = await open_loop(ask, items, rate=rate, seconds=seconds, dice=place.dice)
            place.acknowledged += len(taken.waits)
            waits.append((taken.percentile(50), taken.percentile(99)))
        foreign = watch.foreign()
        sound = await place.sound()
    middle, slow = zip(*waits, strict=True)
    what = f"{name}: arrivals by chance at half of capacity"
    note = f"{rate:,.0f} entries/s, random accounts; half of what 128 callers post"
    return [
        alone(
            f"{what}, {said} wait",
            figures,
            goal=None,
            unit="ms",
            sound=sound,
            note=note,
            foreign=foreign,
        )
        for said, figures in (("median", middle), ("99th percentile", slow))
    ]


def _patiently(ask: Ask[JournalEntry]) -> Ask[JournalEntry]:
    """Ask until there is room in the line."""

    async def again(entry: JournalEntry) -> None:
        while True:
            try:
                return await ask(entry)
            except Busy:
                await asyncio.sleep(_LATER)

    return again
