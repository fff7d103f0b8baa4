"""The application is killed (kill -9) at random moments under load, and started again.

    neighbours ──forms──► the application ──► SQLite or PostgreSQL
        │                    killed, and the next one started
        └─ a list of what they were told, held against the tables after each kill

Whoever got no answer sends the same form again. In the end everything is answered, what was
answered is sent again, and the books are verified.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from random import Random

from tests.faults import holding, street
from tests.faults.application import Application, served
from tests.faults.neighbours import Neighbours, everybody
from tests.faults.plan import Fault, Outcome
from tests.faults.street import Street
from tests.infrastructure import postgres
from timebank import books
from timebank.config import Settings
from timebank.db import Database
from timebank.moment import Moment

_KILLS = 50  # in one trial


def on_sqlite(seed: int, folder: Path) -> Outcome:
    """A street of its own in a file, synchronous=FULL as always."""
    settings, there = street.on_sqlite(folder / "data")
    return asyncio.run(_kill_again_and_again(settings, there, Random(seed), folder))


def on_postgres(seed: int, folder: Path) -> Outcome:
    """The same on a server of its own, with fsync on."""
    with postgres.running(durable=True) as server:
        asyncio.run(server.create_database("street"))
        settings = Settings(data=folder / "data", database_url=server.url("street"))
        there = street.on_postgres(settings)
        return asyncio.run(_kill_again_and_again(settings, there, Random(seed), folder))


async def _kill_again_and_again(
    settings: Settings, there: Street, chances: Random, folder: Path
) -> Outcome:
    async with (
        served(settings, folder / "log") as application,
        Neighbours(there, chances, application.address) as people,
    ):
        kills = 0
        while kills < _KILLS and not people.wrong:
            await _live_and_die(application, people, chances)
            kills += 1
            found = await holding.look(settings, folder / "scratch")
            people.wrong += holding.compare(found, people)
            people.counts["written_unanswered"] += holding.written(found, people.open)
            people.ask_denied_again()
        pid = await application.start()
        await people.settle()
        await application.end(pid, signal.SIGTERM)
        wrong = await in_the_end(settings, people, folder)
        if wrong:
            wrong.append(application.last_words())
    counts = {"kills": kills, "acknowledged": people.acknowledged, **people.counts}
    return Outcome(counts, tuple(wrong))


async def _live_and_die(application: Application, people: Neighbours, chances: Random) -> None:
    """Some time of ordinary life, and the end of it; one in six comes while it starts."""
    pid = await application.start()
    people.stopping = False
    everyone = [asyncio.create_task(people.live(name)) for name in everybody()]
    if chances.random() < 5 / 6:
        await people.more(chances.randint(1, 9), within=10)
        await asyncio.sleep(chances.uniform(0, 0.04))
    else:
        await asyncio.sleep(chances.uniform(0, 0.4))
    await application.end(pid, signal.SIGKILL)
    people.stopping = True
    # Who waits on the socket would be served by the next process; most of them give up instead.
    await asyncio.wait(everyone, timeout=0.02)
    for one in everyone:
        one.cancel()
    for gone in await asyncio.gather(*everyone, return_exceptions=True):
        if isinstance(gone, Exception):
            raise gone


async def in_the_end(settings: Settings, people: Neighbours, folder: Path) -> list[str]:
    """Everything is answered: what is there is what was acknowledged, and the books verify."""
    wrong = list(people.wrong)
    found = await holding.look(settings, folder / "scratch")
    wrong += holding.compare(found, people, settled=True)
    db = Database(settings)
    try:
        report = await books.verify(db, people.street.community, now=Moment.now())
    finally:
        await db.stop()
    wrong += report.findings
    if people.acknowledged < 20:
        wrong.append(f"nothing happened: {people.acknowledged} acknowledged")
    return wrong[:20]


FAULTS = (
    Fault("kill-app-sqlite", "kills", 200, 10_000, on_sqlite, parts=4),
    Fault("kill-app-postgres", "kills", 50, 3_000, on_postgres),
)
