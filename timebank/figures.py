"""Adding up who gave and received how much, by everything a report tells of. Nothing is hidden yet.

Ids and days are taken as the driver has them, because there may be hundreds of thousands: they are
compared, and days are looked into by the reader that comes along.

Minutes count for the members who gave and received them. What the commons gives and receives is
told apart, because everybody does; its statement is open to all members, so that is no figure about
anybody. A figure about an organisation is about the people on the other side of it, so that nobody
is found behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from timebank.members import MemberKind
from timebank.periods import Month
from timebank.small_counts import Amount, Row

_PERSON, _ORGANISATION = MemberKind.PERSON.value, MemberKind.ORGANISATION.value
_GIVEN, _RECEIVED = range(2)


class Part(NamedTuple):
    """One account's share of something given: in an entry, or for one kind in a gathering.

    `day` is when it happened, `counted` the day for which it is reported.
    """

    group: Any
    kind: str
    category: Any
    day: Any
    counted: Any
    account: Any
    side: str
    minutes: int


class Who(NamedTuple):
    """A member as far as figures tell them apart."""

    kind: str
    area: str


_NOBODY = Who("", "")


class Hat(NamedTuple):
    """An organisation somebody belongs to, on these days and those between; no `until`: still."""

    organisation: Any
    since: date
    until: date | None

    def worn(self, day: date) -> bool:
        """Whether it is worn on this day."""
        return self.since <= day and (self.until is None or day <= self.until)


class Pot:
    """Minutes that went into one row, given and received, and the people they are about.

    `own` are those of the people who stand in the row themselves.
    """

    __slots__ = ("minutes", "own", "people")

    def __init__(self) -> None:
        self.minutes = [0, 0]
        self.people: list[set[Any]] = [set(), set()]
        self.own: set[Any] = set()

    @property
    def amounts(self) -> dict[str, Amount]:
        """What is in it."""
        return {
            "given": Amount(self.minutes[_GIVEN], self.people[_GIVEN]),
            "received": Amount(self.minutes[_RECEIVED], self.people[_RECEIVED]),
            "people": Amount(len(self.own), self.own),
        }


class _Cell:
    """What is of one kind, category and month, late or not, on one side: minutes and people."""

    __slots__ = ("behind", "minutes", "own")

    def __init__(self) -> None:
        self.minutes = 0
        self.own: set[Any] = set()
        self.behind: set[Any] = set()  # on the other side of an organisation's hours


@dataclass(slots=True)
class Sums:
    """What was given and received, as it is added up: `take` it all, then `close` once.

    `who` are the members; an account that is none of theirs is the commons', or kept for a purpose
    of everybody's. `hats` are their organisations, the one worn longest first; in `houses`, None is
    the row of those without. `commons` are the minutes that the commons gave and received, `began`
    the day on which somebody first exchanged.

    Each part goes into one cell, and the rows are made of the cells in the end: that is quicker
    than telling every row of every part.
    """

    who: Mapping[Any, Who]
    hats: Mapping[Any, Sequence[Hat]]
    day_of: Callable[[Any], date]
    exchanges: int = 0
    gave: set[Any] = field(default_factory=set)
    received: set[Any] = field(default_factory=set)
    commons: list[int] = field(default_factory=lambda: [0, 0])
    began: dict[Any, Any] = field(default_factory=dict)
    total: Pot = field(default_factory=Pot)
    late: Pot = field(default_factory=Pot)
    on_time: Pot = field(default_factory=Pot)
    kinds: defaultdict[str, Pot] = field(default_factory=lambda: defaultdict(Pot))
    categories: defaultdict[Any, Pot] = field(default_factory=lambda: defaultdict(Pot))
    months: defaultdict[Month, Pot] = field(default_factory=lambda: defaultdict(Pot))
    areas: defaultdict[str, Pot] = field(default_factory=lambda: defaultdict(Pot))
    houses: defaultdict[Any, Pot] = field(default_factory=lambda: defaultdict(Pot))
    _cells: dict[tuple[str, Any, int, bool], tuple[_Cell, _Cell]] = field(default_factory=dict)
    _months: list[Month] = field(default_factory=list)
    _month_of: dict[Any, int] = field(default_factory=dict)  # by the day as the driver has it
    _accounts: defaultdict[tuple[Any, Any], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0])
    )
    _behind: defaultdict[tuple[Any, int], set[Any]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def take(self, parts: Iterable[Sequence[Any]]) -> None:
        """Add what was given: `Part`s, or tuples like them. Those of a group stand together."""
        group: list[Sequence[Any]] = []
        last: Any = None
        for part in parts:
            if part[0] != last:
                if group:
                    self._add(group)
                group, last = [], part[0]
            group.append(part)
        if group:
            self._add(group)

    def _add(self, group: Sequence[Sequence[Any]]) -> None:
        """Add one entry, or one gathering."""
        self.exchanges += 1
        who, hats, began = self.who, self.hats, self.began
        for _, kind, category, day, counted, account, side, minutes in group:
            place = _GIVEN if side == "gave" else _RECEIVED
            member = who.get(account)
            if member is None:
                self.commons[place] += minutes
                continue
            cell = self._cell(kind, category, counted, day != counted)[place]
            cell.minutes += minutes
            if member[0] == _PERSON:
                cell.own.add(account)
            else:
                others = self._opposite(group, side)
                cell.behind.update(others)
                self._behind[account, place].update(others)
            house = self._house(account, day) if account in hats else None
            self._accounts[account, house][place] += minutes
            if account not in began or day < began[account]:
                began[account] = day

    def _cell(self, kind: str, category: Any, counted: Any, late: bool) -> tuple[_Cell, _Cell]:
        """The cells for what is given and for what is received."""
        month = self._month_of.get(counted)
        if month is None:
            month = self._month_of[counted] = self._number(Month.of(self.day_of(counted)))
        both = self._cells.get((kind, category, month, late))
        if both is None:
            both = self._cells[kind, category, month, late] = (_Cell(), _Cell())
        return both

    def _number(self, month: Month) -> int:
        if month not in self._months:
            self._months.append(month)
        return self._months.index(month)

    def _opposite(self, group: Sequence[Sequence[Any]], side: str) -> list[Any]:
        """The people on the other side."""
        others = [part[5] for part in group if part[6] != side]
        return [one for one in others if self.who.get(one, _NOBODY)[0] == _PERSON]

    def _house(self, account: Any, day: Any) -> Any:
        """The organisation somebody stands for on a day; None for a neighbour."""
        on = self.day_of(day)
        return next((hat.organisation for hat in self.hats[account] if hat.worn(on)), None)

    def close(self) -> None:
        """Make the rows: of the cells, and of what each account gave and got."""
        for (kind, category, month, late), both in self._cells.items():
            for pot in (
                self.kinds[kind],
                self.categories[category],
                self.months[self._months[month]],
                self.late if late else self.on_time,
            ):
                for place, cell in enumerate(both):
                    pot.minutes[place] += cell.minutes
                    pot.people[place].update(cell.own, cell.behind)
                    pot.own |= cell.own
        for (account, house), minutes in self._accounts.items():
            self._bring(account, house, minutes)

    def _bring(self, account: Any, house: Any, minutes: Sequence[int]) -> None:
        kind, area = self.who[account]
        own = account if kind == _ORGANISATION else house
        for pot in (self.total, self.areas[area], self.houses[own]):
            for place, some in enumerate(minutes):
                if not some:
                    continue
                pot.minutes[place] += some
                if kind == _PERSON:
                    pot.people[place].add(account)
                else:
                    pot.people[place] |= self._behind[account, place]
            if kind == _PERSON:
                pot.own.add(account)
        if kind == _PERSON:
            for place, people in ((_GIVEN, self.gave), (_RECEIVED, self.received)):
                if minutes[place]:
                    people.add(account)


def rows(pots: Mapping[Any, Pot]) -> list[Row[Any]]:
    """The rows of a table, in the order in which they came up."""
    return [Row(key, pot.amounts) for key, pot in pots.items()]
