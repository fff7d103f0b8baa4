"""What stands around every request: who may send it from where, and what every answer says.

Headers         the security headers, on every answer whatever happened
  Mishaps       an error nobody foresaw becomes a page that says nothing but a reference
    Hosts       only our own names are answered to
      BodyLimit      a body larger than any form of ours is refused, unread; files may be larger
        CrossSite    a change is only taken from our own pages
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from timebank.config import Environment, Settings

log = logging.getLogger("web")

MAX_BODY = 256 * 1024
"""Bytes; the largest form we have, an entry with sixty people on each side, is a tenth of it."""

MAX_UPLOAD = 32 * 1024 * 1024
"""Bytes of a file that is brought in, with the form around it."""

UPLOADS = re.compile(r"/c/[^/]+/imports/")
"""The paths to which files are sent. Their routes read nothing before they know who asks."""

_SAFE = ("GET", "HEAD", "OPTIONS")

ErrorPage = Callable[[Request, Exception], Awaitable[Response]]

_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self' data:; "  # the style sheet draws its arrows and ticks in place
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"


def security_headers(settings: Settings) -> dict[str, str]:
    """What every answer says. Scripts are files of ours that talk to us alone; no page has any."""
    headers = {
        "Content-Security-Policy": _CSP,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": _PERMISSIONS,
    }
    if settings.secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class Headers:
    """Puts the security headers on every answer, and keeps pages out of every cache.

    A page may hold what only one person may read, so nothing is stored unless it says so itself,
    as the style sheet and the fonts do.
    """

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class Mishaps:
    """The last resort: what nobody foresaw is logged under a reference that the page shows.

    It also writes one line for each answer, with the pattern of the path and not the path: links
    that sign in, and names in searches, do not belong in a log.
    """

    def __init__(self, app: ASGIApp, error_page: ErrorPage) -> None:
        self._app = app
        self._error_page = error_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if status:
                raise
            scope["reference"] = secrets.token_hex(4)
            log.exception("reference %s: %s %s", scope["reference"], *_told(scope))
            request = Request(scope, receive)
            response = await self._error_page(request, error)
            await response(scope, receive, noting)
        finally:
            took = round((time.monotonic() - began) * 1000)
            log.info("%s %s %d %d ms", *_told(scope), status, took)


def _told(scope: Scope) -> tuple[str, str]:
    return scope["method"], scope.get("pattern", "(no such page)")


class Hosts:
    """Answers to our own names only; a container asks after our health under any."""

    def __init__(self, app: ASGIApp, allowed: frozenset[str], error_page: ErrorPage) -> None:
        self._app = app
        self._allowed = allowed
        self._error_page = error_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, or answer 400."""
        if scope["type"] == "http" and scope["path"] != "/health":
            given = [value for name, value in scope["headers"] if name == b"host"]
            host = given[0].decode("latin-1") if len(given) == 1 else ""
            if _name_of(host) not in self._allowed:
                await _answer(self._error_page, 400, scope, receive, send)
                return
        await self._app(scope, receive, send)


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """The name people use; outside production this machine's own as well."""
    names = {urlsplit(settings.base_url).hostname or ""}
    if settings.environment is not Environment.PRODUCTION:
        names |= {"127.0.0.1", "localhost", "[::1]"}
    return frozenset(name.lower() for name in names if name)


def _name_of(host: str) -> str:
    """A Host header without its port; "" for one that is malformed."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, "0"
    return name.lower() if port.isascii() and port.isdigit() else ""


class BodyLimit:
    """Refuses a body that is larger than any form of ours, before or while it is read.

    `uploads` are paths where it may be larger, and how large.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        error_page: ErrorPage,
        uploads: tuple[re.Pattern[str], int] | None = None,
    ) -> None:
        self._app = app
        self._limit = limit
        self._uploads = uploads
        self._error_page = error_page

    def _most(self, path: str) -> int:
        """How large a body may be that is sent to this path."""
        if self._uploads is not None and self._uploads[0].fullmatch(path):
            return self._uploads[1]
        return self._limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = RequestHeaders(scope=scope).get("content-length", "0")
        if not (announced.isascii() and announced.isdigit()) or len(announced) > 15:
            await _answer(self._error_page, 400, scope, receive, send)
            return
        limit = self._most(scope["path"])
        if int(announced) > limit:
            await _answer(self._error_page, 413, scope, receive, send)
            return
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413)
            return message

        await self._app(scope, limited, send)


class CrossSite:
    """Refuses a change that another site had the browser send."""

    def __init__(self, app: ASGIApp, error_page: ErrorPage) -> None:
        self._app = app
        self._error_page = error_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, or answer 403."""
        if scope["type"] == "http" and is_cross_site(scope["method"], RequestHeaders(scope=scope)):
            await _answer(self._error_page, 403, scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_cross_site(method: str, headers: RequestHeaders) -> bool:
    """Whether a request is a change that did not begin on a page of ours.

    1. Reading (GET, HEAD, OPTIONS) changes nothing and is never refused.
    2. `Sec-Fetch-Site` decides where a browser sends it: only `same-origin`, and `none` (the
       person themselves, as when reloading), go on. Not `same-site`: a neighbouring sub-domain is
       not us.
    3. Without it (browsers leave it out on plain http), `Origin` has to be there and name the host
       that the request was sent to, port included; `null` does not.
    4. With neither, no browser of today sent it, so it did not begin on a page of ours.
    """
    if method in _SAFE:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is not None:
        parts = urlsplit(origin) if origin.isascii() and len(origin) < 300 else urlsplit("")
        ours = parts.scheme in ("http", "https") and bool(parts.netloc)
        return not ours or parts.netloc.lower() != headers.get("host", "").lower()
    return True


async def _answer(
    error_page: ErrorPage, status: int, scope: Scope, receive: Receive, send: Send
) -> None:
    response = await error_page(Request(scope, receive), HTTPException(status))
    await response(scope, receive, send)
