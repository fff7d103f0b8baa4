"""Settling: what a gathering comes to for everybody, and what a correction has to move.

    attendance ─► settle ─► lines ─► difference ─► the parts of one entry

Everybody's real minutes, one to one. Nobody gets more than the time they were there and what they
did before and after it: roles that take the time of the gathering share it, they do not double it.
Pure: values in, values out, and the order in which people stand on the list changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from ledger import ZERO, Minutes, split
from timebank.entry import Kind, Side
from timebank.gatherings import Rule
from timebank.roles import BuiltIn

TAKE_PART = BuiltIn.TAKE_PART.value
PAYS = ""
"""The role key of a line that says what an account gives for it, or what it is left with."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A role somebody carried, in real minutes. `during` is what it took of the gathering."""

    key: str
    kind: Kind
    before: Minutes = ZERO
    during: Minutes = ZERO
    after: Minutes = ZERO

    @property
    def minutes(self) -> Minutes:
        """All of it together."""
        return self.before + self.during + self.after


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody at a gathering: how long they were there, and what they did for it.

    Without an account they are a guest: they get nothing and nothing is asked of them, whatever
    the rule. That they were there is kept all the same.
    """

    account_id: UUID | None
    present: Minutes
    roles: tuple[Carried, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """What stands for an account after a settlement, for one reason.

    `role_key` says which: a role, `TAKE_PART`, or `PAYS` on the side that gives the hours and for
    the rest that is left over.
    """

    account_id: UUID
    role_key: str
    kind: Kind
    side: Side
    minutes: Minutes


@dataclass(frozen=True, slots=True)
class Moved:
    """One account's part in the entry that brings it from what stood to what stands.

    Of its minutes, `back` take back what the account had on the other side: 2:00 given of which
    0:30 are back is 1:30 more given, and 0:30 less received.
    """

    account_id: UUID
    side: Side
    minutes: Minutes
    back: Minutes = ZERO


def settle(
    rule: Rule,
    people: Iterable[Attendee],
    *,
    payer: UUID | None,
    credits_taking_part: bool,
    draw: UUID,
) -> tuple[Line, ...]:
    """What everybody gets and gives, by the rule that was chosen when the gathering was planned.

    - *sponsored*: `payer` gives every role its minutes, and those who took part theirs if the
      gathering credits that. What the payer did itself moves nothing.
    - *one for one*: who took part gives the minutes they were there, roles get theirs; the rest
      goes to `payer` (the commons), or comes from it.
    - *split*: who took part shares equally in what the roles come to. Nobody there to share it,
      and nothing moves.
    - *workshop*: as one for one, with the workshop's account in the place of the commons.
    - *none*: nothing.

    Who carries a role gives nothing as a participant. Odd minutes of a share go by lot, and the
    lot depends on `draw` (the gathering) and the person alone. Raises `ValueError` for an account
    that is there twice, and for a rule that needs a payer without one.
    """
    everyone = _members(people)
    if rule is Rule.NONE:
        return ()
    if rule is Rule.SPLIT:
        return _shared(everyone, draw)
    if payer is None:
        raise ValueError(f"{rule} needs an account that gives, or takes, the hours")
    if rule is Rule.SPONSORED:
        return _sponsored(everyone, payer, credits_taking_part)
    return _paid_in(everyone, payer)


def time_of(one: Attendee) -> tuple[Carried, ...]:
    """The roles somebody carried, with minutes, as they count; a role of no minutes is none.

    Roles that would take more of the gathering than the person was there share that time in
    proportion, exact to the minute.
    """
    roles = sorted((role for role in one.roles if role.key != TAKE_PART), key=lambda role: role.key)
    wanted = [role.during.count for role in roles]
    during = [role.during for role in roles]
    if sum(wanted) > one.present.count:
        during = split(one.present, wanted)
    counted = [
        Carried(role.key, role.kind, role.before, share, role.after)
        for role, share in zip(roles, during, strict=True)
    ]
    return tuple(role for role in counted if role.minutes > ZERO)


def difference(old: Iterable[Line], new: Iterable[Line]) -> tuple[Moved, ...]:
    """What has to move so that `new` stands where `old` stood; nothing if they come to the same.

    The parts add up to zero, as both settlements do. Every account stands on one side of a
    settlement (`ValueError` else), though it may change sides from one to the other.
    """
    before, after = _stands(old), _stands(new)
    found = []
    for account in sorted({*before, *after}):
        gave, received = before.get(account, (ZERO, ZERO))
        gives, receives = after.get(account, (ZERO, ZERO))
        net = (gives - receives) - (gave - received)
        if net > ZERO:
            found.append(Moved(account, Side.GAVE, net, received - receives))
        elif net < ZERO:
            found.append(Moved(account, Side.RECEIVED, -net, gave - gives))
    return tuple(found)


# ── The rules ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _One:
    """A member who was there, with the roles as they count."""

    account: UUID
    present: Minutes
    roles: tuple[Carried, ...]

    @property
    def earned(self) -> Minutes:
        return _sum(role.minutes for role in self.roles)


def _members(people: Iterable[Attendee]) -> list[_One]:
    """Those with an account, by its id: whoever wrote the list in which order, it is the same."""
    found: dict[UUID, _One] = {}
    for one in people:
        if one.account_id is None:
            continue
        if one.account_id in found:
            raise ValueError("an account is on the list twice")
        found[one.account_id] = _One(one.account_id, one.present, time_of(one))
    return [found[account] for account in sorted(found)]


def _sponsored(everyone: Sequence[_One], payer: UUID, taking_part: bool) -> tuple[Line, ...]:
    gave: list[Line] = []
    for one in everyone:
        if one.account == payer:
            continue
        gave += _for_roles(one)
        rest = one.present - _sum(role.during for role in one.roles)
        if taking_part and rest > ZERO:
            gave.append(Line(one.account, TAKE_PART, Kind.ACTIVITY, Side.GAVE, rest))
    total = _sum(line.minutes for line in gave)
    return (*gave, *_line(payer, Side.RECEIVED, total))


def _shared(everyone: Sequence[_One], draw: UUID) -> tuple[Line, ...]:
    took_part = [one for one in everyone if _only_took_part(one)]
    if not took_part:
        return ()
    gave = [line for one in everyone for line in _for_roles(one)]
    by_lot = sorted(took_part, key=_lot(draw))
    shares = split(_sum(line.minutes for line in gave), len(by_lot))
    given = {one.account: share for one, share in zip(by_lot, shares, strict=True)}
    received = [
        line for one in took_part for line in _line(one.account, Side.RECEIVED, given[one.account])
    ]
    return (*gave, *received)


def _paid_in(everyone: Sequence[_One], keeper: UUID) -> tuple[Line, ...]:
    """Participants give their minutes, roles get theirs, `keeper` the rest; or it adds to it."""
    others = [one for one in everyone if one.account != keeper]
    gave = [line for one in others for line in _for_roles(one)]
    received = [
        line
        for one in others
        if _only_took_part(one)
        for line in _line(one.account, Side.RECEIVED, one.present)
    ]
    rest = _sum(line.minutes for line in received) - _sum(line.minutes for line in gave)
    side = Side.GAVE if rest > ZERO else Side.RECEIVED
    return (*gave, *received, *_line(keeper, side, abs(rest)))


def _only_took_part(one: _One) -> bool:
    return one.present > ZERO and not one.roles


def _for_roles(one: _One) -> list[Line]:
    return [Line(one.account, role.key, role.kind, Side.GAVE, role.minutes) for role in one.roles]


def _line(account: UUID, side: Side, minutes: Minutes) -> tuple[Line, ...]:
    """What an account pays or is left with; no line for nothing."""
    return (Line(account, PAYS, Kind.ACTIVITY, side, minutes),) if minutes > ZERO else ()


def _lot(draw: UUID) -> Callable[[_One], bytes]:
    """Who comes first to a left-over minute: by lot, another one at each gathering."""

    def lot(one: _One) -> bytes:
        return hashlib.sha256(draw.bytes + one.account.bytes).digest()

    return lot


def _stands(lines: Iterable[Line]) -> dict[UUID, tuple[Minutes, Minutes]]:
    """What each account gave and received."""
    found: dict[UUID, tuple[Minutes, Minutes]] = {}
    for line in lines:
        gave, received = found.get(line.account_id, (ZERO, ZERO))
        if line.side is Side.GAVE:
            found[line.account_id] = gave + line.minutes, received
        else:
            found[line.account_id] = gave, received + line.minutes
    if any(gave and received for gave, received in found.values()):
        raise ValueError("an account stands on both sides of a settlement")
    return found


def _sum(amounts: Iterable[Minutes]) -> Minutes:
    return sum(amounts, ZERO)
