"""Closing the list of a gathering, and opening it again: each step with who, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, Words
from timebank.members import members


class StepKind(StrEnum):
    """What can happen to a list."""

    CLOSED = "closed"
    OPENED = "opened"  # again, for a correction


attendance_steps = Table(  # append-only, but its words can be erased with a person
    "attendance_step",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("words", Words, nullable=False),  # why it was opened again
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    CheckConstraint("kind IN ('closed', 'opened')", name="kind"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a list, by whom, when (UTC) and in which words."""

    number: int
    kind: StepKind
    member_id: UUID
    name: str
    at: datetime
    words: str


async def steps(conn: AsyncConnection, community: UUID, gathering: UUID) -> list[Step]:
    """What happened to the list of a gathering, in order."""
    table = attendance_steps
    rows = await conn.execute(
        select(table, members.c.name)
        .join(
            members,
            and_(
                members.c.community_id == table.c.community_id,
                members.c.id == table.c.member_id,
            ),
        )
        .where(table.c.community_id == community, table.c.gathering_id == gathering)
        .order_by(table.c.number)
    )
    return [
        Step(row.number, StepKind(row.kind), row.member_id, row.name, row.at, row.words)
        for row in rows
    ]


def is_open(story: Sequence[Step]) -> bool:
    """Whether one may tick: nobody closed the list, or somebody opened it again."""
    return not story or story[-1].kind is StepKind.OPENED
