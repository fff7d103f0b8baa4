"""The table of planted bugs stays true: each can still be planted, and is named where it says."""

from __future__ import annotations

from pathlib import Path

from tests.ledger.planted_bugs import BUGS, ROOT


def test_every_planted_bug_still_has_its_place() -> None:
    for bug in BUGS:
        assert (ROOT / bug.file).read_text().count(bug.old) == 1, bug.name
        assert bug.old != bug.new
        assert (ROOT / bug.test).exists()


def test_the_state_machines_list_the_bugs_they_saw() -> None:
    for name in ("test_zero_sum.py", "test_store_agrees.py"):
        own = [bug.name for bug in BUGS if bug.test.endswith(name)]
        docstring = " ".join((Path(__file__).parent / name).read_text().split('"""')[1].split())
        listed = [f"{number}. {bug}" for number, bug in enumerate(own, start=1)]
        assert len(listed) >= 10
        assert docstring.endswith(" ".join(listed))
