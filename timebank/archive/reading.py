"""Bringing an archive into an empty installation: all of it, proved, or nothing.

Everything happens in one transaction. Before it is committed the books are proved as they then
stand there: every balance added up again, every transfer hashed again, every entry compared, and
the end of the journal held against what the archive says.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Table, and_, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import verify as ledger_verify
from timebank import communities
from timebank.archive import schema
from timebank.archive.writing import CHUNK
from timebank.communities import Community
from timebank.comparing import compare
from timebank.db import EVERYWHERE, Database
from timebank.people import people

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many rows are there, and how many there will be."""

_LONGEST_LINE = 4 * 1024 * 1024  # bytes of one row
_LONGEST_MANIFEST = 4 * 1024 * 1024


class ArchiveError(Exception):
    """Nothing was brought in. The sentence says why."""


async def bring_in(
    db: Database, path: Path, *, schema_version: str, progress: Progress = lambda _done, _of: None
) -> Community:
    """Bring the archive at `path` into this installation, which has to be empty.

    Raises `ArchiveError`; then nothing was written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive, schema_version)
            async with db.write(EVERYWHERE) as conn:
                await _refuse_unless_empty(conn)
                await _tables(conn, archive, manifest, progress)
                return await _proved(conn, manifest)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise ArchiveError(f"There is no file {path}.") from error
        raise ArchiveError(f"{path} is no whole archive of a time bank.") from error


def _manifest(archive: zipfile.ZipFile, schema_version: str) -> Mapping[str, Any]:
    """What the archive says of itself, if it is one that we can read."""
    try:
        with archive.open("manifest.json") as part:
            manifest = json.loads(part.read(_LONGEST_MANIFEST))
        known = manifest["format"] == schema.FORMAT
        version, written = manifest["version"], manifest["schema"]
        rows = {table["name"]: (table["rows"], table["sha256"]) for table in manifest["tables"]}
        journal = (int(manifest["journal"]["seq"]), bytes.fromhex(manifest["journal"]["hash"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveError("This is no whole archive of a time bank.") from error
    if not known or version != schema.VERSION:
        raise ArchiveError("This archive was written in a form that this program does not know.")
    if written != schema_version:
        raise ArchiveError(
            f"This archive is of schema {written}, and this program has {schema_version}. Bring it "
            "in with the version of the program that wrote it, and then run `timebank migrate` "
            "with this one."
        )
    strange = rows.keys() - {table.name for table in schema.tables()}
    missing = {table.name for table in schema.tables()} - rows.keys()
    if strange or missing:
        raise ArchiveError(f"Tables are missing or unknown: {', '.join(sorted(strange | missing))}")
    return {"community": manifest["community"], "rows": rows, "journal": journal}


async def _refuse_unless_empty(conn: AsyncConnection) -> None:
    for table in (communities.communities, people):
        if await conn.scalar(select(func.count()).select_from(table)):
            raise ArchiveError(
                "There is data in this installation already. An archive goes into an empty one."
            )


async def _tables(
    conn: AsyncConnection,
    archive: zipfile.ZipFile,
    manifest: Mapping[str, Any],
    progress: Progress,
) -> None:
    total = sum(rows for rows, _ in manifest["rows"].values())
    done = 0
    for table in schema.tables():
        wanted, sha256 = manifest["rows"][table.name]
        later = schema.later(table)
        digest, count = hashlib.sha256(), 0
        for rows in _chunks(_rows(archive, table, digest)):
            await conn.execute(insert(table), [row | dict.fromkeys(later) for row in rows])
            count += len(rows)
            progress(done + count, total)
        if (count, digest.hexdigest()) != (wanted, sha256):
            raise ArchiveError(f"The table {table.name} in this archive is not as it was written.")
        done += count
        for rows in _chunks(_rows(archive, table)) if later else ():
            await _fill_in(conn, table, later, rows)


def _rows(archive: zipfile.ZipFile, table: Table, digest: Any = None) -> Iterator[dict[str, Any]]:
    """A table's rows as the database takes them; with `digest`, all bytes go through it."""
    columns = {column.name: column for column in schema.columns(table)}
    try:
        with archive.open(f"tables/{table.name}.jsonl") as part:
            while line := part.readline(_LONGEST_LINE):
                if digest is not None:
                    digest.update(line)
                row = json.loads(line)
                if row.keys() != columns.keys():
                    raise ArchiveError(f"A row of {table.name} has other columns than we know.")
                yield {
                    name: schema.read_back(column, row[name]) for name, column in columns.items()
                }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArchiveError(f"A row of {table.name} in this archive cannot be read.") from error


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    waiting: list[dict[str, Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == CHUNK:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


async def _fill_in(
    conn: AsyncConnection, table: Table, later: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    """What refers to rows of the same table, now that all of them are there."""
    some = [row for row in rows if any(row[name] is not None for name in later)]
    if not some:
        return
    keys = [column.name for column in table.primary_key.columns]
    await conn.execute(
        update(table)
        .where(and_(*(table.c[name] == bindparam(f"key_{name}") for name in keys)))
        .values({name: bindparam(f"to_{name}") for name in later}),
        [
            {f"key_{name}": row[name] for name in keys}
            | {f"to_{name}": row[name] for name in later}
            for row in some
        ],
    )


async def _proved(conn: AsyncConnection, manifest: Mapping[str, Any]) -> Community:
    """The community as it is there now, if its books are sound and end as the archive says."""
    found = await communities.every(conn)
    if len(found) != 1 or str(found[0].id) != manifest["community"]["id"]:
        raise ArchiveError("This archive does not hold the community that it names.")
    place = found[0]
    report = await ledger_verify.verify(
        conn, place.id, anchors=[manifest["journal"]], snapshot=False
    )
    comparison = await compare(conn, place.id)
    findings = [*map(str, report.findings), *comparison.findings]
    if findings or (report.seq, report.hash) != manifest["journal"]:
        raise ArchiveError(
            "The books in this archive do not verify, so nothing was brought in: "
            + "; ".join(findings[:3] or ["the journal ends elsewhere"])
        )
    return place
