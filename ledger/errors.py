"""What the ledger refuses, each refusal carrying the facts of it.

    LedgerError
    ├── NotMinutes              a text that is no amount of time, and why
    ├── NoJournal               the community has no journal here
    ├── Refusal                 an entry that is not posted; it left no trace
    │   ├── NotPositive         a transfer moves at least one minute
    │   ├── TooMuch             a transfer moves at most `MAX` minutes
    │   ├── SameAccount         source and destination are one
    │   ├── NoTransfers         an entry moves something
    │   ├── UnknownAccount      no such account in this community
    │   ├── AccountClosed       a closed account neither gives nor takes
    │   ├── FloorReached        the source would sink below its floor
    │   ├── AlreadyReversed     an entry is reversed once at most
    │   ├── NotPosted           what is to be reversed is not in the journal
    │   ├── ReversalDiffers     a reversal moves exactly the same minutes back
    │   └── KeyReused           the entry id is taken by an entry with other content
    ├── Busy                    too many wait; nothing was written
    ├── Unknown                 the connection broke: written or not, nobody knows yet
    └── BrokenBooks             what is stored does not add up; nobody should go on

`str(error)` is an English sentence for the command line. Pages use the facts and say it in the
reader's language.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from ledger.minutes import Minutes


class LedgerError(Exception):
    """Anything the ledger refuses. Nothing was changed, except perhaps with `Unknown`."""


class NotMinutesReason(StrEnum):
    """Why a text is no amount of time."""

    EMPTY = "empty"
    AMBIGUOUS = "ambiguous"  # a bare number: hours or minutes?
    SIGNED = "signed"  # direction is said by source and destination, never by a sign
    PAST_THE_HOUR = "past_the_hour"  # 1:75
    NOT_WHOLE = "not_whole"  # 1.33 h is no whole number of minutes
    TOO_MUCH = "too_much"
    NOT_UNDERSTOOD = "not_understood"


_WHY_NOT = {
    NotMinutesReason.EMPTY: "Say how long it took, for example 1:30 or 90 min.",
    NotMinutesReason.AMBIGUOUS: (
        "{text} could be hours or minutes. Write {text} h or {text} min, or 1:30."
    ),
    NotMinutesReason.SIGNED: "Write {text} without a plus or a minus, for example 1:30.",
    NotMinutesReason.PAST_THE_HOUR: (
        "{text} has more than 59 minutes after the hour. Write 1:30, or 90 min."
    ),
    NotMinutesReason.NOT_WHOLE: "{text} is not a whole number of minutes. Write 1:20, or 80 min.",
    NotMinutesReason.TOO_MUCH: "{text} is more than one entry may hold (1666:39).",
    NotMinutesReason.NOT_UNDERSTOOD: (
        "{text} is not a time we understand. Write 1:30, 1h 30m, 90 min or 1.5 h."
    ),
}


@dataclass(unsafe_hash=True)
class NotMinutes(LedgerError):
    """A text that is no amount of time. `reason` says why, for a sentence in any language."""

    text: str
    reason: NotMinutesReason

    def __str__(self) -> str:
        shown = self.text.strip()
        shown = shown if len(shown) <= 40 else shown[:39] + "…"
        return _WHY_NOT[self.reason].format(text=shown)


@dataclass(unsafe_hash=True)
class NoJournal(LedgerError):
    """The community has no journal here: it was never opened."""

    community: UUID

    def __str__(self) -> str:
        return f"Community {self.community} has no journal here."


class Refusal(LedgerError):
    """An entry that was not posted. It left no trace in the journal."""


@dataclass(unsafe_hash=True)
class NotPositive(Refusal):
    """A transfer moves at least one minute."""

    minutes: Minutes

    def __str__(self) -> str:
        return f"A transfer moves at least one minute, not {self.minutes}."


@dataclass(unsafe_hash=True)
class TooMuch(Refusal):
    """A transfer moves at most `ledger.MAX` minutes."""

    minutes: Minutes

    def __str__(self) -> str:
        return f"{self.minutes} is more than one transfer may move."


@dataclass(unsafe_hash=True)
class SameAccount(Refusal):
    """Source and destination are one account."""

    account: UUID

    def __str__(self) -> str:
        return "Hours cannot move from an account to itself."


@dataclass(unsafe_hash=True)
class NoTransfers(Refusal):
    """The entry moves nothing."""

    entry: UUID

    def __str__(self) -> str:
        return "This entry moves no hours."


@dataclass(unsafe_hash=True)
class UnknownAccount(Refusal):
    """There is no such account in this community."""

    account: UUID

    def __str__(self) -> str:
        return f"There is no account {self.account} in this community."


@dataclass(unsafe_hash=True)
class AccountClosed(Refusal):
    """A closed account neither gives nor takes."""

    account: UUID

    def __str__(self) -> str:
        return f"The account {self.account} is closed."


@dataclass(unsafe_hash=True)
class FloorReached(Refusal):
    """Moving `minutes` would take the account, now at `balance`, below its hard `floor`."""

    account: UUID
    floor: Minutes
    balance: Minutes
    minutes: Minutes

    def __str__(self) -> str:
        return (
            f"The account {self.account} stands at {self.balance} and may not go below "
            f"{self.floor}, so it cannot give {self.minutes}."
        )


@dataclass(unsafe_hash=True)
class AlreadyReversed(Refusal):
    """The entry was reversed before, by the entry `by`."""

    entry: UUID
    by: UUID

    def __str__(self) -> str:
        return f"Entry {self.entry} was already undone by {self.by}."


@dataclass(unsafe_hash=True)
class NotPosted(Refusal):
    """What is to be reversed is not in this community's journal."""

    entry: UUID

    def __str__(self) -> str:
        return f"Entry {self.entry} is not in the journal, so it cannot be undone."


@dataclass(unsafe_hash=True)
class ReversalDiffers(Refusal):
    """A reversal moves exactly the same minutes back, last transfer first."""

    entry: UUID
    reverses: UUID

    def __str__(self) -> str:
        return f"Entry {self.entry} does not move back what {self.reverses} moved."


@dataclass(unsafe_hash=True)
class KeyReused(Refusal):
    """The entry id is in the journal already, with other content."""

    entry: UUID

    def __str__(self) -> str:
        return f"Entry {self.entry} was posted before with other content."


class Busy(LedgerError):
    """Too many wait already. Nothing was written, and nothing will be: try again later."""

    def __str__(self) -> str:
        return "A lot is going on just now. Nothing was recorded; please try again."


class Unknown(LedgerError):
    """The connection to the database broke, and whether this was written nobody can say yet.

    Asking again under the same id answers it, and never doubles anything.
    """

    def __str__(self) -> str:
        return "We do not know yet whether this was recorded. We are checking; look again soon."


@dataclass(unsafe_hash=True)
class BrokenBooks(LedgerError):
    """What is stored does not add up. The transaction must be rolled back, and somebody look."""

    finding: str

    def __str__(self) -> str:
        return f"The books do not add up: {self.finding}."
