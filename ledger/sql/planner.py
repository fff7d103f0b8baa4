"""What PostgreSQL's planner knows of the tables, and how soon.

Every key leads with the community. As long as there are no statistics of a table, PostgreSQL takes
it that a community has one row in it; then any index that begins with the community is as good as
the right one, and three tables joined that way take cubic time: minutes for some hundred entries.
By itself it looks at a table once fifty rows have changed, which a young community may not see for
weeks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine


def known_soon(table: str) -> str:
    """The statement for PostgreSQL that has a table looked at when five rows have changed."""
    return f"ALTER TABLE {table} SET (autovacuum_analyze_threshold = 5)"


async def inform(owners_url: str) -> None:
    """Have all tables looked at now, as their owner: after much was written at once.

    Without it, PostgreSQL does so by itself within some minutes. On SQLite there is nothing to do.
    """
    engine = create_async_engine(owners_url)
    try:
        if engine.dialect.name == "postgresql":
            async with engine.begin() as conn:
                await conn.execute(text("ANALYZE"))
    finally:
        await engine.dispose()


@asynccontextmanager
async def planned_each_time(conn: AsyncConnection) -> AsyncIterator[None]:
    """Have statements planned for the values they come with, within a transaction.

    For whoever asks for a thousand ids at a time in a table that grows meanwhile, and of which
    nothing is known: a plan made for any thousand ids compares each row with each of them. Not for
    writing, because the checks of foreign keys would be planned each time as well.
    """
    if conn.dialect.name != "postgresql":
        yield
        return
    await conn.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    yield
    await conn.execute(text("SET LOCAL plan_cache_mode TO DEFAULT"))
