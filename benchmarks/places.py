"""Databases of their own to measure on, and communities with accounts in them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
from sqlalchemy import insert

from benchmarks.callers import Ask, Taken, closed_loop
from benchmarks.turns import Side
from ledger import ZERO, AccountKind, JournalEntry, Minutes, Posted, Transfer
from ledger.sql import Ledger, planner, read, store, tables
from ledger.sql.verify import verify
from tests.infrastructure import postgres
from tests.infrastructure.postgres import Server
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database
from timebank.moment import Moment

_MOST = 30_000  # entries a second that are made in advance; nobody is that quick
_PROGRAM = "timebank_bench"  # the role the program runs as

POSTGRES = (
    "shared_buffers=512MB",
    "wal_compression=on",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "synchronous_commit=on",
    "fsync=on",
    "full_page_writes=on",
)
"""What PostgreSQL is started with; everything else is as it comes. No checkpoint falls into a
turn, and the first writes to a page after one are the warm-up's."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Database, Ledger]]:
    """The database, and a ledger that posts into it as the time bank's own does."""
    db = Database(settings)
    await db.start()
    ledger = Ledger(db.posting)
    try:
        yield db, ledger
    finally:
        await ledger.drain()
        await db.stop()


@contextmanager
def on_postgres() -> Iterator[tuple[Server, Settings]]:
    """A server of our own with a migrated database, on this machine's disk."""
    with tempfile.TemporaryDirectory() as folder, postgres.running(*POSTGRES, durable=True) as here:
        yield here, migrated(here, "bench", Path(folder))


def migrated(server: Server, name: str, folder: Path) -> Settings:
    """A new database with our tables, in which the program is not their owner, as it should be."""

    async def made() -> Settings:
        await server.create_roles(_PROGRAM)
        owner = await server.create_database(name)
        return Settings(data=folder, database_url=server.url(name, _PROGRAM), owner_url=owner)

    settings = asyncio.run(made())
    migrate.upgrade(settings)
    return settings


def postgres_version() -> str:
    """The name and version of the PostgreSQL that is measured."""
    with postgres.running() as server:
        told = asyncio.run(execute(server, "SHOW server_version"))
    return f"PostgreSQL {told.split()[0]}"


async def execute(server: Server, statement: str) -> str:
    """Run a statement as the server's superuser; its first value as text, or nothing."""
    plain = server.address.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        return str(await connection.fetchval(statement) or "")
    finally:
        await connection.close()


@contextmanager
def on_sqlite() -> Iterator[Settings]:
    """A migrated SQLite database in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url="")
        migrate.upgrade(settings)
        yield settings


@dataclass(slots=True)
class Place:
    """A community with a commons and members, what was posted there, and dice of its own."""

    db: Database
    id: UUID
    members: tuple[UUID, ...]
    dice: Random
    last_id_at: datetime
    acknowledged: int = 0

    def entries(self, count: int, *, hot: bool) -> list[JournalEntry]:
        """One transfer each: from the commons (`hot`), or between two members at random.

        Their ids are as if one had been made every tenth of a millisecond.
        """
        found = []
        for _ in range(count):
            self.last_id_at += timedelta(microseconds=100)
            moment = Moment(self.last_id_at, self.dice.randbytes)
            source, destination = self.dice.sample(self.members, 2)
            transfer = Transfer(self.id if hot else source, destination, Minutes(60))
            commitment = self.dice.randbytes(32)
            found.append(JournalEntry(moment.new_id(), (transfer,), moment.at.date(), commitment))
        return found

    async def posted(self, ledger: Ledger, callers: int, seconds: float, *, hot: bool) -> Taken:
        """So many callers post through the ledger's own API, entries made in advance."""
        entries = self.entries(round(_MOST * seconds), hot=hot)
        taken = await closed_loop([self.through(ledger)] * callers, entries, seconds)
        self.acknowledged += len(taken.waits)
        return taken

    def side(self, ledger: Ledger, callers: int, *, hot: bool) -> Side:
        """The same as a side of a comparison, in entries a second."""

        async def side(seconds: float) -> float:
            return (await self.posted(ledger, callers, seconds, hot=hot)).rate

        return side

    def through(self, ledger: Ledger) -> Ask[JournalEntry]:
        """Post one entry through the ledger, dated now. Anything but a posting is an error."""

        async def ask(entry: JournalEntry) -> None:
            expect_posted(await ledger.post(self.id, entry, datetime.now(UTC)))

        return ask

    async def sound(self) -> bool:
        """Whether the books verify, and hold exactly what was acknowledged."""
        async with self.db.read(self.id) as conn:
            report = await verify(conn, self.id)
        async with self.db.read(self.id) as conn:
            head = await read.head(conn, self.id)
        return report.sound and head.seq == self.acknowledged


async def a_place(db: Database, members: int, seed: int = 1) -> Place:
    """A community with so many members, opened now, and known to the planner."""
    dice = Random(seed)
    now = datetime.now(UTC)
    new_id = Moment(now, dice.randbytes).new_id
    place = Place(db, new_id(), tuple(new_id() for _ in range(members)), dice, now)
    async with db.write(place.id) as conn:
        await store.open_journal(conn, place.id, now)
        await store.open_account(conn, place.id, place.id, AccountKind.COMMONS, now)
        accounts = [
            {
                "community_id": place.id,
                "id": member,
                "kind": AccountKind.MEMBER.value,
                "balance": ZERO,
                "lines": 0,
                "opened_at": now,
            }
            for member in place.members
        ]
        await conn.execute(insert(tables.account), accounts)
    await planner.inform(db.settings.owners_url)  # PostgreSQL does so by itself within a minute
    return place


def expect_posted(verdict: object) -> None:
    """Raise `RuntimeError` unless the entry was posted, now and for the first time."""
    if not isinstance(verdict, Posted) or verdict.replayed:
        raise RuntimeError(f"a benchmark's entry was not posted: {verdict}")
