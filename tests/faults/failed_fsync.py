"""The disk fails to sync, now and then: that is never acknowledged, and work goes on by itself.

After a failed sync the system may have let go of what was to be written, and say that the next
sync went well. So the power is cut afterwards as well: whatever was acknowledged, before the
failure or after it, has to be there with nothing but what was synced since.
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
from tests.faults.plan import Fault, Outcome
from tests.faults.power_loss import go_on, lay
from tests.faults.shim import Step, Which
from timebank.db import Database

_TRIES = 8


def failing_syncs(seed: int, folder: Path) -> Outcome:
    """Fail a dozen syncs in a day's postings, try again what was refused, and look."""
    chances = random.Random(seed)
    town = place.place()
    there = folder / "there"
    town.put(there)
    failing = {
        first + more
        for first in chances.sample(range(1, 60), 6)
        for more in range(chances.choice((1, 1, 2, 3)))
    }
    task = desk.paper(
        town,
        there,
        callers=chances.choice((1, 2, 4)),
        checkpoint=chances.choice((30, 60, 120)),
        seed=chances.getrandbits(32),
    )
    log = folder / "log"
    env = shim.under(
        shim.build(folder), there, log=log, failing=tuple(sorted(failing)), pretend=True
    )
    said = shim.run(__name__, task, env)
    steps = list(shim.steps(log))
    failed = sum(step.what == "F" for step in steps)
    wrong: list[str] = said["wrong"]
    if not failed:
        wrong.append("no sync failed")
    told = {UUID(id): desk.transfers(town, UUID(id)) for id in said["told"]}
    wrong += examine(there / FILE, told, whole=True)
    cuts, found = _cut(town, folder, steps, chances)
    return Outcome(
        {"failed_syncs": failed, "refused": said["refused"], "cuts": cuts}, (*wrong, *found)
    )


def _cut(
    town: Place, folder: Path, steps: Sequence[Step], chances: random.Random
) -> tuple[int, list[str]]:
    """Cut the power after each acknowledgement, with as little left as may be."""
    cut = folder / "cut"
    cut.mkdir()
    disk = Disk({Which.DATABASE: town.image})
    told: dict[UUID, int] = {}
    wrong: list[str] = []
    for number, step in enumerate(steps):
        disk.take(step)
        if step.what != "A":
            continue
        id = UUID(bytes=step.data)
        told[id] = desk.transfers(town, id)
        for how in (Left.NOTHING, chances.choice((Left.SOME, Left.TORN))):
            lay(cut, disk.left(chances, how))
            found = examine(cut / FILE, told)
            wrong += [f"after step {number}, {how.value} left: {one}" for one in found]
    lay(cut, disk.left(chances, Left.NOTHING))
    return 2 * len(told), [*wrong[:20], *go_on(town, cut, told)]


async def _day(task: Mapping[str, Any]) -> dict[str, Any]:
    """In the child: approve and undo, and ask again as long as something was refused."""
    db = Database(place.settings(Path(task["folder"])))
    place.setting(db, f"wal_autocheckpoint = {task['checkpoint']}")
    await db.start()
    work = Desk.at(db, task)
    entries = [UUID(id) for id in task["entries"]]
    wanted = [work.approve(id) for id in random.Random(task["seed"]).sample(entries, len(entries))]
    refused = 0
    for _ in range(_TRIES):
        await work.work(wanted, task["callers"])
        refused += len(work.refused)
        wanted = [work.approve(id) for id in work.refused]
        if not wanted:
            break
    wrong = [f"{id} was refused to the end: {why}" for id, why in work.refused.items()]
    again = [id for id, replayed in work.told.items() if replayed]
    wrong += [f"{id} was refused, and yet was there" for id in again]
    await db.stop()
    return {"told": [str(id) for id in work.told], "refused": refused, "wrong": wrong}


FAULTS = (Fault("failed-fsync", "failed_syncs", 20, 10_000, failing_syncs),)

if __name__ == "__main__":
    print(json.dumps(asyncio.run(_day(json.loads(sys.argv[1])))))
