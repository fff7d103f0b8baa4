"""Many at once, through HTTP, on a real server and both databases: one posting, and floors hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import httpx2 as httpx

from ledger import Minutes
from ledger.sql import read
from tests.timebank.factories import a_community, a_member
from tests.web.conftest import served
from timebank import agreements, books, recording, sessions
from timebank.agreements import Terms
from timebank.communities import Community
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share
from timebank.members import Role
from timebank.moment import Moment


class Scene:
    """A community with a coordinator's cookie, and hours that wait for approval."""

    place: Community
    cookie: str
    giver: UUID
    receiver: UUID
    waiting: list[UUID]


async def _scene(db: Database, *, entries_waiting: int, hard_floor: Minutes | None) -> Scene:
    scene, now = Scene(), Moment.now()
    async with db.write(EVERYWHERE) as conn:
        scene.place = await a_community(conn, "riverside", now=now)
        coordinator = await a_member(
            conn, scene.place.id, "Carla", email="c@example.org", role=Role.STEWARD, now=now
        )
        if hard_floor is not None:
            await agreements.adopt(
                conn,
                scene.place.id,
                replace(Terms(), hard_floor=hard_floor),
                reason="we try a hard floor",
                expected_version=1,
                by=coordinator.id,
                now=now,
            )
        giver = await a_member(conn, scene.place.id, "Amina", now=now)
        receiver = await a_member(conn, scene.place.id, "Bert", now=now)
        assert coordinator.person_id is not None
        scene.cookie = await sessions.begin(conn, coordinator.person_id, device="", now=now)
        scene.giver, scene.receiver = giver.id, receiver.id
        new = NewEntry(
            Kind.HELP,
            (Share(giver.id),),
            (Share(receiver.id),),
            Minutes(60),
            now.at.date(),
        )
        scene.waiting = [
            (await recording.record(conn, scene.place.id, new, by=coordinator.id, now=now)).id
            for _ in range(entries_waiting)
        ]
    return scene


async def _approve_all_at_once(address: str, scene: Scene, ids: list[UUID]) -> list[int]:
    async with httpx.AsyncClient(
        base_url=address,
        cookies={"session": scene.cookie},
        headers={"Sec-Fetch-Site": "same-origin"},
        timeout=120,
        limits=httpx.Limits(max_connections=100),
    ) as client:
        answers = await asyncio.gather(
            *(client.post(f"/c/riverside/entries/{id}/approve") for id in ids)
        )
    return [answer.status_code for answer in answers]


async def _balances(db: Database, scene: Scene) -> tuple[Minutes, Minutes]:
    async with db.read(EVERYWHERE) as conn:
        found = await read.accounts(conn, scene.place.id)
    report = await books.verify(db, scene.place.id, now=Moment.now())
    assert report.sound, report.findings
    return found[scene.giver].balance, found[scene.receiver].balance


async def test_twenty_approvals_of_one_entry_at_once_post_it_once(db_settings: Settings) -> None:
    db = Database(db_settings)
    await db.start()
    scene = await _scene(db, entries_waiting=1, hard_floor=None)
    async with served(db_settings) as address:
        answers = await _approve_all_at_once(address, scene, scene.waiting * 20)
    assert set(answers) == {303}, "whoever comes second finds it done"
    assert await _balances(db, scene) == (Minutes(60), Minutes(-60))
    await db.stop()


async def test_a_hundred_spends_at_once_stop_at_the_floor(db_settings: Settings) -> None:
    db = Database(db_settings)
    await db.start()
    scene = await _scene(db, entries_waiting=100, hard_floor=Minutes(-600))
    async with served(db_settings) as address:
        answers = await _approve_all_at_once(address, scene, scene.waiting)
    assert sorted(answers) == [303] * 10 + [422] * 90
    assert await _balances(db, scene) == (Minutes(600), Minutes(-600))
    await db.stop()
