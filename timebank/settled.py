"""What stands of a gathering's settlements, what waits, and the story of them all. Reading only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.agreements import Terms
from timebank.attendance_steps import StepKind, attendance_steps
from timebank.entries import entries
from timebank.entry import OPEN, Kind, Side, State
from timebank.gatherings import Rule, gatherings
from timebank.gatherings import State as GatheringState
from timebank.members import members
from timebank.moment import Moment
from timebank.settlements import settlement_lines, settlements
from timebank.settling import Line


@dataclass(frozen=True, slots=True)
class Settlement:
    """One settlement of a gathering, and where its entry stands.

    `corrects` is the number it builds on: it posts the difference to that. None: it posted all.
    """

    gathering_id: UUID
    number: int
    entry_id: UUID
    corrects: int | None
    rule: Rule
    reason: str
    made_by: UUID
    made_by_name: str
    made_at: datetime
    state: State
    posted_at: datetime | None


async def of_gathering(
    conn: AsyncConnection, community: UUID, gathering: UUID
) -> tuple[Settlement, ...]:
    """All settlements of a gathering, the first one first."""
    rows = await conn.execute(
        _all(community).where(settlements.c.gathering_id == gathering).order_by(_NUMBER)
    )
    return tuple(_settlement(row) for row in rows)


async def of_entries(
    conn: AsyncConnection, community: UUID, entry_ids: Collection[UUID]
) -> dict[UUID, tuple[Settlement, ...]]:
    """For each of these entries that settles a gathering, all settlements of that gathering."""
    theirs = select(settlements.c.gathering_id).where(
        settlements.c.community_id == community, settlements.c.entry_id.in_(entry_ids)
    )
    rows = await conn.execute(
        _all(community).where(settlements.c.gathering_id.in_(theirs)).order_by(_NUMBER)
    )
    found = [_settlement(row) for row in rows]
    at = {one.entry_id: one.gathering_id for one in found if one.entry_id in entry_ids}
    return {
        entry_id: tuple(one for one in found if one.gathering_id == gathering)
        for entry_id, gathering in at.items()
    }


def standing(story: Iterable[Settlement]) -> Settlement | None:
    """The settlement that stands: the newest whose entry is approved."""
    return next((one for one in _newest(story) if one.state is State.APPROVED), None)


def waiting(story: Iterable[Settlement]) -> Settlement | None:
    """The settlement that waits to be approved; there is one at most."""
    return next((one for one in _newest(story) if one.state in OPEN), None)


async def lines(
    conn: AsyncConnection, community: UUID, gathering: UUID, number: int
) -> tuple[Line, ...]:
    """What everything comes to by this settlement."""
    rows = await conn.execute(
        select(settlement_lines)
        .where(
            settlement_lines.c.community_id == community,
            settlement_lines.c.gathering_id == gathering,
            settlement_lines.c.number == number,
        )
        .order_by(settlement_lines.c.account_id, settlement_lines.c.role_key)
    )
    return tuple(
        Line(row.account_id, row.role_key, Kind(row.kind), Side(row.side), row.minutes)
        for row in rows
    )


def standing_lines(community: UUID) -> Select[Any]:
    """For reports: the lines of every settlement that stands, with the day of the gathering.

    Columns: `gathering_id`, `day`, `account_id`, `role_key`, `kind`, `side`, `minutes`. A line
    whose role key is empty says what an account gave for it all, or was left with; the others are
    what people did.
    """
    newest = (
        select(settlements.c.gathering_id, func.max(settlements.c.number).label("number"))
        .join(entries, _same_entry())
        .where(settlements.c.community_id == community, entries.c.state == State.APPROVED.value)
        .group_by(settlements.c.gathering_id)
        .subquery()
    )
    return (
        select(
            settlement_lines.c.gathering_id,
            entries.c.occurred_on.label("day"),
            settlement_lines.c.account_id,
            settlement_lines.c.role_key,
            settlement_lines.c.kind,
            settlement_lines.c.side,
            settlement_lines.c.minutes,
        )
        .join(
            newest,
            and_(
                newest.c.gathering_id == settlement_lines.c.gathering_id,
                newest.c.number == settlement_lines.c.number,
            ),
        )
        .join(
            settlements,
            and_(
                settlements.c.community_id == settlement_lines.c.community_id,
                settlements.c.gathering_id == settlement_lines.c.gathering_id,
                settlements.c.number == settlement_lines.c.number,
            ),
        )
        .join(entries, _same_entry())
        .where(settlement_lines.c.community_id == community)
    )


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:  # noqa: ARG001
    """Gatherings whose list is closed and whose hours nobody sent to approval: `id`, `since`."""
    step, later = attendance_steps, _LATER
    last = (
        select(func.max(later.c.number))
        .where(later.c.community_id == community, later.c.gathering_id == gatherings.c.id)
        .correlate(gatherings)
        .scalar_subquery()
    )
    sent = (
        select(settlements.c.number)
        .join(entries, _same_entry())
        .where(
            settlements.c.community_id == community,
            settlements.c.gathering_id == gatherings.c.id,
            entries.c.state.in_([state.value for state in OPEN]),
        )
    )
    return (
        select(gatherings.c.id, step.c.at.label("since"))
        .select_from(gatherings)
        .join(
            step,
            and_(
                step.c.community_id == gatherings.c.community_id,
                step.c.gathering_id == gatherings.c.id,
                step.c.number == last,
                step.c.kind == StepKind.CLOSED.value,
            ),
        )
        .where(
            gatherings.c.community_id == community,
            gatherings.c.state == GatheringState.HELD.value,
            ~sent.exists(),
        )
    )


_NUMBER = settlements.c.number
_LATER = attendance_steps.alias("later")


def _all(community: UUID) -> Select[Any]:
    return (
        select(
            settlements,
            members.c.name.label("made_by_name"),
            entries.c.state.label("entry_state"),
            entries.c.posted_at,
        )
        .join(entries, _same_entry())
        .join(
            members,
            and_(
                members.c.community_id == settlements.c.community_id,
                members.c.id == settlements.c.made_by,
            ),
        )
        .where(settlements.c.community_id == community)
    )


def _settlement(row: Any) -> Settlement:
    return Settlement(
        row.gathering_id,
        row.number,
        row.entry_id,
        row.corrects,
        Rule(row.rule),
        row.reason,
        row.made_by,
        row.made_by_name,
        row.made_at,
        State(row.entry_state),
        row.posted_at,
    )


def _newest(story: Iterable[Settlement]) -> Sequence[Settlement]:
    return sorted(story, key=lambda one: -one.number)


def _same_entry() -> Any:
    return and_(
        entries.c.community_id == settlements.c.community_id,
        entries.c.id == settlements.c.entry_id,
    )
