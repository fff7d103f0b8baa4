"""What a coordinator just did in the inbox, so that it can be undone for as long as the day lasts.

A deed has the id that came with the form, so that a double click is one deed. How it is undone is
in `timebank.inbox.undoing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, MinutesType, Words
from timebank.errors import NotFound
from timebank.inbox.source import Thing, Why
from timebank.moment import Moment


class DeedKind(StrEnum):
    """What was done."""

    APPROVED = "approved"
    RETURNED = "returned"
    WELCOMED = "welcomed"
    PUT_ASIDE = "put_aside"
    TAKEN = "taken"

    @property
    def can_be_undone(self) -> bool:
        """Whether we know a way back. Who was welcomed is a member, and leaves like one."""
        return self is not DeedKind.WELCOMED


deeds = Table(
    "deed",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("undone_at", Instant),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    CheckConstraint(
        "kind IN ('approved', 'returned', 'welcomed', 'put_aside', 'taken')", name="kind"
    ),
    Index("ix_deed_member", "community_id", "member_id", "at"),
    sqlite_strict=True,
)

deed_items = Table(
    "deed_item",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("deed_id", Id, primary_key=True),
    Column("position", Count, primary_key=True),
    Column("why", Words, nullable=False),
    Column("thing_id", Id, nullable=False),
    Column("minutes", MinutesType, nullable=False),  # of an entry; else 0
    Column("before", Words, nullable=False),  # what undoing goes back to: a state, or a note's id
    ForeignKeyConstraint(["community_id", "deed_id"], ["deed.community_id", "deed.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a deed, and what it goes back to when it is undone."""

    thing: Thing
    minutes: Minutes = ZERO
    before: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did at once: to how many things, entries of so many minutes, and when (UTC)."""

    id: UUID
    kind: DeedKind
    member_id: UUID
    at: datetime
    undone_at: datetime | None
    count: int
    minutes: Minutes

    @property
    def can_be_undone(self) -> bool:
        """Whether there is a way back that nobody has gone yet."""
        return self.kind.can_be_undone and self.undone_at is None


async def keep(
    conn: AsyncConnection,
    community: UUID,
    kind: DeedKind,
    items: Sequence[Item],
    *,
    id: UUID,
    by: UUID,
    now: Moment,
) -> None:
    """Note what was done; twice under one id is once, and nothing done is no deed."""
    if not items:
        return
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    row = {
        "community_id": community,
        "id": id,
        "kind": kind.value,
        "member_id": by,
        "at": now.at,
    }
    done = await conn.execute(dialect.insert(deeds).values(**row).on_conflict_do_nothing())
    if done.rowcount != 1:
        return
    await conn.execute(
        insert(deed_items),
        [
            {
                "community_id": community,
                "deed_id": id,
                "position": position,
                "why": item.thing.why.value,
                "thing_id": item.thing.id,
                "minutes": item.minutes,
                "before": item.before,
            }
            for position, item in enumerate(items, start=1)
        ],
    )


async def get(conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID) -> Deed:
    """A deed of one's own, or `NotFound`."""
    found = await _read(conn, community, by, deeds.c.id == id, limit=1)
    if not found:
        raise NotFound("deed")
    return found[0]


async def since(
    conn: AsyncConnection, community: UUID, begun: datetime, *, by: UUID, limit: int = 100
) -> list[Deed]:
    """One's own deeds since a moment (UTC), the newest first."""
    return await _read(conn, community, by, deeds.c.at >= begun, limit=limit)


async def items_of(conn: AsyncConnection, community: UUID, id: UUID) -> list[Item]:
    """The things of a deed, in their order."""
    rows = await conn.execute(
        select(deed_items)
        .where(deed_items.c.community_id == community, deed_items.c.deed_id == id)
        .order_by(deed_items.c.position)
    )
    return [Item(Thing(Why(row.why), row.thing_id), row.minutes, row.before) for row in rows]


async def mark_undone(conn: AsyncConnection, community: UUID, id: UUID, *, now: Moment) -> None:
    """All of it was undone."""
    await conn.execute(
        update(deeds)
        .where(deeds.c.community_id == community, deeds.c.id == id, deeds.c.undone_at.is_(None))
        .values(undone_at=now.at)
    )


async def _read(
    conn: AsyncConnection, community: UUID, by: UUID, which: Any, *, limit: int
) -> list[Deed]:
    own = (deed_items.c.community_id == deeds.c.community_id, deed_items.c.deed_id == deeds.c.id)
    rows = await conn.execute(
        select(
            deeds,
            select(func.count()).where(*own).scalar_subquery().label("number"),
            select(func.sum(deed_items.c.minutes)).where(*own).scalar_subquery().label("minutes"),
        )
        .where(deeds.c.community_id == community, deeds.c.member_id == by, which)
        .order_by(deeds.c.at.desc(), deeds.c.id.desc())
        .limit(limit)
    )
    return [
        Deed(
            row.id,
            DeedKind(row.kind),
            row.member_id,
            row.at,
            row.undone_at,
            row.number,
            row.minutes or ZERO,
        )
        for row in rows
    ]
