"""Importing past entries through the rules, and the same finished rows by COPY past all rules.

Ours: `ledger.sql.store.post`, some thousand entries in one transaction each: judged, chained,
balances kept, and safe to import again. The peer: PostgreSQL's COPY of the very rows that came of
it, in the binary format, into a table with the same indexes, references and triggers, in parts as
large as our transactions. They take turns, part by part. Then the same entries are imported once
more: nothing may change, and the books have to verify.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import asyncpg
import uvloop
from sqlalchemy import make_url

from benchmarks.machine import Watch
from benchmarks.places import Place, a_place, on_postgres
from benchmarks.results import Row, Size, compared
from ledger import JournalEntry, Posted
from ledger.sql import store
from ledger.sql.guards import TRANSFER_KEYS, append_only
from timebank.config import Settings
from timebank.db import Database

AT_LEAST = 0.25  # of COPY's rows a second
BATCH = 2_000  # entries in one transaction
MEMBERS = 2_000
_FROM = datetime(2016, 1, 1, tzinfo=UTC)  # the first id is of this moment


def rows(size: Size) -> Iterator[Row]:
    """Measure on PostgreSQL."""
    with on_postgres() as (_, settings):
        yield uvloop.run(_measure(settings, size.of(1_000, 100_000, 1_000_000)))


async def _measure(settings: Settings, entries: int) -> Row:
    url = make_url(settings.owners_url).set(drivername="postgresql")
    peer = await asyncpg.connect(url.render_as_string(hide_password=False))
    db = Database(settings)
    await db.start()
    try:
        place, watch = await a_place(db, MEMBERS), Watch()
        await _make_a_table_alike(peer)
        ours, copied = [], []
        for batch in _batches(place, entries):
            ours.append(await _imported(place, batch, replayed=False))
            copied.append(await _copied(peer, place, len(batch)))
        foreign = watch.foreign()
        for batch in _batches(place, entries):
            await _imported(place, batch, replayed=True)
        return compared(
            f"PostgreSQL, import of {entries:,} entries ÷ COPY of the same rows",
            ours,
            copied,
            goal=AT_LEAST,
            unit="entries/s",
            sound=await place.sound(),
            note=f"{BATCH:,} entries in one transaction",
            foreign=foreign,
        )
    finally:
        await db.stop()
        await peer.close()


def _batches(place: Place, entries: int) -> Iterator[list[JournalEntry]]:
    """The same entries each time: a fifth of them from the commons."""
    again = Place(place.db, place.id, place.members, Random(5), _FROM)
    for start in range(0, entries, BATCH):
        count = min(BATCH, entries - start)
        hot = count // 5
        yield again.entries(count - hot, hot=False) + again.entries(hot, hot=True)


async def _imported(place: Place, batch: Sequence[JournalEntry], *, replayed: bool) -> float:
    """Post a batch in one transaction; entries a second. All have to be new, or none."""
    start = time.perf_counter()
    async with place.db.write(place.id) as conn:
        verdicts = await store.post(conn, place.id, batch, datetime.now(UTC))
    seconds = time.perf_counter() - start
    if not all(isinstance(one, Posted) and one.replayed is replayed for one in verdicts):
        raise RuntimeError("an imported entry was refused, or not posted exactly once")
    if not replayed:
        place.acknowledged += len(batch)
    return len(batch) / seconds


async def _make_a_table_alike(peer: Any) -> None:
    """A table like `transfer`: with its indexes, its checks, its references and its guards."""
    await peer.execute("CREATE TABLE copied (LIKE transfer INCLUDING ALL)")
    for end in ("source_id", "destination_id"):
        await peer.execute(
            f"ALTER TABLE copied ADD FOREIGN KEY (community_id, {end}) "
            "REFERENCES account (community_id, id)"
        )
    for statement in append_only("copied", TRANSFER_KEYS, dialect="postgresql"):
        await peer.execute(statement)


async def _copied(peer: Any, place: Place, count: int) -> float:
    """COPY the rows that were imported last; entries a second."""
    rows = io.BytesIO()
    await peer.copy_from_query(
        "SELECT * FROM transfer WHERE community_id = $1 AND seq > $2",
        place.id,
        place.acknowledged - count,
        output=rows,
        format="binary",
    )
    rows.seek(0)
    start = time.perf_counter()
    await peer.copy_to_table("copied", source=rows, format="binary")
    return count / (time.perf_counter() - start)
