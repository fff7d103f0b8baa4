"""On paper: what is handed round and hung up, and everyone's statements in three clicks.

Seen to turn red: statements that another community's coordinator may fetch; a list that nobody
notes; a page that never goes on by itself.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import Response
from playwright.async_api import Browser, expect
from pypdf import PdfReader
from sqlalchemy import insert, select

from tests.timebank.factories import START
from tests.web.effort import Effort
from tests.web.test_sheets import barriers, desk
from tests.web.town import HOST, Town, built
from timebank import audit
from timebank.config import Settings
from timebank.listings import ListingKind, listings
from timebank.moment import Moment
from timebank.paper.press import Order, minute
from timebank.paper.statement import Month
from timebank.paper.statements import Who


@pytest.fixture
async def house(sqlite_settings: Settings) -> AsyncIterator[Town]:
    """The town on SQLite alone, for what no database has a say in."""
    async with built(replace(sqlite_settings, base_url=HOST)) as there:
        yield there


def read(answer: Response) -> PdfReader:
    """A PDF that came as an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    return PdfReader(io.BytesIO(answer.content))


def words(document: PdfReader) -> str:
    return " ".join("\n".join(page.extract_text() for page in document.pages).split())


async def noted(town: Town) -> list[tuple[object, ...]]:
    """Who took which list along."""
    async with town.db.read(town.community.id) as conn:
        query = select(audit.audit).where(audit.audit.c.action == "list.taken")
        rows = await conn.execute(query.order_by(audit.audit.c.id))
        return [(row.actor_id, row.facts["list"], row.facts["rows"]) for row in rows]


async def offer(town: Town, who: str, kind: ListingKind, title: str, days: int = 30) -> None:
    async with town.db.write(town.community.id) as conn:
        await conn.execute(
            insert(listings).values(
                community_id=town.community.id,
                id=town.now.new_id(),
                member_id=town.id(who),
                kind=kind.value,
                title=title,
                words="On Saturdays",
                area="Mill Road",
                written_by=town.id(who),
                written_at=START,
                until=(START + timedelta(days=days)).date(),
            )
        )


# ── Handouts ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", ["people", "entries"])
async def test_the_blank_sheet_has_the_columns_of_the_page_it_is_typed_into(
    house: Town, shape: str
) -> None:
    typing = (await house.get("Carla", "sheets/new", shape=shape)).text
    head = re.search(r'<div class="head"[^>]*>(.*?)</div>', typing, re.DOTALL)
    assert head
    columns = [found for found in re.findall(r"<span>([^<]*)</span>", head[1]) if found]
    assert len(columns) >= 3
    printed = (await house.get("Carla", "paper/sheet", shape=shape)).text
    assert re.findall(r'<th scope="col">([^<]*)</th>', printed) == columns
    document = read(await house.get("Carla", "paper/sheet", shape=shape, **{"as": "pdf"}))
    assert len(document.pages) == 1
    assert " ".join(columns) in words(document)


async def test_the_member_list_shows_what_its_reader_may_see_and_is_noted(house: Town) -> None:
    await offer(house, "Ana", ListingKind.OFFER, "Bread baking")
    page = (await house.get("Jorge", "paper/members")).text
    assert "Ana Lima" in page
    assert "Bread baking" in page
    assert "07700 900111" not in page
    assert await noted(house) == []
    assert "07700 900111" not in words(
        read(await house.get("Jorge", "paper/members", **{"as": "pdf"}))
    )
    said = words(read(await house.get("Carla", "paper/members", **{"as": "pdf"})))
    for found in ("Who is here", "Ana Lima", "07700 900111", "Bread baking", "Mill Road Library"):
        assert found in said
    assert await noted(house) == [
        (house.id("Jorge"), "members", 7),
        (house.id("Carla"), "members", 7),
    ]


async def test_the_notice_board_has_what_is_open_today(town: Town) -> None:
    assert "Nothing is offered" in (await town.get("Ana", "paper/board")).text
    await offer(town, "Ana", ListingKind.OFFER, "Bread baking")
    await offer(town, "Bert", ListingKind.REQUEST, "Company for chess")
    await offer(town, "Ana", ListingKind.OFFER, "Long ago", days=-1)
    await offer(town, "Pia", ListingKind.OFFER, "Of somebody who takes a break")
    page = (await town.get("Jorge", "paper/board")).text
    said = words(read(await town.get("Jorge", "paper/board", phones="1", **{"as": "pdf"})))
    for text in (page, said):
        assert text.index("Bread baking") < text.index("Company for chess")
        assert "Long ago" not in text
        assert "takes a break" not in text
        assert "07700" not in text, "nobody shows theirs to all members"


# ── Statements ───────────────────────────────────────────────────────────────────────────────────


async def made(town: Town, by: str = "Carla", **form: str) -> str:
    """Order statements as a form without scripts does, and look until they are there; the path."""
    sent = {"month": "2026-05", "who": "everyone"} | form
    answer = await town.post(by, "paper/statements", sent)
    assert answer.status_code == 303, answer.text
    rest = answer.headers["location"].removeprefix(town.path())
    async with asyncio.timeout(60):
        while "Open the statements (PDF)" not in (page := (await town.get(by, rest)).text):
            assert re.search(r'<noscript><meta http-equiv="refresh" content="3">', page)
            await asyncio.sleep(0.1)
    found = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', page)
    assert found
    return found[1].replace("&amp;", "&").removeprefix(town.path())


async def test_statements_are_ordered_made_and_fetched_without_scripts(house: Town) -> None:
    await house.approve(await house.record("Ana", "Bert", 90, note="Shopping"))
    file = await made(house)
    answer = await house.get("Dora", file)
    assert 'filename="statements-2026-05.pdf"' in answer.headers["content-disposition"]
    document = read(answer)
    assert len(document.pages) == 8
    said = words(document)
    assert "You gave time to Bert Cole. Shopping." in said
    assert "Ana Lima gave you time. Shopping." in said
    assert await noted(house) == [(house.id("Dora"), "statements", 8)]
    for who in ("Ana", "Pia"):
        assert (await house.get(who, file)).status_code == 403
    elsewhere = file.replace("everyone", "without-email")
    assert (await house.get("Carla", elsewhere)).status_code == 404, "those nobody has made"
    assert list(house.db.settings.data.glob("paper/*/*.pdf"))
    await house.post("Jorge", "my-data/close", {"sure": "1"})
    assert not list(house.db.settings.data.glob("paper/*/*.pdf")), "Jorge's is in there"
    await house.app.state.press.stop()


async def test_those_without_email_and_one_person_alone(house: Town) -> None:
    hub = " ".join((await house.get("Carla", "paper/")).text.split())
    assert "For one person without e-mail" in hub
    assert "For everyone: 8" in hub
    said = words(read(await house.get("Carla", await made(house, who="without-email"))))
    assert "Bert Cole" in said
    assert "Ana Lima" not in said
    said = words(read(await house.get("Carla", await made(house, who="one", name="jorge"))))
    assert "Jorge Medina" in said
    assert "Bert Cole" not in said
    await house.app.state.press.stop()


async def test_an_order_that_is_not_clear_is_asked_again(house: Town) -> None:
    for form, said in (
        ({"month": "2026-13", "who": "everyone"}, "Choose one of those offered here."),
        ({"month": "2026-05", "who": "one", "name": "Zorro"}, "Nobody here is called that."),
        ({"month": "2026-05", "who": "one", "name": ""}, "Please fill this in."),
    ):
        page = await house.post("Carla", "paper/statements", form)
        assert page.status_code == 422
        assert said in page.text
    empty = await house.post("Carla", "paper/statements", {"month": "2026-04", "who": "everyone"})
    page = await house.get("Carla", empty.headers["location"].removeprefix(house.path()))
    assert "There is nothing to print" in page.text
    old = await house.get("Carla", "paper/statements", month="2026-05", who="everyone", asked="1")
    assert "put away after a day" in old.text
    for strange in ({"asked": "x"}, {"who": "one"}, {"month": "May"}):
        asked = {"month": "2026-05", "who": "everyone", "asked": "1"} | strange
        page = await house.get("Carla", "paper/statements", **asked)
        assert "Which month?" in page.text
        assert (await house.get("Carla", "paper/statements/file", **asked)).status_code == 404


@pytest.mark.asyncio(loop_scope="session")
async def test_everyones_statements_take_three_clicks(
    browser: Browser, db_settings: Settings
) -> None:
    async with desk(browser, db_settings, viewport={"width": 390, "height": 844}) as (town, page):
        await page.goto(town.path())
        effort = Effort(page)
        effort.begin()
        await effort.click(page.get_by_text("Menu", exact=True))
        await effort.click(page.get_by_role("link", name="On paper"))
        assert await barriers(page) == []
        async with page.expect_response(re.compile("/paper/statements/file")) as opened:
            await effort.click(page.get_by_role("button", name="For everyone"))
        answer = await opened.value
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/pdf"
        assert effort.clicks == 3
        assert effort.keys == 0


def say(note: Path, stage: str, done: int) -> None:
    """What a press of another process tells of eight statements."""
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f'{{"stage": "{stage}", "done": {done}, "of": 8}}', "utf-8")


@pytest.mark.asyncio(loop_scope="session")
async def test_the_page_of_statements_goes_on_by_itself_and_finds_what_died(
    browser: Browser, sqlite_settings: Settings
) -> None:
    """Another process is making them and tells how far it is; then it is done."""
    async with desk(browser, sqlite_settings) as (town, page):
        now = Moment.now()
        month = Month.of(now.day_in("Europe/London"))
        order = Order(town.community.id, month, Who.EVERYONE, None, minute(now))
        folder = sqlite_settings.data / "paper" / town.community.id.hex
        note = folder / f"{order.key}.json"
        say(note, "making", 0)
        query = f"month={month}&who=everyone&asked={order.asked}"
        await page.goto(f"{town.path('paper/statements')}?{query}")
        await expect(page.get_by_role("status")).to_contain_text("0 of 8 are done.")
        assert await barriers(page) == []
        say(note, "making", 5)
        await expect(page.get_by_role("status")).to_contain_text("5 of 8 are done.")
        say(note, "failed", 5)
        await expect(page.get_by_role("alert")).to_contain_text("Please make them anew")
        await expect(page.get_by_role("button", name="Make them anew")).to_be_visible()
