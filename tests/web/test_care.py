"""Looking after people: newcomers, notes, checks, who is kept apart, and who is asked to stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from tests.timebank.factories import START
from tests.web.town import Town
from timebank import agreements, keeping_apart, members, notes, own_lists, stays, welcoming
from timebank.agreements import Terms
from timebank.members import Status
from timebank.own_lists import Which


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    """SQLite alone: what these pages ask is tried on both databases in tests/timebank."""
    return town_on_sqlite


async def test_the_page_of_one_member_is_for_coordinators_and_every_look_is_noted(
    town: Town,
) -> None:
    path = f"care/{town.id('Bert')}"
    page = await town.get("Carla", path)
    for said in ("07700 900222", "No notes.", "Nothing was checked."):
        assert said in page.text, said
    assert (await town.get("Ana", path)).status_code == 403
    assert (await town.get("Carla", f"care/{town.id('Carla')}")).status_code == 403
    audit = (await town.get("Stella", "audit")).text
    assert "Carla Reyes looked at the notes and checks of Bert Cole" in audit


async def test_notes_are_written_read_by_coordinators_only_and_removed(town: Town) -> None:
    path = f"care/{town.id('Ana')}"
    assert (await town.post("Carla", f"{path}/notes", {"words": ""})).status_code == 422
    form = {"words": "Better to ring after ten."}
    assert (await town.post("Carla", f"{path}/notes", form)).status_code == 303
    assert "ring after ten" in (await town.get("Dora", path)).text
    for rest in (f"members/{town.id('Ana')}", "members/", "my-data"):
        assert "ring after ten" not in (await town.get("Ana", rest)).text
        assert "ring after ten" not in (await town.get("Jorge", rest)).text
    async with town.db.read(town.community.id) as conn:
        (note,) = await notes.of(conn, town.community.id, town.id("Ana"))
    remove = f"{path}/notes/{note.id}/remove"
    assert (await town.post("Dora", remove, {})).status_code == 403
    assert (await town.post("Carla", remove, {})).status_code == 303
    assert "ring after ten" not in (await town.get("Dora", path)).text


async def test_a_check_is_written_down_with_its_day(town: Town) -> None:
    path = f"care/{town.id('Ana')}"
    async with town.db.read(town.community.id) as conn:
        kind = (await own_lists.items(conn, town.community.id, Which.CHECKS))[0]
    form = {"check": str(kind.id), "standing": "in_order", "again_on": "2026-05-04"}
    assert (await town.post("Carla", f"{path}/checks", form)).status_code == 303
    page = await town.get("Dora", path)
    for said in ("References: <strong>in order", "to look at again since 4 May 2026"):
        assert said in page.text, said
    assert "Checks to look at again" in (await town.get("Carla", "care/")).text
    wrong = form | {"checked_on": "2026-05-05"}
    page = await town.post("Carla", f"{path}/checks", wrong)
    assert page.status_code == 422
    assert "still to come" in page.text


async def test_newcomers_are_ticked_off_one_by_one_or_together(town: Town) -> None:
    page = await town.get("Carla", "care/")
    for there in ("Ana Lima", "Bert Cole", "0 of 4"):
        assert there in page.text
    for not_there in ("Dora Nagy", "Mill Road Library", "Mei Tan"):
        assert not_there not in page.text.partition("<main")[2]
    async with town.db.read(town.community.id) as conn:
        steps = await welcoming.of(conn, town.community.id, town.id("Ana"))
    form = {"step": [str(steps[0].step_id), str(steps[2].step_id)], "back": "profile"}
    answer = await town.post("Carla", f"care/{town.id('Ana')}/welcome", form)
    assert answer.headers["location"] == town.path(f"members/{town.id('Ana')}")
    profile = await town.get("Dora", f"members/{town.id('Ana')}")
    assert profile.text.count(" checked") >= 2
    assert "Welcoming" not in (await town.get("Jorge", f"members/{town.id('Ana')}")).text
    assert "2 of 4" in (await town.get("Carla", "care/")).text
    none = await town.post("Carla", "care/", {})
    assert none.status_code == 422
    assert "Tick those" in none.text
    everybody = [str(town.id(name)) for name in ("Ana", "Jorge", "Bert")]
    assert (await town.post("Carla", "care/", {"newcomer": everybody})).status_code == 303
    assert "Everybody is looked after" in (await town.get("Carla", "care/")).text


async def test_an_applicant_has_the_list_on_their_page(town: Town) -> None:
    page = await town.get("Carla", f"members/{town.id('Mei')}")
    assert "We met, in person or on the telephone" in page.text


async def test_coordinators_keep_two_apart_and_end_it(town: Town) -> None:
    path = f"care/{town.id('Ana')}"
    form = {"other": "Jorge Medina", "why": "They argued at the meeting."}
    assert (await town.post("Carla", f"{path}/apart", {"other": "Nobody"})).status_code == 422
    assert (await town.post("Carla", f"{path}/apart", form)).status_code == 303
    page = await town.get("Dora", path)
    for said in ("Jorge Medina", "They argued", "Carla Reyes asked for it"):
        assert said in page.text, said
    assert "argued" not in (await town.get("Ana", "my-data")).text
    refused = await town.post(
        "Ana",
        "entries/",
        {
            "id": "019df2dc-0a00-7aa3-8c53-d3f86d77f88a",
            "side": "gave",
            "receiver-0": "Jorge Medina",
            "minutes": "1:00",
            "day": "2026-05-04",
            "kind": "help",
        },
    )
    assert refused.status_code == 422
    assert "Please talk to a coordinator" in refused.text
    async with town.db.read(town.community.id) as conn:
        (row,) = await keeping_apart.of(
            conn, town.community.id, town.id("Ana"), by=town.id("Carla")
        )
    assert (await town.post("Dora", f"{path}/apart/{row.id}/end", {})).status_code == 303
    assert "They argued" not in (await town.get("Dora", path)).text


async def retention(town: Town, name: str, *, asked: bool = False) -> None:
    """The agreement names six months, and there has been no sign of somebody."""
    async with town.db.write(town.community.id) as conn:
        await agreements.adopt(
            conn,
            town.community.id,
            Terms(retention_months=6),
            reason="We talked about it.",
            expected_version=1,
            by=town.id("Stella"),
            now=town.now,
        )
        await conn.execute(
            insert(stays.stays).values(
                community_id=town.community.id,
                id=town.now.new_id(),
                member_id=town.id(name),
                found_at=START - timedelta(days=50),
                asked_at=START - timedelta(days=50) if asked else None,
                asked_by=town.id("Carla") if asked else None,
            )
        )


async def test_a_coordinator_asks_whether_somebody_stays_and_writes_it_down(town: Town) -> None:
    await retention(town, "Bert")
    assert "Ask whether they stay" in (await town.get("Carla", "care/")).text
    path = f"care/{town.id('Bert')}"
    assert "no sign of Bert Cole for 6 months" in (await town.get("Carla", path)).text
    assert (await town.post("Carla", f"{path}/stay", {"answer": ""})).status_code == 303
    assert "has not answered" in (await town.get("Carla", path)).text
    assert (await town.post("Carla", f"{path}/stay", {"answer": "stays"})).status_code == 303
    assert "What did they say" not in (await town.get("Carla", path)).text


async def test_who_would_rather_be_forgotten_is(town: Town) -> None:
    await retention(town, "Bert", asked=True)
    assert "About to be forgotten" in (await town.get("Carla", "care/")).text
    path = f"care/{town.id('Bert')}/stay"
    unsure = await town.post("Carla", path, {"answer": "goes"})
    assert unsure.status_code == 422
    waiting = await town.record("Ana", "Bert", 60)
    refused = await town.post("Carla", path, {"answer": "goes", "sure": "1"})
    assert refused.status_code == 422
    assert "have to be settled first" in refused.text
    await town.approve(waiting)
    done = await town.post("Carla", path, {"answer": "goes", "sure": "1"})
    assert done.headers["location"] == town.path("care/")
    async with town.db.read(town.community.id) as conn:
        bert = await members.get(conn, town.community.id, town.id("Bert"))
    assert bert.status is Status.LEFT
    assert bert.name.startswith("Former member ")
