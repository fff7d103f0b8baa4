"""Reports on the page: any days, in the reader's language, and as files."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from itertools import pairwise

import pytest
from python_calamine import CalamineWorkbook

from ledger import Minutes
from tests.web.test_months import PEOPLE, a_busy_may
from tests.web.town import Town
from timebank import entries, posting, recording
from timebank.entry import Kind, NewEntry, Share

DAYS = "reports?first=2026-05-01&last=2026-05-31"


@pytest.fixture
async def june(town: Town) -> Town:
    """The town on the first of June, with a busy May behind it."""
    await a_busy_may(town)
    return town


async def test_at_first_the_last_month_is_shown_with_its_pictures_and_tables(june: Town) -> None:
    page = await june.get("Carla", "reports")
    for said in (
        "<h1>May 2026</h1>",
        "Members gave",
        "5:00",
        "5 exchanges.",
        "Help",
        "No category named",
        "Here as neighbours",
        "From writing down to counting",
        "Nothing is shown about fewer than 5 people",
    ):
        assert said in page.text, said
    assert page.text.count('<svg class="bars" aria-hidden="true"') >= 3


async def test_a_year_has_its_months_in_a_picture_and_a_table(june: Town) -> None:
    page = await june.get("Carla", "reports?first=2026-01-01&last=2026-12-31")
    assert "<h1>2026</h1>" in page.text
    assert "Month by month" in page.text
    assert "These days are not over" in page.text
    assert 'role="img"' not in page.text  # one month alone is no picture
    async with june.db.write(june.community.id) as conn:
        for giver, receiver in pairwise(PEOPLE):
            new = NewEntry(
                Kind.HELP,
                (Share(june.id(giver)),),
                (Share(june.id(receiver)),),
                Minutes(30),
                date(2026, 6, 1),
            )
            await recording.record(conn, june.community.id, new, by=june.id("Dora"), now=june.now)
        waiting = [
            entry.id
            for entry in await entries.waiting_of(conn, june.community.id, june.id("Dora"), 9)
        ]
    await posting.post(
        june.db,
        [posting.Approve(june.community.id, id, june.id("Carla")) for id in waiting],
        now=june.now,
    )
    page = await june.get("Carla", "reports?first=2026-01-01&last=2026-12-31")
    assert 'role="img" aria-labelledby="columns-title"' in page.text
    assert page.text.count('<rect class="given"') > 2
    table = page.text.partition("Month by month</h2>")[2]
    for said in ("May 2026", "5:00", "June 2026", "2:30", "All together", "7:30"):
        assert said in table, said


async def test_days_that_are_none_are_said_beside_the_field(june: Town) -> None:
    for query, said in (
        ("?first=2026-05-04&last=2026-05-01", "This day is before the first one."),
        ("?first=2026-02-31&last=2026-05-01", "This is not a day."),
        ("?last=2026-05-01", "Say from which day on."),
        ("?first=1900-01-01&last=2026-05-01", "Choose fifty years at most."),
        ("?first=2026-05-04&last=9999-12-31", "Choose fifty years at most."),
    ):
        page = await june.get("Carla", f"reports{query}")
        assert page.status_code == 422, query
        assert said in page.text, query


async def test_a_report_goes_along_as_numbers_that_stay_numbers(june: Town) -> None:
    text = (await june.get("Carla", f"{DAYS}&as=csv")).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    by_row = {(row["about"], row["row"]): row for row in rows}
    assert by_row["May 2026", "People who gave"]["figure"] == "5"
    assert by_row["May 2026", "Exchanges"]["note"] == ""
    assert by_row["Kinds of hours", "Help"]["given_minutes"] == "300"
    book = CalamineWorkbook.from_filelike(
        io.BytesIO((await june.get("Carla", f"{DAYS}&as=xlsx")).content)
    )
    cells = book.get_sheet_by_index(0).to_python()
    assert ["Kinds of hours", "Help", 5.0, 300.0, 300.0, "", ""] in cells
    kept = json.loads((await june.get("Carla", f"{DAYS}&as=json")).text)
    assert kept["numbers"]["active"] == 5
    assert {table["name"] for table in kept["tables"]} == {"kind", "category", "area", "sector"}


async def test_few_people_are_not_shown_anywhere(town: Town) -> None:
    for _ in range(9):
        await town.approve(await town.record("Ana", "Bert", 60, note="Soup", kind=Kind.HELP))
    page = await town.get("Carla", DAYS)
    assert "Fewer than five people gave or received hours" in page.text
    text = (await town.get("Carla", f"{DAYS}&as=csv")).text
    for told in (page.text, text):
        assert "9:00" not in told
        assert "540" not in told
    assert "too few people to be shown" in text


async def test_only_coordinators_make_reports(june: Town) -> None:
    assert (await june.get("Ana", "reports")).status_code == 403
    assert "Reports" not in (await june.get("Ana", "")).text
    assert "Reports" in (await june.get("Carla", "")).text
