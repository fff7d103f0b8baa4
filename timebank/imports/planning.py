"""Saying of each row what bringing it in would do. Each kind of thing has a planner of its own.

    rows ─► planner.plan ─► Said, one each     a verdict, the reason, remarks, and what to do
                              └─► planner.write     does it, in the transaction of the whole file

A planner is asked for all rows of a file in their order, because a row may depend on those before
it. Asked again, it says the same; what was added since is there then. So the check is the run: the
run asks once more, and goes on only if every word is the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import acting, agreements, communities
from timebank.acting import Actor
from timebank.agreements import Agreement
from timebank.communities import Community
from timebank.imports import who as everyone
from timebank.imports.cells import BadCell
from timebank.imports.files import File, Row, Verdict
from timebank.imports.matching import Settings
from timebank.imports.who import Who
from timebank.moment import Moment

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one row.

    `reason` is a key of a sentence, `facts` are plain values for it, `remarks` more of such pairs.
    `do` is what `write` takes, as JSON can say it; None where there is nothing to do.
    """

    number: int
    verdict: Verdict
    reason: str
    facts: Facts = field(default_factory=dict)
    remarks: tuple[tuple[str, Facts], ...] = ()
    day: date | None = None
    do: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """All but number, verdict and day, as it is kept with the row."""
        found: dict[str, Any] = {"reason": self.reason, "facts": dict(self.facts)}
        if self.remarks:
            found["remarks"] = [[key, dict(facts)] for key, facts in self.remarks]
        if self.do is not None:
            found["do"] = dict(self.do)
        return found

    def same_as(self, row: Row) -> bool:
        """Whether a row was told just this when it was checked."""
        said = json.loads(json.dumps(self.as_json()))
        return self.verdict is row.verdict and said == row.says and self.day == row.day


class Mistake(Exception):
    """A row cannot be brought in as it stands."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the planners of a file know."""

    file: File
    place: Community
    agreement: Agreement
    actor: Actor
    settings: Settings
    who: Who
    now: Moment
    today: date


class Planner(Protocol):
    """Plans and writes one kind of thing."""

    by_day: bool
    """Whether rows are written in the order of their days."""

    async def plan(self, conn: AsyncConnection, rows: Sequence[Row]) -> list[Said]:
        """What each of the next rows would do."""

    async def write(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Do what was said of these rows, which have something to do."""

    async def finish(self, conn: AsyncConnection) -> None:
        """Do what comes after all rows."""


async def scene(
    conn: AsyncConnection, file: File, settings: Settings, *, by: Any, now: Moment
) -> Scene:
    """Read all that planning depends on."""
    place = await communities.by_id(conn, file.community_id)
    return Scene(
        file,
        place,
        await agreements.current(conn, file.community_id),
        await acting.active(conn, file.community_id, by),
        settings,
        await everyone.everybody(conn, place),
        now,
        now.day_in(place.timezone),
    )


def mistaken(row: Row, fault: Mistake | BadCell) -> Said:
    """What is said of a row with a mistake."""
    if isinstance(fault, BadCell):
        facts: dict[str, Any] = {"text": fault.text, "limit": fault.limit}
        return Said(row.number, Verdict.MISTAKE, fault.reason, facts)
    return Said(row.number, Verdict.MISTAKE, fault.reason, fault.facts)
