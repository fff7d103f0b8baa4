"""Thirty-two callers at the time bank's door, all about the same few entries.

Two coordinators approve what others withdraw, decline, dispute and undo at that moment; some ask
twice, some are gone before the answer. Whatever was answered has to fit one order of events for
each entry, in which nobody is overtaken by who asked after they were answered. One approval is at
most one posting, one undoing at most one reversal, and states and journal say the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

from ledger.sql import read
from tests.faults.histories import on
from tests.faults.plan import Fault, Outcome
from tests.infrastructure import postgres
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import entry_steps, migrate
from timebank.config import Settings
from timebank.db import Database
from timebank.entry import Entry, State, StepKind
from timebank.errors import TimebankError
from timebank.posting import Done, reversal_id

CALLERS = 32
_ROUNDS, _ENTRIES, _EACH = 5, 8, 3  # rounds in a trial, entries in a round, asks of each caller

_WAITS = (State.RECORDED, State.DISPUTED)
Stand: TypeAlias = tuple[State, bool]  # and whether it is contested though approved

DEEDS = {"approve": 16, "undo": 9, "withdraw": 2, "dispute": 4, "decline": 1, "look": 6, "leave": 3}

INTERESTING: Mapping[str, float] = {
    "approve: done": 0.015,
    "approve: again": 0.01,
    "approve: refused": 0.03,
    "undo: done": 0.01,
    "undo: again": 0.005,
    "undo: refused": 0.03,
    "withdraw: fine": 0.004,
    "dispute: fine": 0.004,
    "look: seen": 0.05,
    "raced": 0.5,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller asked of an entry, when, and what the answer was; None for who left."""

    deed: str
    began: int
    ended: float
    answer: str | State | None


def expect(deed: str, stand: Stand) -> tuple[str | State, Stand]:
    """What the rules answer on an entry that stands so, and how it stands then."""
    state, contested = stand
    if deed == "approve":
        if state is State.APPROVED:
            return "again", stand
        return ("done", (State.APPROVED, False)) if state in _WAITS else ("refused", stand)
    if deed == "undo":
        if state is State.REVERSED:
            return "again", stand
        return ("done", (State.REVERSED, False)) if state is State.APPROVED else ("refused", stand)
    if deed == "dispute":
        if state is State.APPROVED and not contested:
            return "fine", (state, True)
        return ("fine", (State.DISPUTED, False)) if state in _WAITS else ("refused", stand)
    if deed == "look":
        return state, stand
    over = State.WITHDRAWN if deed == "withdraw" else State.DECLINED
    return ("fine", (over, False)) if state in (*_WAITS, over) else ("refused", stand)


def explained(told: Sequence[Told], last: State) -> bool:
    """Whether some order of these, true to their times, gives these answers and ends so."""
    seen: set[tuple[frozenset[int], Stand]] = set()
    waiting = [(frozenset(range(len(told))), (State.RECORDED, False))]
    while waiting:
        left, stand = waiting.pop()
        if (left, stand) in seen:
            continue
        seen.add((left, stand))
        if stand[0] is last and all(told[number].answer is None for number in left):
            return True
        soonest = min((told[number].ended for number in left), default=0)
        for number in left:
            one = told[number]
            if one.began > soonest:
                continue  # somebody was answered before this was asked
            answer, then = expect(one.deed, stand)
            if one.answer is None or one.answer == answer:
                waiting.append((left - {number}, then))
    return False


@dataclass
class Callers:
    """One round: some entries, and everybody at them."""

    place: MillRoad
    entries: Sequence[Entry]
    told: dict[UUID, list[Told]]

    async def live(self, chances: Random) -> None:
        for _ in range(_EACH):
            (deed,) = chances.choices(list(DEEDS), list(DEEDS.values()))
            entry = chances.choice(self.entries)
            if deed == "leave":
                await self.leave(entry, chances)
            else:
                await self.ask(deed, entry, chances)

    async def ask(self, deed: str, entry: Entry, chances: Random) -> None:
        began = time.monotonic_ns()
        answer: str | State | None = None
        ended = float("inf")
        try:
            answer = await self.answer(deed, entry, chances)
            ended = time.monotonic_ns()
        finally:
            self.told[entry.id].append(Told(deed, began, ended, answer))

    async def leave(self, entry: Entry, chances: Random) -> None:
        """Ask for approval, and be gone before or while it is answered."""
        asking = asyncio.create_task(self.ask("approve", entry, chances))
        await asyncio.sleep(chances.choice((0, 0.001, 0.01)))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def answer(self, deed: str, entry: Entry, chances: Random) -> str | State:
        place = self.place
        coordinator = chances.choice((place.carla, place.dora))
        if deed == "look":
            return (await place.entry(entry.id)).state
        if deed in ("approve", "undo"):
            asked = place.approve if deed == "approve" else place.undo
            verdict = await asked(entry, coordinator, "We talked about it.")
            if isinstance(verdict, Done):
                return "again" if verdict.replayed else "done"
            return "refused"
        by = {"withdraw": place.ana, "dispute": place.bert}.get(deed, coordinator)
        try:
            await place.step(getattr(entry_steps, deed), entry, by, "It was otherwise.")
        except TimebankError:
            return "refused"
        return "fine"


async def one_round(place: MillRoad, chances: Random) -> tuple[list[Told], list[str]]:
    """Record some entries, let everybody at them, and look for what cannot have been."""
    minutes = [15 * chances.randrange(1, 9) for _ in range(_ENTRIES)]
    recorded = [await place.record(helped(place.ana, place.bert, m), place.ana) for m in minutes]
    told: dict[UUID, list[Told]] = {entry.id: [] for entry in recorded}
    callers = Callers(place, recorded, told)
    await asyncio.gather(*(callers.live(Random(chances.random())) for _ in range(CALLERS)))
    await asyncio.sleep(0.05)  # those who left may be served yet
    wrong = []
    for entry in recorded:
        wrong += await _disagreements(place, entry, told[entry.id])
    return [one for some in told.values() for one in some], wrong


async def _disagreements(place: MillRoad, entry: Entry, told: Sequence[Told]) -> list[str]:
    """What answers, state, steps and journal say differently about one entry."""
    now = await place.entry(entry.id)
    async with place.db.read(place.id) as conn:
        rows = await read.posted(conn, place.id, [entry.id, reversal_id(entry.id)])
    steps = Counter(step.kind for step in await place.story(entry))
    posted, undone = len(rows.get(entry.id, ())), len(rows.get(reversal_id(entry.id), ()))
    wrong = []
    should = (now.state in (State.APPROVED, State.REVERSED), now.state is State.REVERSED)
    if (posted, undone) != should:
        wrong.append(f"{entry.id} is {now.state}, with {posted} postings and {undone} reversals")
    if (steps[StepKind.APPROVED], steps[StepKind.REVERSED]) != (posted, undone):
        wrong.append(f"{entry.id} has the steps {dict(steps)} for {posted} postings")
    if not explained(told, now.state):
        order = sorted(told, key=lambda one: one.began)
        wrong.append(f"{entry.id} is {now.state}, and nothing explains the answers {order}")
    return wrong


async def story(
    settings: Settings, seed: int, rounds: int = _ROUNDS
) -> tuple[Counter[str], list[str]]:
    """A few rounds in one community, and the proof of its books."""
    chances = Random(seed)
    db = Database(settings)
    await db.start()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    try:
        place = await mill_road(db)
        for _ in range(rounds):
            told, faults = await one_round(place, chances)
            counts.update(_kinds(told))
            wrong += faults
        await place.assert_sound()
    except AssertionError as error:
        wrong.append(f"the books are not sound: {error}")
    finally:
        await db.stop()
    for kind, share in INTERESTING.items():
        if counts[kind] < share * counts["operations"]:
            wrong.append(f"a dull story: {counts[kind]} of {counts['operations']} {kind}")
    return counts, wrong


def _kinds(told: Sequence[Told]) -> Counter[str]:
    counts = Counter(operations=len(told))
    for one in told:
        answer: Any = "seen" if one.deed == "look" else one.answer
        counts[f"{one.deed}: {answer}" if answer else "gone"] += 1
    for one in told:
        meanwhile = [o for o in told if o.began < one.ended and one.began < o.ended]
        counts["raced"] += len(meanwhile) > 1
    return counts


def trial(seed: int, folder: Path, *, on_postgres: bool) -> Outcome:
    """A few rounds on a new database."""
    with ExitStack() as stack:
        settings = Settings(data=folder, database_url="")
        if on_postgres:
            server = stack.enter_context(postgres.serving())
            settings = stack.enter_context(on(server, f"door_{seed % 10**9}", folder))
        migrate.upgrade(settings)
        counts, wrong = asyncio.run(story(settings, seed))
    return Outcome(counts, tuple(f"seed {seed}: {sentence}" for sentence in wrong))


FAULTS = (
    Fault("door-sqlite", "operations", 480, 50_000, partial(trial, on_postgres=False)),
    Fault("door-postgres", "operations", 480, 50_000, partial(trial, on_postgres=True)),
)
