"""Reading statements and balances: after ten thousand transfers, and after a million or ten.

One caller reads, in turns from a short book and from a long one, through the same `Database` as a
page does. So a figure holds everything that a page waits for: a connection from the pool (tried out
on PostgreSQL), the transaction around it, the statement, and the values made of its rows. Accounts,
days and pages are picked at random; the data is in memory. The books are verified before.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TypeAlias
from uuid import UUID

import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks import making
from benchmarks.machine import Watch
from benchmarks.making import Books
from benchmarks.places import migrated, on_postgres
from benchmarks.results import Row, Size, alone, compared
from ledger.sql import read
from ledger.sql.verify import verify
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database

AT_MOST = 3.0  # times as long in the long book
MILLISECONDS = 1.0  # at most, on PostgreSQL
PAGE = 50


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads in one book, and the dice that say what."""

    db: Database
    books: Books
    dice: Random

    def account(self, *, hot: bool) -> tuple[UUID, int]:
        """An account and its count of lines: the hot one, or any other."""
        number = 0 if hot else self.dice.randrange(1, len(self.books.accounts))
        return self.books.accounts[number], self.books.lines[number]

    async def newest(self, conn: AsyncConnection, *, hot: bool) -> None:
        """The newest page of an account."""
        account, lines = self.account(hot=hot)
        found = await read.page(conn, self.books.community, account, limit=PAGE)
        assert len(found) == min(PAGE, lines)

    async def anywhere(self, conn: AsyncConnection, *, hot: bool) -> None:
        """A page anywhere in the history of an account."""
        account, lines = self.account(hot=hot)
        before = self.dice.randrange(PAGE, lines) + 1 if lines > PAGE else lines + 1
        found = await read.page(conn, self.books.community, account, before_line=before, limit=PAGE)
        assert len(found) == min(PAGE, lines)

    async def now(self, conn: AsyncConnection, *, hot: bool) -> None:
        """What an account stands at."""
        await read.balance(conn, self.books.community, self.account(hot=hot)[0])

    async def then(self, conn: AsyncConnection, *, hot: bool) -> None:
        """What an account stood at on a day."""
        day = making.BEGINNING + timedelta(days=self.dice.randrange(making.YEARS.days))
        await read.balance_at(conn, self.books.community, self.account(hot=hot)[0], day)

    async def waits(self, what: What, count: int, *, hot: bool) -> list[float]:
        """Read so often, one after another; the waits in milliseconds."""
        found = []
        for _ in range(count):
            start = time.perf_counter()
            async with self.db.read(self.books.community) as conn:
                await what(self, conn, hot)
            found.append(1000 * (time.perf_counter() - start))
        return found


What: TypeAlias = Callable[[Reader, AsyncConnection, bool], Awaitable[None]]

WHAT: Mapping[str, What] = {
    f"newest page of {PAGE}": lambda reader, conn, hot: reader.newest(conn, hot=hot),
    f"page of {PAGE} anywhere": lambda reader, conn, hot: reader.anywhere(conn, hot=hot),
    "balance now": lambda reader, conn, hot: reader.now(conn, hot=hot),
    "balance as of a day": lambda reader, conn, hot: reader.then(conn, hot=hot),
}


def rows(size: Size) -> Iterator[Row]:
    """Measure on both databases."""
    small = size.of(1_000, 10_000, 10_000)
    for on_sqlite in (False, True):
        large = size.of(3_000, 100_000, 1_000_000, 1_000_000 if on_sqlite else 10_000_000)
        with _two_books(small, large, on_sqlite=on_sqlite) as (settings, books):
            yield from uvloop.run(_measure(settings, books, size))


@contextmanager
def _two_books(
    small: int, large: int, *, on_sqlite: bool
) -> Iterator[tuple[list[Settings], list[Books]]]:
    """A database with a short book, and one with a long book."""
    names = ("small", "large")
    with TemporaryDirectory() as folder:
        if on_sqlite:
            settings = [Settings(Path(folder) / name, "") for name in names]
            for one in settings:
                one.data.mkdir()
                migrate.upgrade(one)
            yield settings, _made(settings, small, large)
            return
        with on_postgres() as (server, _):
            settings = [migrated(server, name, Path(folder)) for name in names]
            yield settings, _made(settings, small, large)


def _made(settings: list[Settings], *sizes: int) -> list[Books]:
    return [
        making.make(one, transfers, entries=False)
        for one, transfers in zip(settings, sizes, strict=True)
    ]


async def _measure(settings: list[Settings], books: list[Books], size: Size) -> list[Row]:
    databases = [Database(one) for one in settings]
    short, long = (Reader(db, book, Random(7)) for db, book in zip(databases, books, strict=True))
    try:
        for db in databases:
            await db.start()
        sound = all([await _is_sound(reader) for reader in (short, long)])
        found = []
        for name, what in WHAT.items():
            for hot in (False, True):
                found += await _turns(name, what, short, long, size, hot=hot, sound=sound)
        return found
    finally:
        for db in databases:
            await db.stop()


async def _turns(
    name: str, what: What, short: Reader, long: Reader, size: Size, *, hot: bool, sound: bool
) -> list[Row]:
    """Read in turns; one row for the ratio, and on PostgreSQL one for the time itself."""
    turns, count = size.of(1, 3, 5), size.of(5, 100, 400)
    waits: dict[str, list[list[float]]] = {"short": [], "long": []}
    watch = Watch()
    for turn in range(turns + 1):
        for side, reader in (("short", short), ("long", long)):
            taken = await reader.waits(what, count, hot=hot)
            if turn:
                waits[side].append(taken)
    medians = {side: [median(taken) for taken in found] for side, found in waits.items()}
    slowest = quantiles([wait for taken in waits["long"] for wait in taken], n=100)[98]
    database = "SQLite" if long.db.is_sqlite else "PostgreSQL"
    whose = "hot account" if hot else "any account"
    sizes = f"{long.books.transfers:,} transfers ÷ {short.books.transfers:,}"
    foreign, note = watch.foreign(), f"p99 {slowest:.2f} ms"
    ratio = compared(
        f"{database}, {name}, {whose}: {sizes}",
        medians["long"],
        medians["short"],
        goal=AT_MOST,
        unit="ms",
        sound=sound,
        note=note,
        at_most=True,
        foreign=foreign,
    )
    if long.db.is_sqlite:
        return [ratio]
    itself = alone(
        f"{database}, {name}, {whose}: at {long.books.transfers:,}",
        medians["long"],
        goal=MILLISECONDS,
        unit="ms",
        sound=sound,
        note=note,
        at_most=True,
        foreign=foreign,
    )
    return [ratio, itself]


async def _is_sound(reader: Reader) -> bool:
    async with reader.db.read(reader.books.community) as conn:
        return (await verify(conn, reader.books.community)).sound
