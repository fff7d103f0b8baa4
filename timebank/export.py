"""Taking the journal out: for spreadsheets, for other accounting programs, for other verifiers.

`hledger` and `beancount` then add everything up by themselves and compare with our balances. The
book is all that the chain covers, without a name or a word, for verifiers that others write.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.export import Beancount, Hledger
from ledger.minutes import Minutes
from ledger.sql import book as stored_book
from ledger.sql import read
from ledger.transfer import PostedTransfer
from timebank import workshops
from timebank.communities import Community, categories
from timebank.entries import entries
from timebank.members import MemberKind, members
from timebank.spreadsheet import safe_cell

_CHUNK = 500  # transfers whose words are looked up together

_HEADINGS = (
    "number",
    "posted_at",
    "occurred_on",
    "entry",
    "kind",
    "category",
    "note",
    "from_account",
    "from_name",
    "to_account",
    "to_name",
    "minutes",
    "time",
    "from_balance_minutes",
    "to_balance_minutes",
    "reverses",
    "hash",
)


class Format(StrEnum):
    """What the journal can be written as."""

    CSV = "csv"
    HLEDGER = "hledger"
    BEANCOUNT = "beancount"
    BOOK = "book"


@dataclass(frozen=True, slots=True)
class _Words:
    """What `timebank` remembers of an entry beside its minutes."""

    kind: str
    category: str
    note: str


async def lines(conn: AsyncConnection, community: Community, form: Format) -> AsyncIterator[str]:
    """The whole journal of a community, line by line, without line ends.

    One unchanging picture of the books: this has to come first in its transaction. Amounts are
    whole minutes. Names of members are in it, so the file is as private as the book itself; only
    `Format.BOOK` has none, nor any words.
    """
    if form is Format.BOOK:
        async for line in stored_book.lines(conn, community.id):
            yield line
        return
    await read.snapshot(conn)
    if form is Format.CSV:
        rows = _csv(conn, community)
    else:
        rows = _plain_text(conn, community, Hledger if form is Format.HLEDGER else Beancount)
    async for line in rows:
        yield line


async def _plain_text(
    conn: AsyncConnection, community: Community, dialect: type[Hledger] | type[Beancount]
) -> AsyncIterator[str]:
    writer = dialect(await _account_names(conn, community, "{group}:{name}"))
    for line in writer.opening():
        yield line
    async for row in read.transfers(conn, community.id):
        for line in writer.transfer(row):
            yield line
    for line in writer.closing(await _balances(conn, community)):
        yield line


async def _csv(conn: AsyncConnection, community: Community) -> AsyncIterator[str]:
    names = await _account_names(conn, community, "{name}")
    yield _csv_line(_HEADINGS)
    waiting: list[PostedTransfer] = []
    async for row in read.transfers(conn, community.id):
        waiting.append(row)
        if len(waiting) == _CHUNK:
            for line in await _csv_lines(conn, community, waiting, names):
                yield line
            waiting = []
    for line in await _csv_lines(conn, community, waiting, names):
        yield line


async def _csv_lines(
    conn: AsyncConnection,
    community: Community,
    transfers: Sequence[PostedTransfer],
    names: Mapping[UUID, str],
) -> list[str]:
    words = await _words(conn, community, {row.entry_id for row in transfers})
    return [_csv_line(_csv_cells(row, words.get(row.entry_id), names)) for row in transfers]


def _csv_cells(
    row: PostedTransfer, words: _Words | None, names: Mapping[UUID, str]
) -> tuple[str, ...]:
    return (
        str(row.seq),
        row.posted_at.isoformat(),
        row.occurred_on.isoformat(),
        str(row.entry_id),
        words.kind if words else "",
        safe_cell(words.category) if words else "",
        safe_cell(words.note) if words else "",
        str(row.source_id),
        safe_cell(names[row.source_id]),
        str(row.destination_id),
        safe_cell(names[row.destination_id]),
        str(row.minutes.count),
        str(row.minutes),
        str(row.source_balance.count),
        str(row.destination_balance.count),
        str(row.reverses_id or ""),
        row.hash.hex(),
    )


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


async def _words(conn: AsyncConnection, community: Community, ids: set[UUID]) -> dict[UUID, _Words]:
    """Kind, category and note of these entries."""
    query = (
        select(
            entries.c.id,
            entries.c.kind,
            entries.c.note,
            categories.c.name.label("category"),
        )
        .join_from(
            entries,
            categories,
            (categories.c.community_id == entries.c.community_id)
            & (categories.c.id == entries.c.category_id),
            isouter=True,
        )
        .where(entries.c.community_id == community.id, entries.c.id.in_(sorted(ids)))
    )
    return {
        row.id: _Words(row.kind, row.category or "", row.note) for row in await conn.execute(query)
    }


async def _account_names(
    conn: AsyncConnection, community: Community, pattern: str
) -> dict[UUID, str]:
    """A name for each account: the commons', each member's, organisation's and workshop's."""
    group = {MemberKind.PERSON: "Members", MemberKind.ORGANISATION: "Organisations"}
    names = {community.commons_id: "Commons"}
    rows = await conn.execute(
        select(members.c.id, members.c.name, members.c.kind)
        .where(members.c.community_id == community.id)
        .order_by(members.c.id)
    )
    named = {row.id: (group[MemberKind(row.kind)], row.name.replace(":", "-")) for row in rows}
    shared = await workshops.names(conn, community.id)
    named |= {id: ("Workshops", name.replace(":", "-")) for id, name in shared.items()}
    async for account in read.all_accounts(conn, community.id):
        if account.id != community.commons_id:
            under, name = named.get(account.id, ("Others", str(account.id)))
            names[account.id] = pattern.format(group=under, name=name)
    return names


async def _balances(conn: AsyncConnection, community: Community) -> dict[UUID, Minutes]:
    return {account.id: account.balance async for account in read.all_accounts(conn, community.id)}
