"""What every test may ask for: both databases, the real browser, the mail server."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.infrastructure import chromium, postgres, smtp, statements
from tests.infrastructure.postgres import Server
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database

T = TypeVar("T")

_numbers = itertools.count()

statements.share()


def pytest_collection_finish() -> None:
    """What is read by now stays: looking through it for garbage takes a tenth of a run."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own, whether or not one is running here."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One PostgreSQL server for the whole run (one for each worker of pytest-xdist)."""
    with postgres.serving() as server:
        complete(server.create_roles(OWNER, PROGRAM))
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the whole run. Tests that use it run on the session's loop."""
    async with chromium.running() as browser:
        yield browser


@pytest.fixture
def mail_server() -> Iterator[smtp.Sink]:
    """A mail server of the test's own."""
    with smtp.running() as sink:
        yield sink


OWNER, PROGRAM = "timebank_test_owner", "timebank_test_program"


def settings_for(server: Server, database: str, data: Path) -> Settings:
    """Settings for a database of this server, with the two roles of a careful installation."""
    return Settings(
        data=data,
        database_url=server.url(database, PROGRAM),
        owner_url=server.url(database, OWNER),
    )


def as_owner(settings: Settings) -> Settings:
    """The same database for whoever owns the tables: to tamper with them, or with the schema."""
    return replace(settings, database_url=settings.owner_url or settings.database_url)


# Both databases at the newest schema, empty for each test: the schema is made once for a run, and
# each test gets a copy of it.


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    settings = Settings(data=tmp_path_factory.mktemp("template"), database_url="")
    migrate.upgrade(settings)
    return settings.data / "timebank.sqlite"


@pytest.fixture(scope="session")
def postgres_template(
    postgres_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to be copied."""
    name = f"template_{os.getpid()}"
    complete(postgres_server.create_database(name, owner=OWNER))
    migrate.upgrade(settings_for(postgres_server, name, tmp_path_factory.mktemp("postgres")))
    yield name
    complete(postgres_server.drop_database(name))


@pytest.fixture
def sqlite_settings(sqlite_template: Path, tmp_path: Path) -> Settings:
    """Settings with an empty, migrated SQLite file of the test's own."""
    settings = Settings(data=tmp_path / "data", database_url="")
    settings.data.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, settings.data / "timebank.sqlite")
    return settings


@pytest.fixture
def postgres_settings(
    postgres_server: Server, postgres_template: str, tmp_path: Path
) -> Iterator[Settings]:
    """Settings with an empty, migrated PostgreSQL database of the test's own."""
    with a_copy(postgres_server, postgres_template, tmp_path / "data") as settings:
        yield settings


@contextmanager
def a_copy(server: Server, template: str, data: Path) -> Iterator[Settings]:
    """Settings with a copy of a PostgreSQL database.

    The program runs on it as a role that is neither owner nor superuser, as in production.
    """
    name = f"timebank_{os.getpid()}_{next(_numbers)}"
    complete(server.create_database(name, template, owner=OWNER))
    yield settings_for(server, name, data)
    complete(server.drop_database(name))


@pytest.fixture(params=["sqlite", "postgres"])
def db_kind(request: pytest.FixtureRequest) -> str:
    """Which database it is: each of the two in turn."""
    return str(request.param)


@pytest.fixture
def db_settings(db_kind: str, request: pytest.FixtureRequest) -> Settings:
    """Settings with an empty, migrated database: SQLite and PostgreSQL in turn."""
    found: Settings = request.getfixturevalue(f"{db_kind}_settings")
    return found


@pytest.fixture
async def db(db_settings: Settings) -> AsyncIterator[Database]:
    """An empty database, started: SQLite and PostgreSQL in turn."""
    database = Database(db_settings)
    await database.start()
    try:
        yield database
    finally:
        await database.stop()
