"""Pages of trouble: they say what happened and what to do now, in the reader's language."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ledger.errors import BrokenBooks, Busy, NotPosted, Unknown
from tests.timebank.factories import a_community, a_member
from tests.web.conftest import Web
from tests.web.people import a_town
from timebank import errors
from timebank.db import EVERYWHERE
from timebank.members import Status
from timebank.moment import Moment
from web.errors import error_page, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HTTPException(413), 413),
        (errors.NotFound(), 404),
        (errors.OwnGain(), 403),
        (errors.TooManyTries(datetime(2026, 5, 4, tzinfo=UTC)), 429),
        (errors.LinkSpent(), 410),
        (Busy(), 503),
        (Unknown(), 503),
        (ConnectionRefusedError(), 503),
        (PoolTimeout(), 503),
        (errors.CannotUndo(), 422),
        (NotPosted(Moment.now().new_id()), 422),
        (BrokenBooks("x"), 500),
        (RuntimeError(), 500),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    assert status_of(error) == status


async def test_trouble_is_told_in_the_readers_language(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    page = await browser.get("/nowhere", headers={"Accept-Language": "es"})
    assert page.status_code == 404
    assert "Aquí no hay nada" in page.text


async def test_strangers_are_shown_the_way_to_sign_in(web_on_sqlite: Web) -> None:
    page = await (await web_on_sqlite.browser()).get("/nowhere")
    assert 'href="/sign-in"' in page.text


async def test_a_community_one_does_not_belong_to_is_not_there(web: Web) -> None:
    await a_town(web)
    async with web.db.write(EVERYWHERE) as conn:
        other = await a_community(conn, "elsewhere", name="Elsewhere")
        await a_member(conn, other.id, "Ines", email="ines@example.org")
        await a_member(conn, other.id, "Left Long", email="left@example.org", status=Status.LEFT)
    ines, ana = await web.signed_in("ines@example.org"), await web.signed_in("ana@example.org")
    unknown = await ana.get("/c/no-such-place/")
    hidden = await ana.get("/c/elsewhere/")
    assert hidden.status_code == unknown.status_code == 404
    assert "Elsewhere" not in hidden.text
    assert (await ines.get("/c/elsewhere/")).status_code == 200
    left = await web.signed_in("left@example.org")
    assert (await left.get("/c/elsewhere/")).status_code == 404


async def test_what_one_may_not_do_is_refused_with_the_menu_still_there(web: Web) -> None:
    await a_town(web)
    ana = await web.signed_in("ana@example.org")
    page = await ana.get("/c/mill-road/inbox")
    assert page.status_code == 403
    assert "Ask a coordinator" in page.text
    assert 'href="/c/mill-road/statement"' in page.text


async def test_who_takes_a_break_looks_and_writes_nothing(web: Web) -> None:
    town = await a_town(web)
    async with web.db.write(EVERYWHERE) as conn:
        await a_member(conn, town.place.id, "Paul", email="paul@example.org", status=Status.PAUSED)
    paul = await web.signed_in("paul@example.org")
    assert (await paul.get("/c/mill-road/")).status_code == 200
    refused = await paul.get("/c/mill-road/entries/new")
    assert refused.status_code == 403
    assert "while you are not an active member" in refused.text


def on_sqlite(code: int) -> DBAPIError:
    """What SQLAlchemy raises when SQLite answers with this code."""
    cause = sqlite3.OperationalError("something about a disk")
    cause.sqlite_errorcode = code
    return DBAPIError("COMMIT", None, cause)


async def test_a_full_disk_is_told_as_such(web_on_sqlite: Web) -> None:
    full = on_sqlite(sqlite3.SQLITE_FULL)
    assert status_of(full) == 503
    page = await error_page(request_to(web_on_sqlite, "POST"), full)
    assert "nothing was written" in bytes(page.body).decode()
    assert "refresh" not in page.headers


async def test_a_disk_that_failed_in_the_middle_leaves_us_checking(web_on_sqlite: Web) -> None:
    failed = on_sqlite(sqlite3.SQLITE_IOERR_FSYNC)
    assert status_of(failed) == 503
    page = await error_page(request_to(web_on_sqlite, "POST"), failed)
    assert "We are checking" in bytes(page.body).decode()
    page = await error_page(request_to(web_on_sqlite, "GET"), failed)
    assert "We are checking" not in bytes(page.body).decode()


def request_to(web: Web, method: str) -> Request:
    """A request as the middleware sees it."""
    return Request(
        {
            "type": "http",
            "method": method,
            "path": "/",
            "query_string": b"",
            "headers": [],
            "app": web.app,
            "state": {},
        }
    )
