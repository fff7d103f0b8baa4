"""Months on the page: closed by a coordinator, read by everyone, and the same ever after.

Seen to turn red: the page of a closed month made from today's entries.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import update
from sqlalchemy.ext.asyncio import create_async_engine

from ledger.sql.rights import EVERY, SETTING
from tests.web.town import Town
from timebank import agreements, closing, communities, members, my_data
from timebank.db import EVERYWHERE

PEOPLE = ("Ana", "Jorge", "Bert", "Stella", "Dora", "Ana")
MAY = "months/2026-05"


async def agree(town: Town, closing_day: int | None = 1) -> None:
    """Months are closed on this day."""
    async with town.db.write(town.community.id) as conn:
        current = await agreements.current(conn, town.community.id)
        await agreements.adopt(
            conn,
            town.community.id,
            replace(current.terms, closing_day=closing_day),
            reason="For the council.",
            expected_version=current.version,
            by=town.id("Stella"),
            now=town.now,
        )


async def a_busy_may(town: Town) -> list[Any]:
    """Five people each give an hour to the next one; it is June then."""
    done = []
    for giver, receiver in pairwise(PEOPLE):
        entry = await town.record(giver, receiver, 60, by="Carla", note=f"{giver} helped")
        await town.approve(entry)
        done.append(entry)
    town.later = timedelta(days=28)
    return done


@pytest.fixture
async def june(town: Town) -> Town:
    """The town on the first of June, with a busy May behind it."""
    await agree(town)
    await a_busy_may(town)
    return town


async def test_a_coordinator_sees_what_waits_and_closes_the_month(june: Town) -> None:
    await june.record("Ana", "Jorge", 30, note="Still waiting")
    await closing.remind(june.db, now=june.now)
    assert "to be closed" in (await june.get("Carla", "months/")).text
    page = await june.get("Carla", MAY)
    for said in ("One thing with a day in this month still waits", "You gave", "Close May 2026"):
        assert (said in page.text) is (said != "You gave"), said
    for_members = await june.get("Ana", MAY)
    assert "Close May 2026" not in for_members.text
    assert "every member can read its report" in for_members.text
    answer = await june.post("Carla", f"{MAY}/close", {})
    assert answer.status_code == 303, answer.text
    page = await june.get("Ana", MAY)
    assert "Closed by Carla Reyes" in page.text
    assert "5 people gave or received hours: 5 gave, 5 received, 5 did both." in page.text
    assert "Where our books stood when it was closed" in page.text


async def test_before_the_agreed_day_nothing_is_closed(town: Town) -> None:
    await a_busy_may(town)
    page = await town.get("Carla", MAY)
    assert "Our agreement names no day" in page.text
    answer = await town.post("Carla", f"{MAY}/close", {})
    assert answer.status_code == 422
    assert "months stay open" in answer.text
    await agree(town, 7)
    page = await town.get("Carla", MAY)
    assert "A coordinator can close it from Sunday, 7 June 2026 on." in page.text
    assert "Close May 2026" not in page.text
    answer = await town.post("Carla", f"{MAY}/close", {})
    assert answer.status_code == 422
    assert "can be closed from 2026-06-07 on" in answer.text


async def all_of_it(town: Town) -> dict[str, object]:
    """The report as people get it: on the page, and as each kind of file."""
    page = await town.get("Ana", f"{MAY}/1")
    assert page.status_code == 200
    whole = re.search(
        r'<section class="balance two".*<p class="no-print take', page.text, re.DOTALL
    )
    assert whole
    files = {kind: await town.get("Ana", f"{MAY}/1", **{"as": kind}) for kind in ("csv", "json")}
    xlsx = await town.get("Ana", f"{MAY}/1", **{"as": "xlsx"})
    book = CalamineWorkbook.from_filelike(io.BytesIO(xlsx.content))
    return {
        "page": whole[0],
        "csv": files["csv"].content,
        "json": files["json"].content,
        "xlsx": book.get_sheet_by_index(0).to_python(),
    }


async def _everything_changes(town: Town, entries: list[Any]) -> None:
    """Late hours, undone ones, other categories, people who leave and are forgotten."""
    await town.approve(await town.record("Ana", "Jorge", 45, note="Late", by="Dora"))
    for entry in entries[:2]:
        answer = await town.post("Carla", f"entries/{entry.id}/undo", {"words": "Twice"})
        assert answer.status_code == 303
    engine = create_async_engine(town.db.settings.owners_url)
    async with engine.begin() as conn:
        if not town.db.is_sqlite:
            await conn.exec_driver_sql(f"SET LOCAL {SETTING} = '{EVERY}'")
        renamed = communities.categories.c.name + " (old)"
        await conn.execute(update(communities.categories).values(name=renamed))
    await engine.dispose()
    async with town.db.write(town.community.id) as conn:
        await members.leave(
            conn, town.community.id, town.id("Jorge"), by=town.id("Carla"), now=town.now
        )
    for name in ("Bert", "Dora"):
        async with town.db.write(EVERYWHERE) as conn:
            await my_data.close(
                conn, town.community.id, town.id(name), by=town.id("Stella"), now=town.now
            )


async def test_a_closed_months_report_is_the_same_byte_for_byte_whatever_happens(
    town: Town,
) -> None:
    await agree(town)
    entries = await a_busy_may(town)
    await town.post("Carla", f"{MAY}/close", {})
    before = await all_of_it(town)
    await _everything_changes(town, entries)
    assert await all_of_it(town) == before
    assert b'"active":5' in before["json"]  # type: ignore[operator]


async def test_late_hours_are_marked_on_the_entry_the_statement_and_in_the_next_report(
    june: Town,
) -> None:
    await june.post("Carla", f"{MAY}/close", {})
    late = [
        await june.record(giver, receiver, 60, by="Carla", note="Found later")
        for giver, receiver in pairwise(PEOPLE)
    ]
    for entry in late:
        await june.approve(entry)
    statement = await june.get("Ana", "statement")
    assert "late, counts in June 2026" in statement.text
    assert "2026-06" in (await june.get("Ana", "statement", **{"as": "csv"})).text
    assert "reported in June 2026" in (await june.get("Ana", f"entries/{late[0].id}")).text
    report = await june.get("Carla", "reports?first=2026-06-01&last=2026-06-30")
    assert "Late: 5:00 of it happened in months that were closed already." in report.text


async def test_opening_a_month_again_takes_two_stewards(june: Town) -> None:
    async with june.db.write(june.community.id) as conn:
        await members.set_role(
            conn,
            june.community.id,
            june.id("Dora"),
            members.Role.STEWARD,
            by=june.id("Stella"),
            now=june.now,
        )
    await june.post("Carla", f"{MAY}/close", {})
    assert "Open this month again" not in (await june.get("Carla", MAY)).text
    answer = await june.post("Stella", f"{MAY}/reopen", {"words": ""})
    assert answer.status_code == 422
    assert "Please fill this in" in answer.text
    await june.post("Stella", f"{MAY}/reopen", {"words": "A sheet was forgotten."})
    page = await june.get("Stella", MAY)
    assert "A sheet was forgotten." in page.text
    assert "Agree: open it again" not in page.text
    answer = await june.post("Stella", f"{MAY}/agree", {})
    assert answer.status_code == 422
    assert "takes two stewards" in answer.text
    assert "Agree: open it again" in (await june.get("Dora", MAY)).text
    assert (await june.post("Dora", f"{MAY}/agree", {})).status_code == 303
    assert "This month is open again." in (await june.get("Carla", MAY)).text
    assert "open again" in (await june.get("Ana", "months/")).text
    await june.post("Carla", f"{MAY}/close", {})
    page = await june.get("Ana", MAY)
    assert f'href="/c/mill-road/{MAY}/1"' in page.text
    assert (
        "The month was opened again after this report" in (await june.get("Ana", f"{MAY}/1")).text
    )


async def test_a_month_that_is_none_is_not_there(town: Town) -> None:
    for path in ("months/2026-13", "months/may", f"{MAY}/1", "months/2026-05/7"):
        assert (await town.get("Carla", path)).status_code == 404
    assert (await town.get("Ana", "months/?year=1066")).status_code == 200
