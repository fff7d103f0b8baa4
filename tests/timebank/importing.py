"""A file brought in as the pages do it, in one line of a test."""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad
from timebank.imports import checking, files, matching, reading, running, undoing
from timebank.imports.files import File, Row, What
from timebank.members import Member
from timebank.moment import Moment


def clock() -> Moment:
    """The tests' noon, an hour later."""
    return at(hours=1)


def a_csv(headings: str, *rows: Sequence[object] | str) -> bytes:
    """A CSV of these headings and rows; a row may be one text, parted by commas."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(headings.split(","))
    writer.writerows(row.split(",") if isinstance(row, str) else row for row in rows)
    return text.getvalue().encode()


def _kept(content: bytes) -> Path:
    path = Path(tempfile.mkdtemp()) / "upload"
    path.write_bytes(content)
    return path


async def read(
    road: MillRoad, content: bytes, by: Member | None = None, name: str = "x.csv"
) -> File:
    """Upload and read a file, as Stella unless somebody else is named."""
    fingerprint = hashlib.sha256(content).digest()
    async with road.db.write(road.id) as conn:
        file = await files.begin(
            conn, road.id, name, fingerprint, by=(by or road.stella).id, now=clock()
        )
    await reading.read(road.db, file, _kept(content), clock=clock)
    return await now(road, file.id)


async def now(road: MillRoad, id: UUID) -> File:
    """The file as it stands now."""
    async with road.db.read(road.id) as conn:
        return await files.get(conn, road.id, id)


async def checked(
    road: MillRoad,
    content: bytes,
    what: What | None = None,
    *,
    by: Member | None = None,
    **chosen: Any,
) -> File:
    """Read a file and check it, with the columns that are guessed."""
    file = await read(road, content, by)
    async with road.db.read(road.id) as conn:
        guess = matching.suggest(file, await files.samples(conn, file, matching.LOOKED_AT), what)
    settings = replace(guess.settings, **chosen)
    who = (by or road.stella).id
    async with road.db.write(road.id) as conn:
        file = await checking.begin(
            conn, road.id, file.id, what or guess.what, settings, by=who, now=clock()
        )
    await checking.check(road.db, file, by=who, clock=clock)
    return await now(road, file.id)


async def rows(road: MillRoad, file: File) -> list[Row]:
    """The rows that were checked."""
    async with road.db.read(road.id) as conn:
        return [
            row
            async for some in files.in_order(conn, file)
            for row in some
            if row.verdict is not None
        ]


async def reasons(road: MillRoad, file: File) -> list[str]:
    """What is said of each row, in a word."""
    return [row.says["reason"] for row in await rows(road, file)]


async def run(road: MillRoad, file: File, *, by: Member | None = None, at_: Any = clock) -> File:
    """Bring a checked file in; rows with mistakes stay out."""
    who = (by or road.stella).id
    async with road.db.write(road.id) as conn:
        file = await running.begin(conn, road.id, file.id, leave_out=True, by=who, now=at_())
    await running.run(road.db, file, by=who, clock=at_)
    return await now(road, file.id)


async def bring(road: MillRoad, content: bytes, what: What | None = None, **more: Any) -> File:
    """All of it: read, check, bring in."""
    return await run(road, await checked(road, content, what, **more))


async def undo(road: MillRoad, file: File, *, by: Member | None = None) -> File:
    """Undo all that a file brought in."""
    who = (by or road.stella).id
    async with road.db.write(road.id) as conn:
        file = await undoing.begin(
            conn, road.id, file.id, reason="The wrong list.", by=who, now=clock()
        )
    await undoing.undo(road.db, file, reason="The wrong list.", by=who, clock=clock)
    return await now(road, file.id)
