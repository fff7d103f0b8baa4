"""The posting path's statements for SQLite: one each, whatever the size of the batch.

They are handed to the driver as they are, through SQLAlchemy's connection and so in its
transaction, which holds SQLite's only write lock (BEGIN IMMEDIATE): nothing more to lock here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account
from ledger.chain import microseconds
from ledger.journal import Decision, State
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
    WHERE community_id = ? AND id = ? AND balance = ? AND lines = ? AND floor IS ?
        AND closed_at IS NULL
"""

_MOVE_ON = """
    UPDATE journal SET seq = ?, hash = ?, posted_at = ?
    WHERE community_id = ? AND seq = ? AND hash = ?
"""


async def accounts(
    conn: AsyncConnection,
    community: UUID,
    ids: Iterable[UUID],
    *,
    lock: bool = True,  # noqa: ARG001
) -> dict[UUID, Account]:
    """The accounts with these ids. There is nothing more to lock."""
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


async def write(conn: AsyncConnection, state: State, decision: Decision) -> bool:
    """Write what was decided on this state: head, balances and transfers.

    False when the books are not in that state any more, or one of the ids is taken: the transaction
    can then only be rolled back.
    """
    before, after = state.head, decision.head
    community = before.community.bytes
    head = (after.seq, after.hash, microseconds(after.posted_at))
    moves = [
        (
            moved.balance.count,
            moved.lines,
            community,
            moved.id.bytes,
            was.balance.count,
            was.lines,
            None if was.floor is None else was.floor.count,
        )
        for moved in decision.accounts.values()
        for was in (state.accounts[moved.id],)
    ]
    rows = [_values(row) for row in decision.transfers]
    for statement, values in (
        (_MOVE_ON, [(*head, community, before.seq, before.hash)]),
        (_SETTLE, moves),
        (_APPEND, rows),
    ):
        try:
            written = await conn.exec_driver_sql(statement, values)
        except IntegrityError:
            return False
        if written.rowcount != len(values):
            return False
    return True


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
