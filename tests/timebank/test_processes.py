"""Several application processes on one PostgreSQL, at the same entries at the same moment.

Three real processes approve the same entries of the same two communities, each in an order of its
own: half of them between people at random, half out of one account that all of them share. Whoever
comes first posts, the others are told that it is done; a floor holds whichever process judges.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from ledger import Minutes
from ledger.errors import FloorReached
from ledger.sql import read, store
from tests.timebank.factories import a_community, a_member, at
from timebank import books, posting, recording
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share
from timebank.members import Member, Role
from timebank.moment import Moment
from timebank.posting import Approve, Done

ROOT = Path(__file__).parents[2]
PROCESSES, CALLERS, ENTRIES = 3, 8, 60
HOUR = 60
ROOM = 20 * HOUR  # what the shared account may still give: for two thirds of what is asked of it


async def settle(db: Database, place: dict[str, Any], chances: random.Random) -> list[list[str]]:
    """Approve all entries of the places, by several callers at once; id and answer of each."""
    told: list[list[str]] = []
    asks = [
        Approve(UUID(community), UUID(id), UUID(coordinator))
        for community, (coordinator, ids) in place.items()
        for id in ids
    ]
    chances.shuffle(asks)
    waiting = iter(asks)

    async def caller() -> None:
        for ask in waiting:
            (verdict,) = await posting.post(db, [ask], now=Moment(at(hours=1).at))
            told.append([str(verdict.entry_id), _word(verdict)])

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return told


def _word(verdict: posting.Verdict) -> str:
    if isinstance(verdict, Done):
        return "again" if verdict.replayed else "posted"
    return type(verdict.error).__name__


async def test_three_processes_post_what_one_would(postgres_settings: Settings) -> None:
    db = Database(postgres_settings)
    await db.start()
    try:
        places = {str(id): task for id, task in [await _place(db, s) for s in ("a", "b")]}
        told = await asyncio.to_thread(_told_by_processes, postgres_settings, places)
        answers: dict[str, list[str]] = {}
        for id, word in told:
            answers.setdefault(id, []).append(word)
        for community, (_, ids) in places.items():
            _judge(ids, answers)
            await _lift_floors(db, UUID(community))
            report = await books.verify(db, UUID(community), now=at(days=100))
            assert report.sound, report.findings
        async with db.read(EVERYWHERE) as conn:
            deadlocks = text(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
            assert (await conn.execute(deadlocks)).scalar_one() == 0
    finally:
        await db.stop()


def _judge(ids: Sequence[str], answers: dict[str, list[str]]) -> None:
    """Each entry was posted by one process at most, and all agree on it."""
    posted = Counter(word for id in ids for word in answers[id])
    floor = FloorReached.__name__
    out_of_one, among_people = ids[: ENTRIES // 2], ids[ENTRIES // 2 :]
    for id in among_people:
        assert sorted(answers[id]) == ["again", "again", "posted"], id
    for id in out_of_one:  # refused for all, or posted once
        assert answers[id].count("posted") <= 1, id
        assert len(answers[id]) == PROCESSES, id
        assert set(answers[id]) <= {"posted", "again", floor}, id
    given = sum("posted" in answers[id] for id in out_of_one)
    assert given == ROOM // HOUR, "the floor did not hold, or held too early"
    assert posted["posted"] == given + len(among_people)


async def _place(db: Database, slug: str) -> tuple[UUID, tuple[str, list[str]]]:
    """A community with people in it, and entries that wait for its coordinator."""
    async with db.write(EVERYWHERE) as conn:
        place = await a_community(conn, slug)
        people = [await a_member(conn, place.id, f"Neighbour {n}") for n in range(10)]
        shared = await a_member(conn, place.id, "Sam")
        coordinator = await a_member(conn, place.id, "Carla", role=Role.COORDINATOR)
        await store.set_floor(conn, place.id, [shared.account_id], Minutes(-ROOM))
    chances = random.Random(slug)
    pairs = [(chances.choice(people), shared) for _ in range(ENTRIES // 2)]
    pairs += [(one, two) for one, two in (chances.sample(people, 2) for _ in range(ENTRIES // 2))]
    async with db.write(place.id) as conn:
        ids = [
            (
                await recording.record(
                    conn, place.id, _helped(giver, receiver), by=giver.id, now=at()
                )
            ).id
            for giver, receiver in pairs
        ]
    return place.id, (str(coordinator.id), [str(id) for id in ids])


async def _lift_floors(db: Database, community: UUID) -> None:
    """The floor of one was set by hand, for the race; the agreement knows of none."""
    async with db.write(community) as conn:
        accounts = await read.accounts(conn, community)
        await store.set_floor(conn, community, accounts, None)


def _helped(giver: Member, receiver: Member) -> NewEntry:
    sides = (Share(giver.account_id),), (Share(receiver.account_id),)
    return NewEntry(Kind.HELP, *sides, Minutes(HOUR), at().at.date(), "Soup")


def _told_by_processes(settings: Settings, places: dict[str, Any]) -> list[list[str]]:
    """What every process was told, all of them together."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for number, process in enumerate(started):
            assert process.stdin is not None
            task = {"url": settings.url, "data": str(settings.data), "seed": number}
            process.stdin.write(json.dumps({**task, "places": places}) + "\n")
            process.stdin.flush()
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        begin = time.time() + 0.05
        for process in started:
            assert process.stdin is not None
            process.stdin.write(f"{begin}\n")
            process.stdin.flush()
        told = [process.communicate(timeout=120)[0] for process in started]
        assert [process.returncode for process in started] == [0] * PROCESSES
        return [answer for one in told for answer in json.loads(one)]
    finally:
        for process in started:
            process.kill()
            process.communicate()


async def _one_process(task: dict[str, Any]) -> list[list[str]]:
    db = Database(Settings(data=Path(task["data"]), database_url=task["url"]))
    await db.start()
    try:
        print("ready", flush=True)
        begin = float(await asyncio.to_thread(sys.stdin.readline))
        await asyncio.sleep(max(0.0, begin - time.time()))
        return await settle(db, task["places"], random.Random(task["seed"]))
    finally:
        await db.stop()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_one_process(json.loads(sys.stdin.readline())))))
