"""Limits as people meet them: before they write, at home, on their statement, in their mail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from ledger import Minutes
from tests.web.town import Town
from timebank import agreements
from timebank.outbox import outbox


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    return town_on_sqlite


async def limited(town: Town, **terms: Any) -> None:
    async with town.db.write(town.community.id) as conn:
        current = await agreements.current(conn, town.community.id)
        await agreements.adopt(
            conn,
            town.community.id,
            replace(current.terms, **terms),
            reason="We talked.",
            expected_version=current.version,
            by=town.id("Stella"),
            now=town.now,
        )


def received(form_id: UUID, minutes: str) -> dict[str, str]:
    return {
        "id": str(form_id),
        "side": "received",
        "giver-0": "Jorge Medina",
        "minutes": minutes,
        "day": "2026-05-04",
        "kind": "help",
    }


async def test_who_would_cross_a_limit_reads_it_before_it_is_written_down(town: Town) -> None:
    await limited(town, soft_floor=Minutes(-60))
    form = received(town.now.new_id(), "1:30")
    page = await town.post("Ana", "entries/", form)
    assert page.status_code == 200
    assert "You would be at −1:30 after this. Below −1:00 we like to talk." in page.text
    assert await town.entries_of("Ana") == []
    assert (await town.post("Ana", "entries/", form | {"known": "1"})).status_code == 303
    (entry,) = await town.entries_of("Ana")
    await town.approve(entry)
    # Already past it: no question any more, but a word where one stands.
    again = await town.post("Ana", "entries/", received(town.now.new_id(), "0:15"))
    assert again.status_code == 303
    for page_of in ("", "statement", "entries/new"):
        assert "You are below −1:00" in (await town.get("Ana", page_of)).text


async def test_what_stands_already_is_not_asked_about_when_it_is_sent_again(town: Town) -> None:
    """They never saw the answer; meanwhile other hours moved, and it would cross a limit now."""
    await limited(town, soft_floor=Minutes(-60))
    form = received(town.now.new_id(), "0:45")
    first = await town.post("Ana", "entries/", form)
    assert first.status_code == 303
    other = received(town.now.new_id(), "0:30")
    assert (await town.post("Ana", "entries/", other)).status_code == 303
    (entry,) = [one for one in await town.entries_of("Ana") if str(one.id) == other["id"]]
    await town.approve(entry)
    again = await town.post("Ana", "entries/", form)
    assert (again.status_code, again.headers.get("location")) == (303, first.headers["location"])
    assert len(await town.entries_of("Ana")) == 2
    changed = await town.post("Ana", "entries/", form | {"note": "Something else"})
    assert changed.status_code == 422
    new = await town.post("Ana", "entries/", form | {"id": str(town.now.new_id())})
    assert "You would be at −1:15 after this." in new.text


async def test_balances_of_others_are_not_told_to_who_gives_to_them(town: Town) -> None:
    await limited(town, soft_floor=Minutes(-60))
    given = {
        "id": str(town.now.new_id()),
        "side": "gave",
        "receiver-0": "Jorge Medina",
        "minutes": "2:00",
        "day": "2026-05-04",
        "kind": "help",
    }
    assert (await town.post("Ana", "entries/", given)).status_code == 303
    (entry,) = await town.entries_of("Ana")
    assert "would be at" not in (await town.get("Ana", f"entries/{entry.id}")).text
    assert "You would be at −2:00" in (await town.get("Jorge", f"entries/{entry.id}")).text
    page = await town.get("Carla", f"entries/{entry.id}")
    assert "Jorge Medina would be at −2:00 after this" in page.text
    async with town.db.read(town.community.id) as conn:
        mails = {row.to_address: row.body for row in await conn.execute(select(outbox))}
    assert "your balance would be −2:00" in mails["jorge@m.example"]


async def test_the_limits_and_how_they_are_worked_out_stand_on_the_statement(town: Town) -> None:
    await limited(
        town,
        soft_floor=Minutes(-60),
        hard_floor=Minutes(-120),
        floor_growth=50,
        lowest_floor=Minutes(-150),
        soft_ceiling=Minutes(2400),
    )
    await town.approve(await town.record("Ana", "Jorge", 40))
    page = await town.get("Ana", "statement")
    for said in (
        "When a balance falls below −1:00, we talk.",
        "When a balance goes above 40:00",
        "Below −2:22 nothing more is approved",
        "goes down by 50% of the 0:45 given so far, which makes −2:22. It never goes below −2:30.",
    ):
        assert said in page.text, said


async def test_an_override_is_marked_where_the_person_concerned_looks(town: Town) -> None:
    await limited(town, soft_floor=Minutes(-60), hard_floor=Minutes(-60))
    entry = await town.record("Ana", "Jorge", 90)
    refused = await town.post("Carla", f"entries/{entry.id}/approve", {})
    assert refused.status_code == 422
    assert "Approve it all the same" in refused.text
    form = {"override": "1", "words": "He is moving house."}
    await town.post("Carla", f"entries/{entry.id}/approve", form)
    assert "passed the lowest balance, for a reason" in (await town.get("Jorge", "statement")).text
    page = await town.get("Jorge", f"entries/{entry.id}")
    assert "The limit itself stays as it is." in page.text
    assert "He is moving house." in page.text
