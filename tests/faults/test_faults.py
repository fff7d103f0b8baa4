"""Every fault in short: nothing acknowledged is lost, nothing is doubled, the books add up.

The same trials for hours: `./dev soak`.
"""

from __future__ import annotations

import gc
import warnings
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.plan import Fault
from tests.faults.soak import all_faults, once, replay

PARTS = [
    pytest.param(fault, part, id=fault.name if fault.parts == 1 else f"{fault.name}-{part}")
    for fault in all_faults().values()
    for part in range(1, fault.parts + 1)
]


@pytest.fixture(autouse=True)
def _torn_lines_end_here() -> Iterator[None]:
    """What a killed process leaves of its lines is thrown away here, not in a later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("fault", "part"), PARTS)
def test_nothing_is_lost_and_nothing_is_doubled(fault: Fault, part: int) -> None:
    seed, enough = 1000 * part, -(-fault.short // fault.parts)
    counts: Counter[str] = Counter()
    wrong: dict[str, tuple[str, ...]] = {}
    while counts[fault.unit] < enough:
        outcome = once(fault, seed)
        counts.update(outcome.counts)
        print(f"{fault.name}:{seed} {dict(outcome.counts)}")
        if outcome.wrong:
            wrong[replay(fault.name, seed)] = outcome.wrong
            break
        seed += 1
    if fault.control:
        assert wrong, f"a fault that is certainly there was not seen in {counts}"
    else:
        assert not wrong, "\n".join(
            f"{again}\n    " + "\n    ".join(sentences) for again, sentences in wrong.items()
        )
