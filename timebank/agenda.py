"""What is coming: gatherings for lists, months, home and feeds, as one member may see them.

Each reading asks the database a fixed number of times, however many gatherings there are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import policy
from timebank.acting import Actor
from timebank.gathering import CARRIED, is_member
from timebank.gatherings import (
    Answer,
    DutyState,
    Openness,
    State,
    duties,
    formats,
    gathering_roles,
    gatherings,
    hosts,
    invited_organisations,
    seats,
)
from timebank.members import members
from timebank.plan import LONGEST

_CARRIED = [state.value for state in CARRIED]
JUST_OVER = timedelta(hours=6)
"""For so long after its end a gathering still stands among what is coming."""
_LONGEST = timedelta(minutes=LONGEST.count) + JUST_OVER  # so that the index on starts_at finds them


@dataclass(frozen=True, slots=True)
class FreeRole:
    """A role for which somebody is still missing."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """One gathering in a list. `answer`, `waiting` and `roles` are the reader's own.

    `asked` are roles the reader was asked to carry and has not answered about.
    """

    id: UUID
    series_id: UUID | None
    occurs_on: date | None
    title: str
    purpose: str
    place: str
    link: str
    area: str
    format: str
    starts_at: datetime
    ends_at: datetime
    state: State
    openness: Openness
    capacity: int | None
    revision: int
    touched_at: datetime
    coming: int
    free: tuple[FreeRole, ...]
    answer: Answer | None
    waiting: bool
    roles: tuple[FreeRole, ...]
    asked: tuple[FreeRole, ...]
    hosts: tuple[str, ...]

    @property
    def is_full(self) -> bool:
        """Whether the next one who says yes has to wait."""
        return self.capacity is not None and self.coming >= self.capacity


@dataclass(frozen=True, slots=True)
class Choice:
    """Which gatherings a list shows. `mine`: those the reader has to do with.

    `host_id` is an organisation that hosts them.
    """

    mine: bool = False
    area: str = ""
    format_id: UUID | None = None
    host_id: UUID | None = None


ALL = Choice()


async def coming(
    conn: AsyncConnection,
    actor: Actor,
    *,
    now: datetime,
    choice: Choice = ALL,
    limit: int = 50,
) -> list[Line]:
    """What is coming, what is going on, and what has just ended; the first one first."""
    table = gatherings
    wanted = [table.c.ends_at > now - JUST_OVER, table.c.starts_at > now - _LONGEST]
    return await _lines(conn, actor, choice, wanted, [table.c.starts_at, table.c.id], limit)


async def between(
    conn: AsyncConnection,
    actor: Actor,
    start: datetime,
    end: datetime,
    *,
    choice: Choice = ALL,
    limit: int = 500,
) -> list[Line]:
    """Those that begin from `start` on and before `end`, in their order."""
    table = gatherings
    wanted = [table.c.starts_at >= start, table.c.starts_at < end]
    return await _lines(conn, actor, choice, wanted, [table.c.starts_at, table.c.id], limit)


async def past(
    conn: AsyncConnection,
    actor: Actor,
    *,
    before: datetime,
    choice: Choice = ALL,
    limit: int = 50,
) -> list[Line]:
    """Those that have begun before a moment, the latest first."""
    table = gatherings
    wanted = [table.c.starts_at < before]
    order = [table.c.starts_at.desc(), table.c.id.desc()]
    return await _lines(conn, actor, choice, wanted, order, limit)


async def next_one(conn: AsyncConnection, actor: Actor, *, now: datetime) -> Line | None:
    """The next gathering that takes place, for a home page: not how many come, nor who hosts."""
    wanted = [
        gatherings.c.ends_at > now,
        gatherings.c.starts_at > now - _LONGEST,
        gatherings.c.state == State.PLANNED.value,
    ]
    order = [gatherings.c.starts_at, gatherings.c.id]
    found = await _lines(conn, actor, ALL, wanted, order, 1, brief=True)
    return found[0] if found else None


async def several(conn: AsyncConnection, actor: Actor, ids: Collection[UUID]) -> list[Line]:
    """These gatherings, as far as the reader may see them, in their order: for an inbox."""
    order = [gatherings.c.starts_at, gatherings.c.id]
    return await _lines(conn, actor, ALL, [gatherings.c.id.in_(ids)], order, len(ids))


async def public(
    conn: AsyncConnection, community: UUID, *, after: datetime, limit: int = 100
) -> list[Line]:
    """What everybody may know of: public gatherings that end after a moment."""
    wanted = [
        gatherings.c.ends_at > after,
        gatherings.c.starts_at > after - _LONGEST,
        gatherings.c.openness == Openness.PUBLIC.value,
    ]
    order = [gatherings.c.starts_at, gatherings.c.id]
    return await _read(conn, community, None, [*wanted, *_shown()], order, limit)


async def areas(conn: AsyncConnection, community: UUID, *, after: datetime) -> list[str]:
    """The areas in which something takes place after a moment, to choose from."""
    query = (
        select(gatherings.c.area)
        .where(
            gatherings.c.community_id == community,
            gatherings.c.starts_at > after,
            gatherings.c.area != "",
        )
        .distinct()
        .order_by(gatherings.c.area)
    )
    return [row.area for row in await conn.execute(query)]


async def _lines(
    conn: AsyncConnection,
    actor: Actor,
    choice: Choice,
    wanted: list[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int,
    *,
    brief: bool = False,
) -> list[Line]:
    community = actor.member.community_id
    asked = [*wanted, *_shown()]
    if not policy.may_coordinate(actor.member):
        asked.append(or_(gatherings.c.openness != Openness.INVITED.value, _concerns(actor)))
    if choice.mine:
        asked.append(_concerns(actor, *_NOT_DECLINED))
    if choice.area:
        asked.append(gatherings.c.area == choice.area)
    if choice.format_id is not None:
        asked.append(gatherings.c.format_id == choice.format_id)
    if choice.host_id is not None:
        asked.append(_hosted_by([choice.host_id]))
    return await _read(conn, community, actor.id, asked, order, limit, brief=brief)


def _shown() -> list[ColumnElement[bool]]:
    """Not the dates that a series gives no more and that mattered to nobody."""
    table = gatherings
    return [
        or_(
            table.c.state != State.CANCELLED.value,
            table.c.series_id.is_(None),
            table.c.occurs_on.is_not(None),
        )
    ]


_NOT_DECLINED = (seats.c.answer != Answer.NO.value,)


def _concerns(actor: Actor, *seated: ColumnElement[bool]) -> ColumnElement[bool]:
    """What `policy.may_see_gathering` says of those by invitation, for the database.

    They, or somebody they act for, have a seat (that is as `seated` says), made it, host it, or
    were asked to send somebody.
    """
    table, mine = gatherings, list(actor.accounts)
    sat = exists().where(
        seats.c.community_id == table.c.community_id,
        seats.c.gathering_id == table.c.id,
        seats.c.member_id.in_(mine),
        *seated,
    )
    sending = exists().where(
        invited_organisations.c.community_id == table.c.community_id,
        invited_organisations.c.gathering_id == table.c.id,
        invited_organisations.c.organisation_id.in_(mine),
    )
    return or_(table.c.made_by == actor.id, sat, _hosted_by(mine), sending)


def _hosted_by(ids: list[UUID]) -> ColumnElement[bool]:
    return exists().where(
        hosts.c.community_id == gatherings.c.community_id,
        hosts.c.gathering_id == gatherings.c.id,
        hosts.c.member_id.in_(ids),
    )


async def _read(
    conn: AsyncConnection,
    community: UUID,
    reader: UUID | None,
    wanted: list[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int,
    *,
    brief: bool = False,
) -> list[Line]:
    """The gatherings with the reader's answer, then who comes, what is free, who hosts."""
    rows = await _rows(conn, community, reader, wanted, order, limit)
    ids = [row.id for row in rows]
    if not ids:
        return []
    free = await free_roles(conn, community, ids)
    roles = await _own_roles(conn, community, ids, reader)
    coming_to = {} if brief else await _coming(conn, community, ids)
    hosted = {} if brief else await _hosted(conn, community, ids)
    return [
        Line(
            id=row.id,
            series_id=row.series_id,
            occurs_on=row.occurs_on,
            title=row.title,
            purpose=row.purpose,
            place=row.place,
            link=row.link,
            area=row.area,
            format=row.format_name or "",
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            state=State(row.state),
            openness=Openness(row.openness),
            capacity=row.capacity,
            revision=row.revision,
            touched_at=row.touched_at,
            coming=coming_to.get(row.id, 0),
            free=tuple(free.get(row.id, ())),
            answer=Answer(row.own_answer) if row.own_answer else None,
            waiting=bool(row.own_waiting),
            roles=tuple(role for role, carried in roles.get(row.id, ()) if carried),
            asked=tuple(role for role, carried in roles.get(row.id, ()) if not carried),
            hosts=tuple(hosted.get(row.id, ())),
        )
        for row in rows
    ]


async def _rows(
    conn: AsyncConnection,
    community: UUID,
    reader: UUID | None,
    wanted: list[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int,
) -> Sequence[Any]:
    table, own = gatherings, seats.alias("own")
    query = (
        select(
            table,
            formats.c.name.label("format_name"),
            own.c.answer.label("own_answer"),
            own.c.waiting.label("own_waiting"),
        )
        .outerjoin(
            formats,
            and_(
                formats.c.community_id == table.c.community_id,
                formats.c.id == table.c.format_id,
            ),
        )
        .outerjoin(
            own,
            and_(
                own.c.community_id == table.c.community_id,
                own.c.gathering_id == table.c.id,
                own.c.member_id == reader,
            ),
        )
        .where(table.c.community_id == community, *wanted)
        .order_by(*order)
        .limit(limit)
    )
    return (await conn.execute(query)).all()


async def _coming(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> dict[UUID, int]:
    query = (
        select(seats.c.gathering_id, func.count().label("number"))
        .where(
            seats.c.community_id == community,
            seats.c.gathering_id.in_(ids),
            seats.c.answer == Answer.YES.value,
            seats.c.waiting.is_(False),
        )
        .group_by(seats.c.gathering_id)
    )
    return {row.gathering_id: row.number for row in await conn.execute(query)}


async def free_roles(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[FreeRole]]:
    """The roles for which somebody is still missing, by gathering; one query."""
    role = gathering_roles
    carried = (
        select(func.count())
        .where(
            duties.c.community_id == role.c.community_id,
            duties.c.gathering_id == role.c.gathering_id,
            duties.c.role_key == role.c.key,
            duties.c.state.in_(_CARRIED),
        )
        .scalar_subquery()
    )
    query = (
        select(role.c.gathering_id, role.c.key, role.c.name)
        .where(
            role.c.community_id == community,
            role.c.gathering_id.in_(ids),
            role.c.wanted > carried,
        )
        .order_by(role.c.position, role.c.key)
    )
    found: dict[UUID, list[FreeRole]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.gathering_id, []).append(FreeRole(row.key, row.name))
    return found


async def _own_roles(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], reader: UUID | None
) -> dict[UUID, list[tuple[FreeRole, bool]]]:
    """The reader's roles: carried, or asked for."""
    if reader is None:
        return {}
    query = (
        select(duties.c.gathering_id, duties.c.role_key, gathering_roles.c.name, duties.c.state)
        .join(
            seats,
            and_(
                seats.c.community_id == duties.c.community_id,
                seats.c.id == duties.c.seat_id,
            ),
        )
        .join(
            gathering_roles,
            and_(
                gathering_roles.c.community_id == duties.c.community_id,
                gathering_roles.c.gathering_id == duties.c.gathering_id,
                gathering_roles.c.key == duties.c.role_key,
            ),
        )
        .where(
            duties.c.community_id == community,
            duties.c.gathering_id.in_(ids),
            seats.c.member_id == reader,
            duties.c.state.in_([*_CARRIED, DutyState.ASKED.value]),
        )
        .order_by(gathering_roles.c.position)
    )
    found: dict[UUID, list[tuple[FreeRole, bool]]] = {}
    for row in await conn.execute(query):
        role = FreeRole(row.role_key, row.name)
        found.setdefault(row.gathering_id, []).append((role, row.state in _CARRIED))
    return found


async def _hosted(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[str]]:
    query = (
        select(hosts.c.gathering_id, members.c.name)
        .join(members, is_member(hosts, hosts.c.member_id))
        .where(hosts.c.community_id == community, hosts.c.gathering_id.in_(ids))
        .order_by(members.c.name_key)
    )
    found: dict[UUID, list[str]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.gathering_id, []).append(row.name)
    return found
