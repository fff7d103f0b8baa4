"""What a coordinator has put aside until a day, with a word: odd entries, quiet members, calls.

Nothing is removed when it comes up again: what was done about somebody before is shown then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Table,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import metadata
from ledger.sql.read import accounts
from ledger.sql.types import Id, Instant, MinutesType, Words
from timebank import audit, policy
from timebank.errors import BadInput, Forbidden
from timebank.inbox.source import Thing, Touch, Why
from timebank.members import get, members
from timebank.moment import Moment

FURTHER = Minutes(60)
"""Whoever we rang about a limit is worth another call once they are so much further past it."""

LONGEST = 366
"""Days something may be put aside."""

put_aside = Table(
    "put_aside",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("why", Words, nullable=False),
    Column("thing_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),  # who put it aside
    Column("at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("words", Words, nullable=False),  # erased with the member they are about, or from
    Column("balance", MinutesType),  # of a call: where they stood
    Column("ended_at", Instant),  # taken back
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    Index("ix_put_aside_thing", "community_id", "why", "thing_id", "at"),
    sqlite_strict=True,
)


async def put(
    conn: AsyncConnection,
    community: UUID,
    things: Sequence[Thing],
    *,
    until: datetime,
    words: str,
    by: UUID,
    now: Moment,
) -> list[UUID]:
    """Put these aside until a moment (UTC), with a word; the ids of the notes that say so.

    For coordinators (`Forbidden`). `BadInput` for a day that is past or too far. A call is put
    aside at the balance of today: it comes again when that has gone `FURTHER`.
    """
    if not policy.may_coordinate(await get(conn, community, by)):
        raise Forbidden("inbox")
    if until <= now.at:
        raise BadInput("until", "day_past")
    if (until - now.at).days > LONGEST:
        raise BadInput("until", "day_too_far")
    calls = [thing.id for thing in things if thing.why is Why.CALL]
    stand = await accounts(conn, community, calls) if calls else {}
    ids = [now.new_id() for _ in things]
    rows = [
        {
            "community_id": community,
            "id": id,
            "why": thing.why.value,
            "thing_id": thing.id,
            "member_id": by,
            "at": now.at,
            "until": until,
            "words": words,
            "balance": stand[thing.id].balance if thing.id in stand else None,
        }
        for id, thing in zip(ids, things, strict=True)
    ]
    if rows:
        await conn.execute(insert(put_aside), rows)
        await audit.write_many(conn, [_act(community, by, row) for row in rows], now=now)
    return ids


async def end(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], *, by: UUID, now: Moment
) -> None:
    """Take notes of one's own back, so that what was put aside waits again. Twice is once."""
    await conn.execute(
        update(put_aside)
        .where(
            put_aside.c.community_id == community,
            put_aside.c.id.in_(set(ids)),
            put_aside.c.member_id == by,
            put_aside.c.ended_at.is_(None),
        )
        .values(ended_at=now.at)
    )


async def latest(
    conn: AsyncConnection, community: UUID, why: Why, ids: Collection[UUID]
) -> dict[UUID, Touch]:
    """Who last put each of these aside, when and with which word; in one query."""
    newest = (
        select(put_aside.c.thing_id, func.max(put_aside.c.at).label("at"))
        .where(
            put_aside.c.community_id == community,
            put_aside.c.why == why.value,
            put_aside.c.thing_id.in_(set(ids)),
            put_aside.c.ended_at.is_(None),
        )
        .group_by(put_aside.c.thing_id)
        .subquery()
    )
    rows = await conn.execute(
        select(put_aside.c.thing_id, put_aside.c.at, put_aside.c.words, members.c.name)
        .join(
            newest,
            and_(put_aside.c.thing_id == newest.c.thing_id, put_aside.c.at == newest.c.at),
        )
        .join(
            members,
            and_(
                members.c.community_id == put_aside.c.community_id,
                members.c.id == put_aside.c.member_id,
            ),
        )
        .where(
            put_aside.c.community_id == community,
            put_aside.c.why == why.value,
            put_aside.c.ended_at.is_(None),
        )
    )
    return {row.thing_id: Touch(row.name, row.at, row.words) for row in rows}


def is_aside(
    community: UUID, why: Why, id: Any, *, now: Moment, unless: Any = None
) -> ColumnElement[bool]:
    """The condition that the thing with this id is put aside now; not if `unless` is true of it.

    `unless` may speak of `put_aside`.
    """
    conditions = [
        put_aside.c.community_id == community,
        put_aside.c.why == why.value,
        put_aside.c.thing_id == id,
        put_aside.c.ended_at.is_(None),
        put_aside.c.until > now.at,
    ]
    if unless is not None:
        conditions.append(~unless)
    return exists(select(put_aside.c.id).where(*conditions).correlate_except(put_aside))


def concerns(community: UUID, member: UUID) -> ColumnElement[bool]:
    """The condition that a note is about a member, or by them: for their data."""
    return and_(
        put_aside.c.community_id == community,
        or_(put_aside.c.thing_id == member, put_aside.c.member_id == member),
    )


def _act(community: UUID, by: UUID, row: dict[str, Any]) -> audit.NewAct:
    kind = "entry" if row["why"] == Why.ODD.value else "member"
    facts = {"why": row["why"], "until": row["until"].isoformat()}
    return audit.NewAct(community, by, "inbox.put_aside", kind, row["thing_id"], facts)
