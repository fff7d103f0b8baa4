"""Thirty-two callers are each told the truth, in little; `./dev soak` does it at length."""

from __future__ import annotations

import asyncio

from ledger import Posted
from ledger.sql import Ledger
from tests.faults import door, histories
from tests.faults.door import Told, expect, explained
from tests.ledger import making
from timebank.config import Settings
from timebank.db import Database
from timebank.entry import State


def test_a_short_history_has_no_anomaly(db_settings: Settings) -> None:
    counts, wrong = histories.one_history(db_settings, 7, processes=1, each=25)
    assert wrong == []
    assert counts["operations"] >= 25 * histories.CALLERS


def test_a_short_history_of_three_processes_has_no_anomaly(postgres_settings: Settings) -> None:
    _, wrong = histories.one_history(postgres_settings, 7, processes=3, each=25)
    assert wrong == []


def test_what_callers_meet_at_the_door_has_no_anomaly(db_settings: Settings) -> None:
    _, wrong = asyncio.run(door.story(db_settings, 7, rounds=2))
    assert wrong == []


# ── The search for an order that explains ────────────────────────────────────────────────────────


def told(deed: str, began: int, ended: float, answer: str | State | None) -> Told:
    return Told(deed, began, ended, answer)


def test_one_order_of_what_overlaps_is_enough() -> None:
    asked = [told("approve", 0, 9, "refused"), told("withdraw", 0, 9, "fine")]
    assert explained(asked, State.WITHDRAWN)
    assert not explained(asked, State.APPROVED)


def test_nobody_is_overtaken_by_who_asked_later() -> None:
    asked = [told("approve", 0, 3, "refused"), told("withdraw", 4, 9, "fine")]
    assert not explained(asked, State.WITHDRAWN)


def test_two_cannot_both_have_posted_it() -> None:
    asked = [told("approve", 0, 9, "done"), told("approve", 0, 9, "done")]
    assert not explained(asked, State.APPROVED)


def test_who_looked_after_an_answer_sees_what_was_answered() -> None:
    asked = [told("approve", 0, 3, "done"), told("look", 4, 5, State.RECORDED)]
    assert not explained(asked, State.APPROVED)
    assert explained([asked[0], told("look", 2, 5, State.RECORDED)], State.APPROVED)


def test_who_left_may_or_may_not_have_been_served() -> None:
    left = told("approve", 0, float("inf"), None)
    assert explained([left], State.RECORDED)
    assert explained([left], State.APPROVED)
    assert not explained([left], State.REVERSED)


def test_the_rules_of_the_door_in_short() -> None:
    assert expect("undo", (State.RECORDED, False)) == ("refused", (State.RECORDED, False))
    assert expect("undo", (State.APPROVED, True)) == ("done", (State.REVERSED, False))
    assert expect("dispute", (State.APPROVED, True))[0] == "refused"


# ── What a crowd meets by chance only ────────────────────────────────────────────────────────────


async def test_a_refusal_is_decided_on_what_stands_now(db_settings: Settings) -> None:
    """What another process gave meanwhile can be spent here, though we remember less."""
    await histories.begin(db_settings)
    db = Database(db_settings)
    ours, theirs = Ledger(db.posting), Ledger(db.posting)
    poor, rich = histories.TIGHT[0], histories.COMMONS
    try:
        for number, (ledger, source, to) in enumerate(
            ((ours, rich, poor), (ours, poor, rich), (theirs, rich, poor), (ours, poor, rich))
        ):
            give = making.entry(number, (source, to, 10))
            assert isinstance(await ledger.post(histories.COMMUNITY, give, making.NOON), Posted)
    finally:
        await db.stop()
