"""Writing an archive: a zip that grows while it is sent, some thousand rows in memory at a time."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import read
from timebank import __version__, communities
from timebank.archive import lists, schema
from timebank.communities import Community
from timebank.moment import Moment

CHUNK = 1000

_README = """{name}, as of {at} (UTC)

Everything this community has written down, as one file.

lists/           for people and spreadsheets: members, organisations, offers and requests, hours
tables/          for programs: every row of every table, one line of JSON each
manifest.json    what is in here, how many rows, and how the journal ends

To bring it into an empty installation:  timebank import-archive FILE
There are no passwords in it. Everybody asks for a link by mail to sign in there.
It holds personal data of everybody here: treat it like the members' list and the books.
"""


class _Growing:
    """What a zip is written to; what was written is taken away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        """Keep some bytes."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """Nor to close."""

    def take(self) -> bytes:
        """All that was written since the last time."""
        found, self._pieces = b"".join(self._pieces), []
        return found


async def pieces(
    conn: AsyncConnection, community: UUID, *, schema_version: str, now: Moment
) -> AsyncIterator[bytes]:
    """A community's archive, piece by piece, in one unchanging picture of everything.

    Has to come first in its transaction. `schema_version` is the revision of the database.
    """
    await read.snapshot(conn)
    if conn.dialect.name == "postgresql":  # whoever takes it may be slow
        await conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    place = await communities.by_id(conn, community)
    head = await read.head(conn, community)
    growing = _Growing()
    counted: list[dict[str, Any]] = []
    with zipfile.ZipFile(growing, "w", zipfile.ZIP_DEFLATED) as archive:
        readme = _README.format(name=place.name, at=now.at.strftime("%Y-%m-%d %H:%M"))
        archive.writestr(_part("README.txt", now), readme)
        for table in schema.tables():
            counting = _Counting(table.name)
            with archive.open(
                _part(f"tables/{table.name}.jsonl", now), "w", force_zip64=True
            ) as part:
                async for lines in _lines(conn, table, community):
                    part.write(counting.of(lines))
                    if taken := growing.take():
                        yield taken
            counted.append(counting.told())
        async for taken in _lists(conn, place, archive, growing, now):
            yield taken
        manifest = {
            "format": schema.FORMAT,
            "version": schema.VERSION,
            "schema": schema_version,
            "program": __version__,
            "made_at": schema.spelled(now.at),
            "community": {"id": str(place.id), "slug": place.slug, "name": place.name},
            "journal": {"seq": head.seq, "hash": head.hash.hex()},
            "tables": counted,
            "left_out": dict(schema.LEFT_OUT),
        }
        said = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        archive.writestr(_part("manifest.json", now), said)
    yield growing.take()


class _Counting:
    """How many lines a table has, and the hash of all of them."""

    def __init__(self, name: str) -> None:
        self._name, self._rows, self._digest = name, 0, hashlib.sha256()

    def of(self, lines: list[str]) -> bytes:
        """The lines as bytes, counted."""
        data = "".join(lines).encode()
        self._rows += len(lines)
        self._digest.update(data)
        return data

    def told(self) -> dict[str, Any]:
        """What the manifest says of the table."""
        return {"name": self._name, "rows": self._rows, "sha256": self._digest.hexdigest()}


_spell = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


async def _lines(conn: AsyncConnection, table: Table, community: UUID) -> AsyncIterator[list[str]]:
    """A table's rows, a line each."""
    names = [column.name for column in schema.columns(table)]
    found = await conn.stream(schema.rows_of(table, community))
    async for rows in found.partitions(CHUNK):
        yield [
            _spell(dict(zip(names, map(schema.spelled, row), strict=True))) + "\n" for row in rows
        ]


async def _lists(
    conn: AsyncConnection,
    place: Community,
    archive: zipfile.ZipFile,
    growing: _Growing,
    now: Moment,
) -> AsyncIterator[bytes]:
    for name, lines in lists.every(conn, place):
        with archive.open(_part(f"lists/{name}.csv", now), "w", force_zip64=True) as part:
            async for some in lines:
                part.write(some)
                if taken := growing.take():
                    yield taken


def _part(name: str, now: Moment) -> zipfile.ZipInfo:
    part = zipfile.ZipInfo(name, now.at.timetuple()[:6])
    part.compress_type = zipfile.ZIP_DEFLATED
    part.external_attr = 0o600 << 16
    return part
