"""Posting on PostgreSQL with a synchronous standby, against the same without waiting for it.

Both sides post into the same primary, whose standby streams on the same machine all the while, into
a database each. In one of them a commit waits until the standby has it on its disk too; in the
other (`synchronous_commit = local`) for the primary's own disk alone.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.callers import run
from benchmarks.places import POSTGRES, a_place, execute, migrated, opened
from benchmarks.results import Row, Size
from benchmarks.turns import Plan, take
from tests.infrastructure import replication
from tests.infrastructure.postgres import Server
from timebank.config import Settings


def rows(size: Size) -> Iterator[Row]:
    """32 callers and one hot account, random accounts, and one caller alone."""
    with (
        tempfile.TemporaryDirectory() as folder,
        replication.running(*POSTGRES, synchronous=True) as pair,
    ):
        server = Server(pair.primary.address, pair.primary.programs)
        alone = migrated(server, "bench_alone", Path(folder))
        asyncio.run(execute(server, "ALTER DATABASE bench_alone SET synchronous_commit = local"))
        both = migrated(server, "bench_both", Path(folder))
        yield from run(lambda: _measured(alone, both, size))


async def _measured(alone: Settings, both: Settings, size: Size) -> list[Row]:
    accounts = size.of(20, 10_000, 10_000)
    async with opened(alone) as (db, ledger), opened(both) as (waiting_db, waiting):
        plain, safe = await a_place(db, accounts), await a_place(waiting_db, accounts)
        sides = {
            "alone, random": plain.side(ledger, 32, hot=False),
            "both, random": safe.side(waiting, 32, hot=False),
            "alone, hot": plain.side(ledger, 32, hot=True),
            "both, hot": safe.side(waiting, 32, hot=True),
            "alone, one": plain.side(ledger, 1, hot=False),
            "both, one": safe.side(waiting, 1, hot=False),
        }
        found = await take(Plan.of(size), sides)
        sound = await plain.sound() and await safe.sound()
    return [
        found.row(
            f"{what}: a synchronous standby ÷ none waited for",
            f"both, {side}",
            f"alone, {side}",
            goal=goal,
            sound=sound,
        )
        for what, side, goal in (
            ("32 callers, random accounts", "random", 0.6),
            ("32 callers, one hot account", "hot", 0.6),
            ("one caller alone", "one", None),
        )
    ]
