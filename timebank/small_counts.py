"""What may be shown of figures about people: nothing about fewer than five, nor what is left over.

A figure that is hidden can be found again where a total and all other figures are shown. So small
rows are folded together, with others if need be, until what is shown speaks of five people or more,
and so does everything that can be had by adding and subtracting it. Pure: values in, values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

FEWEST = 5
"""So many people a figure has to be about; one about nobody (zero) may be shown as well."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number, and the people it is about."""

    value: int = 0
    people: Set[Hashable] = frozenset()

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.value + other.value, self.people | other.people)

    @property
    def shown(self) -> bool:
        """Whether it may be shown."""
        return self.value == 0 or len(self.people) >= FEWEST


@dataclass(frozen=True, slots=True)
class Row(Generic[K]):
    """One row of a table before anything is hidden: what it is about, and its amounts by name.

    What no column shows, and anyone can work out from those that are shown, is an amount too.
    """

    key: K
    amounts: Mapping[str, Amount]

    @property
    def shown(self) -> bool:
        """Whether all of it may be shown."""
        return all(amount.shown for amount in self.amounts.values())

    @property
    def people(self) -> int:
        """How many people it is about."""
        return len(frozenset().union(*(amount.people for amount in self.amounts.values())))


@dataclass(frozen=True, slots=True)
class Folded(Generic[K]):
    """A table as it may be shown: rows, the sum of `folded` rows that are not, and the total.

    Without a `total` there is nothing to show. Without rows the total is all there is to show.
    """

    rows: tuple[Row[K], ...]
    together: Mapping[str, Amount] | None
    folded: int
    total: Mapping[str, Amount] | None


def fold(rows: Sequence[Row[K]]) -> Folded[K]:
    """The rows in their order, without those that are too small to be shown.

    Small ones are shown as one sum, which is about five people or more and made of two rows or
    more; where they are not enough for that, the smallest of the others go with them.
    """
    total = _sum(rows)
    if not total.shown:
        return Folded((), None, 0, None)
    hidden = [row for row in rows if not row.shown]
    if not hidden:
        return Folded(tuple(rows), None, 0, total.amounts)
    # The order of equals is that of the table: which row is taken along says nothing about it.
    others = sorted((row for row in rows if row.shown), key=lambda row: row.people)
    while others and not _sum(hidden).shown:
        hidden.append(others.pop(0))
    if not others:
        return Folded((), None, 0, total.amounts)
    left_out = {id(row) for row in hidden}
    kept = tuple(row for row in rows if id(row) not in left_out)
    return Folded(kept, _sum(hidden).amounts, len(hidden), total.amounts)


def _sum(rows: Iterable[Row[K]]) -> Row[None]:
    return Row(None, added(row.amounts for row in rows))


def added(rows: Iterable[Mapping[str, Amount]]) -> Mapping[str, Amount]:
    """The sum of some rows, amount by amount."""
    found: dict[str, Amount] = {}
    for amounts in rows:
        for name, amount in amounts.items():
            found[name] = found.get(name, Amount()) + amount
    return found


def showable(groups: Mapping[str, Set[Hashable]]) -> dict[str, int | None]:
    """How many people are in each group, the most important first; None for what is hidden.

    People may be in several groups. A group is hidden if it has from one to four people, or if
    adding and subtracting the groups shown before it would tell of from one to four.
    """
    sizes = _sizes(groups)
    told: set[tuple[int, ...]] = {(0,) * len(sizes)}  # how often each size is counted in a sum
    shown: dict[str, int | None] = {}
    for place, (name, people) in enumerate(groups.items()):
        members = [kind[place] for kind in sizes]
        further = told | {
            tuple(times + sign * within for times, within in zip(sum_, members, strict=True))
            for sum_ in told
            for sign in (1, -1)
        }
        if any(_tells_of_few(sum_, list(sizes.values())) for sum_ in further):
            shown[name] = None
        else:
            told, shown[name] = further, len(people)
    return shown


def _sizes(groups: Mapping[str, Set[Hashable]]) -> Mapping[tuple[bool, ...], int]:
    """How many people are in the same groups as each other; which, by the places of the groups."""
    everyone = frozenset[Hashable]().union(*groups.values())
    return Counter(tuple(person in some for some in groups.values()) for person in everyone)


def _tells_of_few(times: Sequence[int], sizes: Sequence[int]) -> bool:
    """Whether a sum counts some people once, all others never, and fewer than five at that."""
    if not set(times) <= {0, 1}:
        return False
    return 0 < sum(size for once, size in zip(times, sizes, strict=True) if once) < FEWEST
