"""A file of 100,000 hours from before: read, checked, brought in and undone; seconds and memory.

The XLSX is made here, between five hundred people who are not members yet. It goes the way the
pages go: read by a process that can reach nothing, every row checked, all of them brought in as one
batch in one transaction, and undone. Memory is the most that this process held meanwhile, beyond
what it held before the file came. While it is brought in on SQLite, somebody reads a statement all
the time: the slowest look says how long reading waits for it. The books have to verify.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
import time
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from pathlib import Path

import uvloop
import xlsxwriter

from benchmarks.machine import Watch
from benchmarks.places import on_postgres, on_sqlite
from benchmarks.results import Row, Size, alone
from timebank import books, communities, members
from timebank.communities import Community
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.imports import checking, files, matching, reading, running, undoing
from timebank.imports.files import File
from timebank.members import Member, Role, Status
from timebank.moment import Moment

PEOPLE = 500
MEGABYTES = 200.0  # at most
SECONDS = 120.0  # at most, to bring it in


def rows(size: Size) -> Iterator[Row]:
    """Measure on both databases."""
    count = size.of(300, 10_000, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hours.xlsx"
        _write(path, count)
        with on_sqlite() as settings:
            yield from uvloop.run(_measured("SQLite", settings, path, count))
        with on_postgres() as (_, settings):
            yield from uvloop.run(_measured("PostgreSQL", settings, path, count))


def _write(path: Path, count: int) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("hours")
        sheet.write_row(0, 0, ["id", "day", "giver", "receiver", "hours", "note"])
        for row in range(1, count + 1):
            day = f"{2015 + row % 10}-{row % 12 + 1:02}-{row % 28 + 1:02}"
            giver, receiver = row % PEOPLE, (row * 7 + 1) % (PEOPLE - 1)
            names = [f"Member {giver}", f"Member {receiver if receiver != giver else PEOPLE}"]
            sheet.write_row(row, 0, [f"e{row}", day, *names, 0.25 * (row % 8 + 1), "In the garden"])


async def _measured(database: str, settings: Settings, path: Path, count: int) -> list[Row]:
    db = Database(settings)
    await db.start()
    try:
        place, steward = await _place(db)
        before, watch = _forget_peak(), Watch()
        took: dict[str, tuple[float, float]] = {}  # seconds, and those of our processor time

        async def timed(what: str, work: Awaitable[None]) -> None:
            began, busy = time.perf_counter(), time.process_time()
            await work
            took[what] = time.perf_counter() - began, time.process_time() - busy

        file = await _uploaded(db, place, steward, path)
        copy = path.with_name("copy")
        copy.write_bytes(path.read_bytes())  # noqa: ASYNC240 - nothing else is going on
        await timed("read", reading.read(db, file, copy, clock=Moment.now))
        file = await _begun(db, place, steward, file)
        await timed("checked", checking.check(db, file, by=steward.id, clock=Moment.now))
        async with db.write(place.id) as conn:
            file = await running.begin(
                conn, place.id, file.id, leave_out=False, by=steward.id, now=Moment.now()
            )
        slowest = _Slowest(db, place)
        looking = asyncio.create_task(slowest.look())
        await timed("brought in", running.run(db, file, by=steward.id, clock=Moment.now))
        looking.cancel()
        sound = await _sound(db, place, count)
        async with db.write(place.id) as conn:
            file = await undoing.begin(
                conn, place.id, file.id, reason="measured", by=steward.id, now=Moment.now()
            )
        undo = undoing.undo(db, file, reason="measured", by=steward.id, clock=Moment.now)
        await timed("undone", undo)
        sound = sound and await _sound(db, place, 2 * count)
        held, foreign = _held() - before, watch.foreign()
    finally:
        await db.stop()
    name = f"{database}, {count:,} rows of an XLSX"
    goals = {"brought in": SECONDS}
    found = [
        alone(
            f"{name}: {what}",
            [seconds],
            goal=goals.get(what),
            unit="s",
            sound=sound,
            note=f"{count / seconds:,.0f} rows/s; {busy:,.1f} s of this process' processor time",
            at_most=True,
            foreign=foreign,
        )
        for what, (seconds, busy) in took.items()
    ]
    memory, waited = f"{name}: memory", f"{name}: slowest statement meanwhile"
    for title, value, goal, unit in (
        (memory, held, MEGABYTES, "MB"),
        (waited, slowest.seconds * 1000, None, "ms"),
    ):
        found.append(
            alone(title, [value], goal=goal, unit=unit, sound=sound, at_most=True, foreign=foreign)
        )
    return found


def _forget_peak() -> float:
    """Let the most memory this process held be what it holds now: so many megabytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _held()


def _held() -> float:
    """The most this process held since then, in megabytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "a process has a peak"
    return int(found[1]) / 1024


class _Slowest:
    """Somebody who looks at the community's members all the time, and how long they waited."""

    def __init__(self, db: Database, place: Community) -> None:
        self._db, self._place = db, place
        self.seconds = 0.0

    async def look(self) -> None:
        """Look until somebody says that it is enough."""
        while True:
            began = time.perf_counter()
            async with self._db.read(self._place.id) as conn:
                await members.count(conn, self._place.id, Status.ACTIVE)
            self.seconds = max(self.seconds, time.perf_counter() - began)
            await asyncio.sleep(0.05)


async def _place(db: Database) -> tuple[Community, Member]:
    now = Moment.now()
    async with db.write(EVERYWHERE) as conn:
        place = await communities.create(
            conn, slug="before", name="Before", language="en", timezone="Europe/London", now=now
        )
        steward = await members.insert_member(
            conn, place.id, name="Stella", status=Status.ACTIVE, role=Role.STEWARD, now=now
        )
    return place, steward


async def _uploaded(db: Database, place: Community, by: Member, path: Path) -> File:
    fingerprint = hashlib.sha256(path.name.encode()).digest()
    async with db.write(place.id) as conn:
        return await files.begin(conn, place.id, path.name, fingerprint, by=by.id, now=Moment.now())


async def _begun(db: Database, place: Community, by: Member, file: File) -> File:
    async with db.read(place.id) as conn:
        file = await files.get(conn, place.id, file.id)
        guess = matching.suggest(file, await files.samples(conn, file, matching.LOOKED_AT))
    chosen = replace(guess.settings, add_people=True)
    async with db.write(place.id) as conn:
        return await checking.begin(
            conn, place.id, file.id, guess.what, chosen, by=by.id, now=Moment.now()
        )


async def _sound(db: Database, place: Community, transfers: int) -> bool:
    report = await books.verify(db, place.id, now=Moment.now())
    return report.sound and report.transfers == transfers
