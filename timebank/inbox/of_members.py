"""Members in the inbox: who asked to join, is worth a call, has gone quiet, or may not stay."""

# Sources are asked alike, and not each of them needs all it is told.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import tables
from timebank import applicants, stays
from timebank.agreements import Terms
from timebank.inbox import aside
from timebank.inbox.source import Desk, Why
from timebank.later import later
from timebank.limits import Beyond, past_limits
from timebank.members import Member, MemberKind, Status, as_member, members, tallies
from timebank.moment import Moment
from timebank.stays import ANSWER_WITHIN, Stay
from timebank.text import fold, like

QUIET_AFTER = timedelta(days=90)
"""So long after the last help somebody has gone quiet, if they gave or received before."""

GONE_AFTER = timedelta(days=365)
"""So long after it we do not ask any more: another way of asking begins then."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who asked to join; `times` of those who wait look like this one person."""

    member: Member
    about: str
    times: int


@dataclass(frozen=True, slots=True)
class WorthACall:
    """Somebody past a limit at which we talk, `limit`, since then."""

    member: Member
    beyond: Beyond
    balance: Minutes
    limit: Minutes
    since: datetime


@dataclass(frozen=True, slots=True)
class GoneQuiet:
    """Somebody who gave or received, the last time on that day."""

    member: Member
    latest: datetime


@dataclass(frozen=True, slots=True)
class MayNotStay:
    """Somebody who is asked whether they stay, or is to be."""

    member: Member
    cares: bool
    question: Stay

    @property
    def forgotten_at(self) -> datetime | None:
        """When (UTC) they are forgotten without an answer; None while nobody has asked them."""
        asked = self.question.asked_at
        return None if asked is None else asked + ANSWER_WITHIN


@dataclass(frozen=True, slots=True)
class Person:
    """A member as several kinds of things show them: each takes what concerns it."""

    call: WorthACall | None
    quiet: GoneQuiet | None
    stay: MayNotStay | None


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
    """Who asked to join, and how often: one query."""
    wanted = set(ids)
    return {
        one.member.id: Applicant(one.member, one.about, len(some))
        for some in await applicants.waiting(conn, community)
        for one in some
        if one.member.id in wanted
    }


async def read_people(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, Person]:
    """How it stands with these members, whatever the reason they are here: one query."""
    return {
        row.id: _person(row, desk) for row in await conn.execute(_how_it_stands(community, ids))
    }


def _how_it_stands(community: UUID, ids: Sequence[UUID]) -> Select[Any]:
    account, past, asker = tables.account, past_limits, members.alias("asker")
    stay = stays.stays
    found = members.outerjoin(account, _theirs(account, account.c.id))
    for table, id in (
        (past, past.c.account_id),
        (tallies, tallies.c.account_id),
        (stay, stay.c.member_id),
    ):
        open_ = stay.c.answered_at.is_(None) if table is stay else true()
        found = found.outerjoin(table, and_(_theirs(table, id), open_))
    found = found.outerjoin(
        asker,
        and_(asker.c.community_id == stay.c.community_id, asker.c.id == stay.c.asked_by),
    )
    return (
        select(
            members,
            account.c.balance,
            past.c.beyond,
            past.c.since,
            tallies.c.latest_at,
            stay.c.id.label("stay_id"),
            stay.c.found_at,
            stay.c.asked_at,
            asker.c.name.label("asker"),
        )
        .select_from(found)
        .where(members.c.community_id == community, members.c.id.in_(ids))
    )


def _theirs(table: Any, id: Any) -> ColumnElement[bool]:
    return and_(table.c.community_id == members.c.community_id, id == members.c.id)


def _person(row: Any, desk: Desk) -> Person:
    member, terms = as_member(row), desk.terms
    call = stay = None
    if row.beyond is not None:
        beyond = Beyond(row.beyond)
        limit = terms.soft_floor if beyond is Beyond.BELOW else terms.soft_ceiling
        call = WorthACall(member, beyond, row.balance, limit or terms.soft_floor, row.since)
    if row.stay_id is not None:
        question = Stay(row.stay_id, row.id, row.found_at, row.asked_at, row.asker)
        stay = MayNotStay(member, desk.cares_for(member), question)
    return Person(call, None if row.latest_at is None else GoneQuiet(member, row.latest_at), stay)
