"""migrate, backup, restore: the data as a whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from timebank import backup as backups
from timebank import migrate as migrations
from timebank import rights
from timebank.backup import BackupError
from timebank.cli._common import progress, run, settings_from_environment, warn
from timebank.cli.books import told, verify_all
from timebank.config import Settings
from timebank.moment import Moment


@click.command()
def migrate() -> None:
    """Make the database, or bring it up to date with this version of the program.

    SQLite: a backup is made first, if there is data. PostgreSQL: make one with `timebank backup`.
    There it works as the role of TIMEBANK_OWNER_URL, and leaves the role of TIMEBANK_DATABASE_URL
    with the rights the program needs and no others; that role is made if it is not there.
    It changes nothing when there is nothing to do.

    \b
    Example:
      timebank migrate
    """
    settings = settings_from_environment()
    before = bring_up_to_date(settings)
    after = migrations.head()
    click.echo(
        f"The database is up to date ({after})."
        if before == after
        else f"The database went from {before or 'nothing'} to {after}."
    )


def bring_up_to_date(settings: Settings) -> str | None:
    """Migrate where that is needed, on SQLite after a backup. Returns the schema found before.

    Makes the data directory and the database if they are not there, readable by nobody else.
    """
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = backups.database_file(settings)
    if file is not None:
        file.touch(mode=0o600)
    before = migrations.current(settings)
    if before == migrations.head():
        rights.grant(settings)
        return before
    if before is not None and file is not None:
        made = backups.back_up(settings, backups.before(settings, "migrating", Moment.now()))
        warn(f"Backed up to {made.path} before the database is brought up to date.")
    migrations.upgrade(settings)
    return before


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
def backup(file: Path | None) -> None:
    """Copy everything, as of this moment, into one FILE, and its checksum beside it.

    People may go on working. Without FILE it goes to the folder `backups` of the data directory,
    named after the moment. An existing file is never overwritten. Keep copies on another machine.
    PostgreSQL: this needs `pg_dump` of the server's version or a later one.

    \b
    Examples:
      timebank backup
      timebank backup /mnt/elsewhere/timebank-monday.sqlite
    """
    settings = settings_from_environment()
    target = file or backups.default_target(settings, Moment.now())
    made = backups.back_up(settings, target, progress=progress("Copying"))
    click.echo(f"{made.path} ({made.size} bytes)")
    click.echo(f"sha256 {made.sha256}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the data that is there; it is kept aside.")
def restore(file: Path, force: bool) -> None:
    """Bring a backup back: check FILE, migrate and verify a copy of it, then put it in place.

    Stop the program first. Nothing that is there is replaced without --force, nothing at all if
    the books in FILE do not verify; and with --force what was there is backed up beforehand.

    \b
    Examples:
      timebank restore backups/timebank-2026-05-04T020000Z.sqlite
      timebank restore /mnt/elsewhere/timebank-monday.sqlite --force
    """
    settings = settings_from_environment()
    kept = backups.restore(settings, file, _prove, force=force, now=Moment.now())
    made = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    click.echo(f"Restored from {file}, written {made:%Y-%m-%d %H:%M} UTC.")
    if kept:
        click.echo(f"What was there before is in {kept}")


def _prove(settings: Settings) -> None:
    """Bring a restored copy up to date and verify all its books."""
    migrations.upgrade(settings)
    reports = run(verify_all(settings))
    for community, report in reports:
        click.echo(told(community, report))
    if not all(report.sound for _, report in reports):
        raise BackupError("Nothing was restored: the books in this backup do not verify.")
