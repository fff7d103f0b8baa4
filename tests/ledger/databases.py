"""SQLite and PostgreSQL databases with the ledger's tables and guards, for the ledger's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ledger import Journal
from ledger.sql import guards, tables

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
    """An engine for a PostgreSQL database."""
    return create_async_engine(url, pool_size=20)


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
