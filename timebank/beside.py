"""Comparing a long journal in a process of its own, while the ledger proves it in this one.

Both look at one picture of the books: each opens its transaction while nobody can post, and from
then on people go on working. The other process is `python -m timebank.beside`. It is told what to
do on its standard input, and answers in lines of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import read, store
from timebank import loop
from timebank.comparing import Comparison, Progress, compare
from timebank.db import Database

_WAIT = text("SET LOCAL idle_in_transaction_session_timeout = 0")


class ComparingFailed(RuntimeError):
    """The process that compares ended without an answer; what it said is in the log."""


class Beside:
    """A comparison that is under way in a process of its own."""

    def __init__(self, process: Process, conn: AsyncConnection) -> None:
        self._process = process
        self.conn = conn
        """Our own connection, on the picture that is compared."""

    async def outcome(self, progress: Progress) -> Comparison:
        """Wait for the end, telling how far it is.

        Raises `ComparingFailed`.
        """
        while True:
            said = await _said(self._process)
            if isinstance(said, list):
                progress(*said)
            else:
                return Comparison(said["entries"], tuple(said["findings"]), said["found"])

    def stop(self) -> None:
        """End it at once, whether or not it is done."""
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def comparing(db: Database, community: UUID) -> AsyncIterator[Beside]:
    """Start comparing a community beside, and open a transaction on the same picture here.

    Leaving the block ends both. Raises `ComparingFailed`, and `NoJournal`.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "timebank.beside", stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((db.settings, community)))
        await _said(process)  # it is connected
        async with AsyncExitStack() as picture:
            async with db.write(community) as guard:
                await store.lock(guard, community)  # nobody posts while both pictures are taken
                process.stdin.write(b"look\n")
                await _said(process)  # it looks
                conn = await picture.enter_async_context(db.read(community))
                await read.snapshot(conn)
                await read.head(conn, community)
                if not db.is_sqlite:  # it may wait for long when the proof is done first
                    await conn.execute(_WAIT)
            yield Beside(process, conn)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _said(process: Process) -> Any:
    """The next thing it says."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise ComparingFailed(
            "The process that compares entries ended early, so nothing is proved. Run it again."
        )
    return json.loads(line)


async def _compare() -> None:
    """What the other process does."""
    gc.set_threshold(100_000)  # rows by the million, and none of them refers to another
    settings, community = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    db = Database(settings, checkpoints=False)
    try:
        async with db.read(community):
            pass  # connected once, the pool has it
        _say("connected")
        sys.stdin.readline()
        async with db.read(community) as conn:
            await read.snapshot(conn)
            await read.head(conn, community)
            _say("looking")
            found = await compare(conn, community, lambda done, of: _say([done, of]))
    finally:
        await db.stop()
    _say({"entries": found.entries, "findings": found.findings, "found": found.found})


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    loop.run(_compare())
