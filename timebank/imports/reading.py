"""Reading an uploaded file: a process of its own reads it, and its rows are kept aside here.

See `child` for what that process may do, which is nothing, and for what it refuses. Rows come in
some thousand at a time and a transaction each, so that others can write meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from timebank.db import Database
from timebank.imports import files, matching
from timebank.imports.files import File, Row, Stage
from timebank.moment import Moment

CHUNK = 1000
_LONGEST_LINE = 1024 * 1024  # bytes of JSON; the child keeps to less
_PATIENCE = 150.0  # seconds between two lines

Clock: TypeAlias = Callable[[], Moment]


class NotRead(Exception):
    """The file is refused: a reason that pages have a sentence for, and its facts."""

    def __init__(self, reason: str, facts: dict[str, Any]) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


async def read(db: Database, file: File, path: Path, *, clock: Clock) -> None:
    """Read the file at `path` and keep its rows; afterwards it is `MATCHING`, or `REFUSED`.

    The file at `path` is gone afterwards, whatever happened.
    """
    try:
        await _keep(db, file, path, clock)
    except NotRead as refused:
        outcome = {"reason": refused.reason, "facts": refused.facts}
        async with db.write(file.community_id) as conn:
            await files.forget_rows(conn, file.community_id, file.id)
            await files.move(
                conn, file, [Stage.READING], Stage.REFUSED, now=clock(), outcome=outcome
            )
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def rows_of(file: BinaryIO) -> AsyncIterator[dict[str, Any]]:
    """What the child says about an open file, line by line; the last has "end". Or `NotRead`."""
    async with _child(file) as process:
        assert process.stdout is not None
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    line = await process.stdout.readline()
            except (TimeoutError, ValueError) as error:  # ValueError: a line without an end
                raise NotRead("bomb", {}) from error
            if not line:
                # It was ended by its limits, or by somebody: nothing of it counts.
                raise NotRead("bomb", {})
            said = json.loads(line)
            if "refused" in said:
                raise NotRead(said.pop("refused"), said)
            yield said
            if "end" in said:
                return


@asynccontextmanager
async def _child(file: BinaryIO) -> AsyncIterator[Process]:
    # Without our environment: there are passwords in it.
    environment = {key: os.environ[key] for key in ("SYSTEMROOT",) if key in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "timebank.imports.child",
        stdin=file,
        stdout=PIPE,
        stderr=DEVNULL,
        env=environment,
        limit=_LONGEST_LINE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _keep(db: Database, file: File, path: Path, clock: Clock) -> None:
    waiting: list[Row] = []
    kept, end = 0, {}
    with path.open("rb") as opened:
        async for said in rows_of(opened):
            if "end" in said:
                end = {key: value for key, value in said.items() if key != "end"}
                break
            waiting.append(Row(said["row"], said["cells"]))
            if len(waiting) == CHUNK:
                kept += await _put_aside(db, file, waiting, kept, clock)
                waiting = []
    kept += await _put_aside(db, file, waiting, kept, clock)
    async with db.write(file.community_id) as conn:
        first = await files.samples(conn, file, matching.LOOKED_AT)
        found = end | matching.headings(first)
        await files.move(
            conn,
            file,
            [Stage.READING],
            Stage.MATCHING,
            now=clock(),
            same_turn=True,
            rows=kept,
            done=0,
            found=found,
        )


async def _put_aside(db: Database, file: File, some: list[Row], kept: int, clock: Clock) -> int:
    async with db.write(file.community_id) as conn:
        await files.keep_rows(conn, file, some)
        await files.beat(conn, file, kept + len(some), now=clock())
    return len(some)
