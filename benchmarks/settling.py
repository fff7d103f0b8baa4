"""A gathering of two hundred is settled: one approval, one entry, two hundred transfers.

All of a posting is measured, from the request to the verdict: entry and attendance read afresh
under the locks, transfers, balances, tallies, the gathering's state, steps, audit, and the thanks
to everybody in the outbox. The lists were ticked and closed and the hours sent beforehand. A second
row tells how long the table takes that people look at before they send it. There is no peer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import insert

from benchmarks.callers import run
from benchmarks.machine import Watch
from benchmarks.places import on_postgres, on_sqlite, opened
from benchmarks.results import Row, Size, alone
from benchmarks.town import Town, a_town
from ledger import Minutes
from tests.timebank.evenings import a_duty, a_gathering
from timebank import attendance_closing, posting, settlement_steps
from timebank.config import Settings
from timebank.gatherings import Answer, seats
from timebank.moment import Moment

MILLISECONDS = 200.0  # at most, on SQLite, for two hundred people

_ROLES = ("host", "tea", "facilitate", "notes", "interpret", "childcare")


def rows(size: Size) -> Iterator[Row]:
    """Measure on both databases."""
    with on_sqlite() as settings:
        yield from run(partial(_measured, "SQLite", settings, size, MILLISECONDS))
    with on_postgres() as (_server, settings):
        yield from run(partial(_measured, "PostgreSQL", settings, size, None))


async def _measured(database: str, settings: Settings, size: Size, goal: float | None) -> list[Row]:
    people, evenings = size.of(6, 200, 200), size.of(1, 5, 15)
    watch = Watch()
    async with opened(settings) as (db, _ledger):
        town = await a_town(db, members=people, coordinators=1)
        plans, settled = [], []
        for number in range(evenings + 1):
            gathering = await _held(town, number)
            planned, took = await _settle(town, gathering)
            if number:  # the first one warms up
                plans.append(planned)
                settled.append(took)
        sound = await town.sound()
    name = f"{database}: a gathering of {people}"
    foreign = watch.foreign()
    note = "states, tallies, audit and everybody's thanks in the same transaction"
    return [
        alone(
            f"{name} is settled in one posting",
            settled,
            goal=goal,
            unit="ms",
            sound=sound,
            note=note,
            at_most=True,
            foreign=foreign,
        ),
        alone(
            f"{name}: the table that is looked at before",
            plans,
            goal=None,
            unit="ms",
            sound=sound,
            at_most=True,
            foreign=foreign,
        ),
    ]


async def _held(town: Town, number: int) -> UUID:
    """A gathering in which all members of the town were for different times; some carried roles."""
    now, place = Moment.now(), town.community.id
    async with town.db.write(place) as conn:
        id = await a_gathering(
            conn, place, town.members[0].id, title=f"Evening {number}", starts=timedelta(days=-1)
        )
        rows = [
            {
                "community_id": place,
                "id": now.new_id(),
                "gathering_id": id,
                "member_id": member.id,
                "name": "",
                "email": "",
                "from_words": "",
                "answer": Answer.YES.value,
                "words": "",
                "waiting": False,
                "present": Minutes(60 + (7 * place_ + number) % 61),
                "ticked_how": "list",
                "to_confirm": False,
            }
            for place_, member in enumerate(town.members)
        ]
        await conn.execute(insert(seats), rows)
        for row, key in zip(rows, _ROLES, strict=False):
            await a_duty(conn, place, id, UUID(str(row["id"])), key)
        await attendance_closing.close(conn, place, id, by=town.members[0].id, now=now)
    return id


async def _settle(town: Town, gathering: UUID) -> tuple[float, float]:
    """Send a gathering's hours and approve them: milliseconds of the table, and of the posting."""
    place, by = town.community.id, town.members[0].id
    start = time.perf_counter()
    async with town.db.read(place) as conn:
        plan = await settlement_steps.plan(conn, place, gathering, by=by)
    planned = time.perf_counter() - start
    async with town.db.write(place) as conn:
        entry = await settlement_steps.send(
            conn, place, gathering, seal=plan.seal, by=by, now=Moment.now()
        )
    assert entry is not None, "hours move"
    asked = posting.Approve(place, entry.id, town.coordinators[0].id)
    start = time.perf_counter()
    (verdict,) = await posting.post(town.db, [asked], now=Moment.now())
    took = time.perf_counter() - start
    if not isinstance(verdict, posting.Done) or verdict.transfers < len(town.members):
        raise RuntimeError(f"the gathering was not settled: {verdict}")
    return 1000 * planned, 1000 * took
