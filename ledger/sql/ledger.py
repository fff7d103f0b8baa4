"""The ledger as a program uses it: `await ledger.post(community, entry, at)`, from as many as like.

Those who post at the same moment share one transaction (see `ledger.group_commit`). And as long as
nobody else posts in the community, nothing has to be read, and on PostgreSQL a posting is one round
trip: the state that our own last posting left behind is remembered and decided on, and written only
if the journal still stands there. It is a guess that the database checks, never a second truth: if
it is wrong, nothing was written, and the entries are decided again on what is read under the
journal's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import Account
from ledger.entry import JournalEntry
from ledger.group_commit import GroupCommit
from ledger.journal import Decision, Head, Posted, State, Verdict, decide
from ledger.sql import store
from ledger.sql.trouble import may_pass

Write: TypeAlias = Callable[[UUID], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a transaction for a community: leaving it commits, an exception rolls back."""

_MOST_REMEMBERED = 50_000  # accounts of a community


@dataclass(slots=True)
class _Remembered:
    """Where a community's journal and accounts stood after our last posting."""

    head: Head
    accounts: dict[UUID, Account]


class Ledger:
    """Posts into the journals of one database. `await drain()` before the database is closed."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._group: GroupCommit[tuple[JournalEntry, datetime], Verdict] = GroupCommit(
            self._commit, lost=may_pass
        )
        self._remembered: dict[UUID, _Remembered] = {}

    async def post(self, community: UUID, entry: JournalEntry, at: datetime) -> Verdict:
        """Post an entry; the verdict is as `ledger.decide` says, and committed.

        Those posted together are dated the latest of their moments. Raises `NoJournal`, `Busy`
        when too many wait, `Unknown` when the connection broke: post it again, under its id.
        """
        return (await self._group.put(community, [(entry, at)]))[0]

    async def post_all(
        self, community: UUID, entries: Sequence[JournalEntry], at: datetime
    ) -> list[Verdict]:
        """Post entries one after another, though not in one transaction; a verdict each.

        After an error some may be posted; posting all of them again is safe. Raises as `post`.
        """
        return await self._group.put(community, [(entry, at) for entry in entries])

    async def drain(self) -> None:
        """Wait until everything asked for is settled."""
        await self._group.drain()

    async def _commit(
        self, community: UUID, asks: Sequence[tuple[JournalEntry, datetime]]
    ) -> Sequence[Verdict]:
        entries = [entry for entry, _ in asks]
        at = max(at for _, at in asks)
        remembered = self._remembered.pop(community, None)
        if remembered is not None:
            decision = await self._guess(community, remembered, entries, at)
            if decision is not None:
                self._remember(community, remembered.accounts, decision)
                return decision.verdicts
        async with self._write(community) as conn:
            state, decision = await store.settle(conn, community, entries, at)
        # Who meets others here does not guess the next time: they will be there again.
        if remembered is None or remembered.head == state.head:
            known = remembered.accounts if remembered is not None else {}
            known.update(state.accounts)
            self._remember(community, known, decision)
        return decision.verdicts

    async def _guess(
        self,
        community: UUID,
        remembered: _Remembered,
        entries: Sequence[JournalEntry],
        at: datetime,
    ) -> Decision | None:
        """Decide on what we remember, and write that if the books still stand there.

        Only what can be posted whole: refusals, replays and reversals have to be looked up.
        """
        if any(entry.reverses is not None for entry in entries):
            return None
        try:
            async with self._write(community) as conn:
                await _meet(conn, community, remembered.accounts, entries)
                state = State(remembered.head, remembered.accounts, {}, {})
                decision = decide(state, entries, at)
                if not all(isinstance(verdict, Posted) for verdict in decision.verdicts):
                    raise _WrongGuess
                if not await store.write(conn, state, decision):
                    raise _WrongGuess
        except _WrongGuess:
            return None
        return decision

    def _remember(self, community: UUID, accounts: dict[UUID, Account], decision: Decision) -> None:
        if len(accounts) > _MOST_REMEMBERED:
            accounts = {}
        accounts.update(decision.accounts)
        self._remembered[community] = _Remembered(decision.head, accounts)


class _WrongGuess(Exception):
    """Somebody else posted, or an account is not as it was: roll back."""


async def _meet(
    conn: AsyncConnection,
    community: UUID,
    known: dict[UUID, Account],
    entries: Sequence[JournalEntry],
) -> None:
    """Look up the accounts that we do not know yet."""
    strange = {
        id
        for entry in entries
        for transfer in entry.transfers
        for id in (transfer.source, transfer.destination)
        if id not in known
    }
    if strange:
        known.update(await store.look_up(conn, community, strange))
