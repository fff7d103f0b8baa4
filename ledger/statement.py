"""A statement: an account's lines in a period, with opening and closing balance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from ledger.errors import BrokenBooks
from ledger.minutes import ZERO, Minutes
from ledger.transfer import PostedTransfer


@dataclass(frozen=True, slots=True)
class Line:
    """One account's side of a transfer.

    `number` counts the account's lines from 1 without gaps, `minutes` is signed (negative: they
    left), `balance` is what the line left behind, `other_id` the account at the other end.
    """

    number: int
    seq: int
    minutes: Minutes
    balance: Minutes
    other_id: UUID
    entry_id: UUID
    occurred_on: date
    posted_at: datetime
    reverses_id: UUID | None

    @classmethod
    def of(cls, row: PostedTransfer, account: UUID) -> Line:
        """The account's side of a posted transfer it takes part in."""
        if account == row.source_id:
            number, minutes, balance = row.source_line, -row.minutes, row.source_balance
            other = row.destination_id
        elif account == row.destination_id:
            number, minutes, balance = row.destination_line, row.minutes, row.destination_balance
            other = row.source_id
        else:
            raise ValueError("the account takes no part in this transfer")
        return cls(
            number,
            row.seq,
            minutes,
            balance,
            other,
            row.entry_id,
            row.occurred_on,
            row.posted_at,
            row.reverses_id,
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines in their order, between the balance before them and the balance after them.

    One that does not add up cannot be made: it raises `BrokenBooks`.
    """

    account_id: UUID
    opening: Minutes
    lines: tuple[Line, ...]
    closing: Minutes

    def __post_init__(self) -> None:
        balance = self.opening
        for line in self.lines:
            balance += line.minutes
            if balance != line.balance:
                raise BrokenBooks(f"line {line.number} of account {self.account_id}")
        if balance != self.closing:
            raise BrokenBooks(f"the closing balance of account {self.account_id}")

    @property
    def came_in(self) -> Minutes:
        """All minutes that came in during the period."""
        return sum((line.minutes for line in self.lines if line.minutes > ZERO), ZERO)

    @property
    def went_out(self) -> Minutes:
        """All minutes that went out during the period, without a sign."""
        return sum((-line.minutes for line in self.lines if line.minutes < ZERO), ZERO)
