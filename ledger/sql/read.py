"""Reading the books: balances now and then, statements by page and period, the journal itself.

A balance or a page costs the same after a thousand transfers and after ten million. Lines are
numbered without gaps and `posted_at` never runs backwards, so the line an account stood at in any
moment is found by halving, without an index on time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account, AccountKind
from ledger.errors import NoJournal, UnknownAccount
from ledger.journal import Head
from ledger.minutes import ZERO, Minutes
from ledger.sql import raw
from ledger.sql.tables import account as account_table
from ledger.sql.tables import journal as journal_table
from ledger.sql.tables import transfer as transfer_table
from ledger.statement import Line, Statement
from ledger.transfer import PostedTransfer

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """The lines of a period: those numbered above `before` up to `last`, and the balances around.

    Without lines in the period, `before` equals `last`.
    """

    before: int
    last: int
    opening: Minutes
    closing: Minutes


@dataclass(frozen=True, slots=True)
class KindTotal:
    """How many accounts of a kind there are, and the sum of their balances."""

    accounts: int
    balance: Minutes


async def snapshot(conn: AsyncConnection) -> None:
    """From here to the end of the transaction, read one unchanging picture of the books.

    Has to be the transaction's first statement. SQLite does so by itself; PostgreSQL is asked for
    REPEATABLE READ.
    """
    if conn.dialect.name == "postgresql":
        await conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


async def head(conn: AsyncConnection, community: UUID) -> Head:
    """Where the journal ends. Raises `NoJournal`."""
    found = await conn.execute(
        select(journal_table).where(journal_table.c.community_id == community)
    )
    row = found.one_or_none()
    if row is None:
        raise NoJournal(community)
    return Head(row.community_id, row.seq, row.hash, row.posted_at)


async def accounts(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID] | None = None
) -> dict[UUID, Account]:
    """The community's accounts, or those of `ids` that are there, by id and in the order of ids."""
    query = select(account_table).where(account_table.c.community_id == community)
    if ids is not None:
        query = query.where(account_table.c.id.in_(list(ids)))
    return {row.id: _account(row) for row in await conn.execute(query.order_by(account_table.c.id))}


async def totals(conn: AsyncConnection, community: UUID) -> dict[AccountKind, KindTotal]:
    """For each kind of account the community has: how many, and their balances' sum."""
    kind, balance = account_table.c.kind, account_table.c.balance
    found = await conn.execute(
        select(kind, func.count().label("accounts"), func.sum(balance).label("balance"))
        .where(account_table.c.community_id == community)
        .group_by(kind)
    )
    return {AccountKind(row.kind): KindTotal(row.accounts, row.balance) for row in found}


async def balance(conn: AsyncConnection, community: UUID, account: UUID) -> Minutes:
    """What the account stands at now. Raises `UnknownAccount`."""
    return (await _one(conn, community, account)).balance


async def balance_at(
    conn: AsyncConnection, community: UUID, account: UUID, moment: datetime
) -> Minutes:
    """What the account stood at after everything posted up to and in that moment.

    Zero before the first line. Raises `UnknownAccount`.
    """
    return (await _stood(conn, community, account, moment, "<="))[1]


async def seq_before(conn: AsyncConnection, community: UUID, moment: datetime) -> int:
    """The number of the last transfer posted before a moment; 0 for none. Raises `NoJournal`.

    Costs the same in a journal of any length.
    """
    found = await raw.ask(conn, _SEQ_HALVING, community, moment)
    if not found:
        raise NoJournal(community)
    return int(found[0][0])


async def lines_between(
    conn: AsyncConnection,
    community: UUID,
    account: UUID,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Span:
    """The lines posted at or after `start` and before `end`; None leaves that side open.

    Raises `UnknownAccount`.
    """
    before, opening = 0, ZERO
    if start is not None:
        before, opening = await _stood(conn, community, account, start, "<")
    if end is not None:
        last, closing = await _stood(conn, community, account, end, "<")
    else:
        now = await _one(conn, community, account)
        last, closing = now.lines, now.balance
    if last <= before:
        return Span(before, before, opening, opening)
    return Span(before, last, opening, closing)


async def page(
    conn: AsyncConnection,
    community: UUID,
    account: UUID,
    *,
    before_line: int | None = None,
    after_line: int = 0,
    limit: int = 50,
) -> list[Line]:
    """The newest `limit` lines numbered above `after_line` and below `before_line`, newest first.

    Any page costs the same; the number of its last line is the next page's `before_line`. An
    account that is not there has no lines.
    """
    before = before_line if before_line is not None else _NO_LINE
    return await _lines(conn, _NEWEST, community, account, after_line, before, limit)


async def lines(
    conn: AsyncConnection, community: UUID, account: UUID, span: Span
) -> AsyncIterator[Line]:
    """A period's lines in their order, read in chunks; for files of any length."""
    after = span.before
    while after < span.last:
        for line in await _lines(conn, _OLDEST, community, account, after, span.last + 1, _CHUNK):
            yield line
        after += _CHUNK


async def statement(
    conn: AsyncConnection,
    community: UUID,
    account: UUID,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Statement:
    """The whole statement of a period, in memory. Raises `UnknownAccount`."""
    span = await lines_between(conn, community, account, start, end)
    found = [line async for line in lines(conn, community, account, span)]
    return Statement(account, span.opening, tuple(found), span.closing)


async def posted(
    conn: AsyncConnection, community: UUID, entry_ids: Iterable[UUID]
) -> dict[UUID, tuple[PostedTransfer, ...]]:
    """The transfers of these entries; an entry that is not in the journal is left out."""
    rows = await conn.execute(
        select(transfer_table).where(
            transfer_table.c.community_id == community,
            transfer_table.c.entry_id.in_(list(entry_ids)),
        )
    )
    found: dict[UUID, tuple[PostedTransfer, ...]] = {}
    # Sorted here: asked to, SQLite would read the whole journal in that order.
    for row in sorted(rows, key=lambda row: row.seq):
        found[row.entry_id] = (*found.get(row.entry_id, ()), _posted(row))
    return found


async def transfers(
    conn: AsyncConnection, community: UUID, *, after_seq: int = 0, chunk: int = _CHUNK
) -> AsyncIterator[PostedTransfer]:
    """The journal from after `after_seq` on, in order, read `chunk` rows at a time."""
    seq, ours = transfer_table.c.seq, transfer_table.c.community_id == community
    while True:
        # Both ends are named and nothing is limited, for the reason given in `raw.in_order`.
        rows = await conn.execute(
            select(transfer_table)
            .where(ours, seq > after_seq, seq <= after_seq + chunk)
            .order_by(seq)
        )
        found = [_posted(row) for row in rows]
        for row in found:
            yield row
        after_seq += chunk
        if not found:
            following = await conn.scalar(select(func.min(seq)).where(ours, seq > after_seq))
            if following is None:
                return
            after_seq = following - 1


async def all_accounts(
    conn: AsyncConnection, community: UUID, *, chunk: int = _CHUNK
) -> AsyncIterator[Account]:
    """Every account of the community in the order of ids, read `chunk` at a time."""
    id, after = account_table.c.id, None
    while True:
        query = select(account_table).where(account_table.c.community_id == community)
        if after is not None:
            query = query.where(id > after)
        found = [_account(row) for row in await conn.execute(query.order_by(id).limit(chunk))]
        for account in found:
            yield account
        if len(found) < chunk:
            return
        after = found[-1].id


async def _one(conn: AsyncConnection, community: UUID, account: UUID) -> Account:
    found = await raw.ask(conn, _ACCOUNT, community, account)
    if not found:
        raise UnknownAccount(account)
    ((balance, lines, floor, closed_at),) = found
    lowest = None if floor is None else Minutes(floor)
    return Account(account, Minutes(balance), lines, lowest, closed_at is not None)


_ACCOUNT = """
    SELECT balance, lines, floor, closed_at FROM account WHERE community_id = $1 AND id = $2
"""

# The line looked for is one of `many` lines from `line` on; half of them are left after each step.
# A line is either a source line or a destination line: two index look-ups a step, and a step more
# when there are twice as many lines.
_HALVING = """
    WITH RECURSIVE search (line, many) AS (
        SELECT CAST(0 AS bigint), lines + 1 FROM account WHERE community_id = $1 AND id = $2
        UNION ALL
        SELECT CASE WHEN COALESCE(
            (SELECT posted_at FROM transfer WHERE community_id = $1
                AND source_id = $2 AND source_line = line + many / 2),
            (SELECT posted_at FROM transfer WHERE community_id = $1
                AND destination_id = $2 AND destination_line = line + many / 2)
        ) {before} $3 THEN line + many / 2 ELSE line END, many - many / 2
        FROM search WHERE many > 1
    )
    SELECT line, COALESCE(
        (SELECT source_balance FROM transfer WHERE community_id = $1
            AND source_id = $2 AND source_line = line),
        (SELECT destination_balance FROM transfer WHERE community_id = $1
            AND destination_id = $2 AND destination_line = line)
    ) FROM search WHERE many = 1
"""

# The same along the journal, where one look-up a step is enough.
_SEQ_HALVING = """
    WITH RECURSIVE search (seq, many) AS (
        SELECT CAST(0 AS bigint), seq + 1 FROM journal WHERE community_id = $1
        UNION ALL
        SELECT CASE WHEN (
            SELECT posted_at FROM transfer
            WHERE community_id = $1 AND transfer.seq = search.seq + many / 2
        ) < $2 THEN seq + many / 2 ELSE seq END, many - many / 2
        FROM search WHERE many > 1
    )
    SELECT seq FROM search WHERE many = 1
"""
_STOOD = {before: _HALVING.format(before=before) for before in ("<", "<=")}


async def _stood(
    conn: AsyncConnection, community: UUID, account: UUID, moment: datetime, before: str
) -> tuple[int, Minutes]:
    """Number and balance of the account's last line before a moment; 0 and zero without one."""
    found = await raw.ask(conn, _STOOD[before], community, account, moment)
    if not found:
        raise UnknownAccount(account)
    ((line, balance),) = found
    return line, Minutes(balance or 0)


# At most $5 lines between two numbers: two short index scans, merged.
_SIDES = """
    SELECT * FROM (
        SELECT * FROM (
            SELECT source_line AS number, seq, -minutes AS minutes, source_balance AS balance,
                destination_id AS other_id, entry_id, occurred_on, posted_at, reverses_id
            FROM transfer WHERE community_id = $1 AND source_id = $2
                AND source_line > $3 AND source_line < $4
            ORDER BY source_line {order} LIMIT $5
        ) AS sent
        UNION ALL
        SELECT * FROM (
            SELECT destination_line, seq, minutes, destination_balance,
                source_id, entry_id, occurred_on, posted_at, reverses_id
            FROM transfer WHERE community_id = $1 AND destination_id = $2
                AND destination_line > $3 AND destination_line < $4
            ORDER BY destination_line {order} LIMIT $5
        ) AS received
    ) AS both_sides ORDER BY number {order} LIMIT $5
"""
_NEWEST, _OLDEST = _SIDES.format(order="DESC"), _SIDES.format(order="ASC")
_NO_LINE = 2**62  # no statement is so long


async def _lines(
    conn: AsyncConnection,
    query: str,
    community: UUID,
    account: UUID,
    after_line: int,
    before_line: int,
    limit: int,
) -> list[Line]:
    """At most `limit` lines numbered between these two."""
    rows = await raw.ask(conn, query, community, account, after_line, before_line, limit)
    spelled = raw.spelling(conn)
    return [
        Line(
            number,
            seq,
            Minutes(minutes),
            Minutes(balance),
            spelled.id(other),
            spelled.id(entry),
            spelled.day(day),
            spelled.moment(at),
            None if reverses is None else spelled.id(reverses),
        )
        for number, seq, minutes, balance, other, entry, day, at, reverses in rows
    ]


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.balance, row.lines, row.floor, row.closed_at is not None)


def _posted(row: Row[Any]) -> PostedTransfer:
    return PostedTransfer(**row._mapping)


__all__: Sequence[str] = (
    "KindTotal",
    "Span",
    "accounts",
    "all_accounts",
    "balance",
    "balance_at",
    "head",
    "lines",
    "lines_between",
    "page",
    "posted",
    "seq_before",
    "snapshot",
    "statement",
    "totals",
    "transfers",
)
