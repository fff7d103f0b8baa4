"""The line to PostgreSQL is cut inside COMMIT: before the server hears of it, or before its answer.

    neighbours ──forms──► the application ──┐
                                            ├──► proxy that cuts ──► PostgreSQL
    callers ──► the door, and the ledger ───┘

Nobody can know then whether it was done. The door finds out by itself, with the same id, while the
caller waits; where something is written without it, people are told "we are checking", and find
out by looking, or by sending the same form again. Each has to come out right.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy.engine import make_url

from ledger import AccountKind, LedgerError, Posted, PostedTransfer
from ledger.sql import Ledger, read, store
from ledger.sql.verify import verify
from tests.faults import holding, proxy, street
from tests.faults.application import served
from tests.faults.kill_app import in_the_end
from tests.faults.neighbours import Neighbours, everybody
from tests.faults.plan import Fault, Outcome
from tests.faults.proxy import Cut, Proxy
from tests.infrastructure import postgres
from tests.ledger.making import NOON, entry
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database
from timebank.posting import Approve, Done, Request, Undo, post, reversal_id

_CUTS = 50  # in one trial
_CHANCE = 0.4  # that a commit is cut
_CALLERS = 8
_LONGEST = 120  # seconds a trial's load may take

BOOK = UUID(int=0xC0)
ACCOUNTS = tuple(UUID(int=0xA0 + number) for number in range(6))


def through_pages(seed: int, folder: Path) -> Outcome:
    """The application behind the proxy, with neighbours at its pages."""
    with _server(folder) as (straight, cut):
        there = street.on_postgres(straight)
        return asyncio.run(_through_pages(straight, cut, there, Random(seed), folder))


async def _through_pages(
    straight: Settings, cut: Settings, there: street.Street, chances: Random, folder: Path
) -> Outcome:
    async with (
        _between(straight, folder) as line,
        served(cut, folder / "log") as application,
        Neighbours(there, chances, application.address) as people,
    ):
        pid = await application.start()
        await application.ready(pid)
        line.choose = _cutting(line, chances)
        everyone = [asyncio.create_task(people.live(name, pause=0.02)) for name in everybody()]
        late = await _until_cut(line, lambda: bool(people.wrong))
        people.stopping = True
        await asyncio.gather(*everyone)
        line.choose = lambda: None
        found = await holding.look(straight, folder / "scratch")
        people.counts["written_unanswered"] += holding.written(found, people.open)
        people.wrong += holding.compare(found, people)
        if people.counts["turned_away"]:
            people.wrong.append(f"{people.counts['turned_away']} were turned away for no reason")
        await people.settle()
        await application.end(pid, signal.SIGTERM)
        wrong = [*late, *await in_the_end(straight, people, folder)]
        if wrong:
            wrong.append(application.last_words())
    return Outcome(_counted(line, people.acknowledged) | people.counts, tuple(wrong))


def at_the_door(seed: int, folder: Path) -> Outcome:
    """Callers in this process: approvals and undoings at the door, plain entries at the ledger."""
    with _server(folder) as (straight, cut):
        migrate.upgrade(straight)
        return asyncio.run(_at_the_door(straight, cut, Random(seed), folder))


@dataclass
class _Callers:
    """Who asks at the door and at the ledger, and what they were told."""

    road: MillRoad
    behind: Database
    ledger: Ledger
    chances: Random
    told: dict[UUID, int] = field(default_factory=dict)
    rows: dict[UUID, tuple[PostedTransfer, ...]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unknown: int = 0
    number: int = 0
    stopping: bool = False

    async def at_the_door(self) -> None:
        """Write an entry down on a line that is never cut, approve it, and perhaps undo it."""
        road = self.road
        while not self.stopping and not self.wrong:
            minutes = 15 * self.chances.randint(1, 8)
            written = await road.record(helped(road.ana, road.bert, minutes), road.ana)
            await self._ask(Approve(road.id, written.id, road.carla.id), written.id)
            if self.chances.random() < 0.3:
                undo = Undo(road.id, written.id, road.dora.id, "Written down twice.")
                await self._ask(undo, reversal_id(written.id))

    async def at_the_ledger(self) -> None:
        """Post plain entries; alone, each is one statement that is a transaction by itself."""
        while not self.stopping and not self.wrong:
            self.number += 1
            source, destination = self.chances.sample(ACCOUNTS, 2)
            one = entry(self.number, (source, destination, self.chances.randint(1, 90)))
            verdict = await self._until_known(partial(self.ledger.post, BOOK, one, NOON))
            if isinstance(verdict, Posted):
                self.rows[one.id] = verdict.transfers
            else:
                self.wrong.append(f"entry {self.number} was answered {verdict}")

    async def _ask(self, request: Request, id: UUID) -> None:
        answer = await self._until_known(partial(post, self.behind, [request], now=at(days=1)))
        if answer and isinstance(answer[0], Done):
            self.told[id] = answer[0].transfers
        else:
            self.wrong.append(f"{request} was answered {answer}")

    async def _until_known(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask, and again under the same id as long as the answer is that nobody knows."""
        for _ in range(10):
            try:
                return await ask()
            except LedgerError:
                self.unknown += 1
        return None


async def _at_the_door(straight: Settings, cut: Settings, chances: Random, folder: Path) -> Outcome:
    front, behind = Database(straight), Database(cut)
    try:
        async with _between(straight, folder) as line:
            road = await mill_road(front)
            await _open_book(front)
            callers = _Callers(road, behind, Ledger(behind.posting), chances)
            line.choose = _cutting(line, chances)
            everyone = [asyncio.create_task(callers.at_the_door()) for _ in range(_CALLERS)]
            everyone.append(asyncio.create_task(callers.at_the_ledger()))
            late = await _until_cut(line, lambda: any(one.done() for one in everyone))
            callers.stopping = True
            await asyncio.gather(*everyone)
            line.choose = lambda: None
            await callers.ledger.drain()
            await behind.stop()
        wrong = [*late, *callers.wrong, *await _compare(front, callers)]
        if callers.unknown:
            wrong.append(f"{callers.unknown} did not find out while they waited")
    finally:
        await front.stop()
        await behind.stop()
    counts = _counted(line, len(callers.told) + len(callers.rows)) | {"unknown": callers.unknown}
    return Outcome(counts, tuple(wrong[:20]))


async def _open_book(db: Database) -> None:
    async with db.write(BOOK) as conn:
        await store.open_journal(conn, BOOK, NOON)
        for account in ACCOUNTS:
            await store.open_account(conn, BOOK, account, AccountKind.MEMBER, NOON)


async def _compare(db: Database, callers: _Callers) -> list[str]:
    """Everything was answered, so the journals hold exactly that, and the books verify."""
    wrong: list[str] = []
    for community in (BOOK, callers.road.id):
        async with db.read(community) as conn:
            rows = [row async for row in read.transfers(conn, community)]
            report = await verify(conn, community)
        wrong += [str(finding) for finding in report.findings]
        if community == BOOK:
            told = {row for rows in callers.rows.values() for row in rows}
            if told != set(rows) or len(told) != len(rows):
                wrong.append(f"{len(told)} transfers were acknowledged and {len(rows)} are there")
        elif Counter(row.entry_id for row in rows) != Counter(callers.told):
            wrong.append(f"{len(callers.told)} were acknowledged, and {len(rows)} are there")
    try:
        await callers.road.assert_sound()
    except AssertionError as error:
        wrong.append(f"the books are not sound: {error}")
    return wrong


@contextmanager
def _server(folder: Path) -> Iterator[tuple[Settings, Settings]]:
    """A server of its own: settings that lead straight to it, and others through the proxy."""
    with postgres.running() as server:
        asyncio.run(server.create_database("street"))
        straight = Settings(data=folder / "data", database_url=server.url("street"))
        through = make_url(straight.url).update_query_dict({"host": str(folder)})
        yield (
            straight,
            Settings(
                data=folder / "data", database_url=through.render_as_string(hide_password=False)
            ),
        )


def _between(straight: Settings, folder: Path) -> Any:
    """The proxy in front of that server."""
    return proxy.between(Path(str(make_url(straight.url).query["host"])), folder)


def _cutting(line: Proxy, chances: Random) -> Callable[[], Cut | None]:
    """Cut some commits, here or there, until there are enough."""

    def choose() -> Cut | None:
        if line.cuts.total() >= _CUTS or chances.random() > _CHANCE:
            return None
        return chances.choice(list(Cut))

    return choose


async def _until_cut(line: Proxy, over: Callable[[], bool]) -> list[str]:
    """Wait for the last cut; a sentence if it does not come."""
    for _ in range(_LONGEST * 20):
        if line.cuts.total() >= _CUTS or over():
            return []
        await asyncio.sleep(0.05)
    return [f"only {line.cuts.total()} commits were cut in {_LONGEST} s"]


def _counted(line: Proxy, acknowledged: int) -> dict[str, int]:
    return {
        "cuts": line.cuts.total(),
        "cut_before": line.cuts[Cut.BEFORE],
        "cut_after": line.cuts[Cut.AFTER],
        "cut_alone": line.alone,
        "acknowledged": acknowledged,
    }


FAULTS = (
    Fault("cut-commit-pages", "cuts", 100, 10_000, through_pages),
    Fault("cut-commit-door", "cuts", 100, 10_000, at_the_door),
)
