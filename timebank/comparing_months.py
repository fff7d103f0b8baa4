"""Comparing the day for which each posted entry counts with the months closed when it was posted.

Told from the story of the months and the numbers of the journal, and shares nothing with what
posting does: where a month was closed is where the journal ended then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import raw
from timebank import communities
from timebank.communities import Community
from timebank.months import StepKind, closings, months, steps

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a community's months were closed: after which number of the journal, up to which one.

    Months go by their first days. None for the second number: it is closed still.
    """

    place: Community
    spelled: raw.Spelling
    closed: dict[date, list[tuple[int, int | None]]]

    @property
    def ever_closed(self) -> bool:
        """Whether any month was ever closed."""
        return bool(self.closed)

    def agrees(self, counted: Any, day: Any, posted_at: Any, seq: int) -> bool:
        """Whether what was posted under this number, for `day`, counts when it should.

        Days and moments are as the driver has them; None, or what is no day, agrees with nothing.
        """
        try:
            counts, own = self.spelled.day(counted), self.spelled.day(day)
        except (TypeError, ValueError):  # nothing, or changed by hand
            return False
        if counts is None or own is None:
            return False
        if not self._was_closed(own, seq):
            return counts == own
        month = _first(own)
        while self._was_closed(month, seq):
            month = _first(month + timedelta(days=31))
        end = _first(month + timedelta(days=31)) - _ONE_DAY
        posted_on = self.place.day_of(self.spelled.moment(posted_at))
        return counts == sorted((month, posted_on, end))[1]

    def _was_closed(self, day: date, seq: int) -> bool:
        return any(
            after < seq and (up_to is None or seq <= up_to)
            for after, up_to in self.closed.get(_first(day), ())
        )


def _first(day: date) -> date:
    return day.replace(day=1)


async def calendar(conn: AsyncConnection, community: UUID) -> Calendar:
    """The calendar, from the steps of the months."""
    rows = await conn.execute(
        select(months.c.first_day, steps.c.kind, steps.c.seq)
        .join(
            steps,
            (steps.c.community_id == months.c.community_id) & (steps.c.month_id == months.c.id),
        )
        .where(
            months.c.community_id == community,
            steps.c.kind.in_([StepKind.CLOSED.value, StepKind.REOPENED.value]),
        )
        .order_by(months.c.first_day, steps.c.number)
    )
    closed: dict[date, list[tuple[int, int | None]]] = {}
    for row in rows:
        times = closed.setdefault(row.first_day, [])
        if row.kind == StepKind.CLOSED.value:
            times.append((row.seq, None))
        elif times:
            times[-1] = (times[-1][0], row.seq)
    place = await communities.by_id(conn, community)
    return Calendar(place, raw.spelling(conn), closed)


async def damaged_reports(conn: AsyncConnection, community: UUID) -> list[str]:
    """A sentence for each kept report that is not as it was kept."""
    rows = await conn.execute(
        select(months.c.first_day, closings.c.number, closings.c.report, closings.c.digest)
        .join(
            closings,
            (closings.c.community_id == months.c.community_id)
            & (closings.c.month_id == months.c.id),
        )
        .where(months.c.community_id == community)
        .order_by(months.c.first_day, closings.c.number)
    )
    return [
        f"the report of {row.first_day:%Y-%m}, closing {row.number}, is not as it was kept"
        for row in rows
        if sha256(row.report.encode()).digest() != row.digest
    ]
