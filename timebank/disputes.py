"""Disputes: somebody says an entry is not right, and both sides talk it over with one coordinator.

    disputed ─► a coordinator looks into it ─► both sides answer ─► kept, corrected or undone

The conversation is the entry's own story, its steps. The first coordinator who takes a dispute, or
speaks in it, looks into it; both sides see who that is. Another one may take it over.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.entries import steps
from timebank.entry import DISPUTES, Entry, State, Step, StepKind


def is_open(entry: Entry) -> bool:
    """Whether what somebody said against an entry is not settled yet."""
    return entry.state is State.DISPUTED or entry.contested


def opening(story: Sequence[Step]) -> Step | None:
    """The step in which somebody last said it is not right."""
    return next((step for step in reversed(story) if step.kind in DISPUTES), None)


def looked_into_by(story: Sequence[Step]) -> Step | None:
    """The step in which a coordinator last took the dispute; None if nobody has yet."""
    for step in reversed(story):
        if step.kind is StepKind.TAKEN:
            return step
        if step.kind in DISPUTES:
            return None
    return None


async def coordinator(conn: AsyncConnection, entry: Entry) -> UUID | None:
    """Who looks into what was last said against an entry, also when it has just been settled."""
    opened = select(func.max(steps.c.number)).where(
        steps.c.community_id == entry.community_id,
        steps.c.entry_id == entry.id,
        steps.c.kind.in_([kind.value for kind in DISPUTES]),
    )
    found: UUID | None = await conn.scalar(
        select(steps.c.member_id)
        .where(
            steps.c.community_id == entry.community_id,
            steps.c.entry_id == entry.id,
            steps.c.kind == StepKind.TAKEN.value,
            steps.c.number > opened.scalar_subquery(),
        )
        .order_by(steps.c.number.desc())
        .limit(1)
    )
    return found
