"""A man in the middle of the line to PostgreSQL, who knows a commit when he sees one.

    program ──► socket of the proxy ──► socket of PostgreSQL
                   cuts the line at a COMMIT, or at a statement that is a transaction by itself:
                   before it reaches the server, or when the server has done it, before it says so

Both ends then see a broken connection, and the program cannot know which of the two it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"
_NO_TYPE_YET = 8  # a message before the session began: length and code, and no letter before them
_ASKS_FOR_TLS = (80877103, 80877104)
_CANCELS = 80877102


class Cut(StrEnum):
    """Where in a commit the line is cut."""

    BEFORE = "before"  # nobody but the program knows of it
    AFTER = "after"  # it is done, and nobody is told


@dataclass
class _Line:
    """One connection: what we know of its session, and whether it is about to be cut."""

    program: asyncio.StreamWriter
    server: asyncio.StreamWriter
    begun: bool = False
    in_transaction: bool = False
    prepared: dict[bytes, bytes] = field(default_factory=dict)
    cut: Cut | None = None
    in_words: bool = True

    def commits(self, letter: bytes, body: bytes) -> bool:
        """Whether this message asks for a commit: in words, or by writing outside of a block."""
        self.in_words = letter == b"Q"
        if self.in_words:
            return body.upper().startswith(b"COMMIT")
        if letter == b"P":
            name, statement = body.split(b"\0")[:2]
            self.prepared[name] = statement
        if letter == b"B" and not self.in_transaction:
            statement = self.prepared.get(body.split(b"\0")[1], b"")
            return b"INSERT INTO transfer" in statement
        return False

    def sever(self) -> None:
        """Drop both ends, with whatever was on its way."""
        for end in (self.program, self.server):
            end.transport.abort()


@dataclass
class Proxy:
    """Between the program and a server. `choose` says at each commit whether to cut the line.

    `alone`: how many of the cuts met a statement that was a transaction by itself.
    """

    folder: Path
    choose: Callable[[], Cut | None] = lambda: None
    cuts: Counter[Cut] = field(default_factory=Counter)
    alone: int = 0
    _lines: set[asyncio.Task[None]] = field(default_factory=set)

    async def pass_on(self, line: _Line, asked: asyncio.StreamReader) -> None:
        """From the program to the server, message by message."""
        while True:
            if not line.begun:
                head = await asked.readexactly(_NO_TYPE_YET)
                size, code = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
                line.server.write(head + await asked.readexactly(size - _NO_TYPE_YET))
                line.begun = code not in _ASKS_FOR_TLS
                if code == _CANCELS:
                    return
                continue
            letter, head, body = await _message(asked)
            if line.cut is None and line.commits(letter, body):
                line.cut = self.choose()
                if line.cut is Cut.BEFORE:
                    self._sever(line)
                    return
            line.server.write(letter + head + body)

    async def pass_back(self, line: _Line, answered: asyncio.StreamReader) -> None:
        """From the server to the program; nothing any more once the line is to be cut."""
        while True:
            letter, head, body = await _message(answered)
            if letter == b"Z":
                line.in_transaction = body != b"I"
                if line.cut is Cut.AFTER:
                    self._sever(line)
                    return
            if line.cut is None:
                line.program.write(letter + head + body)

    def _sever(self, line: _Line) -> None:
        assert line.cut is not None
        self.cuts[line.cut] += 1
        self.alone += not line.in_words
        line.sever()

    async def serve(
        self, server: Path, asked: asyncio.StreamReader, program: asyncio.StreamWriter
    ) -> None:
        """One connection, until either end is gone."""
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        try:
            answered, upstream = await asyncio.open_unix_connection(server)
            line = _Line(program, upstream)
            ways = [
                asyncio.create_task(self.pass_on(line, asked)),
                asyncio.create_task(self.pass_back(line, answered)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                gone = await asyncio.gather(*ways, return_exceptions=True)
                line.sever()
            for error in gone:
                if isinstance(error, Exception) and not isinstance(error, (OSError, EOFError)):
                    raise error
        except OSError:
            program.transport.abort()
        finally:
            self._lines.discard(task)

    async def stop(self) -> None:
        """End all connections."""
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


@asynccontextmanager
async def between(server: Path, folder: Path) -> AsyncIterator[Proxy]:
    """A proxy listening in `folder`; the socket of PostgreSQL lies in the folder `server`."""
    proxy = Proxy(folder)

    async def serve(asked: asyncio.StreamReader, program: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await proxy.serve(server / _SOCKET, asked, program)

    listening = await asyncio.start_unix_server(serve, folder / _SOCKET)
    try:
        yield proxy
    finally:
        listening.close()
        await proxy.stop()
        await listening.wait_closed()


async def _message(source: asyncio.StreamReader) -> tuple[bytes, bytes, bytes]:
    """The next message: its letter, its length as it was sent, and the rest."""
    letter = await source.readexactly(1)
    head = await source.readexactly(4)
    return letter, head, await source.readexactly(int.from_bytes(head, "big") - 4)
