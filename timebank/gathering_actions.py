"""Actions: what somebody took on at a gathering, until when, and whether it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Day, Id, Instant, Words
from timebank import attendance, audit, gathering_notes, policy
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.members import members
from timebank.moment import Moment
from timebank.rooms import Room

LONGEST = 500
"""Characters of an action."""

actions = Table(
    "gathering_action",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("gathering_id", Id, nullable=False),
    Column("words", Words, nullable=False),  # what
    Column("member_id", Id),  # who; NULL: all of us
    Column("until", Day),
    Column("added_by", Id, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("done_by", Id),
    Column("done_at", Instant),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "added_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "done_by"], ["member.community_id", "member.id"]),
    CheckConstraint("words <> ''", name="words"),
    Index("ix_gathering_action", "community_id", "gathering_id", "added_at"),
    Index("ix_gathering_action_member", "community_id", "member_id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody took on. Without a member it is everybody's; `until` is the last day."""

    id: UUID
    words: str
    member_id: UUID | None
    name: str
    until: date | None
    added_by: UUID
    done_at: datetime | None
    done_by: str

    @property
    def done(self) -> bool:
        """Whether it is done."""
        return self.done_at is not None


async def of_gathering(conn: AsyncConnection, room: Room) -> list[Action]:
    """The actions of a gathering, in the order they were taken on."""
    query = _all(room.community_id).where(actions.c.gathering_id == room.id)
    return [_action(row) for row in await conn.execute(query)]


async def add(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    action_id: UUID,
    words: str,
    *,
    member: UUID | None = None,
    until: date | None = None,
    by: UUID,
    now: Moment,
) -> None:
    """Keep that somebody takes something on. Twice is once.

    Those who were there, and who looks after the gathering; for somebody who was there, or for all.
    Refuses with `Forbidden`, `NotFound` for a member who was not there, and `BadInput`.
    """
    if not words:
        raise BadInput("what", "missing")
    if len(words) > LONGEST:
        raise BadInput("what", "too_long", LONGEST)
    _, room = await gathering_notes.sharing(conn, community, gathering, by)
    if member is not None and not await attendance.was_there(conn, community, gathering, member):
        raise NotFound("member")
    known = select(actions.c.id).where(*_is(room, action_id))
    if (await conn.execute(known)).first() is not None:
        return
    await conn.execute(
        insert(actions).values(
            community_id=community,
            id=action_id,
            gathering_id=gathering,
            words=words,
            member_id=member,
            until=until,
            added_by=by,
            added_at=now.at,
        )
    )
    await _note(conn, room, "gathering.action", by, now)


async def tick_off(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    action_id: UUID,
    *,
    done: bool,
    by: UUID,
    now: Moment,
) -> None:
    """Say that an action is done, or that it is not done after all: whoever shares in it."""
    _, room = await gathering_notes.sharing(conn, community, gathering, by)
    values: dict[str, Any] = {"done_at": None, "done_by": None}
    if done:
        values = {"done_at": now.at, "done_by": by}
    changed = await conn.execute(update(actions).where(*_is(room, action_id)).values(**values))
    if changed.rowcount == 0:
        raise NotFound("action")
    await _note(conn, room, "gathering.action_done" if done else "gathering.action", by, now)


async def remove(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    action_id: UUID,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Take an action off the list: who added it, whose it is, or who looks after the gathering."""
    actor, room = await gathering_notes.sharing(conn, community, gathering, by)
    row = (await conn.execute(select(actions).where(*_is(room, action_id)))).first()
    if row is None:
        return
    mine = by in (row.added_by, row.member_id)
    if not mine and not policy.may_keep_list(actor.member, room.organisers):
        raise Forbidden("action")
    await conn.execute(delete(actions).where(*_is(room, action_id)))
    await _note(conn, room, "gathering.action", by, now)


def _all(community: UUID) -> Select[Any]:
    doer = members.alias("doer")
    return (
        select(actions, members.c.name, doer.c.name.label("doer"))
        .outerjoin(
            members,
            and_(
                members.c.community_id == actions.c.community_id,
                members.c.id == actions.c.member_id,
            ),
        )
        .outerjoin(
            doer,
            and_(doer.c.community_id == actions.c.community_id, doer.c.id == actions.c.done_by),
        )
        .where(actions.c.community_id == community)
        .order_by(actions.c.added_at, actions.c.id)
    )


def _action(row: Any) -> Action:
    return Action(
        row.id,
        row.words,
        row.member_id,
        row.name or "",
        row.until,
        row.added_by,
        row.done_at,
        row.doer or "",
    )


async def _note(conn: AsyncConnection, room: Room, action: str, by: UUID, now: Moment) -> None:
    await audit.write(
        conn,
        room.community_id,
        actor=by,
        action=action,
        subject_kind="gathering",
        subject=room.id,
        now=now,
    )


def _is(room: Room, action_id: UUID) -> tuple[Any, ...]:
    return (
        actions.c.community_id == room.community_id,
        actions.c.gathering_id == room.id,
        actions.c.id == action_id,
    )
