"""A gathering lived through on phones without JavaScript: planned, invited to, and tea found."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import pytest
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from tests.timebank.factories import a_community, a_member
from tests.web.conftest import served
from tests.web.effort import Effort
from timebank import sessions
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.members import MemberKind, Role
from timebank.moment import Moment

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = ViewportSize(width=390, height=844)
HOME = "/c/mill-road"


@asynccontextmanager
async def _phone(browser: Browser, address: str, cookie: str | None = None) -> AsyncIterator[Page]:
    context = await browser.new_context(
        base_url=address, viewport=PHONE, java_script_enabled=False, locale="en-GB"
    )
    if cookie:
        await context.add_cookies([{"name": "session", "value": cookie, "url": address}])
    page = await context.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        await context.close()


async def _people(settings: Settings) -> dict[str, str]:
    """Carla who coordinates, Jorge, Bert without e-mail, the library; who signs in with what."""
    db = Database(settings)
    await db.start()
    now, found = Moment.now(), {}
    async with db.write(EVERYWHERE) as conn:
        place = await a_community(conn, now=now)
        await a_member(conn, place.id, "Bert Oakes", now=now)
        await a_member(conn, place.id, "The Library", kind=MemberKind.ORGANISATION, now=now)
        for name, role in (("carla", Role.COORDINATOR), ("jorge", Role.MEMBER)):
            member = await a_member(
                conn,
                place.id,
                f"{name.title()} Reyes",
                email=f"{name}@x.example",
                role=role,
                now=now,
            )
            assert member.person_id is not None
            found[name] = await sessions.begin(conn, member.person_id, device="", now=now)
    await db.stop()
    return found


def _next_week() -> date:
    return (Moment.now().at + timedelta(days=6)).date()


async def _is_seen_at_once(button: Locator) -> None:
    """Without scrolling, on a phone."""
    box = await button.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= PHONE["height"]


async def test_from_a_format_to_a_room_with_tea(
    browser: Browser, sqlite_settings: Settings
) -> None:
    who = await _people(sqlite_settings)
    async with (
        served(sqlite_settings) as address,
        _phone(browser, address, who["carla"]) as carla,
        _phone(browser, address, who["jorge"]) as jorge,
        _phone(browser, address) as rosa,
    ):
        gathering = await _carla_plans(carla)
        link = await _carla_invites(carla, gathering)
        await _jorge_makes_the_tea(jorge, gathering)
        await _rosa_answers(rosa, link)
        await _carla_reads_the_list(carla, gathering)


async def _carla_plans(page: Page) -> str:
    """From home to the calendar: few clicks, because the format fills in the rest."""
    day = _next_week()
    await page.goto(f"{HOME}/gatherings/")
    effort = Effort(page)
    effort.begin()
    await effort.click(page.get_by_role("button", name="Plan a gathering"))
    await effort.click(page.get_by_role("link", name="Tea and talk"))
    await page.get_by_label("Which day?").fill(day.isoformat())
    await page.get_by_label("From when?").fill("18:00")
    await page.get_by_label("Where?").fill("Library, back room")
    await page.get_by_label("How often?").select_option(label="Every second week")
    await effort.click(page.get_by_role("button", name="Put it in the calendar"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tea and talk")
    assert (effort.clicks, effort.loads) == (3, 3)
    await expect(page.get_by_role("main")).to_contain_text("Every second")
    await _is_seen_at_once(page.get_by_role("button", name="I’m coming"))
    await expect(page.get_by_text("nobody yet")).to_have_count(4)
    found = re.search(r"gatherings/([0-9a-f-]{36})$", page.url)
    assert found
    return found[1]


async def _carla_invites(page: Page, gathering: str) -> str:
    """Jorge by the first letters of his name; Rosa, who is no member, by a link."""
    await page.get_by_role("button", name="Invite someone").click()
    await page.get_by_label("Whom?").fill("jorge")
    await page.get_by_label("A word from you").first.fill("Your cake was so good")
    await page.get_by_role("button", name="Invite them").first.click()
    await expect(page.get_by_role("status")).to_have_text("One person is invited.")
    await page.goto(f"{HOME}/inviting/{gathering}")
    await page.get_by_text("By a personal link").click()
    await page.get_by_label("Their name").first.fill("Rosa Díaz")
    await page.get_by_label("Where do they come from?").first.fill("Shelter")
    await page.get_by_role("button", name="Invite them").last.click()
    link = await page.locator("code").inner_text()
    await page.get_by_text("By a card to print").click()
    await page.get_by_role("button", name="Show the cards").click()
    await expect(page.get_by_role("img", name="The way to your answer")).to_have_count(8)
    return link


async def _jorge_makes_the_tea(page: Page, gathering: str) -> None:
    await page.goto(f"{HOME}/")
    await expect(page.get_by_role("main")).to_contain_text("Nobody yet for: Host, Tea and cake")
    await page.get_by_role("link", name="Tea and talk").click()
    await expect(page.get_by_role("main")).to_contain_text("Carla Reyes invites you.")
    await page.get_by_role("button", name="I will: Tea and cake").click()
    await expect(page.get_by_role("main")).to_contain_text("You come.")
    await page.goto(f"{HOME}/calendar?month={_next_week():%Y-%m}")
    await expect(page.get_by_role("main")).to_contain_text("you do: Tea and cake")
    first = page.get_by_role("link", name="Tea and talk").first
    await expect(first).to_have_attribute("href", re.compile(gathering))


async def _rosa_answers(page: Page, link: str) -> None:
    await page.goto(link)
    await expect(page.get_by_role("main")).to_contain_text("For Rosa Díaz")
    await _is_seen_at_once(page.get_by_role("button", name="I’m coming"))
    await page.get_by_label("A word with your answer").fill("With a friend’s bicycle")
    await page.get_by_role("button", name="I’m coming").click()
    await expect(page.get_by_role("main")).to_contain_text("You come.")
    await page.get_by_role("button", name="Become a member").click()
    await expect(page.get_by_label("Your name")).to_have_value("Rosa Díaz")


async def _carla_reads_the_list(page: Page, gathering: str) -> None:
    await page.goto(f"{HOME}/gatherings/{gathering}")
    await page.get_by_role("button", name="The list").click()
    await page.get_by_text("Put somebody on the list").click()
    await page.get_by_label("Who?").fill("bert")
    await page.get_by_role("button", name="They come").click()
    main = page.get_by_role("main")
    await expect(main).to_contain_text("3 come")
    for said in (
        "Rosa Díaz",
        "Shelter",
        "“With a friend’s bicycle”",
        "Glad of a call",
        "Bert Oakes",
    ):
        await expect(main).to_contain_text(said)
