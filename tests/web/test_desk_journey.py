"""The desk in a real browser: how much work it is, with a script and without, by mouse and by keys.

With `SCREENSHOTS` naming a folder, each step leaves a picture there, to be looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from ledger import Minutes
from tests.timebank.factories import a_community, a_member
from tests.web.conftest import served
from tests.web.effort import Effort
from tests.web.test_accessibility import RULES, SMALL_TARGETS, SMALL_TEXT
from timebank import agreements, entry_steps, posting, recording, sessions
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.entry import Entry, Kind, NewEntry, Share
from timebank.members import Member, Role, Status
from timebank.moment import Moment

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORDINARY = 50
INBOX = "/c/riverside/inbox"


@dataclass
class Desk:
    """A community in which fifty ordinary entries wait, and some that are not."""

    settings: Settings
    db: Database
    people: dict[str, Member]
    cookies: dict[str, str]
    now: Moment
    written: int = 0

    async def record(self, giver: str, receiver: str, minutes: int, days_ago: int = 0) -> Entry:
        """Hours that `giver` wrote down."""
        me, other = self.people[giver], self.people[receiver]
        new = NewEntry(
            Kind.HELP,
            (Share(me.id),),
            (Share(other.id),),
            Minutes(minutes),
            (self.now.at - timedelta(days=days_ago)).date(),
            note=f"A favour of {minutes} minutes",
        )
        self.written += 1  # each a second after the one before, an hour ago
        now = Moment(self.now.at - timedelta(hours=1) + timedelta(seconds=self.written))
        async with self.db.write(me.community_id) as conn:
            return await recording.record(conn, me.community_id, new, by=me.id, now=now)

    async def fill(self) -> None:
        """Fifty ordinary entries; one twice, one disputed, and somebody past a limit."""
        for n in range(ORDINARY):
            await self.record("Amina", "Bert", 15 * (n % 4 + 1), days_ago=2 + n // 4)
        await self.record("Amina", "Bert", 15, days_ago=2)
        disputed = await self.record("Amina", "Daniel", 90, days_ago=1)
        daniel = self.people["Daniel"]
        async with self.db.write(daniel.community_id) as conn:
            await entry_steps.dispute(
                conn, daniel.community_id, disputed.id, "An hour.", by=daniel.id, now=self.now
            )
        posted = await self.record("Amina", "Ines", 120, days_ago=20)
        asked = posting.Approve(daniel.community_id, posted.id, daniel.id)
        await posting.post(self.db, [asked], now=self.now)


@asynccontextmanager
async def a_desk(settings: Settings) -> AsyncIterator[Desk]:
    db, now = Database(settings), Moment.now()
    await db.start()
    try:
        async with db.write(EVERYWHERE) as conn:
            place = await a_community(conn, "riverside", name="Riverside Time Bank", now=now)
            people = {
                name.split()[0]: await a_member(
                    conn, place.id, name, email=f"{name.split()[0]}@r.example", role=role, now=now
                )
                for name, role in (
                    ("Amina Diallo", Role.MEMBER),
                    ("Bert Oakes", Role.MEMBER),
                    ("Ines García", Role.MEMBER),
                    ("Carla Reyes", Role.COORDINATOR),
                    ("Daniel Ito", Role.STEWARD),
                )
            }
            await a_member(conn, place.id, "Mei Tan", status=Status.APPLIED, now=now)
            cookies = {
                name: await sessions.begin(conn, person, device="a test", now=now)
                for name in ("Carla", "Daniel")
                if (person := people[name].person_id)
            }
            terms = (await agreements.current(conn, place.id)).terms
            await agreements.adopt(
                conn,
                place.id,
                replace(terms, soft_floor=Minutes(-60)),
                reason="We talked.",
                expected_version=1,
                by=people["Daniel"].id,
                now=now,
            )
        desk = Desk(settings, db, people, cookies, now)
        await desk.fill()
        yield desk
    finally:
        await db.stop()


@asynccontextmanager
async def at_desk(
    browser: Browser, address: str, cookie: str, *, script: bool = True, width: int = 1100
) -> AsyncIterator[Page]:
    context = await browser.new_context(
        base_url=address,
        viewport={"width": width, "height": 844},
        java_script_enabled=script,
        locale="en-GB",
    )
    await context.add_cookies([{"name": "session", "value": cookie, "url": address}])
    page = await context.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        await context.close()


async def _picture(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"desk-{name}.png")


async def test_fifty_entries_are_three_clicks_and_an_undo_is_four(
    browser: Browser, sqlite_settings: Settings
) -> None:
    async with (
        a_desk(sqlite_settings) as desk,
        served(sqlite_settings) as address,
        at_desk(browser, address, desk.cookies["Carla"]) as page,
    ):
        effort = Effort(page)
        await page.goto(INBOX)
        await expect(page).to_have_title("(54) Inbox · Riverside Time Bank")
        effort.begin()
        await effort.click(page.get_by_role("button", name="Look at all 50 ordinary ones"))
        await expect(page.get_by_role("heading", level=1)).to_have_text(
            "Approve 50 entries, 30:45?"
        )
        await _picture(page, "confirm")
        await effort.click(page.get_by_role("button", name="Approve 50 entries, 30:45"))
        await expect(page.get_by_role("main")).to_contain_text("You approved 50 entries, 30:45")
        assert effort.clicks <= 3, effort
        assert effort.loads <= 2, effort

        # From the strip that says what was just done, all of them are taken back again.
        await _picture(page, "just-now")
        effort.begin()
        await effort.click(page.get_by_role("link", name="Undo this"))
        await expect(page.get_by_label("Why?")).to_have_value(
            "Approved by mistake, several at once."
        )
        await effort.click(page.get_by_role("button", name="Undo 50 entries, 30:45"))
        await expect(page.get_by_role("main")).to_contain_text("everything is where it was before")
        assert effort.clicks <= 4, effort

        # One entry, from the list of all of them: opened, undone, with a reason.
        await page.goto("/c/riverside/entries/?show=all&q=120")
        effort.begin()
        await effort.click(page.get_by_role("link", name="Amina Diallo gave time to Ines García"))
        await effort.click(page.get_by_role("link", name="Undo this entry"))
        await effort.click(page.get_by_label("Why?"))
        await effort.write("It was last month")
        await effort.click(page.get_by_role("button", name="Undo 2:00"))
        await expect(page.get_by_role("main")).to_contain_text("It was last month")
        assert effort.clicks <= 4, effort


async def test_the_inbox_by_keyboard_and_what_the_other_coordinator_sees(
    browser: Browser, sqlite_settings: Settings
) -> None:
    async with (
        a_desk(sqlite_settings) as desk,
        served(sqlite_settings) as address,
        at_desk(browser, address, desk.cookies["Carla"]) as carla,
        at_desk(browser, address, desk.cookies["Daniel"], width=390) as daniel,
    ):
        keys = Effort(carla)
        await carla.goto(f"{INBOX}?why=approval")
        boxes = carla.get_by_role("checkbox", name="Amina Diallo gave time")
        await expect(boxes).to_have_count(ORDINARY)
        keys.begin()
        await keys.press("j", "x")
        await expect(boxes.nth(0)).to_be_focused()
        await expect(carla.get_by_role("button", name="Approve one entry, 0:15")).to_be_visible()
        await keys.press("j", "j", "Shift+x")
        await expect(carla.get_by_role("button", name="Approve 3 entries, 1:30")).to_be_visible()
        await expect(carla.locator("[data-chosen]")).to_have_text("Chosen: 3")
        await keys.press("k", "x")
        await expect(carla.get_by_role("button", name="Approve 2 entries, 1:00")).to_be_visible()
        await keys.press("?")
        dialog = carla.get_by_role("dialog", name="Keys")
        await expect(dialog).to_be_visible()
        await _picture(carla, "keys")
        await keys.press("Escape", "a")
        await expect(carla.get_by_role("heading", level=1)).to_have_text("Approve 2 entries, 1:00?")
        await keys.press("Tab")
        assert keys.clicks == 0

        # What she looks at is in her hand for a while, and so is what she opens.
        await daniel.goto(INBOX)
        await expect(daniel.get_by_text("Carla Reyes is on it")).to_have_count(2)
        await carla.goto(f"{INBOX}?why=dispute")
        async with carla.expect_request(lambda request: request.url.endswith("/inbox/take")):
            await carla.keyboard.press("j")
            await carla.keyboard.press("o")
        await expect(carla.get_by_role("button", name="I’ll look into it")).to_be_visible()
        await daniel.goto(f"{INBOX}?why=dispute")
        await expect(daniel.get_by_text("Carla Reyes is on it")).to_be_visible()
        await _picture(daniel, "in-hand")
        await carla.goto(INBOX)
        await carla.get_by_role("button", name="Keys for working without a mouse").click()
        await carla.get_by_label("Use these keys on this computer").uncheck()
        await carla.get_by_role("button", name="Close").click()
        await carla.keyboard.press("j")
        await expect(carla.locator("ul.inbox > li input:focus")).to_have_count(0)


async def test_everything_is_there_without_a_script_and_reads_well(
    browser: Browser, sqlite_settings: Settings
) -> None:
    async with a_desk(sqlite_settings) as desk, served(sqlite_settings) as address:
        async with at_desk(
            browser, address, desk.cookies["Carla"], script=False, width=390
        ) as page:
            await page.goto(f"{INBOX}?why=approval")
            await page.get_by_role("link", name="Tick all").click()
            await page.get_by_role("button", name="Approve the chosen entries").click()
            await page.get_by_role("button", name="Approve 50 entries, 30:45").click()
            await expect(page.get_by_role("main")).to_contain_text("You approved 50 entries, 30:45")
            await page.get_by_role("button", name=re.compile("We talked: put aside.*Ines")).click()
            await page.get_by_label("A word about it").fill("She knows.")
            await page.get_by_role("button", name="Put one thing aside").click()
            await expect(page.get_by_role("main")).to_contain_text("You put one thing aside")
            await page.get_by_role("button", name="Welcome Mei Tan").click()
            await expect(page.get_by_role("main")).to_contain_text("Welcome, Mei Tan!")
            await _picture(page, "without-script")
        async with at_desk(browser, address, desk.cookies["Daniel"], width=320) as page:
            for path in (INBOX, "/c/riverside/inbox/done", "/c/riverside/entries/?show=all"):
                await page.goto(path)
                found = await page.evaluate(SMALL_TARGETS) + await page.evaluate(SMALL_TEXT)
                result = await Axe().run(page, options=RULES)
                found += [one["id"] for one in result.response["violations"]]
                assert found == [], path
