"""Two verifiers that share no code agree: on honest books, and on every kind of tampering.

The first reads the books as they are stored (`ledger.sql.verify`). The second is the one file that
strangers run, `verifier/verify_books.py`: it reads the same books as they are exported. A book is
tampered with as somebody would who owns the database and has taken its guards away.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import Account, Journal, JournalEntry, Minutes, PostedTransfer, Transfer, book, chain
from ledger.book import AccountRow
from ledger.journal import Head
from ledger.proof import Report, row_of
from ledger.sql import book as stored_book
from ledger.sql import tables
from ledger.sql.verify import verify
from tests.ledger.bank import Bank
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, HERE, NOON, after, entry, journal
from tests.ledger.test_tamper import unguard

SCRIPT = Path(__file__).parents[2] / "verifier" / "verify_books.py"


def _second() -> Any:
    spec = importlib.util.spec_from_file_location("verify_books", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


second = _second()

Anchor = tuple[int, bytes]


@dataclass
class Book:
    """All that is stored of a community."""

    head: Head
    accounts: list[Account]
    rows: list[PostedTransfer]

    @classmethod
    def of(cls, journal: Journal) -> Book:
        return cls(journal.head, list(journal.accounts.values()), list(journal.transfers))


@dataclass
class History:
    """What was posted in a community, and the book it left behind."""

    community: UUID
    accounts: dict[UUID, Minutes | None]
    entries: list[JournalEntry]

    def journal(self, entries: Sequence[JournalEntry] | None = None) -> Journal:
        """The journal of these entries, one an hour, or of all."""
        kept = Journal.open(self.community, NOON)
        for id, floor in self.accounts.items():
            kept.open_account(id, floor)
        for hour, posting in enumerate(self.entries if entries is None else entries):
            kept.post([posting], after(hour))
        return kept


def new_id(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128))


def a_history(random: Random) -> History:
    """A few accounts with and without floors; entries of all shapes, refused ones, reversals."""
    floors = [None, None, None, Minutes(0), Minutes(-30)]
    accounts = {new_id(random): random.choice(floors) for _ in range(random.randint(2, 5))}
    entries: list[JournalEntry] = []
    for _ in range(random.randint(4, 14)):
        if entries and random.random() < 0.2:
            undone = random.choice(entries)
            words = random.randbytes(32)
            entries.append(undone.reversal(new_id(random), DAY, words, random.random() < 0.5))
            continue
        moves = []
        for _ in range(random.choice([1, 1, 2, 3])):
            source, destination = random.sample(list(accounts), 2)
            moves.append(Transfer(source, destination, Minutes(random.randint(1, 90))))
        day = DAY - timedelta(days=random.randint(0, 60))
        override = random.random() < 0.3
        words = random.randbytes(32)
        entries.append(JournalEntry(new_id(random), tuple(moves), day, words, override=override))
    history = History(new_id(random), accounts, entries)
    return history if len(history.journal().transfers) >= 4 else a_history(random)


def an_honest_book(random: Random) -> Book:
    """The book of a history; now and then a floor was raised at its end."""
    kept = a_history(random).journal()
    if random.random() < 0.2:
        kept.set_floor(random.sample(list(kept.accounts), 1), Minutes(10))
    return Book.of(kept)


# The classes of tampering. Each changes one book, or, for the last of them, a pair.


def changed(random: Random, kept: Book) -> None:
    """T1: any fact of a transfer."""
    at = random.randrange(len(kept.rows))
    row = kept.rows[at]
    others = [one.id for one in kept.accounts if one.id not in (row.source_id, row.destination_id)]
    other = random.choice([*others, new_id(random)])
    far = random.randint(1000, 2000)
    changes: list[dict[str, Any]] = [
        {"minutes": row.minutes + Minutes(random.randint(1, 60))},
        {"source_id": other, "source_line": far},
        {"destination_id": other, "destination_line": far},
        {
            "source_id": row.destination_id,
            "destination_id": row.source_id,
            "source_line": far,
            "destination_line": far,
        },
        {"entry_id": new_id(random)},
        {"position": row.position + far},
        {"source_line": far},
        {"destination_line": far},
        {"source_balance": row.source_balance + Minutes(1)},
        {"destination_balance": row.destination_balance - Minutes(1)},
        {"reverses_id": None if row.reverses_id else new_id(random)},
        {"commitment": random.randbytes(32)},
        {"previous": random.randbytes(32)},
        {"hash": random.randbytes(32)},
    ]
    change = random.choice(changes)
    row = replace(row, **change)
    if "hash" not in change and random.random() < 0.3:
        row = replace(row, hash=chain.digest(row))
    kept.rows[at] = row


def deleted(random: Random, kept: Book) -> None:
    """T2: one transfer, with or without closing the gap."""
    at = random.randrange(len(kept.rows))
    del kept.rows[at]
    if random.random() < 0.5:
        kept.rows[at:] = [replace(row, seq=row.seq - 1) for row in kept.rows[at:]]
        kept.head = replace(kept.head, seq=kept.head.seq - 1)


def inserted(random: Random, kept: Book) -> None:
    """T3: a transfer nobody posted, linked to the one before it; the balances follow or not."""
    at = random.randint(0, len(kept.rows))
    first, second = random.sample(range(len(kept.accounts)), 2)
    source, destination = kept.accounts[first], kept.accounts[second]
    minutes = Minutes(random.randint(1, 60))
    forged = PostedTransfer(
        kept.head.community,
        at + 1,
        new_id(random),
        1,
        source.id,
        destination.id,
        minutes,
        DAY,
        kept.rows[at - 1].posted_at if at else kept.rows[0].posted_at,
        source.lines + 1,
        source.balance - minutes,
        destination.lines + 1,
        destination.balance + minutes,
        None,
        random.randbytes(32),
        kept.rows[at - 1].hash if at else chain.genesis(kept.head.community),
        bytes(32),
    )
    forged = replace(forged, hash=chain.digest(forged))
    later = [replace(row, seq=row.seq + 1) for row in kept.rows[at:]]
    kept.rows[at:] = [forged, *later]
    if random.random() < 0.5:
        kept.accounts[first] = source.moved(-minutes)
        kept.accounts[second] = destination.moved(minutes)


def swapped(random: Random, kept: Book) -> None:
    """T4: two transfers, by their numbers alone or with all that shows their place."""
    one, other = random.sample(range(len(kept.rows)), 2)
    first, later = kept.rows[one], kept.rows[other]
    places = ["seq"] if random.random() < 0.5 else ["seq", "posted_at", "previous", "hash"]
    kept.rows[one] = replace(first, **{name: getattr(later, name) for name in places})
    kept.rows[other] = replace(later, **{name: getattr(first, name) for name in places})


def duplicated(random: Random, kept: Book) -> None:
    """T5: a transfer a second time at the end, where the head follows it or not."""
    row = random.choice(kept.rows)
    again = replace(
        row,
        seq=len(kept.rows) + 1,
        entry_id=new_id(random),
        position=1,
        source_line=row.source_line + 1000,
        destination_line=row.destination_line + 1000,
        reverses_id=None,
    )
    kept.rows.append(again)
    if random.random() < 0.5:
        kept.head = replace(kept.head, seq=again.seq, hash=again.hash, posted_at=again.posted_at)


def rebalanced(random: Random, kept: Book) -> None:
    """T10: a balance, two that still sum to zero, or a count of lines."""
    first, second = random.sample(range(len(kept.accounts)), 2)
    one, other = kept.accounts[first], kept.accounts[second]
    minutes = Minutes(random.choice([-60, -1, 1, 60]))
    if random.random() < 0.3:
        kept.accounts[first] = replace(one, lines=one.lines + 1)
        return
    kept.accounts[first] = replace(one, balance=one.balance + minutes)
    if random.random() < 0.5:
        kept.accounts[second] = replace(other, balance=other.balance - minutes)


def headed(random: Random, kept: Book) -> None:
    """T11: the head's number, hash or moment."""
    before = random.choice(kept.rows[:-1])
    changes: list[dict[str, Any]] = [
        {"seq": before.seq},
        {"seq": kept.head.seq + 1},
        {"hash": before.hash},
        {"posted_at": kept.head.posted_at + timedelta(microseconds=1)},
        {"seq": before.seq, "hash": before.hash, "posted_at": before.posted_at},
        {"seq": 0, "hash": chain.genesis(kept.head.community), "posted_at": NOON},
    ]
    kept.head = replace(kept.head, **random.choice(changes))


def redated(random: Random, kept: Book) -> None:
    """T12: the moment or the day of one transfer, or of all of them and the head alike."""
    later = timedelta(days=random.choice([-400, -1, 1, 400]))
    if random.random() < 0.3:
        kept.rows = [replace(row, posted_at=row.posted_at + later) for row in kept.rows]
        kept.head = replace(kept.head, posted_at=kept.head.posted_at + later)
        return
    at = random.randrange(len(kept.rows))
    row = kept.rows[at]
    if random.random() < 0.5:
        kept.rows[at] = replace(row, posted_at=row.posted_at + later)
    else:
        kept.rows[at] = replace(row, occurred_on=row.occurred_on + later)


CLASSES: dict[str, Callable[[Random, Book], None]] = {
    "T1 changed": changed,
    "T2 deleted": deleted,
    "T3 inserted": inserted,
    "T4 swapped": swapped,
    "T5 duplicated": duplicated,
    "T9 other commitment": lambda random, kept: kept.rows.__setitem__(
        0, replace(kept.rows[0], commitment=random.randbytes(32))
    ),
    "T10 rebalanced": rebalanced,
    "T11 headed": headed,
    "T12 re-dated": redated,
}


@pytest.fixture(params=[("on_sqlite", 100), ("on_postgres_as_owner", 10)], ids=lambda one: one[0])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """A database in the hands of its owner, without guards, and how many books to put there."""
    name, many = request.param
    return Shelf(request.getfixturevalue(name), many)


@dataclass
class Shelf:
    """Many books in one database."""

    engine: AsyncEngine
    many: int

    async def put(self, books: Sequence[Book]) -> None:
        """Store these books, whatever is in them."""
        async with self.engine.connect() as conn:
            if self.engine.dialect.name == "sqlite":
                await conn.exec_driver_sql("COMMIT")
                await conn.exec_driver_sql("PRAGMA foreign_keys = OFF")
                await conn.exec_driver_sql("BEGIN IMMEDIATE")
            await unguard(conn)
            names = [column.name for column in tables.transfer.c]
            for table, rows in (
                (tables.journal, [_head_values(kept.head) for kept in books]),
                (
                    tables.account,
                    [_account_values(kept, one) for kept in books for one in kept.accounts],
                ),
                (
                    tables.transfer,
                    [
                        {name: getattr(row, name) for name in names}
                        for kept in books
                        for row in kept.rows
                    ],
                ),
            ):
                await conn.execute(insert(table), rows)
            await conn.commit()

    async def judged(self, community: UUID, anchors: Sequence[Anchor] = ()) -> tuple[Report, Any]:
        """What the first and the second verifier find."""
        async with self.engine.connect() as conn:
            report = await verify(conn, community, anchors=anchors)
        lines = await self.lines(community)
        noted = [(seq, hash.hex()) for seq, hash in anchors]
        return report, second.verify(lambda: lines, noted)

    async def lines(self, community: UUID, **how: int) -> list[bytes]:
        """The exported book."""
        async with self.engine.connect() as conn:
            found = stored_book.lines(conn, community, **how)
            return [f"{line}\n".encode() async for line in found]

    async def assert_sound(self, community: UUID, anchors: Sequence[Anchor] = ()) -> None:
        """Neither verifier finds anything."""
        report, found = await self.judged(community, anchors)
        assert report.sound, report.findings
        assert found.sound, found.findings
        assert (found.seq, found.hash) == (report.seq, report.hash)
        assert (found.transfers, len(found.accounts)) == (report.transfers, report.accounts)
        assert len(found.below_floor()) == len(report.below_floor)

    async def assert_found(
        self, community: UUID, what: str, anchors: Sequence[Anchor] = ()
    ) -> tuple[Report, Any]:
        """Both verifiers find something."""
        report, found = await self.judged(community, anchors)
        assert not report.sound, f"the first verifier overlooked {what}"
        assert not found.sound, f"the second verifier overlooked {what}"
        return report, found


def _head_values(head: Head) -> dict[str, Any]:
    return {
        "community_id": head.community,
        "seq": head.seq,
        "hash": head.hash,
        "posted_at": head.posted_at,
    }


def _account_values(kept: Book, account: Account) -> dict[str, Any]:
    return {
        "community_id": kept.head.community,
        "id": account.id,
        "kind": "member",
        "balance": account.balance,
        "lines": account.lines,
        "floor": account.floor,
        "opened_at": NOON,
    }


async def test_no_false_alarm_on_honest_histories(shelf: Shelf) -> None:
    """A thousand of them on SQLite, a hundred on PostgreSQL."""
    books = [an_honest_book(Random(f"honest {number}")) for number in range(10 * shelf.many)]
    await shelf.put(books)
    for kept in books:
        anchors = [(row.seq, row.hash) for row in kept.rows]
        await shelf.assert_sound(kept.head.community, anchors[::3])


@pytest.mark.parametrize("name", CLASSES)
async def test_tampering_is_found_by_both(shelf: Shelf, name: str) -> None:
    books = []
    for number in range(shelf.many):
        random = Random(f"{name} {number}")
        books.append(an_honest_book(random))
        CLASSES[name](random, books[-1])
    await shelf.put(books)
    for number, kept in enumerate(books):
        await shelf.assert_found(kept.head.community, f"{name} {number}")


async def test_a_transfer_moved_to_another_community_is_missing_here_and_too_many_there(
    shelf: Shelf,
) -> None:
    """T8."""
    books = []
    for number in range(shelf.many):
        random = Random(f"T8 {number}")
        here, there = an_honest_book(random), an_honest_book(random)
        row = here.rows.pop(random.randrange(len(here.rows)))
        there.rows.append(
            replace(row, community_id=there.head.community, seq=len(there.rows) + 1, position=1)
        )
        books += [here, there]
    await shelf.put(books)
    for number, kept in enumerate(books):
        await shelf.assert_found(kept.head.community, f"T8 {number}")


async def test_an_end_cut_off_cleanly_is_found_by_every_anchor_beyond_it(shelf: Shelf) -> None:
    """T6: sound without an anchor, and with one from before; found with any later one."""
    books, noted = [], []
    for number in range(shelf.many):
        random = Random(f"T6 {number}")
        history = a_history(random)
        whole = history.journal()
        left = history.journal(history.entries[: random.randrange(len(history.entries))])
        while left.head.seq == whole.head.seq:
            left = history.journal(history.entries[:2])
        books.append(Book.of(left))
        noted.append([(row.seq, row.hash) for row in whole.transfers])
    await shelf.put(books)
    for number, (kept, anchors) in enumerate(zip(books, noted, strict=True)):
        community, cut = kept.head.community, kept.head.seq
        await shelf.assert_sound(community, anchors[:cut])
        late = Random(number).choice(anchors[cut:])
        report, found = await shelf.assert_found(community, f"T6 {number}", [*anchors[:1], late])
        for said in (str(report.findings[0]), found.findings[0]):
            assert "its end was cut off" in said


async def test_a_journal_written_anew_is_found_by_every_anchor_from_there_on(shelf: Shelf) -> None:
    """T7: from the entry at some place on, everything was posted again with another story."""
    books, cases = [], []
    for number in range(shelf.many):
        random = Random(f"T7 {number}")
        history = a_history(random)
        whole = history.journal()
        from_here = random.choice(whole.transfers)
        at = [one.id for one in history.entries].index(from_here.entry_id)
        first = from_here.seq - from_here.position + 1
        other: dict[str, Any] = random.choice(
            [{"occurred_on": DAY + timedelta(days=1)}, {"commitment": random.randbytes(32)}]
        )
        entries = [*history.entries]
        entries[at] = replace(entries[at], **other)
        books.append(Book.of(history.journal(entries)))
        cases.append((first, [(row.seq, row.hash) for row in whole.transfers]))
    await shelf.put(books)
    for number, (kept, (first, anchors)) in enumerate(zip(books, cases, strict=True)):
        community = kept.head.community
        await shelf.assert_sound(community, anchors[: first - 1])
        late = Random(number).choice(anchors[first - 1 :])
        short = (late[0], late[1][: Random(number).randint(8, 32)])
        report, found = await shelf.assert_found(community, f"T7 {number}", [short])
        for said in (str(report.findings[0]), found.findings[0]):
            assert "written anew" in said or "cut off" in said


async def test_both_databases_give_the_same_book_byte_for_byte_in_pieces_of_any_size(
    on_sqlite: AsyncEngine, on_postgres_as_owner: AsyncEngine
) -> None:
    books = [an_honest_book(Random(f"same {number}")) for number in range(5)]
    shelves = [Shelf(on_sqlite, 5), Shelf(on_postgres_as_owner, 5)]
    for shelf in shelves:
        await shelf.put(books)
    for kept in books:
        spelled = list(spell(kept))
        for shelf, chunk in itertools.product(shelves, (1, 2, 1000)):
            assert await shelf.lines(kept.head.community, chunk=chunk) == spelled


async def test_what_no_program_would_write_is_exported_and_found(on_sqlite: AsyncEngine) -> None:
    """SQLite keeps whatever is put there by hand."""
    changes = (
        "entry_id = CAST(entry_id || X'00' AS BLOB)",
        "source_id = substr(source_id, 1, 15)",
        "occurred_on = 'soon'",
        "occurred_on = '2026-02-30'",
        "occurred_on = CAST(X'FF' AS TEXT)",
    )
    books = [an_honest_book(Random(change)) for change in changes]
    shelf = Shelf(on_sqlite, len(books))
    await shelf.put(books)
    async with on_sqlite.begin() as conn:
        for change, kept in zip(changes, books, strict=True):
            await conn.exec_driver_sql(
                f"UPDATE transfer SET {change} WHERE seq = 3 AND community_id = ?",
                (kept.head.community.bytes,),
            )
    for change, kept in zip(changes, books, strict=True):
        _, found = await shelf.assert_found(kept.head.community, change)
        assert "cannot be read" in found.findings[0]


async def test_a_row_hidden_below_the_first_number_is_counted(on_sqlite: AsyncEngine) -> None:
    kept = an_honest_book(Random("hidden"))
    hidden = replace(
        kept.rows[-1],
        seq=-1,
        entry_id=new_id(Random("hidden below")),
        position=1,
        source_line=5000,
        destination_line=5000,
        reverses_id=None,
    )
    kept.rows.append(hidden)
    async with on_sqlite.connect() as conn:
        await conn.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        await conn.commit()
    await Shelf(on_sqlite, 1).put([kept])
    _, found = await Shelf(on_sqlite, 1).assert_found(kept.head.community, "a hidden row")
    many = len(kept.rows)
    assert found.findings == [f"{many} transfers are stored, and {many - 1} are in the book."]


class AnyBank(Bank):
    """Whatever people do, the second verifier finds nothing at the end."""

    def teardown(self) -> None:
        for kept in self.journals.values():
            lines = list(spell(Book.of(kept)))
            found = second.verify(lambda lines=lines: lines)
            assert found.sound, found.findings


TestAnyBank = AnyBank.TestCase
TestAnyBank.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


# The file that strangers run, by itself.


def spell(kept: Book) -> list[bytes]:
    """A book as it is exported."""
    microseconds = chain.microseconds(NOON)
    accounts = sorted(kept.accounts, key=lambda one: one.id)
    rows = [
        AccountRow(
            one.id.bytes,
            "member",
            one.balance.count,
            one.lines,
            None if one.floor is None else one.floor.count,
            microseconds,
            None,
        )
        for one in accounts
    ]
    lines = [
        book.opening(kept.head),
        *map(book.account, rows),
        *(book.transfer(row_of(row)) for row in kept.rows),
        book.closing(kept.head, accounts=len(rows), transfers=len(kept.rows)),
    ]
    return [f"{line}\n".encode() for line in lines]


def a_week() -> Journal:
    """Six transfers in five entries, one of them a reversal."""
    kept = journal()
    favour = entry(2, (BEN, ANA, 15))
    for hour, posting in enumerate(
        [
            entry(1, (ANA, BEN, 90), (BEN, CAT, 30)),
            favour,
            entry(3, (COMMONS, BEN, 60)),
            favour.reversal(entry(4).id, DAY, bytes(32)),
            entry(5, (BEN, ANA, 15)),
        ]
    ):
        kept.post([posting], after(hour))
    return kept


def finds(lines: Sequence[bytes], *anchors: tuple[int, str]) -> list[str]:
    findings: list[str] = second.verify(lambda: lines, anchors).findings
    return findings


UNPROVED = {"kind", "floor", "opened_at", "closed_at"}
"""What a book says of an account beside its lines: documented as not covered by any hash."""


def test_a_change_of_any_field_of_any_line_is_found() -> None:
    lines = spell(Book.of(a_week()))
    assert finds(lines) == []
    seen = set()
    for at, line in enumerate(lines):
        fields = json.loads(line)
        for name in set(fields) - {"is", "version"}:
            was = fields[name]
            if isinstance(was, int):
                now: object = was + 1
            elif name == "occurred_on":
                now = "2026-01-04"
            elif name in ("reverses", "floor", "closed_at"):
                now = None if was else str(ANA) if name == "reverses" else -1
            else:
                now = ("1" if was[0] != "1" else "2") + was[1:]
            other = json.dumps(fields | {name: now}, separators=(",", ":")).encode() + b"\n"
            found = finds([*lines[:at], other, *lines[at + 1 :]])
            unproved = fields["is"] == "account" and name in UNPROVED
            assert bool(found) is not unproved, (fields["is"], name, found)
            seen.add((fields["is"], name))
    assert len(seen) == 5 - 1 + 7 + 16 + 5


def test_a_file_with_a_line_missing_doubled_or_out_of_place_is_found() -> None:
    lines = spell(Book.of(a_week()))
    for at in range(1, len(lines)):
        assert finds([*lines[:at], *lines[at + 1 :]]), f"line {at + 1} missing"
        assert finds([*lines[:at], lines[at], *lines[at:]]), f"line {at + 1} doubled"
        assert finds(lines[:at]), f"only {at} lines"
        assert finds([*lines[:at], lines[at][:-2], *lines[at + 1 :]]), f"line {at + 1} torn"
    for at in range(1, len(lines) - 1):
        moved = [*lines]
        moved[at], moved[at + 1] = moved[at + 1], moved[at]
        assert finds(moved), f"lines {at + 1} and {at + 2} swapped"


@pytest.mark.parametrize(
    ("piece", "other"),
    [
        (b'"minutes":90', b'"minutes":90.0'),
        (b'"minutes":90', b'"minutes":true'),
        (b'"minutes":90', b'"minutes":"90"'),
        (b'"minutes":90', b'"minutes":91,"minutes":90'),
        (b'"minutes":90', b'"minutes": 90'),
        (b'"minutes":90', b'"minutes":9223372036854775808'),
        (b'"minutes":90', b'"minutes":NaN'),
        (b'"minutes":90', b'"minutes":90,"note":"soup"'),
        (b'"minutes":90,', b""),
        (b"-00000000000a", b"-00000000000A"),
        (b'"2026-01-03"', b'"2026-1-3"'),
        (b'"2026-01-03"', b'"2026-02-30"'),
        (b'"2026-01-03"', b'"\\uff12026-01-03"'),
        (b'"2026-01-03"', '"２026-01-03"'.encode()),
        (b"", b"[" * 100_000),
        (b"", b"null"),
        (b"", b""),
    ],
)
def test_a_line_spelled_otherwise_cannot_be_read(piece: bytes, other: bytes) -> None:
    lines = spell(Book.of(a_week()))
    at = next(at for at, line in enumerate(lines) if b'"minutes":90' in line)
    spelled = lines[at].replace(piece, other) if piece else other + b"\n"
    assert spelled != lines[at]
    found = finds([*lines[:at], spelled, *lines[at + 1 :]])
    assert f"Line {at + 1} of the file cannot be read" in found[0]


def test_a_book_of_many_transfers_takes_no_more_memory_than_one_of_few() -> None:
    def peak(transfers: int) -> int:
        kept = journal()
        for number in range(transfers):
            first, then = (ANA, BEN) if number % 2 else (BEN, ANA)
            kept.post([entry(number, (first, then, 5))], after(number))
        lines = spell(Book.of(kept))
        tracemalloc.start()
        assert second.verify(lambda: iter(lines)).sound
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(2000) < peak(500) + 20_000


def test_it_imports_nothing_but_python_s_own_library_of_version_3_8() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    named = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert named <= set(sys.stdlib_module_names)


def run(*arguments: str, said: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The verifier as a stranger runs it: alone, with nothing of ours in reach."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, *arguments],
        input=said,
        capture_output=True,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_its_exit_code_and_its_last_line_say_what_was_found(tmp_path: Path) -> None:
    kept = a_week()
    lines = spell(Book.of(kept))
    file = tmp_path / "week.book"
    file.write_bytes(b"".join(lines))
    whole = f"6:{kept.head.hash.hex()}"
    for done in (run(str(file)), run(said=file.read_bytes())):
        assert done.returncode == 0, done.stdout
        assert done.stdout.splitlines()[-1].startswith("SOUND: 6 transfers, 4 accounts")
        assert done.stdout.splitlines()[-1].endswith(whole)
        assert "No anchor was given" in done.stdout
    third = kept.transfers[2].hash.hex()
    spaced = f"3:{third[:4]} {third[4:8]} {third[8:12]} {third[12:16].upper()}"
    done = run(str(file), "--anchor", whole, "--anchor", spaced)
    assert (done.returncode, "2 anchors" in done.stdout) == (0, True)
    assert "No anchor" not in done.stdout
    for wrong, sentence in (
        (f"7:{third}", "ends at 6: its end was cut off"),
        (f"2:{third}", "written anew"),
    ):
        done = run(str(file), "--anchor", whole, "--anchor", wrong)
        assert done.returncode == 1
        assert sentence in done.stdout
        assert done.stdout.splitlines()[-1] == "NOT SOUND: 1 findings."
    file.write_bytes(b"".join(lines).replace(b'"minutes":90', b'"minutes":91'))
    done = run(str(file))
    assert done.returncode == 1
    assert "Transfer 1 is not what was posted" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said", "sentence"),
    [
        ((), b"", "nothing in this file"),
        ((), b"number,posted_at\n1,2026\n", "not the book of a time bank"),
        ((), b'{"is":"book","version":2}\n', "version 2"),
        (("nowhere.book",), b"", "nowhere.book"),
        (("--anchor", "6"), b"", "a number, a colon and a hash"),
        (("--anchor", "6:ab12"), b"", "has 4"),
        (("--anchor", "6:" + "a" * 17), b"", "has 17"),
        (("--anchor", "6:" + "a" * 66), b"", "has 66"),
        (("--floors",), b"", "unrecognized"),
    ],
)
def test_what_is_no_book_or_no_anchor_is_a_misunderstanding(
    arguments: tuple[str, ...], said: bytes, sentence: str
) -> None:
    done = run(*arguments, said=said)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_an_account_below_its_floor_is_named_and_no_fault(tmp_path: Path) -> None:
    kept = a_week()
    kept.set_floor([ANA], Minutes(100))
    done = run(said=b"".join(spell(Book.of(kept))))
    assert done.returncode == 0
    assert f"Account {ANA} stands at" in done.stdout
    assert "That is no fault" in done.stdout


def test_more_findings_than_anyone_reads_are_counted() -> None:
    lines = spell(Book.of(a_week()))
    done = run(said=b"".join([lines[0], *lines[:1] * 200]))
    assert len(done.stdout.splitlines()) == second.MOST_FINDINGS + 2
    assert "more." in done.stdout.splitlines()[-2]


def test_a_reversal_written_in_by_hand_with_a_chain_of_its_own_is_found() -> None:
    """Whoever computes the chain anew still has to move back exactly what is reversed, and once."""
    for again, sentence in ((True, "reversed before"), (False, "does not move back")):
        kept = journal()
        first = entry(1, (ANA, BEN, 60))
        kept.post([first, first.reversal(entry(2).id, DAY, bytes(32))], after(1))
        kept.post([entry(3, (BEN, ANA, 60 if again else 59))], after(2))
        forged = replace(kept.transfers[2], reverses_id=first.id)
        if not again:
            kept.transfers[1] = replace(kept.transfers[1], reverses_id=None)
        previous = kept.transfers[0].hash
        for at, row in enumerate((kept.transfers[1], forged), start=1):
            row = replace(row, previous=previous)
            kept.transfers[at] = replace(row, hash=chain.digest(row))
            previous = kept.transfers[at].hash
        kept.head = replace(kept.head, hash=previous)
        assert kept.head.community == HERE
        assert [sentence in one for one in finds(spell(Book.of(kept)))] == [True]
