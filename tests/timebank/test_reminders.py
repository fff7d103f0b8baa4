"""Reminders: once some days before, once the day before, in the morning, and to who is concerned.

Seen to turn red: looking whether one was sent before the gathering is locked.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import time, timedelta

import pytest

from tests.timebank.factories import a_member
from tests.timebank.gathering_scenes import EVENING, TEA, TUESDAY, Circle, a_circle
from timebank import acting, planning, reminders
from timebank.db import Database
from timebank.gatherings import Answer
from timebank.moment import Moment


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


def days_before(days: int, hour: int = 8) -> Moment:
    """So many days before the gathering, at this hour by London's clocks."""
    return Moment(EVENING.starts_at("Europe/London") - timedelta(days=days, hours=18 - hour))


async def test_everyone_is_reminded_twice_and_only_of_what_takes_place(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, bring="A cup"))
    off = await circle.plan(replace(TEA, title="Called off"))
    await circle.offers(id, here.bert, "tea")
    await circle.says(id, here.dora, Answer.MAYBE)
    await circle.says(id, here.carla, Answer.NO)
    await circle.invites(id, here.ana, here.stella)
    await circle.says(id, here.ines, by=here.ana)
    async with here.db.write(circle.id) as conn:
        alone = await a_member(conn, circle.id, "Ivo Brandt", phone="07700 900333")
    await circle.says(id, alone, by=here.ana)
    await circle.says(off, here.bert)
    await circle.do(planning.call_off, off, "", by=here.ana)
    begun = len(await circle.letters())

    async def new() -> dict[str, str]:
        letters = sorted((await circle.letters())[begun:], key=lambda one: one.to_address)
        return {one.to_address.split("@")[0]: one.body for one in letters}

    assert await reminders.send_due(here.db, now=days_before(4)) == 0
    assert await reminders.send_due(here.db, now=days_before(3, hour=7)) == 0
    sent = await asyncio.gather(
        *(reminders.send_due(here.db, now=days_before(3, hour=9)) for _ in range(3))
    )
    assert sum(sent) == 1
    first = await new()
    assert set(first) == {"ana", "bert", "dora", "stella"}
    assert "have not said yes or no yet" in first["stella"]
    assert "It is good that you come" in first["bert"]
    assert "Please bring: A cup" in first["ana"]  # she reads for Inés
    assert await reminders.send_due(here.db, now=days_before(2)) == 0
    begun = len(await circle.letters())
    assert await reminders.send_due(here.db, now=days_before(1)) == 1
    assert await reminders.send_due(here.db, now=days_before(1, hour=20)) == 0
    letters = (await circle.letters())[begun:]
    bodies = [letter.body for letter in letters if letter.to_address.startswith("bert")]
    assert "What you do: Tea and cake. Thank you!" in bodies[0]
    organiser = next(one for one in letters if "3 coming" in one.subject)
    assert organiser.to_address == "ana@example.org"
    assert "Nobody yet for: Facilitate." in organiser.body
    assert "So many have no e-mail and are glad of a call: 1" in organiser.body
    # To have put somebody on a list is no way to learn their number.
    for reader, phone in ((here.ana, ""), (here.carla, "07700 900333")):
        async with here.db.read(circle.id) as conn:
            actor = await acting.one(conn, circle.id, reader.id)
            calls = await reminders.to_ring_up(conn, await circle.get(id), actor)
        assert [(call.seat.name, call.phone) for call in calls] == [("Ivo Brandt", phone)]


async def test_one_that_was_moved_is_reminded_of_anew_but_not_on_the_same_day(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan()
    await circle.says(id, here.bert)
    assert await reminders.send_due(here.db, now=days_before(3)) == 1
    later = replace(EVENING, day=TUESDAY + timedelta(days=1), at=time(10))
    await circle.do(planning.edit, id, TEA, later, by=here.ana, now=days_before(2, hour=9))
    assert await reminders.send_due(here.db, now=days_before(2, hour=10)) == 0
    assert await reminders.send_due(here.db, now=days_before(1)) == 1
    assert await reminders.send_due(here.db, now=days_before(0)) == 1
    assert (await circle.to("bert"))[-1] == "Tomorrow: Tea and talk"
