"""Posting on SQLite: 32 callers whose entries are gathered, against one commit for each entry.

Both use the same tables, the same statements and `synchronous=FULL`. The peer is a plain loop: one
entry, one transaction, one after another, through `ledger.sql.store.post`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks.callers import closed_loop, run
from benchmarks.places import Place, a_place, expect_posted, on_sqlite, opened
from benchmarks.results import Row, Size
from benchmarks.turns import Plan, Side, take
from ledger import JournalEntry
from ledger.sql import store
from timebank.config import Settings

_MOST = 10_000  # entries a second made in advance for the peer


def rows(size: Size) -> Iterator[Row]:
    """Gathered and one by one, hot and random accounts."""
    with on_sqlite() as settings:
        yield from run(lambda: _measured(settings, size))


async def _measured(settings: Settings, size: Size) -> list[Row]:
    async with opened(settings) as (db, ledger):
        gathered = await a_place(db, size.of(20, 1_000, 1_000), seed=1)
        single = await a_place(db, size.of(20, 1_000, 1_000), seed=2)
        sides = {
            "one by one, random": _one_by_one(single, hot=False),
            "random": gathered.side(ledger, 32, hot=False),
            "one by one, hot": _one_by_one(single, hot=True),
            "hot": gathered.side(ledger, 32, hot=True),
        }
        found = await take(Plan.of(size), sides)
        sound = await gathered.sound() and await single.sound()
    random = "SQLite: 32 callers, random accounts ÷ one transfer a commit"
    hot = "SQLite: 32 callers, one hot account ÷ one transfer a commit"
    return [
        found.row(random, "random", "one by one, random", goal=2, sound=sound),
        found.row(hot, "hot", "one by one, hot", goal=None, sound=sound),
    ]


def _one_by_one(place: Place, *, hot: bool) -> Side:
    async def ask(entry: JournalEntry) -> None:
        async with place.db.write(place.id) as conn:
            (verdict,) = await store.post(conn, place.id, [entry], datetime.now(UTC))
        expect_posted(verdict)

    async def side(seconds: float) -> float:
        entries = place.entries(round(_MOST * seconds), hot=hot)
        taken = await closed_loop([ask], entries, seconds)
        place.acknowledged += len(taken.waits)
        return taken.rate

    return side
