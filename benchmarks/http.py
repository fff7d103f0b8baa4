"""The pages as browsers use them: write hours down, approve them, read the statement.

The server is `timebank serve`, one process with its housekeeping; the browsers are in this one, on
the same machine, each with its connection kept open. A round is five requests of two people, each
the next after the answer to the one before:

    a member        opens the form, and sends it with its hidden fields
    a coordinator   opens the entry, and approves it
    the member      reads the statement

Everyone is signed in already: no password is hashed meanwhile.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks import profiled
from benchmarks.browser import Answer, Browser
from benchmarks.callers import Taken, run
from benchmarks.machine import Watch
from benchmarks.places import on_postgres, on_sqlite
from benchmarks.results import Row, Size, alone
from benchmarks.serving import free_port, served
from benchmarks.town import Town, a_town
from timebank.config import Settings
from timebank.db import Database

_CROWDS = (1, 8, 32)
_STEPS = ("form", "record", "entry", "approve", "statement")


@dataclass(slots=True)
class Visits:
    """The waits for each of the five requests."""

    steps: dict[str, Taken] = field(default_factory=lambda: {step: Taken() for step in _STEPS})

    async def measured(self, step: str, asked: Awaitable[Answer]) -> Answer:
        """The answer, with the time it took noted."""
        start = time.perf_counter()
        answer = await asked
        self.steps[step].waits.append(time.perf_counter() - start)
        return answer

    def all(self, seconds: float) -> Taken:
        """All requests together."""
        return Taken(seconds, [wait for step in self.steps.values() for wait in step.waits])

    def told(self, seconds: float) -> str:
        """Median and 99th percentile in milliseconds, of all and of each."""
        each = [
            f"{step} {taken.percentile(50):.0f}/{taken.percentile(99):.0f}"
            for step, taken in self.steps.items()
        ]
        every = self.all(seconds)
        return (
            f"p50/p99 {every.percentile(50):.0f}/{every.percentile(99):.0f} ms; {', '.join(each)}"
        )


@dataclass(frozen=True, slots=True)
class Couple:
    """A member who writes hours down and a coordinator who approves them, with their browsers."""

    member: Browser
    coordinator: Browser
    other: str  # the name of whoever was helped
    path: str  # of the community

    async def round(self, visits: Visits) -> None:
        """The five requests, one after another."""
        form = await visits.measured("form", self.member.get(f"{self.path}entries/new?side=gave"))
        sheet = form.hidden() | {
            "act": "record",
            "receiver-0": self.other,
            "minutes": "1:00",
            "day": time.strftime("%Y-%m-%d", time.gmtime()),
            "kind": "help",
            "category": "",
            "note": "The garden",
        }
        done = await visits.measured("record", self.member.post(f"{self.path}entries/", sheet))
        entry = done.headers["location"]
        await visits.measured("entry", self.coordinator.get(entry))
        await visits.measured("approve", self.coordinator.post(f"{entry}/approve", {}))
        await visits.measured("statement", self.member.get(f"{self.path}statement"))

    async def open(self) -> None:
        """Connect both."""
        await self.member.open()
        await self.coordinator.open()

    async def close(self) -> None:
        """Hang up both."""
        await self.member.close()
        await self.coordinator.close()


def rows(size: Size) -> Iterator[Row]:
    """Both databases, with 1, 8 and 32 couples."""
    with on_postgres() as (_server, settings):
        yield from run(partial(_measured, "PostgreSQL", settings, size))
    with on_sqlite() as settings:
        yield from run(partial(_measured, "SQLite", settings, size))


async def _measured(name: str, settings: Settings, size: Size) -> list[Row]:
    settings = replace(settings, port=free_port())
    settings = replace(settings, base_url=f"http://127.0.0.1:{settings.port}")
    turns, seconds = size.of(1, 2, 3), (0.3, 2.0, 6.0, 6.0)[size]
    crowds = _CROWDS[: size.of(1, 3, 3)]
    db = Database(settings)
    await db.start()
    try:
        town = await a_town(db, members=2 * max(crowds), coordinators=max(crowds))
        couples = await _couples(town, settings.port, max(crowds))
        async with served(settings):
            await _busy(couples, seconds / 2)
            found = [await _row(name, couples[:crowd], turns, seconds) for crowd in crowds]
        spent = await _profile(settings, couples[:8], seconds)
        sound = await town.sound()
    finally:
        await db.stop()
    last = replace(found[-1], note=f"{found[-1].note}. Working time with 8 couples: {spent}")
    return [replace(row, sound=sound) for row in (*found[:-1], last)]


async def _row(name: str, couples: Sequence[Couple], turns: int, seconds: float) -> Row:
    """So many couples, in a few turns; the waits noted are those of the last."""
    rates, watch = [], Watch()
    for _ in range(turns):
        visits, taken = await _busy(couples, seconds)
        rates.append(visits.all(taken).rate)
    many = "1 couple" if len(couples) == 1 else f"{len(couples)} couples"
    return alone(
        f"{name}, pages: {many} record, approve and read a statement",
        rates,
        goal=None,
        unit="requests/s",
        sound=True,
        note=visits.told(taken),
        foreign=watch.foreign(),
    )


async def _busy(couples: Sequence[Couple], seconds: float) -> tuple[Visits, float]:
    """The couples go round and round; their waits, and how long it took."""
    visits, start = Visits(), time.perf_counter()

    async def rounds(couple: Couple) -> None:
        while time.perf_counter() - start < seconds:
            await couple.round(visits)

    for couple in couples:
        await couple.open()
    await asyncio.gather(*map(rounds, couples))
    taken = time.perf_counter() - start
    for couple in couples:
        await couple.close()
    return visits, taken


async def _couples(town: Town, port: int, count: int) -> list[Couple]:
    members, helped = town.members[:count], town.members[count:]
    theirs = await town.sessions(members)
    coordinators = await town.sessions(town.coordinators)
    return [
        Couple(
            Browser(port, {"session": token}),
            Browser(port, {"session": coordinator}),
            other.name,
            f"/c/{town.community.slug}/",
        )
        for token, coordinator, other in zip(theirs, coordinators, helped, strict=True)
    ]


async def _profile(settings: Settings, couples: Sequence[Couple], seconds: float) -> str:
    """Which parts of the server work how much, in percent."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "profile")
        async with served(settings, "benchmarks.profiled", file):
            await _busy(couples, seconds)
        found = profiled.shares(file)
    return ", ".join(f"{part} {share:.0%}" for part, share in found.items() if share >= 0.01)
