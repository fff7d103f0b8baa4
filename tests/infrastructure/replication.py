"""A primary and a standby that streams from it: cut off, killed, promoted, made anew.

    primary ──────► standby          both take connections; the standby reads only
      killed          promoted ───► standby, made anew from the files of the first

Everything is on Unix sockets in one temporary folder, each server under a port of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from sqlalchemy import URL

from tests.infrastructure import postgres
from tests.infrastructure.postgres import Process

STANDBY = "standby"
"""The name under which a standby follows, and by which a primary waits for it."""

_SETTINGS = ("synchronous_commit=on", "wal_keep_size=64MB", "hot_standby_feedback=on")


@dataclass(slots=True)
class Pair:
    """Two servers, of which one follows the other. All calls wait until the thing is so."""

    primary: Process
    standby: Process
    synchronous: bool

    def url(self, database: str, role: str = "postgres") -> str:
        """Both, the first one first whatever it is now, as the program is told of them."""
        return _url(sorted((self.primary, self.standby), key=lambda one: one.port), database, role)

    def standby_url(self, database: str, role: str = "postgres") -> str:
        """The standby alone, as the program is told of its replicas."""
        return _url([self.standby], database, role)

    def follow(self) -> None:
        """Make the standby from the primary's files and let it stream.

        If it is a synchronous one, every commit waits for it from now on.
        """
        source = f"host={self.primary.root} port={self.primary.port} user=postgres"
        self.standby.run(
            "pg_basebackup",
            *(f"--pgdata={self.standby.data}", f"--dbname={source} application_name={STANDBY}"),
            *("--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"),
        )
        self.standby.start()
        self.await_streaming()
        if self.synchronous:
            self._wait_for_it()

    def await_streaming(self) -> None:
        """Return when the primary has a standby that has all it has."""
        _until(
            lambda: (
                ask(
                    self.primary,
                    "SELECT count(*) FROM pg_stat_replication"
                    " WHERE state = 'streaming' AND replay_lsn >= pg_current_wal_flush_lsn()",
                )
                == 1
            )
        )

    def cut_off(self) -> None:
        """The standby hears nothing more from the primary, which goes on."""
        ask(self.standby, "ALTER SYSTEM SET primary_conninfo = ''")
        ask(self.standby, "SELECT pg_reload_conf()")
        _until(lambda: not ask(self.standby, "SELECT count(*) FROM pg_stat_wal_receiver"))

    def let_hear(self) -> None:
        """Take back `cut_off`."""
        ask(self.standby, "ALTER SYSTEM RESET primary_conninfo")
        source = f"host={self.primary.root} port={self.primary.port} user=postgres"
        ask(
            self.standby,
            f"ALTER SYSTEM SET primary_conninfo = '{source} application_name={STANDBY}'",
        )
        ask(self.standby, "SELECT pg_reload_conf()")

    def kill_primary(self) -> None:
        """SIGKILL to all of the primary's processes."""
        self.primary.kill()

    def promote(self) -> None:
        """The standby becomes the primary, and has none itself; the dead one changes places."""
        self.standby.run("pg_ctl", "promote", "--wait", f"--pgdata={self.standby.data}")
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """Whoever was killed comes back as a standby: stopped, emptied, and made anew."""
        self.standby.stop()
        self.standby.remove()
        self.follow()

    def stop_waiting(self) -> None:
        """The primary commits without a standby, as an operator may decide."""
        ask(self.primary, "ALTER SYSTEM RESET synchronous_standby_names")
        ask(self.primary, "SELECT pg_reload_conf()")
        _until(lambda: not ask(self.primary, "SHOW synchronous_standby_names"))

    def _wait_for_it(self) -> None:
        """Every commit of the primary waits for the standby.

        A new session sees the setting only after the checkpointer was told of it too; commits wait
        from when it has taken note, which the second checkpoint at the latest shows.
        """
        ask(self.primary, f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        ask(self.primary, "SELECT pg_reload_conf()")
        _until(
            lambda: (
                ask(
                    self.primary,
                    "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
                )
                == 1
            )
        )
        ask(self.primary, "CHECKPOINT")
        ask(self.primary, "CHECKPOINT")


@contextlib.contextmanager
def running(*settings: str, synchronous: bool) -> Iterator[Pair]:
    """A primary without databases and its standby; both are stopped and removed afterwards.

    A synchronous pair keeps every commit waiting until the standby has it too. Neither waits for
    its disk: a killed server loses nothing that it has handed to the system.
    """
    with postgres.prepared(*_SETTINGS, *settings, durable=False) as primary:
        primary.initialise("--wal-segsize=1")
        primary.start()
        standby = replace(primary, name="second", port=primary.port + 1)
        pair = Pair(primary, standby, synchronous)
        try:
            pair.follow()
            yield pair
        finally:
            pair.standby.stop()
            pair.primary.stop()


def _url(servers: Sequence[Process], database: str, role: str) -> str:
    query = {
        "host": ",".join(str(server.root) for server in servers),
        "port": ",".join(str(server.port) for server in servers),
    }
    address = URL.create("postgresql", role, database=database, query=query)
    return address.render_as_string(hide_password=False)


def ask(server: Process, query: str, database: str = "postgres") -> Any:
    """The first value that a server answers to a query, on a connection of its own."""

    async def answer() -> Any:
        connection = await asyncpg.connect(
            host=str(server.root), port=server.port, user="postgres", database=database, timeout=10
        )
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return _complete(answer())


def _until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not so():
        if time.monotonic() > deadline:
            raise RuntimeError("the servers did not get there in time")
        time.sleep(0.02)


def _complete(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end on a loop of its own, whether or not one is running here."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
