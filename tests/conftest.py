"""What every test may ask for: the real PostgreSQL server, the real browser, the mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.infrastructure import chromium, postgres, smtp


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One PostgreSQL server for the whole run (one for each worker of pytest-xdist)."""
    with postgres.serving() as server:
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
