"""axe finds nothing (WCAG 2.2 A and AA) on any page, light or dark, and none scrolls sideways.

Text has at least 18 pixels, and what one presses at least 44. The pages are those of the route
table: a page added tomorrow is looked at too.
"""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from tests.timebank.evenings import a_gathering
from tests.timebank.factories import START
from tests.web.conftest import served
from tests.web.test_permissions import NOW, World, a_file, a_proposal, build
from timebank import communities, doors, duties, invitations, inviting, series, sessions, tokens
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.gatherings import Openness
from timebank.moment import Moment
from timebank.plan import Plan, When
from timebank.recurrence import Every
from web.routes import TABLE

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_PAGES = {
    "health:show",
    "files:icon",
    "files:show",
    "gathering:as_event",
    "gatherings:as_event",
    "gatherings:as_series",
    "feed:show",
    "whats_on:feed",
    "whats_on:as_event",
    "my_data:download",
    "mail:show",
    "paper:statements_file",
    "sheets:names",
}
"""What answers with something other than a page; mail:show is opened from mail:index."""

OF_THE_MEMBER = ("entries:edit", "proposals:edit")
"""Pages that open only for the member who wrote the thing down."""

COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""The one rule that the dark can break: the page is the same, in other colours."""

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
}

SMALL_TARGETS = """
[...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')]
  .map(one => one.closest('label') ?? one)
  .filter(one => one.checkVisibility() && getComputedStyle(one).clipPath === 'none')
  .filter(one => !(one.matches('a') && one.closest('p:not(.others p), blockquote, .letter')))
  .filter(one => one.getBoundingClientRect().height < 43.9)
  .map(one => `${one.localName} “${one.textContent.trim().slice(0, 30)}”`)"""
"""What a trembling hand would miss; links within a sentence are as high as the sentence."""

SMALL_TEXT = """[...document.querySelectorAll('body *')]
  .filter(one => [...one.childNodes].some(part => part.nodeType === 3 && part.data.trim()))
  .filter(one => one.checkVisibility() && parseFloat(getComputedStyle(one).fontSize) < 17.9)
  .map(one => `${one.localName} “${one.textContent.trim().slice(0, 30)}”`)"""


_FIRST = {
    "affiliations": "other",
    "afterwards": "left",
    "attendance": "open",
    "batches": "sheet",
    "care": "other",
    "imports": "checked",
    "inbox": "steward's",
    "members": "other",
    "proposals": "member's",
    "settlement": "sent",
}
"""Which of several things the pages about one are looked at with."""


def _paths(world: World) -> dict[str, str]:
    """Each page's path, about something that is there."""
    entry = world.things["entries"]
    found = {}
    for method, pattern, _policy, name, _handler in TABLE:
        if method != "GET" or name in NO_PAGES:
            continue
        things = {
            "{slug}": "alpha",
            "{version:count}": "1",
            "{number:count}": "1",
            "{month}": world.things["months"]["closed"],
            "{account_id}": world.things["statement"]["other"],
            "{token}": world.things["links"].get(name.split(":")[0], "none"),
            "{id}": entry["posted"] if name == "entries:ask_undo" else entry["waiting"],
        }
        noun = pattern.split("/")[3] if "{id}" in pattern else ""
        if noun in ("seats", "inviting"):
            noun = "gatherings"  # the id is that of the gathering
        if name == "imports:ask_undo":
            things["{id}"] = world.things["imports"]["done"]
        elif noun in _FIRST:
            things["{id}"] = world.things[noun][_FIRST[noun]]
        elif noun in ("organisations", "listings", "gatherings", "whats-on", "formats"):
            things["{id}"] = next(iter(world.things[noun].values()))
        things["{list}"] = "sectors"
        path = pattern
        for field, value in things.items():
            path = path.replace(field, value)
        assert "{" not in path, f"say what {pattern} is to be looked at with"
        found[name] = path
    return found


async def _links(settings: Settings, world: World) -> None:
    """Links that work, and a proposal of today, so that their pages are there to be looked at."""
    db = Database(settings)
    await db.start()
    now = Moment.now()
    async with db.write(EVERYWHERE) as conn:
        place = await communities.by_slug(conn, "alpha")
        alpha = place.id
        person = await sessions.find(conn, world.cookies["member"], now=NOW)
        assert person is not None
        invitation = await invitations.invite(
            conn,
            alpha,
            name="Guest",
            email="",
            by=world.members["member"],
            now=now,
            base_url="",
        )
        made = {
            purpose: await tokens.make(
                conn, purpose, person_id=person[0].id, lifetime=sessions.IDLE, now=now
            )
            for purpose in (tokens.Purpose.SIGN_IN, tokens.Purpose.RESET)
        }
        door = await _door(conn, alpha, world.members["coordinator"], now)
        proposal = await a_proposal(
            conn, alpha, world.members["member"], world.members["receiver"], "ALPHA", now
        )
        cookie = await sessions.begin(conn, person[0].id, device="", now=now)
        steward = await sessions.find(conn, world.cookies["steward"], now=NOW)
        assert steward is not None
        world.cookies["steward"] = await sessions.begin(conn, steward[0].id, device="", now=now)
        world.cookies["member"] = cookie
        stay = await tokens.make(
            conn,
            tokens.Purpose.STAY,
            community=alpha,
            facts={"member": str(world.members["member"])},
            lifetime=sessions.IDLE,
            now=now,
        )
        coming, guest = await _a_gathering(conn, alpha, world, now)
    # The world's own file is of long ago, and housekeeping forgets it.
    world.things["imports"]["checked"] = await a_file(
        db, place, world.members["steward"], "Guest", now=now
    )
    await db.stop()
    world.things["proposals"]["member's"] = str(proposal)
    world.things["gatherings"] = world.things["whats-on"] = {"coming": str(coming)}
    world.things["links"] = {
        "stay": stay,
        "invitation": invitation.rsplit("/", 1)[-1],
        "sign_in": made[tokens.Purpose.SIGN_IN],
        "password": made[tokens.Purpose.RESET],
        "here": door,
        "gathering": guest,
    }


async def _door(conn: AsyncConnection, alpha: UUID, by: UUID, now: Moment) -> str:
    """The code of a gathering that is on just now."""
    starts = now.at - START - timedelta(minutes=30)
    id = await a_gathering(conn, alpha, by, starts=starts)
    return await doors.make(conn, alpha, id, anew=False, by=by, now=now)


async def _a_gathering(
    conn: AsyncConnection, alpha: UUID, world: World, now: Moment
) -> tuple[UUID, str]:
    """One in a series that is still to come, with everything it can have, and a guest's link."""
    by = world.members["steward"]
    plan = Plan(
        "A gathering with a long title, and more words than one line holds",
        "What would make it kinder?",
        "The hall",
        "Step-free",
        "https://meet.example.org",
        capacity=1,
        openness=Openness.PUBLIC,
        roles=(("tea", 1), ("host", 2)),
    )
    day = (now.at + timedelta(days=2)).date()
    when = When(day, time(18), Minutes(120))
    id = await series.begin(conn, alpha, plan, when, Every.TWO_WEEKS, by=by, now=now)
    member = world.members["member"]
    await duties.offer(conn, alpha, id, "host", by=member, now=now)
    await duties.ask(conn, alpha, id, "tea", world.members["receiver"], by=by, now=now)
    await inviting.organisation(
        conn, alpha, id, UUID(world.forms["inviting"]["house"]), by=member, now=now
    )
    token = await inviting.guest(conn, alpha, id, "A guest", from_words="There", by=by, now=now)
    return id, token


async def _context(browser: Browser, address: str, cookie: str | None) -> BrowserContext:
    context = await browser.new_context(
        base_url=address,
        viewport={"width": 320, "height": 800},
        locale="en-GB",
    )
    if cookie:
        await context.add_cookies([{"name": "session", "value": cookie, "url": address}])
    return context


async def findings_on(page: Page, path: str) -> list[str]:
    """What stands in somebody's way on a page, by day and in the dark."""
    # Without motion, what is turned dark is dark at once.
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    response = await page.goto(path)
    assert response is not None
    found = [] if response.status < 400 else [f"answered {response.status}"]
    wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        found.append(f"is {wide} pixels wider than the phone")
    found += [f"lower than 44 pixels: {one}" for one in await page.evaluate(SMALL_TARGETS)]
    found += [f"smaller than 18 pixels: {one}" for one in await page.evaluate(SMALL_TEXT)]
    found += await _barriers(page, RULES)
    await page.emulate_media(color_scheme="dark")
    found += [f"in the dark, {one}" for one in await _barriers(page, COLOURS)]
    return [f"{path}: {one}" for one in found]


async def _barriers(page: Page, rules: dict[str, Any]) -> list[str]:
    result = await Axe().run(page, options=rules)
    return [
        f"{one['id']}: {one['help']} ({'; '.join(node['target'][0] for node in one['nodes'][:3])})"
        for one in result.response["violations"]
    ]


async def test_axe_finds_nothing_on_any_page_by_day_or_in_the_dark(
    browser: Browser, sqlite_settings: Settings
) -> None:
    world = await build(sqlite_settings)
    await _links(sqlite_settings, world)
    paths = _paths(world)
    findings: list[str] = []
    looked_at: set[str] = set()
    async with served(sqlite_settings) as address:
        for cookie in (None, world.cookies["steward"]):
            context = await _context(browser, address, cookie)
            page = await context.new_page()
            for name, path in paths.items():
                signed_out = path.endswith("/join") or "/whats-on/" in path
                if cookie is None and path.startswith("/c/") and not signed_out:
                    continue
                if name in OF_THE_MEMBER:
                    continue  # theirs who wrote it, below
                findings += await findings_on(page, path)
                looked_at.add(name)
            if cookie is not None:
                for state in ("open", "reopening"):
                    month = world.things["months"][state]
                    findings += await findings_on(page, f"/c/alpha/months/{month}")
            findings += await _findings_of_missing(page)
            await context.close()
        context = await _context(browser, address, world.cookies["member"])
        page = await context.new_page()
        for name in (*OF_THE_MEMBER, "home:show", "entries:show"):
            findings += await findings_on(page, paths[name])
        await context.close()
    assert looked_at | set(OF_THE_MEMBER) == set(paths)
    assert findings == []


async def _findings_of_missing(page: Page) -> list[str]:
    """A page that is not there is a page too."""
    found = await findings_on(page, "/no-such-page")
    return [one for one in found if "answered 404" not in one]
