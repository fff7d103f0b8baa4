"""Migration 0001 makes exactly the tables and guards that the tests of the ledger run on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ledger.sql import guards, tables
from tests.infrastructure.postgres import Server
from tests.ledger import databases

ROOT = Path(__file__).parents[2]


def config(url: str) -> Config:
    made = Config()
    made.set_main_option("script_location", str(ROOT / "migrations"))
    made.attributes["url"] = url
    return made


SQLITE_SCHEMA = (
    "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' ORDER BY 2"
)
POSTGRES_SCHEMA = """
    SELECT 'column', table_name || '.' || column_name, ordinal_position, data_type, is_nullable
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%'
    UNION SELECT 'constraint', conname, 0, pg_get_constraintdef(oid), ''
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%'
    UNION SELECT 'index', indexname, 0, indexdef, '' FROM pg_indexes
    WHERE schemaname = 'public' AND indexname NOT LIKE 'alembic%'
    UNION SELECT 'trigger', tgname, 0, pg_get_triggerdef(oid), '' FROM pg_trigger
    WHERE NOT tgisinternal
    UNION SELECT 'table', relname, 0, reloptions::text, '' FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT LIKE 'alembic%'
    ORDER BY 1, 2
"""


async def schema(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    query = SQLITE_SCHEMA if engine.dialect.name == "sqlite" else POSTGRES_SCHEMA
    async with engine.connect() as conn:
        found = [tuple(row) for row in await conn.exec_driver_sql(query)]
        await conn.rollback()
    await engine.dispose()
    if engine.dialect.name == "sqlite":
        return [(kind, name, _tidy(sql)) for kind, name, sql in found]
    return found


def _tidy(sql: str | None) -> list[str] | None:
    """The parts of a SQLite statement, whatever their order and spacing."""
    return sql and sorted(part.strip(" ,()") for part in sql.split("\n"))  # type: ignore[return-value]


async def made_by_tests(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    await databases.make_tables(engine)
    return await schema(engine)


def test_on_sqlite_the_migration_makes_the_same_schema(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'migrated.sqlite'}"
    for step in ("0001", "base", "0001"):
        _go_to(config(url), step)
    migrated = asyncio.run(schema(databases.sqlite(tmp_path / "migrated.sqlite")))
    assert migrated == asyncio.run(made_by_tests(databases.sqlite(tmp_path / "made.sqlite")))
    assert len([kind for kind, *_ in migrated if kind == "trigger"]) == 10


def test_on_postgres_the_migration_makes_the_same_schema(postgres_server: Server) -> None:
    names = ("migrated", "made")
    urls = [asyncio.run(postgres_server.create_database(name)) for name in names]
    try:
        for step in ("0001", "base", "0001"):
            _go_to(config(urls[0]), step)
        migrated = asyncio.run(schema(databases.postgres(urls[0])))
        assert migrated == asyncio.run(made_by_tests(databases.postgres(urls[1])))
        assert len([kind for kind, *_ in migrated if kind == "trigger"]) == 9
    finally:
        for name in names:
            asyncio.run(postgres_server.drop_database(name))


def test_going_down_leaves_nothing_behind(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'down.sqlite'}"
    _go_to(config(url), "0001")
    _go_to(config(url), "base")
    assert asyncio.run(schema(databases.sqlite(tmp_path / "down.sqlite"))) == []


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "half.sqlite"

    async def occupy() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        async with engine.begin() as conn:
            await conn.exec_driver_sql("CREATE TABLE transfer (id INTEGER)")
        await engine.dispose()

    asyncio.run(occupy())
    before = asyncio.run(schema(databases.sqlite(path)))
    with pytest.raises(Exception, match="already exists"):
        _go_to(config(f"sqlite+aiosqlite:///{path}"), "0001")
    assert asyncio.run(schema(databases.sqlite(path))) == before


def test_a_migration_runs_on_the_caller_s_connection(tmp_path: Path) -> None:
    engine = databases.sqlite(tmp_path / "lent.sqlite")

    def upgrade(connection: Connection) -> None:
        lent = config("")
        lent.attributes["connection"] = connection
        command.upgrade(lent, "0001")

    async def migrate() -> None:
        async with engine.begin() as conn:
            await conn.run_sync(upgrade)

    asyncio.run(migrate())
    names = {name for _, name, _ in asyncio.run(schema(engine))}
    assert {table.name for table in (tables.journal, tables.account, tables.transfer)} <= names


def test_without_a_database_nothing_is_migrated() -> None:
    with pytest.raises(RuntimeError, match="which database"):
        _go_to(config(""), "0001")


def test_every_unique_key_of_a_transfer_is_guarded() -> None:
    guarded = {frozenset(key) for key in guards.TRANSFER_KEYS}
    constraints = {
        frozenset(column.name for column in constraint.columns)
        for constraint in tables.transfer.constraints
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
    }
    assert constraints == guarded


def _go_to(made: Config, step: str) -> None:
    (command.downgrade if step == "base" else command.upgrade)(made, step)
