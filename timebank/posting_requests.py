"""What is asked of the door, and what it answers: a verdict for each request.

`timebank.posting` does what is asked, and says what else it promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias
from uuid import UUID

from ledger import LedgerError, Minutes
from timebank.entry import Kind, NewEntry
from timebank.errors import TimebankError


@dataclass(frozen=True, slots=True)
class Approve:
    """Post an entry, because coordinator `by` says so.

    A disputed entry needs words, and so does `override`, which lets it pass hard floors.
    """

    community: UUID
    entry_id: UUID
    by: UUID
    words: str = ""
    override: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """Move the minutes of a posted entry back, for a reason that everyone concerned can read."""

    community: UUID
    entry_id: UUID
    by: UUID
    reason: str
    override: bool = False


@dataclass(frozen=True, slots=True)
class Correct:
    """Undo a posted entry and write `new` down in its place, under the id `new_id`: both or none.

    The new one waits like any other. See `timebank.corrections`.
    """

    community: UUID
    entry_id: UUID
    by: UUID
    reason: str
    new: NewEntry
    new_id: UUID
    override: bool = False


@dataclass(frozen=True, slots=True)
class BringIn:
    """Write down and post at once what happened before: one line of a file, by steward `by`.

    One gave, one received. It is not held to the rule of own gain (docs/decisions/0030), nor to
    hard floors if `override`; and nobody is told of each single one. See `post_in`.
    """

    community: UUID
    entry_id: UUID
    by: UUID
    kind: Kind
    giver: UUID
    receiver: UUID
    minutes: Minutes
    occurred_on: date
    note: str
    category_id: UUID | None = None
    override: bool = True


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Undo one line of a file, as part of undoing all of it: passes floors, and nobody is told."""

    community: UUID
    entry_id: UUID
    by: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class PostAgreed:
    """Post an entry that the agreement lets through without a coordinator."""

    community: UUID
    entry_id: UUID


Request: TypeAlias = Approve | Undo | Correct | PostAgreed | BringIn | TakeBack


@dataclass(frozen=True, slots=True)
class Done:
    """It is in the journal, with so many transfers. `replayed`: it was there before."""

    entry_id: UUID
    transfers: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """It was refused, and nothing of it was written."""

    entry_id: UUID
    error: TimebankError | LedgerError


Verdict: TypeAlias = Done | Refused
