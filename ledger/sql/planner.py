"""What PostgreSQL's planner knows of the tables, and how soon.

Every key leads with the community. As long as there are no statistics of a table, PostgreSQL takes
it that a community has one row in it; then any index that begins with the community is as good as
the right one, and three tables joined that way take cubic time: minutes for some hundred entries.
By itself it looks at a table once fifty rows have changed, which a young community may not see for
weeks.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


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
