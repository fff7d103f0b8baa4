"""doctor: what is unsafe about this installation."""

from __future__ import annotations

import click

from timebank.cli._common import run, settings_from_environment
from timebank.config import Environment, Settings
from timebank.doctor import Level, examine, examine_database
from timebank.moment import Moment


@click.command()
def doctor() -> None:
    """Look at the settings, the files and the database, and name what is unsafe.

    Each finding says what to do about it. Exit code 1 means that something unsafe was found; with
    TIMEBANK_ENV=production, `timebank serve` would not start. Warnings stop nothing.

    \b
    Example:
      TIMEBANK_ENV=production timebank doctor
    """
    settings = settings_from_environment()
    now = Moment.now()
    findings = [*examine(settings, now=now), *run(examine_database(settings, now=now))]
    for finding in findings:
        click.echo(str(finding))
    if any(finding.level is Level.UNSAFE for finding in findings):
        raise click.exceptions.Exit(1)
    if not findings:
        click.echo("Nothing unsafe was found.")


def refuse_unsafe(settings: Settings) -> None:
    """In production nothing starts while settings are unsafe; elsewhere they are only told."""
    unsafe = [
        str(finding)
        for finding in examine(settings, now=Moment.now())
        if finding.level is Level.UNSAFE
    ]
    if not unsafe:
        return
    if settings.environment is Environment.PRODUCTION:
        raise click.ClickException("Not started, because this is unsafe:\n" + "\n".join(unsafe))
    click.echo("\n".join(unsafe), err=True)
