"""Stories: what somebody says after a gathering, and what may be done with it. Theirs throughout.

Two questions, never required: what was useful, and what might you do? Each use of an answer has a
consent of its own, which its teller takes back whenever they like.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Flag, Id, Instant, Words

stories = Table(
    "story",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("seat_id", Id, primary_key=True),  # whose story it is
    Column("useful", Words, nullable=False),
    Column("might", Words, nullable=False),
    Column("in_memory", Flag, nullable=False),  # members may read it on the gathering's page
    Column("in_reports", Flag, nullable=False),  # in reports and evidence packs
    Column("named", Flag, nullable=False),  # with their name, wherever it may stand
    Column("written_by", Id, nullable=False),  # themselves, or who wrote down what they said
    Column("written_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "seat_id"], ["seat.community_id", "seat.id"]),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    Index("ix_story_when", "community_id", "written_at"),
    sqlite_strict=True,
)


async def pass_on(
    conn: AsyncConnection, community: UUID, gathering: UUID, old: UUID, new: UUID
) -> None:
    """A name turned out to be somebody who has a place: their story goes with them."""
    own = select(stories.c.seat_id).where(
        stories.c.community_id == community, stories.c.seat_id == new
    )
    await conn.execute(
        update(stories)
        .where(
            stories.c.community_id == community,
            stories.c.gathering_id == gathering,
            stories.c.seat_id == old,
            ~own.exists(),
        )
        .values(seat_id=new)
    )


async def forget(conn: AsyncConnection, community: UUID, seats: Collection[UUID]) -> None:
    """Forget what was told from these places."""
    await conn.execute(
        delete(stories).where(stories.c.community_id == community, stories.c.seat_id.in_(seats))
    )
