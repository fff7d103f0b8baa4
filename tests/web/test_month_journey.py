"""One month of a community of sixty, half of them without e-mail, at a real desk in Chromium.

From the lists of another program to a closed month, its report, and the whole community as one file
in another installation. Each kind of step is done once in the browser; what repeats it goes by the
same forms without one. The test keeps a book of its own (`Book`) and works the report out from it.

With `SCREENSHOTS` naming a folder, each step leaves a picture there, to be looked at.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect
from pypdf import PdfReader

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
from tests.web.test_months import all_of_it
from timebank import books, migrate
from timebank.archive import reading
from timebank.config import Settings
from timebank.db import Database
from timebank.members import Role

pytestmark = pytest.mark.asyncio(loop_scope="session")


def hours(minutes: int) -> str:
    """Minutes as pages write them."""
    return f"{minutes // 60}:{minutes % 60:02}"


@pytest.fixture
def empty(sqlite_template: Path, tmp_path: Path) -> Settings:
    """Another installation, with nothing in it yet."""
    settings = Settings(data=tmp_path / "elsewhere", database_url="")
    settings.data.mkdir()
    shutil.copyfile(sqlite_template, settings.data / "timebank.sqlite")
    return settings


async def test_a_month_from_two_lists_to_a_closed_month_and_another_installation(
    browser: Browser, db_settings: Settings, empty: Settings, tmp_path: Path
) -> None:
    async with sixty(db_settings, browser) as there:
        await _the_lists_come_in(there, tmp_path)
        await _a_sheet_is_typed(there)
        await _members_write_hours_down(there)
        await _something_is_offered_and_something_asked(there)
        await _many_are_approved_at_once(there)
        await _a_dispute_is_talked_about_and_kept(there)
        await _one_is_corrected_in_one_go_and_one_undone(there)
        await _the_inbox_knows_who_needs_a_word(there)
        await _statements_are_printed(there)
        await _the_month_is_closed(there)
        await _everything_moves_to_another_installation(there, empty, tmp_path)
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
        await expect(page.locator("#giver-0")).to_be_focused()
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


async def _something_is_offered_and_something_asked(there: Sixty) -> None:
    town = there.town
    async with there.as_("Greta", width=390, script=False) as page:
        await page.goto(town.path("listings/new?kind=offer"))
        await page.get_by_label("In a few words").fill("Bread baking for beginners")
        await page.get_by_role("button", name="Put it on the board").click()
        await expect(page.get_by_role("main")).to_contain_text("Bread baking for beginners")
    form = {"which": "request", "title": "A lift to the eye clinic"}
    assert (await town.post("Kofi", "listings/", form)).is_redirect


# ── What went wrong, and what nobody saw to ──────────────────────────────────────────────────────


async def _on_the_statements(
    there: Sixty, giver: str, receiver: str, minutes: int, day: str, note: str
) -> str:
    """The path of an entry that Carla approved."""
    id = await _writes(there, giver, receiver, minutes, day, note)
    await there.town.approve(await there.town.entry(UUID(id)))
    return f"entries/{id}"


async def _a_dispute_is_talked_about_and_kept(there: Sixty) -> None:
    there.until(14)
    town = there.town
    path = await _on_the_statements(there, "Ana", "Bruno", 60, "2026-05-11", "A walk by the canal")
    async with there.as_("Bruno", width=390, script=False) as bruno, there.as_("Carla") as carla:
        await bruno.goto(town.path(path))
        await bruno.get_by_text("No, it was different").click()
        await bruno.get_by_label("How was it?").fill("I was away that day.")
        await bruno.get_by_role("button", name="Say that it is not right").click()
        await carla.goto(town.path("inbox?why=dispute"))
        await carla.get_by_role("link", name=re.compile("Ana .* gave time to Bruno")).click()
        look = carla.get_by_role("button", name="I’ll look into it")
        await look.click()
        await expect(look).to_have_count(0)
        answer = await town.post(
            "Ana", f"{path}/answer", {"words": "It was after lunch, by the lock."}
        )
        assert answer.is_redirect
        await carla.reload()
        await expect(carla.get_by_role("main")).to_contain_text("It was after lunch, by the lock.")
        await there.picture(carla, "08-dispute")
        await carla.get_by_text("It is right: it stays").click()
        await carla.get_by_label("What you found out").fill("Both remember it now.")
        await carla.get_by_role("button", name="Settle it: the entry stays").click()
        await expect(carla.get_by_role("main")).to_contain_text("Both remember it now.")
        await bruno.reload()
        await expect(bruno.get_by_role("main")).to_contain_text("it stays as it is")
        await expect(bruno.get_by_role("main")).to_contain_text("Both remember it now.")
        await there.picture(bruno, "09-kept")
    there.book.wrote("Ana", "Bruno", 60)


async def _one_is_corrected_in_one_go_and_one_undone(there: Sixty) -> None:
    town = there.town
    long = await _on_the_statements(there, "Chidi", "Agnes", 120, "2026-05-12", "The hedge")
    twice = await _on_the_statements(there, "Elif", "Bert", 45, "2026-05-12", "The same again")
    async with there.as_("Carla") as page:
        await page.goto(town.path(long))
        await page.get_by_role("link", name="Correct this entry").click()
        await page.get_by_label("How long?").fill("1:00")
        await page.get_by_label("Why is it corrected?").fill("An hour less: the tea was not work.")
        await there.picture(page, "10-correct")
        await page.get_by_role("button", name="Correct it", exact=True).click()
        await expect(page.get_by_role("main")).to_contain_text("This corrects an earlier entry")
        fresh = page.url.rsplit("/", 1)[1]
        await page.goto(town.path(twice))
        await page.get_by_role("link", name="Undo this entry").click()
        await page.get_by_label("Why?").fill("It was on the sheet already.")
        await page.get_by_role("button", name="Undo 0:45").click()
        await expect(page.get_by_role("main")).to_contain_text("It was on the sheet already.")
        await page.goto(town.path(f"statement/{town.id('Bert')}"))
        await expect(page.locator("li.undone")).to_have_count(2)
        await expect(page.get_by_role("main")).not_to_contain_text("passed the lowest balance")
        await there.picture(page, "11-struck-out")
    await town.approve(await town.entry(UUID(fresh)), by="Dora")
    there.book.wrote("Chidi", "Agnes", 60)


async def _the_inbox_knows_who_needs_a_word(there: Sixty) -> None:
    """Somebody past a limit, somebody who would like to join, and a request that stands alone."""
    there.until(26)
    town = there.town
    await _on_the_statements(there, "Hugo", "Doris", 390, "2026-05-25", "Moving house")
    there.book.wrote("Hugo", "Doris", 390)
    async with there.as_(None, width=390, script=False) as page:
        await page.goto(town.path("join"))
        await page.get_by_label("Your name").fill("Noor Haddad")
        await page.get_by_label("Your e-mail address").fill("noor@mill.example")
        await page.get_by_role("button", name="Ask to join").click()
        await expect(page.get_by_role("main")).to_contain_text("Thank you")
    async with there.as_("Carla") as page:
        await page.goto(town.path("inbox"))
        main = page.get_by_role("main")
        for words in (called("Doris"), "Noor Haddad", "A lift to the eye clinic"):
            await expect(main).to_contain_text(words)
        await expect(main).not_to_contain_text("is new here")  # they came with the list
        await there.picture(page, "12-inbox-later")
        await page.get_by_role("button", name="Welcome Noor Haddad").click()
        await expect(main).to_contain_text("Welcome, Noor Haddad!")
        await page.goto(town.path("inbox?why=call"))
        await page.get_by_role("button", name=re.compile("We talked: put aside.*Doris")).click()
        await page.get_by_label("A word about it").fill("She gives again after the move.")
        await page.get_by_role("button", name="Put one thing aside").click()
        await expect(main).to_contain_text("You put one thing aside")
        await page.goto(town.path("inbox?why=request"))
        await expect(main).to_contain_text("A lift to the eye clinic")


# ── The month is over ────────────────────────────────────────────────────────────────────────────


async def _statements_are_printed(there: Sixty) -> None:
    """A page for each of those whom no mail reaches."""
    there.until(3, month=6)
    async with there.as_("Carla") as page:
        await page.goto(there.town.path("paper/"))
        async with page.expect_response(re.compile("/paper/statements/file")) as opened:
            await page.get_by_role("button", name="For 30 people without e-mail").click()
        url = (await opened.value).url
    async with there.as_("Carla") as page:
        document = PdfReader(io.BytesIO(await (await page.request.get(url)).body()))
    assert len(document.pages) == 30
    said = [" ".join(page.extract_text().split()) for page in document.pages]
    for name in WITHOUT_MAIL:
        assert sum(called(name) in one and "May 2026" in one for one in said) >= 1, name


async def _the_month_is_closed(there: Sixty) -> None:
    town = there.town
    waiting = await _writes(there, "Tove", "Edith", 30, "2026-05-28", "Reading the post aloud")
    async with there.as_("Carla") as page:
        await page.goto(town.path("months/2026-05"))
        main = page.get_by_role("main")
        await expect(main).to_contain_text("One thing with a day in this month still waits")
        await expect(main).to_contain_text(called("Edith"))
        await there.picture(page, "13-before-closing")
        await page.get_by_role("button", name="Close May 2026").click()
        await expect(main).to_contain_text("Closed by Carla Reyes on")
        await there.picture(page, "14-closed")
    closed = await all_of_it(town)
    await _the_report_is_right(there)
    await town.approve(await town.entry(UUID(waiting)))
    late = await _on_the_statements(there, "Tove", "Ivy", 60, "2026-05-30", "Found in a pocket")
    answer = await town.post("Carla", f"{late}/undo", {"words": "It was Ivy who gave."})
    assert answer.is_redirect
    async with there.as_("Tove", width=390) as page:
        await page.goto(town.path(f"entries/{waiting}"))
        await expect(page.get_by_role("main")).to_contain_text("it is reported in June 2026")
        await page.goto(town.path("statement"))
        await expect(page.get_by_role("main")).to_contain_text("late, counts in June 2026")
        await there.picture(page, "15-late")
    assert await all_of_it(town) == closed


async def _the_report_is_right(there: Sixty) -> None:
    """Its figures are those of the test's own book, and nobody is found in it."""
    town, book = there.town, there.book
    gave, received = book.gave, book.received
    async with there.as_("Ana", width=390, script=False) as page:
        await page.goto(town.path("months/2026-05"))
        main = page.get_by_role("main")
        for words in (
            f"{len(gave | received)} people gave or received hours: {len(gave)} gave, "
            f"{len(received)} received, {len(gave & received)} did both.",
            f"{len(book.deeds)} exchanges.",
            hours(book.minutes),
        ):
            await expect(main).to_contain_text(words)
        await expect(main).not_to_contain_text("Hill Top")
        # The total stands in the columns of what it adds up.
        column = page.locator("table.figures").first.locator("tr > :nth-child(2)")
        boxes = [await cell.bounding_box() for cell in await column.all()]
        places = {box["x"] for box in boxes if box}
        assert len(places) == 1, places
        await there.picture(page, "16-report")
        table = await page.request.get(town.path("months/2026-05/1?as=csv"))
        text = (await table.body()).decode("utf-8-sig")
    rows = {(row["about"], row["row"]): row for row in csv.DictReader(io.StringIO(text))}
    assert rows["May 2026", "People who gave"]["figure"] == str(len(gave))
    assert rows["May 2026", "Exchanges"]["figure"] == str(len(book.deeds))
    areas = book.by_area()
    small = tuple(a + b for a, b in zip(areas["Hill Top"], areas["Canal"], strict=True))
    for row, figures in (("Mill Road", areas["Mill Road"]), ("2 other areas", small)):
        found = rows["Where people live", row]
        assert (int(found["given_minutes"]), int(found["received_minutes"])) == figures, row
    assert "Hill Top" not in text


async def _everything_moves_to_another_installation(
    there: Sixty, empty: Settings, tmp_path: Path
) -> None:
    """The file a steward takes along, brought into an empty one: the books are the same."""
    town, archive = there.town, tmp_path / "everything.zip"
    async with there.as_("Stella") as page:
        await page.goto(town.path("exports/"))
        async with page.expect_download() as taken:
            await page.get_by_role("button", name="Download everything as one file").click()
        await (await taken.value).save_as(archive)
    async with town.db.read(town.community.id) as conn:
        here = await books.overview(conn, town.community.id)
    elsewhere = Database(empty)
    await elsewhere.start()
    try:
        place = await reading.bring_in(elsewhere, archive, schema_version=migrate.head())
        async with elsewhere.read(place.id) as conn:
            assert await books.overview(conn, place.id) == here
        report = await books.verify(elsewhere, place.id, now=town.now)
        assert report.sound, report.findings
        assert (report.seq, report.hash) == (here.head_seq, here.head_hash)
    finally:
        await elsewhere.stop()
