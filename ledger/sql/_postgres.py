"""The posting path's statements for PostgreSQL: one each, whatever the size of the batch.

They are handed to the driver as they are, with one array per column, through SQLAlchemy's
connection and so in its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account
from ledger.minutes import Minutes
from ledger.transfer import PostedTransfer

# Accounts are locked in the order of their ids, so that two postings can never wait for each other.
_ACCOUNTS = """
    SELECT id, balance, lines, floor, closed_at IS NOT NULL FROM account
    WHERE community_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""

_POSTED = """
    SELECT community_id, seq, entry_id, position, source_id, destination_id, minutes, occurred_on,
        posted_at, source_line, source_balance, destination_line, destination_balance,
        reverses_id, commitment, previous, hash
    FROM transfer WHERE community_id = $1 AND entry_id = ANY($2::uuid[])
    UNION ALL
    SELECT community_id, seq, entry_id, position, source_id, destination_id, minutes, occurred_on,
        posted_at, source_line, source_balance, destination_line, destination_balance,
        reverses_id, commitment, previous, hash
    FROM transfer WHERE community_id = $1 AND position = 1 AND reverses_id = ANY($3::uuid[])
"""

_APPEND = """
    INSERT INTO transfer (community_id, seq, entry_id, position, source_id, destination_id,
        minutes, occurred_on, posted_at, source_line, source_balance, destination_line,
        destination_balance, reverses_id, commitment, previous, hash)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[],
        $6::uuid[], $7::bigint[], $8::date[], $9::timestamptz[], $10::bigint[], $11::bigint[],
        $12::bigint[], $13::bigint[], $14::uuid[], $15::bytea[], $16::bytea[], $17::bytea[])
"""

_SETTLE = """
    UPDATE account SET balance = moved.balance, lines = moved.lines
    FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS moved (id, balance, lines, balance_before, lines_before)
    WHERE account.community_id = $1 AND account.id = moved.id
        AND account.balance = moved.balance_before AND account.lines = moved.lines_before
"""


async def accounts(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> dict[UUID, Account]:
    """The accounts with these ids, locked until the transaction ends."""
    found = await conn.exec_driver_sql(_ACCOUNTS, (community, sorted(ids)))
    return {account.id: account for account in map(_account, found)}


async def posted(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], reversed_ids: Iterable[UUID]
) -> list[PostedTransfer]:
    """What the journal has under these entry ids, and the first row of each reversal of an id.

    In no order, and a row may come twice.
    """
    found = await conn.exec_driver_sql(_POSTED, (community, list(ids), list(reversed_ids)))
    return [_row(values) for values in found]


async def append(conn: AsyncConnection, rows: Sequence[PostedTransfer]) -> int:
    """Append the rows; how many were appended."""
    columns = tuple(list(column) for column in zip(*map(_values, rows), strict=True))
    return (await conn.exec_driver_sql(_APPEND, columns)).rowcount


async def settle(
    conn: AsyncConnection, community: UUID, moves: Sequence[tuple[Account, Account]]
) -> int:
    """Set balances and lines, given each account before and after; how many were still `before`."""
    columns = (
        [after.id for _, after in moves],
        [after.balance.count for _, after in moves],
        [after.lines for _, after in moves],
        [before.balance.count for before, _ in moves],
        [before.lines for before, _ in moves],
    )
    return (await conn.exec_driver_sql(_SETTLE, (community, *columns))).rowcount


def _values(row: PostedTransfer) -> tuple[Any, ...]:
    """The row's values in the order of `_APPEND`."""
    return (
        row.community_id,
        row.seq,
        row.entry_id,
        row.position,
        row.source_id,
        row.destination_id,
        row.minutes.count,
        row.occurred_on,
        row.posted_at,
        row.source_line,
        row.source_balance.count,
        row.destination_line,
        row.destination_balance.count,
        row.reverses_id,
        row.commitment,
        row.previous,
        row.hash,
    )


def _account(values: Any) -> Account:
    id, balance, lines, floor, closed = values
    lowest = None if floor is None else Minutes(floor)
    return Account(id, Minutes(balance), lines, lowest, closed)


def _row(values: Any) -> PostedTransfer:
    row = list(values)
    for minutes in (6, 10, 12):
        row[minutes] = Minutes(row[minutes])
    return PostedTransfer(*row)
