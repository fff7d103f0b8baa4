"""A steward brings a whole time bank in from her phone, in a real browser without JavaScript."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.timebank.scenes import mill_road
from tests.web.conftest import served
from tests.web.test_imports import HOURS, PEOPLE
from timebank import books, communities, sessions
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_files_of_another_program_come_in_and_the_books_hold(
    browser: Browser, sqlite_settings: Settings, tmp_path: Path
) -> None:
    db = Database(sqlite_settings)
    await db.start()
    road = await mill_road(db)
    async with db.write(EVERYWHERE) as conn:
        assert road.stella.person_id is not None
        token = await sessions.begin(conn, road.stella.person_id, device="", now=Moment.now())
    people, hours = tmp_path / "socias.csv", tmp_path / "transfers.csv"
    people.write_bytes(PEOPLE)
    hours.write_bytes(HOURS)
    async with served(sqlite_settings) as address:
        context = await browser.new_context(
            base_url=address,
            viewport={"width": 390, "height": 844},
            java_script_enabled=False,
            locale="en-GB",
        )
        await context.add_cookies([{"name": "session", "value": token, "url": address}])
        page = await context.new_page()
        page.set_default_timeout(20_000)
        for file, button in ((people, "Bring in 2 rows"), (hours, "Bring in 2 entries, 3:30")):
            await page.goto("/c/mill-road/imports/")
            await page.get_by_label("Your file").set_input_files(file)
            await page.get_by_role("button", name="Read this file").click()
            await page.get_by_role("button", name="Check every row").click()
            if file is people:
                await page.get_by_label("Leave the row with a mistake out").check()
            await page.get_by_role("button", name=button).click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Brought in")
        await context.close()
    async with db.read(EVERYWHERE) as conn:
        place = (await communities.every(conn))[0]
    report = await books.verify(db, place.id, now=Moment.now())
    assert report.sound, report.findings
    assert report.transfers == 2
    await db.stop()
