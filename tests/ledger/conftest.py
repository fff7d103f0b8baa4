"""The two databases that every test of the store runs on."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import PROGRAM
from tests.infrastructure.postgres import Server
from tests.ledger import databases

_numbers = itertools.count()


@asynccontextmanager
async def _postgres(server: Server, *, owner: bool) -> AsyncIterator[AsyncEngine]:
    """The tables for the role that owns them, or for the program's own."""
    name = f"ledger_{os.getpid()}_{next(_numbers)}"
    owners = databases.postgres(await server.create_database(name))
    engine = owners if owner else databases.postgres(server.url(name, PROGRAM))
    try:
        await databases.make_tables(owners)
        await databases.give_rights(owners, PROGRAM)
        yield engine
    finally:
        await engine.dispose()
        await owners.dispose()
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
    """An empty ledger on PostgreSQL, for a role that is neither superuser nor owner."""
    async with _postgres(postgres_server, owner=False) as engine:
        yield engine


@pytest.fixture
async def on_postgres_as_owner(postgres_server: Server) -> AsyncIterator[AsyncEngine]:
    """An empty ledger on PostgreSQL, for whoever may tamper with it."""
    async with _postgres(postgres_server, owner=True) as engine:
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


@pytest.fixture(params=["on_sqlite", "on_postgres_as_owner"])
def owners_engine(request: pytest.FixtureRequest) -> Iterator[AsyncEngine]:
    """An empty ledger in the hands of whoever owns it, on each database in turn."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]
