"""Somebody reads for long while hours are posted: neither waits for the other.

The reader sees one picture from its beginning to its end, in which the sum is zero and the books
verify, and so does an export. On SQLite the log grows meanwhile, because the reader still needs
what is in the database; once it has ended, the log is used from its start again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import read
from ledger.sql.verify import verify
from tests import conftest
from tests.faults import desk, place
from tests.faults.desk import Desk
from tests.faults.place import FILE, Place
from tests.faults.plan import Fault, Outcome
from tests.infrastructure import postgres
from timebank import books, communities, export, migrate
from timebank.config import Settings
from timebank.db import Database
from timebank.export import Format
from timebank.moment import Moment
from timebank.posting import Request

_LONGEST = 5.0  # seconds a posting may take on a busy machine
_CHECKPOINT = 1000 * 4120  # bytes of log after which SQLite begins to empty it
_SLACK = 400_000  # bytes: one group of postings

_Reading: TypeAlias = Callable[[], Awaitable[None]]


def on_sqlite(seed: int, folder: Path) -> Outcome:
    """A reader for half of a day's postings; the log's size before and after its end."""
    town = place.place()
    return asyncio.run(_sqlite(town, Database(town.put(folder / "there")), random.Random(seed)))


async def _sqlite(town: Place, db: Database, chances: random.Random) -> Outcome:
    log = db.settings.data / f"{FILE}-wal"
    await db.start()
    try:
        day = _Day(db, town, chances)
        await day.beside_a_reader(day.entries)
        grown = log.stat().st_size
        await day.undo(day.entries)
        after = log.stat().st_size
        if after > max(grown, _CHECKPOINT) + _SLACK:
            day.wrong.append(f"the log grew from {grown} to {after} bytes with nobody reading")
        return await day.outcome(log_kilobytes=grown // 1000)
    finally:
        await db.stop()


def on_postgres(seed: int, folder: Path) -> Outcome:
    """The same on a PostgreSQL server of its own."""
    with postgres.running() as server:
        name = f"readers_{seed}"
        conftest.complete(server.create_roles(conftest.OWNER, conftest.PROGRAM))
        conftest.complete(server.create_database(name, owner=conftest.OWNER))
        settings = conftest.settings_for(server, name, folder)
        migrate.upgrade(settings)
        return asyncio.run(_postgres(settings, random.Random(seed)))


async def _postgres(settings: Settings, chances: random.Random) -> Outcome:
    db = Database(settings)
    await db.start()
    try:
        town = await place.fill(db, 50)
        day = _Day(db, town, chances)
        await day.beside_a_reader(day.entries)
        return await day.outcome()
    finally:
        await db.stop()


class _Day:
    """A day's postings, and whoever reads beside them."""

    def __init__(self, db: Database, town: Place, chances: random.Random) -> None:
        self.db, self.town, self.chances = db, town, chances
        self.entries = chances.sample(list(town.waiting), len(town.waiting))
        db.settings.data.mkdir(exist_ok=True)
        self.desk = Desk.at(db, desk.paper(town, db.settings.data))
        self.wrong: list[str] = []
        self.reads = 0
        self.slowest = 0.0

    async def beside_a_reader(self, entries: Sequence[UUID]) -> None:
        """Post while one reader holds its picture, and others verify and export all the time."""
        async with self.db.read(self.town.community) as conn:
            before = await _picture(conn, self.town)
            done = asyncio.Event()
            others = [
                asyncio.create_task(self._again_and_again(done, one))
                for one in (self._verify, self._export)
            ]
            await self.post(entries)
            done.set()
            await asyncio.gather(*others)
            if await _picture(conn, self.town) != before:
                self.wrong.append("the reader's picture changed under it")
        self.reads += 1

    async def post(self, entries: Sequence[UUID]) -> None:
        """Approve these, four at a time, and note the slowest four."""
        await self._work([self.desk.approve(id) for id in entries])

    async def undo(self, entries: Sequence[UUID]) -> None:
        """Undo these."""
        await self._work([self.desk.undo(id) for id in entries])

    async def _work(self, requests: Sequence[Request]) -> None:
        for start in range(0, len(requests), 4):
            began = time.monotonic()
            await self.desk.work(requests[start : start + 4], callers=4)
            self.slowest = max(self.slowest, time.monotonic() - began)

    async def outcome(self, **counts: int) -> Outcome:
        """What was found, after the books were verified once more."""
        report = await books.verify(self.db, self.town.community, now=Moment.now())
        self.wrong += [str(finding) for finding in report.findings]
        self.wrong += [f"{id} was refused: {why}" for id, why in self.desk.refused.items()]
        if self.slowest > _LONGEST:
            self.wrong.append(f"a posting took {self.slowest:.1f} s")
        posted = len(self.desk.told)
        slowest = round(self.slowest * 1000)
        return Outcome(
            {"reads": self.reads, "posted": posted, "slowest_ms": slowest, **counts},
            tuple(self.wrong),
        )

    async def _again_and_again(self, done: asyncio.Event, read_it: _Reading) -> None:
        while not done.is_set():
            await read_it()
            self.reads += 1

    async def _verify(self) -> None:
        """All books, in the reader's picture of them."""
        async with self.db.read(self.town.community) as conn:
            report = await verify(conn, self.town.community)
            head = await read.head(conn, self.town.community)
        self.wrong += [f"while others posted: {finding}" for finding in report.findings]
        if head.seq != report.seq:
            self.wrong.append(f"verified up to {report.seq}, and its picture ends at {head.seq}")

    async def _export(self) -> None:
        """The journal as a table has as many lines as the journal of the same picture."""
        async with self.db.read(self.town.community) as conn:
            community = await communities.by_id(conn, self.town.community)
        async with self.db.read(self.town.community) as conn:
            lines = [line async for line in export.lines(conn, community, Format.HLEDGER)]
            head = await read.head(conn, self.town.community)
        found = sum(line[:1].isdigit() for line in lines)
        if found != head.seq + 1:  # the closing balances are a transaction too
            self.wrong.append(f"{found} transfers exported of {head.seq}")


async def _picture(conn: AsyncConnection, town: Place) -> tuple[Any, ...]:
    """What a reader sees of the books: head, balances and their sum, last hash."""
    head = await read.head(conn, town.community)
    accounts = await read.accounts(conn, town.community)
    assert not sum(account.balance.count for account in accounts.values()), "the sum is zero"
    rows = [row.hash async for row in read.transfers(conn, town.community)]
    return head, accounts, rows


FAULTS = (
    Fault("long-readers-sqlite", "reads", 100, 20_000, on_sqlite),
    Fault("long-readers-postgres", "reads", 20, 5_000, on_postgres),
)
