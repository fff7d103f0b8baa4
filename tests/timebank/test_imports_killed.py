"""Whoever pulls the plug while a file is brought in finds nothing of it afterwards."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from tests.timebank.factories import at
from tests.timebank.importing import a_csv, checked, clock, now, run
from tests.timebank.scenes import MillRoad, mill_road
from timebank.db import EVERYWHERE, Database
from timebank.entries import entries
from timebank.imports import files, running
from timebank.imports.files import Stage
from timebank.moment import Moment

ROWS = 3_000

# Brings a file in, says how far it is, and waits there for its end.
PROGRAM = """
import asyncio, pickle, sys, time
from timebank.db import Database
from timebank.imports import running
from timebank.moment import Moment

settings, file, by = pickle.load(sys.stdin.buffer)

def progress(done):
    if done > 2_000:
        print("halfway", flush=True)
        time.sleep(60)

async def main():
    db = Database(settings)
    await db.start()
    await running.run(db, file, by=by, clock=Moment.now, progress=progress)

asyncio.run(main())
"""


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def test_killed_in_the_middle_nothing_was_brought_in_and_then_all_of_it(
    road: MillRoad,
) -> None:
    lines = [f"2024-05-03,Ana Lima,Bert Okoro,1,{number}" for number in range(ROWS)]
    file = await checked(road, a_csv("Date,Provider,Receiver,Hours,Note", *lines))
    async with road.db.write(road.id) as conn:
        begun = await running.begin(
            conn, road.id, file.id, leave_out=False, by=road.stella.id, now=at(hours=1)
        )
    asked = pickle.dumps((road.db.settings, begun, road.stella.id))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(asked)
    process.stdin.close()
    assert await process.stdout.readline() == b"halfway\n"
    process.kill()
    await process.wait()
    async with road.db.write(EVERYWHERE) as conn:
        await files.recover(conn, now=Moment(datetime.now(UTC) + timedelta(hours=1)))
        assert await conn.scalar(select(func.count()).select_from(entries)) == 0
    assert (await now(road, file.id)).stage is Stage.CHECKED
    await road.assert_sound()
    done = await run(road, file, at_=clock)
    assert done.stage is Stage.DONE
    assert await road.balance(road.ana) == ROWS * 60
    await road.assert_sound()
