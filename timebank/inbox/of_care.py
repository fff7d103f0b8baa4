"""Looking after people, in the inbox: newcomers, checks, where somebody belongs, who may not stay.

What is kept about a member is for those who care for them: of oneself, and of somebody one is kept
apart from, a row says only that another coordinator sees to it (`cares`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import affiliations, checks, stays, welcoming
from timebank.affiliations import Hat
from timebank.agreements import Terms
from timebank.checks import Check
from timebank.inbox import aside
from timebank.inbox.source import Desk, Touch, Why
from timebank.members import Member, members
from timebank.moment import Moment
from timebank.text import fold, like


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody new: what is still `missing` of what we do with everyone, and who did the last."""

    member: Member
    cares: bool
    missing: tuple[str, ...]
    last: Touch | None


@dataclass(frozen=True, slots=True)
class DueChecks:
    """Checks of one member whose day has come, those longest due first."""

    member: Member
    cares: bool
    due: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Where somebody says they belong; `said_by` is who wrote it down, if it was somebody else."""

    name: str
    hat: Hat
    said_by: str | None


# ── What waits ───────────────────────────────────────────────────────────────────────────────────


def newcomers(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Who is new and not all is done with, since they came."""
    return welcoming.waits(community, terms=terms, now=now).where(
        ~aside.is_aside(community, Why.NEWCOMER, members.c.id, now=now)
    )


def due_checks(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Whose checks are to be looked at again, since that day."""
    return checks.waits(community, terms=terms, now=now).where(
        ~aside.is_aside(community, Why.CHECK, checks.checks.c.member_id, now=now)
    )


def unconfirmed(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """What nobody confirmed of where people belong, since it was said."""
    return affiliations.waits(community, terms=terms, now=now).where(
        ~aside.is_aside(community, Why.BELONGING, affiliations.affiliations.c.id, now=now)
    )


def to_ask(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Whom a coordinator has to ask whether they stay, since it was seen that they are gone."""
    return stays.waits_to_ask(community, terms=terms, now=now).where(
        ~aside.is_aside(community, Why.ASK, stays.stays.c.member_id, now=now)
    )


def finds_belonging(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in the name of who belongs somewhere, or of the organisation."""
    hat = affiliations.affiliations
    either = or_(members.c.id == hat.c.member_id, members.c.id == hat.c.organisation_id)
    return exists(
        select(hat.c.id)
        .join(members, and_(members.c.community_id == hat.c.community_id, either))
        .where(
            hat.c.community_id == community,
            hat.c.id == id,
            members.c.name_key.like(like(fold(word)), escape="\\"),
        )
        .correlate_except(hat, members)
    )


# ── Reading them ─────────────────────────────────────────────────────────────────────────────────


async def read_newcomers(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, Newcomer]:
    """What is done with them and what is not: one query."""
    found = {}
    for member, ticks in await welcoming.of_many(conn, community, ids):
        done = [
            Touch(one.ticked_by or "", one.ticked_at) for one in ticks if one.ticked_at is not None
        ]
        missing = tuple(one.name for one in ticks if not one.done)
        last = max(done, key=lambda touch: touch.at, default=None)
        found[member.id] = Newcomer(member, desk.cares_for(member), missing, last)
    return found


async def read_checks(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, DueChecks]:
    """What is to be looked at again: one query."""
    today = desk.now.at.date()
    found = {}
    for member, looks in await checks.of_many(conn, community, ids):
        due = [one for one in checks.latest(looks) if _is_due(one, today)]
        cares = desk.cares_for(member)
        found[member.id] = DueChecks(member, cares, tuple(sorted(due, key=_again)) if cares else ())
    return found


async def read_belongings(
    conn: AsyncConnection,
    community: UUID,
    ids: Sequence[UUID],
    desk: Desk,  # noqa: ARG001 — sources are asked alike
) -> Mapping[UUID, Unconfirmed]:
    """Who says so, and where: one query."""
    return {
        hat.id: Unconfirmed(name, hat, None if hat.added_by == hat.member_id else said_by)
        for hat, name, said_by in await affiliations.several(conn, community, ids)
    }


def _is_due(check: Check, today: date) -> bool:
    return check.again_on is not None and check.again_on <= today


def _again(check: Check) -> date:
    assert check.again_on is not None, "its day has come"
    return check.again_on
