"""Checks: that somebody's references were asked for, or a safeguarding check seen, and when.

Only what was looked at, how it stands and on which day: never a document, a number or a word. Each
look is a row of its own, so that the story stays; the newest of a kind says how it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    UniqueConstraint,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Id, Instant, Words
from timebank import audit, caring, communities, members
from timebank.agreements import Terms
from timebank.errors import BadInput, NotFound
from timebank.later import beginning
from timebank.members import Member, Status
from timebank.moment import Moment

kinds = Table(
    "check_kind",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("name", Words, nullable=False),
    Column("position", Count, nullable=False),
    Column("retired_at", Instant),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    UniqueConstraint("community_id", "name"),
    CheckConstraint("name <> ''", name="named"),
    sqlite_strict=True,
)

checks = Table(
    "member_check",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("kind_id", Id, nullable=False),
    Column("status", Words, nullable=False),
    Column("checked_on", Day, nullable=False),
    Column("again_on", Day),  # when to look again
    Column("noted_by", Id, nullable=False),
    Column("noted_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "kind_id"], ["check_kind.community_id", "check_kind.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "noted_by"], ["member.community_id", "member.id"]),
    CheckConstraint("status IN ('asked', 'in_order', 'not_in_order')", name="status"),
    CheckConstraint("again_on IS NULL OR again_on >= checked_on", name="days"),
    Index("ix_member_check_member", "community_id", "member_id"),
    Index("ix_member_check_again", "community_id", "again_on"),
    sqlite_strict=True,
)

_NEWER = checks.alias("newer")

FIRST: Mapping[str, tuple[str, ...]] = {
    "en": ("References", "Safeguarding check"),
    "es": ("Referencias", "Certificado de protección"),
}
"""The kinds of check a community begins with, by its language."""


class Standing(StrEnum):
    """How a check stands."""

    ASKED = "asked"  # asked for, and not here yet
    IN_ORDER = "in_order"
    NOT_IN_ORDER = "not_in_order"


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one thing. `again_on` is the day to look again, if there is one."""

    id: UUID
    kind_id: UUID
    kind: str
    standing: Standing
    checked_on: date
    again_on: date | None
    noted_by: str
    noted_at: datetime


async def note(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    *,
    kind: UUID,
    standing: Standing,
    checked_on: date,
    again_on: date | None = None,
    by: UUID,
    now: Moment,
) -> None:
    """Write down how a check stands. For those who care for the member (`Forbidden`).

    Refuses a kind that is not in use (`NotFound`), and days that cannot be (`BadInput`).
    """
    await caring.carer(conn, community, member, by)
    in_use = select(kinds.c.id).where(
        kinds.c.community_id == community, kinds.c.id == kind, kinds.c.retired_at.is_(None)
    )
    if (await conn.execute(in_use)).first() is None:
        raise NotFound("check")
    here = await communities.by_id(conn, community)
    if checked_on > now.day_in(here.timezone):
        raise BadInput("checked_on", "day_ahead")
    if again_on is not None and again_on < checked_on:
        raise BadInput("again_on", "before_the_first")
    id = now.new_id()
    await conn.execute(
        insert(checks).values(
            community_id=community,
            id=id,
            member_id=member,
            kind_id=kind,
            status=standing.value,
            checked_on=checked_on,
            again_on=again_on,
            noted_by=by,
            noted_at=now.at,
        )
    )
    await audit.write(
        conn,
        community,
        actor=by,
        action="care.checked",
        subject_kind="member",
        subject=member,
        facts={"check": str(id)},
        now=now,
    )


async def of(conn: AsyncConnection, community: UUID, member: UUID) -> list[Check]:
    """Every look at this member's checks, the newest first."""
    found = await of_many(conn, community, [member])
    return found[0][1] if found else []


async def of_many(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> list[tuple[Member, list[Check]]]:
    """These members, each with every look at their checks, the newest first; not who has none."""
    table, noter = members.members, members.members.alias("noter")
    rows = await conn.execute(
        select(
            *(table.c[name] for name in members.COLUMNS),
            checks.c.id.label("check_id"),
            checks.c.kind_id,
            kinds.c.name.label("check_kind"),
            checks.c.status.label("standing"),
            checks.c.checked_on,
            checks.c.again_on,
            noter.c.name.label("noted_by"),
            checks.c.noted_at,
        )
        .select_from(checks)
        .join(
            kinds,
            and_(kinds.c.community_id == checks.c.community_id, kinds.c.id == checks.c.kind_id),
        )
        .join(
            table,
            and_(table.c.community_id == checks.c.community_id, table.c.id == checks.c.member_id),
        )
        .join(
            noter,
            and_(noter.c.community_id == checks.c.community_id, noter.c.id == checks.c.noted_by),
        )
        .where(checks.c.community_id == community, checks.c.member_id.in_(set(ids)))
        .order_by(checks.c.noted_at.desc(), checks.c.id.desc())
    )
    found: dict[Member, list[Check]] = {}
    for row in rows:
        check = Check(
            row.check_id,
            row.kind_id,
            row.check_kind,
            Standing(row.standing),
            row.checked_on,
            row.again_on,
            row.noted_by,
            row.noted_at,
        )
        found.setdefault(members.as_member(row), []).append(check)
    return list(found.items())


def latest(found: list[Check]) -> list[Check]:
    """The newest look of each kind, in the order given."""
    seen: dict[UUID, Check] = {}
    for one in found:
        seen.setdefault(one.kind_id, one)
    return list(seen.values())


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Checks whose day to look again has come: (the member's id, since that day).

    Only the newest of a kind counts, and only members who are here. A member with several stands
    there once.
    """
    del terms  # no agreement says anything about it
    newer, table = _NEWER, members.members
    superseded = exists().where(
        newer.c.community_id == checks.c.community_id,
        newer.c.member_id == checks.c.member_id,
        newer.c.kind_id == checks.c.kind_id,
        or_(
            newer.c.noted_at > checks.c.noted_at,
            and_(newer.c.noted_at == checks.c.noted_at, newer.c.id > checks.c.id),
        ),
    )
    return (
        select(
            checks.c.member_id.label("id"), func.min(beginning(checks.c.again_on)).label("since")
        )
        .join(
            table,
            and_(table.c.community_id == checks.c.community_id, table.c.id == checks.c.member_id),
        )
        .where(
            checks.c.community_id == community,
            checks.c.again_on <= now.at.date(),
            table.c.status.in_([Status.ACTIVE.value, Status.PAUSED.value]),
            ~superseded,
        )
        .group_by(checks.c.member_id)
    )
