"""Gatherings lately, for those who look after them: which list is open, whose hours wait."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO
from timebank import acting, policy, rooms
from timebank.attendance_steps import StepKind, attendance_steps
from timebank.entries import entries
from timebank.entry import OPEN
from timebank.gatherings import State, gatherings, seats
from timebank.moment import Moment
from timebank.settlements import settlements

SHOWN = timedelta(days=90)
_AHEAD = timedelta(hours=12)
_MOST = 100


class Next(StrEnum):
    """What a gathering waits for."""

    LIST = "list"  # somebody ticks who came, and closes the list
    SENDING = "sending"  # its hours are to be sent to approval
    APPROVAL = "approval"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Lately:
    """One gathering, how many came as far as we know, and what comes next.

    `unsure` counts the names on its list that somebody has to confirm.
    """

    id: UUID
    title: str
    starts_at: datetime
    came: int
    unsure: int
    next: Next


async def of(conn: AsyncConnection, community: UUID, *, by: UUID, now: Moment) -> list[Lately]:
    """Those of the last ninety days and of today that `by` looks after, the newest first.

    A coordinator looks after all.
    """
    actor = await acting.one(conn, community, by)
    query = _all(community).where(
        gatherings.c.starts_at <= now.at + _AHEAD,
        gatherings.c.starts_at > now.at - SHOWN,
        gatherings.c.state != State.CANCELLED.value,
    )
    if not policy.may_coordinate(actor.member):
        query = query.where(gatherings.c.id.in_(rooms.looked_after_by(community, by)))
    rows = await conn.execute(
        query.order_by(gatherings.c.starts_at.desc(), gatherings.c.id).limit(_MOST)
    )
    return [_lately(row) for row in rows]


async def unfinished(
    conn: AsyncConnection, community: UUID, *, by: UUID, now: Moment, limit: int
) -> list[Lately]:
    """Those that `by` looks after themselves, are over, and wait for their list or their hours."""
    query = (
        _all(community)
        .where(
            gatherings.c.id.in_(rooms.looked_after_by(community, by)),
            gatherings.c.ends_at <= now.at,
            gatherings.c.starts_at > now.at - SHOWN,
            gatherings.c.state.in_([State.PLANNED.value, State.HELD.value]),
        )
        .order_by(gatherings.c.starts_at, gatherings.c.id)
        .limit(limit)
    )
    found = [_lately(row) for row in await conn.execute(query)]
    return [one for one in found if one.next in (Next.LIST, Next.SENDING)]


async def described(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, Lately]:
    """These gatherings, for whoever lists what waits; who may see them is asked elsewhere."""
    rows = await conn.execute(_all(community).where(gatherings.c.id.in_(ids)))
    return {row.id: _lately(row) for row in rows}


def _lately(row: Any) -> Lately:
    return Lately(row.id, row.title, row.starts_at, row.came, row.unsure, _next(row))


def _next(row: Any) -> Next:
    if row.last_step != StepKind.CLOSED.value:
        return Next.LIST
    if row.waiting:
        return Next.APPROVAL
    return Next.NOTHING if row.state == State.SETTLED.value else Next.SENDING


def _all(community: UUID) -> Select[Any]:
    step = attendance_steps
    came = (
        select(func.count())
        .where(
            seats.c.community_id == community,
            seats.c.gathering_id == gatherings.c.id,
            seats.c.present > ZERO,
        )
        .scalar_subquery()
    )
    unsure = (
        select(func.count())
        .where(
            seats.c.community_id == community,
            seats.c.gathering_id == gatherings.c.id,
            seats.c.to_confirm,
        )
        .scalar_subquery()
    )
    last_step = (
        select(step.c.kind)
        .where(step.c.community_id == community, step.c.gathering_id == gatherings.c.id)
        .order_by(step.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    waiting = (
        select(settlements.c.number)
        .join(
            entries,
            and_(
                entries.c.community_id == settlements.c.community_id,
                entries.c.id == settlements.c.entry_id,
            ),
        )
        .where(
            settlements.c.community_id == community,
            settlements.c.gathering_id == gatherings.c.id,
            entries.c.state.in_([state.value for state in OPEN]),
        )
        .exists()
    )
    return select(
        gatherings.c.id,
        gatherings.c.title,
        gatherings.c.starts_at,
        gatherings.c.state,
        came.label("came"),
        unsure.label("unsure"),
        last_step.label("last_step"),
        waiting.label("waiting"),
    ).where(gatherings.c.community_id == community)
