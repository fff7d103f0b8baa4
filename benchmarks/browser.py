"""A very small browser: one kept connection, cookies, the hidden fields of a form.

It costs the machine far less than the pages do, so that what is measured is the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page's forms."""
        return {name: html.unescape(value) for name, value in _HIDDEN.findall(self.text)}


@dataclass(slots=True)
class Browser:
    """One connection to a server on this machine, kept open; call `open` first, `close` last."""

    port: int
    cookies: dict[str, str]
    _reader: asyncio.StreamReader = field(init=False)
    _writer: asyncio.StreamWriter = field(init=False)

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def get(self, path: str) -> Answer:
        """Open a page. Anything but 200 raises `RuntimeError`."""
        return await self._ask("GET", path, b"", 200)

    async def post(self, path: str, form: Mapping[str, str]) -> Answer:
        """Send a form. Anything but going on to another page (303) raises `RuntimeError`."""
        return await self._ask("POST", path, urlencode(form).encode("ascii"), 303)

    async def _ask(self, method: str, path: str, body: bytes, wanted: int) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Accept: text/html",
            "Accept-Language: en",
            "Sec-Fetch-Site: same-origin",
            f"Cookie: {cookies}",
        ]
        if method == "POST":
            lines += ["Content-Type: application/x-www-form-urlencoded"]
            lines += [f"Content-Length: {len(body)}"]
        asked = "\r\n".join([*lines, "", ""]).encode("ascii") + body
        try:
            answer = await self._answer(asked)
        except (ConnectionError, asyncio.IncompleteReadError):  # idle for so long that it was ended
            await self.close()
            await self.open()
            answer = await self._answer(asked)
        if answer.status != wanted:
            raise RuntimeError(f"{method} {path}: {answer.status}\n{answer.text[-2000:]}")
        return answer

    async def _answer(self, asked: bytes) -> Answer:
        self._writer.write(asked)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
            if name.lower() == "set-cookie":
                self._keep(value.strip())
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body.decode("utf-8"))

    def _keep(self, text: str) -> None:
        """Keep a cookie, or forget it when its time is up."""
        for name, morsel in SimpleCookie(text).items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.coded_value
