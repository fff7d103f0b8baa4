"""serve, demo: start the web application."""

from __future__ import annotations

import logging
import os
from dataclasses import replace

import click
import uvicorn

from timebank import demo as demos
from timebank import migrate
from timebank.backup import database_file, remove_sqlite
from timebank.cli._common import opened, progress, run, settings_from_environment, warn
from timebank.cli.checkup import refuse_unsafe
from timebank.cli.data import bring_up_to_date
from timebank.config import Environment, Settings
from timebank.moment import Moment

_LOG_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command()
@click.option("--host", help="The address to listen on, instead of TIMEBANK_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port, instead of TIMEBANK_PORT.")
@click.option("--reload", is_flag=True, help="Start anew when the code changes (for developers).")
def serve(host: str | None, port: int | None, reload: bool) -> None:
    """Serve the time bank to browsers.

    SQLite: a database of an earlier version is backed up and brought up to date first. On
    PostgreSQL that is yours to do with `timebank migrate`. With TIMEBANK_ENV=production it does
    not start while `timebank doctor` finds something unsafe.

    \b
    Examples:
      timebank serve
      TIMEBANK_PORT=8080 timebank serve
    """
    settings = _at(settings_from_environment(), host, port)
    refuse_unsafe(settings)
    _prepare_database(settings)
    _listen(settings, reload=reload)


@click.command()
@click.option("--no-serve", is_flag=True, help="Only make the data.")
@click.option("--fresh", is_flag=True, help="Throw an earlier demo away and make it anew.")
@click.option("--host", help="The address to listen on, instead of TIMEBANK_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port, instead of TIMEBANK_PORT.")
def demo(no_serve: bool, fresh: bool, host: str | None, port: int | None) -> None:
    """Serve a made-up time bank with a year behind it, to look around in.

    It is the same every time, and ends yesterday. Its data lies in TIMEBANK_DATA, or else in a
    folder `demo` of its own; what you change there is still there the next time, until you say
    --fresh. Mail is not sent but shown under /mail. Nothing here is safe for real people: the
    password is printed below.

    \b
    Examples:
      timebank demo
      timebank demo --port 8100 --fresh
      timebank demo --no-serve
    """
    settings = demo_settings(_at(settings_from_environment(), host, port))
    refuse_unsafe(settings)
    if fresh:
        throw_away(settings)
    bring_up_to_date(settings)
    run(make_demo(settings))
    click.echo(sign_ins(settings))
    if not no_serve:
        _listen(settings)


def demo_settings(settings: Settings) -> Settings:
    """The settings as the demo uses them: its own environment and its own folder."""
    data = settings.data if os.environ.get("TIMEBANK_DATA") else settings.data / "demo"
    return replace(settings, environment=Environment.DEMO, data=data)


def throw_away(settings: Settings) -> None:
    """Remove an earlier demo, and nothing but a demo."""
    file = database_file(settings)
    if file is None:
        raise click.UsageError(
            "--fresh throws away SQLite files only. On PostgreSQL, give the demo a new database."
        )
    if file.exists():
        bring_up_to_date(settings)
        run(_refuse_real_people(settings))
        remove_sqlite(file)
        for mail in settings.mail_folder.glob("*.eml"):
            mail.unlink()


async def _refuse_real_people(settings: Settings) -> None:
    async with opened(settings) as db:
        await demos.refuse_real_people(db)


async def make_demo(settings: Settings) -> None:
    """Make the demo unless it is there."""
    async with opened(settings) as db:
        if not await demos.is_there(db):
            await demos.make(
                db,
                base_url=settings.base_url,
                now=Moment.now(),
                progress=progress("Making the demo"),
            )


def sign_ins(settings: Settings) -> str:
    """Where to look, and as whom."""
    width = max(len(email) for _, _, email in demos.SIGN_INS)
    people = "\n".join(f"  {email:<{width}}  {name}, {who}" for who, name, email in demos.SIGN_INS)
    return (
        f"The demo is at {settings.base_url}\n\nSign in as\n{people}\n\n"
        f"Everybody's password: {demos.PASSPHRASE}\n"
        f"Mail that would be sent: {settings.base_url}/mail\n"
    )


def environment(settings: Settings) -> dict[str, str]:
    """The variables from which `Settings.from_env` reads these settings."""
    return {
        "TIMEBANK_DATA": str(settings.data),
        "TIMEBANK_DATABASE_URL": settings.database_url,
        "TIMEBANK_ENV": str(settings.environment),
        "TIMEBANK_BASE_URL": settings.base_url,
        "TIMEBANK_HOST": settings.host,
        "TIMEBANK_PORT": str(settings.port),
        "TIMEBANK_SMTP_URL": settings.smtp_url,
        "TIMEBANK_MAIL_FROM": settings.mail_from,
        "TIMEBANK_TRUSTED_PROXIES": settings.trusted_proxies,
    }


def _at(settings: Settings, host: str | None, port: int | None) -> Settings:
    """With another address to listen on; the address people use follows while none was set."""
    host = settings.host if host is None else host
    port = settings.port if port is None else port
    base_url = settings.base_url
    if not os.environ.get("TIMEBANK_BASE_URL"):
        base_url = f"http://127.0.0.1:{port}"
    return replace(settings, host=host, port=port, base_url=base_url)


def _prepare_database(settings: Settings) -> None:
    """SQLite migrates by itself, after a backup; on PostgreSQL somebody with the right does it."""
    if database_file(settings) is not None:
        bring_up_to_date(settings)
    elif migrate.current(settings) != migrate.head():
        raise click.ClickException(
            "The database is not of this version. Make a backup, then run `timebank migrate`."
        )


def _listen(settings: Settings, *, reload: bool = False) -> None:
    """Run the web application until it is told to stop.

    It reads its settings from the environment, like every process of it would, so they go there.
    """
    os.environ.update(environment(settings))
    logging.basicConfig(level=logging.INFO, format=_LOG_LINE)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    warn(f"Listening on http://{settings.host}:{settings.port} (Ctrl-C stops)")
    uvicorn.run(
        "web.app:create_served_app",
        factory=True,
        reload=reload,
        host=settings.host,
        port=settings.port,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        server_header=False,
        access_log=False,
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=20,
    )
