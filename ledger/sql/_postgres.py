"""The posting path's statements for PostgreSQL: one each, whatever the size of the batch.

They go to the driver's own connection, the one that SQLAlchemy's pool lent us, with one array per
column. SQLAlchemy begins its transactions late, with the first statement of its own; so whoever
reads or writes here in a transaction has locked the head through SQLAlchemy before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account
from ledger.journal import Decision, State
from ledger.minutes import Minutes
from ledger.sql.trouble import ConnectionLost
from ledger.transfer import PostedTransfer

_DIVISION_BY_ZERO, _UNIQUE_VIOLATION = "22012", "23505"

# Accounts are locked in the order of their ids, so that two postings can never wait for each other.
_ACCOUNTS = """
    SELECT id, balance, lines, floor, closed_at IS NOT NULL FROM account
    WHERE community_id = $1 AND id = ANY($2::uuid[]) ORDER BY id
"""
_AND_LOCK = _ACCOUNTS + "FOR NO KEY UPDATE"

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

# Head, balances and transfers in one statement, and so in one round trip. It holds only for the
# state that was decided on: the head moves on if it is still where it was, and everything else
# follows the head. An account that is no longer as it was (its floor was changed, it was closed)
# breaks the statement off by a division by zero, and nothing of it remains.
_WRITE = """
    WITH head AS (
        UPDATE journal SET seq = $4, hash = $5, posted_at = $6
        WHERE community_id = $1 AND seq = $2 AND hash = $3
        RETURNING seq
    ), settled AS (
        UPDATE account SET balance = moved.balance, lines = moved.lines
        FROM unnest($7::uuid[], $8::text::bigint[], $9::text::bigint[], $10::text::bigint[],
            $11::text::bigint[], $12::text::bigint[])
            AS moved (id, balance, lines, balance_before, lines_before, floor)
        WHERE account.community_id = $1 AND account.id = moved.id
            AND account.balance = moved.balance_before AND account.lines = moved.lines_before
            AND account.floor IS NOT DISTINCT FROM moved.floor AND account.closed_at IS NULL
            AND EXISTS (SELECT 1 FROM head)
        RETURNING account.id
    ), appended AS (
        INSERT INTO transfer (community_id, posted_at, entry_id, source_id, destination_id, seq,
            position, minutes, occurred_on, source_line, source_balance, destination_line,
            destination_balance, reverses_id, commitment, previous, hash)
        SELECT $1, $6, * FROM unnest($13::uuid[], $14::uuid[], $15::uuid[], $16::text::bigint[],
            $17::text::bigint[], $18::text::bigint[], $19::text::date[], $20::text::bigint[],
            $21::text::bigint[], $22::text::bigint[], $23::text::bigint[], $24::text::uuid[],
            $25::text::bytea[], $26::text::bytea[], $27::text::bytea[])
        WHERE EXISTS (SELECT 1 FROM head)
        RETURNING seq
    )
    SELECT (SELECT count(*) FROM appended) / CASE
        WHEN NOT EXISTS (SELECT 1 FROM head) THEN 1
        WHEN (SELECT count(*) FROM settled) = cardinality($7) THEN 1
        ELSE 0
    END
"""


async def accounts(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], *, lock: bool = True
) -> dict[UUID, Account]:
    """The accounts with these ids, locked until the transaction ends, or only looked at."""
    statement = _AND_LOCK if lock else _ACCOUNTS
    found = await ask(conn, "fetch", statement, community, sorted(ids))
    return {account.id: account for account in map(_account, found)}


async def posted(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], reversed_ids: Iterable[UUID]
) -> list[PostedTransfer]:
    """What the journal has under these entry ids, and the first row of each reversal of an id.

    In no order, and a row may come twice.
    """
    found = await ask(conn, "fetch", _POSTED, community, list(ids), list(reversed_ids))
    return [_row(values) for values in found]


async def write(conn: AsyncConnection, state: State, decision: Decision) -> bool:
    """Write what was decided on this state: head, balances and transfers, all or none.

    False when the books are not in that state any more, or one of the ids is taken; a transaction
    around it can then only be rolled back. Outside of one, it commits by itself.
    """
    before, after = state.head, decision.head
    moved = list(decision.accounts.values())
    was = [state.accounts[account.id] for account in moved]
    rows = decision.transfers
    try:
        appended = await ask(
            conn,
            "fetchval",
            _WRITE,
            before.community,
            before.seq,
            before.hash,
            after.seq,
            after.hash,
            after.posted_at,
            [account.id for account in moved],
            _array(account.balance.count for account in moved),
            _array(account.lines for account in moved),
            _array(account.balance.count for account in was),
            _array(account.lines for account in was),
            _array("NULL" if account.floor is None else account.floor.count for account in was),
            [row.entry_id for row in rows],
            [row.source_id for row in rows],
            [row.destination_id for row in rows],
            _array(row.seq for row in rows),
            _array(row.position for row in rows),
            _array(row.minutes.count for row in rows),
            _array(row.occurred_on for row in rows),
            _array(row.source_line for row in rows),
            _array(row.source_balance.count for row in rows),
            _array(row.destination_line for row in rows),
            _array(row.destination_balance.count for row in rows),
            _array(row.reverses_id or "NULL" for row in rows),
            _array(_hex(row.commitment) for row in rows),
            _array(_hex(row.previous) for row in rows),
            _array(_hex(row.hash) for row in rows),
        )
    except Exception as error:
        if getattr(error, "sqlstate", None) in (_DIVISION_BY_ZERO, _UNIQUE_VIOLATION):
            return False
        raise
    return bool(appended == len(decision.transfers))


async def ask(conn: AsyncConnection, method: str, statement: str, *values: object) -> Any:
    """Ask the driver's own connection. Raises `ConnectionLost` when it breaks meanwhile."""
    assert conn.sync_connection is not None
    driver: Any = conn.sync_connection.connection.driver_connection
    try:
        return await getattr(driver, method)(statement, *values)
    except Exception as error:
        if not driver.is_closed():
            raise
        await conn.invalidate(error)
        raise ConnectionLost from error


def _array(values: Iterable[object]) -> str:
    """An array as PostgreSQL reads it: the driver need not look at each value for its kind."""
    return "{" + ",".join(map(str, values)) + "}"


def _hex(value: bytes) -> str:
    """Bytes within such an array."""
    return rf'"\\x{value.hex()}"'


def _account(values: Any) -> Account:
    id, balance, lines, floor, closed = values
    lowest = None if floor is None else Minutes(floor)
    return Account(id, Minutes(balance), lines, lowest, closed)


def _row(values: Any) -> PostedTransfer:
    row = list(values)
    for minutes in (6, 10, 12):
        row[minutes] = Minutes(row[minutes])
    return PostedTransfer(*row)
