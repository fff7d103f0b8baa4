"""Holds what many callers were told, all at once, against what one after another would have seen.

    operations, each with the moments it was asked and answered  ─┐
    the journal, accounts and head as they are in the end        ─┴─► what cannot have been

The journal says in which order entries were posted, and a change of an account knows between
which two of them it came; so there is one line of steps, and it is replayed through
`ledger.Journal`. Four things are asked of it (together: strict serialisability):

1. what was acknowledged is in the journal exactly once, numbered without gaps, and nothing is
   there that nobody asked for;
2. who was answered before another asked comes before them;
3. each answer is the model's: rows, balances, hashes, and refusals with their facts. Refusals,
   repetitions and reads stand nowhere in the line; some state they can have met has to explain
   them, one that is no older than what others had been told before;
4. a caller who went away changed nothing: their entry is posted, or could be refused.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import TypeAlias
from uuid import UUID

from ledger import (
    ZERO,
    Account,
    Head,
    Journal,
    JournalEntry,
    Line,
    Minutes,
    Posted,
    PostedTransfer,
    Refused,
    State,
    Verdict,
    decide,
)

_MOST = 20  # after that many things that cannot have been, nobody reads on


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked, and when, in nanoseconds of a clock that all share and that never runs back."""

    client: int
    began: int
    ended: int


class Left(StrEnum):
    """Why there is no answer."""

    GONE = "gone"  # the caller went away; the entry is decided on all the same
    UNKNOWN = "unknown"  # the connection broke: posted or not, nobody was told
    BUSY = "busy"  # turned away: nothing was written


@dataclass(frozen=True, slots=True)
class Post(Asked):
    """Entries handed in together, and their verdicts or why there are none."""

    entries: tuple[JournalEntry, ...]
    at: datetime
    answer: tuple[Verdict, ...] | Left


@dataclass(frozen=True, slots=True)
class Change(Asked):
    """An account given another floor, closed, or reopened.

    `seq` was the journal's number meanwhile, `held` a moment at which the lock was held.
    """

    account: UUID
    what: str  # floor, close, reopen
    floor: Minutes | None
    seq: int
    held: int


@dataclass(frozen=True, slots=True)
class Look(Asked):
    """What one reading transaction saw: the head, some accounts, a page and a past balance."""

    head: Head
    accounts: tuple[Account, ...]
    page: tuple[UUID, int | None, int, tuple[Line, ...]] | None = None  # account, before, limit
    stood: tuple[UUID, datetime, Minutes] | None = None


Operation: TypeAlias = Post | Change | Look


@dataclass(frozen=True, slots=True)
class History:
    """A community's beginning, all that was asked of it, and its book in the end."""

    community: UUID
    opened_at: datetime
    floors: Mapping[UUID, Minutes | None]
    operations: Sequence[Operation]
    rows: Sequence[PostedTransfer]
    accounts: Mapping[UUID, Account]
    head: Head


def check(history: History) -> list[str]:
    """What cannot have been, a sentence each; nothing when the history is sound."""
    return list(_first(_Check(history).all()))


def spread(operations: Sequence[Operation]) -> Counter[str]:
    """How many of what: posted, repeated, refused for what reason, raced for, looked at, changed.

    An operation *raced* when another one about the same entry, or about undoing the same, went on
    at the same time.
    """
    counts: Counter[str] = Counter(operations=len(operations))
    for one in operations:
        if isinstance(one, Post):
            counts.update(_kinds(one))
        else:
            counts["looked" if isinstance(one, Look) else f"changed: {one.what}"] += 1
    counts["raced"] = _raced(operations)
    return counts


def _first(found: Iterable[str]) -> Iterator[str]:
    for number, sentence in enumerate(found):
        if number == _MOST:
            return
        yield sentence


def _kinds(one: Post) -> Iterator[str]:
    if isinstance(one.answer, Left):
        yield one.answer.value
        return
    for verdict in one.answer:
        if isinstance(verdict, Refused):
            yield f"refused: {type(verdict.error).__name__}"
        else:
            yield "repeated" if verdict.replayed else "posted"


def _raced(operations: Sequence[Operation]) -> int:
    """How many posts went on at the same time as another post about the same entry."""
    about: dict[UUID, list[Post]] = defaultdict(list)
    for one in operations:
        if isinstance(one, Post):
            for entry in one.entries:
                about[entry.id].append(one)
                if entry.reverses is not None:
                    about[entry.reverses].append(one)
    raced: set[int] = set()
    for posts in about.values():
        posts.sort(key=lambda one: one.began)
        for earlier, later in pairwise(posts):
            if earlier is not later and later.began < earlier.ended:
                raced |= {id(earlier), id(later)}
    return len(raced)


@dataclass(slots=True)
class _Book:
    """The model at one step, with every account's lines for reading."""

    journal: Journal
    lines: dict[UUID, list[Line]] = field(default_factory=lambda: defaultdict(list))

    def judge(self, entries: Sequence[JournalEntry], at: datetime) -> tuple[Verdict, ...]:
        """What these would be told now; nothing changes."""
        book = self.journal
        ids = {id for entry in entries for id in (entry.id, entry.reverses) if id is not None}
        posted = {id: book.entries[id] for id in ids if id in book.entries}
        undone = {id: book.reversed_by[id] for id in ids if id in book.reversed_by}
        return decide(State(book.head, book.accounts, posted, undone), entries, at).verdicts

    def post(self, entries: Sequence[JournalEntry], at: datetime) -> tuple[Verdict, ...]:
        before = len(self.journal.transfers)
        verdicts = tuple(self.journal.post(entries, at))
        for row in self.journal.transfers[before:]:
            for account in (row.source_id, row.destination_id):
                self.lines[account].append(Line.of(row, account))
        return verdicts

    def change(self, one: Change) -> None:
        if one.what == "floor":
            self.journal.set_floor([one.account], one.floor)
        elif one.what == "close":
            self.journal.close_account(one.account)
        else:
            self.journal.reopen_account(one.account)

    def explains(self, one: Operation) -> bool:
        """Whether this state answers what they were answered, and moves nothing."""
        if isinstance(one, Look):
            return self.shows(one)
        if isinstance(one, Change):
            return False
        verdicts = self.judge(one.entries, one.at)
        if isinstance(one.answer, Left):
            return not any(map(_new, verdicts))
        return verdicts == one.answer

    def shows(self, look: Look) -> bool:
        if look.head != self.journal.head:
            return False
        if any(self.journal.accounts.get(account.id) != account for account in look.accounts):
            return False
        if look.page is not None:
            account, before, limit, page = look.page
            lines = self.lines[account][: before - 1 if before is not None else None]
            if tuple(lines[: -limit - 1 : -1]) != page:
                return False
        if look.stood is not None:
            account, moment, stood = look.stood
            lines = self.lines[account]
            number = bisect_right(lines, moment, key=lambda line: line.posted_at)
            return stood == (lines[number - 1].balance if number else ZERO)
        return True


@dataclass(slots=True)
class _Window:
    """The states an operation can have met: from `first` to `last`, counted in steps."""

    first: int
    last: int


class _Check:
    """One history being checked."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.stored: dict[UUID, list[PostedTransfer]] = defaultdict(list)
        for row in history.rows:
            self.stored[row.entry_id].append(row)
        self.steps: list[Post | Change] = []
        self.place: dict[int, int] = {}  # an operation's number in the line, by its identity
        self.entry_place: dict[UUID, int] = {}
        self.proved: dict[int, int] = {}  # what had happened at the latest when it was answered
        self.bound: dict[int, int] = {}  # what can have happened at most
        self.windows: dict[int, _Window] = {}

    def all(self) -> Iterator[str]:
        yield from self.numbers()
        yield from self.line_up()
        self.see_windows()
        yield from self.real_time()
        yield from self.replay()

    def numbers(self) -> Iterator[str]:
        """Rows are numbered without gaps, and each entry's stand together."""
        for number, row in enumerate(self.history.rows, start=1):
            if row.seq != number:
                yield f"transfer {row.seq} stands where {number} should"
                break
        for id, rows in self.stored.items():
            if [row.position for row in rows] != list(range(1, len(rows) + 1)):
                yield f"entry {id} is in the journal in pieces, or twice"
            if rows[-1].seq - rows[0].seq != len(rows) - 1:
                yield f"something stands between the transfers of entry {id}"

    def line_up(self) -> Iterator[str]:
        """The steps in their order: what was posted by its number, changes in between."""
        moved: dict[UUID, Post] = {}
        for one in self.history.operations:
            if isinstance(one, Post) and not isinstance(one.answer, Left):
                yield from self.claims(one, moved)
        self.adopt(moved)
        for id in self.stored:
            if id not in moved:
                yield f"entry {id} is in the journal, and nobody was told so or asked for it"
        first: dict[int, tuple[int, int, int]] = {}
        found: dict[int, Post | Change] = {}
        for id, owner in moved.items():
            seq = self.stored[id][0].seq
            first[_key(owner)] = min(first.get(_key(owner), (seq, 0, 0)), (seq, 0, 0))
            found[_key(owner)] = owner
        for one in self.history.operations:
            if isinstance(one, Change):
                first[_key(one)], found[_key(one)] = (one.seq, 1, one.held), one
        self.steps = [found[key] for key in sorted(found, key=lambda key: first[key])]
        self.place = {_key(one): number for number, one in enumerate(self.steps, start=1)}
        self.entry_place = {id: self.place[_key(one)] for id, one in moved.items()}

    def claims(self, one: Post, moved: dict[UUID, Post]) -> Iterator[str]:
        """Each entry was posted for one caller, and is there."""
        assert not isinstance(one.answer, Left)
        if [verdict.entry_id for verdict in one.answer] != _ids(one):
            yield f"{_name(one)} was given the answers of others"
            return
        for verdict in one.answer:
            if not isinstance(verdict, Posted):
                continue
            if verdict.entry_id not in self.stored:
                yield f"entry {verdict.entry_id} was acknowledged, and is not in the journal"
            elif not verdict.replayed:
                if verdict.entry_id in moved:
                    yield f"two were told that entry {verdict.entry_id} was posted just now"
                moved[verdict.entry_id] = one

    def adopt(self, moved: dict[UUID, Post]) -> None:
        """What nobody was told of was posted for someone who did not hear the answer."""
        for one in sorted(self.history.operations, key=lambda one: one.began):
            if not isinstance(one, Post) or one.answer not in (Left.GONE, Left.UNKNOWN):
                continue
            for entry in one.entries:
                rows = self.stored.get(entry.id)
                if rows and entry.id not in moved and _is(entry, rows):
                    moved[entry.id] = one

    def see_windows(self) -> None:
        """From what others were told before and after, which states each can have met."""
        of_seq = self.states_by_seq()
        for one in self.history.operations:
            key = _key(one)
            self.proved[key], self.bound[key] = 0, len(self.steps)
            if key in self.place:
                self.proved[key] = self.place[key]
                self.bound[key] = self.place[key] - 1
            elif isinstance(one, Look):
                self.proved[key], self.bound[key] = of_seq.get(one.head.seq, (len(self.steps), 0))
            elif not isinstance(one, Change) and not isinstance(one.answer, Left):
                known = [self.entry_place.get(v.entry_id, 0) for v in one.answer if _posted(v)]
                self.proved[key] = max(known, default=0)
        self.sweep()

    def states_by_seq(self) -> dict[int, tuple[int, int]]:
        """The states in which the journal ended with a number: the first and the last of them."""
        spans: dict[int, tuple[int, int]] = {0: (0, 0)}
        seq = 0
        for number, one in enumerate(self.steps, start=1):
            if isinstance(one, Post):
                own = [row.seq for id in _ids(one) for row in self.own_rows(id, number)]
                seq = max([seq, *own])
            spans[seq] = (spans.get(seq, (number, 0))[0], number)
        return spans

    def own_rows(self, id: UUID, number: int) -> Sequence[PostedTransfer]:
        return self.stored[id] if self.entry_place.get(id) == number else ()

    def sweep(self) -> None:
        operations = self.history.operations
        over = {_key(one): _end(one) for one in operations}
        by_begin = sorted(operations, key=lambda one: one.began)
        by_end = sorted(operations, key=lambda one: over[_key(one)])
        waiting, proved = iter(by_end), 0
        ended = next(waiting, None)
        for one in by_begin:
            while ended is not None and over[_key(ended)] < one.began:
                proved = max(proved, self.proved[_key(ended)])
                ended = next(waiting, None)
            self.windows[_key(one)] = _Window(proved, len(self.steps))
        starting, bound = iter(reversed(by_begin)), len(self.steps)
        begun = next(starting, None)
        for one in reversed(by_end):
            while begun is not None and begun.began > over[_key(one)]:
                bound = min(bound, self.bound[_key(begun)])
                begun = next(starting, None)
            self.windows[_key(one)].last = bound

    def real_time(self) -> Iterator[str]:
        """Nobody was overtaken by one who asked after they were answered."""
        for one in self.steps:
            window = self.windows[_key(one)]
            if self.place[_key(one)] <= window.first:
                yield f"{_name(one)} came too early: others had seen later steps before"

    def replay(self) -> Iterator[str]:
        """Every step through the model; whoever stands nowhere is explained on the way."""
        history = self.history
        book = _Book(Journal.open(history.community, history.opened_at))
        for account, floor in history.floors.items():
            book.journal.open_account(account, floor)
        floating = _Floating(self.floats())
        floating.look(book, 0, None)
        ats = {one.at for one in history.operations if isinstance(one, Post)}
        for number, step in enumerate(self.steps, start=1):
            wrong = self.take(book, number, step, ats)
            if wrong:
                yield wrong
                return  # whatever comes after follows from it
            floating.look(book, number, step)
        yield from floating.unexplained()
        if book.journal.transfers != list(history.rows):
            yield "the journal is not what the steps leave behind"
        if book.journal.accounts != dict(history.accounts):
            yield "the accounts do not stand where the steps leave them"
        if book.journal.head != history.head:
            yield "the head is not where the steps leave it"

    def floats(self) -> Iterator[tuple[Operation, _Window]]:
        """Whoever has no place in the line, with the states that may explain what they saw."""
        for one in self.history.operations:
            key = _key(one)
            if key in self.place:
                continue
            if isinstance(one, Post) and one.answer in (Left.UNKNOWN, Left.BUSY):
                continue  # they were told nothing that could be wrong; what is there was adopted
            window = self.windows[key]
            if isinstance(one, Look):
                first, last = max(window.first, self.proved[key]), min(window.last, self.bound[key])
                window = _Window(first, last)
            yield one, window

    def take(self, book: _Book, number: int, step: Post | Change, ats: set[datetime]) -> str:
        """One step of the line; what is wrong with it, or nothing."""
        if isinstance(step, Change):
            if book.journal.head.seq != step.seq:
                return f"{_name(step)} saw a posting in pieces at {step.seq}"
            book.change(step)
            return ""
        own = [id for id in _ids(step) if self.entry_place.get(id) == number]
        posted_at = self.stored[own[0]][0].posted_at
        if posted_at not in ats:
            return f"{_name(step)} was posted at {posted_at}, which nobody said"
        verdicts = book.post(step.entries, posted_at)
        if isinstance(step.answer, Left):
            wrong = any(isinstance(v, Refused) and v.entry_id in own for v in verdicts)
        else:
            wrong = verdicts != step.answer
        if wrong:
            return f"{_name(step)} was told {step.answer}, and the model says {verdicts}"
        for verdict in verdicts:
            if (
                isinstance(verdict, Posted)
                and not verdict.replayed
                and verdict.transfers != tuple(self.stored[verdict.entry_id])
            ):
                return f"entry {verdict.entry_id} is in the journal otherwise than the model has it"
        return ""


class _Floating:
    """Those who stand nowhere in the line, until a state explains them."""

    def __init__(self, found: Iterable[tuple[Operation, _Window]]) -> None:
        self.open: dict[int, tuple[Operation, _Window]] = {}
        self.starting: dict[int, list[int]] = defaultdict(list)
        self.about: dict[UUID, set[int]] = defaultdict(set)
        for one, window in found:
            self.open[_key(one)] = one, window
            self.starting[window.first].append(_key(one))

    def look(self, book: _Book, number: int, step: Operation | None) -> None:
        """Try those whose window begins here, and those whom the step may have changed."""
        trying = set(self.starting.pop(number, ()))
        for key in trying:
            for id in _touched(self.open[key][0]):
                self.about[id].add(key)
        if step is not None:
            for id in _touched(step):
                trying |= self.about.get(id, set())
        for key in trying:
            one, window = self.open[key]
            explained = number <= window.last and book.explains(one)
            if explained or number > window.last:
                for id in _touched(one):
                    self.about[id].discard(key)
            if explained:
                del self.open[key]

    def unexplained(self) -> Iterator[str]:
        for one, window in self.open.values():
            seen = one.head.seq if isinstance(one, Look) else getattr(one, "answer", "")
            yield (
                f"{_name(one)} saw {seen}, and no state explains it "
                f"from step {window.first} to {window.last}"
            )


def _key(one: Operation) -> int:
    return id(one)


def _end(one: Operation) -> float:
    """When it was over; for one without an answer, never."""
    return float("inf") if isinstance(one, Post) and isinstance(one.answer, Left) else one.ended


def _ids(one: Post) -> list[UUID]:
    return [entry.id for entry in one.entries]


def _touched(one: Operation) -> set[UUID]:
    """What an operation depends on, and what it may change: entries and accounts."""
    if isinstance(one, Change):
        return {one.account}
    if isinstance(one, Look):
        return {account.id for account in one.accounts}
    ids = {id for entry in one.entries for id in (entry.id, entry.reverses) if id is not None}
    transfers = [transfer for entry in one.entries for transfer in entry.transfers]
    return ids | {id for move in transfers for id in (move.source, move.destination)}


def _is(entry: JournalEntry, rows: Sequence[PostedTransfer]) -> bool:
    """Whether these rows are that entry."""
    return (
        entry.transfers == tuple(row.transfer for row in rows)
        and entry.commitment == rows[0].commitment
        and entry.occurred_on == rows[0].occurred_on
        and entry.reverses == rows[0].reverses_id
    )


def _posted(verdict: Verdict) -> bool:
    return isinstance(verdict, Posted)


def _new(verdict: Verdict) -> bool:
    return isinstance(verdict, Posted) and not verdict.replayed


def _name(one: Operation) -> str:
    about = f" of {one.entries[0].id}" if isinstance(one, Post) and one.entries else ""
    return f"client {one.client}'s {type(one).__name__.lower()}{about}"
