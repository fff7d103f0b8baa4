"""Notes of a gathering: what was said and found, kept for those who were there.

They belong to the group: whoever wrote one may leave, and it stays without their name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    and_,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Id, Instant, Words
from timebank import acting, attendance, audit, policy, rooms
from timebank.acting import Actor
from timebank.errors import BadInput, Forbidden
from timebank.members import members
from timebank.moment import Moment
from timebank.rooms import Room

LONGEST = 10_000
"""Characters of a note."""

notes = Table(
    "gathering_note",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("gathering_id", Id, nullable=False),
    Column("words", Words, nullable=False),
    Column("written_by", Id, nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    CheckConstraint("words <> ''", name="words"),
    Index("ix_gathering_note", "community_id", "gathering_id", "written_at"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Note:
    """One note, who wrote it and when it was last changed (UTC)."""

    id: UUID
    words: str
    written_by: UUID
    name: str
    changed_at: datetime


async def of_gathering(conn: AsyncConnection, room: Room) -> list[Note]:
    """The notes of a gathering, the oldest first. Who may read them, `may_read` says."""
    rows = await conn.execute(
        select(notes, members.c.name)
        .join(
            members,
            and_(
                members.c.community_id == notes.c.community_id,
                members.c.id == notes.c.written_by,
            ),
        )
        .where(notes.c.community_id == room.community_id, notes.c.gathering_id == room.id)
        .order_by(notes.c.written_at, notes.c.id)
    )
    return [Note(row.id, row.words, row.written_by, row.name, row.changed_at) for row in rows]


async def may_read(conn: AsyncConnection, room: Room, actor: Actor) -> bool:
    """Whether somebody shares in the notes and actions of a gathering."""
    there = await attendance.was_there(conn, room.community_id, room.id, actor.id)
    return policy.may_read_notes(actor.member, organisers=room.organisers, was_there=there)


async def write(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    note_id: UUID,
    words: str,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Write a note, or change it; without words it goes. Twice is once.

    Those who were there write, and who looks after the gathering; a note is changed by who wrote it
    or who looks after the gathering. Refuses with `Forbidden` and `BadInput`.
    """
    if len(words) > LONGEST:
        raise BadInput("words", "too_long", LONGEST)
    actor, room = await sharing(conn, community, gathering, by)
    await rooms.lock(conn, community, gathering)
    known = (*_of(room), notes.c.id == note_id)
    row = (await conn.execute(select(notes.c.written_by).where(*known))).first()
    theirs = row is not None and row.written_by != by
    if theirs and not policy.may_keep_list(actor.member, room.organisers):
        raise Forbidden("note")
    if not words:
        await conn.execute(delete(notes).where(*known))
    elif row is not None:
        await conn.execute(update(notes).where(*known).values(words=words, changed_at=now.at))
    else:
        await conn.execute(
            insert(notes).values(
                community_id=community,
                id=note_id,
                gathering_id=gathering,
                words=words,
                written_by=by,
                written_at=now.at,
                changed_at=now.at,
            )
        )
    await audit.write(
        conn,
        community,
        actor=by,
        action="gathering.note",
        subject_kind="gathering",
        subject=gathering,
        now=now,
    )


async def sharing(
    conn: AsyncConnection, community: UUID, gathering: UUID, by: UUID
) -> tuple[Actor, Room]:
    """An active member who shares in what is kept of a gathering; `NotFound`, `Forbidden` else."""
    actor, room = await rooms.for_member(conn, community, gathering, by)
    await acting.active(conn, community, by)
    if not await may_read(conn, room, actor):
        raise Forbidden("notes")
    return actor, room


def _of(room: Room) -> tuple[Any, Any]:
    return notes.c.community_id == room.community_id, notes.c.gathering_id == room.id
