"""What all commands share: settings, the database for a while, progress, and plain refusals."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError

from ledger import LedgerError
from timebank import loop
from timebank.archive.reading import ArchiveError
from timebank.backup import BackupError
from timebank.beside import ComparingFailed
from timebank.config import Settings
from timebank.db import Database, SchemaMismatch, UnsafeDatabase
from timebank.demo import NotADemoError
from timebank.errors import TimebankError

T = TypeVar("T")

REFUSALS = (
    TimebankError,
    LedgerError,
    ArchiveError,
    BackupError,
    ComparingFailed,
    NotADemoError,
    SchemaMismatch,
    UnsafeDatabase,
)
"""Errors whose text is one clear sentence for the person at the keyboard."""


class Commands(click.Group):
    """Commands in the order they were added, with refusals as sentences and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The order in which a community needs them, not the alphabet's."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal becomes one sentence on stderr."""
        try:
            return super().invoke(ctx)
        except REFUSALS as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise click.ClickException(f"The database refused: {said}") from error
        except OSError as error:
            raise click.ClickException(_of_system(error)) from error


def _of_system(error: OSError) -> str:
    """What the operating system refused, with the file it was about."""
    named = f"{error.filename}: " if error.filename else ""
    return f"{named}{error.strerror or error}."


def settings_from_environment() -> Settings:
    """The settings; a wrong one is a misunderstanding (exit code 2)."""
    try:
        return Settings.from_env()
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do asynchronous work to its end."""
    return loop.run(work)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database, started and stopped again; the server may be running on it meanwhile."""
    db = Database(settings, checkpoints=False)
    try:
        await db.start()
        yield db
    finally:
        await db.stop()


def progress(what: str) -> Callable[[int, int], None]:
    """Tells how far `what` has come: on a terminal in place, elsewhere every tenth, on stderr."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        percent = 100 * done // total if total else 100
        step = percent if sys.stderr.isatty() else percent // 10 * 10
        if step == told:
            return
        told = step
        if sys.stderr.isatty():
            click.echo(f"\r{what}: {percent} %", err=True, nl=percent == 100)
        else:
            click.echo(f"{what}: {step} %", err=True)

    return tell


def warn(sentence: str) -> None:
    """Something to know that stops nothing, on stderr."""
    click.echo(sentence, err=True)
