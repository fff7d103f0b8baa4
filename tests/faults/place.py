"""Mill Road with a few hundred entries that wait for approval: what the storage faults start from.

It is made once in a process, on SQLite, and handed out as the bytes of its file.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import event

from ledger.sql.rights import authorizer
from tests.timebank.factories import START
from tests.timebank.scenes import helped, mill_road
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database
from timebank.entry import Share
from timebank.moment import Moment
from timebank.rights import RIGHTS

FILE = "timebank.sqlite"
_ENTRIES = 100


@dataclass(frozen=True)
class Place:
    """A database file, and what stands in it. `waiting`: entries, and their number of transfers."""

    image: bytes
    community: UUID
    coordinator: UUID
    waiting: Mapping[UUID, int]

    def put(self, folder: Path) -> Settings:
        """Settings for a copy of it in this folder."""
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / FILE).write_bytes(self.image)
        return settings(folder)


def settings(folder: Path) -> Settings:
    """Settings for the SQLite file of a folder."""
    return Settings(data=folder, database_url="")


def setting(db: Database, *pragmas: str) -> None:
    """Have SQLite's writer begin with these pragmas, which the program itself may not set."""

    @event.listens_for(db.engines[0].sync_engine, "connect")
    def _set(connection: Any, _record: object) -> None:
        connection.run_async(lambda driver: driver.set_authorizer(None))
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.run_async(lambda driver: driver.set_authorizer(authorizer(RIGHTS)))


@cache
def place() -> Place:
    """Mill Road, the same in every process."""
    with tempfile.TemporaryDirectory(prefix="timebank-place-") as name:
        at = settings(Path(name))
        migrate.upgrade(at)
        made = asyncio.run(_fill(Database(at)))
        assert not (at.data / f"{FILE}-wal").exists(), "the file is all there is"
        return replace(made, image=(at.data / FILE).read_bytes())


async def _fill(db: Database) -> Place:
    setting(db, "synchronous = OFF")
    try:
        return await fill(db, _ENTRIES)
    finally:
        await db.stop()


async def fill(db: Database, entries: int) -> Place:
    """Mill Road in an empty database, with so many entries that wait."""
    chances = random.Random("Mill Road")
    road = await mill_road(db)
    people = [road.ana, road.bert, road.stella, road.ines, road.dora]
    waiting = {}
    for number in range(entries):
        giver, receiver, other = chances.sample(people, 3)
        new = helped(giver, receiver, 30 * chances.randint(1, 6), note=f"Help {number}")
        if number % 5 == 0:
            new = replace(new, receivers=(*new.receivers, Share(other.account_id)))
        now = Moment(START + timedelta(minutes=number), chances.randbytes)
        entry = await road.record(new, road.carla, now)
        waiting[entry.id] = len(new.receivers)
    return Place(b"", road.id, road.carla.id, waiting)
