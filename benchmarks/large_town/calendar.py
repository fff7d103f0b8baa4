"""The gatherings of a large town: five years of them, and those that wait for somebody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from benchmarks.large_town.making import Making
from benchmarks.making import YEARS
from ledger import Minutes
from timebank.attendance_steps import StepKind, attendance_steps
from timebank.gatherings import Answer, Openness, Rule, State, gatherings, seats

_SEATS = 8  # at each
_WAITING = 24  # of each kind


async def fill(making: Making) -> None:
    """One gathering a week for each five hundred members; most of the past ones are settled.

    Some lists are still open, some closed ones are not sent yet, at some doors a name was left
    that nobody knows, and of those to come some lack everybody.
    """
    for table, rows in _rows(making).items():
        await making.put(table, rows)


def _rows(making: Making) -> dict[Any, list[dict[str, Any]]]:
    """All rows by their table, in an order in which they can be written."""
    found: dict[Any, list[dict[str, Any]]] = {gatherings: [], seats: [], attendance_steps: []}
    for number, (starts_at, state) in enumerate(_dates(making)):
        id = making.now.new_id()
        found[gatherings].append(_gathering(making, id, starts_at, state))
        if state is not State.PLANNED or number % 2:
            found[seats] += _seats(making, id, starts_at, state)
        if state is State.HELD and number % 2:
            stranger = {"name": "Sam", "to_confirm": True}
            found[seats].append(_seat(making, id, starts_at, known=True) | stranger)
        if state is not State.PLANNED:
            found[attendance_steps].append(_closed(making, id, starts_at))
    return found


def _dates(making: Making) -> Iterator[tuple[datetime, State]]:
    """When each begins, and how it stands."""
    for _ in range(_WAITING):
        yield making.days_ago(-6, -1), State.PLANNED
        yield making.days_ago(4, 20), State.PLANNED
        yield making.days_ago(1, 20), State.HELD
    weeks = YEARS // timedelta(days=7)
    for _ in range(weeks * max(1, len(making.books.members) // 500)):
        yield making.days_ago(20, YEARS.days), State.SETTLED


def _gathering(making: Making, id: UUID, starts_at: datetime, state: State) -> dict[str, Any]:
    return {
        "id": id,
        "title": "Soup and company",
        "purpose": "We eat together.",
        "place": "The hall",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=2),
        "openness": Openness.MEMBERS.value,
        "rule": Rule.NONE.value,
        "credits_taking_part": False,
        "state": state.value,
        "agreement_version": 1,
        "made_by": making.steward,
        "made_at": starts_at - timedelta(days=30),
        "touched_at": starts_at,
    } | dict.fromkeys(("access", "link", "area", "bring"), "")


def _seats(making: Making, id: UUID, starts_at: datetime, state: State) -> Iterator[dict[str, Any]]:
    """Who said yes, and came if it took place."""
    for member in making.dice.sample(making.books.members, _SEATS):
        known = state is not State.PLANNED
        yield _seat(making, id, starts_at, known=known) | {"member_id": member}


def _seat(making: Making, id: UUID, starts_at: datetime, *, known: bool) -> dict[str, Any]:
    return {
        "id": making.now.new_id(),
        "gathering_id": id,
        "member_id": None,
        "answer": Answer.YES.value,
        "answered_at": starts_at - timedelta(days=3),
        "waiting": False,
        "present": Minutes(120) if known else None,
        "ticked_at": starts_at if known else None,
        "ticked_how": "list" if known else "",
        "to_confirm": False,
    } | dict.fromkeys(("name", "email", "from_words", "words"), "")


def _closed(making: Making, id: UUID, starts_at: datetime) -> dict[str, Any]:
    """Its list was closed an hour after the end."""
    return {
        "gathering_id": id,
        "number": 1,
        "kind": StepKind.CLOSED.value,
        "member_id": making.steward,
        "at": starts_at + timedelta(hours=3),
        "words": "",
    }
