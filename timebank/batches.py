"""Batches: entries that came in together, from a sheet or a file, and can be undone together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    and_,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Hash, Id, Instant, Words
from timebank.errors import NotFound
from timebank.members import members
from timebank.moment import Moment


class Source(StrEnum):
    """Where a batch came from."""

    SHEET = "sheet"  # typed in
    IMPORT = "import"


batches = Table(
    "batch",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("source", Words, nullable=False),
    Column("label", Words, nullable=False),  # what it was called, or the file's name
    Column("fingerprint", Hash),  # of a file: the same one a second time changes nothing
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    Index("ix_batch_made", "community_id", "made_at"),
    sqlite_strict=True,
)

batch_entries = Table(
    "batch_entry",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("batch_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("position", Count, nullable=False),  # the row of the sheet or file, from 1 on
    ForeignKeyConstraint(["community_id", "batch_id"], ["batch.community_id", "batch.id"]),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    UniqueConstraint("community_id", "entry_id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, by whom and when (UTC) it was made, and how many entries are in it."""

    id: UUID
    source: Source
    label: str
    made_by: UUID
    made_by_name: str
    made_at: datetime
    entries: int


async def begin(
    conn: AsyncConnection,
    community: UUID,
    source: Source,
    label: str,
    *,
    by: UUID,
    now: Moment,
    id: UUID | None = None,
    fingerprint: bytes | None = None,
) -> UUID:
    """A new, empty batch. Who may make one, the caller has asked."""
    batch_id = id or now.new_id()
    await conn.execute(
        insert(batches).values(
            community_id=community,
            id=batch_id,
            source=source.value,
            label=label,
            fingerprint=fingerprint,
            made_by=by,
            made_at=now.at,
        )
    )
    return batch_id


async def add(
    conn: AsyncConnection, community: UUID, batch: UUID, rows: Iterable[tuple[int, UUID]]
) -> None:
    """Put entries into a batch, each with the row it came from."""
    values = [
        {"community_id": community, "batch_id": batch, "entry_id": entry, "position": position}
        for position, entry in rows
    ]
    if values:
        await conn.execute(insert(batch_entries), values)


async def get(conn: AsyncConnection, community: UUID, batch: UUID) -> Batch:
    """One batch, or `NotFound`."""
    for found in await _read(conn, community, batches.c.id == batch, limit=1):
        return found
    raise NotFound("batch")


async def latest(conn: AsyncConnection, community: UUID, limit: int | None = 50) -> list[Batch]:
    """The batches of a community, the newest first; without a `limit`, all of them."""
    return await _read(conn, community, None, limit=limit)


async def entries_of(conn: AsyncConnection, community: UUID, batch: UUID) -> list[UUID]:
    """The ids of a batch's entries, in the order of their rows."""
    rows = await conn.execute(
        select(batch_entries.c.entry_id)
        .where(batch_entries.c.community_id == community, batch_entries.c.batch_id == batch)
        .order_by(batch_entries.c.position, batch_entries.c.entry_id)
    )
    return [row.entry_id for row in rows]


async def _read(
    conn: AsyncConnection, community: UUID, which: Any, *, limit: int | None
) -> list[Batch]:
    count = (
        select(func.count())
        .where(
            batch_entries.c.community_id == batches.c.community_id,
            batch_entries.c.batch_id == batches.c.id,
        )
        .scalar_subquery()
    )
    query = (
        select(batches, members.c.name, count.label("entries"))
        .join(
            members,
            and_(
                members.c.community_id == batches.c.community_id,
                members.c.id == batches.c.made_by,
            ),
        )
        .where(batches.c.community_id == community)
        .order_by(batches.c.made_at.desc(), batches.c.id.desc())
        .limit(limit)
    )
    if which is not None:
        query = query.where(which)
    return [
        Batch(
            row.id,
            Source(row.source),
            row.label,
            row.made_by,
            row.name,
            row.made_at,
            row.entries,
        )
        for row in await conn.execute(query)
    ]
