"""Several PostgreSQL servers behind one setting: which of them writes, and which only read.

    postgresql://timebank:…@one:5432,two:5432/timebank

With several, every new connection asks all of them at once. The one to write to is the one that is
no standby and, should there be two, has the newest timeline: promoting a standby begins a new one.
So a former primary that comes back and takes itself for the primary still is left alone, wherever
the new one can be reached or was known before.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import URL, make_url

ANSWER = 5.0
"""Seconds within which a server has to answer to be asked."""

_OTHERS = 2.0  # seconds for which the others may still answer once one did

_PORT = 5432
_LISTED = re.compile(r"(?P<before>[\w+]+://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<after>.*)")

# The timeline is the number that WAL files begin with; a standby, or a server that was made to
# only read, has none for us.
_TIMELINE = """
    SELECT CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN 0
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END
"""


class NoServer(ConnectionError):
    """None of the servers named is one to write to, or to read from, at present."""


class Host(NamedTuple):
    """Where a server listens: a name, an address, or the folder of its socket; and the port."""

    name: str
    port: int


def hosts(url: URL) -> list[Host]:
    """The servers that a URL names, in its order."""
    names = [_host_and_port(name) for name in _listed(url.query.get("host", url.host or ""))]
    ports = _listed(url.query.get("port", str(url.port or "")))
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names) or not all(port.isdigit() or not port for port in ports):
        raise ValueError("A database URL has to name one port for each of its hosts.")
    return [
        Host(name, int(own or port or _PORT))
        for (name, own), port in zip(names, ports, strict=True)
    ]


def spelled_out(text: str) -> str:
    """A URL that may list its hosts (`//one,two:5433/`), with the list where SQLAlchemy reads it.

    With several, whoever asks no further gets the one that can be written to. Raises `ValueError`
    when hosts and ports do not match.
    """
    listed = _LISTED.fullmatch(text)
    url = make_url(listed["before"] + listed["after"] if listed else text)
    if listed:
        url = url.update_query_dict({"host": listed["hosts"]})
    found = hosts(url)
    if len(found) < 2:
        return text
    query = {
        "target_session_attrs": "read-write",
        **url.query,
        "host": ",".join(host.name for host in found),
        "port": ",".join(str(host.port) for host in found),
    }
    return url.set(query=query).render_as_string(hide_password=False)


class Servers:
    """Connects to the servers of one URL; to be shared by all pools that write to them."""

    def __init__(self, url: str) -> None:
        address = make_url(url)
        self.hosts = hosts(address)
        plain = address.difference_update_query(["host", "port", "target_session_attrs"])
        _, arguments = plain.get_dialect()().create_connect_args(plain)
        arguments = {name: arguments[name] for name in arguments.keys() - {"host", "port"}}
        self._arguments = {**arguments, "timeout": ANSWER}
        self._newest = 0

    async def primary(self, settings: Mapping[str, str]) -> Any:
        """A connection to the server to write to, with these settings. Raises `NoServer`."""
        if len(self.hosts) == 1:
            return await self._connect(self.hosts[0], settings)
        answers = await self._ask(settings)
        found = max(answers, key=lambda answer: answer.timeline, default=None)
        for answer in answers:
            if answer is not found:
                answer.connection.terminate()
        if found is None or not found.timeline:
            _end(found)
            raise NoServer(f"none of {len(self.hosts)} database servers can be written to")
        if found.timeline < self._newest:
            _end(found)
            raise NoServer("only a former primary answers, which must not be written to")
        self._newest = found.timeline
        return found.connection

    async def standby(self, settings: Mapping[str, str]) -> Any:
        """A connection to one of the servers that only read, any of them. Raises `NoServer`."""
        for host in random.sample(self.hosts, len(self.hosts)):
            try:
                answer = await self._ask_one(host, settings)
            except (OSError, asyncpg.PostgresError):
                continue
            if not answer.timeline:
                return answer.connection
            _end(answer)
        raise NoServer(f"none of {len(self.hosts)} database servers is a standby")

    async def _ask(self, settings: Mapping[str, str]) -> Sequence[_Answer]:
        """All servers that answer; once one did, the others have a moment only.

        A machine that was switched off does not even refuse: nobody waits for it for long.
        """
        asking = {asyncio.create_task(self._ask_one(host, settings)) for host in self.hosts}
        pending, answers = asking, list[_Answer]()
        try:
            while pending:
                done, pending = await asyncio.wait(
                    pending,
                    timeout=_OTHERS if answers else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    break
                answers += [task.result() for task in done if not _unreachable(task)]
        except BaseException:
            for answer in answers:
                _end(answer)
            raise
        finally:
            for task in pending:
                task.cancel()
                task.add_done_callback(_end_unwanted)
        return answers

    async def _ask_one(self, host: Host, settings: Mapping[str, str]) -> _Answer:
        connection = await self._connect(host, settings)
        try:
            return _Answer(connection, await connection.fetchval(_TIMELINE, timeout=ANSWER))
        except BaseException:
            connection.terminate()
            raise

    async def _connect(self, host: Host, settings: Mapping[str, str]) -> Any:
        return await asyncpg.connect(
            host=host.name, port=host.port, server_settings=dict(settings), **self._arguments
        )


_NOT_READY = (OSError, asyncpg.CannotConnectNowError, asyncpg.InvalidCatalogNameError)


class _Answer(NamedTuple):
    """A server that answered, and the timeline it writes; 0 if it does not write."""

    connection: Any
    timeline: int


def _unreachable(task: asyncio.Task[_Answer]) -> bool:
    """Whether the server is away, or not ready; anything else that went wrong is raised.

    Not ready is also a standby that has not heard of the database yet.
    """
    error = task.exception()
    if error is not None and not isinstance(error, _NOT_READY):
        raise error
    return error is not None


def _end_unwanted(task: asyncio.Task[_Answer]) -> None:
    if not task.cancelled() and task.exception() is None:
        _end(task.result())


def _end(answer: _Answer | None) -> None:
    if answer is not None:
        answer.connection.terminate()


def _listed(given: str | Sequence[str]) -> list[str]:
    return (given if isinstance(given, str) else ",".join(given)).split(",")


def _host_and_port(text: str) -> tuple[str, str]:
    """`one:5433`, `one`, `[::1]:5433`, `::1`, or the folder of a socket."""
    if not text or text.startswith("/") or (text.count(":") > 1 and text[0] != "["):
        return text, ""
    found = re.fullmatch(r"(\[[^\]]+\]|[^:]+)(?::(\d+))?", text)
    if found is None:
        raise ValueError(f"A database URL cannot name the host {text!r}.")
    return found[1].strip("[]"), found[2] or ""
