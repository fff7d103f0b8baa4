"""Books of any length, made quickly: what posting would have left behind, computed in one pass.

Chain, lines, balances, tallies and commitments to the words are the real ones; `timebank verify`
finds the books sound. A fifth of all entries is between a member and the commons, the hot account.
Most have one giver and one receiver; of a hundred entries two are gatherings of five, and one is
undone at once by the next. The same seed makes the same books.

The rows are loaded by the owner of the database: the guards that look at each row stay out of the
way, and on PostgreSQL indexes are built when all rows are there.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto
from sqlalchemy import bindparam, insert, make_url, update
from sqlalchemy.ext.asyncio import create_async_engine

from ledger import Minutes, chain
from ledger.sql import tables
from timebank import communities
from timebank.config import Settings
from timebank.members import members, tallies
from timebank.moment import Moment

BEGINNING = datetime(2021, 1, 1, tzinfo=UTC)
YEARS = timedelta(days=5 * 365)
_AT_ONCE = 20_000  # transfers computed and loaded together

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_FACTS = struct.Struct(">I24sIqI16sIqI32sI16sIqI16sI16sIqI10sIqIqIqIqIq").pack
_TITLE = (24, b"timebank.ledger.transfer", 8, 1)
_COMMITMENT = struct.Struct(">I26sIqI16sI").pack
_NOTES = ("A lift to the surgery", "Soup and company", "Bread for the table", "Forms for the flat")
_KINDS = ("help", "hospitality", "facilitation", "other")
_AREAS = ("Old Town", "Riverside", "Station Road", "The Meadows", "Hill Top", "Harbour", "")

TRANSFER = """
    community_id seq entry_id position source_id destination_id minutes occurred_on posted_at
    source_line source_balance destination_line destination_balance reverses_id commitment
    previous hash
"""
ENTRY = """
    community_id id kind category_id occurred_on note salt minutes state contested
    agreement_version recorded_by recorded_at touched_at posted_at reverses_id reversed_by_id
    counted_on
"""
PART = "community_id entry_id account_id position side minutes awaited"


@dataclass(frozen=True, slots=True)
class Books:
    """What was made: a community, its accounts (first the commons) and their counts of lines."""

    community: UUID
    accounts: tuple[UUID, ...]
    lines: tuple[int, ...]
    transfers: int
    ends: datetime

    @property
    def members(self) -> tuple[UUID, ...]:
        """Everyone but the commons."""
        return self.accounts[1:]

    @property
    def hot(self) -> UUID:
        """The account with a fifth of all entries: the commons."""
        return self.accounts[0]


@dataclass(frozen=True, slots=True)
class Written:
    """One entry as people wrote it down; accounts are numbers, 0 is the commons."""

    id: bytes
    kind: str
    giver: int
    receivers: Sequence[int]
    shares: Sequence[int]
    day: int  # since the first of January of the year 1
    at: int  # microseconds since 1970
    note: str
    salt: bytes
    category: bytes | None = None
    reverses: bytes | None = None
    undone_by: bytes | None = None


def written(
    accounts: int, dice: Random, step: int, categories: Sequence[bytes], begins: datetime
) -> Iterator[Written]:
    """Entries without end, `step` microseconds apart; each seventh is of no category."""
    number, at = 0, round((begins - _EPOCH).total_seconds() * 1e6)
    while True:
        number, at = number + 1, at + step
        turn = number % 100
        if turn in (25, 75):
            giver, *receivers = dice.sample(range(1, accounts), 5)
        else:
            giver, one = _two(number, accounts - 1, dice)
            receivers = [one]
        entry = Written(
            id=_id(at, dice),
            kind=_KINDS[number % 4],
            giver=giver,
            receivers=receivers,
            shares=[15 * (1 + number % 12)] * len(receivers),
            day=719_163 + at // _DAY - number % 3,
            at=at,
            note=f"{_NOTES[number % 4]}, {number}.",
            salt=dice.randbytes(16),
            category=categories[number % len(categories)] if categories and number % 7 else None,
            undone_by=_id(at + step, dice) if turn == 50 else None,
        )
        yield entry
        if entry.undone_by:
            number, at = number + 1, at + step
            yield Written(
                entry.undone_by,
                entry.kind,
                giver,
                receivers,
                entry.shares,
                entry.day,
                at,
                "Written down twice.",
                dice.randbytes(16),
                entry.category,
                reverses=entry.id,
            )


def _entries(transfers: int) -> int:
    """At most so many entries have so many transfers: of a hundred, two have four each."""
    return transfers * 100 // 106 + 6


def _two(number: int, many: int, dice: Random) -> tuple[int, int]:
    """Giver and receiver: each fifth time the commons is one of them."""
    one = 1 + int(dice.random() * many)
    if number % 5 == 0:
        return (0, one) if number % 10 else (one, 0)
    other = 1 + int(dice.random() * (many - 1))
    return one, other + (other >= one)


def _id(at: int, dice: Random) -> bytes:
    """A UUID version 7 of a moment."""
    tail = bytearray(dice.randbytes(10))
    tail[0] = tail[0] & 0x0F | 0x70
    tail[2] = tail[2] & 0x3F | 0x80
    return (at // 1000).to_bytes(6, "big") + tail


def committed(entry: Written) -> bytes:
    """The commitment to an entry's words."""
    category = "null" if entry.category is None else f'"{UUID(bytes=entry.category)}"'
    note = json.dumps(entry.note)
    words = f'{{"category":{category},"kind":"{entry.kind}","note":{note}}}'.encode()
    head = _COMMITMENT(26, b"timebank.ledger.commitment", 8, 1, 16, entry.salt, len(words))
    return sha256(head + words).digest()


class Chained:
    """The journal of a community as it grows: rows as SQLite keeps them, balances and lines."""

    def __init__(self, community: UUID, accounts: Sequence[UUID]) -> None:
        self.community = community.bytes
        self.accounts = [id.bytes for id in accounts]
        self.seq, self.hash, self.at = 0, chain.genesis(community), 0
        self.balances, self.lines = [0] * len(accounts), [0] * len(accounts)
        self.given, self.received = [0] * len(accounts), [0] * len(accounts)
        self.latest = [0] * len(accounts)  # the last day with help, as entries have it

    def post(self, entry: Written) -> Iterator[tuple[Any, ...]]:
        """The rows of one more entry."""
        sign, commitment = (-1 if entry.reverses else 1), committed(entry)
        moves = list(zip(entry.receivers, entry.shares, strict=True))[::sign]
        day = date.fromordinal(entry.day).isoformat()
        for account in (entry.giver, *entry.receivers):
            self.latest[account] = max(self.latest[account], entry.day)
        for position, (receiver, minutes) in enumerate(moves, 1):
            self.given[entry.giver] += sign * minutes
            self.received[receiver] += sign * minutes
            pair = (receiver, entry.giver)[::sign]  # hours flow from the receiver to the giver
            yield self._row(entry, position, pair, minutes, day, commitment)

    def _row(
        self,
        entry: Written,
        position: int,
        pair: Sequence[int],
        minutes: int,
        day: str,
        commitment: bytes,
    ) -> tuple[Any, ...]:
        (source, destination), lines, balances = pair, self.lines, self.balances
        self.seq, self.at = self.seq + 1, entry.at
        lines[source] += 1
        lines[destination] += 1
        balances[source] -= minutes
        balances[destination] += minutes
        left = (lines[source], balances[source], lines[destination], balances[destination])
        ends, previous = (self.accounts[source], self.accounts[destination]), self.hash
        facts = _FACTS(
            *_TITLE,
            *(16, self.community, 8, self.seq, 32, previous, 16, entry.id, 8, position),
            *(16, ends[0], 16, ends[1], 8, minutes, 10, day.encode(), 8, entry.at),
            *(8, left[0], 8, left[1], 8, left[2], 8, left[3]),
        )
        reverses = b"\0\0\0\x10" + entry.reverses if entry.reverses else b"\0\0\0\0"
        self.hash = sha256(facts + reverses + b"\0\0\0\x20" + commitment).digest()
        return (
            *(self.community, self.seq, entry.id, position, *ends, minutes, day, entry.at),
            *(*left, entry.reverses, commitment, previous, self.hash),
        )


def make(
    settings: Settings,
    transfers: int,
    *,
    seed: int = 1,
    entries: bool = True,
    members: int | None = None,
    begins: datetime = BEGINNING,
) -> Books:
    """Make a community with so many transfers, over five years, in a migrated database.

    Without `entries` there is the journal only, as for reading statements. There are as many
    `members` as usual for that many transfers, unless it is said how many.
    """
    many = members or min(10_000, max(100, transfers // 100))
    return asyncio.run(_make(settings, transfers, Random(seed), many, begins, entries=entries))


async def _make(
    settings: Settings, transfers: int, dice: Random, many: int, begins: datetime, *, entries: bool
) -> Books:
    community, accounts, categories = await _open(settings, many, dice, begins)
    books = Chained(community, accounts)
    step = int(YEARS.total_seconds() * 1e6) // (_entries(transfers) + 1)
    source = written(len(accounts), dice, step, [id.bytes for id in categories], begins)
    batches = _batches(books, transfers, source, entries)
    if settings.url.startswith("sqlite"):
        _into_sqlite(settings, batches)
    else:
        await _into_postgres(settings, batches)
    ends = begins + YEARS
    await _settle(settings, books)
    return Books(community, accounts, tuple(books.lines), transfers, ends)


Batch = tuple[list[Any], list[Any], list[Any]]


def _batches(
    books: Chained, transfers: int, source: Iterator[Written], entries: bool
) -> Iterator[Batch]:
    """Rows of transfer, entry and part until there are so many transfers."""
    recorder, skipped = books.accounts[1], set[bytes | None]()
    while books.seq < transfers:
        rows: list[Any] = []
        wrote: list[Any] = []
        parts: list[Any] = []
        while len(rows) < _AT_ONCE and books.seq < transfers:
            entry = next(source)
            wanted = len(entry.shares) + (entry.undone_by is not None)
            if wanted > transfers - books.seq or entry.reverses in skipped:
                skipped.add(entry.id)  # no place for the whole of it before the end
                continue
            rows.extend(books.post(entry))
            if entries:
                wrote.append(_entry_row(books, entry, recorder))
                parts.extend(_part_rows(books, entry))
        yield rows, wrote, parts


def _entry_row(books: Chained, entry: Written, recorder: bytes) -> tuple[Any, ...]:
    state = "reversed" if entry.undone_by else "approved"
    day = date.fromordinal(entry.day).isoformat()
    return (
        *(books.community, entry.id, entry.kind, entry.category, day, entry.note, entry.salt),
        *(sum(entry.shares), state, 0, 1, recorder, entry.at, entry.at, entry.at),
        *(entry.reverses, entry.undone_by, day),
    )


def _part_rows(books: Chained, entry: Written) -> Iterator[tuple[Any, ...]]:
    sides = [(entry.giver, "gave", sum(entry.shares))]
    sides += [
        (one, "received", own) for one, own in zip(entry.receivers, entry.shares, strict=True)
    ]
    for position, (account, side, minutes) in enumerate(sides, 1):
        account_id = books.accounts[account]
        yield (books.community, entry.id, account_id, position, side, minutes, 0)


async def _open(
    settings: Settings, many: int, dice: Random, begins: datetime
) -> tuple[UUID, tuple[UUID, ...], list[UUID]]:
    """A community with so many members, its accounts (first the commons) and its categories."""
    now = Moment(begins, dice.randbytes)
    slug = f"books-{dice.randrange(10**9)}"
    engine = create_async_engine(settings.owners_url)
    async with engine.begin() as conn:
        place = await communities.create(
            conn, slug=slug, name="Books", language="en", timezone="Europe/London", now=now
        )
        categories = [one.id for one in await communities.categories_of(conn, place.id)]
        ids = [now.new_id() for _ in range(many)]
        common = {"community_id": place.id}
        await conn.execute(
            insert(tables.account),
            [
                common
                | {"id": id, "kind": "member", "balance": Minutes(0), "lines": 0}
                | {"opened_at": now.at}
                for id in ids
            ],
        )
        await conn.execute(
            insert(members),
            [
                common
                | {"id": id, "kind": "person", "name": f"Member {number}"}
                | {"name_key": f"member {number}", "search_key": f"member {number}"}
                | {"area": _AREAS[number % len(_AREAS)]}
                | {"contact_shown": False, "role": "member", "status": "active"}
                | {"applied_at": now.at, "joined_at": now.at}
                for number, id in enumerate(ids)
            ],
        )
    await engine.dispose()
    return place.id, (place.commons_id, *ids), categories


async def _settle(settings: Settings, books: Chained) -> None:
    """Balances, tallies and the head, as the transfers leave them."""
    community, account, head = UUID(bytes=books.community), tables.account, tables.journal
    numbered = [(number, UUID(bytes=id)) for number, id in enumerate(books.accounts)]
    engine = create_async_engine(settings.owners_url)
    async with engine.begin() as conn:
        await conn.execute(
            update(account)
            .where(account.c.community_id == community, account.c.id == bindparam("one"))
            .values(balance=bindparam("left"), lines=bindparam("number")),
            [
                {"one": id, "left": Minutes(books.balances[n]), "number": books.lines[n]}
                for n, id in numbered
                if books.lines[n]
            ],
        )
        await conn.execute(
            insert(tallies),
            [
                {"community_id": community, "account_id": id}
                | {"given": Minutes(books.given[n]), "received": Minutes(books.received[n])}
                | {"latest_at": _midnight(books.latest[n]) if books.latest[n] else None}
                for n, id in numbered
            ],
        )
        await conn.execute(
            update(head)
            .where(head.c.community_id == community)
            .values(
                seq=books.seq,
                hash=books.hash,
                posted_at=_EPOCH + timedelta(microseconds=books.at),
            )
        )
    await engine.dispose()


def _midnight(day: int) -> datetime:
    return datetime.combine(date.fromordinal(day), time(), UTC)


def _into_sqlite(settings: Settings, batches: Iterator[Batch]) -> None:
    """Insert in large transactions; the triggers are put back afterwards, as they were."""
    connection = sqlite3.connect(str(make_url(settings.url).database), isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    guards = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' "
        "AND tbl_name IN ('transfer', 'entry', 'part')"
    ).fetchall()
    for name, _ in guards:
        connection.execute(f"DROP TRIGGER {name}")
    for batch in batches:
        connection.execute("BEGIN")
        for (table, columns), rows in zip(_COLUMNS.items(), batch, strict=True):
            marks = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                rows,
            )
        connection.execute("COMMIT")
    for _, guard in guards:
        connection.execute(guard)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def _into_postgres(settings: Settings, batches: Iterator[Batch]) -> None:
    """COPY without indexes, which are then built as they were, and ANALYZE."""
    url = make_url(settings.owners_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    await connection.execute("SET session_replication_role = replica")  # references are right
    await connection.execute("SET maintenance_work_mem = '512MB'")
    indexes = await _without_indexes(connection)
    for batch in batches:
        for (table, columns), rows in zip(_COLUMNS.items(), batch, strict=True):
            await connection.copy_records_to_table(
                table, columns=columns, records=_for_postgres(columns, rows)
            )
    for statement in indexes:
        await connection.execute(statement)
    await connection.execute("ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _without_indexes(connection: Any) -> list[str]:
    """Drop what would be kept up to date row by row; the statements that make it again."""
    again = []
    for row in await connection.fetch(
        "SELECT conname, conrelid::regclass::text AS at, pg_get_constraintdef(oid) AS is "
        "FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid = 'transfer'::regclass"
    ):
        again.append(f"ALTER TABLE {row['at']} ADD CONSTRAINT {row['conname']} {row['is']}")
        await connection.execute(f"ALTER TABLE {row['at']} DROP CONSTRAINT {row['conname']}")
    for row in await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'transfer'"
    ):
        again.append(row["indexdef"])
        await connection.execute(f"DROP INDEX {row['indexname']}")
    return again


def _for_postgres(
    columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """The rows with ids, days and moments as PostgreSQL's driver wants them."""
    spell = [_SPELLED.get(column, _same) for column in columns]
    return (tuple([as_(value) for as_, value in zip(spell, row, strict=True)]) for row in rows)


def _same(value: Any) -> Any:
    return value


def _quick_id(value: bytes | None) -> Any:
    return None if value is None else pgproto.UUID(value)


def _moment(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


_COLUMNS = {"transfer": TRANSFER.split(), "entry": ENTRY.split(), "part": PART.split()}
_SPELLED: dict[str, Any] = (
    {
        name: _quick_id
        for columns in _COLUMNS.values()
        for name in columns
        if name.endswith("_id") or name == "id"
    }
    | dict.fromkeys(("posted_at", "recorded_at", "touched_at"), _moment)
    | dict.fromkeys(("contested", "awaited"), bool)
    | dict.fromkeys(("occurred_on", "counted_on"), date.fromisoformat)
    | {"recorded_by": _quick_id}
)
