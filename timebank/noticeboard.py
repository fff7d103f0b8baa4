"""The notice-board: the offers and requests that are open, for paper and for lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities
from timebank.listings import ListingKind, listings
from timebank.members import Status, members

MOST = 2000
"""Notices that one board shows; a board with more than these is no board any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One open offer or request: in which words, about what, from whom, until when.

    `phone` is empty unless its owner lets all members see it; then one asks the coordinators.
    """

    kind: ListingKind
    title: str
    words: str
    category: str | None
    area: str
    name: str
    phone: str
    until: date


async def notices(conn: AsyncConnection, community: UUID, *, today: date) -> list[Notice]:
    """What is open today, offers before requests, by category and then the newest first."""
    category = communities.categories
    query = (
        select(
            listings,
            category.c.name.label("category"),
            members.c.name,
            members.c.phone,
            members.c.contact_shown,
        )
        .join(members, _owner())
        .outerjoin(
            category,
            and_(
                category.c.community_id == listings.c.community_id,
                category.c.id == listings.c.category_id,
            ),
        )
        .where(*_open(community, today))
        .order_by(
            listings.c.kind,
            category.c.position.is_(None),
            category.c.position,
            listings.c.written_at.desc(),
            listings.c.id,
        )
        .limit(MOST)
    )
    return [
        Notice(
            ListingKind(row.kind),
            row.title,
            row.words,
            row.category,
            row.area,
            row.name,
            row.phone if row.contact_shown else "",
            row.until,
        )
        for row in await conn.execute(query)
    ]


async def titles_of(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], *, today: date
) -> dict[tuple[UUID, ListingKind], list[str]]:
    """What these members offer and ask for today, in a few words each."""
    query = (
        select(listings.c.member_id, listings.c.kind, listings.c.title)
        .join(members, _owner())
        .where(*_open(community, today), listings.c.member_id.in_(list(ids)))
        .order_by(listings.c.written_at, listings.c.id)
    )
    found: dict[tuple[UUID, ListingKind], list[str]] = {}
    for row in await conn.execute(query):
        found.setdefault((row.member_id, ListingKind(row.kind)), []).append(row.title)
    return found


def _owner() -> Any:
    return and_(
        members.c.community_id == listings.c.community_id, members.c.id == listings.c.member_id
    )


def _open(community: UUID, today: date) -> tuple[Any, ...]:
    """Not closed, not past its day, and of somebody who is not taking a break."""
    return (
        listings.c.community_id == community,
        listings.c.closed_at.is_(None),
        listings.c.until >= today,
        members.c.status == Status.ACTIVE.value,
    )
