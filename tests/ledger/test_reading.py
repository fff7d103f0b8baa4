"""Reading and posting cost the same however long the journal is: few statements, each by index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import AccountKind, Minutes
from ledger.errors import NoJournal, UnknownAccount
from ledger.sql import read, store
from tests.infrastructure.postgres import Server
from tests.ledger import databases
from tests.ledger.databases import statements
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, HERE, NOON, after, entry, journal

LENGTH = 600


async def keep_many(engine: AsyncEngine) -> None:
    """A busy account, on both sides of a long journal, one transfer an hour."""
    book = journal()
    for n in range(LENGTH):
        move = (ANA, BEN, 3) if n % 3 else (CAT, ANA, 1)
        book.post([entry(n, move)], after(n))
    async with engine.begin() as conn:
        await store.open_journal(conn, HERE, NOON)
        for account in book.accounts:
            await store.open_account(conn, HERE, account, AccountKind.MEMBER, NOON)
        await databases.keep(conn, book)


def balance_after(n: int) -> Minutes:
    """Ana's balance once the transfers 0 to n were posted."""
    return Minutes(sum(-3 if k % 3 else 1 for k in range(n + 1)))


async def test_the_balance_of_any_moment_is_found(engine: AsyncEngine) -> None:
    await keep_many(engine)
    async with engine.connect() as conn:
        for n in (0, 1, 2, 3, 255, 256, 257, LENGTH - 2, LENGTH - 1):
            assert await read.balance_at(conn, HERE, ANA, after(n)) == balance_after(n)
            assert await read.balance_at(conn, HERE, ANA, after(n + 0.5)) == balance_after(n)
        assert await read.balance_at(conn, HERE, ANA, after(-1)) == Minutes(0)
        assert await read.balance_at(conn, HERE, ANA, after(10**4)) == balance_after(LENGTH - 1)


async def test_a_period_is_found_and_read_page_by_page(engine: AsyncEngine) -> None:
    await keep_many(engine)
    async with engine.connect() as conn:
        span = await read.lines_between(conn, HERE, ANA, after(100), after(300))
        assert (span.before, span.last) == (100, 300)
        assert (span.opening, span.closing) == (balance_after(99), balance_after(299))
        newest = await read.page(
            conn, HERE, ANA, before_line=span.last + 1, after_line=span.before, limit=150
        )
        oldest = await read.page(
            conn, HERE, ANA, before_line=newest[-1].number, after_line=span.before, limit=150
        )
        assert [line.number for line in newest + oldest] == list(range(300, 100, -1))
        in_order = [line async for line in read.lines(conn, HERE, ANA, span)]
        assert in_order == (newest + oldest)[::-1]


async def test_periods_with_an_open_end_and_empty_periods(engine: AsyncEngine) -> None:
    await keep_many(engine)
    async with engine.connect() as conn:
        whole = await read.lines_between(conn, HERE, ANA)
        assert (whole.before, whole.last) == (0, LENGTH)
        tail = await read.lines_between(conn, HERE, ANA, start=after(LENGTH - 5))
        assert (tail.before, tail.last) == (LENGTH - 5, LENGTH)
        beginning = await read.lines_between(conn, HERE, ANA, end=after(5))
        assert (beginning.before, beginning.last) == (0, 5)
        for start, end in ((-9, -5), (10**4, 10**5), (50, 50), (60, 50)):
            empty = await read.lines_between(conn, HERE, ANA, after(start), after(end))
            assert empty.before == empty.last
            assert empty.opening == empty.closing


GIVE = entry(9999, (ANA, BEN, 5))
UNDO = entry(5, (ANA, BEN, 3)).reversal(entry(9998).id, DAY, bytes(32))

STATEMENTS: dict[str, tuple[int, Callable[[AsyncConnection], Awaitable[Any]]]] = {
    "balance": (1, lambda conn: read.balance(conn, HERE, ANA)),
    "balance_at": (1, lambda conn: read.balance_at(conn, HERE, ANA, after(400))),
    "lines_between": (2, lambda conn: read.lines_between(conn, HERE, ANA, after(9), after(99))),
    "seq_before": (1, lambda conn: read.seq_before(conn, HERE, after(400))),
    "page": (1, lambda conn: read.page(conn, HERE, ANA, before_line=300)),
    "posted": (1, lambda conn: read.posted(conn, HERE, [entry(5).id, entry(7).id])),
    "accounts": (1, lambda conn: read.accounts(conn, HERE, [ANA, BEN])),
    "post": (6, lambda conn: store.post(conn, HERE, [GIVE, UNDO], after(LENGTH))),
}


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("analyzed", [True, False])
async def test_each_takes_a_few_statements_by_index(
    engine: AsyncEngine, postgres_server: Server, name: str, analyzed: bool
) -> None:
    """SQLite without statistics too: unlike PostgreSQL, it gathers none by itself."""
    await keep_many(engine)
    analyzed = analyzed or engine.dialect.name == "postgresql"
    number, step = STATEMENTS[name]
    if analyzed:
        await databases.analyze(engine, postgres_server)
    async with engine.connect() as conn:
        if engine.dialect.name == "postgresql":
            await conn.execute(text("SET LOCAL enable_seqscan = off"))
        with statements(engine) as asked:
            await step(conn)
        if name == "post" and engine.dialect.name == "postgresql":
            number -= 2  # head, balances and transfers are written in one
        assert len(asked) == number
        for statement, parameters in asked:
            plan = await _plan(conn, statement, parameters)
            for whole in WHOLE_TABLES:
                assert whole not in plan, f"{statement}\n{plan}"


# What a plan says when it reads all of a table, or all that a community has in it.
WHOLE_TABLES = (
    "SCAN transfer",
    "SCAN account",
    "AUTOMATIC",
    "(community_id=?)",
    "Seq Scan on transfer",
    "Seq Scan on account",
    "Filter: (entry_id",
    "Filter: ((entry_id",
    "Filter: (reverses_id",
)


async def _plan(conn: AsyncConnection, statement: str, parameters: Any) -> str:
    """How the database means to execute a statement."""
    if isinstance(parameters, list):
        parameters = parameters[0]
    prefix = "EXPLAIN QUERY PLAN " if conn.dialect.name == "sqlite" else "EXPLAIN "
    found = await conn.exec_driver_sql(prefix + statement, parameters)
    lines = [str(tuple(row)) for row in found]
    return "\n".join(line for line in lines if "journal" not in line)


async def test_unknown_accounts_and_entries_are_empty_pages(engine: AsyncEngine) -> None:
    await keep_many(engine)
    async with engine.connect() as conn:
        assert await read.page(conn, HERE, entry(1).id) == []
        assert await read.page(conn, entry(1).id, ANA) == []
        assert await read.posted(conn, HERE, [HERE]) == {}
        assert await read.posted(conn, HERE, []) == {}
        assert await read.accounts(conn, HERE, []) == {}


async def test_accounts_without_lines_and_unknown_accounts(engine: AsyncEngine) -> None:
    await keep_many(engine)
    async with engine.connect() as conn:
        assert await read.balance(conn, HERE, COMMONS) == Minutes(0)
        assert await read.balance_at(conn, HERE, COMMONS, after(5)) == Minutes(0)
        assert await read.lines_between(conn, HERE, COMMONS, after(1), after(5)) == read.Span(
            0, 0, Minutes(0), Minutes(0)
        )
        with pytest.raises(NoJournal):
            await read.seq_before(conn, COMMONS, after(5))
        for ask in (
            read.balance(conn, HERE, HERE),
            read.balance_at(conn, HERE, HERE, after(5)),
            read.lines_between(conn, HERE, HERE),
            read.lines_between(conn, HERE, HERE, start=after(5)),
            read.balance(conn, COMMONS, ANA),
        ):
            with pytest.raises(UnknownAccount):
                await ask


async def test_statements_of_every_length_know_every_moment(engine: AsyncEngine) -> None:
    """Ben has so many lines after so many transfers: each length up to where halving settled in."""
    async with engine.begin() as conn:
        await store.open_journal(conn, HERE, NOON)
        for account in (ANA, BEN):
            await store.open_account(conn, HERE, account, AccountKind.MEMBER, NOON)
    for length in range(1, 18):
        async with engine.begin() as conn:
            await store.post(conn, HERE, [entry(length, (ANA, BEN, 1))], after(length))
        async with engine.connect() as conn:
            for hours in range(length + 2):
                found = await read.lines_between(conn, HERE, BEN, after(hours), after(hours + 1))
                expected = int(1 <= hours <= length)
                assert await read.seq_before(conn, HERE, after(hours)) == min(
                    max(hours - 1, 0), length
                )
                assert found.last - found.before == expected
                assert await read.balance_at(conn, HERE, BEN, after(hours)) == Minutes(
                    min(hours, length)
                )
