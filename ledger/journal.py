"""The journal: deciding which entries are posted, and an in-memory ledger built on that.

    entries ─► decide(state) ─► verdicts, one each
                      └───────► transfers to append, accounts and head as they are afterwards

`decide` is a pure function over values. The SQL store locks, loads, calls it and writes what it
returns; `Journal` keeps the same in memory. So the in-memory journal is the specification that
the store is tested against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

from ledger import chain
from ledger.account import Account
from ledger.entry import JournalEntry, mirrored
from ledger.errors import (
    AccountClosed,
    AlreadyReversed,
    FloorReached,
    KeyReused,
    NotPositive,
    NotPosted,
    NoTransfers,
    Refusal,
    ReversalDiffers,
    SameAccount,
    TooMuch,
    UnknownAccount,
)
from ledger.minutes import MAX, ZERO, Minutes
from ledger.statement import Line, Statement
from ledger.transfer import PostedTransfer, Transfer


@dataclass(frozen=True, slots=True)
class Head:
    """Where a community's journal ends: the last transfer's number, hash and moment."""

    community: UUID
    seq: int
    hash: bytes
    posted_at: datetime

    @classmethod
    def start(cls, community: UUID, at: datetime) -> Head:
        """The head of a journal without transfers, opened at a moment (UTC)."""
        return cls(community, 0, chain.genesis(community), at)


@dataclass(frozen=True, slots=True)
class Posted:
    """The entry is in the journal, as these transfers. `replayed`: it was there before."""

    entry_id: UUID
    transfers: tuple[PostedTransfer, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The entry was not posted, and left no trace."""

    entry_id: UUID
    error: Refusal


Verdict: TypeAlias = Posted | Refused


@dataclass(frozen=True, slots=True)
class State:
    """All that deciding depends on.

    `accounts` holds at least the open accounts that the entries touch. `posted` holds what the
    journal has under the entries' ids and under the ids they reverse; `reversed_by` says which of
    the latter were reversed, and by which entry.
    """

    head: Head
    accounts: Mapping[UUID, Account]
    posted: Mapping[UUID, tuple[PostedTransfer, ...]]
    reversed_by: Mapping[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to append, what to set, and what to answer."""

    head: Head
    accounts: Mapping[UUID, Account]  # those that moved, as they are afterwards
    transfers: tuple[PostedTransfer, ...]
    verdicts: tuple[Verdict, ...]


def decide(state: State, entries: Sequence[JournalEntry], at: datetime) -> Decision:
    """Judge each entry in order, as if it were alone, on what those before it left behind.

    An entry is posted with all its transfers or refused with none. Its transfers are judged
    strictly in order: none may take its source below the floor, not even for a moment, unless the
    entry overrides. An id that is in the journal already (or earlier in `entries`) answers the
    same again, or `KeyReused` when the content differs. `posted_at` is `at` (an aware moment), or
    the head's when the clock ran backwards. Same input, same answer; the input is left alone.
    """
    if at.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    deciding = _Deciding(state, max(at.astimezone(UTC), state.head.posted_at))
    verdicts = tuple(deciding.judge(entry) for entry in entries)
    return Decision(deciding.head, deciding.moved, tuple(deciding.transfers), verdicts)


class _Deciding:
    """The running state while a list of entries is judged."""

    def __init__(self, state: State, at: datetime) -> None:
        self.head = state.head
        self.accounts = state.accounts
        self.posted = dict(state.posted)
        self.reversed_by = dict(state.reversed_by)
        self.at = at
        self.moved: dict[UUID, Account] = {}
        self.transfers: list[PostedTransfer] = []

    def judge(self, entry: JournalEntry) -> Verdict:
        earlier = self.posted.get(entry.id)
        if earlier is not None:
            return _again(entry, earlier)
        try:
            self.check_reversal(entry)
            moved = self.move(entry)
        except Refusal as error:
            return Refused(entry.id, error.with_traceback(None))
        rows = self.rows(entry, moved)
        self.posted[entry.id] = rows
        if entry.reverses is not None:
            self.reversed_by[entry.reverses] = entry.id
        self.transfers.extend(rows)
        return Posted(entry.id, rows)

    def check_reversal(self, entry: JournalEntry) -> None:
        """What is reversed is posted, not yet reversed, and moved back exactly."""
        if entry.reverses is None:
            return
        original = self.posted.get(entry.reverses)
        if original is None:
            raise NotPosted(entry.reverses)
        if entry.reverses in self.reversed_by:
            raise AlreadyReversed(entry.reverses, self.reversed_by[entry.reverses])
        if entry.transfers != mirrored(row.transfer for row in original):
            raise ReversalDiffers(entry.id, entry.reverses)

    def move(self, entry: JournalEntry) -> list[tuple[Transfer, Account, Account]]:
        """Each transfer with the source and the destination it leaves behind, or a `Refusal`."""
        if not entry.transfers:
            raise NoTransfers(entry.id)
        trial: dict[UUID, Account] = {}
        moved: list[tuple[Transfer, Account, Account]] = []
        for transfer in entry.transfers:
            source, destination = self.ends(transfer, trial)
            after = source.moved(-transfer.minutes)
            if source.floor is not None and after.balance < source.floor and not entry.override:
                raise FloorReached(source.id, source.floor, source.balance, transfer.minutes)
            trial[source.id] = after
            trial[destination.id] = destination.moved(transfer.minutes)
            moved.append((transfer, trial[source.id], trial[destination.id]))
        self.moved.update(trial)
        return moved

    def ends(self, transfer: Transfer, trial: Mapping[UUID, Account]) -> tuple[Account, Account]:
        """Source and destination as they stand before the transfer, if it may be at all."""
        if transfer.minutes <= ZERO:
            raise NotPositive(transfer.minutes)
        if transfer.minutes > MAX:
            raise TooMuch(transfer.minutes)
        if transfer.source == transfer.destination:
            raise SameAccount(transfer.source)
        source = self.account(transfer.source, trial)
        destination = self.account(transfer.destination, trial)
        for account in (source, destination):
            if account.closed:
                raise AccountClosed(account.id)
        return source, destination

    def account(self, id: UUID, trial: Mapping[UUID, Account]) -> Account:
        """The account as this entry, or else those before it, left it."""
        if trial and id in trial:
            return trial[id]
        return self.moved.get(id) or self.accounts.get(id) or _unknown(id)

    def rows(
        self, entry: JournalEntry, moved: Sequence[tuple[Transfer, Account, Account]]
    ) -> tuple[PostedTransfer, ...]:
        """The entry's rows of the journal, chained to its head, which moves on."""
        rows = []
        for position, (transfer, source, destination) in enumerate(moved, start=1):
            facts = (
                self.head.community,
                self.head.seq + 1,
                entry.id,
                position,
                source.id,
                destination.id,
                transfer.minutes,
                entry.occurred_on,
                self.at,
                source.lines,
                source.balance,
                destination.lines,
                destination.balance,
                entry.reverses,
                entry.commitment,
                self.head.hash,
            )
            row = PostedTransfer(*facts, chain.digest_of(*facts))
            self.head = Head(row.community_id, row.seq, row.hash, row.posted_at)
            rows.append(row)
        return tuple(rows)


def _unknown(id: UUID) -> Account:
    raise UnknownAccount(id)


def _again(entry: JournalEntry, earlier: tuple[PostedTransfer, ...]) -> Verdict:
    """The answer to an entry whose id is in the journal already."""
    first = earlier[0]
    same = (
        entry.transfers == tuple(row.transfer for row in earlier)
        and entry.occurred_on == first.occurred_on
        and entry.reverses == first.reverses_id
        and entry.commitment == first.commitment
    )
    if not same:
        return Refused(entry.id, KeyReused(entry.id))
    return Posted(entry.id, earlier, replayed=True)


@dataclass(slots=True)
class Journal:
    """One community's book in memory: its journal and its accounts.

    Everything the SQL store promises, without storing it: the specification.
    """

    head: Head
    accounts: dict[UUID, Account] = field(default_factory=dict)
    transfers: list[PostedTransfer] = field(default_factory=list)
    entries: dict[UUID, tuple[PostedTransfer, ...]] = field(default_factory=dict)
    reversed_by: dict[UUID, UUID] = field(default_factory=dict)

    @classmethod
    def open(cls, community: UUID, at: datetime) -> Journal:
        """An empty journal of a community, opened at a moment (UTC)."""
        return cls(Head.start(community, at))

    def open_account(self, id: UUID, floor: Minutes | None = None) -> Account:
        """A new account with nothing on it. Raises `ValueError` when the id is taken."""
        if id in self.accounts:
            raise ValueError("this account is open already")
        self.accounts[id] = Account(id, floor=floor)
        return self.accounts[id]

    def set_floor(self, ids: Sequence[UUID], floor: Minutes | None) -> None:
        """Give accounts another hard floor, from the next posting on. Or raise `UnknownAccount`."""
        for account in [self._account(id) for id in ids]:
            self.accounts[account.id] = replace(account, floor=floor)

    def close_account(self, id: UUID) -> None:
        """From now on the account neither gives nor takes. Or raise `UnknownAccount`."""
        self.accounts[id] = replace(self._account(id), closed=True)

    def reopen_account(self, id: UUID) -> None:
        """The account gives and takes again. Or raise `UnknownAccount`."""
        self.accounts[id] = replace(self._account(id), closed=False)

    def post(self, entries: Sequence[JournalEntry], at: datetime) -> list[Verdict]:
        """Post entries in order; a verdict each, as `decide` says."""
        state = State(self.head, self.accounts, self.entries, self.reversed_by)
        decision = decide(state, entries, at)
        self.head = decision.head
        self.accounts.update(decision.accounts)
        self.transfers.extend(decision.transfers)
        for verdict in decision.verdicts:
            if isinstance(verdict, Posted) and not verdict.replayed:
                self.entries[verdict.entry_id] = verdict.transfers
                reverses = verdict.transfers[0].reverses_id
                if reverses is not None:
                    self.reversed_by[reverses] = verdict.entry_id
        return list(decision.verdicts)

    def balances(self) -> dict[UUID, Minutes]:
        """Each account's balance."""
        return {id: account.balance for id, account in self.accounts.items()}

    def statement(
        self, account: UUID, start: datetime | None = None, end: datetime | None = None
    ) -> Statement:
        """The lines posted at or after `start` and before `end`. Or raise `UnknownAccount`."""
        self._account(account)
        lines = [
            Line.of(row, account)
            for row in self.transfers
            if account in (row.source_id, row.destination_id)
        ]
        before = [line for line in lines if start is not None and line.posted_at < start]
        within = [line for line in lines if end is None or line.posted_at < end][len(before) :]
        opening = before[-1].balance if before else ZERO
        return Statement(account, opening, tuple(within), within[-1].balance if within else opening)

    def _account(self, id: UUID) -> Account:
        return self.accounts.get(id) or _unknown(id)
