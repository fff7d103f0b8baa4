"""Backups: one file that holds everything, made while people go on working, and brought back.

    back_up    the database as of one moment, into one file, with its checksum beside it
    restore    prepares a copy aside, migrates and verifies it, and only then puts it in place

SQLite is copied with its online backup, within one read transaction. PostgreSQL is left to its
own `pg_dump` and `pg_restore`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.sql import planner
from timebank import postgres_tools
from timebank.config import Settings
from timebank.moment import Moment

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

_PAGES = 2048  # copied between two reports of progress


class BackupError(Exception):
    """No backup was made, or nothing was restored. The sentence says why."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: its file, the SHA-256 of it in hexadecimal, and its size in bytes."""

    path: Path
    sha256: str
    size: int


def database_file(settings: Settings) -> Path | None:
    """The SQLite file of these settings, or None where PostgreSQL keeps the data."""
    marker = "sqlite+aiosqlite:///"
    return Path(settings.url.removeprefix(marker)) if settings.url.startswith(marker) else None


def default_target(settings: Settings, now: Moment) -> Path:
    """`backups/timebank-<moment in UTC>` in the data directory, named after its format."""
    suffix = "dump" if database_file(settings) is None else "sqlite"
    name = f"timebank-{now.at:%Y-%m-%dT%H%M%S}Z.{suffix}"
    return settings.data / "backups" / name


def before(settings: Settings, what: str, now: Moment) -> Path:
    """Where the data goes that is kept before something is done to it."""
    named = default_target(settings, now)
    return named.with_name(named.name.replace("timebank-", f"before-{what}-", 1))


def back_up(settings: Settings, target: Path, *, progress: Progress | None = None) -> Backup:
    """Copy the database, as of one moment, to `target`, and its checksum to `target.sha256`.

    The program may run meanwhile. The file is readable by its owner only, and is on the disk when
    this returns. Raises `BackupError` when there is nothing to copy, when `target` exists
    already, or when the copy is not whole; then `target` is left as it was.
    """
    if target.exists():
        raise BackupError(f"{target} exists already. Choose another name, or move it away.")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    try:
        source = database_file(settings)
        if source is None:
            postgres_tools.dump(settings.url, partial)
        else:
            copy_sqlite(source, partial, progress=progress)
        return _seal(partial, target)
    except postgres_tools.ToolError as error:
        raise BackupError(str(error)) from None
    finally:
        partial.unlink(missing_ok=True)


def copy_sqlite(source: Path, target: Path, *, progress: Progress | None = None) -> None:
    """Copy a SQLite database, in use or not, as of one moment; the copy is one plain file."""
    if not source.is_file():
        raise BackupError(f"There is no database at {source} yet.")
    try:
        with closing(_reader(source)) as old, closing(sqlite3.connect(target)) as new:
            # An open read transaction pins the moment: writers go on, and the copy never restarts.
            old.execute("BEGIN")
            old.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            old.backup(new, pages=_PAGES, progress=_reported(progress), sleep=0)
            old.rollback()
            new.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
            _refuse_damage(new, target)
    except sqlite3.Error as error:
        raise BackupError(f"{source} could not be copied: {error}.") from None


def checked(source: Path) -> None:
    """Refuse a file that is no whole backup of a time bank, or not the one its checksum is of."""
    if not source.is_file():
        raise BackupError(f"There is no file {source}.")
    beside = source.with_name(source.name + ".sha256")
    if beside.is_file() and beside.read_text(encoding="utf-8").split()[:1] != [_sha256(source)]:
        raise BackupError(f"{source} is not the file its checksum {beside.name} was made of.")
    if postgres_tools.is_dump(source):
        return
    try:
        with closing(_reader(source)) as db:
            _refuse_damage(db, source)
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    except sqlite3.Error:
        raise BackupError(f"{source} is not a backup of a time bank.") from None
    if not {"alembic_version", "community", "journal", "transfer"} <= tables:
        raise BackupError(f"{source} is a database, but not of a time bank.")


def restore(
    settings: Settings,
    source: Path,
    prove: Callable[[Settings], None],
    *,
    force: bool,
    now: Moment,
) -> Path | None:
    """Put the backup `source` in the place of the database, once `prove` found nothing wrong.

    `prove` migrates and verifies the copy it is given the settings of, and raises otherwise.
    Data that is there already is refused without `force`; with it, a backup of it is made first,
    whose path is returned. Raises `BackupError`; then the data that was there is untouched
    (on PostgreSQL: is in the backup made first).
    """
    checked(source)
    place = database_file(settings)
    if postgres_tools.is_dump(source) != (place is None):
        raise BackupError(f"{source} is a backup of another kind of database than the one set.")
    if place is None:
        return _restore_postgres(settings, source, prove, force=force, now=now)
    return _restore_sqlite(settings, place, source, prove, force=force, now=now)


def _restore_sqlite(
    settings: Settings,
    place: Path,
    source: Path,
    prove: Callable[[Settings], None],
    *,
    force: bool,
    now: Moment,
) -> Path | None:
    """Copy beside the database, prove the copy, then swap the two in one step."""
    if place.exists() and not force:
        raise BackupError(f"There is data at {place} already. To replace it, add --force.")
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = place.with_name(place.name + ".restoring")
    try:
        remove_sqlite(aside)
        copy_sqlite(source, aside)
        aside.chmod(0o600)
        prove(replace(settings, database_url=f"sqlite+aiosqlite:///{aside}"))
        _settle(aside)
        kept = _keep_old(settings, place, now) if place.exists() else None
        _fsync(aside)
        aside.replace(place)
        _fsync(place.parent)
        return kept
    finally:
        remove_sqlite(aside)


def _restore_postgres(
    settings: Settings,
    source: Path,
    prove: Callable[[Settings], None],
    *,
    force: bool,
    now: Moment,
) -> Path | None:
    """Restore in one transaction, then prove what is there."""
    try:
        empty = postgres_tools.is_empty(settings.owners_url)
        if not empty and not force:
            raise BackupError("There is data in this database already. To replace it, add --force.")
        kept = None if empty else back_up(settings, before(settings, "restoring", now)).path
        postgres_tools.load(settings.owners_url, source)
        asyncio.run(planner.inform(settings.owners_url))
    except postgres_tools.ToolError as error:
        raise BackupError(str(error)) from None
    prove(settings)
    return kept


def _keep_old(settings: Settings, place: Path, now: Moment) -> Path:
    """Back the present data up, then make sure that nobody has it open."""
    kept = back_up(settings, before(settings, "restoring", now)).path
    try:
        _settle(place)
    except sqlite3.OperationalError:
        raise BackupError(f"{place} is in use. Stop the program first, then restore.") from None
    return kept


def _settle(path: Path) -> None:
    """Bring everything into the one file. SQLite refuses while anybody else has it open."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE").fetchone()


def _seal(partial: Path, target: Path) -> Backup:
    """Force the copy to the disk, give it its name, and write its checksum beside it."""
    _fsync(partial)
    sha256 = _sha256(partial)
    partial.replace(target)
    beside = target.with_name(target.name + ".sha256")
    beside.write_text(f"{sha256}  {target.name}\n", encoding="utf-8")
    _fsync(beside)
    _fsync(target.parent)
    return Backup(target, sha256, target.stat().st_size)


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that never writes and never moves the write-ahead log on."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    db.execute("PRAGMA query_only = ON")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    return db


def _refuse_damage(db: sqlite3.Connection, path: Path) -> None:
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise BackupError(f"{path} is damaged: {found}.")


def _reported(progress: Progress | None) -> Callable[[int, int, int], object] | None:
    if progress is None:
        return None
    return lambda _status, remaining, total: progress(total - remaining, total)


def remove_sqlite(path: Path) -> None:
    """Remove a SQLite database with the files that may stand beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    """Force a file or a directory to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
