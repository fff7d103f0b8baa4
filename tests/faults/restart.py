"""The application is told to stop (SIGTERM) under load, and another process takes its place.

    SQLite       the old one ends, then the new one starts; who comes meanwhile waits on the socket
    PostgreSQL   the new one starts, then the old one ends; nobody waits

Whatever the old one had begun it finishes, and says so. Who is sent away on the way in, because
they came on a connection that was just being closed, was not served by half.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from random import Random

from tests.faults import holding, street
from tests.faults.application import Application, served
from tests.faults.kill_app import in_the_end
from tests.faults.neighbours import Neighbours, everybody
from tests.faults.plan import Fault, Outcome
from tests.faults.street import Street
from tests.infrastructure import postgres
from timebank.config import Settings

_RESTARTS = 5  # in one trial
_STOPPED = (0, -signal.SIGTERM)  # uvicorn ends by the signal that it was sent, when all is done


def on_sqlite(seed: int, folder: Path) -> Outcome:
    """One process at a time."""
    settings, there = street.on_sqlite(folder / "data")
    return asyncio.run(_restart_again_and_again(settings, there, Random(seed), folder))


def on_postgres(seed: int, folder: Path) -> Outcome:
    """Two processes for a moment."""
    with postgres.running() as server:
        asyncio.run(server.create_database("street"))
        settings = Settings(data=folder / "data", database_url=server.url("street"))
        there = street.on_postgres(settings)
        return asyncio.run(_restart_again_and_again(settings, there, Random(seed), folder))


async def _restart_again_and_again(
    settings: Settings, there: Street, chances: Random, folder: Path
) -> Outcome:
    async with (
        served(settings, folder / "log") as application,
        Neighbours(there, chances, application.address) as people,
    ):
        pid = await application.start()
        await application.ready(pid)
        while people.counts["restarts"] < _RESTARTS and not people.wrong:
            people.stopping = False
            everyone = [asyncio.create_task(people.live(name)) for name in everybody()]
            await people.more(chances.randint(3, 20), within=20)
            pid = await _take_turns(application, pid, people, overlap=bool(settings.database_url))
            people.stopping = True
            await asyncio.gather(*everyone)
            found = await holding.look(settings, folder / "scratch")
            people.wrong += holding.compare(found, people)
            people.ask_denied_again()
            if unsaid := holding.written(found, people.open):
                people.wrong.append(f"{unsaid} were served, and never told")
        await people.settle()
        await application.end(pid, signal.SIGTERM)
        wrong = await in_the_end(settings, people, folder)
        for answer in ("turned_away", "unknown"):
            if people.counts[answer]:
                wrong.append(f"{people.counts[answer]} were answered 503")
        if wrong:
            wrong.append(application.last_words())
    return Outcome({"acknowledged": people.acknowledged, **people.counts}, tuple(wrong))


async def _take_turns(
    application: Application, old: int, people: Neighbours, *, overlap: bool
) -> int:
    """The old process ends and a new one serves; the new one's id."""
    if overlap:
        new = await application.start()
        await application.ready(new)
    code = await application.end(old, signal.SIGTERM)
    if not overlap:
        new = await application.start()
        await application.ready(new)
    if code not in _STOPPED:
        people.wrong.append(f"the old process ended with {code}")
    people.counts["restarts"] += 1
    return new


FAULTS = (
    Fault("restart-sqlite", "restarts", 5, 500, on_sqlite),
    Fault("restart-postgres", "restarts", 5, 500, on_postgres),
)
