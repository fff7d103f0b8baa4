"""The posting path's statements for SQLite: one each, whatever the size of the batch.

They are handed to the driver as they are, through SQLAlchemy's connection and so in its
transaction, which holds SQLite's only write lock (BEGIN IMMEDIATE): nothing more to lock here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account
from ledger.chain import microseconds
from ledger.minutes import Minutes
from ledger.transfer import PostedTransfer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A list of ids arrives as one BLOB, 16 bytes each: the text of a statement stays the same for any
# number of them. They are looked up with IN: in a join, SQLite would rather build an index of its
# own over the whole journal. Nor is there an ORDER BY, for it would read the journal in that order.
_WANTED = """
    WITH RECURSIVE given (ids) AS (VALUES (?)), wanted (at, id) AS (
        SELECT 1, substr(ids, 1, 16) FROM given
        UNION ALL SELECT at + 16, substr(ids, at + 16, 16) FROM wanted, given
        WHERE at + 16 < length(ids)
    )
"""

_ACCOUNTS = f"""{_WANTED}
    SELECT id, balance, lines, floor, closed_at IS NOT NULL FROM account
    WHERE community_id = ? AND id IN (SELECT id FROM wanted)
"""  # noqa: S608 - composed of constants

_COLUMNS = (
    "community_id, seq, entry_id, position, source_id, destination_id, minutes, occurred_on, "
    "posted_at, source_line, source_balance, destination_line, destination_balance, "
    "reverses_id, commitment, previous, hash"
)

_POSTED = f"""{_WANTED}
    SELECT {_COLUMNS} FROM transfer
    WHERE community_id = ? AND entry_id IN (SELECT id FROM wanted)
    UNION ALL
    SELECT {_COLUMNS} FROM transfer
    WHERE community_id = ? AND position = 1 AND reverses_id IN (SELECT id FROM wanted)
"""  # noqa: S608 - composed of constants

_APPEND = f"INSERT INTO transfer ({_COLUMNS}) VALUES ({', '.join('?' * 17)})"  # noqa: S608

_SETTLE = """
    UPDATE account SET balance = ?, lines = ?
    WHERE community_id = ? AND id = ? AND balance = ? AND lines = ?
"""


async def accounts(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> dict[UUID, Account]:
    """The accounts with these ids."""
    found = await conn.exec_driver_sql(_ACCOUNTS, (_blob(ids), community.bytes))
    return {account.id: account for account in map(_account, found)}


async def posted(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], reversed_ids: Iterable[UUID]
) -> list[PostedTransfer]:
    """What the journal has under these entry ids, and the first row of each reversal of an id.

    In no order, and a row may come twice.
    """
    wanted = _blob({*ids, *reversed_ids})
    found = await conn.exec_driver_sql(_POSTED, (wanted, community.bytes, community.bytes))
    return [_row(values) for values in found]


async def append(conn: AsyncConnection, rows: Sequence[PostedTransfer]) -> int:
    """Append the rows; how many were appended."""
    return (await conn.exec_driver_sql(_APPEND, [_values(row) for row in rows])).rowcount


async def settle(
    conn: AsyncConnection, community: UUID, moves: Sequence[tuple[Account, Account]]
) -> int:
    """Set balances and lines, given each account before and after; how many were still `before`."""
    values = [
        (
            after.balance.count,
            after.lines,
            community.bytes,
            after.id.bytes,
            before.balance.count,
            before.lines,
        )
        for before, after in moves
    ]
    return (await conn.exec_driver_sql(_SETTLE, values)).rowcount


def _blob(ids: Iterable[UUID]) -> bytes:
    return b"".join(id.bytes for id in ids)


def _values(row: PostedTransfer) -> tuple[Any, ...]:
    """The row's values in the order of `_COLUMNS`."""
    return (
        row.community_id.bytes,
        row.seq,
        row.entry_id.bytes,
        row.position,
        row.source_id.bytes,
        row.destination_id.bytes,
        row.minutes.count,
        row.occurred_on.isoformat(),
        microseconds(row.posted_at),
        row.source_line,
        row.source_balance.count,
        row.destination_line,
        row.destination_balance.count,
        row.reverses_id.bytes if row.reverses_id else None,
        row.commitment,
        row.previous,
        row.hash,
    )


def _account(values: Any) -> Account:
    id, balance, lines, floor, closed = values
    lowest = None if floor is None else Minutes(floor)
    return Account(UUID(bytes=id), Minutes(balance), lines, lowest, bool(closed))


def _row(values: Any) -> PostedTransfer:
    row = list(values)
    for id in (0, 2, 4, 5):
        row[id] = UUID(bytes=row[id])
    for minutes in (6, 10, 12):
        row[minutes] = Minutes(row[minutes])
    row[7] = date.fromisoformat(row[7])
    row[8] = _EPOCH + timedelta(microseconds=row[8])
    row[13] = UUID(bytes=row[13]) if row[13] else None
    return PostedTransfer(*row)
