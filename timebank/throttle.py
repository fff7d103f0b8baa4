"""Slowing down guesses without locking anybody out.

Tries are counted for an address from one network, for a network as a whole, and for an address from
all networks together. Past a few free ones the wait between two tries doubles, up to an hour.

A stranger's tries cannot keep the owner of an address out: the count over all networks is not asked
of a network from which the address has signed in before, and a link by mail always works.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.errors import TooManyTries
from timebank.moment import Moment
from timebank.people import throttles

_FREE_HERE = 5
_FREE_FOR_NETWORK = 30  # a library's computers share one
_FREE_ANYWHERE = 100
_LONGEST_WAIT = timedelta(hours=1)
_FORGOTTEN_AFTER = timedelta(hours=24)
_KNOWN_FOR = timedelta(days=180)  # as long as a session may last


@dataclass(frozen=True, slots=True)
class Keys:
    """What a try counts against. Hashed, so that no address stands in the table."""

    here: str  # this address from this network
    network: str
    anywhere: str | None  # this address from all networks
    known: str  # there is a row under this key if the address has signed in from this network


def keys(what: str, address: str, network: str, *, anywhere: bool = False) -> Keys:
    """The keys for one kind of try; `anywhere` also counts the address over all networks."""
    return Keys(
        here=_key(what, "address", address, network),
        network=_key(what, "network", network),
        anywhere=_key(what, "anywhere", address) if anywhere else None,
        known=_key(what, "known", address, network),
    )


async def count(conn: AsyncConnection, keys: Keys, *, now: Moment) -> None:
    """Count one more try, or raise `TooManyTries` while one of the keys has to wait.

    Tries are counted before they are checked, so that many at once get no further than one by one.
    What is a day old no longer counts.
    """
    await _forget(conn, now)
    free = {keys.here: _FREE_HERE, keys.network: _FREE_FOR_NETWORK}
    known = select(throttles.c.key).where(throttles.c.key == keys.known)
    if keys.anywhere is not None and (await conn.execute(known)).first() is None:
        free[keys.anywhere] = _FREE_ANYWHERE
    for key in sorted(free):  # one order, so that two writers cannot wait for each other
        await _see_to(conn, key, now)
    counted = throttles.c.key.in_(free)
    rows = await conn.execute(
        select(throttles).where(counted).order_by(throttles.c.key).with_for_update()
    )
    until = max(_until(row.failures, row.last_at, free[row.key]) for row in rows)
    if until > now.at:
        raise TooManyTries(until)
    await conn.execute(
        update(throttles).where(counted).values(failures=throttles.c.failures + 1, last_at=now.at)
    )


async def forgive(conn: AsyncConnection, keys: Keys, *, now: Moment) -> None:
    """The try was right: it does not count, and neither do the wrong ones for this address here."""
    await conn.execute(delete(throttles).where(throttles.c.key == keys.here))
    await conn.execute(
        update(throttles)
        .where(throttles.c.key.in_([keys.network, keys.anywhere]), throttles.c.failures > 0)
        .values(failures=throttles.c.failures - 1)
    )
    await _see_to(conn, keys.known, now)
    await conn.execute(
        update(throttles).where(throttles.c.key == keys.known).values(last_at=now.at)
    )


async def _see_to(conn: AsyncConnection, key: str, now: Moment) -> None:
    """Make sure that there is a row to count in, and to lock."""
    insert = sqlite.insert if conn.dialect.name == "sqlite" else postgresql.insert
    row = insert(throttles).values(key=key, failures=0, last_at=now.at)
    await conn.execute(row.on_conflict_do_nothing())


async def _forget(conn: AsyncConnection, now: Moment) -> None:
    """Tries are forgotten after a day, known networks when nobody signed in from them for long."""
    old = (
        select(throttles.c.key)
        .where(
            ((throttles.c.failures > 0) & (throttles.c.last_at < now.at - _FORGOTTEN_AFTER))
            | (throttles.c.last_at < now.at - _KNOWN_FOR)
        )
        .with_for_update(skip_locked=True)
    )
    await conn.execute(delete(throttles).where(throttles.c.key.in_(old)))


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _until(failures: int, last_at: datetime, free: int) -> datetime:
    if failures < free:
        return last_at
    doubled = timedelta(seconds=2 ** min(failures - free + 1, 12))
    return last_at + min(doubled, _LONGEST_WAIT)
