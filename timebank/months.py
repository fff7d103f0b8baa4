"""Months: open until a coordinator closes them, and then reported as they were, for good.

    open ─► closed ⇄ reopening          a steward asks to open it again, another one agrees
     ▲                   │
     └───────────────────┘

On the closing day that the agreement names, a month comes due. What is posted afterwards with a day
of a closed month is counted in an open one (`periods.counted_on`). Each closing keeps a report that
never changes; a month that was opened again gets another one. Closing is in `timebank.closing`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Select,
    Table,
    UniqueConstraint,
    and_,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Hash, Id, Instant, Words
from timebank.agreements import Terms
from timebank.entries import entries
from timebank.errors import NotFound
from timebank.members import members
from timebank.moment import Moment
from timebank.periods import Month


class State(StrEnum):
    """Where a month stands."""

    OPEN = "open"
    CLOSED = "closed"
    REOPENING = "reopening"  # closed, and a steward asked to open it again


class StepKind(StrEnum):
    """What can happen to a month; each is kept with who and when."""

    DUE = "due"  # its closing day came
    CLOSED = "closed"
    ASKED = "asked"  # a steward asks to open it again
    REOPENED = "reopened"  # another one agrees
    KEPT = "kept"  # it stays closed after all


months = Table(  # those that came due or were closed; every other month is open
    "month",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("first_day", Day, nullable=False),
    Column("state", Words, nullable=False),
    Column("closings", Count, nullable=False),  # how often it was closed
    Column("due_at", Instant),  # NULL: closed before anybody was reminded
    Column("touched_at", Instant, nullable=False),  # the last step
    Column("asked_by", Id),  # who asks to open it again
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "asked_by"], ["member.community_id", "member.id"]),
    UniqueConstraint("community_id", "first_day"),
    CheckConstraint("state IN ('open', 'closed', 'reopening')", name="state"),
    sqlite_strict=True,
)

closings = Table(  # append-only: what was reported when a month was closed
    "closing",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("month_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),  # 1, and a higher one each time it is closed again
    Column("closed_by", Id, nullable=False),
    Column("closed_at", Instant, nullable=False),
    Column("seq", Count, nullable=False),  # where the journal ended, and its hash there
    Column("hash", Hash, nullable=False),
    Column("report", Words, nullable=False),  # JSON with sorted keys and no spaces; names no person
    Column("digest", Hash, nullable=False),  # SHA-256 of it
    ForeignKeyConstraint(["community_id", "closed_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "month_id"], ["month.community_id", "month.id"]),
    CheckConstraint("number > 0", name="number"),
    sqlite_strict=True,
)

steps = Table(  # the story of a month; append-only, but its words can be erased with a person
    "month_step",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("month_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("member_id", Id),  # NULL: the calendar
    Column("at", Instant, nullable=False),
    Column("words", Words, nullable=False),
    Column("seq", Count, nullable=False),  # where the journal ended
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "month_id"], ["month.community_id", "month.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a month stands: `closings` is how often it was closed, `asked_by` who wants it open."""

    id: UUID
    month: Month
    state: State
    closings: int
    due_at: datetime | None
    touched_at: datetime | None
    asked_by: UUID | None

    @property
    def is_open(self) -> bool:
        """Whether what is posted now with a day of it is counted in it."""
        return self.state is State.OPEN


@dataclass(frozen=True, slots=True)
class Closing:
    """One closing: by whom and when (UTC), where the journal ended, and the report as text."""

    month: Month
    number: int
    closed_by: UUID
    closed_by_name: str
    closed_at: datetime
    seq: int
    hash: bytes
    report: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a month. Without a name it was the calendar."""

    kind: StepKind
    member_id: UUID | None
    name: str | None
    at: datetime
    words: str


def id_of(community: UUID, month: Month) -> UUID:
    """The id of a community's month: always the same."""
    return uuid5(community, f"month {month}")


async def closed(conn: AsyncConnection, community: UUID) -> frozenset[Month]:
    """The months that are closed now. Whoever posts asks under the lock of the journal's head."""
    rows = await conn.execute(
        select(months.c.first_day).where(
            months.c.community_id == community, months.c.state != State.OPEN.value
        )
    )
    return frozenset(Month.of(row.first_day) for row in rows)


async def standing(conn: AsyncConnection, community: UUID, month: Month) -> Standing:
    """How a month stands; open, if nothing happened to it so far."""
    found = await _read(conn, community, months.c.first_day == month.first)
    return found[0] if found else _untouched(community, month)


async def between(
    conn: AsyncConnection, community: UUID, first: Month, last: Month
) -> list[Standing]:
    """How each of these months stands, the latest first."""
    within = months.c.first_day.between(first.first, last.first)
    known = {one.month: one for one in await _read(conn, community, within)}
    found = []
    while last >= first:
        found.append(known.get(last) or _untouched(community, last))
        last = last.previous
    return found


async def first_counted(conn: AsyncConnection, community: UUID) -> date | None:
    """The earliest day for which hours are reported; None while there are none."""
    found: date | None = await conn.scalar(
        select(func.min(entries.c.counted_on)).where(entries.c.community_id == community)
    )
    return found


async def closing(
    conn: AsyncConnection, community: UUID, month: Month, number: int | None = None
) -> Closing:
    """One closing of a month, the latest if no number is given; `NotFound` if there is none."""
    query = (
        select(closings, members.c.name)
        .join(
            members,
            and_(
                members.c.community_id == closings.c.community_id,
                members.c.id == closings.c.closed_by,
            ),
        )
        .where(closings.c.community_id == community, closings.c.month_id == id_of(community, month))
        .order_by(closings.c.number.desc())
        .limit(1)
    )
    if number is not None:
        query = query.where(closings.c.number == number)
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("report")
    return Closing(
        month,
        row.number,
        row.closed_by,
        row.name,
        row.closed_at,
        row.seq,
        row.hash,
        row.report,
        row.digest,
    )


async def story(conn: AsyncConnection, community: UUID, month: Month) -> list[Step]:
    """What happened to a month, in order."""
    rows = await conn.execute(
        select(steps, members.c.name)
        .outerjoin(
            members,
            and_(members.c.community_id == steps.c.community_id, members.c.id == steps.c.member_id),
        )
        .where(steps.c.community_id == community, steps.c.month_id == id_of(community, month))
        .order_by(steps.c.number)
    )
    return [Step(StepKind(row.kind), row.member_id, row.name, row.at, row.words) for row in rows]


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:  # noqa: ARG001
    """Months that wait for a coordinator, with the moment since when: rows of `(id, since)`.

    Either their closing day came, or a steward asked to open them again and another one is needed.
    """
    due = and_(months.c.state == State.OPEN.value, months.c.due_at.is_not(None))
    return select(
        months.c.id,
        case((due, months.c.due_at), else_=months.c.touched_at).label("since"),
    ).where(months.c.community_id == community, or_(due, months.c.state == State.REOPENING.value))


async def several(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, Standing]:
    """The months with these ids, for a list that shows what waits."""
    found = await _read(conn, community, months.c.id.in_(ids))
    return {one.id: one for one in found}


async def _read(conn: AsyncConnection, community: UUID, which: Any) -> list[Standing]:
    rows = await conn.execute(select(months).where(months.c.community_id == community, which))
    return [
        Standing(
            row.id,
            Month.of(row.first_day),
            State(row.state),
            row.closings,
            row.due_at,
            row.touched_at,
            row.asked_by,
        )
        for row in rows
    ]


def _untouched(community: UUID, month: Month) -> Standing:
    return Standing(id_of(community, month), month, State.OPEN, 0, None, None, None)


def closes_on(terms: Terms, month: Month) -> date | None:
    """The first day on which a month may be closed; None while the agreement names no such day."""
    return None if terms.closing_day is None else month.next.day(terms.closing_day)
