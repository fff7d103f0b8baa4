"""Counts that name nobody: groups of fewer than five people stand together as "others".

Leaving a small group out is not enough where a total is known: what is missing can be worked out.
So small groups are added up, and where that still says too much, the smallest of the others joins
them. Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=str)

LEAST = 5
"""Fewer people than this are never counted on a page of their own."""


@dataclass(frozen=True, slots=True)
class Groups(Generic[K]):
    """Groups that may be named, the largest first; and how many people are in all the others."""

    named: tuple[tuple[K, int], ...]
    others: int

    @property
    def people(self) -> int:
        """All of them together."""
        return self.others + sum(count for _, count in self.named)


def groups(counts: Mapping[K, int], least: int = LEAST) -> Groups[K] | None:
    """How many people each group has, as far as it may be said; None where nothing may.

    Every number is at least `least`, or it is `others` = 0. The numbers add up to all people. No
    group below `least` can be worked out from them, even by somebody who knows this rule and knows
    which groups were there at all.
    """
    there = sorted((count, name) for name, count in counts.items() if count > 0)
    hidden = [one for one in there if one[0] < least]
    shown = [one for one in there if one[0] >= least]
    while hidden and shown and _tells(hidden, least):
        smallest = shown[0][0]  # all of that size: which of them would be a hint of its own
        hidden += [one for one in shown if one[0] == smallest]
        shown = [one for one in shown if one[0] != smallest]
    if sum(count for count, _ in there) < least or (hidden and _tells(hidden, least)):
        return None
    named = tuple((name, count) for count, name in sorted(shown, key=lambda one: (-one[0], one[1])))
    return Groups(named, sum(count for count, _ in hidden))


def _tells(hidden: Sequence[tuple[int, str]], least: int) -> bool:
    """Whether the sum of these groups says how large one of them is, or too much about it.

    One alone is its own sum. If each has one person, or each as many as a small group can have,
    there is only one way to share the sum out.
    """
    people = sum(count for count, _ in hidden)
    if len(hidden) < 2 or people < least:
        return True
    all_small = all(count < least for count, _ in hidden)
    return all_small and (people == len(hidden) or people == (least - 1) * len(hidden))
