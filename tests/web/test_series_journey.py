"""A series of three gatherings, lived through on phones in a community of forty and six houses.

Planned from a format, invited to, signed up for, ticked off, settled by three rules, corrected,
thanked for and remembered; at the end the books are right, on both databases.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from sqlalchemy import select

from ledger import Minutes
from tests.infrastructure.smtp import Sink
from tests.ledger.test_second_verifier import second
from tests.timebank.factories import START
from tests.web.series import NEIGHBOURS, PHONE, Road, a_road, address_of
from timebank import attendance, books, export, rooms, settled
from timebank.config import Settings
from timebank.entry import Side
from timebank.gatherings import gatherings
from timebank.settling import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST = START.replace(day=12, hour=17)  # six in the evening, in London's summer
DATES = tuple(FIRST + timedelta(weeks=2 * number) for number in range(3))
ROOM = 24
WORDS = "seven kettles on the canal"


async def test_three_evenings_every_second_week(
    browser: Browser, db_settings: Settings, mail_server: Sink
) -> None:
    async with a_road(browser, db_settings, mail_server) as road:
        amina = await road.phone("Amina Diallo")
        await _amina_plans(road, amina)
        first, second, third = await _evenings(road)
        await _amina_invites(road, amina, first)
        await _they_answer(road, first)
        await _the_first_evening(road, first)
        await _its_house_agrees(road, first)
        await _it_is_thanked_for_and_remembered(road, first, second)
        await _the_second_evening(road, second)
        await _it_is_corrected_late(road, second)
        await _the_third_evening(road, third)
        await _nobody_has_more_than_their_time(road, [first, second, third])
        await _the_books_are_right(road)


async def _evenings(road: Road) -> list[UUID]:
    """The three gatherings, in their order."""
    async with road.db.read(road.place.id) as conn:
        rows = await conn.execute(select(gatherings).order_by(gatherings.c.starts_at))
        found = list(rows)
    assert [row.starts_at for row in found] == list(DATES)
    return [row.id for row in found]


def _main(page: Page) -> Locator:
    return page.get_by_role("main")


# ── Before ───────────────────────────────────────────────────────────────────────────────────────


async def _amina_plans(road: Road, page: Page) -> None:
    await page.goto(road.path("gatherings/"))
    await page.get_by_role("button", name="Plan a gathering").click()
    await road.picture(page, "01-formats")
    await page.get_by_role("link", name="Tea and talk").click()
    await page.get_by_label("Which day?").fill(FIRST.date().isoformat())
    await page.get_by_label("From when?").fill("18:00")
    await page.get_by_label("Where?").fill("Library, back room")
    await page.get_by_label("How often?").select_option(label="Every second week")
    await page.get_by_text("More: roles, who may come, how hours count").click()
    await page.get_by_label("For how many is there room?").fill(str(ROOM))
    await page.get_by_label("Which organisation hosts it?").select_option("Mill Road Library")
    await page.get_by_role("radio", name="Sponsored: ").check()
    await page.get_by_label("If it is sponsored: by whom?").select_option("Mill Road Library")
    await page.get_by_label("If it is sponsored, taking part counts too").uncheck()
    await page.get_by_label("If it comes again: the last day").fill(DATES[2].date().isoformat())
    await road.picture(page, "02-plan")
    await page.get_by_role("button", name="Put it in the calendar").click()
    await expect(_main(page)).to_contain_text("Every second Tuesday")
    await page.get_by_role("button", name="I will: Facilitate").click()
    await expect(_main(page)).to_contain_text("You come.")
    await road.picture(page, "03-gathering")
    for date, rule in ((DATES[1], "One earns, one gives"), (DATES[2], "Workshop")):
        await page.goto(road.path(f"calendar?month={date:%Y-%m}"))
        await page.get_by_role("link", name="Tea and talk").last.click()
        await page.get_by_role("button", name="Change it").click()
        await page.get_by_text("More: roles, who may come, how hours count").click()
        await page.get_by_role("radio", name=f"{rule}: ").check()
        await page.get_by_role("button", name="Keep this").click()
        await expect(page.get_by_role("status")).to_have_text("Changed.")


async def _amina_invites(road: Road, page: Page, evening: UUID) -> None:
    await page.goto(road.path(f"gatherings/{evening}"))
    await page.get_by_role("button", name="Invite someone").click()
    await road.picture(page, "04-inviting")
    await page.get_by_label("Whom?").fill("jorge")
    await page.get_by_label("A word from you").first.fill("Your cake was so good")
    await page.get_by_role("button", name="Invite them").first.click()
    await expect(page.get_by_role("status")).to_have_text("One person is invited.")
    await page.goto(road.path(f"inviting/{evening}"))
    await page.get_by_text("Ask it to send somebody").click()
    await page.get_by_label("Which one?").select_option("Mill Road Surgery")
    await page.get_by_role("button", name="Invite it").click()
    await expect(page.get_by_role("status")).to_be_visible()
    await page.goto(road.path(f"inviting/{evening}"))
    await page.get_by_text("By a personal link").click()
    await page.get_by_label("Their name").first.fill("Rosa Díaz")
    await page.get_by_label("Their e-mail address").fill("rosa@elsewhere.example")
    await page.get_by_label("Where do they come from?").first.fill("Shelter")
    await page.get_by_role("button", name="Invite them").last.click()
    await expect(_main(page)).to_contain_text("Rosa Díaz gets a mail")


async def _they_answer(road: Road, evening: UUID) -> None:
    """Tea is found, a house sends somebody, the guest joins, and the room is full."""
    asked = await road.mails(address_of("Jorge Medina"))
    assert any("Tea and talk" in subject for subject in asked), asked
    jorge = await road.phone("Jorge Medina")
    await jorge.goto(road.path())
    await road.picture(jorge, "05-home")
    await jorge.get_by_role("link", name="Tea and talk").first.click()
    await expect(_main(jorge)).to_contain_text("Amina Diallo invites you.")
    await jorge.get_by_role("button", name="I will: Tea and cake").click()
    await expect(_main(jorge)).to_contain_text("You come.")

    keeper = NEIGHBOURS[0]
    assert any(
        "Mill Road Surgery" in body for body in (await road.mails(address_of(keeper))).values()
    )
    ada = await road.phone(keeper)
    await ada.goto(road.path(f"gatherings/{evening}"))
    await road.picture(ada, "06-house")
    await ada.get_by_label("A name").fill(NEIGHBOURS[3])
    await ada.get_by_role("button", name="They come").first.click()
    await expect(ada.get_by_role("status")).to_be_visible()

    await _rosa_joins(road)
    await road.post_each(NEIGHBOURS[:21], f"seats/{evening}/answer", {"answer": "yes"})
    ines = await road.phone("Ines Ruiz")
    await ines.goto(road.path(f"gatherings/{evening}"))
    await ines.get_by_role("button", name="Put me in the line").first.click()
    await expect(_main(ines)).to_contain_text("It is full, and you wait in the line.")
    await road.picture(ines, "07-waiting")
    await road.post(NEIGHBOURS[20], f"seats/{evening}/answer", {"answer": "no", "words": "Flu"})
    await ines.reload()
    await expect(_main(ines)).to_contain_text("You come.")
    told = await road.mails(address_of("Ines Ruiz"))
    assert told, "who waited is told"


async def _rosa_joins(road: Road) -> None:
    (body,) = (await road.mails("rosa@elsewhere.example")).values()
    link = re.search(r"http://\S+", body)
    assert link, body
    rosa = await road.phone()
    await rosa.goto(link[0])
    await rosa.get_by_label("A word with your answer").fill("With a friend’s bicycle")
    await rosa.get_by_role("button", name="I’m coming").click()
    await expect(_main(rosa)).to_contain_text("You come.")
    await road.picture(rosa, "08-guest")
    await rosa.get_by_role("button", name="Become a member").click()
    await rosa.get_by_label("Your e-mail address").fill("rosa@elsewhere.example")
    await rosa.get_by_label("Choose a password").fill(WORDS)
    await road.picture(rosa, "09-joins")
    await rosa.get_by_role("button", name="Come in to Mill Road").click()
    await expect(_main(rosa)).to_contain_text("Rosa")
    await rosa.goto(road.path())
    await road.picture(rosa, "10-rosa-home")
    await expect(_main(rosa)).to_contain_text("Tea and talk")


# ── The first evening: the library sponsors it ───────────────────────────────────────────────────


async def _the_first_evening(road: Road, evening: UUID) -> None:
    """Ticks with and without a network, a walk-in, a code at the door, and a sheet."""
    road.clock.turn_to(FIRST + timedelta(minutes=20))
    await road.sign_in_everyone()
    amina = await road.phone("Amina Diallo", script=True)
    await amina.goto(road.path(f"gatherings/{evening}"))
    await road.picture(amina, "10-begun")
    await amina.get_by_role("button", name="Tick who is here").click()
    await _row(amina, "Amina Diallo").locator("label.tick").click()
    await expect(amina.locator("#sync")).to_have_text("Everything is saved.")
    await amina.context.set_offline(True)
    await _row(amina, "Jorge Medina").locator("label.tick").click()
    await _row(amina, "Jorge Medina").locator("summary").click()
    await amina.get_by_role("button", name="Jorge Medina: 15 minutes less").click()
    await amina.get_by_label("Who else is here?").fill("Grandma Joan")
    await amina.get_by_role("button", name="Put on the list").click()
    await expect(amina.locator("#sync")).to_contain_text("not sent yet")
    await road.picture(amina, "11-offline")
    await amina.context.set_offline(False)
    await expect(amina.locator("#sync")).to_have_text("Everything is saved.")
    await _come_through_the_door(road, amina, evening)
    await road.sheet("Amina Diallo", evening, [*NEIGHBOURS[:18], "Rosa Díaz"], {})
    await amina.goto(road.path(f"attendance/{evening}"))
    await expect(amina.locator("#count")).to_have_text("24 are here")
    await expect(_row(amina, "Jorge Medina").locator("[data-shown]")).to_have_text("1:45")
    await road.picture(amina, "12-list")


async def _come_through_the_door(road: Road, amina: Page, evening: UUID) -> None:
    await amina.goto(road.path(f"attendance/{evening}/door"))
    await amina.get_by_role("button", name="Make a code for the door").click()
    address = await amina.locator(".seal").inner_text()
    ines, stranger = await road.phone("Ines Ruiz"), await road.phone()
    await ines.goto(address)
    await ines.get_by_role("button", name="I’m here").click()
    await expect(_main(ines)).to_contain_text("You are on the list, Ines Ruiz.")
    await stranger.goto(address)
    await road.picture(stranger, "13-door")
    await stranger.get_by_label("Your first and last name").fill("Sam Young")
    await stranger.get_by_role("button", name="I’m here").click()
    await expect(_main(stranger)).to_contain_text("Your name is on the list.")
    await amina.goto(road.path(f"attendance/{evening}"))
    await amina.get_by_text("Who is “Sam Young”?").first.click()
    await amina.get_by_label("A guest", exact=True).check()
    await amina.get_by_role("button", name="That is “Sam Young”").click()


async def _its_house_agrees(road: Road, evening: UUID) -> None:
    """The table first, then the library's word, then one approval."""
    road.clock.turn_to(FIRST + timedelta(hours=3))
    amina = await road.phone("Amina Diallo")
    await _close(road, amina, evening)
    for said in ("Amina Diallo facilitating 3:00", "Jorge Medina tea and cake 1:15"):
        await expect(_main(amina)).to_contain_text(said)
    await expect(_main(amina)).to_contain_text("Mill Road Library")
    await _fills_the_width(amina.locator("ul.rows > li").first)
    await road.picture(amina, "14-table")
    await amina.get_by_role("button", name="Send 4:15 to approval").click()
    await expect(_main(amina)).to_contain_text("Waits for Mill Road Library to agree.")
    asked = await road.mails(address_of("Karim Saleh"))
    assert "Tea and talk: does Mill Road Library agree to 4:15?" in asked
    karim = await road.phone("Karim Saleh")
    await karim.goto(road.path())
    await road.picture(karim, "15-karim-home")
    await expect(_main(karim)).to_contain_text("Waiting for you")
    await karim.goto(road.path(f"settlement/{evening}"))
    await karim.get_by_role("button", name="Yes, Mill Road Library agrees").click()
    await _dora_approves(road, evening, "4:15")


async def _it_is_thanked_for_and_remembered(road: Road, evening: UUID, coming: UUID) -> None:
    thanks = await road.mails(address_of("Jorge Medina"))
    assert re.search(r"1:15\s+Tea and cake", thanks["Thank you for Tea and talk"], re.IGNORECASE)
    assert "26 May" in thanks["Thank you for Tea and talk"]
    assert "Thank you for Tea and talk" in await road.mails(address_of(NEIGHBOURS[0]))
    jorge, ada = await road.phone("Jorge Medina"), await road.phone(NEIGHBOURS[0])
    await jorge.goto(road.path(f"gatherings/{evening}"))
    await jorge.get_by_role("button", name="What is left of it").click()
    await expect(_main(jorge)).to_contain_text("Next time Tea and talk")
    await jorge.get_by_label("What was useful?").first.fill("The quiet room.")
    await jorge.get_by_label("Members may read it on this page").first.check()
    await jorge.get_by_role("button", name="Leave these words").click()
    await expect(jorge.get_by_role("status")).to_have_text("Thank you. It is kept.")
    await jorge.get_by_text("Somebody takes something on").click()
    await jorge.get_by_label("What?", exact=True).fill("Ask the council for a bench")
    await jorge.get_by_role("button", name="Write it down").click()
    await jorge.get_by_text("Write a note").click()
    await jorge.get_by_label("A note").fill("We want a bench by the river.")
    await jorge.get_by_role("button", name="Keep this note").click()
    await road.picture(jorge, "16-afterwards")

    await ada.goto(road.path(f"afterwards/{evening}"))
    for said in ("The quiet room.", "Ask the council for a bench", "a bench by the river"):
        await expect(_main(ada)).to_contain_text(said)
    await expect(_main(ada)).to_contain_text("24 people were there.")
    await _groups_are_of_five_or_more(ada)
    await road.picture(ada, "17-memory")
    await jorge.goto(road.path("my-data"))
    await jorge.get_by_role("button", name="Take all of these permissions back").click()
    await expect(jorge.get_by_role("status")).to_contain_text("Taken back.")
    await ada.reload()
    await expect(_main(ada)).not_to_contain_text("The quiet room.")

    await ada.goto(road.path())
    await expect(ada.locator(".next")).to_contain_text("26 May")
    await road.picture(ada, "18-next")
    await ada.goto(road.path("calendar"))
    await expect(ada.locator(f'main a[href$="{coming}"]').first).to_be_visible()
    await road.picture(ada, "19-calendar")


async def _groups_are_of_five_or_more(page: Page) -> None:
    groups = await page.locator(".groups li").all_inner_texts()
    counts = [int(text.split()[-1]) for text in groups]
    assert any(text.startswith("Health ") for text in groups), groups
    assert min(counts) >= 5, groups


# ── The second: one earns, one gives; and the third: a workshop ──────────────────────────────────


async def _the_second_evening(road: Road, evening: UUID) -> None:
    amina = await road.phone("Amina Diallo")
    await amina.goto(road.path(f"inviting/{evening}"))
    await amina.get_by_role("button", name="Invite everyone of last time").click()
    await expect(amina.get_by_role("status")).to_be_visible()
    came = await _sign_up(road, evening, NEIGHBOURS[:10])
    road.clock.turn_to(DATES[1] + timedelta(hours=3))
    await road.sign_in_everyone()
    await road.sheet("Amina Diallo", evening, came, {NEIGHBOURS[1]: "1:30"})
    amina = await road.phone("Amina Diallo")
    await _close(road, amina, evening)
    await road.picture(amina, "20-one-for-one")
    await amina.get_by_role("button", name="to approval").click()
    await _dora_approves(road, evening)
    assert await _given(road, evening, NEIGHBOURS[1]) == Minutes(-90)


async def _it_is_corrected_late(road: Road, evening: UUID) -> None:
    """A day later: only the difference moves, and the page tells one story."""
    road.clock.turn_to(DATES[1] + timedelta(days=1))
    page = await road.phone("Amina Diallo")
    await page.goto(road.path(f"gatherings/{evening}"))
    await page.get_by_role("button", name="How the hours move").click()
    await page.get_by_role("link", name="The list of who came").click()
    await page.get_by_text("Something is not right: open the list again").click()
    await page.locator("#reopen textarea").fill("Chloe left early.")
    await page.locator("#reopen button").click()
    await _row(page, NEIGHBOURS[2]).locator("summary").click()
    await _row(page, NEIGHBOURS[2]).get_by_label("How long?").fill("45 min")
    await page.get_by_role("button", name="Save the list").click()
    await expect(page.get_by_role("status")).to_have_text("1 change saved.")
    await page.get_by_role("button", name="Close the list").click()
    await expect(_main(page)).to_contain_text("What changes")
    await road.picture(page, "21-changes")
    await page.get_by_role("button", name="to approval").click()
    await _dora_approves(road, evening)
    await page.goto(road.path(f"settlement/{evening}"))
    for said in ("Number 1, sent by", "Number 2, which corrects number 1", "Chloe left early."):
        await expect(_main(page)).to_contain_text(said)
    await road.picture(page, "22-story")
    assert await _given(road, evening, NEIGHBOURS[2]) == Minutes(-45)
    assert any(
        "Chloe left early." in body
        for body in (await road.mails(address_of(NEIGHBOURS[2]))).values()
    )


async def _the_third_evening(road: Road, evening: UUID) -> None:
    came = await _sign_up(road, evening, [*NEIGHBOURS[5:12], "Ines Ruiz"])
    road.clock.turn_to(DATES[2] + timedelta(hours=3))
    await road.sign_in_everyone()
    await road.sheet("Amina Diallo", evening, came, {"Ines Ruiz": "0:50"})
    page = await road.phone("Amina Diallo")
    await _close(road, page, evening)
    await road.picture(page, "23-workshop")
    await page.get_by_role("button", name="to approval").click()
    await _dora_approves(road, evening)
    assert await _given(road, evening, "Ines Ruiz") == Minutes(-50)
    await page.goto(road.path(f"afterwards/{evening}"))
    await expect(_main(page)).to_contain_text("Number 3 of its kind, 2 weeks after the one before.")
    await road.picture(page, "24-memory-of-three")


async def _sign_up(road: Road, evening: UUID, names: Sequence[str]) -> list[str]:
    """They come, Amina facilitates, Jorge makes the tea; everybody who comes."""
    await road.post_each(names, f"seats/{evening}/answer", {"answer": "yes"})
    for name, duty in (("Amina Diallo", "facilitate"), ("Jorge Medina", "tea")):
        await road.post(name, f"duties/{evening}/offer", {"duty": duty})
    return [*names, "Amina Diallo", "Jorge Medina"]


async def _fills_the_width(row: Locator) -> None:
    """One person, one line: a name is not squeezed beside another."""
    box = await row.bounding_box()
    assert box is not None
    assert box["width"] > 0.75 * PHONE["width"]


def _row(page: Page, name: str) -> Locator:
    return page.locator(f'li[data-name="{name}"]')


async def _close(road: Road, page: Page, evening: UUID) -> None:
    await page.goto(road.path(f"attendance/{evening}"))
    await page.get_by_role("button", name="Close the list").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("How the hours move")


async def _dora_approves(road: Road, evening: UUID, minutes: str = "") -> None:
    """She was not there, so she does not gain."""
    dora = await road.phone("Dora Nagy")
    await dora.goto(road.path("inbox"))
    await dora.get_by_role("link", name="Hours of Tea and talk").first.click()
    await dora.get_by_role("link", name="How the hours of this gathering").click()
    assert str(evening) in dora.url
    await dora.get_by_role("button", name=f"Approve {minutes}").click()
    await expect(dora.locator(".note.standing")).to_contain_text("Settled.")


# ── What is left in the books ────────────────────────────────────────────────────────────────────


async def _standing(road: Road, evening: UUID) -> tuple[Line, ...]:
    async with road.db.read(road.place.id) as conn:
        now = settled.standing(await settled.of_gathering(conn, road.place.id, evening))
        assert now is not None
        return await settled.lines(conn, road.place.id, evening, now.number)


async def _given(road: Road, evening: UUID, name: str) -> Minutes:
    """What stands for somebody by this gathering: given less received."""
    id = road.people[name].id
    lines = [line for line in await _standing(road, evening) if line.account_id == id]
    return sum((_signed(line) for line in lines), start=Minutes(0))


def _signed(line: Line) -> Minutes:
    return line.minutes if line.side is Side.GAVE else -line.minutes


async def _nobody_has_more_than_their_time(road: Road, evenings: Sequence[UUID]) -> None:
    for evening in evenings:
        async with road.db.read(road.place.id) as conn:
            roll = await attendance.roll(conn, await rooms.get(conn, road.place.id, evening))
        real = {
            row.member_id: (row.present or Minutes(0)).count
            + sum(duty.before.count + duty.after.count for duty in row.duties)
            for row in roll.rows
            if row.member_id
        }
        lines = await _standing(road, evening)
        assert sum(_signed(line).count for line in lines) == 0
        for member, most in real.items():
            credited = [line for line in lines if line.account_id == member]
            assert sum(_signed(line).count for line in credited) <= most


async def _the_books_are_right(road: Road) -> None:
    """Our own check says so, the page shows it, and so does the verifier that strangers run."""
    report = await books.verify(road.db, road.place.id, now=road.clock())
    assert report.sound, report.findings
    async with road.db.read(road.place.id) as conn:
        whole = await books.overview(conn, road.place.id)
        exported = [
            f"{line}\n".encode()
            async for line in export.lines(conn, road.place, export.Format.BOOK)
        ]
    assert whole.total == Minutes(0)
    assert second.verify(lambda: exported).sound
    page = await road.phone("Dora Nagy")
    await page.goto(road.path("books"))
    await expect(page.get_by_label("The sum of all balances")).to_contain_text("0:00")
    await road.picture(page, "25-books")
