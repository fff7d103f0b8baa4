"""Keeping the books: opening, posting, closing. Nothing else writes the ledger's tables.

Every function works in the caller's transaction and leaves committing to the caller. A community's
head row is locked first, then accounts in the order of their ids; so postings of a community go
one after another, those of different communities side by side, and none can deadlock. On SQLite
the transaction has to hold the write lock from its start (BEGIN IMMEDIATE).

On PostgreSQL the locks are FOR NO KEY UPDATE: whoever only refers to an account, as a row of
another table does, does not wait for a posting, and a posting does not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import ModuleType
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account, AccountKind
from ledger.entry import JournalEntry
from ledger.errors import BrokenBooks, NoJournal, UnknownAccount
from ledger.journal import Decision, Head, State, Verdict, decide
from ledger.minutes import ZERO, Minutes
from ledger.sql import _postgres, _sqlite, tables
from ledger.transfer import PostedTransfer


async def open_journal(conn: AsyncConnection, community: UUID, at: datetime) -> Head:
    """Begin a community's journal at a moment (UTC). Twice raises SQLAlchemy's `IntegrityError`."""
    head = Head.start(community, at)
    await conn.execute(
        insert(tables.journal).values(
            community_id=community, seq=head.seq, hash=head.hash, posted_at=head.posted_at
        )
    )
    return head


async def open_account(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    kind: AccountKind,
    at: datetime,
    floor: Minutes | None = None,
) -> Account:
    """A new account with nothing on it. An id that is taken raises `IntegrityError`."""
    await conn.execute(
        insert(tables.account).values(
            community_id=community,
            id=id,
            kind=AccountKind(kind).value,
            balance=ZERO,
            lines=0,
            floor=floor,
            opened_at=at,
        )
    )
    return Account(id, floor=floor)


async def open_accounts(
    conn: AsyncConnection,
    community: UUID,
    kinds: Mapping[UUID, AccountKind],
    at: datetime,
    floor: Minutes | None = None,
) -> None:
    """New accounts with nothing on them, all at once; a taken id raises `IntegrityError`."""
    rows = [
        {
            "community_id": community,
            "id": id,
            "kind": AccountKind(kind).value,
            "balance": ZERO,
            "lines": 0,
            "floor": floor,
            "opened_at": at,
        }
        for id, kind in kinds.items()
    ]
    if rows:
        await conn.execute(insert(tables.account), rows)


async def set_floor(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], floor: Minutes | None
) -> None:
    """Give accounts another hard floor (None: no floor), from the next posting on.

    An account may be below it already; it can then receive, and not give. Raises `UnknownAccount`
    and changes nothing when one of them is not there.
    """
    await _change(conn, community, ids, floor=floor)


async def set_floors(
    conn: AsyncConnection, community: UUID, floors: Mapping[UUID, Minutes | None]
) -> None:
    """The same as `set_floor`, with a floor for each account, in one statement for all of them."""
    await lock(conn, community)
    known = await _driver(conn).accounts(conn, community, sorted(floors))
    for id in sorted(floors):
        if id not in known:
            raise UnknownAccount(id)
    account = tables.account
    await conn.execute(
        update(account)
        .where(account.c.community_id == community, account.c.id == bindparam("of_account"))
        .values(floor=bindparam("new_floor")),
        [{"of_account": id, "new_floor": floor} for id, floor in sorted(floors.items())],
    )


async def close_account(conn: AsyncConnection, community: UUID, id: UUID, at: datetime) -> None:
    """From now on the account neither gives nor takes; its balance stays. Or `UnknownAccount`."""
    await close_accounts(conn, community, [id], at)


async def close_accounts(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], at: datetime
) -> None:
    """The same for several: all of them, or none and `UnknownAccount`."""
    await _change(conn, community, ids, closed_at=at)


async def reopen_account(conn: AsyncConnection, community: UUID, id: UUID) -> None:
    """The account gives and takes again. Or raise `UnknownAccount`."""
    await _change(conn, community, [id], closed_at=None)


async def lock(conn: AsyncConnection, community: UUID) -> Head:
    """Keep all others from posting in this community until the transaction ends.

    Raises `NoJournal` when the community has none.
    """
    found = await conn.execute(
        select(tables.journal)
        .where(tables.journal.c.community_id == community)
        .with_for_update(key_share=True)
    )
    row = found.one_or_none()
    if row is None:
        raise NoJournal(community)
    return Head(row.community_id, row.seq, row.hash, row.posted_at)


async def post(
    conn: AsyncConnection, community: UUID, entries: Sequence[JournalEntry], at: datetime
) -> list[Verdict]:
    """Post entries in order and answer a verdict each, as `ledger.decide` says.

    A few statements, however many entries there are. Posted is what the caller then commits. Raises
    `BrokenBooks` when what is stored is not what was decided on: roll back, and verify.
    """
    _, decision = await settle(conn, community, entries, at)
    return list(decision.verdicts)


async def settle(
    conn: AsyncConnection, community: UUID, entries: Sequence[JournalEntry], at: datetime
) -> tuple[State, Decision]:
    """The same as `post`; tells the state that was decided on, and all that was decided."""
    head = await lock(conn, community)
    state = await _load(conn, head, entries)
    decision = decide(state, entries, at)
    if decision.transfers and not await write(conn, state, decision):
        raise BrokenBooks("what was decided on is not what is stored")
    return state, decision


async def look_up(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> dict[UUID, Account]:
    """The accounts with these ids as they are just now; those that are there, and not locked."""
    found: dict[UUID, Account] = await _driver(conn).accounts(conn, community, ids, lock=False)
    return found


async def _load(conn: AsyncConnection, head: Head, entries: Sequence[JournalEntry]) -> State:
    """All that deciding about these entries depends on."""
    driver = _driver(conn)
    ends = {
        id
        for entry in entries
        for transfer in entry.transfers
        for id in (transfer.source, transfer.destination)
    }
    reversed_ids = {entry.reverses for entry in entries if entry.reverses is not None}
    ids = {entry.id for entry in entries} | reversed_ids
    accounts = await driver.accounts(conn, head.community, ends)
    rows: list[PostedTransfer] = await driver.posted(conn, head.community, ids, reversed_ids)
    posted: dict[UUID, tuple[PostedTransfer, ...]] = {}
    reversed_by: dict[UUID, UUID] = {}
    for _, row in sorted({row.seq: row for row in rows}.items()):
        if row.entry_id in ids:
            posted[row.entry_id] = (*posted.get(row.entry_id, ()), row)
        if row.reverses_id in reversed_ids:
            reversed_by[row.reverses_id] = row.entry_id
    return State(head, accounts, posted, reversed_by)


def _assert_balanced(state: State, decision: Decision) -> None:
    """What some accounts gained, others gave: the batch's own part of the proof."""
    gained = lines = 0
    for id, after in decision.accounts.items():
        before = state.accounts[id]
        gained += after.balance.count - before.balance.count
        lines += after.lines - before.lines
    if gained != 0:
        raise BrokenBooks(f"a posting would leave {Minutes(gained)} that nobody gave")
    if lines != 2 * len(decision.transfers):
        raise BrokenBooks("a posting would leave a transfer with one side only")
    if decision.head.seq != state.head.seq + len(decision.transfers):
        raise BrokenBooks("a posting would leave a gap in the journal")


async def write(conn: AsyncConnection, state: State, decision: Decision) -> bool:
    """Write transfers, balances and head. False when the books are not in this state any more.

    After that, the transaction can only be rolled back. Raises `BrokenBooks`, and writes nothing,
    when the decision itself does not add up.
    """
    _assert_balanced(state, decision)
    return bool(await _driver(conn).write(conn, state, decision))


async def _change(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], **values: object
) -> None:
    """Change what may change of accounts, apart from posting."""
    wanted = sorted(set(ids))
    await lock(conn, community)
    known = await _driver(conn).accounts(conn, community, wanted)
    for id in wanted:
        if id not in known:
            raise UnknownAccount(id)
    for start in range(0, len(wanted), 1000):
        some = wanted[start : start + 1000]
        changed = await conn.execute(
            update(tables.account)
            .where(tables.account.c.community_id == community, tables.account.c.id.in_(some))
            .values(**values)
        )
        _expect(changed.rowcount, len(some), "accounts changed")


def _expect(count: int, wanted: int, what: str) -> None:
    if count != wanted:
        raise BrokenBooks(f"{count} {what} where there should be {wanted}")


def _driver(conn: AsyncConnection) -> ModuleType:
    """The statements in the words of the database at hand."""
    return _sqlite if conn.dialect.name == "sqlite" else _postgres
