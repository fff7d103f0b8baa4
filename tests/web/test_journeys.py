"""Whole stories, lived through in a real browser on a phone, on both databases, without JavaScript.

With `SCREENSHOTS` naming a folder, each step leaves a picture there, to be looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.web.conftest import served
from timebank import books, communities, directory, invitations, members
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.members import Role
from timebank.moment import Moment

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = ViewportSize(width=390, height=844)
WORDS = "seven kettles on the canal"


@asynccontextmanager
async def _phone(browser: Browser, address: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        base_url=address, viewport=PHONE, java_script_enabled=False, locale="en-GB"
    )
    page = await context.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        await context.close()


async def _picture(page: Page, settings: Settings, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        kind = "sqlite" if settings.url.startswith("sqlite") else "postgresql"
        await page.screenshot(path=Path(folder) / f"{kind}-{name}.png", full_page=True)


async def _accept(page: Page, link: str, name: str, email: str) -> None:
    await page.goto(link)
    await page.get_by_label("Your name").fill(name)
    await page.get_by_label("Your e-mail address").fill(email)
    await page.get_by_label("Choose a password").fill(WORDS)


async def _community(db: Database) -> tuple[str, dict[str, str]]:
    """A community whose steward is still to come, Bert without e-mail, and links for the others."""
    now = Moment.now()
    async with db.write(EVERYWHERE) as conn:
        place = await communities.create(
            conn,
            slug="riverside",
            name="Riverside Time Bank",
            language="en",
            timezone="Europe/London",
            now=now,
        )
        first = await members.insert_member(
            conn,
            place.id,
            name="Stella Ward",
            status=members.Status.ACTIVE,
            role=Role.STEWARD,
            now=now,
        )
        await members.add(conn, place.id, name="Bert Oakes", by=first.id, now=now)
        links = {
            name: await invitations.invite(
                conn, place.id, name=name, email="", by=first.id, now=now, base_url=""
            )
            for name in ("Amina Diallo", "Carla Reyes")
        }
    return f"/c/{place.slug}", links


async def _make_coordinator(db: Database, name: str) -> None:
    """Stella, who has no sign-in yet, asks Carla to coordinate."""
    now = Moment.now()
    async with db.write(EVERYWHERE) as conn:
        place = (await communities.every(conn))[0]
        found = {row.member.name: row.member for row in await directory.page(conn, place.id)}
        await members.set_role(
            conn,
            place.id,
            found[name].id,
            Role.COORDINATOR,
            by=found["Stella Ward"].id,
            now=now,
        )


async def test_from_an_invitation_to_an_hour_on_two_statements_and_back(
    browser: Browser, db_settings: Settings
) -> None:
    db = Database(db_settings)
    await db.start()
    home, links = await _community(db)
    try:
        async with (
            served(db_settings) as address,
            _phone(browser, address) as amina,
            _phone(browser, address) as carla,
        ):
            await _amina_records(amina, db_settings, home, links["Amina Diallo"])
            await _accept(carla, links["Carla Reyes"], "Carla Reyes", "carla@example.org")
            await carla.get_by_role("button", name="Come in to Riverside Time Bank").click()
            await _make_coordinator(db, "Carla Reyes")
            await _carla_approves(carla, db_settings, home)
            await _both_statements_show_it(amina, carla, db_settings, home)
            await _carla_undoes_it(carla, db_settings, home)
            await _both_statements_show_the_pair(amina, carla, db_settings, home)
        async with db.read(EVERYWHERE) as conn:
            place = (await communities.every(conn))[0]
        report = await books.verify(db, place.id, now=Moment.now())
        assert report.sound, report.findings
    finally:
        await db.stop()


async def _amina_records(page: Page, settings: Settings, home: str, link: str) -> None:
    await _accept(page, link, "Amina Diallo", "amina@example.org")
    await _picture(page, settings, "01-invitation")
    await page.get_by_role("button", name="Come in to Riverside Time Bank").click()
    await expect(page).to_have_url(re.compile(f"{home}/$"))
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Amina")
    await _picture(page, settings, "02-home-empty")
    await page.get_by_role("button", name="I gave time").click()
    await page.get_by_label("To whom?").fill("bert")
    await page.get_by_label("How long?").fill("1:30")
    await page.get_by_label("A few words").fill("Shopping, and a cup of tea")
    await _picture(page, settings, "03-record")
    await page.get_by_role("button", name="Write down that I gave this").click()
    await expect(page.get_by_role("main")).to_contain_text("1:30")
    await expect(page.get_by_role("main")).to_contain_text("Bert Oakes")
    await _picture(page, settings, "04-entry")
    await page.goto(f"{home}/statement")
    await expect(page.get_by_role("main")).to_contain_text("Nothing here yet")


async def _carla_approves(page: Page, settings: Settings, home: str) -> None:
    await page.goto(f"{home}/")
    await page.get_by_role("link", name="One thing waits in the inbox").click()
    await _picture(page, settings, "05-inbox")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Approve the chosen entries").click()
    await _picture(page, settings, "06-confirm")
    await page.get_by_role("button", name="Approve one entry, 1:30").click()
    await expect(page.get_by_role("main")).to_contain_text("Nothing waits")
    await _picture(page, settings, "07-inbox-empty")


async def _both_statements_show_it(amina: Page, carla: Page, settings: Settings, home: str) -> None:
    await amina.goto(f"{home}/statement")
    await expect(amina.get_by_role("main")).to_contain_text("+1:30")
    await _picture(amina, settings, "08-statement")
    await _open_berts_statement(carla, home)
    await expect(carla.get_by_role("main")).to_contain_text("−1:30")
    await carla.goto(f"{home}/books")
    total = carla.get_by_label("The sum of all balances")
    await expect(total).to_contain_text("0:00")
    await _picture(carla, settings, "09-books")


async def _open_berts_statement(page: Page, home: str) -> None:
    await page.goto(f"{home}/members/")
    await page.get_by_role("link", name="Bert Oakes").click()
    await page.get_by_role("link", name=re.compile("statement", re.IGNORECASE)).first.click()


async def _carla_undoes_it(page: Page, settings: Settings, home: str) -> None:
    await _open_berts_statement(page, home)
    await page.get_by_role("link", name="Shopping, and a cup of tea").click()
    await page.get_by_role("link", name="Undo this entry").click()
    await page.get_by_label("Why?").fill("It was last week, and half an hour less")
    await _picture(page, settings, "10-undo")
    await page.get_by_role("button", name="Undo 1:30").click()
    await expect(page.get_by_role("main")).to_contain_text("half an hour less")
    await _picture(page, settings, "11-undone")


async def _both_statements_show_the_pair(
    amina: Page, carla: Page, settings: Settings, home: str
) -> None:
    await amina.goto(f"{home}/statement")
    struck = amina.locator("li.undone")
    await expect(struck).to_have_count(2)
    await expect(struck.filter(has_text="undone later")).to_have_count(1)
    await expect(amina.get_by_label("Hours")).to_contain_text("0:00")
    await _picture(amina, settings, "12-pair")
    await _open_berts_statement(carla, home)
    await expect(carla.locator("li.undone")).to_have_count(2)
