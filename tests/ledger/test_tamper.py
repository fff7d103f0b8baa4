"""Somebody who owns the database changes it by hand, guards removed: verifying finds each change.

Cutting the journal's end off, and computing everything anew from some row on, cannot be seen from
inside; a number and a hash noted earlier, elsewhere, show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import AccountKind, Journal, JournalEntry, Minutes, PostedTransfer, chain
from ledger.errors import NoJournal
from ledger.proof import MOST_FINDINGS, FindingKind, Report
from ledger.sql import read, store, tables
from ledger.sql.verify import verify
from tests.ledger import databases
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, HERE, NOON, after, entry
from tests.ledger.making import journal as new_journal

THERE = entry(0xFFF).id
WEEK = [
    entry(1, (ANA, BEN, 90), (BEN, CAT, 30)),
    entry(2, (CAT, ANA, 15)),
    entry(3, (COMMONS, CAT, 60)),
    entry(2, (CAT, ANA, 15)).reversal(entry(4).id, DAY, bytes(32)),
    entry(5, (BEN, ANA, 15)),
]

Kinds = set[FindingKind]
F = FindingKind

CHANGES: dict[str, tuple[list[str], Kinds]] = {
    "other minutes": (["UPDATE transfer SET minutes = 91 WHERE seq = 1"], {F.ROW_CHANGED}),
    "other source": (
        [
            "UPDATE transfer SET source_id = (SELECT source_id FROM transfer WHERE seq = 6), "
            "source_line = 9 WHERE seq = 4"
        ],
        {F.ROW_CHANGED, F.WRONG_LINE, F.WRONG_BALANCE_LEFT, F.ACCOUNT_BALANCE, F.ACCOUNT_LINES},
    ),
    "other day": (
        ["UPDATE transfer SET occurred_on = '2026-01-04' WHERE seq = 3"],
        {F.ROW_CHANGED},
    ),
    "re-dated": (
        ["UPDATE transfer SET posted_at = (SELECT max(posted_at) FROM journal) WHERE seq = 1"],
        {F.ROW_CHANGED, F.TIME_BACKWARDS, F.ENTRY_TORN},
    ),
    "other words": (["UPDATE transfer SET commitment = hash WHERE seq = 3"], {F.ROW_CHANGED}),
    "no longer a reversal": (
        ["UPDATE transfer SET reverses_id = NULL WHERE seq = 5"],
        {F.ROW_CHANGED},
    ),
    "suddenly a reversal": (
        ["UPDATE transfer SET reverses_id = entry_id WHERE seq = 6"],
        {F.ROW_CHANGED, F.REVERSAL_WRONG},
    ),
    "other entry": (
        ["UPDATE transfer SET entry_id = community_id WHERE seq = 2"],
        {F.ROW_CHANGED, F.ENTRY_TORN},
    ),
    "other position": (
        ["UPDATE transfer SET position = 3 WHERE seq = 2"],
        {F.ROW_CHANGED, F.ENTRY_TORN},
    ),
    "other balance on a line": (
        ["UPDATE transfer SET source_balance = source_balance + 5 WHERE seq = 3"],
        {F.ROW_CHANGED, F.WRONG_BALANCE_LEFT},
    ),
    "other line number": (
        ["UPDATE transfer SET destination_line = 77 WHERE seq = 3"],
        {F.ROW_CHANGED, F.WRONG_LINE},
    ),
    "one deleted": (
        ["DELETE FROM transfer WHERE seq = 3"],
        {F.GAP, F.LINK_BROKEN, F.REVERSAL_WRONG, F.ACCOUNT_BALANCE, F.ACCOUNT_LINES},
    ),
    "the last one deleted": (
        ["DELETE FROM transfer WHERE seq = 6"],
        {F.HEAD_DIFFERS, F.ACCOUNT_BALANCE, F.ACCOUNT_LINES},
    ),
    "one duplicated": (
        [
            "INSERT INTO transfer (community_id, entry_id, position, seq, source_id, "
            "destination_id, minutes, occurred_on, posted_at, source_line, source_balance, "
            "destination_line, destination_balance, reverses_id, commitment, previous, hash) "
            "SELECT community_id, community_id, 1, 7, source_id, destination_id, minutes, "
            "occurred_on, posted_at, 99, source_balance, 99, destination_balance, reverses_id, "
            "commitment, previous, hash FROM transfer WHERE seq = 3"
        ],
        {F.LINK_BROKEN, F.ROW_CHANGED, F.WRONG_LINE, F.ACCOUNT_LINES, F.HEAD_DIFFERS},
    ),
    "two swapped": (
        [
            "UPDATE transfer SET seq = 99 WHERE seq = 3",
            "UPDATE transfer SET seq = 3 WHERE seq = 4",
            "UPDATE transfer SET seq = 4 WHERE seq = 99",
        ],
        {F.ROW_CHANGED, F.LINK_BROKEN},
    ),
    "moved to another community": (
        ["UPDATE transfer SET community_id = {there} WHERE seq = 6"],
        {F.HEAD_DIFFERS, F.ACCOUNT_BALANCE, F.ACCOUNT_LINES},
    ),
    "a balance": (
        ["UPDATE account SET balance = balance + 60 WHERE lines = 3"],
        {F.ACCOUNT_BALANCE, F.NOT_ZERO},
    ),
    "two balances": (
        [
            "UPDATE account SET balance = balance - 60 WHERE lines = 1",
            "UPDATE account SET balance = balance + 60 WHERE lines = 3",
        ],
        {F.ACCOUNT_BALANCE},
    ),
    "a count of lines": (["UPDATE account SET lines = 9 WHERE lines = 1"], {F.ACCOUNT_LINES}),
    "an account deleted": (
        ["DELETE FROM account WHERE lines = 1"],
        {F.STRANGE_ACCOUNT, F.NOT_ZERO},
    ),
    "the head's number": (["UPDATE journal SET seq = 5"], {F.HEAD_DIFFERS}),
    "the head's hash": (
        ["UPDATE journal SET hash = (SELECT previous FROM transfer WHERE seq = 6)"],
        {F.HEAD_DIFFERS},
    ),
    "the head's moment": (
        ["UPDATE journal SET posted_at = (SELECT posted_at FROM transfer WHERE seq = 1)"],
        {F.HEAD_DIFFERS},
    ),
}


@pytest.fixture
def engine(owners_engine: AsyncEngine) -> AsyncEngine:
    """Whoever owns the tables, and can do anything to them."""
    return owners_engine


async def keep_a_week(engine: AsyncEngine) -> None:
    """Two communities with the same week; only the first is tampered with."""
    for community in (HERE, THERE):
        async with engine.begin() as conn:
            await store.open_journal(conn, community, NOON)
            for account in (ANA, BEN, CAT, COMMONS):
                await store.open_account(conn, community, account, AccountKind.MEMBER, NOON)
        if community == HERE:
            for hour, posting in enumerate(WEEK):
                async with engine.begin() as conn:
                    await store.post(conn, community, [posting], after(hour))


async def unguard(conn: AsyncConnection) -> None:
    """Take away what the databases refuse by themselves."""
    if conn.dialect.name == "sqlite":
        names = await conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        for (name,) in names.fetchall():
            await conn.exec_driver_sql(f"DROP TRIGGER {name}")
        return
    for table in ("transfer", "account", "journal"):
        await conn.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")


async def verified(engine: AsyncEngine, anchors: Sequence[tuple[int, bytes]] = ()) -> Report:
    async with engine.connect() as conn:
        return await verify(conn, HERE, anchors=anchors)


def in_its_words(statement: str, engine: AsyncEngine) -> str:
    sqlite = engine.dialect.name == "sqlite"
    return statement.replace("{there}", f"X'{THERE.hex}'" if sqlite else f"'{THERE}'")


async def test_books_that_nobody_touched_are_sound(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    told: list[tuple[int, int]] = []
    async with engine.connect() as conn:
        report = await verify(
            conn, HERE, progress=lambda done, all_of_them: told.append((done, all_of_them))
        )
    assert report.sound
    assert (report.transfers, report.accounts, report.below_floor) == (6, 4, ())
    assert told == [(6, 6)]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_by_hand_is_found(engine: AsyncEngine, change: str) -> None:
    statements, expected = CHANGES[change]
    await keep_a_week(engine)
    async with engine.connect() as conn:
        if engine.dialect.name == "sqlite":
            await conn.exec_driver_sql("COMMIT")
            await conn.exec_driver_sql("PRAGMA foreign_keys = OFF")
            await conn.exec_driver_sql("BEGIN IMMEDIATE")
        await unguard(conn)
        for statement in statements:
            changed = await conn.exec_driver_sql(in_its_words(statement, engine))
            assert changed.rowcount >= 1
        await conn.commit()
    report = await verified(engine)
    assert not report.sound
    kinds = {finding.kind for finding in report.findings}
    assert expected <= kinds, kinds
    assert all(str(finding) for finding in report.findings)


async def test_rehashing_the_changed_row_breaks_the_next_link(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    async with engine.begin() as conn:
        await unguard(conn)
        rows = [row async for row in read.transfers(conn, HERE)]
        forged = replace(rows[2], occurred_on=NOON.date())
        await conn.execute(
            update(tables.transfer)
            .where(tables.transfer.c.community_id == HERE, tables.transfer.c.seq == 3)
            .values(occurred_on=forged.occurred_on, hash=chain.digest(forged))
        )
    report = await verified(engine)
    assert {(finding.kind, finding.seq) for finding in report.findings} == {(F.LINK_BROKEN, 4)}


async def test_other_minutes_with_a_whole_new_chain_do_not_add_up(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    await rechain(
        engine, lambda row: replace(row, minutes=row.minutes + Minutes(int(row.seq == 6)))
    )
    report = await verified(engine)
    assert {finding.kind for finding in report.findings} >= {
        F.WRONG_BALANCE_LEFT,
        F.ACCOUNT_BALANCE,
    }


async def test_a_journal_computed_anew_is_found_by_an_anchor_only(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    noted = await verified(engine)
    await rechain(engine, lambda row: replace(row, occurred_on=NOON.date()))
    assert (await verified(engine)).sound
    report = await verified(engine, [(noted.seq, noted.hash)])
    assert [finding.kind for finding in report.findings] == [F.ANCHOR_DIFFERS]


async def test_an_end_cut_off_cleanly_is_found_by_an_anchor_only(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    noted = await verified(engine)
    shorter = new_journal()
    for hour, posting in enumerate(WEEK[:-1]):
        shorter.post([posting], after(hour))
    await put_in_place(engine, shorter)
    assert (await verified(engine)).sound
    report = await verified(engine, [(0, chain.genesis(HERE)), (noted.seq, noted.hash)])
    assert [finding.kind for finding in report.findings] == [F.ANCHOR_AHEAD]


async def test_a_row_that_cannot_be_read_is_a_finding(on_sqlite: AsyncEngine) -> None:
    await keep_a_week(on_sqlite)
    async with on_sqlite.begin() as conn:
        await unguard(conn)
        await conn.exec_driver_sql("UPDATE transfer SET occurred_on = 'soon' WHERE seq = 3")
    report = await verified(on_sqlite)
    assert F.UNREADABLE in {finding.kind for finding in report.findings}


@pytest.mark.parametrize(
    "change",
    [
        "entry_id = CAST(entry_id || X'00' AS BLOB)",
        "source_id = substr(source_id, 1, 15)",
        "occurred_on = '2026-1-03'",
        "occurred_on = '2026-W01-6'",  # the same day, spelled otherwise
        "occurred_on = '2026-02-30'",
        "occurred_on = CAST(X'FF' AS TEXT)",
    ],
)
async def test_what_no_program_would_write_is_a_finding_and_stops_nothing(
    on_sqlite: AsyncEngine, change: str
) -> None:
    await keep_a_week(on_sqlite)
    async with on_sqlite.connect() as conn:
        await conn.exec_driver_sql("COMMIT")
        await conn.exec_driver_sql("PRAGMA foreign_keys = OFF")
        await conn.exec_driver_sql("BEGIN IMMEDIATE")
        await unguard(conn)
        await conn.exec_driver_sql(f"UPDATE transfer SET {change} WHERE seq = 3")
        await conn.exec_driver_sql("UPDATE transfer SET minutes = 99 WHERE seq = 6")
        await conn.commit()
    report = await verified(on_sqlite)
    found = {(finding.kind, finding.seq) for finding in report.findings}
    assert {(F.UNREADABLE, 3), (F.ROW_CHANGED, 6)} <= found
    assert report.transfers == 6
    assert all(str(finding) for finding in report.findings)


async def test_rows_with_numbers_far_away_are_read_and_found(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    async with engine.begin() as conn:
        await unguard(conn)
        await conn.exec_driver_sql("UPDATE transfer SET seq = seq + 1000000000 WHERE seq > 3")
    report = await verified(engine)
    assert report.transfers == 6
    assert {(F.GAP, 4), (F.ROW_CHANGED, 1_000_000_004)} <= {
        (finding.kind, finding.seq) for finding in report.findings
    }
    async with engine.connect() as conn:
        rows = [row.seq async for row in read.transfers(conn, HERE, chunk=2)]
    assert rows == [1, 2, 3, 1_000_000_004, 1_000_000_005, 1_000_000_006]


async def test_endless_findings_are_counted_and_not_all_kept(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    many: list[JournalEntry] = [entry(100 + n, (ANA, BEN, 1)) for n in range(MOST_FINDINGS)]
    async with engine.begin() as conn:
        await store.post(conn, HERE, many, after(9))
        await unguard(conn)
        await conn.exec_driver_sql("UPDATE transfer SET commitment = previous")
    report = await verified(engine)
    assert len(report.findings) == MOST_FINDINGS
    assert report.found > MOST_FINDINGS


async def test_an_account_below_its_floor_is_named_and_no_fault(engine: AsyncEngine) -> None:
    await keep_a_week(engine)
    async with engine.begin() as conn:
        await store.set_floor(conn, HERE, [ANA, BEN], Minutes(-10))
    report = await verified(engine)
    assert report.sound
    assert report.below_floor == (ANA,)


async def test_a_community_without_a_journal_cannot_be_verified(engine: AsyncEngine) -> None:
    with pytest.raises(NoJournal):
        await verified(engine)


async def rechain(engine: AsyncEngine, change: object) -> None:
    """Change every row and compute the whole chain anew, head included."""
    assert callable(change)
    async with engine.begin() as conn:
        rows = [row async for row in read.transfers(conn, HERE)]
    book = new_journal()
    previous = chain.genesis(HERE)
    forged: list[PostedTransfer] = []
    for row in rows:
        changed = replace(change(row), previous=previous)
        forged.append(replace(changed, hash=chain.digest(changed)))
        previous = forged[-1].hash
    async with engine.begin() as conn:
        book.accounts = await read.accounts(conn, HERE)
    book.transfers = forged
    book.head = replace(book.head, seq=len(forged), hash=previous, posted_at=rows[-1].posted_at)
    await put_in_place(engine, book)


async def put_in_place(engine: AsyncEngine, book: Journal) -> None:
    """Replace all that is stored of a community by this book."""
    async with engine.begin() as conn:
        await unguard(conn)
        await conn.execute(tables.transfer.delete().where(tables.transfer.c.community_id == HERE))
        await databases.keep(conn, book)
