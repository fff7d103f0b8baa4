"""The database in the hands of its owner, for tests that tamper with what the program keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ledger.sql.rights import EVERY, SETTING
from timebank.config import Settings


def owners_engine(url: str) -> AsyncEngine:
    """An engine for whoever owns the tables: only triggers and constraints stand in the way."""
    if not url.startswith("sqlite"):
        everywhere = {"server_settings": {SETTING: EVERY}}
        return create_async_engine(url, poolclass=NullPool, connect_args=everywhere)
    engine = create_async_engine(url, poolclass=NullPool)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@asynccontextmanager
async def by_hand(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A transaction as the owner of the tables, in all communities at once."""
    engine = owners_engine(settings.owners_url)
    try:
        async with engine.begin() as conn:
            yield conn
    finally:
        await engine.dispose()
