"""Counts that name nobody: no number below five, and none that can be worked out.

Seen to turn red: a small group left out while the total is shown; one small group alone among the
others; others of fewer than five; three groups of two that have to be six.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timebank.hiding import LEAST, Groups, groups


def test_groups_of_five_and_more_are_named_and_small_ones_stand_together() -> None:
    counts = {"health": 9, "housing": 6, "faith": 3, "arts": 4, "business": 0}
    assert groups(counts) == Groups((("health", 9), ("housing", 6)), others=7)


def test_one_small_group_takes_the_smallest_of_the_others_along() -> None:
    assert groups({"health": 9, "housing": 6, "faith": 3}) == Groups((("health", 9),), others=9)
    assert groups({"health": 9, "housing": 6, "faith": 1, "arts": 1}) == Groups(
        (("health", 9),), others=8
    )
    assert groups({"health": 9, "housing": 6, "arts": 6, "faith": 4}) == Groups(
        (("health", 9),), others=16
    ), "both of six: which of them joined would be a hint"


def test_where_each_has_to_be_the_same_nothing_is_said() -> None:
    assert groups({"health": 4, "arts": 4}) is None
    assert groups(dict.fromkeys("abcde", 1)) is None


def test_of_fewer_than_five_nothing_is_said() -> None:
    assert groups({"health": 4}) is None
    assert groups({"health": 2, "arts": 2}) is None
    assert groups({}) is None
    assert groups({"health": 3, "arts": 2}) == Groups((), others=5)
    assert groups({"health": 5}) == Groups((("health", 5),), others=0)


counted = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 12))


@given(counted)
def test_numbers_are_five_or_more_and_add_up(counts: dict[str, int]) -> None:
    found = groups(counts)
    if found is None:
        assert all(count < LEAST for count in counts.values())
        return
    assert all(count >= LEAST for _, count in found.named)
    assert found.others == 0 or found.others >= LEAST
    assert found.people == sum(counts.values())
    assert all(counts[name] == count for name, count in found.named)


@pytest.mark.parametrize(
    ("names", "most", "least"), [("ab", 14, 5), ("abc", 12, 5), ("abcd", 6, 3)]
)
@pytest.mark.parametrize("knows_who_was_there", [False, True])
def test_who_knows_the_rule_cannot_work_a_small_group_out(
    names: str, most: int, least: int, knows_who_was_there: bool
) -> None:
    """Every small world there is: what is told of it fits at least two sizes of each small group.

    The reader knows the rule, and perhaps which groups were there at all.
    """
    possible: dict[tuple[Groups[str] | None, tuple[str, ...]], list[dict[str, int]]] = {}
    for sizes in itertools.product(range(most + 1), repeat=len(names)):
        world = dict(zip(names, sizes, strict=True))
        there = tuple(name for name in names if world[name]) if knows_who_was_there else ()
        possible.setdefault((groups(world, least), there), []).append(world)
    for (told, _), worlds in possible.items():
        if told is None or told.others > most:  # larger worlds would fit as well
            continue
        for name in names:
            sizes_of_it = {world[name] for world in worlds}
            if any(0 < size < least for size in sizes_of_it):
                assert len(sizes_of_it) > 1, (told, name, sizes_of_it)
