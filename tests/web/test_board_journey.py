"""From a request on the board to hours on two statements, on a phone without JavaScript.

Bert has no e-mail: Carla writes his request down, Amina answers it, and Carla turns the answer into
hours. Bert's statement shows them, and the entry says which request they came from.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.web.conftest import served
from timebank import books, communities, members, sessions
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.members import Role, Status
from timebank.moment import Moment
from timebank.people import create

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = ViewportSize(width=390, height=844)
HOME = "/c/riverside"


async def _community(db: Database) -> dict[str, str]:
    """Amina and Carla with a session each, a second coordinator, and Bert who has no e-mail."""
    now = Moment.now()
    cookies = {}
    async with db.write(EVERYWHERE) as conn:
        place = await communities.create(
            conn,
            slug="riverside",
            name="Riverside Time Bank",
            language="en",
            timezone="Europe/London",
            now=now,
        )
        for name, role in (("Amina", Role.MEMBER), ("Carla", Role.STEWARD)):
            person = await create(conn, f"{name.lower()}@example.org", "en", now=now)
            await members.insert_member(
                conn,
                place.id,
                name=f"{name} Reyes",
                status=Status.ACTIVE,
                role=role,
                person_id=person.id,
                now=now,
            )
            cookies[name] = await sessions.begin(conn, person.id, device="", now=now)
        await members.insert_member(
            conn, place.id, name="Bert Oakes", status=Status.ACTIVE, now=now
        )
    return cookies


@asynccontextmanager
async def _phone(browser: Browser, address: str, cookie: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        base_url=address, viewport=PHONE, java_script_enabled=False, locale="en-GB"
    )
    await context.add_cookies([{"name": "session", "value": cookie, "url": address}])
    page = await context.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        await context.close()


async def test_a_request_of_somebody_without_e_mail_becomes_hours(
    browser: Browser, db_settings: Settings
) -> None:
    db = Database(db_settings)
    await db.start()
    cookies = await _community(db)
    try:
        async with (
            served(db_settings) as address,
            _phone(browser, address, cookies["Carla"]) as carla,
            _phone(browser, address, cookies["Amina"]) as amina,
        ):
            await _carla_writes_berts_request(carla)
            await _amina_answers(amina)
            await _carla_writes_the_hours_down(carla)
            await _it_stands_on_berts_statement(carla)
        async with db.read(EVERYWHERE) as conn:
            place = (await communities.every(conn))[0]
        report = await books.verify(db, place.id, now=Moment.now())
        assert report.sound, report.findings
    finally:
        await db.stop()


async def _carla_writes_berts_request(page: Page) -> None:
    await page.goto(f"{HOME}/listings/")
    await page.get_by_role("button", name="I would like help").click()
    await page.get_by_label("In a few words").fill("A lift to the eye clinic")
    await page.get_by_text("For somebody who does not use a computer").click()
    await page.get_by_label("Who?").fill("bert")
    await page.get_by_role("button", name="Put it on the board").click()
    await expect(page.get_by_role("main")).to_contain_text("Bert Oakes")
    await expect(page.get_by_role("main")).to_contain_text("Nobody yet.")


async def _amina_answers(page: Page) -> None:
    await page.goto(f"{HOME}/listings/")
    await page.get_by_role("link", name="A lift to the eye clinic").click()
    await page.get_by_label("A word to them").fill("I can, on Thursday at ten.")
    await page.get_by_role("button", name="I can help").click()
    await expect(page.get_by_role("status")).to_contain_text("We tell them what you said")


async def _carla_writes_the_hours_down(page: Page) -> None:
    await page.goto(f"{HOME}/listings/")
    await page.get_by_role("link", name="A lift to the eye clinic").click()
    await expect(page.get_by_role("main")).to_contain_text("on Thursday at ten")
    await page.get_by_role("button", name="Write down the hours with Amina Reyes").click()
    await expect(page.get_by_label("Who gave the time?")).to_have_value("Amina Reyes")
    await expect(page.get_by_label("Who received it?")).to_have_value("Bert Oakes")
    await page.get_by_label("How long?").fill("1:30")
    await page.get_by_role("button", name="Write it down").last.click()
    await expect(page.get_by_role("main")).to_contain_text("It came from the request")
    await page.get_by_role("button", name="Approve 1:30").click()
    await page.get_by_role("link", name="It is still on the board").click()
    await page.get_by_role("button", name="Somebody was found: take it off").click()
    await expect(page.get_by_role("main")).to_contain_text("taken off the board")


async def _it_stands_on_berts_statement(page: Page) -> None:
    await page.goto(f"{HOME}/members/")
    await page.get_by_role("link", name="Bert Oakes").click()
    await page.get_by_role("link", name=re.compile("statement")).click()
    await expect(page.get_by_role("main")).to_contain_text("−1:30")
