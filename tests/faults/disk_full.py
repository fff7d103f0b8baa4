"""The disk is full, and later it is not: what was refused is not there, and work goes on by itself.

Four ways to fill it, one after another: the shim lets only SQLite's log, or only the database,
grow no further; the system limits the size of files (RLIMIT_FSIZE); or the folder lies on a small
file system of its own. Where we may not mount one, `without_tmpfs` counts that the third way was
taken in its place. The program is never started anew.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from ledger.sql import read
from tests.faults import desk, place, shim
from tests.faults.desk import Desk
from tests.faults.examine import examine
from tests.faults.place import FILE
from tests.faults.plan import Fault, Outcome
from tests.faults.shim import Which
from timebank.db import Database

_ENTRIES = 60
_WAYS = ("log", "database", "limit", "tmpfs")
_MOUNT = ("mount", "-t", "tmpfs", "-o")
_CLEAR = ("full", "disk I/O error")


def filling_up(seed: int, folder: Path) -> Outcome:
    """Fill the disk once while entries are approved, make room again, and look."""
    chances = random.Random(seed)
    town = place.place()
    way, counts = _WAYS[seed % 4], dict[str, int]()
    before: tuple[str, ...] = ()
    if way == "tmpfs":
        before = own_mounts()
        if not before:
            way, counts = "limit", {"without_tmpfs": 1}
    there, after = folder / "there", folder / "after"
    there.mkdir()
    (folder / "image").write_bytes(town.image)
    # With few checkpoints the log grows until there is no room. With many it does not, and only a
    # checkpoint that fails, because the database itself has no room, makes it grow.
    tight = way == "database" or (way == "limit" and chances.random() < 0.5)
    task = desk.paper(
        town,
        there,
        image=str(folder / "image"),
        after=str(after),
        way=way,
        room=chances.randrange(20_000) if tight else chances.randrange(200_000),
        checkpoint=chances.choice((50, 100)) if tight else 1000,
        callers=chances.choice((1, 4, 8)),
        seed=chances.getrandbits(32),
    )
    said = shim.run(__name__, task, shim.under(shim.build(folder), there), before)
    told = {UUID(id) for id in said["told"]}
    wrong: list[str] = said["wrong"]
    if way != "database" and not said["refused"]:
        wrong.append("the disk was never full")
    if len(told) != _ENTRIES:
        wrong.append(f"{_ENTRIES - len(told)} entries could not be approved in the end")
    wrong += examine(after / FILE, {id: desk.transfers(town, id) for id in told}, whole=True)
    counts |= {"fillings": 1, way: 1, "refused": said["refused"], "acknowledged": len(told)}
    return Outcome(counts, tuple(f"{way}: {one}" for one in wrong))


@cache
def own_mounts() -> tuple[str, ...]:
    """How to start a program that may mount what nobody else sees; nothing if it cannot be."""
    for way in (("unshare", "-m"), ("unshare", "-r", "-m")):
        try_it = [*way, *_MOUNT, "size=64k", "none", "/tmp"]  # noqa: S108 - seen of nobody else
        if (
            shutil.which("unshare")
            and not subprocess.run(try_it, capture_output=True, timeout=20, check=False).returncode
        ):
            return way
    return ()


class _Room:
    """How much of the disk the child may use."""

    def __init__(self, way: str, folder: Path, image: Path) -> None:
        self.way, self.folder, self.image = way, folder, image.stat().st_size
        if way == "tmpfs":
            self._mount("size=64m")
        shutil.copyfile(image, folder / FILE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def little(self, more: int) -> None:
        """From now on, so many bytes more and no further."""
        wal = (self.folder / f"{FILE}-wal").stat().st_size
        if self.way == "log":
            shim.room(Which.WAL, wal + more)
        elif self.way == "database":
            shim.room(Which.DATABASE, self.image + more)
        elif self.way == "limit":
            self._limit(max(self.image, wal) + more)
        else:
            used = sum(file.stat().st_size for file in self.folder.iterdir())
            self._mount(f"remount,size={used + more}")

    def enough(self) -> None:
        """From now on, as much as is wanted."""
        if self.way == "tmpfs":
            self._mount("remount,size=64m")
        self._limit(resource.RLIM_INFINITY)
        shim.room(Which.WAL, None)
        shim.room(Which.DATABASE, None)

    def _limit(self, most: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def _mount(self, options: str) -> None:
        command = [*_MOUNT, options, "none", str(self.folder)]
        subprocess.run(command, check=True, timeout=20, capture_output=True)


async def _day(task: Mapping[str, Any]) -> dict[str, Any]:
    """In the child: approve some, run out of room, approve the rest, have room again, and retry."""
    folder, image = Path(task["folder"]), Path(task["image"])
    chances = random.Random(task["seed"])
    room = _Room(task["way"], folder, image)
    db = Database(place.settings(folder))
    place.setting(db, f"wal_autocheckpoint = {task['checkpoint']}")
    await db.start()
    work = Desk.at(db, task)
    entries = chances.sample([UUID(id) for id in task["entries"]], _ENTRIES)
    await work.work([work.approve(id) for id in entries[:10]], task["callers"])
    room.little(task["room"])
    await work.work([work.approve(id) for id in entries[10:]], task["callers"])
    refused = dict(work.refused)
    wrong = [
        f"{id} was answered: {why}"
        for id, why in refused.items()
        if not any(clear in why for clear in _CLEAR)
    ]
    wrong += await _differs(db, work, "while the disk was full")
    room.enough()
    await work.work([work.approve(id) for id in refused], task["callers"])
    wrong += [f"{id} was refused, and yet was there" for id in refused if work.told.get(id)]
    wrong += await _differs(db, work, "with room again")
    await db.stop()
    shutil.copytree(folder, Path(task["after"]))
    return {"told": [str(id) for id in work.told], "refused": len(refused), "wrong": wrong}


async def _differs(db: Database, work: Desk, when: str) -> list[str]:
    """Reading goes on, and what was acknowledged is what is there."""
    async with db.read(work.community) as conn:
        there = {row.entry_id async for row in read.transfers(conn, work.community)}
    if there == set(work.told):
        return []
    lost, unsaid = len(set(work.told) - there), len(there - set(work.told))
    return [f"{when}, {lost} acknowledged are missing, and {unsaid} refused are there"]


FAULTS = (Fault("disk-full", "fillings", 4, 1_000, filling_up),)

if __name__ == "__main__":
    print(json.dumps(asyncio.run(_day(json.loads(sys.argv[1])))))
