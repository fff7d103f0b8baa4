"""The power fails, and SQLite finds whatever of its last writes the disk had got round to.

The real posting path runs once under a shim that writes down everything it asks of the disk, and
each acknowledgement. Then the power is cut at as many moments as we like: what was not synced is
kept, dropped or torn, SQLite recovers, and everything acknowledged by then has to be there.

    one recording ──► 2,500 moments ──► a file each ──► examined
                                        the last one: the program goes on with it, all asked again

Two databases that are known to forget are the controls.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults import desk, place, shim
from tests.faults.desk import Desk
from tests.faults.disk import Disk, Left
from tests.faults.examine import examine
from tests.faults.place import FILE, Place
from tests.faults.plan import Fault, Outcome, Trial
from tests.faults.shim import Step, Which
from timebank import books
from timebank.db import Database
from timebank.moment import Moment

_NAMES = {Which.DATABASE: FILE, Which.WAL: f"{FILE}-wal"}
_POINTS = 2_500
_MOST_WRONG = 20


def losing_power(synchronous: str = "", points: int = _POINTS) -> Trial:
    """A trial of so many power cuts; `synchronous` makes SQLite less careful than the program."""

    def trial(seed: int, folder: Path) -> Outcome:
        chances = random.Random(seed)
        town = place.place()
        log = record(town, folder, chances, synchronous)
        return replay(town, folder, log, chances, points)

    return trial


def record(town: Place, folder: Path, chances: random.Random, synchronous: str) -> list[Step]:
    """What a day's postings asked of the disk."""
    there = folder / "there"
    town.put(there)
    task = desk.paper(
        town,
        there,
        seed=chances.getrandbits(32),
        callers=chances.choice((1, 2, 4, 8)),
        checkpoint=chances.choice((100, 200, 400)),
        synchronous=synchronous,
    )
    log = folder / "log"
    env = shim.under(shim.build(folder), there, log=log, pretend=True)
    told = shim.run(__name__, task, env)
    steps = list(shim.steps(log))
    marked = sum(step.what == "A" for step in steps)
    assert marked == told["told"] == len(set(_acknowledged(steps))) > 0, "every answer was marked"
    assert any(step.what == "W" and step.file is Which.DATABASE for step in steps), "checkpoints"
    return steps


def replay(
    town: Place, folder: Path, steps: Sequence[Step], chances: random.Random, points: int
) -> Outcome:
    """Cut the power at so many moments, half of them just after an acknowledgement."""
    moments = [chances.randrange(len(steps)) for _ in range(points)]
    marks = [number for number, step in enumerate(steps) if step.what == "A"]
    moments[::2] = [chances.choice(marks) for _ in moments[::2]]
    cut = folder / "cut"
    cut.mkdir()
    disk = Disk({Which.DATABASE: town.image})
    taken, told, wrong, counts = 0, dict[UUID, int](), list[str](), {"points": points}
    for turn, moment in enumerate(sorted(moments)):
        for step in steps[taken : moment + 1]:
            disk.take(step)
            if step.what == "A":
                id = UUID(bytes=step.data)
                told[id] = desk.transfers(town, id)
        taken = moment + 1
        how = chances.choice(tuple(Left))
        lay(cut, disk.left(chances, how))
        found = examine(cut / FILE, told, whole=turn % 25 == 0)
        counts[how.value] = counts.get(how.value, 0) + 1
        wrong += [f"after step {moment} of {len(steps)}, {how.value} left: {one}" for one in found]
        counts["bad_points"] = counts.get("bad_points", 0) + bool(found)
    lay(cut, disk.left(chances, Left.NOTHING))
    if not wrong:
        wrong += go_on(town, cut, told)
    counts["acknowledged"] = len(told)
    return Outcome(counts, tuple(wrong[:_MOST_WRONG]))


def lay(folder: Path, held: Mapping[Which, bytearray]) -> None:
    """The folder as the power cut left it. Files are written over: that is quicker than anew."""
    for which, name in _NAMES.items():
        path = folder / name
        if which not in held:
            path.unlink(missing_ok=True)
            continue
        path.touch()
        with path.open("r+b", buffering=0) as file:
            file.write(held[which])
            file.truncate(len(held[which]))


def go_on(town: Place, folder: Path, told: Mapping[UUID, int]) -> list[str]:
    """Start the program on it: the books verify, and asking again says what was said before."""
    return asyncio.run(_go_on(town, folder, told))


async def _go_on(town: Place, folder: Path, told: Mapping[UUID, int]) -> list[str]:
    db = Database(place.settings(folder))
    try:
        await db.start()
        wrong = await _unsound(db, town)
        again = Desk.at(db, desk.paper(town, folder))
        await again.work([again.approve(id) for id in town.waiting], callers=8)
        wrong += [f"{id} was posted again" for id in told if again.told.get(id) is False]
        wrong += await _unsound(db, town)
        return wrong
    finally:
        await db.stop()


async def _unsound(db: Database, town: Place) -> list[str]:
    report = await books.verify(db, town.community, now=Moment.now())
    return [str(finding) for finding in report.findings]


def _acknowledged(steps: Sequence[Step]) -> list[UUID]:
    return [UUID(bytes=step.data) for step in steps if step.what == "A"]


async def _day(task: Mapping[str, Any]) -> dict[str, int]:
    """In the child: approve everything, and undo some."""
    db = Database(place.settings(Path(task["folder"])))

    pragmas = [f"wal_autocheckpoint = {task['checkpoint']}"]  # early ones, so that there are many
    if task["synchronous"]:
        pragmas.append(f"synchronous = {task['synchronous']}")
    place.setting(db, *pragmas)
    if not task["synchronous"]:
        await db.start()  # which refuses the controls
    work = Desk.at(db, task)
    entries = [UUID(id) for id in task["entries"]]
    await work.work(desk.mixed(work, entries, random.Random(task["seed"])), task["callers"])
    await db.stop()
    return {"told": len(work.told)}


FAULTS = (
    Fault("power-loss", "points", 5_000, 1_000_000, losing_power(), parts=2),
    Fault("power-loss-normal", "points", 500, 10_000, losing_power("NORMAL", 500), control=True),
    Fault("power-loss-off", "points", 500, 10_000, losing_power("OFF", 500), control=True),
)

if __name__ == "__main__":
    print(json.dumps(asyncio.run(_day(json.loads(sys.argv[1])))))
