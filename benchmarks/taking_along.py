"""A community of 200,000 entries as one archive: written, and brought in somewhere else.

Both are whole commands, `timebank export --format archive` and `timebank import-archive`, as an
operator runs them; the second goes to the other database than the first came from. Memory is the
most that the command and the process it starts held, added up. The books that were brought in have
to verify, which the command does before it commits.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import making
from benchmarks.commands import Ran, command
from benchmarks.machine import Watch
from benchmarks.places import migrated, on_postgres, on_sqlite
from benchmarks.results import Row, Size, alone
from tests.infrastructure.postgres import Server
from timebank import communities
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database

MEGABYTES = 200.0  # at most


def rows(size: Size) -> Iterator[Row]:
    """Measure from SQLite to PostgreSQL, and back."""
    transfers = size.of(300, 20_000, 200_000)
    with (
        on_sqlite() as small,
        on_postgres() as (server, great),
        tempfile.TemporaryDirectory() as folder,
    ):
        archive = Path(folder) / "all.zip"
        for source, name, target in (
            (small, "SQLite", _another(server, Path(folder))),
            (great, "PostgreSQL", None),
        ):
            making.make(source, transfers)
            watch = Watch()
            out = command(source, "export", _slug(source), *_AS_ARCHIVE, str(archive))
            if target is not None:
                back = command(target, "import-archive", str(archive))
            else:
                with on_sqlite() as empty:
                    back = command(empty, "import-archive", str(archive))
            note = f"{archive.stat().st_size / 1e6:,.0f} MB" if archive.exists() else "nothing"
            yield from _told(f"{name}, {transfers:,} transfers", out, back, note, watch.foreign())


_AS_ARCHIVE = ("--format", "archive", "--out")


def _another(server: Server, folder: Path) -> Settings:
    return migrated(server, "elsewhere", folder)


def _slug(settings: Settings) -> str:
    """The short name of the only community there."""

    async def read() -> str:
        db = Database(settings)
        await db.start()
        try:
            async with db.read(EVERYWHERE) as conn:
                return (await communities.every(conn))[0].slug
        finally:
            await db.stop()

    return asyncio.run(read())


def _told(name: str, out: Ran, back: Ran, note: str, foreign: float) -> Iterator[Row]:
    sound = out.well and back.well and ": sound." in back.told
    for what, ran in (("archive written", out), ("archive brought in elsewhere", back)):
        yield alone(
            f"{name}: {what}",
            [ran.seconds],
            goal=None,
            unit="s",
            sound=sound,
            note=note,
            at_most=True,
            foreign=foreign,
        )
        yield alone(
            f"{name}: {what}, memory",
            [ran.megabytes],
            goal=MEGABYTES,
            unit="MB",
            sound=sound,
            at_most=True,
        )
