"""The schema and its migrations: up, down, and whether they match the program.

Migrations lie in `migrations/` beside the packages, and in `timebank/_migrations` once installed.
All functions are synchronous: they run before the server starts, or in a thread.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from ledger.sql import metadata
from timebank import (  # noqa: F401 - each adds its tables to the metadata
    affiliations,
    agreements,
    attendance_steps,
    audit,
    batches,
    books,
    checks,
    communities,
    corrections,
    doors,
    edge,
    entries,
    feeds,
    gathering_actions,
    gathering_notes,
    gatherings,
    inbox,
    keeping_apart,
    limits,
    listings,
    members,
    months,
    notes,
    odd,
    organisations,
    outbox,
    people,
    proposals,
    rights,
    sectors,
    settlements,
    stays,
    stories,
    ticks,
    welcoming,
    workshops,
)
from timebank.config import Settings
from timebank.imports import files as import_files  # noqa: F401 - the same
from timebank.inbox import aside, deeds, in_hand, morning  # noqa: F401

T = TypeVar("T")


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Bring the schema up, all steps or none, and give the program's role its rights on it."""
    command.upgrade(_config(settings.owners_url), revision)
    if revision == "head":  # the rights name tables of today
        rights.grant(settings)


def downgrade(settings: Settings, revision: str) -> None:
    """Take the schema down, all steps or none. What only newer versions keep is lost."""
    command.downgrade(_config(settings.owners_url), revision)


@cache
def head() -> str:
    """The newest revision this program knows."""
    found = ScriptDirectory.from_config(_config("")).get_current_head()
    assert found is not None, "there are migrations"
    return found


def current(settings: Settings) -> str | None:
    """The revision the database is at; None for an empty one."""
    return _ask(settings.owners_url, current_revision)


def current_revision(connection: Connection) -> str | None:
    """The revision, asked through an open connection."""
    return MigrationContext.configure(connection).get_current_revision()


def check(settings: Settings) -> list[str]:
    """What differs between the database's tables and the program's; nothing, if all is well."""
    return _ask(settings.owners_url, _differences)


def _differences(connection: Connection) -> list[str]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [str(difference) for difference in compare_metadata(context, metadata)]


def _ask(url: str, question: Callable[[Connection], T]) -> T:
    async def ask() -> T:
        engine = create_async_engine(url)
        try:
            async with engine.connect() as conn:
                return await conn.run_sync(question)
        finally:
            await engine.dispose()

    return asyncio.run(ask())


def _config(url: str) -> Config:
    config = Config(attributes={"url": url, "metadata": metadata})
    config.set_main_option("script_location", str(_folder()))
    return config


def _folder() -> Path:
    installed = Path(__file__).parent / "_migrations"
    return installed if installed.exists() else Path(__file__).parents[1] / "migrations"


def main(arguments: list[str]) -> int:
    """`python -m timebank.migrate check`: do the migrations make the program's tables?"""
    if arguments != ["check"]:
        print("usage: python -m timebank.migrate check", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url="")
        upgrade(settings)
        differences = check(settings)
    for difference in differences:
        print(difference, file=sys.stderr)
    print("migrations:", "differ from the tables" if differences else "as the tables")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
