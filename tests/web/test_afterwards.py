"""What is left of a gathering, as far as each reader shares in it."""

from __future__ import annotations

import re
from uuid import uuid4

from tests.web.rooms import InTown, in_town
from tests.web.test_settlement import sentences
from tests.web.town import Town
from timebank import stories
from timebank.stories import Use


async def settled(town: Town) -> InTown:
    """Ana, Bert and Jorge were there; the hours are on their statements."""
    room = await in_town(town, hours_ago=5)
    form = await room.sheet()
    came = [str(room.seats[name]) for name in ("Ana", "Bert", "Jorge")]
    await room.post("Ana", "attendance", form | {"came": came})
    await room.close_and_send()
    assert (await room.post("Carla", "settlement/approve")).status_code == 303
    return room


async def said(room: InTown, name: str) -> str:
    """What the page says to somebody."""
    return sentences((await room.get(name, "afterwards")).text)


async def test_everyone_sees_what_they_share_in(town: Town) -> None:
    room = await settled(town)
    jorge = await said(room, "Jorge")
    assert "Thank you for being there." in jorge
    assert "taking part +2:00" in jorge
    assert "What was useful?" in jorge
    assert "Notes" in jorge
    assert "A small circle: of fewer than five we say no more." in jorge
    dora = await said(room, "Dora")  # a coordinator, who was not there
    assert "Thank you" not in dora
    assert "Write down what somebody else said" in dora
    pia = await said(room, "Pia")  # takes a break, and looks
    assert "What was useful?" not in pia
    assert "Notes" not in pia
    assert (await room.get("Olga", "afterwards")).status_code == 404


async def test_words_with_a_consent_for_each_use_and_the_way_back(town: Town) -> None:
    room = await settled(town)
    words = {"useful": "The quiet room.", "might": "Ring Bert.", "in_memory": "1", "named": "1"}
    assert (await room.post("Jorge", "afterwards", words)).status_code == 303
    assert "The quiet room. Jorge Medina" in await said(room, "Pia")
    assert "members may read it" in sentences((await town.get("Jorge", "my-data")).text)
    too_long = await room.post("Jorge", "afterwards", words | {"useful": "a" * 2001})
    assert too_long.status_code == 422
    assert "The quiet room." in await said(room, "Pia"), "a refusal changes nothing"
    async with town.db.read(town.community.id) as conn:
        assert await stories.allowed(conn, town.community.id, Use.REPORTS) == []
    assert (await town.post("Jorge", "my-data/stories", {})).status_code == 303
    assert "The quiet room." not in await said(room, "Pia")
    assert "The quiet room." in await said(room, "Jorge")
    assert (await room.post("Jorge", "afterwards", {"take_back": "1"})).status_code == 303
    assert "The quiet room." not in (await room.get("Ana", "afterwards")).text


async def test_a_coordinator_writes_down_what_bert_said(town: Town) -> None:
    room = await settled(town)
    words = {"useful": "The cake.", "in_reports": "1", "teller": str(room.seats["Bert"])}
    assert (await room.post("Jorge", "afterwards", words)).status_code == 403
    assert (await room.post("Carla", "afterwards", words)).status_code == 303
    async with town.db.read(town.community.id) as conn:
        (story,) = await stories.allowed(conn, town.community.id, Use.REPORTS)
    assert (story.told.useful, story.name, story.written_by) == ("The cake.", "", "Carla Reyes")


async def test_notes_and_actions_of_those_who_were_there(town: Town) -> None:
    room = await settled(town)
    note = {"words": "We want a bench.\nBy the river.", "note": str(uuid4())}
    assert (await room.post("Jorge", "afterwards/note", note)).status_code == 303
    action = {
        "what": "Ask the council",
        "bearer": str(town.id("Bert")),
        "until": "2026-06-01",
        "action": str(uuid4()),
    }
    for _ in range(2):
        assert (await room.post("Jorge", "afterwards/actions", action)).status_code == 303
    page = await said(room, "Ana")
    assert "We want a bench. By the river. Jorge Medina" in page
    assert page.count("Ask the council") == 1
    assert "Bert Cole · until 1 Jun 2026" in page
    empty = await room.post("Jorge", "afterwards/actions", {"what": " "})
    assert empty.status_code == 422
    one = f"afterwards/actions/{action['action']}"
    await room.post("Ana", one, {"act": "done"})
    assert "done, says Ana Lima" in await said(room, "Jorge")
    await room.post("Ana", one, {"act": "undo"})
    assert "done, says" not in await said(room, "Jorge")
    await room.post("Jorge", one, {"act": "remove"})
    assert "Ask the council" not in await said(room, "Jorge")
    gone = note | {"words": ""}
    await room.post("Jorge", "afterwards/note", gone)
    assert "bench" not in await said(room, "Jorge")


async def test_the_mail_leads_to_the_two_questions(town: Town) -> None:
    from sqlalchemy import select

    from timebank.outbox import outbox

    room = await settled(town)
    async with town.db.read(town.community.id) as conn:
        rows = (await conn.execute(select(outbox))).all()
    to_jorge = next(row for row in rows if row.to_address == "jorge@m.example")
    assert re.search(r"2:00\s+taking part", to_jorge.body)
    assert to_jorge.path == town.path(f"afterwards/{room.id}")
    async with town.browser("Jorge") as client:
        assert (await client.get(to_jorge.path)).status_code == 200
