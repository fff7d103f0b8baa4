"""A transfer moves minutes from one account to another.

It names a source and a destination instead of carrying a sign, so an unbalanced one cannot be
written down: what it takes from one it gives to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from ledger.minutes import Minutes


@dataclass(frozen=True, slots=True)
class Transfer:
    """Minutes to move from `source` to `destination`."""

    source: UUID
    destination: UUID
    minutes: Minutes

    def reversed(self) -> Transfer:
        """The same minutes, moved back."""
        return Transfer(self.destination, self.source, self.minutes)


@dataclass(frozen=True, slots=True)
class PostedTransfer:
    """A transfer as it stands in the journal, for good.

    `seq` counts a community's transfers from 1 without gaps; `position` counts those of one entry
    from 1. `source_line` and `destination_line` are the numbers this transfer has on the two
    statements, `source_balance` and `destination_balance` what it left behind there. `occurred_on`
    is the day the help happened, `posted_at` (UTC) the moment it was posted. `commitment` stands
    for the words about it, which are kept elsewhere; `previous` and `hash` chain the rows.
    """

    community_id: UUID
    seq: int
    entry_id: UUID
    position: int
    source_id: UUID
    destination_id: UUID
    minutes: Minutes
    occurred_on: date
    posted_at: datetime
    source_line: int
    source_balance: Minutes
    destination_line: int
    destination_balance: Minutes
    reverses_id: UUID | None
    commitment: bytes
    previous: bytes
    hash: bytes

    @property
    def transfer(self) -> Transfer:
        """Only what it moves: source, destination and minutes."""
        return Transfer(self.source_id, self.destination_id, self.minutes)
