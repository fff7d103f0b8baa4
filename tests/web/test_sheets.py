"""Sheets: a plain form of ten rows that checks everything first, and without a mouse in a browser.

Seen to turn red: a mistake that empties the other cells; a post of what was not shown; a second
click that asks again; a row that is lost because the one above it is empty; names that arrive
after somebody has begun to type.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, expect

from ledger import Minutes
from tests.timebank.factories import a_member
from tests.web.conftest import served
from tests.web.effort import Effort
from tests.web.test_accessibility import RULES, SMALL_TARGETS, SMALL_TEXT
from tests.web.town import HOST, Town, built, hidden
from timebank import batches, sessions, sheets
from timebank.config import Settings
from timebank.db import EVERYWHERE
from timebank.entry import State
from timebank.moment import Moment

HEAD = {"id": "01982d2a-0000-7000-8000-000000000001", "kind": "help"}
PEOPLE = {
    **HEAD,
    "shape": "people",
    "kind": "activity",
    "day": "2026-05-04",
    "note": "Work day",
    "other": "the commons",
}
ENTRY_CELLS = ("day", "giver", "receiver", "minutes", "note", "category")


def rows(*cells: tuple[str, ...], names: tuple[str, ...] = ENTRY_CELLS) -> dict[str, str]:
    """The fields of these rows; cells that are left out are empty."""
    found = {}
    for number in range(max(10, len(cells))):
        typed = cells[number] if number < len(cells) else ()
        for name, text in zip(names, (*typed, *[""] * len(names)), strict=False):
            found[f"{name}-{number}"] = text
    return found


def people(*cells: tuple[str, ...]) -> dict[str, str]:
    """The rows of a sign-in sheet: name, how long, gave or received."""
    return rows(*cells, names=("name", "minutes", "side"))


@pytest.fixture
async def house(sqlite_settings: Settings) -> AsyncIterator[Town]:
    """The town on SQLite alone, for what no database has a say in."""
    async with built(replace(sqlite_settings, base_url=HOST)) as there:
        yield there


async def check(town: Town, form: dict[str, str], by: str = "Carla") -> Any:
    return await town.post(by, "sheets/new", form | {"act": "check"})


async def post(town: Town, form: dict[str, str], by: str = "Carla") -> Any:
    """Check a sheet, and post what the page shows."""
    page = await check(town, form, by)
    assert page.status_code == 200, page.text
    again = form | {"act": "post", "seen": hidden(page, "seen")}
    return await town.post(by, "sheets/new", again)


def beside(page: Any, field: str) -> str:
    """The mistake beside a cell."""
    found = re.search(rf'id="{field}-mistake">([^<]*)<', page.text)
    return found[1] if found else ""


def typed(page: Any, field: str) -> str:
    """What a cell shows."""
    found = re.search(rf'name="{field}" value="([^"]*)"', page.text)
    assert found, field
    return found[1]


# ── One row an entry ─────────────────────────────────────────────────────────────────────────────


async def test_an_empty_sheet_has_ten_rows_and_can_have_more(house: Town) -> None:
    page = await house.get("Carla", "sheets/new")
    assert page.text.count('<fieldset class="line">') == 10
    assert typed(page, "day-0") == "4/5"
    more = await house.post("Carla", "sheets/new", HEAD | rows(("", "Ana")) | {"act": "more"})
    assert more.text.count('<fieldset class="line">') == 20
    assert typed(more, "giver-0") == "Ana"
    full = await house.post(
        "Carla", "sheets/new", HEAD | rows(*[("", "Ana")] * 100) | {"act": "more"}
    )
    assert full.text.count('<fieldset class="line">') == sheets.MOST_ROWS
    assert "Ten more rows" not in full.text


async def test_a_sheet_is_checked_shown_and_posted_as_a_batch(town: Town) -> None:
    form = HEAD | rows(
        ("4/5", "ana lima", "bert", "1:30", "Shopping", "gard"),
        (),
        ("", '"', "the commons", "50 min", "Tea for all", ""),
        ("3/5", "library", "″", "2 h", "Room", '"'),
    )
    page = await check(town, form)
    assert page.status_code == 200
    said = " ".join(page.text.split())
    assert "3 entries, 4:15, will be on the statements at once." in said
    for words in (
        "Ana Lima gave Bert Cole",
        "Ana Lima gave the commons",
        "Mill Road Library gave the commons",
        "written as 0:50, rounded as our agreement says",
        "Shopping · Garden",
        "Monday, 4 May 2026",
        "Sunday, 3 May 2026",
    ):
        assert words in said, words
    assert "Post 3 entries, 4:15" in said
    assert await town.balance("Ana") == Minutes(0)
    done = await town.post(
        "Carla", "sheets/new", form | {"act": "post", "seen": hidden(page, "seen")}
    )
    assert done.status_code == 303
    assert done.headers["location"] == town.path(f"batches/{HEAD['id']}")
    assert await town.balance("Ana") == Minutes(135)
    shown = (await town.get("Carla", f"batches/{HEAD['id']}")).text
    assert "approved: 3 entries, 4:15" in shown


async def test_mistakes_stand_beside_their_cells_and_nothing_is_lost(house: Town) -> None:
    before = await house.rows()
    form = HEAD | rows(
        ("31/4", "Ana", "Bert", "1:30", "Shopping"),
        ("4/5", "Zorro", "", "2", "Swords"),
        ("4/5", "Ana", "Ana", "1h", "", "Fencing"),
        ("4/5", "Ana", "Bert", "5 min", ""),
        ("4/5/2027", "Ana", "Bert", "1h", ""),
    )
    page = await check(house, form)
    assert page.status_code == 422
    assert beside(page, "day-0") == "This is no day. Write it as 4/5 or 4 May."
    assert beside(page, "giver-1") == "Nobody here is called that."
    assert beside(page, "receiver-1") == "Who?"
    assert beside(page, "minutes-1") == "2 h or 2 min?"
    assert beside(page, "category-2").startswith("We have nothing of this name.")
    for field, text in form.items():
        if "-" in field and field[-1].isdigit():
            assert typed(page, field) == text, field
    assert "Row 2, who gave: Nobody here is called that." in page.text
    form = form | rows(
        *[()] * 2, *[tuple(form[f"{c}-{n}"] for c in ENTRY_CELLS) for n in (2, 3, 4)]
    )
    page = await check(house, form | {"category-2": ""})
    assert "Nobody can give hours to themselves" in beside(page, "receiver-2")
    assert beside(page, "minutes-3") == "It has to be at least one minute."
    assert "still to come" in beside(page, "day-4")
    assert await house.rows() == before


async def test_an_unclear_name_is_chosen_from_those_it_fits(house: Town) -> None:
    async with house.db.write(house.community.id) as conn:
        other = await a_member(conn, house.community.id, "Ana Lima", area="Station Road")
    form = HEAD | rows(("4/5", "Ana", "Bert", "1h"))
    page = await check(house, form)
    assert beside(page, "giver-0") == "Several are called that."
    assert "Ana Lima · Mill Road</option>" in page.text
    page = await check(house, form | {"giver-0-is": str(other.id)})
    assert "Ana Lima · Station Road gave Bert Cole" in page.text
    assert hidden(page, "giver-0-is") == str(other.id)


async def test_an_empty_sheet_says_so(house: Town) -> None:
    page = await check(house, HEAD | rows(("4/5",)))
    assert page.status_code == 422
    assert "Nothing is written on this sheet yet." in page.text
    page = await check(house, HEAD | rows(("4/5", "Ana", "Bert", "1h")) | {"kind": "grant"})
    assert page.status_code == 422


async def test_what_waits_and_what_looks_odd_is_said_before(town: Town) -> None:
    await town.record("Ana", "Bert", 60)
    form = HEAD | rows(
        ("4/5", "Ana", "Bert", "1h"),
        ("", "Carla", "Bert", "1h"),
        ("", "Jorge", "Bert", "10h"),
        ("4/5/25", "Jorge", "Ana", "1h"),
    )
    said = " ".join((await check(town, form)).text.split())
    for words in (
        "The same is written down already.",
        "You gain from it, so another coordinator has to approve it.",
        "Bert Cole would stand at −11:00. That may be worth a call.",
        "Sunday, 4 May 2025 is long ago. Is it the right year?",
        "Look at these 4 first",
        "Post 3 entries, 12:00; 1 will wait",
    ):
        assert words in said, words
    done = await post(town, form)
    assert done.status_code == 303
    assert await town.balance("Carla") == Minutes(0)
    inbox = (await town.get("Dora", "inbox")).text
    assert "Carla Reyes gave time to Bert Cole" in inbox


async def test_nobody_posts_what_they_have_not_seen(house: Town) -> None:
    form = HEAD | rows(("4/5", "Ana", "Bert", "1h"))
    page = await check(house, form)
    seen = hidden(page, "seen")
    await house.approve(await house.record("Ana", "Bert", 60))
    again = await house.post("Carla", "sheets/new", form | {"act": "post", "seen": seen})
    assert again.status_code == 200
    assert "Something changed while you were looking." in again.text
    assert "The same is written down already." in again.text
    other = form | {"minutes-0": "3h", "act": "post", "seen": seen}
    assert (await house.post("Carla", "sheets/new", other)).status_code == 200
    assert await house.balance("Ana") == Minutes(60)
    changed = await house.post("Carla", "sheets/new", form | {"act": "change"})
    assert typed(changed, "minutes-0") == "1h"


async def test_a_second_click_leads_to_the_same_batch_and_another_sheet_does_not(
    town: Town,
) -> None:
    form = HEAD | rows(("4/5", "Ana", "Bert", "1h"), ("", "Carla", "Bert", "1h"))
    page = await check(town, form)
    sent = form | {"act": "post", "seen": hidden(page, "seen")}
    first = await town.post("Carla", "sheets/new", sent)
    second = await town.post("Carla", "sheets/new", sent)
    assert first.headers["location"] == second.headers["location"]
    assert await town.balance("Ana") == Minutes(60)
    other = await town.post("Carla", "sheets/new", sent | {"minutes-0": "2h"})
    assert other.status_code == 422
    assert "This sheet was sent before with something else on it." in other.text
    assert await town.balance("Ana") == Minutes(60)


async def test_who_cannot_take_part_any_more_stops_the_whole_sheet(town: Town) -> None:
    form = HEAD | rows(("4/5", "Ana", "Bert", "1h"), ("", "Jorge", "Bert", "1h"))
    page = await check(town, form)
    await town.post("Carla", f"members/{town.id('Jorge')}/pause", {})
    before = await town.rows()
    answer = await town.post(
        "Carla", "sheets/new", form | {"act": "post", "seen": hidden(page, "seen")}
    )
    assert answer.status_code == 422
    assert beside(answer, "giver-1") == "Nobody here is called that."
    assert await town.rows() == before


async def test_names_for_the_script_are_those_of_this_community(house: Town) -> None:
    answer = (await house.get("Carla", "sheets/names")).json()
    assert answer["names"] == [
        "Ana Lima",
        "Bert Cole",
        "Carla Reyes",
        "Dora Nagy",
        "Jorge Medina",
        "Mill Road Library",
        "Stella Ford",
        "the commons",
    ]
    assert (await house.get("Ana", "sheets/names")).status_code == 403


# ── One row a person ─────────────────────────────────────────────────────────────────────────────


async def test_a_sign_in_sheet_becomes_an_entry_a_person(town: Town) -> None:
    form = (
        PEOPLE
        | {"minutes": "2h"}
        | people(("Ana", "", "gave"), ("Bert", "1:30", "gave"), ("Jorge", "45 min", "received"))
    )
    done = await post(town, form)
    assert done.status_code == 303
    assert await town.balance("Ana") == Minutes(120)
    assert await town.balance("Bert") == Minutes(90)
    assert await town.balance("Jorge") == Minutes(-45)
    assert await town.balance("the commons") == Minutes(-165)
    async with town.db.read(town.community.id) as conn:
        (batch,) = await batches.latest(conn, town.community.id)
    assert (batch.label, batch.entries) == ("Work day", 3)
    (newest, *_) = await town.entries_of("Ana")
    assert newest.note == "Work day"
    assert newest.state is State.APPROVED


async def test_a_person_is_helped_by_many_and_never_credited_for_many(house: Town) -> None:
    form = PEOPLE | {"other": "Bert", "minutes": "2h"}
    page = await check(house, form | people(("Ana", "", "gave"), ("Jorge", "", "received")))
    assert page.status_code == 422
    assert "Bert Cole would be given the time of everyone here." in beside(page, "side-1")
    done = await post(house, form | people(("Ana",), ("Jorge",)))
    assert done.status_code == 303
    assert await house.balance("Bert") == Minutes(-240)


async def test_what_is_missing_or_twice_on_a_sign_in_sheet_is_said(house: Town) -> None:
    form = PEOPLE | {"other": "", "note": "", "day": "2026-02-30"}
    page = await check(house, form | people(("Ana", ""), ("Ana", "1h"), ("Bert", "2")))
    assert page.status_code == 422
    assert beside(page, "note") == "Please fill this in."
    assert "This is not a day" in beside(page, "day")
    assert beside(page, "other") == "Please fill this in."
    assert beside(page, "minutes-0") == "How long?"
    page = await check(house, PEOPLE | people(("Ana", "1h"), ("Ana", "2h"), ("the commons", "1h")))
    assert beside(page, "name-1") == (
        "Ana Lima stands on row 1 already. Write both times on one row."
    )


# ── In a browser, without a mouse ────────────────────────────────────────────────────────────────

TWELVE = (
    ("ana", "ber", "1:30"),
    ("jor", "the com", "45m"),
    ("ber", "ana", "1h"),
    ("dor", "lib", "2h"),
    ("ste", "jor", "30m"),
    ("ana", "jor", "1h"),
    ("jor", "ber", "1h"),
    ("ber", "lib", "15m"),
    ("lib", "the com", "3h"),
    ("ste", "ana", "1h"),
    ("dor", "ber", "45m"),
    ("ana", "the com", "1h"),
)
MOST_KEYS = 160
"""Some thirteen keys a row: a few letters of each name, how long, and on; then three to post it."""


@asynccontextmanager
async def desk(
    browser: Browser, settings: Settings, **more: Any
) -> AsyncIterator[tuple[Town, Page]]:
    """Carla at a real browser."""
    async with built(settings) as town, served(settings) as address:
        context = await browser.new_context(base_url=address, locale="en-GB", **more)
        async with town.db.write(EVERYWHERE) as conn:
            person = town.people["Carla"].person_id
            assert person is not None
            token = await sessions.begin(conn, person, device="a test", now=Moment.now())
        await context.add_cookies([{"name": "session", "value": token, "url": address}])
        page = await context.new_page()
        page.set_default_timeout(10_000)
        try:
            yield town, page
        finally:
            await context.close()


async def barriers(page: Page) -> list[str]:
    """What axe finds, and what is too small to see or to press."""
    result = await Axe().run(page, options=RULES)
    found = [violation["id"] for violation in result.response["violations"]]
    wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    small = [*await page.evaluate(SMALL_TARGETS), *await page.evaluate(SMALL_TEXT)]
    return [*found, *(["wider than the screen"] if wide else []), *small]


@pytest.mark.asyncio(loop_scope="session")
async def test_twelve_rows_are_typed_and_posted_without_touching_the_mouse(
    browser: Browser, db_settings: Settings
) -> None:
    async with desk(browser, db_settings) as (town, page):
        await page.goto(town.path("sheets/new"))
        effort = Effort(page)
        effort.begin()
        async with page.expect_response("**/sheets/names"):
            await page.reload()
        await expect(page.locator("#giver-0")).to_be_focused()
        effort.begin()
        for giver, receiver, minutes in TWELVE:
            for name in (giver, receiver):
                await effort.write(name)
                await expect(page.locator("#suggestions [role=option]")).not_to_have_count(0)
                await effort.press("Tab")
            await effort.write(minutes)
            await effort.press("Enter")
        await effort.press("Enter")  # an empty row: nothing more comes
        await expect(page.get_by_role("button", name="Check these rows")).to_be_focused()
        await effort.press("Enter")
        button = page.get_by_role("button", name="Post 12 entries, 13:45")
        await expect(button).to_be_focused()
        assert await barriers(page) == []
        await effort.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("12 entries are on the statements")
        assert effort.clicks == 0
        assert effort.keys <= MOST_KEYS, effort.keys
        assert effort.loads == 2
        assert await town.balance("Ana") == Minutes(90)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("late", ["sheets/names", "static/sheets*.js*"])
async def test_what_is_typed_on_a_slow_line_completes_as_soon_as_it_can(
    browser: Browser, sqlite_settings: Settings, late: str
) -> None:
    async with desk(browser, sqlite_settings) as (town, page):
        typed = asyncio.Event()

        async def hold(route: Route) -> None:
            await typed.wait()
            await route.continue_()

        await page.route(f"**/{late}", hold)
        await page.goto(town.path("sheets/new"), wait_until="commit")
        first = page.locator("#giver-0")
        await expect(first).to_be_focused()
        if late == "sheets/names":  # the script is there, and has asked
            await expect(first).to_have_attribute("role", "combobox")
        await page.keyboard.type("jo")
        await expect(first).to_have_value("jo")
        typed.set()
        await expect(page.locator("#suggestions [role=option]")).to_have_text(["Jorge Medina"])
        await page.keyboard.press("Tab")
        await expect(first).to_have_value("Jorge Medina")


@pytest.mark.asyncio(loop_scope="session")
async def test_the_sheet_behaves_like_a_spreadsheet(
    browser: Browser, sqlite_settings: Settings
) -> None:
    async with desk(browser, sqlite_settings, viewport={"width": 390, "height": 844}) as (
        town,
        page,
    ):
        async with page.expect_response("**/sheets/names"):
            await page.goto(town.path("sheets/new"))
        keys, cell = page.keyboard, page.locator
        await keys.type("j")
        first = cell("#giver-0")
        await expect(first).to_have_attribute("aria-expanded", "true")
        await keys.press("Escape")
        await expect(first).to_have_attribute("aria-expanded", "false")
        await keys.type("o")
        await keys.press("Enter")  # takes what is pointed at, and stays
        await expect(first).to_have_value("Jorge Medina")
        await keys.press("Enter")
        await expect(cell("#giver-1")).to_be_focused()
        await keys.type('"')
        await keys.press("Tab")
        await expect(first).to_have_value("Jorge Medina")
        await expect(cell("#giver-1")).to_have_value("Jorge Medina")
        await keys.type("l")
        options = page.locator("#suggestions [role=option]")
        await expect(options).to_have_text(["Ana Lima", "Mill Road Library"])
        await keys.press("ArrowDown")
        await keys.press("Tab")
        await expect(cell("#receiver-1")).to_have_value("Mill Road Library")
        await keys.press("ArrowUp")
        await expect(cell("#minutes-0")).to_be_focused()
        await cell("#day-9").focus()
        await expect(page.get_by_role("group", name="Row 11")).to_have_count(1)
        await keys.press("ArrowDown")
        await keys.type("4/5")
        await expect(cell("#day-10")).to_have_value("4/5")
        await keys.press("Control+Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Row 1, who received: Who?")
        await expect(cell("#receiver-0")).to_be_focused()
        assert await barriers(page) == []
