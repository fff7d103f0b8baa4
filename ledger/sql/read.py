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

from sqlalchemy import Select, bindparam, func, literal_column, select, text, union_all
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account, AccountKind
from ledger.errors import NoJournal, UnknownAccount
from ledger.journal import Head
from ledger.minutes import ZERO, Minutes
from ledger.sql.tables import account as account_table
from ledger.sql.tables import journal as journal_table
from ledger.sql.tables import transfer as transfer_table
from ledger.sql.types import Count, Id, Instant, MinutesType
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
    await _one(conn, community, account)
    return (await _stood(conn, community, account, moment, "<="))[1]


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
    now = await _one(conn, community, account)
    before, opening = 0, ZERO
    last, closing = now.lines, now.balance
    if start is not None:
        before, opening = await _stood(conn, community, account, start, "<")
    if end is not None:
        last, closing = await _stood(conn, community, account, end, "<")
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
    rows = await conn.execute(
        _sides(community, account, after_line, before_line, limit, newest_first=True)
    )
    return [_line(row) for row in rows]


async def lines(
    conn: AsyncConnection, community: UUID, account: UUID, span: Span
) -> AsyncIterator[Line]:
    """A period's lines in their order, read in chunks; for files of any length."""
    after = span.before
    while after < span.last:
        rows = await conn.execute(
            _sides(community, account, after, span.last + 1, _CHUNK, newest_first=False)
        )
        chunk = [_line(row) for row in rows]
        for line in chunk:
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
    seq = transfer_table.c.seq
    while True:
        rows = await conn.execute(
            select(transfer_table)
            .where(transfer_table.c.community_id == community, seq > after_seq)
            .order_by(seq)
            .limit(chunk)
        )
        found = [_posted(row) for row in rows]
        for row in found:
            yield row
        if len(found) < chunk:
            return
        after_seq = found[-1].seq


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
    found = await accounts(conn, community, [account])
    if account not in found:
        raise UnknownAccount(account)
    return found[account]


# From line 0, try ever smaller steps up, and take those that stay at or before the moment. A line
# beyond the last one has no moment, so its step is not taken. Line `line + step` is either a source
# line or a destination line: two index look-ups, 33 times, whatever the length of the statement.
_HALVING = """
    WITH RECURSIVE search (line, step) AS (
        SELECT CAST(0 AS bigint), CAST(4294967296 AS bigint)
        UNION ALL
        SELECT CASE WHEN COALESCE(
            (SELECT posted_at FROM transfer WHERE community_id = :community
                AND source_id = :account AND source_line = line + step),
            (SELECT posted_at FROM transfer WHERE community_id = :community
                AND destination_id = :account AND destination_line = line + step)
        ) {before} :moment THEN line + step ELSE line END, step / 2
        FROM search WHERE step > 0
    ), stood (line) AS (SELECT max(line) FROM search)
    SELECT line, COALESCE(
        (SELECT source_balance FROM transfer WHERE community_id = :community
            AND source_id = :account AND source_line = line),
        (SELECT destination_balance FROM transfer WHERE community_id = :community
            AND destination_id = :account AND destination_line = line)
    ) AS balance FROM stood
"""

_STOOD = {
    before: text(_HALVING.format(before=before))
    .bindparams(
        bindparam("community", type_=Id),
        bindparam("account", type_=Id),
        bindparam("moment", type_=Instant),
    )
    .columns(line=Count, balance=MinutesType)
    for before in ("<", "<=")
}


async def _stood(
    conn: AsyncConnection, community: UUID, account: UUID, moment: datetime, before: str
) -> tuple[int, Minutes]:
    """Number and balance of the account's last line before a moment; 0 and zero without one."""
    found = await conn.execute(
        _STOOD[before], {"community": community, "account": account, "moment": moment}
    )
    row = found.one()
    return row.line, row.balance or ZERO


def _sides(
    community: UUID,
    account: UUID,
    after_line: int,
    before_line: int | None,
    limit: int,
    *,
    newest_first: bool,
) -> Select[Any]:
    """At most `limit` lines between two numbers: two short index scans, merged."""
    halves = []
    for side, other, sign in (("source", "destination", "-"), ("destination", "source", "")):
        columns = transfer_table.c
        number = columns[f"{side}_line"]
        half = select(
            number.label("number"),
            columns.seq,
            literal_column(f"{sign}minutes", MinutesType).label("minutes"),
            columns[f"{side}_balance"].label("balance"),
            columns[f"{other}_id"].label("other_id"),
            columns.entry_id,
            columns.occurred_on,
            columns.posted_at,
            columns.reverses_id,
        ).where(
            columns.community_id == community,
            columns[f"{side}_id"] == account,
            number > after_line,
        )
        if before_line is not None:
            half = half.where(number < before_line)
        half = half.order_by(number.desc() if newest_first else number).limit(limit)
        halves.append(select(half.subquery()))
    both = union_all(*halves).subquery()
    order = both.c.number.desc() if newest_first else both.c.number
    return select(both).order_by(order).limit(limit)


def _line(row: Row[Any]) -> Line:
    return Line(**row._mapping)


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
    "snapshot",
    "statement",
    "totals",
    "transfers",
)
