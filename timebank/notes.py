"""Notes: what coordinators want each other to know about a member, such as "ring after ten".

No other member ever reads them. The member may ask for them: they are in "my data".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, and_, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Id, Instant, Words
from timebank import audit, caring, members, policy
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.moment import Moment

LONGEST = 2000
"""Characters of one note."""

notes = Table(
    "member_note",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("words", Words, nullable=False),
    Column("written_by", Id, nullable=False),
    Column("written_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    Index("ix_member_note_member", "community_id", "member_id"),
    Index("ix_member_note_writer", "community_id", "written_by"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Note:
    """What one coordinator noted, and when."""

    id: UUID
    words: str
    written_by: UUID
    written_by_name: str
    written_at: datetime


async def write(
    conn: AsyncConnection, community: UUID, member: UUID, words: str, *, by: UUID, now: Moment
) -> None:
    """Note something about a member. For those who care for them (`Forbidden`)."""
    await caring.carer(conn, community, member, by)
    if not words.strip():
        raise BadInput("words", "missing")
    if len(words) > LONGEST:
        raise BadInput("words", "too_long", LONGEST)
    id = now.new_id()
    await conn.execute(
        insert(notes).values(
            community_id=community,
            id=id,
            member_id=member,
            words=words,
            written_by=by,
            written_at=now.at,
        )
    )
    await _note(conn, community, "care.noted", member, id, by, now)


async def remove(
    conn: AsyncConnection, community: UUID, member: UUID, note: UUID, *, by: UUID, now: Moment
) -> None:
    """Take a note away for good: whoever wrote it, or a steward. Else `Forbidden`, `NotFound`."""
    await caring.carer(conn, community, member, by)
    actor = await members.get(conn, community, by)
    which = and_(notes.c.community_id == community, notes.c.id == note, notes.c.member_id == member)
    writer = (await conn.execute(select(notes.c.written_by).where(which))).scalar_one_or_none()
    if writer is None:
        raise NotFound("note")
    if not policy.may_remove_note(actor, writer):
        raise Forbidden("note")
    await conn.execute(delete(notes).where(which))
    await _note(conn, community, "care.note_removed", member, note, by, now)


async def of(conn: AsyncConnection, community: UUID, member: UUID) -> list[Note]:
    """The notes about a member, the newest first. Whether somebody may read them, `caring` says."""
    table = members.members
    rows = await conn.execute(
        select(notes, table.c.name)
        .join(
            table,
            and_(table.c.community_id == notes.c.community_id, table.c.id == notes.c.written_by),
        )
        .where(notes.c.community_id == community, notes.c.member_id == member)
        .order_by(notes.c.written_at.desc(), notes.c.id.desc())
    )
    return [Note(row.id, row.words, row.written_by, row.name, row.written_at) for row in rows]


async def _note(
    conn: AsyncConnection,
    community: UUID,
    action: str,
    member: UUID,
    note: UUID,
    by: UUID,
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="member",
        subject=member,
        facts={"note": str(note)},
        now=now,
    )
