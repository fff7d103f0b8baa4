"""Stays: that somebody was, or is to be, asked whether they stay; and what they said.

Who is asked, and what happens without an answer, is in `timebank.retention`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    exists,
    false,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Id, Instant, Words
from timebank import members
from timebank.agreements import Terms
from timebank.moment import Moment
from timebank.outbox import outbox

ANSWER_WITHIN = timedelta(days=60)
"""So long somebody who was asked has to answer."""
WARN_BEFORE = timedelta(days=14)
"""So long before they are forgotten, coordinators see it."""

stays = Table(
    "stay",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("found_at", Instant, nullable=False),  # no sign for so long, it was seen then
    Column("asked_at", Instant),  # NULL: nobody has asked yet, because there is no address
    Column("asked_by", Id),  # a coordinator; NULL: by mail
    Column("reminded_at", Instant),
    Column("answer", Words),  # NULL: none so far
    Column("answered_at", Instant),
    Column("noted_by", Id),  # who wrote the answer down; NULL: they said it themselves
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "asked_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "noted_by"], ["member.community_id", "member.id"]),
    CheckConstraint("answer IN ('stays', 'goes', 'sign')", name="answer"),
    Index(
        "uq_stay_open",
        "community_id",
        "member_id",
        unique=True,
        sqlite_where=text("answered_at IS NULL"),
        postgresql_where=text("answered_at IS NULL"),
    ),
    Index("ix_stay_open", "community_id", "answered_at", "asked_at"),
    sqlite_strict=True,
)


class Answer(StrEnum):
    """How it ended."""

    STAYS = "stays"
    GOES = "goes"
    SIGN = "sign"  # they signed in, or took part in something, and so need not answer


@dataclass(frozen=True, slots=True)
class Stay:
    """One question whether somebody stays, which waits for an answer.

    `asked_at` is None while nobody has asked. `forgotten_on` is the day (UTC) after which they are
    forgotten without an answer.
    """

    id: UUID
    member_id: UUID
    found_at: datetime
    asked_at: datetime | None
    asked_by: str | None

    @property
    def forgotten_on(self) -> date | None:
        return (self.asked_at + ANSWER_WITHIN).date() if self.asked_at else None


async def open_question(conn: AsyncConnection, community: UUID, member: UUID) -> Stay | None:
    """The question that waits for this member's answer, if there is one."""
    by = members.members.alias("asker")
    query = (
        select(stays, by.c.name.label("asker"))
        .outerjoin(by, and_(by.c.community_id == stays.c.community_id, by.c.id == stays.c.asked_by))
        .where(
            stays.c.community_id == community,
            stays.c.member_id == member,
            stays.c.answered_at.is_(None),
        )
    )
    row = (await conn.execute(query)).first()
    if row is None:
        return None
    return Stay(row.id, row.member_id, row.found_at, row.asked_at, row.asker)


def waits_to_ask(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Whom a coordinator has to ask, because no mail reaches them: (member's id, since when)."""
    del now
    return select(stays.c.member_id.label("id"), stays.c.found_at.label("since")).where(
        stays.c.community_id == community,
        stays.c.answered_at.is_(None),
        or_(
            stays.c.asked_at.is_(None),
            and_(stays.c.asked_by.is_(None), letter_was(outbox.c.dead_at)),
        ),
        _in_force(terms),
    )


def waits_to_forget(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Who is about to be forgotten without an answer: (the member's id, since when asked).

    Not whom no mail reached: nobody is forgotten who was not asked.
    """
    return select(stays.c.member_id.label("id"), stays.c.asked_at.label("since")).where(
        stays.c.community_id == community,
        stays.c.answered_at.is_(None),
        stays.c.asked_at <= now.at - ANSWER_WITHIN + WARN_BEFORE,
        was_asked(),
        _in_force(terms),
    )


def was_asked() -> ColumnElement[bool]:
    """Whether somebody asked, or a mail that asks has left."""
    return or_(stays.c.asked_by.is_not(None), letter_was(outbox.c.sent_at))


def _in_force(terms: Terms) -> ColumnElement[bool]:
    """Nothing waits under an agreement that keeps people for good."""
    return true() if terms.retention_months is not None else false()


def letter_was(happened: Any) -> ColumnElement[bool]:
    """What became of the mail that asked: it carries the id of the question."""
    return exists().where(outbox.c.id == stays.c.id, happened.is_not(None))
