"""Proving the books: every row re-hashed, every line and balance re-added, on a path of its own.

It trusts nothing that posting computed. Rows are fed in the order of their numbers, one at a time;
memory grows with the number of accounts and reversals, not with the length of the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from ledger import chain
from ledger.account import Account
from ledger.journal import Head
from ledger.minutes import Minutes
from ledger.transfer import PostedTransfer

MOST_FINDINGS = 100
"""So many findings are kept; the others are only counted."""


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


_SENTENCES = {
    FindingKind.GAP: "transfer {seq} is missing",
    FindingKind.TOO_MANY: "{stored} transfers are stored, {expected} are numbered",
    FindingKind.UNREADABLE: "transfer {seq} or one after it cannot be read: {stored}",
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
    FindingKind.ANCHOR_DIFFERS: "transfer {seq} is not the one that was noted earlier",
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
    noted earlier, elsewhere: they alone show a journal cut off at the end or computed anew.
    """

    def __init__(self, community: UUID, anchors: Iterable[tuple[int, bytes]] = ()) -> None:
        self.community = community
        self.reversals: list[tuple[PostedTransfer, ...]] = []
        self._anchors = dict(anchors)
        self._findings: list[Finding] = []
        self._found = 0
        self._last: PostedTransfer | None = None
        self.seq = 0
        self._hash = chain.genesis(community)
        self._transfers = 0
        self._entry: list[PostedTransfer] = []
        self._reversed: set[UUID] = set()
        self._books: dict[UUID, tuple[int, int]] = {}  # balance and lines, re-added
        self._unclaimed: set[UUID] = set()
        self._accounts = 0
        self._total = 0
        self._below: list[UUID] = []
        self._check_anchor(0, self._hash)

    def transfer(self, row: PostedTransfer) -> None:
        """Take the next row of the journal."""
        self._transfers += 1
        self._check_link(row)
        self._check_place(row)
        minutes = row.minutes.count
        if minutes <= 0 or row.source_id == row.destination_id:
            self.note(FindingKind.NO_MOVE, row.seq)
        self._check_side(row, row.source_id, row.source_line, row.source_balance, -minutes)
        self._check_side(
            row, row.destination_id, row.destination_line, row.destination_balance, minutes
        )
        self._last, self.seq, self._hash = row, row.seq, row.hash

    def reversal(
        self, rows: tuple[PostedTransfer, ...], original: tuple[PostedTransfer, ...]
    ) -> None:
        """Compare a reversal with all rows of the entry it names (none: it is not there)."""
        moved = [(row.source_id, row.destination_id, row.minutes) for row in rows]
        back = [(row.destination_id, row.source_id, row.minutes) for row in reversed(original)]
        if not original or moved != back or original[0].seq >= rows[0].seq:
            self.note(FindingKind.REVERSAL_WRONG, rows[0].seq)

    def account(self, account: Account) -> None:
        """Take one account as it is stored."""
        balance, lines = self._books.get(account.id, (0, 0))
        self._unclaimed.discard(account.id)
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
        for id in sorted(self._unclaimed):
            self.note(FindingKind.STRANGE_ACCOUNT, account=id)
        if self._total != 0:
            self.note(FindingKind.NOT_ZERO, stored=str(Minutes(self._total)), expected="0:00")
        if stored_transfers != self._transfers:
            self.note(
                FindingKind.TOO_MANY, stored=str(stored_transfers), expected=str(self._transfers)
            )
        self._check_head(head)
        for seq in sorted(self._anchors):
            self.note(FindingKind.ANCHOR_DIFFERS, seq)
        return Report(
            self.community,
            self.seq,
            self._hash,
            self._transfers,
            self._accounts,
            tuple(self._findings),
            self._found,
            tuple(self._below),
        )

    def entry_ends(self) -> None:
        """The entry at hand is complete: no more of its rows follow."""
        if self._entry and self._entry[0].reverses_id is not None:
            if self._entry[0].reverses_id in self._reversed:
                self.note(FindingKind.REVERSED_TWICE, self._entry[0].seq)
            self._reversed.add(self._entry[0].reverses_id)
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

    def _check_link(self, row: PostedTransfer) -> None:
        """Number, time and hash follow on from the row before, and the hash is the row's own."""
        if row.community_id != self.community:
            self.note(FindingKind.FOREIGN, row.seq)
        if row.seq != self.seq + 1:
            self.note(FindingKind.GAP, self.seq + 1)
        if row.previous != self._hash:
            self.note(FindingKind.LINK_BROKEN, row.seq)
        if row.hash != chain.digest(row):
            self.note(FindingKind.ROW_CHANGED, row.seq)
        if self._last is not None and row.posted_at < self._last.posted_at:
            self.note(FindingKind.TIME_BACKWARDS, row.seq)
        self._check_anchor(row.seq, row.hash)

    def _check_anchor(self, seq: int, hash: bytes) -> None:
        if self._anchors.pop(seq, hash) != hash:
            self.note(FindingKind.ANCHOR_DIFFERS, seq)

    def _check_place(self, row: PostedTransfer) -> None:
        """Rows of an entry stand together, counted from 1, and agree on what they share."""
        if self._entry and row.entry_id != self._entry[0].entry_id:
            self.entry_ends()
        if row.position != len(self._entry) + 1 or (
            self._entry and _shared(row) != _shared(self._entry[0])
        ):
            self.note(FindingKind.ENTRY_TORN, row.seq)
        self._entry.append(row)

    def _check_side(
        self, row: PostedTransfer, account: UUID, line: int, left: Minutes, minutes: int
    ) -> None:
        """Line number and balance of one side follow on from the account's line before."""
        balance, lines = self._books.get(account, (0, 0))
        balance, lines = balance + minutes, lines + 1
        self._books[account] = balance, lines
        self._unclaimed.add(account)
        if line != lines:
            self.note(
                FindingKind.WRONG_LINE,
                row.seq,
                account=account,
                stored=str(line),
                expected=str(lines),
            )
        if left.count != balance:
            self.note(
                FindingKind.WRONG_BALANCE_LEFT,
                row.seq,
                account=account,
                stored=str(left),
                expected=str(Minutes(balance)),
            )

    def _check_head(self, head: Head) -> None:
        early = self._last is not None and head.posted_at != self._last.posted_at
        if (head.seq, head.hash) != (self.seq, self._hash) or early:
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
    proof, entries = Proof(community, anchors), dict[UUID, list[PostedTransfer]]()
    for row in transfers:
        proof.transfer(row)
        entries.setdefault(row.entry_id, []).append(row)
    proof.entry_ends()
    check_reversals(proof, {id: tuple(rows) for id, rows in entries.items()})
    for account in accounts:
        proof.account(account)
    return proof.report(head, sum(map(len, entries.values())))


def check_reversals(proof: Proof, originals: Mapping[UUID, tuple[PostedTransfer, ...]]) -> None:
    """Compare the reversals met so far with what they name, and let go of them."""
    for rows in proof.reversals:
        reverses = rows[0].reverses_id
        proof.reversal(rows, originals.get(reverses, ()) if reverses else ())
    proof.reversals.clear()


def _shared(row: PostedTransfer) -> tuple[object, ...]:
    """What all rows of one entry have in common."""
    return row.entry_id, row.occurred_on, row.posted_at, row.reverses_id, row.commitment
