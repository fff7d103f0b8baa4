"""The doctor: looks at the settings and the data directory, and names what is unsafe and why.

In production `serve` refuses to start while anything unsafe is found. A warning never stops it.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from ledger.sql.tables import journal
from timebank.backup import database_file
from timebank.config import Environment, Settings
from timebank.db import EVERYWHERE, Database, SchemaMismatch, UnsafeDatabase, sqlite_is_worn
from timebank.moment import Moment

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_BACKUP_AGE = timedelta(days=8)
_CLOCK_MAY_DIFFER = timedelta(minutes=5)


class Level(StrEnum):
    """How bad it is."""

    UNSAFE = "unsafe"  # refused in production
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: what, and what to do about it."""

    level: Level
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.level}: {self.what} {self.remedy}".rstrip()


def examine(settings: Settings, *, now: Moment) -> list[Finding]:
    """Everything that settings and files show by themselves; the worst first."""
    found = [
        *_address(settings),
        *_listening(settings),
        *_mail(settings),
        *_files(settings),
        *_sqlite(settings),
        *_backups(settings, now),
    ]
    return sorted(found, key=lambda finding: finding.level)


async def examine_database(settings: Settings, *, now: Moment) -> list[Finding]:
    """What only the database can tell: whether it answers, its schema, our role, its lines."""
    file = database_file(settings)
    if file is not None and not file.exists():
        return [_warning("There is no database yet.", "`timebank migrate` makes it.")]
    db = Database(settings)
    try:
        await db.start()
        return [*await _clock(db, now), *([] if file is not None else await _role(db))]
    except (SchemaMismatch, UnsafeDatabase) as error:
        return [_unsafe(str(error), "")]
    except (OSError, SQLAlchemyError, TimeoutError) as error:
        kind = type(error).__name__
        return [
            _unsafe(f"The database does not answer ({kind}).", "Look at TIMEBANK_DATABASE_URL.")
        ]
    finally:
        await db.stop()


def _address(settings: Settings) -> Iterator[Finding]:
    """TIMEBANK_BASE_URL: what people type, and what links in mails begin with."""
    address = urlsplit(settings.base_url)
    remedy = "Set TIMEBANK_BASE_URL to the https address people use."
    if settings.environment is Environment.PRODUCTION and settings.base_url == Settings.base_url:
        yield _unsafe(f"The address people use is still {settings.base_url}.", remedy)
    elif address.scheme not in ("http", "https") or not address.hostname:
        yield _unsafe(f"{settings.base_url!r} is not an address people can open.", remedy)
    elif address.scheme == "http" and address.hostname not in _LOOPBACK:
        yield _unsafe(f"People would sign in over {settings.base_url}, unencrypted.", remedy)


def _listening(settings: Settings) -> Iterator[Finding]:
    """Who can reach the port, and whom we believe about the visitor's address."""
    open_to_all = settings.host not in _LOOPBACK
    if open_to_all and settings.environment is not Environment.PRODUCTION:
        yield _unsafe(
            f"TIMEBANK_ENV is {settings.environment}, yet it listens on {settings.host}, where "
            "others can reach it.",
            "Listen on 127.0.0.1, or set TIMEBANK_ENV=production.",
        )
    if "*" in settings.trusted_proxies.split(","):
        yield _unsafe(
            "TIMEBANK_TRUSTED_PROXIES is *, so every visitor can claim any address.",
            "Name the proxy's address.",
        )


def _mail(settings: Settings) -> Iterator[Finding]:
    """In production mail has to leave the house, from an address that can be answered."""
    if settings.environment is not Environment.PRODUCTION:
        return
    if not settings.smtp_url:
        yield _unsafe(
            "No mail server is set: invitations and sign-in links would stay in a folder.",
            "Set TIMEBANK_SMTP_URL.",
        )
    elif urlsplit(settings.smtp_url).scheme not in ("smtp", "smtps"):
        yield _unsafe("TIMEBANK_SMTP_URL has to begin with smtp:// or smtps://.", "Correct it.")
    if settings.mail_from.endswith("@localhost"):
        yield _warning(
            f"Mail comes from {settings.mail_from}, which nobody can answer.",
            "Set TIMEBANK_MAIL_FROM.",
        )


def _files(settings: Settings) -> Iterator[Finding]:
    """The data directory and the database are nobody else's business."""
    if _others_may_read(settings.data):
        yield _unsafe(
            f"Everybody on this machine can look into {settings.data}.",
            f"Run: chmod 700 {settings.data}",
        )
    file = database_file(settings)
    if file is not None and _others_may_read(file):
        yield _unsafe(f"Everybody on this machine can read {file}.", f"Run: chmod 600 {file}")


def _sqlite(settings: Settings) -> Iterator[Finding]:
    if database_file(settings) is not None and sqlite_is_worn(sqlite3.sqlite_version_info):
        yield _warning(
            f"SQLite {sqlite3.sqlite_version} has a rare fault in its write-ahead log.",
            "Prefer 3.51.3, 3.50.7, 3.44.6 or later, and run one server process per data "
            "directory.",
        )


def _backups(settings: Settings, now: Moment) -> Iterator[Finding]:
    """In production there is a backup not much older than a week."""
    if settings.environment is not Environment.PRODUCTION:
        return
    folder = settings.data / "backups"
    made = [path.stat().st_mtime for path in folder.glob("timebank-*") if path.suffix != ".sha256"]
    newest = datetime.fromtimestamp(max(made), UTC) if made else None
    if newest is None or now.at - newest > _BACKUP_AGE:
        when = f"The newest backup here is of {newest:%Y-%m-%d}." if newest else "No backup yet."
        yield _warning(when, "Run `timebank backup` every night, and keep copies elsewhere.")


async def _clock(db: Database, now: Moment) -> list[Finding]:
    """A line of tomorrow: the clock was ahead once, and lines are never dated back."""
    async with db.read(EVERYWHERE) as conn:
        newest = await conn.scalar(select(func.max(journal.c.posted_at)))
    if newest is None or newest - now.at <= _CLOCK_MAY_DIFFER:
        return []
    return [
        _warning(
            f"The books have a line of {newest:%Y-%m-%d %H:%M} UTC, which is still to come; until "
            "then every new line is dated that moment.",
            "Set this machine's clock by the network (NTP). Nothing is lost.",
        )
    ]


async def _role(db: Database) -> list[Finding]:
    """What our role on PostgreSQL may do beyond its work."""
    query = text(
        "SELECT rolsuper, rolbypassrls, pg_has_role(c.relowner, 'MEMBER') AS owner,"
        " has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE') AS may_change"
        " FROM pg_roles, pg_class c"
        " WHERE rolname = current_user AND c.oid = 'transfer'::regclass"
    )
    async with db.read(EVERYWHERE) as conn:
        role = (await conn.execute(query)).one()
    advice = "See docs/running.md on the two roles."
    if role.rolsuper:
        return [_warning("The program is superuser of the database.", advice)]
    wrong = {
        "The program's role owns the tables, so it could take their guards away.": role.owner,
        "The program's role could change posted transfers.": role.may_change and not role.owner,
        "Row-level security does not hold the program's role.": role.rolbypassrls,
    }
    return [_warning(what, advice) for what, found in wrong.items() if found]


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IRWXO)
    except FileNotFoundError:
        return False


def _unsafe(what: str, remedy: str) -> Finding:
    return Finding(Level.UNSAFE, what, remedy)


def _warning(what: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, what, remedy)
