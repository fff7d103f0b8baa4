"""SQLite and PostgreSQL databases with the ledger's tables and guards, for the ledger's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

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
