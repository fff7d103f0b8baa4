"""Standbys of PostgreSQL to read from, and whether they know enough yet.

How far a standby is, is a place in the primary's log. Before it is looked at, it has to have
reached the place where the primary stood when this process asked it last, which is never longer
than `MOST_BEHIND` ago, and never before this process wrote something itself. So whoever looks sees
all that this process did, and what others did up to `MOST_BEHIND` seconds ago. A standby that
does not get there in a moment, or is away, is left alone, and the primary is read instead.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = logging.getLogger("timebank.replicas")

MOST_BEHIND = 2.0
"""Seconds by which what is seen of other processes' work may be old."""

REST = 5.0
"""Seconds for which a standby that was away or behind is left alone."""

_WAIT = 0.1  # seconds to wait for a standby that has nearly all
_PAUSE = 0.01

_STANDS = text("SELECT pg_current_wal_lsn()::text")
_REACHED = "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1::text::pg_lsn"


class Replicas:
    """The standbys behind one engine, and the primary that they follow."""

    def __init__(self, standbys: AsyncEngine, primary: AsyncEngine) -> None:
        self.engine = standbys
        self._primary = primary
        self._place = ""
        self._asked = float("-inf")
        self._writes = 0
        self._resting_until = float("-inf")

    def wrote(self) -> None:
        """This process wrote something: from now on a standby has to have that, too."""
        self._writes += 1
        self._asked = float("-inf")

    async def connection(self) -> AsyncConnection | None:
        """A connection to a standby that knows enough, to be closed by whoever asked; or None."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting_until:
            return None
        place = await self.wanted()
        try:
            conn = await self.engine.connect()
            try:
                if await _reaches(conn, place):
                    return conn
            except BaseException:
                await conn.close()
                raise
            await conn.close()
            log.info("the replica is behind; reading from the primary for %g s", REST)
        except (OSError, DBAPIError, PoolTimeout) as error:
            log.warning("no replica to read from (%s); reading from the primary", error)
        self._resting_until = loop.time() + REST
        return None

    async def wanted(self) -> str:
        """A place in the log that a standby has to have reached."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._asked <= MOST_BEHIND:
            return self._place
        asked, writes = loop.time(), self._writes
        async with self._primary.connect() as conn:
            place: str = (await conn.execute(_STANDS)).scalar_one()
        if writes == self._writes:  # else it may be from before what was written meanwhile
            self._place, self._asked = place, asked
        return place


async def _reaches(conn: AsyncConnection, place: str) -> bool:
    """Whether the standby has got there, or does so in a moment.

    Asked outside of any transaction: one that began before would go on seeing less.
    """
    raw = await conn.get_raw_connection()
    driver: Any = raw.driver_connection
    loop = asyncio.get_running_loop()
    given_up = loop.time() + _WAIT
    try:
        while not await driver.fetchval(_REACHED, place):
            if loop.time() > given_up:
                return False
            await asyncio.sleep(_PAUSE)
    except Exception as error:
        await conn.invalidate()
        raise OperationalError(_REACHED, None, error, connection_invalidated=True) from error
    return True
