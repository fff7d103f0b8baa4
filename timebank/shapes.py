"""The shapes of an entry: one or many givers, one or many receivers, exact to the minute.

What people write (each giver's minutes) is rounded to the agreement's step. The receivers' shares
are never rounded: together they are what was given. Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ledger import ZERO, Minutes, Rounding, Transfer, round_to, split
from ledger.errors import NotPositive, TooMuch
from ledger.minutes import MAX
from timebank import flow
from timebank.entry import Kind, NewEntry, Share, Side
from timebank.errors import BadInput, NobodyThere, SamePersonTwice, SharesDiffer

MOST_PARTS = 200
"""So many people stand in one entry at most."""


@dataclass(frozen=True, slots=True)
class NewPart:
    """One account's part in an entry, its minutes worked out."""

    account_id: UUID
    side: Side
    minutes: Minutes


class PartLike(flow.Standing, Protocol):
    """A part as far as transfers need it: `NewPart`, or a `Part` read back."""

    @property
    def minutes(self) -> Minutes: ...


def resolve(new: NewEntry, step: Minutes, rounding: Rounding) -> tuple[NewPart, ...]:
    """Everyone's minutes: givers first, then receivers, in the order they were written.

    A giver without minutes of their own gave `new.minutes`. Receivers without minutes of their own
    share equally what the others of their side did not receive. Raises `NobodyThere`,
    `SamePersonTwice` (with the account's id for a name), `SharesDiffer`, `BadInput` when nobody
    said how long or too many take part, and `NotPositive` or `TooMuch` of the ledger.
    """
    _refuse_strange_sides(new)
    written = [_own(share, new.minutes) for share in new.givers]
    rounded = [round_to(minutes, step, rounding) for minutes in written]
    _refuse_nothing(rounded)
    total = _sum(rounded)
    if total > MAX:
        raise TooMuch(total)
    received = _received(new.receivers, _sum(written), total)
    _refuse_nothing(received)
    return tuple(
        NewPart(share.account_id, side, minutes)
        for side, shares, amounts in (
            (Side.GAVE, new.givers, rounded),
            (Side.RECEIVED, new.receivers, received),
        )
        for share, minutes in zip(shares, amounts, strict=True)
    )


def transfers(parts: Iterable[PartLike], kind: Kind) -> tuple[Transfer, ...]:
    """The transfers that bring every account exactly its minutes.

    Givers and receivers are matched in their written order: the first giver's minutes go with the
    first receiver until one of the two is used up, and so on. At most one transfer fewer than
    there are people; the same parts give the same transfers.
    """
    everyone = list(parts)
    givers = [(part.account_id, part.minutes) for part in everyone if part.side is Side.GAVE]
    receivers = [(part.account_id, part.minutes) for part in everyone if part.side is Side.RECEIVED]
    given = _sum(minutes for _, minutes in givers)
    received = _sum(minutes for _, minutes in receivers)
    if given != received:
        raise SharesDiffer(given, received)
    found: list[Transfer] = []
    while givers and receivers:
        (giver, left), (receiver, open_) = givers[0], receivers[0]
        minutes = min(left, open_)
        found.append(flow.transfer(kind, giver, receiver, minutes))
        givers[0], receivers[0] = (giver, left - minutes), (receiver, open_ - minutes)
        if not givers[0][1]:
            givers.pop(0)
        if not receivers[0][1]:
            receivers.pop(0)
    return tuple(found)


def _received(shares: Sequence[Share], written: Minutes, total: Minutes) -> list[Minutes]:
    """Each receiver's minutes: their own, or an exact share of what is left."""
    own = [share.minutes for share in shares if share.minutes is not None]
    named, open_shares = _sum(own), len(shares) - len(own)
    if not open_shares and named == written != total:
        # All of them add up to what was written down, and rounding moved that: they move with it.
        return split(total, [minutes.count for minutes in own])
    if named > total or (not open_shares and named != total):
        raise SharesDiffer(total, named)
    rest = iter(split(total - named, open_shares) if open_shares else [])
    return [next(rest) if share.minutes is None else share.minutes for share in shares]


def _own(share: Share, otherwise: Minutes | None) -> Minutes:
    """What a giver gave: as written beside the name, or as for everybody."""
    minutes = share.minutes if share.minutes is not None else otherwise
    if minutes is None:
        raise BadInput("minutes", "missing")
    return minutes


def _refuse_nothing(amounts: Iterable[Minutes]) -> None:
    for minutes in amounts:
        if minutes <= ZERO:
            raise NotPositive(minutes)


def _sum(amounts: Iterable[Minutes]) -> Minutes:
    return sum(amounts, ZERO)


def _refuse_strange_sides(new: NewEntry) -> None:
    """Both sides are there, and nobody stands in the entry twice."""
    for side, shares in ((Side.GAVE, new.givers), (Side.RECEIVED, new.receivers)):
        if not shares:
            raise NobodyThere(side.value)
    everyone = [share.account_id for share in (*new.givers, *new.receivers)]
    if len(everyone) > MOST_PARTS:
        raise BadInput("givers", "too_many", MOST_PARTS)
    seen: set[UUID] = set()
    for account in everyone:
        if account in seen:
            raise SamePersonTwice(str(account))
        seen.add(account)
