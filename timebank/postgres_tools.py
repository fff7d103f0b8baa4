"""PostgreSQL's own tools for whole databases: `pg_dump`, `pg_restore`, `psql`.

The password goes to them in their environment, never on the command line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import make_url

from ledger.sql.rights import EVERY, SETTING
from timebank.servers import hosts

_MAGIC = b"PGDMP"


class ToolError(Exception):
    """A tool is missing, or it refused. The sentence says which and why."""


def is_dump(path: Path) -> bool:
    """Whether a file is a dump in PostgreSQL's custom format."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def dump(url: str, target: Path) -> None:
    """Write the whole database, as of one moment, to `target` in the custom format.

    Row-level security shows all communities to it, whether the role owns the tables or only reads.
    """
    options = ("--format=custom", "--no-owner", "--no-privileges", "--enable-row-security")
    _run("pg_dump", url, *options, f"--file={target}")


def load(url: str, source: Path) -> None:
    """Replace what is in the database by the dump, in one transaction."""
    options = ("--clean", "--if-exists", "--no-owner", "--no-privileges")
    whole = ("--exit-on-error", "--single-transaction")
    database = make_url(url).database or "postgres"
    _run("pg_restore", url, *options, *whole, f"--dbname={database}", str(source))


def is_empty(url: str) -> bool:
    """Whether the database has no tables in its public schema."""
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    return _run("psql", url, "--no-psqlrc", "-At", "-c", query).strip() == "0"


def _run(tool: str, url: str, *arguments: str) -> str:
    """Run a tool against the database of `url`. Raises `ToolError` with its first complaint."""
    program = shutil.which(tool)
    if program is None:
        raise ToolError(
            f"This needs {tool}, which is not installed here. It comes with PostgreSQL's client "
            "package, in the version of your server or a later one."
        )
    done = subprocess.run(  # noqa: S603  (our own arguments, no shell)
        [program, *arguments],
        env={**os.environ, **_environment(url)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if line.strip()), "no reason")
        raise ToolError(f"{tool} refused: {complaint.removeprefix(tool + ': ')}")
    return done.stdout


def _environment(text: str) -> dict[str, str]:
    """The variables that PostgreSQL's tools read instead of an address."""
    url = make_url(text)
    servers = hosts(url)
    found = {
        "PGHOST": ",".join(server.name for server in servers) or None,
        "PGPORT": ",".join(str(server.port) for server in servers),
        "PGTARGETSESSIONATTRS": url.query.get("target_session_attrs"),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGOPTIONS": f"-c {SETTING}={EVERY}",
        "PGSSLMODE": url.query.get("sslmode") or url.query.get("ssl"),
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}
