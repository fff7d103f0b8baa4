"""`timebank verify`, the whole command: seconds and memory for a long journal with its entries.

A process of its own, from its start to its end, as an operator runs it: the journal proved, every
entry with its people and words compared, the outcome kept. Memory is the most that the command and
the process it starts held, added up. The command's own word says whether the books are sound.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import making
from benchmarks.commands import command
from benchmarks.machine import Watch
from benchmarks.places import on_postgres, on_sqlite
from benchmarks.results import Row, Size, alone
from timebank.config import Settings

SECONDS = 20.0  # at most, for a million transfers
MEGABYTES = 200.0  # at most


def rows(size: Size) -> Iterator[Row]:
    """Measure on both databases."""
    with on_sqlite() as settings:
        yield from _verified("SQLite", settings, size)
    with on_postgres() as (_, settings):
        yield from _verified("PostgreSQL", settings, size)


def _verified(database: str, settings: Settings, size: Size) -> Iterator[Row]:
    transfers = size.of(500, 100_000, 1_000_000)
    books = making.make(settings, transfers)
    watch = Watch()
    runs = [command(settings, "verify") for _ in range(size.of(1, 1, 3))]
    sound = all(run.well and ": sound." in run.told for run in runs)
    name, note = f"{database}, {transfers:,} transfers", f"{len(books.accounts):,} accounts"
    yield alone(
        f"timebank verify, {name}",
        [run.seconds for run in runs],
        goal=SECONDS,
        unit="s",
        sound=sound,
        note=note,
        at_most=True,
        foreign=watch.foreign(),
    )
    yield alone(
        f"memory of timebank verify, {name}",
        [run.megabytes for run in runs],
        goal=MEGABYTES,
        unit="MB",
        sound=sound,
        at_most=True,
    )
