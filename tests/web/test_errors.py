"""Pages of trouble: they say what happened and what to do now, in the reader's language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from ledger.errors import BrokenBooks, NotPosted
from tests.timebank.factories import a_community, a_member
from tests.web.conftest import Web
from tests.web.people import a_town
from timebank import errors
from timebank.members import Status
from timebank.moment import Moment
from web.errors import status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HTTPException(413), 413),
        (errors.NotFound(), 404),
        (errors.OwnGain(), 403),
        (errors.TooManyTries(datetime(2026, 5, 4, tzinfo=UTC)), 429),
        (errors.LinkSpent(), 410),
        (errors.Busy(), 503),
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
    async with web.db.write() as conn:
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
    async with web.db.write() as conn:
        await a_member(conn, town.place.id, "Paul", email="paul@example.org", status=Status.PAUSED)
    paul = await web.signed_in("paul@example.org")
    assert (await paul.get("/c/mill-road/")).status_code == 200
    refused = await paul.get("/c/mill-road/entries/new")
    assert refused.status_code == 403
    assert "while you are not an active member" in refused.text
