"""The primary is killed under load and the standby promoted: what was acknowledged is there.

    callers ──► Ledger ──► the primary ~~~~► the standby
                             killed           promoted; the callers find it by themselves
                             comes back and still takes itself for the primary: left alone
                             made anew as a standby, and killed next

Now and then the standby is cut off a moment before the kill, so that it misses what is posted
then. With a synchronous standby nobody is told "posted" meanwhile, and so nothing is lost. With an
asynchronous one callers are told so, and it is lost for certain: the control, which has to be seen.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from ledger import AccountKind, JournalEntry, LedgerError, Posted, PostedTransfer
from ledger.sql import Ledger, read, store
from ledger.sql.verify import verify
from tests.faults.plan import Fault, Outcome
from tests.infrastructure import replication
from tests.infrastructure.replication import Pair, ask
from tests.ledger.making import DAY, NOON, entry
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database

DATABASE = "timebank"
CALLERS = 8
COMMUNITIES = (UUID(int=0xC0), UUID(int=0xC1))
ACCOUNTS = tuple(UUID(int=0xA0 + number) for number in range(12))
FAILOVERS = 2  # in one trial: each server is the primary once, and comes back once

_HEADS = "SELECT coalesce(sum(seq), 0)::bigint FROM journal"


@dataclass
class Load:
    """Callers who post until they are told to stop, and the list of what they were told.

    Whoever gets no answer asks again under the same id, until there is one.
    """

    ledger: Ledger
    chances: Random
    told: dict[UUID, tuple[UUID, tuple[PostedTransfer, ...]]] = field(default_factory=dict)
    asked: dict[UUID, JournalEntry] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unanswered: int = 0
    stopping: bool = False
    going: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self) -> None:
        while await self.going.wait() and not self.stopping:
            community = self.chances.choice(COMMUNITIES)
            number = len(self.asked)
            source, destination = self.chances.sample(ACCOUNTS, 2)
            one = entry(number, (source, destination, self.chances.randint(1, 90)), day=DAY)
            self.asked[one.id] = one
            await self._post(community, one)
            await asyncio.sleep(0)

    async def _post(self, community: UUID, one: JournalEntry) -> None:
        while True:
            try:
                verdict = await self.ledger.post(community, one, NOON)
            except (LedgerError, OSError, DBAPIError):
                self.unanswered += 1
                await asyncio.sleep(0.01)
                continue
            if isinstance(verdict, Posted):
                self.told[one.id] = (community, verdict.transfers)
            else:
                self.wrong.append(f"{one.id} was refused: {verdict.error}")
            return

    async def more(self, count: int, within: float = 15) -> bool:
        """Wait until so many more were acknowledged; whether they were."""
        wanted = len(self.told) + count
        given_up = time.monotonic() + within
        while len(self.told) < wanted:
            if time.monotonic() > given_up:
                return False
            await asyncio.sleep(0.005)
        return True


def trial(seed: int, folder: Path, *, synchronous: bool) -> Outcome:
    """A new pair of servers, and two failovers under load."""
    with replication.running(synchronous=synchronous) as pair:
        settings = Settings(data=folder, database_url=pair.url(DATABASE))
        ask(pair.primary, f"CREATE DATABASE {DATABASE}")
        migrate.upgrade(settings)
        return asyncio.run(_fail_over(pair, settings, Random(seed)))


async def _fail_over(pair: Pair, settings: Settings, chances: Random) -> Outcome:
    counts: Counter[str] = Counter()
    db = Database(settings)
    try:
        await _open(db)
        load = Load(Ledger(db.posting), chances)
        async with asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(load.call())
            for number in range(FAILOVERS):
                load.going.set()
                await _one_failover(pair, db, load, counts)
                load.going.clear()  # so that the standby is made faster
                if number + 1 < FAILOVERS:
                    await asyncio.to_thread(pair.rejoin)
            load.stopping = True
            load.going.set()
        wrong = [*load.wrong, *await _compare(db, load)]
    finally:
        await db.stop()
    counts["acknowledged"] = len(load.told)
    counts["unanswered"] = load.unanswered
    return Outcome(counts, tuple(wrong))


async def _open(db: Database) -> None:
    for community in COMMUNITIES:
        async with db.write(community) as conn:
            await store.open_journal(conn, community, NOON)
            for account in ACCOUNTS:
                await store.open_account(conn, community, account, AccountKind.MEMBER, NOON)


async def _one_failover(pair: Pair, db: Database, load: Load, counts: Counter[str]) -> None:
    """Kill the primary, promote the standby, and let the dead one come back meanwhile."""
    if not await load.more(50):
        load.wrong.append("nothing was posted before the kill")
    if not pair.synchronous or load.chances.random() < 0.5:
        await asyncio.to_thread(pair.cut_off)
        counts["cut_off"] += 1
        if not pair.synchronous and not await load.more(50):
            load.wrong.append("an asynchronous primary waited for its standby")
    await asyncio.sleep(load.chances.uniform(0, 0.3))
    began = time.monotonic()
    await asyncio.to_thread(pair.kill_primary)
    await asyncio.to_thread(pair.promote)
    if not await load.more(1):
        load.wrong.append("nobody found the new primary")
    counts["recovery_milliseconds"] += round(1000 * (time.monotonic() - began))
    await _let_the_former_return(pair, db, load)
    counts["failovers"] += 1


async def _let_the_former_return(pair: Pair, db: Database, load: Load) -> None:
    """It takes itself for the primary still; nobody may write to it, old callers or new ones."""
    former = pair.standby
    await asyncio.to_thread(former.start)
    before: int = await asyncio.to_thread(ask, former, _HEADS, DATABASE)
    for engine in db.engines:
        await engine.dispose()  # as if all connections had broken once more
    newcomer = Database(db.settings)
    try:
        async with newcomer.write(COMMUNITIES[0]) as conn:
            one = entry(10**6 + before, (ACCOUNTS[0], ACCOUNTS[1], 1))
            await store.post(conn, COMMUNITIES[0], [one], NOON)
    finally:
        await newcomer.stop()
    if not await load.more(20):
        load.wrong.append("the former primary's return stopped the work")
    if await asyncio.to_thread(ask, former, _HEADS, DATABASE) != before:
        load.wrong.append("somebody wrote to the former primary")


async def _compare(db: Database, load: Load) -> list[str]:
    """What was acknowledged is there once and unchanged, and the books verify."""
    wrong: list[str] = []
    for community in COMMUNITIES:
        async with db.read(community) as conn:
            rows = [row async for row in read.transfers(conn, community)]
            report = await verify(conn, community)
        wrong += [str(finding) for finding in report.findings]
        wrong += _missing(load, community, rows)
        doubled = [id for id, times in Counter(row.entry_id for row in rows).items() if times > 1]
        wrong += [f"{id} is in the journal more than once" for id in doubled]
    return wrong


def _missing(load: Load, community: UUID, rows: Sequence[PostedTransfer]) -> list[str]:
    there = {row.entry_id: row for row in rows}
    told = [
        transfer
        for place, transfers in load.told.values()
        if place == community
        for transfer in transfers
    ]
    lost = sum(transfer.entry_id not in there for transfer in told)
    changed = sum(there.get(one.entry_id, one) != one for one in told)
    return [
        *([f"{lost} of {len(told)} acknowledged entries are lost"] if lost else []),
        *([f"{changed} of {len(told)} stand otherwise than acknowledged"] if changed else []),
    ]


FAULTS = (
    Fault("failover-synchronous", "failovers", 4, 500, partial(trial, synchronous=True)),
    Fault(
        "failover-asynchronous",
        "failovers",
        2,
        100,
        partial(trial, synchronous=False),
        control=True,
    ),
)
