"""Members in the inbox: who asked to join, who is worth a call, and who has gone quiet."""

# Sources are asked alike, and not each of them needs all it is told.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import tables
from timebank.agreements import Terms
from timebank.inbox import aside
from timebank.inbox.later import later
from timebank.inbox.source import Desk, Touch, Why
from timebank.limits import Beyond, past_limits
from timebank.members import Member, MemberKind, Status, as_member, get_many, members, tallies
from timebank.moment import Moment
from timebank.text import fold, like

QUIET_AFTER = timedelta(days=90)
"""So long after the last help somebody has gone quiet, if they gave or received before."""

GONE_AFTER = timedelta(days=365)
"""So long after it we do not ask any more: another way of asking begins then."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who asked to join."""

    member: Member


@dataclass(frozen=True, slots=True)
class WorthACall:
    """Somebody past a limit at which we talk, `limit`; `called` is the last time we did."""

    member: Member
    beyond: Beyond
    balance: Minutes
    limit: Minutes
    since: datetime
    called: Touch | None


@dataclass(frozen=True, slots=True)
class GoneQuiet:
    """Somebody who gave or received, the last time on that day; `asked` is who asked after them."""

    member: Member
    latest: datetime
    asked: Touch | None


# ── What waits ───────────────────────────────────────────────────────────────────────────────────


def applying(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Who asked to join, since then."""
    return select(members.c.id, members.c.applied_at.label("since")).where(
        members.c.community_id == community, members.c.status == Status.APPLIED.value
    )


def worth_a_call(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Who is past a soft limit, since then; not whom somebody rang, unless they went further."""
    account, past = tables.account, past_limits
    further = or_(
        and_(
            past.c.beyond == Beyond.BELOW.value,
            account.c.balance <= aside.put_aside.c.balance - aside.FURTHER,
        ),
        and_(
            past.c.beyond == Beyond.ABOVE.value,
            account.c.balance >= aside.put_aside.c.balance + aside.FURTHER,
        ),
    )
    return (
        select(past.c.account_id.label("id"), past.c.since)
        .join(members, _is_member(past.c.account_id))
        .join(
            account,
            and_(account.c.community_id == past.c.community_id, account.c.id == past.c.account_id),
        )
        .where(
            past.c.community_id == community,
            members.c.community_id == community,
            members.c.status.in_((Status.ACTIVE.value, Status.PAUSED.value)),
            ~aside.is_aside(community, Why.CALL, past.c.account_id, now=now, unless=further),
        )
    )


def gone_quiet(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Who was active and then was not, since `QUIET_AFTER` after the last time."""
    latest = tallies.c.latest_at
    return (
        select(tallies.c.account_id.label("id"), later(latest, QUIET_AFTER).label("since"))
        .join(members, _is_member(tallies.c.account_id))
        .where(
            tallies.c.community_id == community,
            latest <= now.at - QUIET_AFTER,
            latest > now.at - GONE_AFTER,
            members.c.community_id == community,
            members.c.kind == MemberKind.PERSON.value,
            members.c.status == Status.ACTIVE.value,
            ~aside.is_aside(community, Why.QUIET, tallies.c.account_id, now=now),
        )
    )


def finds(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in a member's name, or what their page says."""
    return exists(
        select(members.c.id)
        .where(
            members.c.community_id == community,
            members.c.id == id,
            members.c.search_key.like(like(fold(word)), escape="\\"),
        )
        .correlate_except(members)
    )


def _is_member(id: Any) -> Any:
    return members.c.id == id


# ── Reading them ─────────────────────────────────────────────────────────────────────────────────


async def read_applicants(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, Applicant]:
    """Who asked to join: one query."""
    found = await get_many(conn, community, ids)
    return {id: Applicant(member) for id, member in found.items()}


async def read_calls(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, WorthACall]:
    """Where they stand, and what was done about it before: two queries."""
    account, past, terms = tables.account, past_limits, desk.terms
    rows = await conn.execute(
        select(members, account.c.balance, past.c.beyond, past.c.since)
        .join(
            past, and_(past.c.community_id == members.c.community_id, _is_member(past.c.account_id))
        )
        .join(
            account,
            and_(account.c.community_id == members.c.community_id, account.c.id == members.c.id),
        )
        .where(members.c.community_id == community, members.c.id.in_(ids))
    )
    called = await aside.latest(conn, community, Why.CALL, ids)
    found = {}
    for row in rows:
        where = Beyond(row.beyond)
        limit = terms.soft_floor if where is Beyond.BELOW else terms.soft_ceiling
        found[row.id] = WorthACall(
            as_member(row), where, row.balance, limit or terms.soft_floor, row.since,
            called.get(row.id),
        )  # fmt: skip
    return found


async def read_quiet(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, GoneQuiet]:
    """When they were last heard of, and who asked after them before: two queries."""
    rows = await conn.execute(
        select(members, tallies.c.latest_at)
        .join(
            tallies,
            and_(
                tallies.c.community_id == members.c.community_id,
                tallies.c.account_id == members.c.id,
            ),
        )
        .where(members.c.community_id == community, members.c.id.in_(ids))
    )
    asked = await aside.latest(conn, community, Why.QUIET, ids)
    return {row.id: GoneQuiet(as_member(row), row.latest_at, asked.get(row.id)) for row in rows}
