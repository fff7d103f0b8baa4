"""Keeping apart: two members who had better not meet. One of them asks for it, or a coordinator.

It is private. Whoever did not ask for it is not told, and nothing a member reads says so: the other
one's listings and contact details are simply not there, and hours between the two are left to a
coordinator to talk about. Coordinators see it, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
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
    case,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Id, Instant, Words
from timebank import audit, members, policy
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.members import Status, buddies
from timebank.moment import Moment

apart_table = Table(
    "apart",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("one_id", Id, nullable=False),  # the two, in the order of their ids
    Column("other_id", Id, nullable=False),
    Column("asked_by", Id, nullable=False),  # one of the two, or a coordinator
    Column("words", Words, nullable=False),  # why; for coordinators only
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("ended_by", Id),
    ForeignKeyConstraint(["community_id", "one_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "other_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "asked_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "ended_by"], ["member.community_id", "member.id"]),
    CheckConstraint("one_id <> other_id", name="two"),
    Index(
        "uq_apart_now",
        "community_id",
        "one_id",
        "other_id",
        unique=True,
        sqlite_where=text("until IS NULL"),
        postgresql_where=text("until IS NULL"),
    ),
    Index("ix_apart_other", "community_id", "other_id"),
    sqlite_strict=True,
)
_OTHER = members.members.alias("other_one")
_ASKER = members.members.alias("asker")

Pair = frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Apart:
    """Two who are kept apart, as seen from one of them: who the other is, and who asked for it.

    `words` is the reason, for coordinators.
    """

    id: UUID
    other_id: UUID
    other: str
    asked_by: UUID
    asked_by_name: str
    words: str
    since: datetime
    until: datetime | None


async def begin(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    other: UUID,
    *,
    words: str = "",
    by: UUID,
    now: Moment,
) -> None:
    """Keep these two apart from now on: one of them asks, or a coordinator does.

    Asking again is asking once. If one was the buddy of the other, that ends. Refuses with
    `Forbidden`, and `BadInput` for one person twice.
    """
    actor = await members.get(conn, community, by)
    whose = await members.get(conn, community, member)
    found = await members.get(conn, community, other)
    if not policy.may_keep_apart(actor, whose):
        raise Forbidden("apart")
    if member == other:
        raise BadInput("other", "themselves_apart")
    if found.status not in (Status.ACTIVE, Status.PAUSED) and not policy.may_coordinate(actor):
        raise NotFound("member")
    if await apart(conn, community, [(member, other)]):
        return
    one, two = sorted((member, other))
    id = now.new_id()
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    done = await conn.execute(
        dialect.insert(apart_table)
        .values(
            community_id=community,
            id=id,
            one_id=one,
            other_id=two,
            asked_by=by,
            words=words,
            since=now.at,
        )
        .on_conflict_do_nothing()
    )
    if done.rowcount == 1:
        await _note(conn, community, "apart.begun", id, by, now)
        await _end_buddies(conn, community, member, other, by, now)


async def _end_buddies(
    conn: AsyncConnection, community: UUID, one: UUID, other: UUID, by: UUID, now: Moment
) -> None:
    """Who is kept apart from somebody no longer records for them, nor reads their mail."""
    pair = (one, other)
    await conn.execute(
        update(buddies)
        .where(
            buddies.c.community_id == community,
            buddies.c.member_id.in_(pair),
            buddies.c.buddy_id.in_(pair),
            buddies.c.until.is_(None),
        )
        .values(until=now.at, ended_by=by)
    )


async def end(conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment) -> None:
    """They need not be kept apart any more: whoever asked says so, or a coordinator.

    For everybody else there is nothing of the kind (`NotFound`).
    """
    actor = await members.get(conn, community, by)
    query = select(apart_table).where(
        apart_table.c.community_id == community,
        apart_table.c.id == id,
        apart_table.c.until.is_(None),
    )
    row = (await conn.execute(query)).first()
    if row is None or not policy.may_end_apart(actor, row.asked_by, (row.one_id, row.other_id)):
        raise NotFound("apart")
    await conn.execute(
        update(apart_table)
        .where(apart_table.c.community_id == community, apart_table.c.id == id)
        .values(until=now.at, ended_by=by)
    )
    await _note(conn, community, "apart.ended", id, by, now)


async def apart(
    conn: AsyncConnection, community: UUID, pairs: Iterable[tuple[UUID, UUID]]
) -> set[Pair]:
    """Those of these pairs of members who are kept apart, in whichever order. One query.

    For everything that would bring two people together: entries, listings, gatherings.
    """
    wanted = {frozenset(pair) for pair in pairs if pair[0] != pair[1]}
    ids = {id for pair in wanted for id in pair}
    return await among(conn, community, ids) & wanted if wanted else set()


async def among(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> set[Pair]:
    """Every two of these members who are kept apart, however many they are. One query."""
    if len(set(ids)) < 2:
        return set()
    wanted = list(set(ids))
    query = select(apart_table.c.one_id, apart_table.c.other_id).where(
        apart_table.c.community_id == community,
        apart_table.c.one_id.in_(wanted),
        apart_table.c.other_id.in_(wanted),
        apart_table.c.until.is_(None),
    )
    return {frozenset((row.one_id, row.other_id)) for row in await conn.execute(query)}


async def from_whom(conn: AsyncConnection, community: UUID, member: UUID) -> frozenset[UUID]:
    """From whom this member is kept apart now."""
    rows = await conn.execute(others_of(community, member))
    return frozenset(row.id for row in rows)


def others_of(community: UUID, member: UUID) -> Select[tuple[UUID]]:
    """`from_whom` as a part of another query."""
    table = apart_table
    return select(_other_than(member).label("id")).where(
        table.c.community_id == community,
        or_(table.c.one_id == member, table.c.other_id == member),
        table.c.until.is_(None),
    )


async def of(
    conn: AsyncConnection, community: UUID, member: UUID, *, by: UUID, ended: bool = False
) -> list[Apart]:
    """From whom this member is kept apart, the newest first, as far as `by` may know of it.

    Coordinators see all of it, members what they asked for themselves, without the words of
    others. With `ended`, also what is over.
    """
    reader = await members.get(conn, community, by)
    query = _listed(community, member)
    if not policy.may_coordinate(reader):
        query = query.where(apart_table.c.asked_by == by)
    if not ended:
        query = query.where(apart_table.c.until.is_(None))
    return [
        Apart(
            row.id,
            row.other_id,
            row.other_name,
            row.asked_by,
            row.asker_name,
            row.words,
            row.since,
            row.until,
        )
        for row in await conn.execute(query)
    ]


def _listed(community: UUID, member: UUID) -> Select[Any]:
    table = apart_table
    return (
        select(
            table.c.id,
            _other_than(member).label("other_id"),
            _OTHER.c.name.label("other_name"),
            table.c.asked_by,
            _ASKER.c.name.label("asker_name"),
            table.c.words,
            table.c.since,
            table.c.until,
        )
        .join(
            _OTHER,
            and_(_OTHER.c.community_id == table.c.community_id, _OTHER.c.id == _other_than(member)),
        )
        .join(
            _ASKER,
            and_(_ASKER.c.community_id == table.c.community_id, _ASKER.c.id == table.c.asked_by),
        )
        .where(
            table.c.community_id == community,
            or_(table.c.one_id == member, table.c.other_id == member),
        )
        .order_by(table.c.since.desc(), table.c.id.desc())
    )


def _other_than(member: UUID) -> Any:
    table = apart_table
    return case((table.c.one_id == member, table.c.other_id), else_=table.c.one_id)


async def _note(
    conn: AsyncConnection, community: UUID, action: str, id: UUID, by: UUID, now: Moment
) -> None:
    """The subject is the row and not one of the two: each reads in the audit what concerns them."""
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="apart",
        subject=id,
        now=now,
    )
