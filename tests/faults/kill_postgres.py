"""PostgreSQL is killed (kill -9, all of its processes) under load, and started again.

    neighbours ──forms──► the application ──► PostgreSQL
                            lives on            killed, recovers

The application finds its way back by itself. During the outage people are told "we are checking",
or that a lot is going on, or they wait; never that something was done which is not there, and never
that something broke.
"""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from random import Random

from tests.faults import holding, street
from tests.faults.application import served
from tests.faults.kill_app import in_the_end
from tests.faults.neighbours import Neighbours, everybody
from tests.faults.plan import Fault, Outcome
from tests.faults.street import Street
from tests.infrastructure import postgres
from tests.infrastructure.postgres import Killable
from timebank.config import Settings

_KILLS = 5  # in one trial
_LONGEST = 20  # seconds until somebody is served again


def trial(seed: int, folder: Path) -> Outcome:
    """A server and a street of its own, and some kills."""
    with postgres.running_killable() as server:
        asyncio.run(server.create_database("street"))
        settings = Settings(data=folder / "data", database_url=server.url("street"))
        there = street.on_postgres(settings)
        return asyncio.run(_kill_again_and_again(server, settings, there, Random(seed), folder))


async def _kill_again_and_again(
    server: Killable, settings: Settings, there: Street, chances: Random, folder: Path
) -> Outcome:
    async with (
        served(settings, folder / "log") as application,
        Neighbours(there, chances, application.address) as people,
    ):
        pid = await application.start()
        await application.ready(pid)
        while people.counts["kills"] < _KILLS and not people.wrong:
            await _go_down_and_up(server, people)
            found = await holding.look(settings, folder / "scratch")
            people.wrong += holding.compare(found, people)
            people.ask_denied_again()
        await people.settle()
        await application.end(pid, signal.SIGTERM)
        wrong = await in_the_end(settings, people, folder)
        if wrong:
            wrong.append(application.last_words())
    return Outcome({"acknowledged": people.acknowledged, **people.counts}, tuple(wrong))


async def _go_down_and_up(server: Killable, people: Neighbours) -> None:
    """Ordinary life, a kill in the midst of it, and until some have been served again."""
    people.stopping = False
    everyone = [asyncio.create_task(people.live(name, pause=0.1)) for name in everybody()]
    await people.more(people.chances.randint(1, 20), within=20)
    await asyncio.sleep(people.chances.uniform(0, 0.04))
    await asyncio.to_thread(server.kill)
    people.counts["kills"] += 1
    await asyncio.sleep(people.chances.choice((0, 0.1, 0.5)))
    await asyncio.to_thread(server.start)
    began = time.monotonic()
    if not await people.more(5, within=_LONGEST) and not people.wrong:
        people.wrong.append(f"{_LONGEST} s after PostgreSQL came back nobody is served")
    people.counts["recovery_milliseconds"] += round(1000 * (time.monotonic() - began))
    people.stopping = True
    await asyncio.gather(*everyone)


FAULTS = (Fault("kill-postgres", "kills", 15, 1_000, trial, parts=3),)
