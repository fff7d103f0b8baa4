"""Which language a page is in, and choosing another."""

from __future__ import annotations

import pytest

from tests.web.conftest import Web
from tests.web.people import a_town


@pytest.mark.parametrize(
    ("accepts", "spoken"),
    [
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-GB,es;q=0.5", "en"),
        ("en;q=0.3, es;q=0.7", "es"),
        ("da, fr;q=0.9", "en"),
        ("", "en"),
        ("*;q=nonsense,,;;=", "en"),
        ("x" * 10_000, "en"),
    ],
)
async def test_a_page_is_in_the_language_the_browser_asks_for(
    web_on_sqlite: Web, accepts: str, spoken: str
) -> None:
    browser = await web_on_sqlite.browser()
    page = await browser.get("/sign-in", headers={"Accept-Language": accepts})
    assert f'<html lang="{spoken}">' in page.text


async def test_a_visitor_chooses_a_language_and_stays_on_the_page(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    answer = await browser.post("/language", data={"language": "es", "back": "/sign-in/link"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in/link")
    assert '<html lang="es">' in (await browser.get("/sign-in")).text


async def test_a_members_choice_is_kept_with_them(web: Web) -> None:
    await a_town(web)
    phone, library = [await web.signed_in("ana@example.org") for _ in range(2)]
    await phone.post("/language", data={"language": "es", "back": "/me"})
    assert '<html lang="es">' in (await library.get("/me")).text


async def test_a_language_we_lack_changes_nothing(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    answer = await browser.post("/language", data={"language": "tlh", "back": "//evil.example"})
    assert answer.headers["Location"] == "/"
    assert "Set-Cookie" not in answer.headers


async def test_a_notice_is_shown_once_and_escaped(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    browser.cookies.set("said", "%3Cb%3EHello%3C%2Fb%3E")
    first = await browser.get("/sign-in")
    assert "&lt;b&gt;Hello&lt;/b&gt;" in first.text
    assert "said=" in first.headers["Set-Cookie"]
    assert "Max-Age=0" in first.headers["Set-Cookie"]
