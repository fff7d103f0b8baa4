"""How the hours of a gathering move: shown first, posted at once, corrected in one story."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from ledger import Minutes
from tests.timebank.evenings import a_duty, a_gathering, a_seat
from tests.timebank.factories import START, a_community, a_member, at
from tests.web.conftest import served
from tests.web.rooms import InTown, in_town
from tests.web.test_accessibility import findings_on
from tests.web.town import Town
from timebank import agreements, books, buddies, rooms, sessions, walk_ins
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.gatherings import Rule
from timebank.members import Role
from timebank.moment import Moment


async def held(town: Town, **facts: object) -> InTown:
    """Ana, Bert and the guest Tom were there the whole time, Jorge for an hour and a quarter."""
    room = await in_town(town, hours_ago=5, **facts)
    form = await room.sheet()
    form |= {f"minutes-{room.seats['Jorge']}": "1:15"}
    came = [str(room.seats[name]) for name in ("Ana", "Bert", "Tom")]
    await room.post("Ana", "attendance", form | {"came": came})
    return room


async def agree(town: Town, **terms: object) -> None:
    """Stella adopts other terms."""
    community = town.community.id
    async with town.db.write(community) as conn:
        current = await agreements.current(conn, community)
        await agreements.adopt(
            conn,
            community,
            replace(current.terms, **terms),  # type: ignore[arg-type]
            reason="We talked about it.",
            expected_version=current.version,
            by=town.id("Stella"),
            now=town.now,
        )


def sentences(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]).split())


async def test_the_table_says_who_gets_or_gives_what_from_which_account_and_why(
    town: Town,
) -> None:
    room = await held(town)
    said = sentences((await room.get("Ana", "settlement")).text)
    assert "The list is still open. So the hours would move if it were closed now." in said
    await room.post("Ana", "attendance/close")
    said = sentences((await room.get("Ana", "settlement")).text)
    assert "Nothing has moved yet. This is how it would be." in said
    assert "Ana Lima facilitating 3:00 (1:00 before, 2:00 meanwhile) +3:00" in said
    assert "Bert Cole tea and cake 1:15 (0:45 before, 0:30 after) taking part 2:00 +3:15" in said
    assert "Jorge Medina taking part 1:15 +1:15" in said
    assert "the commons −7:30" in said
    assert "Tom Weber was there as a guest: nothing is written down for guests." in said
    assert "Send 7:30 to approval" in said


async def test_one_approval_and_a_correction_stand_in_one_story(town: Town) -> None:
    room = await held(town, rule=Rule.ONE_FOR_ONE)
    await room.close_and_send()
    said = sentences((await room.get("Jorge", "settlement")).text)
    assert "Waits for a coordinator to approve it." in said
    assert "Approve" not in said
    approved = await room.post("Carla", "settlement/approve")
    assert approved.status_code == 303
    assert await town.balance("Ana") == Minutes(180)
    assert await town.balance("Jorge") == Minutes(-75)

    await room.post("Ana", "attendance/reopen", {"words": "Jorge stayed on."})
    form = await room.sheet()
    form |= {f"minutes-{room.seats['Jorge']}": "2:00", "came": str(room.seats["Jorge"])}
    others = [str(room.seats[name]) for name in ("Ana", "Bert", "Tom", "Jorge")]
    await room.post("Ana", "attendance", form | {"came": others})
    await room.post("Ana", "attendance/close")
    said = sentences((await room.get("Ana", "settlement")).text)
    assert "What changes Jorge Medina before: gives 1:15 then: gives 2:00 −0:45" in said
    assert "Send 0:45 to approval" in said
    await room.close_and_send()
    assert (await room.post("Dora", "settlement/approve")).status_code == 303
    assert await town.balance("Jorge") == Minutes(-120)
    said = sentences((await room.get("Jorge", "settlement")).text)
    assert "Number 1, sent by Ana Lima: on the statements" in said
    assert "Number 2, which corrects number 1, sent by Ana Lima: on the statements" in said
    assert "Jorge stayed on." in said
    entry = (await town.entries_of("Jorge"))[0]
    page = sentences((await town.get("Jorge", f"entries/{entry.id}")).text)
    assert "Hours of Tea and talk: Jorge stayed on." in page
    assert "How the hours of this gathering move, and why" in page
    report = await books.verify(town.db, town.community.id, now=town.now)
    assert report.sound, report.findings


async def test_the_budget_is_named_and_a_reason_lets_it_through(town: Town) -> None:
    await agree(town, commons_floor=Minutes(-300))
    room = await held(town)
    await room.close_and_send()
    said = sentences((await room.get("Carla", "settlement")).text)
    assert "The commons can still give 5:00, and this takes 7:30: 2:30 too much." in said
    refused = await room.post("Carla", "settlement/approve")
    assert (refused.status_code, await town.balance("Ana")) == (422, Minutes(0))
    form = {"words": "It is our birthday.", "override": "1"}
    assert (await room.post("Carla", "settlement/approve", form)).status_code == 303
    assert await town.balance("Ana") == Minutes(180)


async def test_an_organisation_that_sponsors_agrees_on_the_page(town: Town) -> None:
    library = town.id("the library")
    refused_room = await held(town, payer=library)
    await refused_room.post("Ana", "attendance/close")
    page = await refused_room.get("Ana", "settlement")
    seal = re.search(r'name="seal" value="([^"]+)"', page.text)
    assert seal
    refused = await refused_room.post("Ana", "settlement", {"seal": seal[1]})
    assert "keeps the account of Mill Road Library" in refused.text
    async with town.db.write(town.community.id) as conn:
        await buddies.add(
            conn,
            town.community.id,
            library,
            town.id("Jorge"),
            consent="Said so.",
            by=town.id("Stella"),
            now=town.now,
        )
    await refused_room.close_and_send()
    said = sentences((await refused_room.get("Carla", "settlement")).text)
    assert "Waits for Mill Road Library to agree." in said
    assert "Approve" not in said
    waiting = sentences((await town.get("Jorge", "")).text)
    assert "Waiting for you Hours of Tea and talk" in waiting
    said = sentences((await refused_room.get("Jorge", "settlement")).text)
    assert "Yes, Mill Road Library agrees" in said
    entry = (await town.entries_of("Jorge"))[0]
    assert (await town.post("Jorge", f"entries/{entry.id}/confirm", {})).status_code == 303
    assert (await refused_room.post("Carla", "settlement/approve")).status_code == 303
    assert await town.balance("the library") == Minutes(-450)


async def test_somebody_who_was_there_stands_in_where_every_coordinator_gains(
    town: Town,
) -> None:
    room = await held(town)
    for name in ("Carla Reyes", "Dora Nagy", "Stella Ford"):
        await room.post("Ana", "attendance/add", {"name": name})
    await room.close_and_send()
    said = sentences((await room.get("Carla", "settlement")).text)
    assert "Every coordinator gains from this" in said
    assert "Approve" not in said
    assert (await room.post("Jorge", "settlement/vouch")).status_code == 403
    await agree(town, sole_coordinator=True)
    assert "I was there: this is right" in (await room.get("Jorge", "settlement")).text
    assert (await room.post("Jorge", "settlement/vouch")).status_code == 303
    assert (await room.post("Carla", "settlement/approve")).status_code == 303
    entry = (await town.entries_of("Jorge"))[0]
    story = sentences((await town.get("Jorge", f"entries/{entry.id}")).text)
    assert "Jorge Medina confirmed it" in story or "You confirmed it" in story
    assert "stood in for a second coordinator" in story


async def test_what_somebody_looked_at_before_is_not_sent(town: Town) -> None:
    room = await held(town)
    await room.post("Ana", "attendance/close")
    stale = await room.post("Ana", "settlement", {"seal": "0" * 64})
    assert (stale.status_code, "Something changed meanwhile." in stale.text) == (422, True)
    assert (await room.post("Carla", "settlement/approve")).status_code == 404


async def test_a_table_of_many_asks_as_often_as_one_of_few(town: Town) -> None:
    from tests.web.test_queries import MOST, counted

    room = await held(town)
    async with town.db.write(town.community.id) as conn:
        there = await rooms.get(conn, town.community.id, room.id)
        await walk_ins.at_the_door(conn, there, "Neighbour", seat_id=uuid4(), now=town.now)

    async def asked() -> list[int]:
        found = []
        for page in ("attendance", "attendance/roles", "settlement", "afterwards"):
            await room.get("Ana", page)
            with counted(town.db) as sent:
                assert (await room.get("Ana", page)).status_code == 200
            found.append(len(sent))
        return found

    few = await asked()
    async with town.db.write(town.community.id) as conn:
        for number in range(60):
            member = await a_member(conn, town.community.id, f"Neighbour {number}", now=town.now)
            seat = await a_seat(conn, town.community.id, room.id, member.id, present=Minutes(60))
            if number % 10 == 0:
                await a_duty(conn, town.community.id, room.id, seat, "notes")
        there = await rooms.get(conn, town.community.id, room.id)
        for name in ("Ana", "Jorge", "Somebody"):
            await walk_ins.at_the_door(conn, there, name, seat_id=uuid4(), now=town.now)
    assert await asked() == few
    assert max(few) <= MOST, few


# ── A whole evening, in a real browser without a script ──────────────────────────────────────────


@asynccontextmanager
async def _phone(browser: Browser, address: str, session: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        base_url=address,
        viewport={"width": 390, "height": 844},
        locale="en-GB",
        java_script_enabled=False,
    )
    context.set_default_timeout(10_000)
    await context.add_cookies([{"name": "session", "value": session, "url": address}])
    try:
        yield await context.new_page()
    finally:
        await context.close()


@dataclass
class Riverside:
    """A gathering three hours ago at which Amina hosted, and the next one; keys of three people."""

    community: UUID
    gathering: UUID
    keys: dict[str, str]


async def _riverside(db: Database) -> Riverside:
    now = Moment.now()
    async with db.write(EVERYWHERE) as conn:
        place = await a_community(conn, "riverside", name="Riverside Time Bank", now=now)
        amina = await a_member(conn, place.id, "Amina Diallo", email="amina@example.org")
        carla = await a_member(
            conn, place.id, "Carla Reyes", email="carla@example.org", role=Role.COORDINATOR
        )
        jorge = await a_member(conn, place.id, "Jorge Medina", email="jorge@example.org")
        starts = now.at - START - timedelta(hours=3)
        id = await a_gathering(conn, place.id, amina.id, starts=starts)
        await a_gathering(conn, place.id, amina.id, starts=starts + timedelta(days=14))
        seat = await a_seat(conn, place.id, id, amina.id)
        await a_duty(conn, place.id, id, seat, "host")
        await a_seat(conn, place.id, id, jorge.id)
        keys = {
            member.name: await sessions.begin(conn, member.person_id, device="", now=now)
            for member in (amina, carla, jorge)
            if member.person_id
        }
    return Riverside(place.id, id, keys)


@pytest.mark.asyncio(loop_scope="session")
async def test_an_evening_from_the_list_to_the_words_that_are_left(
    browser: Browser, db_settings: Settings
) -> None:
    db = Database(db_settings)
    await db.start()
    here = await _riverside(db)
    try:
        async with (
            served(db_settings) as address,
            _phone(browser, address, here.keys["Amina Diallo"]) as amina,
            _phone(browser, address, here.keys["Carla Reyes"]) as carla,
            _phone(browser, address, here.keys["Jorge Medina"]) as jorge,
        ):
            await _amina_takes_attendance(amina, here)
            await _carla_approves(carla)
            await _jorge_leaves_words_and_takes_the_permission_back(jorge, amina, here)
            await carla.goto(f"/c/riverside/afterwards/{here.gathering}")
            await expect(carla.locator("main")).to_contain_text("Only you who look after")
        report = await books.verify(db, here.community, now=Moment.now())
        assert report.sound, report.findings
    finally:
        await db.stop()


async def _amina_takes_attendance(page: Page, here: Riverside) -> None:
    await page.goto(f"/c/riverside/attendance/{here.gathering}")
    for name in ("Amina Diallo", "Jorge Medina"):
        await page.locator(f'li[data-name="{name}"] label.tick').click()
    await page.get_by_role("button", name="Save the list").click()
    await page.get_by_label("Who else is here?").fill("Grandma Joan")
    await page.get_by_role("button", name="Put on the list").click()
    await page.get_by_role("link", name="Who did what, and how long it took").click()
    await page.get_by_label("Before").fill("1:00")
    await page.get_by_role("button", name="Write it down").first.click()
    await page.get_by_role("button", name="Close the list").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("How the hours move")
    await page.get_by_role("button", name="Send 5:30 to approval").click()
    await expect(page.get_by_role("status")).to_have_text("Sent. A coordinator looks at it.")


async def _carla_approves(page: Page) -> None:
    await page.goto("/c/riverside/inbox")
    await page.get_by_role("link", name="Hours of Tea and talk").click()
    await page.get_by_role("link", name="How the hours of this gathering").click()
    await page.get_by_role("button", name="Approve 5:30").click()
    await expect(page.locator(".note.standing")).to_contain_text("Settled.")


async def _jorge_leaves_words_and_takes_the_permission_back(
    page: Page, other: Page, here: Riverside
) -> None:
    await page.goto(f"/c/riverside/afterwards/{here.gathering}")
    await expect(page.locator("main")).to_contain_text("Next time")
    await page.get_by_label("What was useful?").first.fill("The quiet room.")
    await page.get_by_label("Members may read it on this page").first.check()
    await page.get_by_role("button", name="Leave these words").click()
    await expect(page.get_by_role("status")).to_have_text("Thank you. It is kept.")
    await other.goto(f"/c/riverside/afterwards/{here.gathering}")
    await expect(other.locator("main")).to_contain_text("The quiet room.")
    await page.goto("/c/riverside/my-data")
    await page.get_by_role("button", name="Take all of these permissions back").click()
    await expect(page.get_by_role("status")).to_contain_text("Taken back.")


@pytest.mark.asyncio(loop_scope="session")
async def test_axe_finds_nothing_where_a_gathering_is_settled_or_corrected(
    browser: Browser, sqlite_settings: Settings
) -> None:
    """The states of these pages that the walk over all routes does not come to."""
    from tests.timebank.evenings import an_evening
    from tests.timebank.scenes import mill_road

    db = Database(sqlite_settings)
    await db.start()
    road = await mill_road(db)
    evening = await an_evening(road, carries={"Ana Lima": ("facilitate",)})
    for name in evening.seats:
        await evening.tick(name)
    await evening.settle()
    await evening.reopen("Bert left early.", now=at(hours=5))
    await evening.tick("Bert Okoro", 45, now=at(hours=5))
    await evening.close(now=at(hours=6))
    async with db.write(EVERYWHERE) as conn:
        assert road.carla.person_id is not None
        session = await sessions.begin(conn, road.carla.person_id, device="", now=Moment.now())
    findings: list[str] = []
    async with served(sqlite_settings) as address:
        context = await browser.new_context(
            base_url=address, viewport={"width": 320, "height": 800}
        )
        await context.add_cookies([{"name": "session", "value": session, "url": address}])
        page = await context.new_page()
        for noun in ("attendance", "settlement", "afterwards"):
            findings += await findings_on(page, f"/c/mill-road/{noun}/{evening.id}")
        await context.close()
    await db.stop()
    assert findings == []
