"""Whatever people do in two communities: the steps that the state machines take.

`Bank` keeps two in-memory journals and, beside them, a naive model in plain numbers that says in
advance what each entry should be answered. Numbers are small, so that floors are met.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger import (
    MAX,
    ZERO,
    Account,
    Journal,
    JournalEntry,
    Minutes,
    Posted,
    PostedTransfer,
    Refused,
    Transfer,
    Verdict,
    chain,
)
from ledger.errors import (
    AccountClosed,
    AlreadyReversed,
    FloorReached,
    KeyReused,
    NotPositive,
    NotPosted,
    NoTransfers,
    ReversalDiffers,
    SameAccount,
    TooMuch,
    UnknownAccount,
)
from ledger.proof import prove
from tests.ledger.making import DAY, NOON

_ids = itertools.count(1)
"""No id is used twice in a run, so that one database serves every example."""

amounts = st.sampled_from([5, 1, 2, 0, -1, MAX.count, MAX.count + 1])
floors = st.none() | st.integers(-20, 0)
clock = st.integers(-2, 3).map(lambda hours: timedelta(hours=hours))


def new_id() -> UUID:
    """The next id."""
    return UUID(int=next(_ids))


@dataclass
class Model:
    """One community in plain numbers: what should be answered, without any of the program."""

    balances: dict[UUID, int] = field(default_factory=dict)
    floors: dict[UUID, int | None] = field(default_factory=dict)
    closed: set[UUID] = field(default_factory=set)
    entries: dict[UUID, JournalEntry] = field(default_factory=dict)
    reversed: set[UUID] = field(default_factory=set)

    def expect(self, entry: JournalEntry) -> type[Exception] | str:
        """The class of the refusal, or "posted" or "again"; and remember what was posted."""
        if entry.id in self.entries:
            same = replace(self.entries[entry.id], override=entry.override) == entry
            return "again" if same else KeyReused
        if entry.reverses is not None:
            if entry.reverses not in self.entries:
                return NotPosted
            if entry.reverses in self.reversed:
                return AlreadyReversed
            back = [(t.destination, t.source) for t in self.entries[entry.reverses].transfers]
            amounts = [t.minutes for t in self.entries[entry.reverses].transfers]
            if [(t.source, t.destination) for t in entry.transfers] != back[::-1]:
                return ReversalDiffers
            if [t.minutes for t in entry.transfers] != amounts[::-1]:
                return ReversalDiffers
        if not entry.transfers:
            return NoTransfers
        balances = dict(self.balances)
        for transfer in entry.transfers:
            refusal = self.expect_move(transfer, balances, entry.override)
            if refusal is not None:
                return refusal
        self.balances = balances
        self.entries[entry.id] = entry
        if entry.reverses is not None:
            self.reversed.add(entry.reverses)
        return "posted"

    def expect_move(
        self, transfer: Transfer, balances: dict[UUID, int], override: bool
    ) -> type[Exception] | None:
        """The refusal of one transfer, or None and the balances it leaves."""
        source, destination, minutes = transfer.source, transfer.destination, transfer.minutes.count
        if minutes < 1:
            return NotPositive
        if minutes > MAX.count:
            return TooMuch
        if source == destination:
            return SameAccount
        if source not in balances or destination not in balances:
            return UnknownAccount
        if source in self.closed or destination in self.closed:
            return AccountClosed
        balances[source] -= minutes
        balances[destination] += minutes
        floor = self.floors[source]
        if floor is not None and balances[source] < floor and not override:
            return FloorReached
        return None


class Bank(RuleBasedStateMachine):
    """Two communities, their journals and the model. Subclasses may take each step elsewhere too.

    `also_…` are called after the journals took the step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.communities = (new_id(), new_id())
        self.journals = {id: Journal.open(id, NOON) for id in self.communities}
        self.models = {id: Model() for id in self.communities}
        self.known: list[UUID] = []
        self.written: list[JournalEntry] = []

    @initialize(floors=st.lists(floors, min_size=2, max_size=4))
    def begin(self, floors: list[int | None]) -> None:
        """Both communities open with a few accounts each."""
        self.also_begin()
        for community in self.communities:
            for floor in floors:
                self.open(community, floor)

    @rule(which=st.integers(0, 1), floor=floors)
    def open_account(self, which: int, floor: int | None) -> None:
        self.open(self.communities[which], floor)

    @rule(which=st.integers(0, 1), data=st.data(), floor=floors)
    def set_floor(self, which: int, data: st.DataObject, floor: int | None) -> None:
        community = self.communities[which]
        ids = data.draw(st.lists(st.sampled_from(list(self.models[community].balances))))
        self.journals[community].set_floor(ids, _minutes(floor))
        self.models[community].floors.update(dict.fromkeys(ids, floor))
        self.also_set_floor(community, ids, _minutes(floor))

    @rule(which=st.integers(0, 1), data=st.data(), close=st.booleans())
    def close_or_reopen(self, which: int, data: st.DataObject, close: bool) -> None:
        community = self.communities[which]
        id = data.draw(st.sampled_from(list(self.models[community].balances)))
        book, closed = self.journals[community], self.models[community].closed
        if close:
            book.close_account(id)
            closed.add(id)
        else:
            book.reopen_account(id)
            closed.discard(id)
        self.also_close(community, id, close)

    @rule(which=st.integers(0, 1), data=st.data(), wait=clock)
    def post(self, which: int, data: st.DataObject, wait: timedelta) -> None:
        self.now += wait
        community = self.communities[which]
        self.take(
            community, data.draw(st.lists(self.fair_entry(community), min_size=1, max_size=3))
        )

    @rule(which=st.integers(0, 1), data=st.data())
    def post_anything(self, which: int, data: st.DataObject) -> None:
        community = self.communities[which]
        self.take(community, data.draw(st.lists(self.any_entry(community), min_size=1, max_size=4)))

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 1), data=st.data())
    def post_again(self, which: int, data: st.DataObject) -> None:
        """A double click, a retry, or an id of the other community."""
        again = data.draw(st.sampled_from(self.written))
        self.take(self.communities[which], [again] * data.draw(st.integers(1, 2)))

    @precondition(lambda self: self.written)
    @rule(data=st.data(), override=st.booleans(), twist=st.booleans(), again=st.booleans())
    def undo(self, data: st.DataObject, override: bool, twist: bool, again: bool) -> None:
        """Reverse what was posted, or only tried; sometimes not exactly, or twice at once."""
        posted = [
            (community, entry)
            for community, model in self.models.items()
            for entry in model.entries.values()
        ]
        undone_before = [pair for pair in posted if pair[1].id in self.models[pair[0]].reversed]
        tried = [(self.communities[0], entry) for entry in self.written[-1:]]
        choice = (undone_before if again else []) or posted or tried
        community, undone = data.draw(st.sampled_from(choice))
        entry = undone.reversal(new_id(), DAY, bytes(32), override)
        if twist:
            entry = replace(entry, transfers=entry.transfers[::-1])
        self.take(community, [entry, replace(entry, id=new_id())][: data.draw(st.integers(1, 2))])

    @invariant()
    def balances_sum_to_zero(self) -> None:
        for book in self.journals.values():
            assert sum(book.balances().values(), ZERO) == ZERO

    @invariant()
    def balances_are_their_lines(self) -> None:
        for community, book in self.journals.items():
            expected = self.models[community].balances
            for id, account in book.accounts.items():
                statement = book.statement(id)
                assert account.balance == sum((line.minutes for line in statement.lines), ZERO)
                assert account.balance == Minutes(expected[id])
                numbers = [line.number for line in statement.lines]
                assert numbers == list(range(1, account.lines + 1)), "lines have no gap"

    @invariant()
    def the_journal_has_no_gap_and_its_chain_holds(self) -> None:
        for community, book in self.journals.items():
            previous, at = chain.genesis(community), NOON
            for number, row in enumerate(book.transfers, start=1):
                assert (row.seq, row.previous) == (number, previous)
                assert row.hash == chain.digest(row)
                assert row.posted_at >= at, "time runs forward"
                previous, at = row.hash, row.posted_at
            assert (book.head.seq, book.head.hash) == (len(book.transfers), previous)

    @invariant()
    def an_independent_proof_finds_nothing(self) -> None:
        for community, book in self.journals.items():
            report = prove(community, book.transfers, book.accounts.values(), book.head)
            assert report.sound, [str(finding) for finding in report.findings]

    @invariant()
    def nothing_is_reversed_twice(self) -> None:
        for book in self.journals.values():
            first_rows = [row for row in book.transfers if row.position == 1]
            named = [row.reverses_id for row in first_rows if row.reverses_id]
            assert len(named) == len(set(named))

    def open(self, community: UUID, floor: int | None) -> None:
        """A new account in the journal, in the model and elsewhere."""
        id = new_id()
        self.journals[community].open_account(id, _minutes(floor))
        self.models[community].balances[id] = 0
        self.models[community].floors[id] = floor
        self.known.append(id)
        self.also_open(community, id, _minutes(floor))

    def take(self, community: UUID, entries: Sequence[JournalEntry]) -> None:
        """Post entries in the journal and elsewhere, and compare the verdicts with the model."""
        before = self.snapshot(community)
        verdicts = self.journals[community].post(entries, self.now)
        self.also_post(community, entries, verdicts)
        self.check_verdicts(community, entries, verdicts, before)
        self.written.extend(entries)

    def fair_entry(self, community: UUID) -> st.SearchStrategy[JournalEntry]:
        """An entry that only a floor or a closed account can refuse."""
        own = list(self.models[community].balances)
        ends = st.permutations(own).map(lambda order: order[:2])
        transfers = st.builds(
            lambda ends, minutes: Transfer(ends[0], ends[1], Minutes(minutes)),
            ends,
            st.integers(1, 9),
        )
        return _entries(st.lists(transfers, min_size=1, max_size=3))

    def odd_entry(self, community: UUID) -> st.SearchStrategy[JournalEntry]:
        """An entry with nothing in it, or with other people's accounts and impossible minutes."""
        ends = st.sampled_from(list(self.models[community].balances) * 5 + self.known)
        return _entries(st.lists(st.builds(Transfer, ends, ends, amounts.map(Minutes)), max_size=3))

    def any_entry(self, community: UUID) -> st.SearchStrategy[JournalEntry]:
        """An entry that is fair, odd, or made of one that was tried before."""
        new = self.fair_entry(community) | self.odd_entry(community)
        if not self.written:
            return new
        old = st.sampled_from(self.written)
        return st.one_of(
            new,
            old,
            st.builds(lambda new, old: replace(new, id=old.id), new, old),
            old.map(lambda old: replace(old, commitment=b"other words".ljust(32))),
            old.map(lambda old: replace(old, occurred_on=NOON.date())),
            old.map(lambda old: old.reversal(new_id(), DAY, bytes(32))),
        )

    def snapshot(self, community: UUID) -> tuple[list[PostedTransfer], dict[UUID, Account]]:
        """The book as it is now."""
        book = self.journals[community]
        return list(book.transfers), dict(book.accounts)

    def check_verdicts(
        self,
        community: UUID,
        entries: Sequence[JournalEntry],
        verdicts: Sequence[Verdict],
        before: tuple[list[PostedTransfer], dict[UUID, Account]],
    ) -> None:
        """Each verdict is the model's, refusals and replays left no trace, and floors held."""
        book, model = self.journals[community], self.models[community]
        new: list[PostedTransfer] = []
        for entry, verdict in zip(entries, verdicts, strict=True):
            expected = model.expect(entry)
            assert verdict.entry_id == entry.id
            if isinstance(verdict, Refused):
                assert type(verdict.error) is expected, (verdict, expected)
                continue
            assert expected == ("again" if verdict.replayed else "posted"), verdict
            assert tuple(row.transfer for row in verdict.transfers) == entry.transfers
            if not verdict.replayed:
                new.extend(verdict.transfers)
                self.check_floors(community, entry, verdict)
        assert book.transfers == before[0] + new, "only what was posted is in the journal"
        moved = {id for row in new for id in (row.source_id, row.destination_id)}
        for id, account in before[1].items():
            assert id in moved or book.accounts[id] == account, "a refusal leaves no trace"

    def check_floors(self, community: UUID, entry: JournalEntry, verdict: Posted) -> None:
        """Nobody was taken below their hard floor without an override, not even in between."""
        for row in verdict.transfers:
            floor = self.models[community].floors[row.source_id]
            assert entry.override or floor is None or row.source_balance.count >= floor

    def also_begin(self) -> None:
        """The journals were opened."""

    def also_open(self, community: UUID, id: UUID, floor: Minutes | None) -> None:
        """An account was opened."""

    def also_set_floor(self, community: UUID, ids: Sequence[UUID], floor: Minutes | None) -> None:
        """Floors were set."""

    def also_close(self, community: UUID, id: UUID, close: bool) -> None:
        """An account was closed, or opened again."""

    def also_post(
        self, community: UUID, entries: Sequence[JournalEntry], verdicts: Sequence[Verdict]
    ) -> None:
        """Entries were posted at `self.now`, with these verdicts."""


def _entries(transfers: st.SearchStrategy[list[Transfer]]) -> st.SearchStrategy[JournalEntry]:
    """New entries made of such transfers."""
    return st.builds(
        JournalEntry,
        st.builds(new_id),
        transfers.map(tuple),
        st.just(DAY),
        st.binary(min_size=32, max_size=32),
        override=st.sampled_from([False, False, True]),
    )


def _minutes(count: int | None) -> Minutes | None:
    return None if count is None else Minutes(count)
