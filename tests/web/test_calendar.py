"""The month, and one's own calendar behind a secret address."""

from __future__ import annotations

import re

import pytest
from icalendar import Calendar

from tests.web.test_gatherings import planned, says
from tests.web.town import Town

# What these pages say is no matter of the database; what is beneath them runs on both.
pytestmark = pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)


async def test_a_month_has_its_days_and_turns(town: Town) -> None:
    await planned(town, every="week", area="Mill Road")
    page = await town.get("Jorge", "calendar")
    assert "<h1>May 2026</h1>" in page.text
    assert page.text.count('href="#d') == 3  # 12, 19 and 26 May
    assert 'aria-current="date"' in page.text
    assert "Tuesday, 12 May" in page.text
    assert "month=2026-04" in page.text
    june = await town.get("Jorge", "calendar", month="2026-06")
    assert "<h1>June 2026</h1>" in june.text
    assert 'aria-current="date"' not in june.text
    assert "Nothing is planned" in (await town.get("Jorge", "calendar", month="2025-01")).text
    assert "<h1>May 2026</h1>" in (await town.get("Jorge", "calendar", month="2026-13")).text
    mine = await town.get("Jorge", "calendar", mine="1", area="Mill Road")
    assert "Nothing is planned" in mine.text


async def test_a_secret_address_is_shown_once_followed_renewed_and_ended(town: Town) -> None:
    mine = await planned(town)
    await planned(town, title="Not mine")
    await says(town, mine, "Jorge")
    page = await town.post("Jorge", "calendar/feed", {})
    address = re.search(
        r"<code>http://127.0.0.1:8000(/c/mill-road/feed/[\w-]{43})</code>", page.text
    )
    assert address
    again = await town.get("Jorge", "calendar/feed")
    assert address[1] not in again.text
    assert "You have a secret address since" in again.text
    async with town.browser() as program:
        file = await program.get(address[1])
        assert file.status_code == 200
        events = Calendar.from_ical(file.content).walk("VEVENT")
        assert [str(event["SUMMARY"]) for event in events] == ["Tea and talk"]
        await town.post("Jorge", "calendar/feed", {})
        assert (await program.get(address[1])).status_code == 404
    ended = await town.post("Jorge", "calendar/feed", {"end": "1"})
    assert ended.status_code == 303
    assert "You have a secret address" not in (await town.get("Jorge", "calendar/feed")).text
