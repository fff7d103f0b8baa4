"""Every setting, its default and what it means. Read once, at the start, then passed on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from timebank.servers import spelled_out


class Environment(StrEnum):
    """Where the program runs: real people, a developer's machine, or made-up data."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"
    DEMO = "demo"


@dataclass(frozen=True)
class Settings:
    """All settings. `docs/configuration.md` says the same in words; a test compares the two."""

    data: Path
    """TIMEBANK_DATA: the one directory that holds the database file, backups and demo mail."""

    database_url: str
    """TIMEBANK_DATABASE_URL: empty means a SQLite file in the data directory."""

    replica_url: str = ""
    """TIMEBANK_REPLICA_URL: standbys of PostgreSQL to read statements from; empty: the primary."""

    owner_url: str = ""
    """TIMEBANK_OWNER_URL: the same database as the role that owns the tables; empty: one role."""

    environment: Environment = Environment.DEVELOPMENT
    """TIMEBANK_ENV: production refuses settings that are unsafe."""

    base_url: str = "http://127.0.0.1:8000"
    """TIMEBANK_BASE_URL: the address people use; links in mails begin with it."""

    host: str = "127.0.0.1"
    """TIMEBANK_HOST: the address the server listens on."""

    port: int = 8000
    """TIMEBANK_PORT: the port the server listens on."""

    smtp_url: str = ""
    """TIMEBANK_SMTP_URL: smtp://user:password@host:587 or smtps://…; empty: mail goes to files."""

    mail_from: str = "timebank@localhost"
    """TIMEBANK_MAIL_FROM: the sender of every mail."""

    trusted_proxies: str = ""
    """TIMEBANK_TRUSTED_PROXIES: addresses whose X-Forwarded-* headers are believed; none."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from environment variables; `ValueError` names what is wrong."""
        data = Path(env.get("TIMEBANK_DATA") or _default_data(env)).expanduser()
        return cls(
            data=data,
            database_url=env.get("TIMEBANK_DATABASE_URL", ""),
            replica_url=env.get("TIMEBANK_REPLICA_URL", ""),
            owner_url=env.get("TIMEBANK_OWNER_URL", ""),
            environment=_environment(env.get("TIMEBANK_ENV", Environment.DEVELOPMENT)),
            base_url=env.get("TIMEBANK_BASE_URL", cls.base_url).rstrip("/"),
            host=env.get("TIMEBANK_HOST", cls.host),
            port=_port(env.get("TIMEBANK_PORT", str(cls.port))),
            smtp_url=env.get("TIMEBANK_SMTP_URL", ""),
            mail_from=env.get("TIMEBANK_MAIL_FROM", cls.mail_from),
            trusted_proxies=env.get("TIMEBANK_TRUSTED_PROXIES", ""),
        )

    @property
    def url(self) -> str:
        """The database as SQLAlchemy wants it named: aiosqlite or asyncpg."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{self.data / 'timebank.sqlite'}"
        return _with_asyncpg(self.database_url)

    @property
    def replicas_url(self) -> str:
        """The standbys as SQLAlchemy wants them named; nothing, if there are none."""
        return _with_asyncpg(self.replica_url)

    @property
    def owners_url(self) -> str:
        """`url` as the owner of the tables, who migrates and restores."""
        return _with_asyncpg(self.owner_url) or self.url

    @property
    def mail_folder(self) -> Path:
        """Where mail goes while no SMTP server is set."""
        return self.data / "mail"

    @property
    def secure(self) -> bool:
        """Whether people reach us over TLS, so that cookies may insist on it."""
        return self.base_url.startswith("https://")


def _with_asyncpg(url: str) -> str:
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return spelled_out("postgresql+asyncpg://" + url.removeprefix(plain))
    return spelled_out(url) if url.startswith("postgresql+asyncpg://") else url


def _default_data(env: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/timebank`, else `~/.local/share/timebank`."""
    return Path(env.get("XDG_DATA_HOME") or "~/.local/share") / "timebank"


def _environment(text: str) -> Environment:
    try:
        return Environment(text)
    except ValueError:
        choices = ", ".join(Environment)
        raise ValueError(f"TIMEBANK_ENV is {text!r}; it has to be one of {choices}.") from None


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 65535:
        raise ValueError(f"TIMEBANK_PORT is {text!r}; it has to be a number from 0 to 65535.")
    return int(text)
