"""Posting 32 entries: in one call and one commit, or one by one with a commit each.

Both go through `ledger.sql.store.post`, into fresh communities of the same database, in turns
A B A B, so that whatever else the machine does meets both. What counts is the ratio. Commits reach
the disk (SQLite: `synchronous=FULL`; PostgreSQL: fsync on). The books are verified afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID

from ledger import AccountKind, JournalEntry, Minutes, Posted, Transfer
from ledger.sql import store
from ledger.sql.verify import verify
from tests.infrastructure import postgres
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database
from timebank.moment import Moment

ENTRIES = 32
MEMBERS = 64
TURNS = 15
WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A community with a commons and members, and dice of its own."""

    id: UUID
    members: tuple[UUID, ...]
    dice: Random

    def moment(self) -> Moment:
        """Now, with ids from the dice."""
        return Moment(datetime.now(UTC), self.dice.randbytes)

    def entries(self, *, hot: bool) -> list[JournalEntry]:
        """One transfer each: from the commons (`hot`), or between two members at random."""
        now = self.moment()
        found = []
        for _ in range(ENTRIES):
            source, destination = self.dice.sample(self.members, 2)
            transfer = Transfer(self.id if hot else source, destination, Minutes(60))
            commitment = hashlib.sha256(self.dice.randbytes(16)).digest()
            found.append(JournalEntry(now.new_id(), (transfer,), now.at.date(), commitment))
        return found


async def _place(db: Database, seed: int) -> Place:
    dice = Random(seed)
    now = Moment(datetime.now(UTC), dice.randbytes)
    place = Place(now.new_id(), tuple(now.new_id() for _ in range(MEMBERS)), dice)
    async with db.write() as conn:
        await store.open_journal(conn, place.id, now.at)
        await store.open_account(conn, place.id, place.id, AccountKind.COMMONS, now.at)
        for member in place.members:
            await store.open_account(conn, place.id, member, AccountKind.MEMBER, now.at)
    return place


async def _together(db: Database, place: Place, entries: Sequence[JournalEntry]) -> None:
    async with db.write() as conn:
        verdicts = await store.post(conn, place.id, entries, place.moment().at)
    _expect_posted(verdicts)


async def _one_by_one(db: Database, place: Place, entries: Sequence[JournalEntry]) -> None:
    for entry in entries:
        async with db.write() as conn:
            verdicts = await store.post(conn, place.id, [entry], place.moment().at)
        _expect_posted(verdicts)


def _expect_posted(verdicts: Sequence[object]) -> None:
    if not all(isinstance(verdict, Posted) for verdict in verdicts):
        raise RuntimeError("a benchmark's entry was refused")


Way = Callable[[Database, Place, Sequence[JournalEntry]], Awaitable[None]]


async def _timed(way: Way, db: Database, place: Place, *, hot: bool) -> float:
    entries = place.entries(hot=hot)
    start = time.perf_counter()
    await way(db, place, entries)
    return time.perf_counter() - start


async def _compare(name: str, db: Database, *, hot: bool) -> bool:
    """Measure in turns, print a line, and say whether the books verify."""
    places = {_one_by_one: await _place(db, 1), _together: await _place(db, 2)}
    times: dict[Way, list[float]] = {_one_by_one: [], _together: []}
    for turn in range(WARM_UP + TURNS):
        for way, place in places.items():
            seconds = await _timed(way, db, place, hot=hot)
            if turn >= WARM_UP:
                times[way].append(seconds)
    ratios = sorted(a / b for a, b in zip(times[_one_by_one], times[_together], strict=True))
    rates = [ENTRIES / statistics.median(times[way]) for way in (_one_by_one, _together)]
    sound = all([await _sound(db, place) for place in places.values()])
    print(
        f"{name:<12} {'commons' if hot else 'members':<9} {rates[0]:>8.0f}/s {rates[1]:>8.0f}/s"
        f"   {statistics.median(ratios):>5.1f} [{ratios[0]:.1f}-{ratios[-1]:.1f}]"
        f"   {'sound' if sound else 'NOT SOUND'}"
    )
    return sound


async def _sound(db: Database, place: Place) -> bool:
    async with db.read() as conn:
        return (await verify(conn, place.id)).sound


async def _on(name: str, settings: Settings) -> bool:
    db = Database(settings)
    await db.start()
    try:
        return all([await _compare(name, db, hot=hot) for hot in (False, True)])
    finally:
        await db.stop()


def main() -> int:
    """Run on SQLite and PostgreSQL. Exit code 1 when some book does not verify."""
    print(f"{ENTRIES} entries, {TURNS} turns; entries a second, median ratio [least-most]\n")
    print("database     source   one by one   together   ratio")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url="")
        migrate.upgrade(settings)
        sound = asyncio.run(_on("SQLite", settings))
        with postgres.running(durable=True) as server:
            url = asyncio.run(server.create_database("bench"))
            settings = Settings(data=Path(folder), database_url=url)
            migrate.upgrade(settings)
            sound = asyncio.run(_on("PostgreSQL", settings)) and sound
    return 0 if sound else 1
