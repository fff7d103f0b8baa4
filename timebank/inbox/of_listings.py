"""Listings in the inbox: requests that nobody answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import listings
from timebank.agreements import Terms
from timebank.inbox import aside
from timebank.inbox.source import Desk, Why
from timebank.listings import Listing
from timebank.members import members
from timebank.moment import Moment
from timebank.text import fold, like


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request without an answer. `may_read`: the reader is not kept apart from who asks."""

    listing: Listing
    may_read: bool


def unanswered(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Requests that nobody answered, since they were written; not what somebody put aside."""
    return listings.waits(community, terms=terms, now=now).where(
        ~aside.is_aside(community, Why.REQUEST, listings.listings.c.id, now=now)
    )


def finds(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in a listing, or in the name of whose it is."""
    table, letters = listings.listings, like(fold(word))
    return exists(
        select(table.c.id)
        .join(
            members,
            and_(members.c.community_id == table.c.community_id, members.c.id == table.c.member_id),
        )
        .where(
            table.c.community_id == community,
            table.c.id == id,
            or_(
                table.c.search_key.like(letters, escape="\\"),
                members.c.name_key.like(letters, escape="\\"),
            ),
        )
        .correlate_except(table, members)
    )


async def read(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, Unanswered]:
    """These requests: one query."""
    return {
        one.id: Unanswered(one, one.member.id not in desk.apart)
        for one in await listings.several(conn, community, ids)
    }
