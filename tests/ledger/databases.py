"""SQLite and PostgreSQL databases with the ledger's tables and guards, for the ledger's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ledger import Journal
from ledger.sql import _postgres, guards, rights, tables
from tests.infrastructure.postgres import Server

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "recursive_triggers = ON",
    "busy_timeout = 5000",
)


def sqlite(path: Path) -> AsyncEngine:
    """An engine for a SQLite file, on which every transaction is a writer from its start."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _lock_at_once(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def postgres(url: str) -> AsyncEngine:
    """An engine for a PostgreSQL database, which sees all communities."""
    everywhere = {"server_settings": {rights.SETTING: rights.EVERY}}
    return create_async_engine(url, pool_size=20, connect_args=everywhere)


async def make_tables(engine: AsyncEngine) -> None:
    """Make the ledger's tables and what guards them."""
    async with engine.begin() as conn:
        await conn.run_sync(
            lambda sync: tables.metadata.create_all(
                sync, tables=[tables.journal, tables.account, tables.transfer]
            )
        )
        for statement in guards.install(engine.dialect.name):
            await conn.exec_driver_sql(statement)


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile, with its values: by SQLAlchemy, and past it."""
    asked: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            asked.append((statement, parameters))

    async def noted(conn: AsyncConnection, method: str, statement: str, *values: object) -> Any:
        asked.append((statement, values))
        return await past_it(conn, method, statement, *values)

    past_it = _postgres.ask
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_postgres, "ask", noted)
        event.listen(engine.sync_engine, "before_cursor_execute", note)
        try:
            yield asked
        finally:
            event.remove(engine.sync_engine, "before_cursor_execute", note)


async def give_rights(owners: AsyncEngine, role: str) -> None:
    """Let the program's role do what it has to, and see one community at a time."""
    database = f'"{owners.url.database}"'
    async with owners.begin() as conn:
        for table in rights.LEDGER:
            for statement in rights.rows_apart(table):
                await conn.exec_driver_sql(statement)
        for statement in rights.grants(rights.LEDGER, role=role, database=database):
            await conn.exec_driver_sql(statement)


async def analyze(engine: AsyncEngine, server: Server) -> None:
    """Gather statistics, which on PostgreSQL only the owner of a table can."""
    if engine.dialect.name == "postgresql":
        engine = postgres(server.url(engine.url.database or ""))
    async with engine.begin() as conn:
        await conn.exec_driver_sql("ANALYZE")
    if engine.dialect.name == "postgresql":
        await engine.dispose()


async def keep(conn: AsyncConnection, book: Journal) -> None:
    """Store a whole in-memory journal at once, in a community whose accounts are open."""
    community, table = book.head.community, tables.account
    for account in book.accounts.values():
        await conn.execute(
            update(table)
            .where(table.c.community_id == community, table.c.id == account.id)
            .values(balance=account.balance, lines=account.lines)
        )
    names = [column.name for column in tables.transfer.c]
    rows = [{name: getattr(row, name) for name in names} for row in book.transfers]
    await conn.execute(insert(tables.transfer), rows)
    await conn.execute(
        update(tables.journal)
        .where(tables.journal.c.community_id == community)
        .values(seq=book.head.seq, hash=book.head.hash, posted_at=book.head.posted_at)
    )
