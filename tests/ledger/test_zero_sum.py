"""Whatever members do, the hours in the bank sum to zero.

PLANTED
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.ledger.bank import Bank


def test_whatever_members_do_the_books_hold() -> None:
    run_state_machine_as_test(
        Bank, settings=settings(max_examples=150, stateful_step_count=20, deadline=None)
    )
