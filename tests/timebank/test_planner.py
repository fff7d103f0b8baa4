"""PostgreSQL's planner knows our tables soon, also those of a community with a handful of rows."""

from __future__ import annotations

from sqlalchemy import text

from ledger.sql import metadata, planner
from tests.infrastructure.by_hand import by_hand
from timebank import communities, migrate
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment

assert migrate, "imported, so that every table is in the metadata"


async def test_every_table_with_a_community_is_looked_at_soon(postgres_settings: Settings) -> None:
    query = text(
        "SELECT relname FROM pg_class WHERE 'autovacuum_analyze_threshold=5' = ANY (reloptions)"
    )
    async with by_hand(postgres_settings) as conn:
        soon = set((await conn.execute(query)).scalars())
    assert soon == {name for name, table in metadata.tables.items() if "community_id" in table.c}


async def test_after_much_was_written_it_is_told_at_once(postgres_settings: Settings) -> None:
    db = Database(postgres_settings)
    await db.start()
    try:
        async with db.write(EVERYWHERE) as conn:
            await communities.create(
                conn, slug="here", name="Here", language="en", timezone="UTC", now=Moment.now()
            )
    finally:
        await db.stop()
    known = text("SELECT reltuples FROM pg_class WHERE relname = 'account'")
    async with by_hand(postgres_settings) as conn:
        assert await conn.scalar(known) == -1  # never looked at
    await planner.inform(postgres_settings.owners_url)
    async with by_hand(postgres_settings) as conn:
        assert await conn.scalar(known) == 1  # the commons


async def test_sqlite_needs_nothing(sqlite_settings: Settings) -> None:
    await planner.inform(sqlite_settings.owners_url)
