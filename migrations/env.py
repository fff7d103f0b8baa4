"""How migrations run. The caller passes one of, in `config.attributes`:

    connection    a SQLAlchemy connection in a transaction, which the caller commits
    url           the database; a connection is opened, and all steps commit together or not at all

and `metadata`, the tables of the program, when models and migrations are to be compared. From
alembic's own command line the url is taken from `-x url=…`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ledger.sql import metadata
from ledger.sql.rights import EVERY, SETTING

attributes = context.config.attributes


def migrate(connection: Connection) -> None:
    """Run the steps asked for on this connection, and leave no row pointing nowhere."""
    if connection.dialect.name == "postgresql":  # where row-level security holds the owner too
        connection.exec_driver_sql(f"SET LOCAL {SETTING} = '{EVERY}'")
    context.configure(
        connection=connection,
        target_metadata=attributes.get("metadata", metadata),
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.dialect.name == "sqlite":
        dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if dangling:
            raise RuntimeError(f"the migration left rows pointing nowhere: {dangling[:5]}")


def engine_for(url: str) -> AsyncEngine:
    """An engine for one connection, on which SQLite's DDL is part of the transaction too.

    SQLite does not check foreign keys here, so that a step may rebuild a table; `migrate` does so
    at the end.
    """
    engine = create_async_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def _leave_transactions_to_us(dbapi_connection: Any, _record: object) -> None:
            dbapi_connection.isolation_level = None

        @event.listens_for(engine.sync_engine, "begin")
        def _lock_at_once(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def connect_and_migrate(url: str) -> None:
    """Open a connection, migrate, commit."""
    engine = engine_for(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


def run() -> None:
    """Migrate the database the caller chose."""
    if context.is_offline_mode():
        raise RuntimeError("migrations need a database: they look at it")
    connection = attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    url = attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise RuntimeError("which database? pass -x url=…, or use `timebank`")
    asyncio.run(connect_and_migrate(str(url)))


run()
