"""The time bank's own door: 32 coordinators approve at once, each one entry after another.

What a posting brings with it is written in the same transaction: the entry's state, tallies, the
step in its story, the audit line and the mails. The entries were written down beforehand. The peer
is one coordinator alone, who approves one entry after another through the same door.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from benchmarks.callers import Ask, closed_loop, run
from benchmarks.places import on_postgres, on_sqlite, opened
from benchmarks.results import Row, Size
from benchmarks.town import Town, a_town
from benchmarks.turns import Plan, Side, take
from timebank import posting
from timebank.config import Settings
from timebank.members import Member
from timebank.moment import Moment

_PLANS = (Plan(1, 0, 0.1), Plan(2, 1, 1.0), Plan(3, 1, 2.0), Plan(3, 1, 2.0))


def rows(size: Size) -> Iterator[Row]:
    """Approvals on both databases."""
    with on_postgres() as (_server, settings):
        yield run(partial(_measured, "PostgreSQL", settings, size))
    with on_sqlite() as settings:
        yield run(partial(_measured, "SQLite", settings, size))


async def _measured(name: str, settings: Settings, size: Size) -> Row:
    async with opened(settings) as (db, _ledger):
        town = await a_town(db, members=size.of(10, 200, 200), coordinators=32)
        crowd = _approved(town, town.coordinators)
        single = _approved(town, town.coordinators[:1])
        found = await take(_PLANS[size], {"one": single, "ours": crowd})
        sound = await town.sound()
    return found.row(
        f"{name}: 32 coordinators approve at once ÷ one coordinator alone",
        "ours",
        "one",
        goal=None,
        sound=sound,
        note="with states, tallies, steps, audit and mails in the same transaction",
    )


def _approved(town: Town, coordinators: tuple[Member, ...]) -> Side:
    """These coordinators approve what was written down for it; the first turn finds how much."""
    rate = 0.0

    async def side(seconds: float) -> float:
        nonlocal rate
        waiting = await town.recorded(max(2 * len(coordinators), round(1.3 * rate * seconds)))
        asks = [_approve(town, one) for one in coordinators]
        rate = (await closed_loop(asks, waiting, seconds)).rate
        return rate

    return side


def _approve(town: Town, coordinator: Member) -> Ask[UUID]:
    async def ask(entry: UUID) -> None:
        asked = posting.Approve(town.community.id, entry, coordinator.id)
        (verdict,) = await posting.post(town.db, [asked], now=Moment.now())
        if not isinstance(verdict, posting.Done) or verdict.replayed:
            raise RuntimeError(f"an approval was not done: {verdict}")

    return ask
