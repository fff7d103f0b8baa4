"""Slowing down guesses without locking anybody out.

Wrong tries are counted for an address from one network, and for a network as a whole. From the
fifth on the wait doubles, up to an hour. A stranger's tries count against the stranger's network,
so the person the address belongs to still gets in from home; and a link by mail always works.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.errors import TooManyTries
from timebank.moment import Moment
from timebank.people import throttles

_FREE_FOR_ADDRESS = 5
_FREE_FOR_NETWORK = 30  # a library's computers share one
_LONGEST_WAIT = timedelta(hours=1)
_FORGOTTEN_AFTER = timedelta(hours=24)


def keys(what: str, address: str, network: str) -> tuple[str, str]:
    """The two things that are counted. Hashed, so that no address stands in the table."""
    return _key(what, "address", address, network), _key(what, "network", network)


async def refuse_if_too_many(conn: AsyncConnection, keys: Sequence[str], *, now: Moment) -> None:
    """Raise `TooManyTries` while one of the keys has to wait."""
    free = dict(zip(keys, (_FREE_FOR_ADDRESS, _FREE_FOR_NETWORK), strict=True))
    rows = await conn.execute(select(throttles).where(throttles.c.key.in_(keys)))
    waits = [_until(row.failures, row.last_at, free[row.key]) for row in rows]
    if waits and max(waits) > now.at:
        raise TooManyTries(max(waits))


async def count_failure(conn: AsyncConnection, keys: Iterable[str], *, now: Moment) -> None:
    """Count one more try against each key. What is a day old no longer counts."""
    insert = sqlite.insert if conn.dialect.name == "sqlite" else postgresql.insert
    await conn.execute(delete(throttles).where(throttles.c.last_at < now.at - _FORGOTTEN_AFTER))
    for key in sorted(keys):  # one order, so that two writers cannot wait for each other
        await conn.execute(
            insert(throttles)
            .values(key=key, failures=1, last_at=now.at)
            .on_conflict_do_update(
                index_elements=["key"],
                set_={"failures": throttles.c.failures + 1, "last_at": now.at},
            )
        )


async def forgive(conn: AsyncConnection, key: str) -> None:
    """The right password: tries for this address from this network are forgotten."""
    await conn.execute(delete(throttles).where(throttles.c.key == key))


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _until(failures: int, last_at: datetime, free: int) -> datetime:
    if failures < free:
        return last_at
    doubled = timedelta(seconds=2 ** min(failures - free + 1, 12))
    return last_at + min(doubled, _LONGEST_WAIT)
