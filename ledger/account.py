"""An account holds a balance: of a member, an organisation, the commons, or a clearing account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from ledger.minutes import ZERO, Minutes


class AccountKind(StrEnum):
    """Whose account it is."""

    MEMBER = "member"
    ORGANISATION = "organisation"
    COMMONS = "commons"
    CLEARING = "clearing"  # towards another community


@dataclass(frozen=True, slots=True)
class Account:
    """What deciding needs to know of an account.

    `lines` counts the lines of its statement, so it is also the number of the latest one. `floor`
    is the hard floor, the lowest balance it may be left with; None is no floor.
    """

    id: UUID
    balance: Minutes = ZERO
    lines: int = 0
    floor: Minutes | None = None
    closed: bool = False

    def moved(self, minutes: Minutes) -> Account:
        """The account after one more line of signed `minutes`."""
        return Account(self.id, self.balance + minutes, self.lines + 1, self.floor, self.closed)
