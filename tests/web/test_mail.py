"""The demo's mail: read here because it is sent to nobody; not there at all outside a demo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.web.conftest import BASE, Web, opened
from tests.web.people import a_town, mails
from timebank.config import Environment, Settings


@pytest.fixture
async def demo(sqlite_settings: Settings) -> AsyncIterator[Web]:
    settings = replace(sqlite_settings, base_url=BASE, environment=Environment.DEMO)
    async with AsyncExitStack() as stack:
        yield await opened(settings, stack)


async def test_a_demo_shows_its_mail_with_links_to_follow(demo: Web) -> None:
    await a_town(demo)
    browser = await demo.browser()
    assert "No mail yet" in (await browser.get("/mail")).text
    await browser.post("/sign-in/link", data={"email": "ana@example.org"})
    assert await mails(demo, "ana@example.org")
    listed = await browser.get("/mail")
    assert "ana@example.org" in listed.text
    name = listed.text.partition('href="/mail/')[2].partition('"')[0]
    letter = await browser.get(f"/mail/{name}")
    link = letter.text.partition(f'<a href="{BASE}/sign-in/link/')[2].partition('"')[0]
    assert (await browser.post(f"/sign-in/link/{link}")).status_code == 303


@pytest.mark.parametrize("name", ["..%2Ftimebank.sqlite", "none", ".part", "%00", "A" * 500])
async def test_nothing_but_mail_can_be_read(demo: Web, name: str) -> None:
    assert (await (await demo.browser()).get(f"/mail/{name}")).status_code == 404


async def test_every_page_of_a_demo_says_that_it_is_one(demo: Web) -> None:
    browser = await demo.browser()
    for path in ("/", "/sign-in", "/nowhere"):
        assert "This is a demo with made-up people." in (await browser.get(path)).text


async def test_outside_a_demo_there_is_no_such_page(web_on_sqlite: Web) -> None:
    await a_town(web_on_sqlite)
    for browser in (
        await web_on_sqlite.browser(),
        await web_on_sqlite.signed_in("ana@example.org"),
    ):
        assert (await browser.get("/mail")).status_code == 404
        assert (await browser.get("/mail/x")).status_code == 404
        assert "demo" not in (await browser.get("/sign-in")).text
