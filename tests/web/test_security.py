"""What stands around every request: headers, hosts, sizes, other sites, errors nobody foresaw."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.timebank.factories import a_community, a_member
from tests.web.conftest import Web, opened
from timebank.config import Environment, Settings
from timebank.db import EVERYWHERE
from web import access
from web.access import Policy, guard, refuse_undeclared
from web.security import MAX_BODY, allowed_hosts, is_cross_site, security_headers

ALWAYS = (
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/sign-in", 200),
        ("GET", "/me", 303),
        ("GET", "/health", 200),
        ("GET", "/favicon.ico", 302),
        ("GET", "/static/timebank.css", 200),
        ("GET", "/static/none.css", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/no-such-page", 404),
        ("GET", "/c/nowhere/join", 404),
        ("GET", "/sign-in/link/spent", 410),
        ("POST", "/health", 405),
        ("DELETE", "/sign-in", 405),
        ("TRACE", "/", 405),
        ("POST", "/sign-out", 401),
        ("POST", "/sign-in", 422),
    ],
)
async def test_every_answer_carries_the_security_headers(
    web_on_sqlite: Web, method: str, path: str, status: int
) -> None:
    browser = await web_on_sqlite.browser()
    answer = await browser.request(method, path)
    assert answer.status_code == status
    for name in ALWAYS:
        assert name in answer.headers, f"{name} is missing on {status}"
    assert "Cache-Control" in answer.headers


async def test_scripts_are_files_of_ours_and_none_stands_in_a_page(web_on_sqlite: Web) -> None:
    answer = await (await web_on_sqlite.browser()).get("/sign-in")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=", answer.text)
    assert "style=" not in answer.text


async def test_pages_are_kept_in_no_cache_and_files_for_a_year(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    page = await browser.get("/sign-in")
    assert page.headers["Cache-Control"] == "no-store"
    address = next(part for part in page.text.split('"') if part.startswith("/static/timebank.css"))
    file = await browser.get(address)
    assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = await browser.get(address, headers={"If-None-Match": file.headers["ETag"]})
    assert again.status_code == 304
    plain = await browser.get("/static/timebank.css")
    assert "immutable" not in plain.headers["Cache-Control"]


async def test_over_tls_browsers_are_told_to_insist_on_it(sqlite_settings: Settings) -> None:
    secure = replace(sqlite_settings, base_url="https://hours.example.org")
    assert security_headers(secure)["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in security_headers(sqlite_settings)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("evil.example", 400),
        ("127.0.0.1:8000@evil.example", 400),
        ("127.0.0.1:x", 400),
        ("", 400),
    ],
)
async def test_only_our_own_names_are_answered_to(
    web_on_sqlite: Web, host: str, status: int
) -> None:
    answer = await (await web_on_sqlite.browser()).get("/sign-in", headers={"Host": host})
    assert answer.status_code == status


async def test_in_production_this_machine_is_no_name_of_ours(sqlite_settings: Settings) -> None:
    live = replace(
        sqlite_settings,
        base_url="https://hours.example.org",
        environment=Environment.PRODUCTION,
    )
    assert allowed_hosts(live) == {"hours.example.org"}


async def test_a_container_may_ask_after_our_health_under_any_name(web_on_sqlite: Web) -> None:
    answer = await (await web_on_sqlite.browser()).get("/health", headers={"Host": "app:8000"})
    assert (answer.status_code, answer.text) == (200, "well\n")


async def test_a_body_larger_than_any_form_is_refused(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    announced = await browser.post("/sign-in", content=b"x" * (MAX_BODY + 1))
    assert announced.status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"email=" + b"x" * 16_000 + b"&"

    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    unannounced = await browser.post("/sign-in", content=endless(), headers=kind)
    assert unannounced.status_code == 413


async def test_a_form_with_countless_fields_is_refused(web_on_sqlite: Web) -> None:
    fields = "&".join(f"f{number}=1" for number in range(2000))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await (await web_on_sqlite.browser()).post("/sign-in", content=fields, headers=kind)
    assert answer.status_code == 400


CROSS_SITE = [
    # method, headers, refused
    ("GET", {"sec-fetch-site": "cross-site", "cookie": "session=x"}, False),
    ("POST", {"sec-fetch-site": "same-origin"}, False),
    ("POST", {"sec-fetch-site": "none"}, False),
    ("POST", {"sec-fetch-site": "same-site"}, True),
    ("POST", {"sec-fetch-site": "cross-site"}, True),
    ("POST", {"sec-fetch-site": "nonsense"}, True),
    ("POST", {"sec-fetch-site": "cross-site", "origin": "http://here:8000"}, True),
    ("POST", {"origin": "http://here:8000"}, False),
    ("POST", {"origin": "https://HERE:8000"}, False),
    ("POST", {"origin": "http://here:9000"}, True),
    ("POST", {"origin": "http://here:8000.evil.example"}, True),
    ("POST", {"origin": "http://evil.example", "cookie": "session=x"}, True),
    ("POST", {"origin": "null"}, True),
    ("POST", {"origin": ""}, True),
    ("POST", {"cookie": "session=x"}, True),
    ("POST", {}, True),
    ("DELETE", {"sec-fetch-site": "cross-site"}, True),
    ("PUT", {"origin": "http://evil.example"}, True),
]


@pytest.mark.parametrize(("method", "headers", "refused"), CROSS_SITE)
def test_a_change_is_taken_from_our_own_pages_only(
    method: str, headers: dict[str, str], refused: bool
) -> None:
    assert is_cross_site(method, Headers({"host": "here:8000", **headers})) is refused


async def test_another_site_cannot_sign_somebody_out(web_on_sqlite: Web) -> None:
    async with web_on_sqlite.db.write(EVERYWHERE) as conn:
        place = await a_community(conn)
        await a_member(conn, place.id, email="ana@example.org")
    browser = await web_on_sqlite.signed_in("ana@example.org")
    refused = await browser.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    assert "did not come from a page of ours" in refused.text
    assert (await browser.get("/me")).status_code == 200


async def test_a_route_without_a_policy_keeps_the_app_from_starting() -> None:
    async def open_to_whom(_request: Request) -> Response:
        return Response()

    with pytest.raises(ValueError, match="/careless"):
        refuse_undeclared([Route("/careless", open_to_whom)])
    refuse_undeclared([Route("/c", guard(Policy.ANYONE, "/c", open_to_whom))])


async def test_an_error_nobody_foresaw_shows_a_reference_and_nothing_else(
    web_on_sqlite: Web, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(_request: Request) -> Response:
        raise RuntimeError("the secret is 12345")

    web_on_sqlite.app.router.routes.append(
        Route("/breaks/{token}", guard(Policy.ANYONE, "/breaks/{token}", breaks))
    )
    with caplog.at_level(logging.INFO, logger="web"):
        answer = await (await web_on_sqlite.browser()).get("/breaks/hush-hush")
    assert answer.status_code == 500
    assert "12345" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["Content-Security-Policy"]
    reference = answer.text.partition("<code>")[2].partition("</code>")[0]
    assert len(reference) == 8
    assert reference in caplog.text
    assert "hush-hush" not in caplog.text
    assert "GET /breaks/{token} 500" in caplog.text


async def test_links_that_sign_in_are_not_logged(
    web_on_sqlite: Web, caplog: pytest.LogCaptureFixture
) -> None:
    browser = await web_on_sqlite.browser()
    with caplog.at_level(logging.DEBUG, logger="web"):
        for path in ("/sign-in/link/hush", "/password/hush", "/invitation/hush", "/hush?q=hush"):
            await browser.get(path)
    assert "hush" not in caplog.text
    assert "/sign-in/link/{token} 410" in caplog.text


async def test_405_names_every_method_the_address_answers_to(web_on_sqlite: Web) -> None:
    answer = await (await web_on_sqlite.browser()).put("/sign-in")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/c/mill-road/inbox?after=x", "/c/mill-road/inbox?after=x"),
        ("/", "/"),
        (None, "/"),
        ("", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\tevil", "/"),
        ("/a\nSet-Cookie: x=1", "/"),
        ("/%0d%0a", "/%0d%0a"),
        ("/é", "/"),
        (" /me", "/"),
        ("me", "/"),
        ("/" + "x" * 600, "/"),
    ],
)
def test_after_signing_in_one_goes_on_to_a_page_of_ours(wanted: str | None, path: str) -> None:
    assert access.local(wanted) == path


async def test_cookies_are_for_this_host_alone_and_out_of_reach_of_scripts(
    sqlite_settings: Settings,
) -> None:
    secure = replace(sqlite_settings, base_url="https://hours.example.org")
    async with AsyncExitStack() as stack:
        web = await opened(secure, stack)
        browser = await web.browser()
        answer = await browser.post("/language", data={"language": "es", "back": "/sign-in"})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-language=es;")
    for part in ("HttpOnly", "Path=/", "SameSite=lax", "Secure"):
        assert part in cookie
    assert "Domain" not in cookie
