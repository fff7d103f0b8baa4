"""What a secret address shows: whatever its owner goes to, and nothing one may not see any more."""

from __future__ import annotations

import re

import pytest
from icalendar import Calendar

from tests.web.test_gatherings import planned, says
from tests.web.town import Town
from timebank import members
from timebank.gatherings import Answer

# What these pages say is no matter of the database; what is beneath them runs on both.
pytestmark = pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)


async def test_it_follows_what_happens_and_ends_with_the_membership(town: Town) -> None:
    tea = await planned(town)
    await says(town, tea, "Jorge", Answer.MAYBE)
    page = await town.post("Jorge", "calendar/feed", {})
    address = re.search(r"/c/mill-road/feed/[\w-]{43}", page.text)
    assert address
    async with town.browser() as program:

        async def status() -> list[str]:
            events = Calendar.from_ical((await program.get(address[0])).content).walk("VEVENT")
            return [str(event["STATUS"]) for event in events]

        assert await status() == ["TENTATIVE"]
        await says(town, tea, "Jorge")
        assert await status() == ["CONFIRMED"]
        await town.post("Ana", f"gatherings/{tea}/call-off", {"words": ""})
        assert await status() == ["CANCELLED"]
        wrong = address[0][:-3] + "xyz"
        assert (await program.get(wrong)).status_code == 404
        assert (await program.get(address[0].replace("mill-road", "next-door"))).status_code == 404
        async with town.db.write(town.community.id) as conn:
            await members.leave(
                conn, town.community.id, town.id("Jorge"), by=town.id("Jorge"), now=town.now
            )
        assert (await program.get(address[0])).status_code == 404
