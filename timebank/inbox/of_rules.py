"""How we do it, in the inbox: months to close, proposals to decide on, the agreement to look at."""

# Sources are asked alike, and not each of them needs all it is told.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, extract, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import i18n, months, proposals
from timebank.agreements import agreements
from timebank.inbox.source import Desk, Touch
from timebank.members import members
from timebank.months import Standing, StepKind
from timebank.proposals import Proposal
from timebank.text import fold, like


@dataclass(frozen=True, slots=True)
class WaitingMonth:
    """A month to close; or, with `asked`, one that a steward asks to open again, and why."""

    standing: Standing
    asked: Touch | None


@dataclass(frozen=True, slots=True)
class Review:
    """The version of the agreement to look at again, and the day that it names."""

    version: int
    day: date | None


# ── Reading them ─────────────────────────────────────────────────────────────────────────────────


async def read_months(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, WaitingMonth]:
    """How they stand, and who asked for what: two queries."""
    steps = months.steps
    rows = await conn.execute(
        select(steps.c.month_id, steps.c.at, steps.c.words, members.c.name)
        .join(
            members,
            and_(members.c.community_id == steps.c.community_id, members.c.id == steps.c.member_id),
        )
        .where(
            steps.c.community_id == community,
            steps.c.month_id.in_(ids),
            steps.c.kind == StepKind.ASKED.value,
        )
        .order_by(steps.c.number)
    )
    asked = {row.month_id: Touch(row.name, row.at, row.words) for row in rows}
    return {
        id: WaitingMonth(one, None if one.is_open else asked.get(id))
        for id, one in (await months.several(conn, community, ids)).items()
    }


async def read_proposals(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, Proposal]:
    """The proposals with everyone's word: two queries."""
    return {one.id: one for one in await proposals.several(conn, community, ids)}


async def read_reviews(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, Review]:
    """Which version, and since which day: one query."""
    reviews = proposals.reviews
    rows = await conn.execute(
        select(reviews.c.id, reviews.c.version, agreements.c.review_on)
        .join(agreements, _of_its_version())
        .where(reviews.c.community_id == community, reviews.c.id.in_(ids))
    )
    return {row.id: Review(row.version, row.review_on) for row in rows}


# ── Finding a word in them ───────────────────────────────────────────────────────────────────────


def finds_month(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in a month's name, in any of our languages, or is its year."""
    first = months.months.c.first_day
    named = [number for name, number in _names() if fold(word) in name]
    year = int(word) if word.isascii() and word.isdigit() and len(word) == 4 else None
    return exists(
        select(months.months.c.id)
        .where(
            months.months.c.community_id == community,
            months.months.c.id == id,
            or_(
                extract("month", first).in_(named) if named else false(),
                extract("year", first) == year if year is not None else false(),
            ),
        )
        .correlate_except(months.months)
    )


def finds_proposal(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in a proposal's reason, or in the name of who proposes it."""
    table = proposals.proposals
    return exists(
        select(table.c.id)
        .join(
            members,
            and_(
                members.c.community_id == table.c.community_id,
                members.c.id == func.coalesce(table.c.on_behalf_of, table.c.proposed_by),
            ),
        )
        .where(
            table.c.community_id == community,
            table.c.id == id,
            or_(
                func.lower(table.c.reason).like(like(word.lower()), escape="\\"),
                table.c.reason.like(like(word), escape="\\"),
                members.c.name_key.like(like(fold(word)), escape="\\"),
            ),
        )
        .correlate_except(table, members)
    )


def finds_review(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in why that version of the agreement was adopted, or what it is for."""
    reviews, written = proposals.reviews, like(word.lower())
    return exists(
        select(reviews.c.id)
        .join(agreements, _of_its_version())
        .where(
            reviews.c.community_id == community,
            reviews.c.id == id,
            or_(
                func.lower(agreements.c.reason).like(written, escape="\\"),
                func.lower(agreements.c.purpose).like(written, escape="\\"),
            ),
        )
        .correlate_except(reviews, agreements)
    )


@cache
def _names() -> tuple[tuple[str, int], ...]:
    """The months of the year with their names, as words are looked for."""
    return tuple(
        (fold(i18n.format_month_name(number, language)), number)
        for language in i18n.LANGUAGES
        for number in range(1, 13)
    )


def _of_its_version() -> ColumnElement[bool]:
    return and_(
        agreements.c.community_id == proposals.reviews.c.community_id,
        agreements.c.version == proposals.reviews.c.version,
    )
