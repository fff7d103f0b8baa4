"""Proving the books: every row re-hashed, every line and balance re-added, on a path of its own.

It trusts nothing that posting computed and shares no arithmetic with it. Rows are fed in the order
of their numbers, as plain tuples: a million of them are to be proved while somebody waits. Memory
grows with the number of accounts and reversals, not with the length of the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from ledger import chain
from ledger.account import Account
from ledger.journal import Head
from ledger.minutes import Minutes
from ledger.transfer import PostedTransfer

_FACTS = Struct(">I24sIqI16sIqI32sI16sIqI16sI16sIqI10sIqIqIqIqIq").pack
_LENGTH = Struct(">I").pack

MOST_FINDINGS = 100
"""So many findings are kept; the others are only counted."""

SHORTEST_ANCHOR = 8
"""So many bytes of a hash an anchor holds at least: nobody finds other books that begin alike."""


class Row(NamedTuple):
    """A row of the journal: a `PostedTransfer` of plain values.

    Ids are their bytes, minutes and balances are numbers, the day is ISO 8601 text in ASCII, the
    moment is microseconds since 1970 in UTC.
    """

    community_id: bytes
    seq: int
    entry_id: bytes
    position: int
    source_id: bytes
    destination_id: bytes
    minutes: int
    occurred_on: bytes
    posted_at: int
    source_line: int
    source_balance: int
    destination_line: int
    destination_balance: int
    reverses_id: bytes | None
    commitment: bytes
    previous: bytes
    hash: bytes

    @property
    def shared(self) -> tuple[object, ...]:
        """What all rows of one entry have in common."""
        return self.entry_id, self.occurred_on, self.posted_at, self.reverses_id, self.commitment


class FindingKind(StrEnum):
    """What can be wrong with the books."""

    GAP = "gap"
    TOO_MANY = "too_many"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    LINK_BROKEN = "link_broken"
    ROW_CHANGED = "row_changed"
    TIME_BACKWARDS = "time_backwards"
    NO_MOVE = "no_move"
    ENTRY_TORN = "entry_torn"
    WRONG_LINE = "wrong_line"
    WRONG_BALANCE_LEFT = "wrong_balance_left"
    REVERSAL_WRONG = "reversal_wrong"
    REVERSED_TWICE = "reversed_twice"
    STRANGE_ACCOUNT = "strange_account"
    ACCOUNT_BALANCE = "account_balance"
    ACCOUNT_LINES = "account_lines"
    NOT_ZERO = "not_zero"
    HEAD_DIFFERS = "head_differs"
    ANCHOR_DIFFERS = "anchor_differs"
    ANCHOR_AHEAD = "anchor_ahead"


_SENTENCES = {
    FindingKind.GAP: "transfer {seq} is missing",
    FindingKind.TOO_MANY: "{stored} transfers are stored, {expected} are numbered",
    FindingKind.UNREADABLE: "transfer {seq} cannot be read",
    FindingKind.FOREIGN: "transfer {seq} belongs to another community",
    FindingKind.LINK_BROKEN: "transfer {seq} does not follow on from the one before it",
    FindingKind.ROW_CHANGED: "transfer {seq} is not what was posted",
    FindingKind.TIME_BACKWARDS: "transfer {seq} was posted before the one before it",
    FindingKind.NO_MOVE: "transfer {seq} moves nothing from one account to another",
    FindingKind.ENTRY_TORN: "transfer {seq} is not in its place in its entry",
    FindingKind.WRONG_LINE: (
        "transfer {seq} is line {stored} of account {account}, and should be line {expected}"
    ),
    FindingKind.WRONG_BALANCE_LEFT: (
        "transfer {seq} leaves account {account} at {stored}, and should leave it at {expected}"
    ),
    FindingKind.REVERSAL_WRONG: "transfer {seq} does not move back what it says it reverses",
    FindingKind.REVERSED_TWICE: "transfer {seq} reverses what was reversed before",
    FindingKind.STRANGE_ACCOUNT: "account {account} has lines and is not in the book",
    FindingKind.ACCOUNT_BALANCE: (
        "account {account} stands at {stored}, and its lines add up to {expected}"
    ),
    FindingKind.ACCOUNT_LINES: "account {account} counts {stored} lines, and has {expected}",
    FindingKind.NOT_ZERO: "all balances together are {stored}, and should be {expected}",
    FindingKind.HEAD_DIFFERS: "the journal ends at {expected}, and its head says {stored}",
    FindingKind.ANCHOR_DIFFERS: (
        "transfer {seq} is not the one that was noted earlier: "
        "the journal was written anew from there, or from before"
    ),
    FindingKind.ANCHOR_AHEAD: (
        "transfer {seq} was noted earlier, and the journal ends at {expected}: its end was cut off"
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what is stored, and what should be. `str` is a sentence of it."""

    kind: FindingKind
    seq: int | None = None
    account: UUID | None = None
    stored: str = ""
    expected: str = ""

    def __str__(self) -> str:
        return _SENTENCES[self.kind].format(
            seq=self.seq, account=self.account, stored=self.stored, expected=self.expected
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What was proved: up to which transfer and hash, over how much, and what was found.

    `findings` holds the first `MOST_FINDINGS`, `found` counts all. `below_floor` are the accounts
    under their hard floor now: by an override, or because the floor was raised; nothing is wrong
    with that.
    """

    community: UUID
    seq: int
    hash: bytes
    transfers: int
    accounts: int
    findings: tuple[Finding, ...]
    found: int
    below_floor: tuple[UUID, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return self.found == 0


class Proof:
    """The running proof of one community's books.

    Feed `transfer` the whole journal in order, `reversal` each of `reversals` with what it
    reverses, `account` every account, then ask for the `report`. `anchors` are numbers and hashes
    noted earlier, elsewhere: they alone show a journal cut off at the end or computed anew. Of a
    hash, at least `SHORTEST_ANCHOR` bytes from its beginning have to be there (else `ValueError`).
    """

    def __init__(self, community: UUID, anchors: Iterable[tuple[int, bytes]] = ()) -> None:
        self.community = community
        self._community = community.bytes
        self.reversals: list[tuple[Row, ...]] = []
        self.transfers = 0
        self.seq = 0
        self._hash = chain.genesis(community)
        self._at: int | None = None
        self._anchors: dict[int, list[bytes]] = {}
        for seq, hash in anchors:
            if not SHORTEST_ANCHOR <= len(hash) <= 32:
                raise ValueError("an anchor holds at least eight bytes of a hash")
            self._anchors.setdefault(seq, []).append(hash)
        self._findings: list[Finding] = []
        self._found = 0
        self._entry: list[Row] = []
        self._reversed: set[bytes] = set()
        self._books: dict[bytes, tuple[int, int]] = {}  # balance and lines, re-added
        self._accounts = 0
        self._total = 0
        self._below: list[UUID] = []
        self._check_anchor(0, self._hash)

    def transfer(self, row: Row) -> None:
        """Take the next row of the journal."""
        self.transfers += 1
        self._check_link(row)
        self._check_place(row)
        minutes = row.minutes
        if minutes <= 0 or row.source_id == row.destination_id:
            self.note(FindingKind.NO_MOVE, row.seq)
        self._check_side(row.seq, row.source_id, row.source_line, row.source_balance, -minutes)
        self._check_side(
            row.seq, row.destination_id, row.destination_line, row.destination_balance, minutes
        )
        self.seq, self._at, self._hash = row.seq, row.posted_at, row.hash

    def reversal(self, rows: Sequence[Row], original: Sequence[Row]) -> None:
        """Compare a reversal with all rows of the entry it names (none: it is not there)."""
        moved = [(row.source_id, row.destination_id, row.minutes) for row in rows]
        back = [(row.destination_id, row.source_id, row.minutes) for row in reversed(original)]
        if not original or moved != back or original[0].seq >= rows[0].seq:
            self.note(FindingKind.REVERSAL_WRONG, rows[0].seq)

    def account(self, account: Account) -> None:
        """Take one account as it is stored."""
        balance, lines = self._books.pop(account.id.bytes, (0, 0))
        self._accounts += 1
        self._total += account.balance.count
        if account.balance.count != balance:
            self.note(
                FindingKind.ACCOUNT_BALANCE,
                account=account.id,
                stored=str(account.balance),
                expected=str(Minutes(balance)),
            )
        if account.lines != lines:
            self.note(
                FindingKind.ACCOUNT_LINES,
                account=account.id,
                stored=str(account.lines),
                expected=str(lines),
            )
        if account.floor is not None and account.balance < account.floor:
            self._below.append(account.id)

    def report(self, head: Head, stored_transfers: int) -> Report:
        """The outcome, given the stored head and how many transfers the store says it holds."""
        self.entry_ends()
        for id in sorted(self._books):  # those that no account claimed
            self.note(FindingKind.STRANGE_ACCOUNT, account=_named(id))
        if self._total != 0:
            self.note(FindingKind.NOT_ZERO, stored=str(Minutes(self._total)), expected="0:00")
        if stored_transfers != self.transfers:
            self.note(
                FindingKind.TOO_MANY, stored=str(stored_transfers), expected=str(self.transfers)
            )
        self._check_head(head)
        for seq in sorted(self._anchors):
            ahead = FindingKind.ANCHOR_AHEAD if seq > self.seq else FindingKind.ANCHOR_DIFFERS
            self.note(ahead, seq, expected=str(self.seq))
        return Report(
            self.community,
            self.seq,
            self._hash,
            self.transfers,
            self._accounts,
            tuple(self._findings),
            self._found,
            tuple(self._below),
        )

    def entry_ends(self) -> None:
        """The entry at hand is complete: no more of its rows follow."""
        if self._entry:
            first = self._entry[0]
            reverses = first.reverses_id
            if reverses is not None:
                if reverses in self._reversed:
                    self.note(FindingKind.REVERSED_TWICE, first.seq)
                self._reversed.add(reverses)
                self.reversals.append(tuple(self._entry))
            self._entry = []

    def note(
        self,
        kind: FindingKind,
        seq: int | None = None,
        *,
        account: UUID | None = None,
        stored: str = "",
        expected: str = "",
    ) -> None:
        """Keep a finding, or only count it when there are too many."""
        self._found += 1
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(Finding(kind, seq, account, stored, expected))

    def _check_link(self, row: Row) -> None:
        """Number, time and hash follow on from the row before, and the hash is the row's own."""
        seq, at, hash = row.seq, row.posted_at, row.hash
        if row.community_id != self._community:
            self.note(FindingKind.FOREIGN, seq)
        if seq != self.seq + 1:
            self.note(FindingKind.GAP, self.seq + 1)
        if row.previous != self._hash:
            self.note(FindingKind.LINK_BROKEN, seq)
        if not _is_readable(row):
            self.note(FindingKind.UNREADABLE, seq)
        elif hash != digest(row):
            self.note(FindingKind.ROW_CHANGED, seq)
        if self._at is not None and at < self._at:
            self.note(FindingKind.TIME_BACKWARDS, seq)
        if seq in self._anchors:
            self._check_anchor(seq, hash)

    def _check_anchor(self, seq: int, hash: bytes) -> None:
        if not all(hash.startswith(noted) for noted in self._anchors.pop(seq, ())):
            self.note(FindingKind.ANCHOR_DIFFERS, seq)

    def _check_place(self, row: Row) -> None:
        """Rows of an entry stand together, counted from 1, and agree on what they share."""
        if self._entry and row.entry_id != self._entry[0].entry_id:
            self.entry_ends()
        if row.position != len(self._entry) + 1 or (
            self._entry and row.shared != self._entry[0].shared
        ):
            self.note(FindingKind.ENTRY_TORN, row.seq)
        self._entry.append(row)

    def _check_side(self, seq: int, account: bytes, line: int, left: int, minutes: int) -> None:
        """Line number and balance of one side follow on from the account's line before."""
        balance, lines = self._books.get(account, (0, 0))
        balance, lines = balance + minutes, lines + 1
        self._books[account] = balance, lines
        if line != lines:
            self.note(
                FindingKind.WRONG_LINE,
                seq,
                account=_named(account),
                stored=str(line),
                expected=str(lines),
            )
        if left != balance:
            self.note(
                FindingKind.WRONG_BALANCE_LEFT,
                seq,
                account=_named(account),
                stored=str(Minutes(left)),
                expected=str(Minutes(balance)),
            )

    def _check_head(self, head: Head) -> None:
        moved = self._at is not None and chain.microseconds(head.posted_at) != self._at
        if (head.seq, head.hash) != (self.seq, self._hash) or moved:
            self.note(
                FindingKind.HEAD_DIFFERS,
                stored=f"{head.seq} ({head.hash.hex()[:12]})",
                expected=f"{self.seq} ({self._hash.hex()[:12]})",
            )


def prove(
    community: UUID,
    transfers: Iterable[PostedTransfer],
    accounts: Iterable[Account],
    head: Head,
    anchors: Iterable[tuple[int, bytes]] = (),
) -> Report:
    """Prove books that are held in memory."""
    proof, entries = Proof(community, anchors), dict[bytes, list[Row]]()
    for row in map(row_of, transfers):
        proof.transfer(row)
        entries.setdefault(row.entry_id, []).append(row)
    proof.entry_ends()
    check_reversals(proof, entries)
    for account in accounts:
        proof.account(account)
    return proof.report(head, proof.transfers)


def check_reversals(proof: Proof, originals: Mapping[bytes, Sequence[Row]]) -> None:
    """Compare the reversals met so far with what they name, and let go of them."""
    for rows in proof.reversals:
        reverses = rows[0].reverses_id
        proof.reversal(rows, originals.get(reverses, ()) if reverses else ())
    proof.reversals.clear()


def row_of(posted: PostedTransfer) -> Row:
    """A transfer that is held in memory, as a plain row."""
    return Row(
        posted.community_id.bytes,
        posted.seq,
        posted.entry_id.bytes,
        posted.position,
        posted.source_id.bytes,
        posted.destination_id.bytes,
        posted.minutes.count,
        posted.occurred_on.isoformat().encode("ascii"),
        chain.microseconds(posted.posted_at),
        posted.source_line,
        posted.source_balance.count,
        posted.destination_line,
        posted.destination_balance.count,
        posted.reverses_id.bytes if posted.reverses_id is not None else None,
        posted.commitment,
        posted.previous,
        posted.hash,
    )


def digest(row: Row) -> bytes:
    """The hash a row should carry, from the description in `ledger.chain`, not the code there."""
    facts = _FACTS(
        *(24, b"timebank.ledger.transfer", 8, 1, 16, row.community_id, 8, row.seq),
        *(32, row.previous, 16, row.entry_id, 8, row.position, 16, row.source_id),
        *(16, row.destination_id, 8, row.minutes, 10, row.occurred_on, 8, row.posted_at),
        *(8, row.source_line, 8, row.source_balance),
        *(8, row.destination_line, 8, row.destination_balance),
    )
    reverses = row.reverses_id or b""
    tail = (_LENGTH(len(reverses)), reverses, _LENGTH(len(row.commitment)), row.commitment)
    return sha256(b"".join((facts, *tail))).digest()


def _is_readable(row: Row) -> bool:
    """Whether ids are ids and the day is a day: SQLite keeps whatever was put there by hand."""
    return len(row.entry_id) == len(row.source_id) == len(row.destination_id) == 16 and _is_day(
        row.occurred_on
    )


@lru_cache(4096)
def _is_day(text: bytes) -> bool:
    try:
        return date.fromisoformat(text.decode("ascii")).isoformat().encode("ascii") == text
    except ValueError:
        return False


def _named(id: bytes) -> UUID | None:
    return UUID(bytes=id) if len(id) == 16 else None
