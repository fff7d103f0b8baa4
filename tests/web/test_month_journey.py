"""One month of a community of sixty, half of them without e-mail, at a real desk in Chromium.

From the lists of another program to a closed month, its report, and the whole community as one file
in another installation. Each kind of step is done once in the browser; what repeats it goes by the
same forms without one. The test keeps a book of its own (`Book`) and works the report out from it.

With `SCREENSHOTS` naming a folder, each step leaves a picture there, to be looked at.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from ledger import Minutes
from tests.web.effort import Effort
from tests.web.sixty import (
    NAMES,
    WITH_MAIL,
    WITHOUT_MAIL,
    Sixty,
    called,
    hours_from_before,
    list_of_people,
    sixty,
)
from tests.web.test_limits import limited
from timebank import books
from timebank.config import Settings
from timebank.members import Role

pytestmark = pytest.mark.asyncio(loop_scope="session")


def hours(minutes: int) -> str:
    """Minutes as pages write them."""
    return f"{minutes // 60}:{minutes % 60:02}"


async def test_a_month_from_two_lists_to_a_closed_month_and_another_installation(
    browser: Browser, db_settings: Settings, tmp_path: Path
) -> None:
    async with sixty(db_settings, browser) as there:
        await _the_lists_come_in(there, tmp_path)
        await _a_sheet_is_typed(there)
        await _members_write_hours_down(there)
        await _many_are_approved_at_once(there)
        report = await books.verify(there.town.db, there.town.community.id, now=there.town.now)
        assert report.sound, report.findings


# ── The first days: everyone comes in ────────────────────────────────────────────────────────────


async def _the_lists_come_in(there: Sixty, tmp_path: Path) -> None:
    """Sixty people and their April: each file is looked at first, and does nothing next time."""
    town = there.town
    people, past = tmp_path / "members.xlsx", tmp_path / "april.csv"
    content, minutes = hours_from_before()
    people.write_bytes(list_of_people())
    past.write_bytes(content)
    async with there.as_("Stella") as page:
        await _checked(there, page, people)
        await expect(page.get_by_role("main")).to_contain_text("59 rows are new.")
        await expect(page.get_by_role("main")).to_contain_text("One row is here already")
        await there.picture(page, "01-dry-run")
        assert (await town.rows())["member"] == 1
        await _brought_in(page, "Bring in 59 rows")
        await _checked(there, page, past)
        await _brought_in(page, f"Bring in 60 entries, {hours(minutes)}")
        await there.picture(page, "02-brought-in")
        before = await town.rows()
        for file in (people, past):
            await _checked(there, page, file)
            await expect(page.get_by_role("main")).to_contain_text("nothing new in this file")
            await expect(page.get_by_role("button", name="Bring in")).to_have_count(0)
        after = await town.rows()
        changed = {name for name in before if before[name] != after[name]}
        assert changed <= {"import", "import_row", "audit"}, changed
    await there.know_everyone()
    assert sum(one.person_id is None for one in town.people.values()) == 30
    assert set(town.people) == set(NAMES)
    for name in ("Carla", "Dora"):
        form = {"role": Role.COORDINATOR.value}
        assert (await town.post("Stella", f"members/{town.id(name)}/role", form)).is_redirect
    await limited(town, soft_floor=Minutes(-300), closing_day=3)


async def _checked(there: Sixty, page: Page, file: Path) -> None:
    """A file uploaded and checked, with `Who` said to be the name."""
    await page.goto(there.town.path("imports/"))
    await page.get_by_label("Your file").set_input_files(file)
    await page.get_by_role("button", name="Read this file").click()
    button = page.get_by_role("button", name="Check every row")
    await expect(button).to_be_visible()
    if file.suffix == ".xlsx":
        name = page.get_by_label("Full name")
        await there.picture(page, "00-columns")
        heading = name.get_by_role("option", name="Who")
        await name.select_option(value=await heading.get_attribute("value"))
    await button.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("What would happen")


async def _brought_in(page: Page, button: str) -> None:
    await page.get_by_role("button", name=button).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Brought in")


# ── Ordinary days ────────────────────────────────────────────────────────────────────────────────

SHEET = tuple(zip(WITHOUT_MAIL[:12], WITHOUT_MAIL[12:24], (45, 60, 90) * 4, strict=True))


async def _a_sheet_is_typed(there: Sixty) -> None:
    """Twelve rows from a paper that was handed round, without touching the mouse."""
    there.until(5)
    total = sum(minutes for _giver, _receiver, minutes in SHEET)
    async with there.as_("Carla") as page:
        blank = await page.request.get(there.town.path("paper/sheet?shape=entries&as=pdf"))
        assert blank.headers["content-type"] == "application/pdf"
        async with page.expect_response("**/sheets/names"):
            await page.goto(there.town.path("sheets/new"))
        effort = Effort(page)
        effort.begin()
        for giver, receiver, minutes in SHEET:
            for name in (giver, receiver):
                await effort.write(name[:4].lower())
                await expect(page.locator("#suggestions [role=option]")).not_to_have_count(0)
                await effort.press("Tab")
            await effort.write(hours(minutes))
            await effort.press("Enter")
        await effort.press("Enter", "Enter")
        post = page.get_by_role("button", name=f"Post 12 entries, {hours(total)}")
        await expect(post).to_be_focused()
        await there.picture(page, "03-sheet")
        await effort.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("12 entries are on the statements")
        assert effort.clicks == 0
    for deed in SHEET:
        there.book.wrote(*deed)
    first = SHEET[0]
    assert await there.town.balance(first[0]) == Minutes(first[2])


GAVE = tuple(
    (giver, WITHOUT_MAIL[(n + 11) % 30], 30 + 15 * (n % 5)) for n, giver in enumerate(WITH_MAIL[3:])
)
"""What members write down themselves: each of them helps somebody who has no e-mail."""


async def _writes(
    there: Sixty, giver: str, receiver: str, minutes: int, day: str, note: str
) -> str:
    """Hours that somebody wrote down by the form; the id of their entry."""
    town = there.town
    form = {
        "id": str(town.now.new_id()),
        "side": "gave",
        "receiver-0": called(receiver),
        "minutes": hours(minutes),
        "day": day,
        "kind": "help",
        "note": note,
    }
    answer = await town.post(giver, "entries/", form)
    assert answer.status_code == 303, answer.text
    return form["id"]


async def _members_write_hours_down(there: Sixty) -> None:
    there.until(8)
    (giver, receiver, minutes), *others = GAVE
    async with there.as_(giver, width=390, script=False) as page:
        await page.goto(there.town.path())
        await page.get_by_role("button", name="I gave time").click()
        await page.get_by_label("To whom?").fill(receiver.lower())
        await page.get_by_label("How long?").fill(hours(minutes))
        await page.get_by_label("A few words").fill("Shopping, and a cup of tea")
        await page.get_by_role("button", name="Write down that I gave this").click()
        await expect(page.get_by_role("main")).to_contain_text(called(receiver))
        await there.picture(page, "04-written-down")
    for n, (giver, receiver, minutes) in enumerate(others):
        await _writes(there, giver, receiver, minutes, f"2026-05-{4 + n % 5:02}", "A favour")
    # Three of them were on paper as well, and somebody wrote them down a second time.
    for giver, receiver, minutes in GAVE[-3:]:
        await _writes(there, giver, receiver, minutes + 15, "2026-05-07", "Copied from the sheet")


async def _many_are_approved_at_once(there: Sixty) -> None:
    there.until(9)
    total = sum(minutes for _giver, _receiver, minutes in GAVE)
    twice = sum(minutes + 15 for _giver, _receiver, minutes in GAVE[-3:])
    async with there.as_("Carla") as page:
        inbox = there.town.path("inbox")
        await page.goto(f"{inbox}?q=copied")
        await there.picture(page, "05-inbox-found")
        await page.get_by_role("link", name="Tick all").click()
        await page.get_by_role("button", name="Approve 3 entries").click()
        await page.get_by_role("button", name=f"Approve 3 entries, {hours(twice)}").click()
        await page.get_by_role("link", name="Undo this").click()
        await page.get_by_label("Why?").fill("They were on the sheet already.")
        await page.get_by_role("button", name=f"Undo 3 entries, {hours(twice)}").click()
        await expect(page.get_by_role("main")).to_contain_text("everything is where it was before")
        await page.goto(inbox)
        await there.picture(page, "06-inbox")
        await page.get_by_role("button", name=re.compile("Look at all .* ordinary ones")).click()
        await there.picture(page, "07-confirm")
        await page.get_by_role(
            "button", name=f"Approve {len(GAVE)} entries, {hours(total)}"
        ).click()
        await expect(page.get_by_role("status")).to_contain_text(f"{len(GAVE)} entries")
    for deed in GAVE:
        there.book.wrote(*deed)
