"""What the books and the agreement wait for: months to close, proposals to settle, a review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, exists, false, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import months, proposals
from timebank.inbox.source import Desk
from timebank.months import Standing
from timebank.proposals import Proposal
from timebank.text import like


async def read_months(
    conn: AsyncConnection,
    community: UUID,
    ids: Sequence[UUID],
    desk: Desk,  # noqa: ARG001
) -> Mapping[UUID, Standing]:
    """These months: one query."""
    return await months.several(conn, community, ids)


async def read_proposals(
    conn: AsyncConnection,
    community: UUID,
    ids: Sequence[UUID],
    desk: Desk,  # noqa: ARG001
) -> Mapping[UUID, Proposal]:
    """These proposals: two queries."""
    return {one.id: one for one in await proposals.several(conn, community, ids)}


async def read_reviews(
    conn: AsyncConnection,  # noqa: ARG001
    community: UUID,  # noqa: ARG001
    ids: Sequence[UUID],
    desk: Desk,
) -> Mapping[UUID, Desk]:
    """A review says nothing but that its day came: the terms at the desk have it."""
    return dict.fromkeys(ids, desk)


def finds_none(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:  # noqa: ARG001
    """A month, and the day of a review, have no words in them."""
    return false()


def finds_proposal(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in the reason of a proposal."""
    table = proposals.proposals
    return exists(
        select(table.c.id)
        .where(
            table.c.community_id == community,
            table.c.id == id,
            func.lower(table.c.reason).like(like(word.lower()), escape="\\"),
        )
        .correlate_except(table)
    )
