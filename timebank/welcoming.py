"""Welcoming: what a community wants to have done with everyone who is new, ticked off one by one.

The list is the community's own. A step asks about those who came after it was put on the list, so
that a new one does not make newcomers of old members.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Select,
    Table,
    UniqueConstraint,
    and_,
    delete,
    exists,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, Words
from timebank import audit, caring, keeping_apart, members, policy
from timebank.agreements import Terms
from timebank.errors import Forbidden, NotFound
from timebank.imports import files
from timebank.members import Member, MemberKind, Role, Status
from timebank.moment import Moment

PATIENCE = timedelta(days=14)
"""After so long a newcomer whose list is not done waits in the inbox."""
NEW_FOR = timedelta(days=365)
"""So long somebody is new; whoever was here for a year is no newcomer, whatever was not ticked."""

steps = Table(
    "welcome_step",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("name", Words, nullable=False),
    Column("position", Count, nullable=False),
    Column("added_at", Instant, nullable=False),  # asks about those who came later
    Column("retired_at", Instant),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    UniqueConstraint("community_id", "name"),
    CheckConstraint("name <> ''", name="named"),
    sqlite_strict=True,
)

ticks = Table(
    "welcome_tick",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("step_id", Id, primary_key=True),
    Column("ticked_by", Id, nullable=False),
    Column("ticked_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(
        ["community_id", "step_id"], ["welcome_step.community_id", "welcome_step.id"]
    ),
    ForeignKeyConstraint(["community_id", "ticked_by"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)

FIRST: Mapping[str, tuple[str, ...]] = {
    "en": (
        "We met, in person or on the telephone",
        "They know how giving and receiving works here",
        "We wrote down something they offer and something they would like",
        "They know somebody else here by name",
    ),
    "es": (
        "Nos conocimos, en persona o por teléfono",
        "Sabe cómo funciona aquí dar y recibir",
        "Apuntamos algo que ofrece y algo que le gustaría",
        "Conoce por su nombre a alguien más de aquí",
    ),
}
"""The steps a community begins with, by its language."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One step for one person: done by whom and when, or not yet."""

    step_id: UUID
    name: str
    ticked_by: str | None
    ticked_at: datetime | None

    @property
    def done(self) -> bool:
        return self.ticked_at is not None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody new, when they came, and how far their list is."""

    member: Member
    came_at: datetime
    done: int
    of: int


async def of(conn: AsyncConnection, community: UUID, member: UUID) -> list[Tick]:
    """The list for one member: the steps that ask about them, and those ticked before."""
    found = await of_many(conn, community, [member])
    return found[0][1] if found else []


async def of_many(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> list[tuple[Member, list[Tick]]]:
    """These members, each with their list; not who has none."""
    table, by = members.members, members.members.alias("by")
    rows = await conn.execute(
        select(
            *(table.c[name] for name in members.COLUMNS),
            steps.c.id.label("step_id"),
            steps.c.name.label("step"),
            ticks.c.ticked_at,
            by.c.name.label("ticked_by"),
        )
        .join(table, and_(table.c.community_id == steps.c.community_id, table.c.id.in_(set(ids))))
        .outerjoin(ticks, _is_tick(table.c.id))
        .outerjoin(
            by, and_(by.c.community_id == ticks.c.community_id, by.c.id == ticks.c.ticked_by)
        )
        .where(
            steps.c.community_id == community,
            ticks.c.ticked_at.is_not(None) | _asks_about(table),
        )
        .order_by(steps.c.position, steps.c.name)
    )
    found: dict[Member, list[Tick]] = {}
    for row in rows:
        tick = Tick(row.step_id, row.step, row.ticked_by, row.ticked_at)
        found.setdefault(members.as_member(row), []).append(tick)
    return list(found.items())


async def tick(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    done: Collection[UUID],
    *,
    by: UUID,
    now: Moment,
) -> None:
    """These steps are done for this member, and no others; says who cares for them (`Forbidden`).

    What was ticked before keeps who ticked it and when. A step that does not ask about this member
    is `NotFound`.
    """
    await caring.carer(conn, community, member, by)
    known = {one.step_id: one for one in await of(conn, community, member)}
    if set(done) - set(known):
        raise NotFound("step")
    added = [id for id in known if id in done and not known[id].done]
    removed = [id for id in known if id not in done and known[id].done]
    if not added and not removed:
        return
    await _put(conn, community, [(member, step) for step in added], by, now)
    await conn.execute(
        delete(ticks).where(
            ticks.c.community_id == community,
            ticks.c.member_id == member,
            ticks.c.step_id.in_(removed),
        )
    )
    await _note(conn, community, member, len(added), len(removed), by, now)


async def tick_all(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], *, by: UUID, now: Moment
) -> int:
    """Everything on the list is done for these members: for how many of them something was open.

    Coordinators only (`Forbidden`). Whom they do not care for is left out.
    """
    if not policy.may_coordinate(await members.get(conn, community, by)):
        raise Forbidden("welcome")
    cared_for = set(ids) - {by} - await keeping_apart.from_whom(conn, community, by)
    table = members.members
    rows = await conn.execute(
        select(table.c.id, steps.c.id.label("step_id"))
        .join(steps, steps.c.community_id == table.c.community_id)
        .where(table.c.community_id == community, table.c.id.in_(cared_for), _open_for(table))
    )
    open_: dict[UUID, list[UUID]] = {}
    for row in rows:
        open_.setdefault(row.id, []).append(row.step_id)
    pairs = [(member, step) for member, missing in open_.items() for step in missing]
    await _put(conn, community, pairs, by, now)
    for member, missing in open_.items():
        await _note(conn, community, member, len(missing), 0, by, now)
    return len(open_)


async def newcomers(conn: AsyncConnection, community: UUID, *, limit: int = 200) -> list[Newcomer]:
    """Members whose list is not done, those who came first at the top."""
    table = members.members
    columns = [table.c[name] for name in members.COLUMNS]
    query = (
        select(*columns, table.c.joined_at, func.count(ticks.c.step_id), func.count())
        .join(steps, and_(steps.c.community_id == table.c.community_id, _asks_about(table)))
        .outerjoin(ticks, _is_tick(table.c.id))
        .where(table.c.community_id == community, *_are_new(community))
        .group_by(*columns, table.c.joined_at)
        .having(func.count(ticks.c.step_id) < func.count())
        .order_by(table.c.joined_at, table.c.id)
        .limit(limit)
    )
    return [
        Newcomer(members.as_member(row), row.joined_at, row[-2], row[-1])
        for row in await conn.execute(query)
    ]


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Newcomers whose list is not done after `PATIENCE`: (member's id, since when here).

    Not of longer ago than `NEW_FOR`.
    """
    del terms  # no agreement says anything about it
    table = members.members
    missing = exists().where(steps.c.community_id == table.c.community_id, _open_for(table))
    return select(table.c.id, table.c.joined_at.label("since")).where(
        table.c.community_id == community,
        *_are_new(community),
        table.c.joined_at <= now.at - PATIENCE,
        table.c.joined_at > now.at - NEW_FOR,
        missing,
    )


def _are_new(community: UUID) -> Iterable[ColumnElement[bool]]:
    """Who can be a newcomer at all: people who were welcomed, and do not welcome others.

    Whom a list from before brought in is known here, unless the list says since when and it is not
    long: the day they joined is then another one than the day the file came.
    """
    table = members.members
    # Found once for all of them, and not for each member again.
    listed = select(files.made.c.thing_id).where(
        files.made.c.community_id == community, files.made.c.kind == "member"
    )
    return (
        table.c.status == Status.ACTIVE.value,
        table.c.role == Role.MEMBER.value,
        table.c.kind == MemberKind.PERSON.value,
        table.c.joined_at.is_not(None),
        (table.c.joined_at != table.c.applied_at) | table.c.id.not_in(listed),
    )


def _asks_about(table: Any) -> ColumnElement[bool]:
    """Whether a step is in use and somebody came after it was put on the list."""
    came: ColumnElement[bool] = func.coalesce(table.c.joined_at, table.c.applied_at)
    return and_(steps.c.retired_at.is_(None), steps.c.added_at <= came)


def _open_for(table: Any) -> ColumnElement[bool]:
    """Whether a step asks about somebody and is not ticked."""
    ticked = exists(
        select(ticks.c.step_id)
        .where(
            ticks.c.community_id == steps.c.community_id,
            ticks.c.member_id == table.c.id,
            ticks.c.step_id == steps.c.id,
        )
        .correlate_except(ticks)  # by itself it would ask whether anybody's is ticked
    )
    return and_(_asks_about(table), ~ticked)


def _is_tick(member: Any) -> ColumnElement[bool]:
    return and_(
        ticks.c.community_id == steps.c.community_id,
        ticks.c.step_id == steps.c.id,
        ticks.c.member_id == member,
    )


async def _put(
    conn: AsyncConnection,
    community: UUID,
    pairs: Collection[tuple[UUID, UUID]],
    by: UUID,
    now: Moment,
) -> None:
    """Tick; what somebody else ticked at the same moment stays theirs."""
    if not pairs:
        return
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    rows = [
        {
            "community_id": community,
            "member_id": member,
            "step_id": step,
            "ticked_by": by,
            "ticked_at": now.at,
        }
        for member, step in pairs
    ]
    await conn.execute(dialect.insert(ticks).values(rows).on_conflict_do_nothing())


async def _note(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    added: int,
    removed: int,
    by: UUID,
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action="care.welcomed",
        subject_kind="member",
        subject=member,
        facts={"ticked": added, "taken_back": removed},
        now=now,
    )
