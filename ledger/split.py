"""Sharing minutes out, exactly: the parts always add up to the whole."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.minutes import ZERO, Minutes


def split(total: Minutes, shares: int | Sequence[int]) -> list[Minutes]:
    """Share `total` among so many equal shares, or in proportion to whole-number weights.

    Largest remainder: each part is the exact share rounded down or up, the parts add up to
    `total`, and of two equal claims to a left-over minute the earlier one gets it. Raises
    `ValueError` for a negative total, no share at all, a negative weight or weights of zero only.
    """
    weights = [1] * shares if isinstance(shares, int) else list(shares)
    whole = sum(weights)
    if total < ZERO:
        raise ValueError("only minutes that are there can be shared")
    if whole < 1 or min(weights) < 0:
        raise ValueError("sharing needs at least one share, and none below zero")
    parts = [divmod(total.count * weight, whole) for weight in weights]
    left_over = total.count - sum(minutes for minutes, _ in parts)
    by_claim = sorted(range(len(parts)), key=lambda index: -parts[index][1])
    lucky = set(by_claim[:left_over])
    return [Minutes(minutes + (index in lucky)) for index, (minutes, _) in enumerate(parts)]
