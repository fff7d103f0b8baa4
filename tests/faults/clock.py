"""The clock jumps back and forth, between postings and in the midst of them: no order rests on it.

Hours are approved through the program's pages and through its door while the clock does as it
likes. Afterwards the journal's numbers and moments both run forward, each account's lines follow
each other, and a balance of any moment is that of the last line by then. A session or a link lives
no longer than its lifetime and what the clock was put back, and what was used up stays used up.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import read
from tests.faults import desk, place
from tests.faults.desk import Desk
from tests.faults.examine import examine
from tests.faults.place import FILE, Place
from tests.faults.plan import Fault, Outcome
from tests.timebank.factories import START
from tests.web.conftest import BASE, Web, opened
from timebank import books, people, sessions, statements, tokens
from timebank.db import EVERYWHERE, Database
from timebank.errors import LinkSpent
from timebank.moment import Moment
from timebank.sessions import IDLE, LONGEST
from timebank.tokens import Purpose

_CALLERS = 4
_LINK = timedelta(hours=1)


@dataclass
class Jumping:
    """A clock that is put forward or back, by up to `most`, at every third look at it."""

    chances: random.Random
    most: timedelta
    true: datetime = START + timedelta(days=15)
    off: timedelta = timedelta()
    jumps: int = 0

    def __call__(self) -> Moment:
        self.true += timedelta(seconds=self.chances.randint(0, 90))
        if self.chances.random() < 1 / 3:
            self.jump()
        return Moment(self.true + self.off, self.chances.randbytes)

    def jump(self) -> None:
        """Put it somewhere else: by a little as often as by a lot."""
        self.jumps += 1
        self.off = (
            self.most * self.chances.choice((1e-9, 1e-4, 0.01, 1)) * (self.chances.uniform(-1, 1))
        )


def jumping_clock(seed: int, folder: Path) -> Outcome:
    """A day's postings under such a clock, and some weeks of sessions and links."""
    return asyncio.run(_trial(place.place(), folder / "there", random.Random(seed)))


async def _trial(town: Place, folder: Path, chances: random.Random) -> Outcome:
    settings = replace(town.put(folder), base_url=BASE)
    # Chances of their own, because in which order callers look at a clock is nobody's choice.
    near = Jumping(random.Random(chances.random()), timedelta(days=12))  # the session lives
    far = Jumping(random.Random(chances.random()), timedelta(days=3650))
    doors = random.Random(chances.random())
    entries = chances.sample(list(town.waiting), len(town.waiting))
    async with AsyncExitStack() as stack:
        web = await opened(settings, stack)
        work = Desk.at(web.db, desk.paper(town, folder))
        wrong = await _through_pages(web, near, entries[:40])
        work.clock = far
        await work.work(desk.mixed(work, entries[40:], chances), _CALLERS)
        wrong += [f"{id} was refused: {why}" for id, why in work.refused.items()]
        async with web.db.read(town.community) as conn:
            looks, found = await _consistent(conn, town, chances)
        wrong += found
        wrong += await _doors(web.db, doors)
        report = await books.verify(web.db, town.community, now=far())
        wrong += [str(finding) for finding in report.findings]
    told = {id: desk.transfers(town, id) for id in (*entries[:40], *work.told)}
    wrong += examine(folder / FILE, told, whole=True)
    counts = {"jumps": near.jumps + far.jumps, "posted": len(told), "looks": looks}
    return Outcome(counts, tuple(wrong))


async def _through_pages(web: Web, clock: Jumping, entries: Sequence[UUID]) -> list[str]:
    """Carla approves these in her browser, several at a time."""
    carla = await web.signed_in("carla@example.org")
    web.app.state.clock = clock
    each = iter(entries)
    wrong: list[str] = []

    async def clicks() -> None:
        for id in each:
            answer = await carla.post(f"/c/mill-road/entries/{id}/approve")
            if answer.status_code != 303 or "sign-in" in answer.headers["location"]:
                wrong.append(f"approving {id} was answered {answer.status_code}")

    await asyncio.gather(*(clicks() for _ in range(_CALLERS)))
    return wrong


async def _consistent(
    conn: AsyncConnection, town: Place, chances: random.Random
) -> tuple[int, list[str]]:
    """Whether numbers, moments, lines and balances tell one story, however one asks."""
    wrong = []
    rows = [row async for row in read.transfers(conn, town.community)]
    for one, next_ in itertools.pairwise(rows):
        if next_.seq != one.seq + 1 or next_.posted_at < one.posted_at:
            wrong.append(f"transfer {next_.seq} is dated before transfer {one.seq}")
    lines: dict[UUID, list[tuple[datetime, int]]] = {}
    for row in rows:
        for id, number, balance in (
            (row.source_id, row.source_line, row.source_balance),
            (row.destination_id, row.destination_line, row.destination_balance),
        ):
            known = lines.setdefault(id, [])
            known.append((row.posted_at, balance.count))
            if number != len(known):
                wrong.append(f"transfer {row.seq} is line {number} and should be {len(known)}")
    looks = 0
    for id, known in lines.items():
        moments = [at + timedelta(microseconds=more) for at, _ in known for more in (-1, 0, 1)]
        for moment in chances.sample(moments, min(12, len(moments))):
            looks += 1
            by_then = [0, *(balance for at, balance in known if at <= moment)]
            if (await read.balance_at(conn, town.community, id, moment)).count != by_then[-1]:
                wrong.append(f"the balance at {moment} is not that of the last line by then")
            span = await read.lines_between(conn, town.community, id, end=moment)
            if span.last != sum(at < moment for at, _ in known):
                wrong.append(f"the lines before {moment} are not those dated before it")
        page = await statements.page(conn, town.community, id, by=town.coordinator, limit=200)
        if [line.balance.count for line in page.lines[::-1]] != [balance for _, balance in known]:
            wrong.append("a statement's lines are not the journal's")
    return looks, wrong


@dataclass
class _Session:
    """A session, and when it should end by its own rules."""

    token: str
    began: datetime
    seen: datetime
    ended: bool = False
    true: datetime = field(default=START)

    def lives(self, now: datetime) -> bool:
        return not self.ended and now < self.began + LONGEST and now < self.seen + IDLE


async def _doors(db: Database, chances: random.Random) -> list[str]:
    """Sessions and links, under a clock that jumps by less than ends a session, and by more."""
    wrong: list[str] = []
    async with db.write(EVERYWHERE) as conn:
        person = await people.by_email(conn, "ana@example.org")
        assert person is not None
        for most in (12, 200, 12, 200):
            clock = Jumping(chances, timedelta(days=most))
            wrong += await _a_session(conn, person.id, clock)
            wrong += await _a_link(conn, person.id, clock)
    return wrong


async def _a_session(conn: AsyncConnection, person: UUID, clock: Jumping) -> list[str]:
    now = clock()
    token = await sessions.begin(conn, person, device="a phone", now=now)
    ours, off = _Session(token, now.at, now.at, true=clock.true), clock.off
    for _ in range(40):
        clock.true += timedelta(days=clock.chances.randint(0, 12))
        now = clock()
        found = await sessions.find(conn, token, now=now) is not None
        if found != ours.lives(now.at):
            return ["a session lives and should not, or the other way round"]
        if found and clock.true - ours.true >= LONGEST + (off - clock.off):
            return ["a session lives longer than its lifetime and what the clock was put back"]
        if found:
            await sessions.touch(conn, token, now=now)
            ours.seen = max(ours.seen, now.at)
        if clock.chances.random() < 0.2:
            await sessions.sweep(conn, now=now)
            ours.ended = ours.ended or not ours.lives(now.at)
    await sessions.end(conn, token)
    if any([await sessions.find(conn, token, now=clock()) for _ in range(5)]):
        return ["a session that was ended lives again"]
    return []


async def _a_link(conn: AsyncConnection, person: UUID, clock: Jumping) -> list[str]:
    made = clock()
    token = await tokens.make(conn, Purpose.SIGN_IN, person_id=person, lifetime=_LINK, now=made)
    used = 0
    for _ in range(6):
        now = clock()
        try:
            await tokens.spend(conn, token, Purpose.SIGN_IN, now=now)
        except LinkSpent:
            continue
        used += 1
        if now.at >= made.at + _LINK:
            return ["a link worked after its time"]
    return ["a link worked twice"] if used > 1 else []


FAULTS = (Fault("clock", "jumps", 100, 20_000, jumping_clock),)
