"""Whatever members do, the hours in the bank sum to zero.

Each of these bugs was planted and seen to turn this test red; `tests/ledger/planted_bugs.py` holds
them, and `python -m tests.ledger.planted_bugs` plants them again:

 1. the floor is compared with the balance before the transfer
 2. the destination loses what the source loses
 3. a second reversal in the same batch is not noticed
 4. a refused entry leaves its first transfers in the running balances
 5. a repeated id is posted again
 6. other words under the same id are taken for a replay
 7. an override does not pass the floor
 8. a clock that runs backwards takes the journal along
 9. a reversal may move its transfers back in any order
10. the numbers of an entry's transfers leave a gap
11. a closed account may still receive
12. an account that receives does not count the line
13. one minute too many may be moved
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.ledger.bank import Bank


def test_whatever_members_do_the_books_hold() -> None:
    run_state_machine_as_test(
        Bank, settings=settings(max_examples=120, stateful_step_count=30, deadline=None)
    )
