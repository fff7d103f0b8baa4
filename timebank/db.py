"""The database: one code path for SQLite and PostgreSQL.

`read(community)` and `write(community)` are the only ways in, `posting(community)` for the door of
the books, and `look(community)` for reports, which a replica may answer. Leaving a `write` block
commits, an exception rolls back. On SQLite there is one writer connection, which takes the write
lock at BEGIN and is the only one to checkpoint; readers cannot write at all. On PostgreSQL reading
and writing share a pool, and posting has a small one.

Whoever opens a connection says of which community, or `EVERYWHERE`. PostgreSQL then shows and takes
rows of that community only (row-level security, migration 0003): a query that forgets its own
`WHERE community_id` finds nothing of others. SQLite has nothing of the kind.

What may be done with which table is said in `timebank.rights`, and kept to on both databases.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ledger.group_commit import GroupCommit
from ledger.sql.rights import EVERY, SETTING, authorizer
from ledger.sql.trouble import may_pass
from timebank.config import Settings
from timebank.replicas import Replicas
from timebank.rights import RIGHTS
from timebank.servers import Servers

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
CommitIn: TypeAlias = Callable[["Database", UUID, Sequence[Ask]], Awaitable[Sequence[Answer]]]
"""Commits all asks of a community in one transaction, or none: see `ledger.group_commit.Commit`."""

log = logging.getLogger("timebank.db")

_WANTED_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "busy_timeout": 10000,
}
_ALONE = "timebank.alone"  # on a connection: a commit on it did not reach the standby
_WAIT_FOR_STANDBY = "SyncRepWaitForLSN"  # where PostgreSQL's warning of that comes from

_POSTGRES = {
    "application_name": "timebank",
    "timezone": "UTC",
    "statement_timeout": "60000",
    "lock_timeout": "20000",
    "idle_in_transaction_session_timeout": "60000",
}


# Postings ask the same few statements, each for a few rows by their keys: planned once, and as on a
# disk whose rows are anywhere near.
_POSTING = {"plan_cache_mode": "force_generic_plan", "random_page_cost": "1.1"}


class Everywhere(Enum):
    """The type of `EVERYWHERE`."""

    EVERYWHERE = EVERY


EVERYWHERE: Final = Everywhere.EVERYWHERE
"""Instead of a community: all of them. For signing in, housekeeping, the outbox and setting up."""

Scope = UUID | Everywhere


class UnsafeDatabase(RuntimeError):
    """The database does not keep what it acknowledges, so we do not start on it."""


class NotReplicated(ConnectionError):
    """It was committed, but the synchronous standby may not have it: as if nobody had answered.

    PostgreSQL says "committed" and warns, when it stops waiting for the standby because of a time
    limit or an operator. Should the standby be promoted now, it would be gone. Asking again under
    the same id waits for the standby anew.
    """


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
        self._replicas: Replicas | None = None
        self._groups: dict[Any, GroupCommit[Any, Any]] = {}
        self._spares: list[AsyncConnection] = []
        if self.is_sqlite:
            self._writer = _sqlite_engine(settings.url, writes=True, checkpoints=checkpoints)
            self._reader = _sqlite_engine(settings.url, writes=False, checkpoints=False)
            self._poster = self._writer
        else:
            primary = Servers(settings.url).primary
            self._writer = self._reader = _postgres_engine(primary, pool_size=10, ping=True)
            self._poster = _postgres_engine(primary, pool_size=4, ping=False, more=_POSTING)
            if settings.replica_url:
                standby = Servers(settings.replicas_url).standby
                replicas = _postgres_engine(standby, pool_size=10, ping=True, patience=1)
                self._replicas = Replicas(replicas, primary=self._reader)

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """The engines, for counting statements in tests and benchmarks."""
        replicas = () if self._replicas is None else (self._replicas.engine,)
        return tuple(dict.fromkeys((self._writer, self._reader, self._poster, *replicas)))

    @property
    def occupied(self) -> bool:
        """Whether a writer would have to wait just now: on SQLite there is one at a time."""
        return self.is_sqlite and self._one_writer.locked()

    async def start(self) -> None:
        """Refuse to go on with a database that forgets, or that has another schema than ours.

        Raises `UnsafeDatabase` or `SchemaMismatch`, each with a sentence for the operator.
        """
        from timebank import migrate  # migrations need settings only; imported late for start-up

        found = None
        if not self.is_sqlite or _file(self.settings).exists():
            async with self.write(EVERYWHERE) as conn:
                if self.is_sqlite:
                    await _assert_pragmas(conn)
                found = await conn.run_sync(migrate.current_revision)
        if found != migrate.head():
            raise SchemaMismatch(
                f"The database is at schema {found or 'none'}, this program needs "
                f"{migrate.head()}. Run `timebank migrate` with this version of the program."
            )

    async def stop(self) -> None:
        """Settle what was asked for, and close all connections."""
        for group in self._groups.values():
            await group.drain()
        while self._spares:
            await self._spares.pop().close()
        for engine in self.engines:
            await engine.dispose()

    @asynccontextmanager
    async def read(self, community: Scope) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the community's rows and cannot write."""
        async with self._reader.connect() as conn:
            if not self.is_sqlite:
                await _keep_to(conn, community)
                conn = await conn.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield conn

    @asynccontextmanager
    async def look(self, community: Scope) -> AsyncIterator[AsyncConnection]:
        """`read`, from a replica if there is one that knows enough: for statements and reports.

        It shows everything that this process wrote, and what others wrote up to
        `replicas.MOST_BEHIND` seconds ago. So never decide anything by it.
        """
        conn = None if self._replicas is None else await self._replicas.connection()
        if conn is None:
            async with self.read(community) as conn:
                yield conn
            return
        async with contextlib.aclosing(conn):
            await _keep_to(conn, community)
            yield await conn.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @asynccontextmanager
    async def write(self, community: Scope) -> AsyncIterator[AsyncConnection]:
        """A transaction in a community: leaving the block commits, an exception rolls back.

        On SQLite writers wait for each other in the order they came.
        """
        if self.is_sqlite:
            async with self._one_writer, self._writer.begin() as conn:
                yield conn
        else:
            async with (
                self._writer.connect() as lent,
                self._writing(lent, community) as conn,
                conn.begin(),
            ):
                yield conn

    @asynccontextmanager
    async def posting(self, community: UUID) -> AsyncIterator[AsyncConnection]:
        """`write`, for the one door through which entries are posted.

        On PostgreSQL it has a few connections of its own, so that a crowd of readers cannot keep
        the books waiting. They are not tried out beforehand: who posts has to be ready for one that
        was lost (an `OperationalError`), and tries again with the same ids.
        """
        if self.is_sqlite:
            async with self.write(community) as conn:
                yield conn
        else:
            # No BEGIN before the first statement of SQLAlchemy's own: what goes to the driver alone
            # is a transaction by itself, in one round trip.
            async with self._spare() as spare, self._writing(spare, community) as conn:
                yield conn
                if conn.in_transaction():
                    await conn.commit()

    @asynccontextmanager
    async def _spare(self) -> AsyncIterator[AsyncConnection]:
        """A connection for postings, lent from the pool for as long as it serves well."""
        conn = self._spares.pop() if self._spares else await self._poster.connect()
        try:
            yield conn
        except BaseException:
            await conn.close()
            raise
        self._spares.append(conn)

    @asynccontextmanager
    async def _writing(
        self, conn: AsyncConnection, community: Scope
    ) -> AsyncIterator[AsyncConnection]:
        """This connection to PostgreSQL writes in a community, and commits before it is left.

        Raises `NotReplicated` when one of those commits stands alone. Replicas have to know now of
        what was written.
        """
        try:
            await _keep_to(conn, community)
            conn.info.pop(_ALONE, None)
            yield conn
            if conn.info.pop(_ALONE, False):
                raise NotReplicated("the standby did not answer in time")
        finally:
            if self._replicas is not None:
                self._replicas.wrote()

    def together(self, commit: CommitIn[Ask, Answer]) -> GroupCommit[Ask, Answer]:
        """Where those who want `commit` at the same moment come to share a transaction.

        One for each way of committing, for as long as this database is in use.
        """
        if commit not in self._groups:
            self._groups[commit] = GroupCommit(partial(commit, self), lost=may_pass)
        return self._groups[commit]


def _file(settings: Settings) -> Path:
    """Where the SQLite database lies."""
    return Path(make_url(settings.url).database or "")


def _postgres_engine(
    connect: Callable[[Mapping[str, str]], Awaitable[Any]],
    *,
    pool_size: int,
    ping: bool,
    patience: float = 10,
    more: Mapping[str, str] | None = None,
) -> AsyncEngine:
    """An engine for PostgreSQL, on whose connections it is noted when a commit stands alone."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect({**_POSTGRES, **(more or {})}),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=patience,
        pool_pre_ping=ping,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _listen(connection: Any, record: Any) -> None:
        def heard(_: object, message: Any) -> None:
            if message.server_source_function == _WAIT_FOR_STANDBY:
                record.info[_ALONE] = True

        connection.driver_connection.add_log_listener(heard)

    return engine


async def _keep_to(conn: AsyncConnection, community: Scope) -> None:
    """From now on this connection to PostgreSQL shows rows of this community only.

    Said before any transaction begins, so that no rollback can take it back, and only if it differs
    from what this connection was told before; whatever else was set on it is then forgotten too.
    Whoever fails here loses the connection, because what it was told last is not known any more.
    Raises `OperationalError`.
    """
    wanted = str(community.value if isinstance(community, Everywhere) else community)
    if conn.info.get(SETTING) == wanted:
        return
    raw = await conn.get_raw_connection()
    statement = f"RESET ALL; SET {SETTING} = '{wanted}'"
    raw.info.pop(SETTING, None)
    try:
        driver: Any = raw.driver_connection
        await driver.execute(statement)
    except Exception as error:
        await conn.invalidate()
        raise OperationalError(statement, None, error, connection_invalidated=True) from error
    except BaseException:
        await conn.invalidate()
        raise
    raw.info[SETTING] = wanted


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
        connection.run_async(lambda driver: driver.set_authorizer(authorizer(RIGHTS)))

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
