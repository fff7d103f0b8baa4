"""The database: one code path for SQLite and PostgreSQL.

`read()` and `write()` are the only ways in. Leaving a `write()` block commits, an exception rolls
back. On SQLite there is one writer connection, which takes the write lock at BEGIN and is the only
one to checkpoint; readers cannot write at all. On PostgreSQL both come from one pool.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from timebank.config import Settings

log = logging.getLogger("timebank.db")

_WANTED_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "busy_timeout": 10000,
}
_POSTGRES = {
    "application_name": "timebank",
    "timezone": "UTC",
    "statement_timeout": "60000",
    "lock_timeout": "20000",
    "idle_in_transaction_session_timeout": "60000",
}


class UnsafeDatabase(RuntimeError):
    """The database does not keep what it acknowledges, so we do not start on it."""


class SchemaMismatch(RuntimeError):
    """The schema is not the one this program knows."""


class Database:
    """The connections of one program. `start()` before the first use, `stop()` after the last.

    On SQLite only the server checkpoints. A command that may run beside it says `checkpoints=False`
    and leaves its pages in the write-ahead log.
    """

    def __init__(self, settings: Settings, *, checkpoints: bool = True) -> None:
        self.settings = settings
        self.is_sqlite = settings.url.startswith("sqlite")
        self._one_writer = asyncio.Lock()
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        if self.is_sqlite:
            self._writer = _sqlite_engine(settings.url, writes=True, checkpoints=checkpoints)
            self._reader = _sqlite_engine(settings.url, writes=False, checkpoints=False)
        else:
            self._writer = self._reader = _postgres_engine(settings.url)

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """The engines, for counting statements in tests and benchmarks."""
        return (self._writer,) if self._writer is self._reader else (self._writer, self._reader)

    async def start(self) -> None:
        """Refuse to go on with a database that forgets, or that has another schema than ours.

        Raises `UnsafeDatabase` or `SchemaMismatch`, each with a sentence for the operator.
        """
        from timebank import migrate  # migrations need settings only; imported late for start-up

        found = None
        if not self.is_sqlite or _file(self.settings).exists():
            async with self.write() as conn:
                if self.is_sqlite:
                    await _assert_pragmas(conn)
                found = await conn.run_sync(migrate.current_revision)
        if found != migrate.head():
            raise SchemaMismatch(
                f"The database is at schema {found or 'none'}, this program needs "
                f"{migrate.head()}. Run `timebank migrate` with this version of the program."
            )

    async def stop(self) -> None:
        """Close all connections."""
        for engine in self.engines:
            await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database and cannot write."""
        async with self._reader.connect() as conn:
            if not self.is_sqlite:
                conn = await conn.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield conn

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: leaving the block commits, an exception rolls back.

        On SQLite writers wait for each other in the order they came.
        """
        if not self.is_sqlite:
            async with self._writer.begin() as conn:
                yield conn
            return
        async with self._one_writer, self._writer.begin() as conn:
            yield conn

    @asynccontextmanager
    async def in_turn(self, community: UUID) -> AsyncIterator[None]:
        """Wait for those of this process who came before, and hold no connection meanwhile.

        For work that locks the community's journal anyway: a crowd then waits here, and not with
        every connection of the pool in its hands.
        """
        turn = self._turns.get(community)
        if turn is None:
            turn = self._turns[community] = asyncio.Lock()
        async with turn:
            yield


def _file(settings: Settings) -> Path:
    """Where the SQLite database lies."""
    return Path(make_url(settings.url).database or "")


def _postgres_engine(url: str) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"server_settings": _POSTGRES, "timeout": 10},
    )


def _sqlite_engine(url: str, *, writes: bool, checkpoints: bool) -> AsyncEngine:
    """An engine for SQLite. The writer's pool holds one connection, the readers' eight."""
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if writes else 8,
        max_overflow=0,
        pool_timeout=30,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 10000")
        if writes:
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.execute("PRAGMA mmap_size = 0")
        if not checkpoints:
            cursor.execute("PRAGMA wal_autocheckpoint = 0")
        if not writes:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


async def _assert_pragmas(conn: AsyncConnection) -> None:
    """What was asked of SQLite is what it does; a file system may not be able to."""
    for name, wanted in _WANTED_PRAGMAS.items():
        found = (await conn.execute(text(f"PRAGMA {name}"))).scalar_one()
        if found != wanted:
            raise UnsafeDatabase(
                f"SQLite has {name} = {found} here, and needs {wanted} to keep what it "
                "acknowledges. Is the data directory on a network drive?"
            )
    if sqlite_is_worn(sqlite3.sqlite_version_info):
        log.warning(
            "SQLite %s has a known fault in its write-ahead log (fixed in 3.51.3). One writer "
            "connection keeps clear of it; do not open the file with other programs meanwhile.",
            sqlite3.sqlite_version,
        )


def sqlite_is_worn(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite has the WAL-reset fault: before 3.51.3, 3.50.7 and 3.44.6."""
    if (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0):
        return False
    return (3, 7, 0) <= version < (3, 51, 3)
