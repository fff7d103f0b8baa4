"""Mill Road with a session for everybody, in a database of the trial's own.

On SQLite the file is made once in a process and copied.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from uuid import UUID

from tests.timebank.scenes import mill_road
from timebank import migrate, sessions
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment

FILE = "timebank.sqlite"
MEMBERS, COORDINATORS = ("ana", "bert", "stella"), ("carla", "dora")


@dataclass(frozen=True)
class Street:
    """A community, and the members' names and session cookies, by first name."""

    community: UUID
    slug: str
    ids: Mapping[str, UUID]
    names: Mapping[str, str]
    cookies: Mapping[str, str]


async def settle(settings: Settings) -> Street:
    """Make it in an empty, migrated database."""
    db = Database(settings)
    try:
        road = await mill_road(db)
        people = {name: getattr(road, name) for name in (*MEMBERS, *COORDINATORS)}
        async with db.write(EVERYWHERE) as conn:
            now = Moment.now()
            cookies = {
                name: await sessions.begin(conn, member.person_id, device="a test", now=now)
                for name, member in people.items()
            }
    finally:
        await db.stop()
    return Street(
        road.id,
        road.community.slug,
        {name: member.id for name, member in people.items()},
        {name: member.name for name, member in people.items()},
        cookies,
    )


def on_sqlite(folder: Path) -> tuple[Settings, Street]:
    """A copy of it in this folder."""
    image, street = _image()
    folder.mkdir(mode=0o700)
    (folder / FILE).write_bytes(image)
    return Settings(data=folder, database_url=""), street


def on_postgres(settings: Settings) -> Street:
    """The same in an empty database of PostgreSQL."""
    migrate.upgrade(settings)
    return asyncio.run(settle(settings))


@cache
def _image() -> tuple[bytes, Street]:
    with tempfile.TemporaryDirectory(prefix="timebank-street-") as name:
        settings = Settings(data=Path(name), database_url="")
        migrate.upgrade(settings)
        with ThreadPoolExecutor(1) as own:
            street = own.submit(asyncio.run, settle(replace(settings))).result()
        return (Path(name) / FILE).read_bytes(), street
