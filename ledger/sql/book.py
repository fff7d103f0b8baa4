"""Taking a community's whole book out, line by line: see `ledger.book`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import book, chain
from ledger.book import AccountRow
from ledger.sql import raw, read

_CHUNK = 1000

_ACCOUNTS = """
    SELECT id, kind, balance, lines, floor, opened_at, closed_at FROM account
    WHERE community_id = $1 AND id >= $2 ORDER BY id LIMIT $3
"""
_STORED = "SELECT count(*) FROM transfer WHERE community_id = $1"


async def lines(
    conn: AsyncConnection, community: UUID, *, chunk: int = _CHUNK
) -> AsyncIterator[str]:
    """The book as it is stored, whatever is in it, in one unchanging picture; without line ends.

    Has to come first in its transaction (see `read.snapshot`). Holds some thousand rows at a time.
    Both databases give the same lines for the same book. Raises `NoJournal`.
    """
    await read.snapshot(conn)
    head = await read.head(conn, community)
    yield book.opening(head)
    accounts = 0
    async for account in _accounts(conn, community, chunk):
        accounts += 1
        yield book.account(account)
    async for rows in raw.journal(conn, community):
        for row in rows:
            yield book.transfer(row)
    ((stored,),) = await raw.ask(conn, _STORED, community)
    yield book.closing(head, accounts=accounts, transfers=stored)


async def _accounts(
    conn: AsyncConnection, community: UUID, chunk: int
) -> AsyncIterator[AccountRow]:
    """Every account in the order of ids. Each question also asks for the first of the next one."""
    sqlite = conn.dialect.name == "sqlite"
    after: Any = b"" if sqlite else UUID(int=0)
    while after is not None:
        rows = await raw.ask(conn, _ACCOUNTS, community, after, chunk + 1)
        after = rows[chunk][0] if len(rows) > chunk else None
        for row in rows[:chunk]:
            yield AccountRow._make(row) if sqlite else _from_postgres(row)


def _from_postgres(row: Any) -> AccountRow:
    id, kind, balance, lines, floor, opened, closed = row
    return AccountRow(
        id.bytes,
        kind,
        balance,
        lines,
        floor,
        chain.microseconds(opened),
        None if closed is None else chain.microseconds(closed),
    )
