"""An entry as the journal knows it: transfers that are posted together, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from ledger.transfer import Transfer


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Transfers to post, all or none, under one id.

    The id is the key: posting it again with the same content answers the same, with other content
    is refused. `occurred_on` is the day of the help, `commitment` (32 bytes, see
    `ledger.chain.commitment`) stands for the words about it. `reverses` names the entry this one
    undoes. `override` lets it pass hard floors: somebody with the right to do so said yes; it is
    no part of the content.
    """

    id: UUID
    transfers: tuple[Transfer, ...]
    occurred_on: date
    commitment: bytes
    reverses: UUID | None = None
    override: bool = False

    def __post_init__(self) -> None:
        if type(self.commitment) is not bytes or len(self.commitment) != 32:
            raise ValueError("a commitment is 32 bytes")
        if isinstance(self.occurred_on, datetime):
            raise TypeError("occurred_on is a day, not a moment")

    def reversal(
        self, id: UUID, occurred_on: date, commitment: bytes, override: bool = False
    ) -> JournalEntry:
        """The entry that undoes this one: the same transfers back, the last one first."""
        return JournalEntry(
            id, mirrored(self.transfers), occurred_on, commitment, self.id, override
        )


def mirrored(transfers: Iterable[Transfer]) -> tuple[Transfer, ...]:
    """The transfers that undo these: each moved back, the last one first.

    Going back the way it came means that no account dips lower than it did on the way out.
    """
    return tuple(transfer.reversed() for transfer in reversed(tuple(transfers)))
