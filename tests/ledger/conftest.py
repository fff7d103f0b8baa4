"""The two databases that every test of the store runs on."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.infrastructure.postgres import Server
from tests.ledger import databases

_numbers = itertools.count()


@asynccontextmanager
async def _postgres(server: Server) -> AsyncIterator[AsyncEngine]:
    name = f"ledger_{next(_numbers)}"
    engine = databases.postgres(await server.create_database(name))
    try:
        await databases.make_tables(engine)
        yield engine
    finally:
        await engine.dispose()
        await server.drop_database(name)


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[AsyncEngine]:
    engine = databases.sqlite(folder / "ledger.sqlite")
    try:
        await databases.make_tables(engine)
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture
async def on_postgres(postgres_server: Server) -> AsyncIterator[AsyncEngine]:
    """An empty ledger on PostgreSQL."""
    async with _postgres(postgres_server) as engine:
        yield engine


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty ledger on SQLite."""
    async with _sqlite(tmp_path) as engine:
        yield engine


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Iterator[AsyncEngine]:
    """An empty ledger, on each database in turn."""
    return request.getfixturevalue(f"on_{request.param}")  # type: ignore[no-any-return]
