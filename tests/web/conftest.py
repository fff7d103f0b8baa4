"""The application on both databases, browsers of several people, and a real server for Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import make_url
from starlette.applications import Starlette

from tests.conftest import a_copy, complete
from tests.infrastructure.postgres import Server
from tests.timebank.factories import START
from tests.web.town import Settled, Town, settle
from tests.web.town import opened as opened_town
from timebank import people, sessions
from timebank.config import Environment, Settings
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment
from web.access import cookie_name
from web.app import create_app

BASE = "http://127.0.0.1:8000"


@dataclass
class Clock:
    """The time as the application reads it; a test may turn it forward."""

    moment: Moment = field(default_factory=lambda: Moment(START))

    def __call__(self) -> Moment:
        return self.moment


@dataclass
class Web:
    """The application with its database started, and a browser for whoever a test needs."""

    app: Starlette
    db: Database
    settings: Settings
    clock: Clock
    _stack: AsyncExitStack

    async def browser(self, **headers: str) -> AsyncClient:
        """A browser nobody is signed in with. It says where its requests come from."""
        client = AsyncClient(
            transport=ASGITransport(app=self.app),
            base_url=self.settings.base_url,
            headers={"Sec-Fetch-Site": "same-origin", "Accept-Language": "en", **headers},
        )
        return await self._stack.enter_async_context(client)

    async def signed_in(self, email: str) -> AsyncClient:
        """A browser in which the person with this address is signed in."""
        async with self.db.write(EVERYWHERE) as conn:
            person = await people.by_email(conn, email)
            assert person is not None, f"nobody signs in as {email}"
            token = await sessions.begin(conn, person.id, device="a test", now=self.clock())
        client = await self.browser()
        self.give_session(client, token)
        return client

    def give_session(self, client: AsyncClient, token: str) -> None:
        """Put a session's secret into a browser, in place of the one it has."""
        host = urlsplit(self.settings.base_url).hostname or ""
        client.cookies.set(cookie_name(self.settings, "session"), token, domain=host, path="/")


async def opened(settings: Settings, stack: AsyncExitStack) -> Web:
    """The application for these settings; its database is stopped when the stack closes."""
    clock = Clock()
    app = create_app(settings, clock=clock)
    db: Database = app.state.database
    await db.start()
    stack.push_async_callback(db.stop)
    return Web(app, db, settings, clock, stack)


@pytest.fixture
async def web(db_settings: Settings) -> AsyncIterator[Web]:
    """The application on an empty database: SQLite and PostgreSQL in turn."""
    async with AsyncExitStack() as stack:
        yield await opened(replace(db_settings, base_url=BASE), stack)


@pytest.fixture
async def web_on_sqlite(sqlite_settings: Settings) -> AsyncIterator[Web]:
    """The application on SQLite alone, for what no database has a say in."""
    async with AsyncExitStack() as stack:
        yield await opened(replace(sqlite_settings, base_url=BASE), stack)


@contextlib.asynccontextmanager
async def served(
    settings: Settings, clock: Callable[[], Moment] = Moment.now
) -> AsyncIterator[str]:
    """A real server on a free port, with its housekeeping, for a real browser; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base_url = f"http://127.0.0.1:{port}"
    settings = replace(settings, base_url=base_url, port=port, environment=Environment.DEMO)
    config = uvicorn.Config(
        create_app(settings, clock=clock),
        port=port,
        log_level="warning",
        access_log=False,
        ws="none",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:
                if serving.done():
                    serving.result()
                    raise RuntimeError("the server ended before it began")
                await asyncio.sleep(0.02)
        yield base_url
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def server(db_settings: Settings) -> AsyncIterator[str]:
    """The address of a real server, on SQLite and PostgreSQL in turn."""
    async with served(db_settings) as address:
        yield address


# The town is written once for a run on each database, and each test gets a copy of it.


@pytest.fixture(scope="session")
def town_file(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Settled]:
    """A SQLite file with the town in it, to be copied."""
    settings = Settings(data=tmp_path_factory.mktemp("town"), database_url="")
    file = settings.data / "timebank.sqlite"
    shutil.copyfile(sqlite_template, file)
    settled = complete(settle(settings))
    with contextlib.closing(sqlite3.connect(file)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file, settled


@pytest.fixture(scope="session")
def town_database(
    postgres_server: Server, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Settled]]:
    """The name of a PostgreSQL database with the town in it, to be copied."""
    with a_copy(postgres_server, postgres_template, tmp_path_factory.mktemp("town")) as settings:
        settled = complete(settle(settings))
        name = make_url(settings.url).database
        assert name is not None
        yield name, settled


@pytest.fixture
async def sqlite_town(town_file: tuple[Path, Settled], tmp_path: Path) -> AsyncIterator[Town]:
    """The town in a SQLite file of the test's own."""
    file, settled = town_file
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    shutil.copyfile(file, data / "timebank.sqlite")
    async with opened_town(Settings(data=data, database_url="", base_url=BASE), settled) as there:
        yield there


@pytest.fixture
async def postgres_town(
    postgres_server: Server, town_database: tuple[str, Settled], tmp_path: Path
) -> AsyncIterator[Town]:
    """The town in a PostgreSQL database of the test's own."""
    template, settled = town_database
    with a_copy(postgres_server, template, tmp_path / "data") as settings:
        async with opened_town(replace(settings, base_url=BASE), settled) as there:
            yield there


@pytest.fixture
def town(db_kind: str, request: pytest.FixtureRequest) -> Town:
    """A small town with its people, on SQLite and PostgreSQL in turn."""
    found: Town = request.getfixturevalue(f"{db_kind}_town")
    return found


@pytest.fixture
def town_on_sqlite(sqlite_town: Town) -> Town:
    """The town on SQLite alone, for pages on which no database has a say."""
    return sqlite_town
