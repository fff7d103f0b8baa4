"""Which way hours flow. This is the only place that says so.

Help flows from giver to receiver, and hours flow back: the receiver's account is the source, the
giver's the destination. In a gift (a grant, a donation) the hours themselves are what is given, so
they flow from giver to receiver.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from ledger import Minutes, Transfer
from timebank.entry import Kind, Side


class Standing(Protocol):
    """Somebody who stands on a side of an entry."""

    @property
    def account_id(self) -> UUID: ...
    @property
    def side(self) -> Side: ...


def transfer(kind: Kind, giver: UUID, receiver: UUID, minutes: Minutes) -> Transfer:
    """The hours that move because `giver` gave `receiver` so many minutes."""
    if kind.is_gift:
        return Transfer(giver, receiver, minutes)
    return Transfer(receiver, giver, minutes)


def gaining_side(kind: Kind) -> Side:
    """The side whose balances go up."""
    return Side.RECEIVED if kind.is_gift else Side.GAVE


def gainers(kind: Kind, parts: Iterable[Standing], *, reversal: bool = False) -> frozenset[UUID]:
    """The accounts that end up with more hours than before; with `reversal`, by undoing it."""
    gaining = gaining_side(kind)
    return frozenset(part.account_id for part in parts if (part.side is gaining) is not reversal)
