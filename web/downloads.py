"""Any list on a page, as a file for a spreadsheet: the same path with `as=csv` or `as=xlsx`.

    if format := downloads.wanted(request):
        return await downloads.send(request, await lists.directory_of(…), format)

The file holds what the page would show to the same person under the same filter, all of it and not
only the page one is on. `_table.html` has the two links for the end of the list.
"""

from __future__ import annotations

import tempfile
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator
from typing import IO

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from timebank import lists
from timebank.lists import Listed
from timebank.spreadsheet import MEDIA_TYPES, Cell, Format, Table, Writer, write
from web.pages import here, now
from web.pages import write as write_to

_AT_ONCE = 500  # rows handed over to be written
_IN_MEMORY = 1024 * 1024  # bytes; what is longer lies in a file that has no name


def wanted(request: Request) -> Format | None:
    """The file that `as` asks for; None for the page itself, and for what we do not write."""
    asked = request.query_params.get("as")
    return Format(asked) if asked in list(Format) else None


def download(table: Table, format: Format) -> Response:
    """A short table as a file to keep."""
    return Response(
        write(table, format), media_type=MEDIA_TYPES[format], headers=_kept_as(table.name, format)
    )


async def send(request: Request, listed: Listed, format: Format) -> Response:
    """A list of any length as a file to keep; the audit tells of it if it is about others.

    It is written before it is sent, so that nobody who reads slowly keeps the database waiting:
    a few rows at a time, beside the event loop, and onto the disk when it gets long.
    """
    file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed when sent
    try:
        written = await _write(listed, format, file)
        if listed.personal:
            at = here(request)
            async with write_to(request) as conn:
                await lists.taken(
                    conn,
                    at.community.id,
                    listed.name,
                    format.value,
                    written,
                    by=at.me.id,
                    now=now(request),
                )
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return StreamingResponse(
        _pieces(file),
        media_type=MEDIA_TYPES[format],
        headers=_kept_as(listed.name, format) | {"Content-Length": str(size)},
        background=BackgroundTask(file.close),
    )


async def _write(listed: Listed, format: Format, file: IO[bytes]) -> int:
    """Write the list into a file; how many rows it has."""
    writer = Writer(listed.name, listed.headings, format, file)
    written = 0
    async for rows in _some(listed.rows):
        await to_thread(writer.add, rows)
        written += len(rows)
    await to_thread(writer.close)
    return written


async def _some(rows: AsyncIterator[tuple[Cell, ...]]) -> AsyncIterator[list[tuple[Cell, ...]]]:
    waiting: list[tuple[Cell, ...]] = []
    async for row in rows:
        waiting.append(row)
        if len(waiting) == _AT_ONCE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(64 * 1024):
        yield piece


def _kept_as(name: str, format: Format) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}.{format}"'}
