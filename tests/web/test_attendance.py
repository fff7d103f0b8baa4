"""The list of a gathering, on phones with and without scripts, with and without a network.

Seen to turn red: a page from before that takes back what another phone ticked; a tick lost with the
network; a tick sent twice and counted twice; a closed list that swallows late ticks silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, expect
from sqlalchemy import func, select, update

from ledger import Minutes
from tests.timebank.evenings import a_duty, a_gathering, a_seat
from tests.timebank.factories import START, a_community, a_member
from tests.web.conftest import served
from tests.web.effort import Effort
from tests.web.rooms import in_town
from tests.web.town import Town
from timebank import attendance, rooms, sessions, ticks
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.gatherings import Rule, State, gatherings
from timebank.members import Member, Role
from timebank.moment import Moment

# ── Without a script ─────────────────────────────────────────────────────────────────────────────


async def test_a_sheet_typed_in_afterwards_saves_all_rows_at_once(town: Town) -> None:
    room = await in_town(town, hours_ago=5)
    form = await room.sheet()
    form |= {f"minutes-{room.seats['Jorge']}": "1:15"}
    came = [str(room.seats[name]) for name in ("Ana", "Tom")]
    for _ in range(2):
        saved = await room.post("Ana", "attendance", form | {"came": came})
        assert saved.status_code == 303
    present = {row.name: row.present for row in (await room.roll()).rows}
    assert present == {
        "Ana Lima": Minutes(120),
        "Bert Cole": None,
        "Jorge Medina": Minutes(75),
        "Tom Weber": Minutes(120),
    }
    assert (await room.row("Ana Lima")).how == "sheet"
    async with town.db.read(town.community.id) as conn:
        assert await conn.scalar(select(func.count()).select_from(ticks.ticks)) == 3


async def test_saving_a_page_from_before_takes_nothing_back(town: Town) -> None:
    room = await in_town(town)
    before = await room.sheet("Ana")
    other = await room.sheet("Carla")
    await room.post("Carla", "attendance", other | {"came": str(room.seats["Jorge"])})
    await room.post("Ana", "attendance", before | {"came": str(room.seats["Tom"])})
    assert {row.name for row in (await room.roll()).came} == {"Jorge Medina", "Tom Weber"}
    now_ = await room.sheet("Ana")
    await room.post("Ana", "attendance", now_ | {"came": str(room.seats["Tom"])})
    assert {row.name for row in (await room.roll()).came} == {"Tom Weber"}
    assert (await room.row("Jorge Medina")).present == Minutes(0)


async def test_a_time_nobody_can_read_stands_beside_its_row(town: Town) -> None:
    room = await in_town(town)
    form = await room.sheet()
    form[f"minutes-{room.seats['Jorge']}"] = "a while"
    page = await room.post("Ana", "attendance", form)
    assert page.status_code == 422
    assert "“a while” is not a time we understand." in page.text
    assert 'value="a while"' in page.text
    assert (await room.row("Jorge Medina")).present is None


async def test_names_that_walk_in_and_who_they_are(town: Town) -> None:
    room = await in_town(town)
    for name in ("jorge medina", "Grandma Joan"):
        added = await room.post("Ana", "attendance/add", {"name": name, "seat": str(uuid4())})
        assert added.status_code == 303
    async with town.db.write(EVERYWHERE) as conn:
        await a_member(conn, town.community.id, "Ana Ruiz")
    await room.post("Ana", "attendance/add", {"name": "Ana", "seat": str(uuid4())})
    page = await room.get("Ana", "attendance")
    assert "Who is “Ana”?" in page.text
    assert "Ana Ruiz" in page.text
    refused = await room.post("Ana", "attendance/close")
    assert "Names that still have to be confirmed: 1." in refused.text
    unsure = (await room.roll()).to_confirm[0]
    nobody = await room.post("Ana", "attendance/who", {"seat": str(unsure.seat_id)})
    assert "Choose who it is" in nobody.text
    typed = {"seat": str(unsure.seat_id), "member": "Ana Ruiz"}
    assert (await room.post("Ana", "attendance/who", typed)).status_code == 303
    names = sorted(row.name for row in (await room.roll()).came)
    assert names == ["Ana Ruiz", "Grandma Joan", "Jorge Medina"]


async def test_who_did_what_with_real_minutes(town: Town) -> None:
    room = await in_town(town)
    page = await room.get("Ana", "attendance/roles")
    assert "Bert Cole: tea and cake" in page.text
    tea = f"{room.seats['Bert']}-tea"
    lead = f"{room.seats['Ana']}-facilitate"
    form = {
        f"role-{tea}": "1",
        f"did-{tea}": "1",
        f"before-{tea}": "1:30",
        f"during-{tea}": "0:00",
        f"after-{tea}": "20 min",
        f"role-{lead}": "1",
        "bearer": str(room.seats["Jorge"]),
        "carried": "notes",
    }
    assert (await room.post("Ana", "attendance/roles", form)).status_code == 303
    roles = {
        (row.name, duty.key): (duty.before.count, duty.during.count, duty.after.count)
        for row in (await room.roll()).rows
        for duty in row.duties
    }
    assert roles == {("Bert Cole", "tea"): (90, 0, 20), ("Jorge Medina", "notes"): (0, 0, 60)}
    wrong = await room.post("Ana", "attendance/roles", form | {f"before-{tea}": "soon"})
    assert wrong.status_code == 422
    assert 'value="soon"' in wrong.text


async def test_a_closed_list_is_read_and_can_be_opened_again(town: Town) -> None:
    room = await in_town(town, rule=Rule.SPLIT)
    await room.post("Ana", "attendance/close")
    page = await room.get("Ana", "attendance")
    assert "Ana Lima closed this list" in page.text
    assert 'name="came"' not in page.text
    late = {f"was-{room.seats['Tom']}": "", "came": str(room.seats["Tom"])}
    refused = await room.post("Ana", "attendance", late)
    assert (refused.status_code, "closed meanwhile" in refused.text) == (422, True)
    await room.post("Ana", "attendance/reopen", {"words": "Tom came after all."})
    page = await room.get("Ana", "attendance")
    assert "Tom came after all." in page.text
    assert (await room.post("Ana", "attendance", late)).status_code == 303


async def test_the_sheet_has_the_names_of_the_list_in_its_order(town: Town) -> None:
    room = await in_town(town)
    page = (await room.get("Ana", "attendance/sheet")).text
    names = [row.name for row in (await room.roll()).rows]
    places = [page.index(name) for name in names]
    assert places == sorted(places)
    assert page.count('class="box"') > len(names) + 10


async def test_what_lately_waits_for_whom(town: Town) -> None:
    mine = await in_town(town, title="Mine")
    async with town.db.write(town.community.id) as conn:
        await conn.execute(
            update(gatherings).where(gatherings.c.id == mine.id).values(state=State.PLANNED.value)
        )
        await a_gathering(conn, town.community.id, town.id("Stella"), title="Another")
        await a_gathering(
            conn, town.community.id, town.id("Ana"), title="Next week", starts=timedelta(days=7)
        )
    page = (await town.get("Ana", "attendance/")).text
    assert "Mine" in page
    assert "list open" in page
    assert "Another" not in page
    assert "Next week" not in page
    assert "Another" in (await town.get("Carla", "attendance/")).text
    form = await mine.sheet()
    await mine.post("Ana", "attendance", form | {"came": str(mine.seats["Jorge"])})
    await mine.close_and_send()
    assert "waits to be approved" in (await town.get("Ana", "attendance/")).text
    assert "Nothing here yet." in (await town.get("Jorge", "attendance/")).text


async def test_a_script_hears_what_became_of_its_ticks_and_what_others_ticked(town: Town) -> None:
    room = await in_town(town)
    tick, seat = uuid4(), room.seats["Jorge"]
    path = town.path(f"attendance/{room.id}")
    made = round((START - timedelta(minutes=15)).timestamp() * 1000)
    one = {
        "came": str(seat),
        f"was-{seat}": "",
        f"tick-{seat}": str(tick),
        f"made-{seat}": str(made),
    }
    async with town.browser("Carla") as client:
        client.headers["Accept"] = "application/json"
        for _ in range(2):
            since = {"since": START.isoformat()}
            heard = (await client.post(path, params=since, data=one)).json()
            assert heard["ticks"] == {str(tick): "kept"}
        assert heard["rows"] == {str(seat): 120}
        assert heard["people"] == 4
        broken = await client.post(path, data=one | {f"minutes-{seat}": "a while"})
        assert broken.status_code == 422
        assert "not a time" in broken.json()["mistakes"][0]
        added = {"name": "Somebody New", "seat": str(uuid4())}
        assert (await client.post(f"{path}/add", data=added)).json()["name"] == "Somebody New"
        await room.post("Ana", "attendance/close")
        late = {f"was-{seat}": "1", f"tick-{seat}": str(uuid4())}
        closed = (await client.post(path, data=late)).json()
        assert list(closed["ticks"].values()) == ["closed"]
    row = await room.row("Jorge Medina")
    assert (row.present, row.how) == (Minutes(120), "list")
    assert row.ticked_at == START - timedelta(minutes=15)


# ── With a script, in a real browser ─────────────────────────────────────────────────────────────


class Phones:
    """A gathering that is on just now, and phones of those who look after it."""

    def __init__(self, browser: Browser, db: Database, address: str) -> None:
        self._browser, self.db, self._address = browser, db, address
        self.seats: dict[str, str] = {}

    async def begin(self) -> None:
        now = Moment.now()
        async with self.db.write(EVERYWHERE) as conn:
            place = await a_community(conn, "riverside", name="Riverside Time Bank", now=now)
            self.community = place.id
            people: dict[str, Member] = {}
            for name, role in (
                ("Amina Diallo", Role.MEMBER),
                ("Carla Reyes", Role.COORDINATOR),
                ("Jorge Medina", Role.MEMBER),
                ("Ines Ruiz", Role.MEMBER),
            ):
                email = f"{name.split()[0].lower()}@example.org"
                people[name] = await a_member(conn, place.id, name, email=email, role=role)
            starts = now.at - START - timedelta(minutes=20)
            self.id = await a_gathering(conn, place.id, people["Amina Diallo"].id, starts=starts)
            for name, member in people.items():
                seat = await a_seat(conn, place.id, self.id, member.id)
                self.seats[name] = str(seat)
            await a_duty(conn, place.id, self.id, seat, "tea")
            self._sessions = {
                name: await sessions.begin(conn, member.person_id, device="", now=now)
                for name, member in people.items()
                if member.person_id
            }

    @asynccontextmanager
    async def phone(self, name: str, *, script: bool = True) -> AsyncIterator[BrowserContext]:
        context = await self._browser.new_context(
            base_url=self._address,
            viewport={"width": 390, "height": 844},
            locale="en-GB",
            java_script_enabled=script,
        )
        context.set_default_timeout(10_000)
        await context.add_cookies(
            [{"name": "session", "value": self._sessions[name], "url": self._address}]
        )
        try:
            yield context
        finally:
            await context.close()

    async def open(self, phone: BrowserContext) -> Page:
        page = await phone.new_page()
        await page.goto(f"/c/riverside/attendance/{self.id}")
        return page

    async def present(self) -> dict[str, int | None]:
        async with self.db.read(self.community) as conn:
            roll = await attendance.roll(conn, await rooms.get(conn, self.community, self.id))
        return {row.name: None if row.present is None else row.present.count for row in roll.rows}

    async def ticks(self) -> int:
        async with self.db.read(self.community) as conn:
            return await conn.scalar(select(func.count()).select_from(ticks.ticks)) or 0


A_MINUTE_EARLIER = """() => {
  const [key] = Object.keys(localStorage);
  const kept = JSON.parse(localStorage.getItem(key));
  localStorage.setItem(key, JSON.stringify(kept.map(one => ({...one, made: one.made - 60000}))));
}"""
"""What is kept on this phone was ticked a minute before it was."""

in_a_browser = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def phones_of(browser: Browser, settings: Settings) -> AsyncIterator[Phones]:
    db = Database(settings)
    await db.start()
    try:
        async with served(settings) as address:
            there = Phones(browser, db, address)
            await there.begin()
            yield there
    finally:
        await db.stop()


def _slow_at_first() -> Callable[[Route], Awaitable[None]]:
    """The first request is under way for a while; what is tapped meanwhile is still later."""
    waits = [0.7]

    async def passed_on(route: Route) -> None:
        await asyncio.sleep(waits.pop() if waits else 0)
        await route.continue_()

    return passed_on


def row(page: Page, name: str) -> Locator:
    return page.locator(f'li[data-name="{name}"]')


@in_a_browser
async def test_ticks_outlive_the_network_the_page_and_a_second_phone(
    browser: Browser, db_settings: Settings
) -> None:
    async with (
        phones_of(browser, db_settings) as phones,
        phones.phone("Amina Diallo") as first,
        phones.phone("Carla Reyes") as second,
    ):
        amina, carla = await phones.open(first), await phones.open(second)
        await expect(amina.locator("#sync")).to_have_text("Everything is saved.")
        effort = Effort(amina)
        effort.begin()
        await effort.click(row(amina, "Jorge Medina").locator("label.tick"))
        await expect(amina.locator("#sync")).to_have_text("Everything is saved.")
        assert (effort.clicks, effort.keys, effort.loads) == (1, 0, 0), "one tap is one tick"
        assert (await phones.present())["Jorge Medina"] == 120

        await first.set_offline(True)
        await row(amina, "Ines Ruiz").locator("label.tick").click()
        await row(amina, "Jorge Medina").locator("summary").click()
        await amina.get_by_role("button", name="Jorge Medina: 15 minutes less").click()
        await amina.get_by_label("Who else is here?").fill("Grandma Joan")
        await amina.get_by_role("button", name="Put on the list").click()
        await expect(amina.locator("#sync")).to_have_text(
            "3 changes are not sent yet. They are kept on this phone."
        )
        await expect(amina.locator("#count")).to_have_text("3 are here")
        assert (await phones.present())["Ines Ruiz"] is None

        # Meanwhile the other phone, which has a network, ticks the same list.
        await row(carla, "Carla Reyes").locator("label.tick").click()
        await expect(carla.locator("#sync")).to_have_text("Everything is saved.")

        await amina.close()  # the phone went into a pocket, and the page with it
        await first.set_offline(False)
        amina = await phones.open(first)
        await expect(amina.locator("#sync")).not_to_contain_text("not sent")
        assert await phones.present() == {
            "Amina Diallo": None,
            "Carla Reyes": 120,
            "Grandma Joan": 120,
            "Ines Ruiz": 120,
            "Jorge Medina": 105,
        }
        kept = await phones.ticks()
        await amina.reload()
        await expect(row(amina, "Jorge Medina").locator("[data-shown]")).to_have_text("1:45")
        await expect(amina.locator("#count")).to_have_text("4 are here")
        assert await phones.ticks() == kept, "nothing is sent twice"


@in_a_browser
async def test_a_newer_tick_of_another_phone_stands_and_late_ones_are_not_swallowed(
    browser: Browser, db_settings: Settings
) -> None:
    async with (
        phones_of(browser, db_settings) as phones,
        phones.phone("Amina Diallo") as first,
        phones.phone("Carla Reyes") as second,
    ):
        amina, carla = await phones.open(first), await phones.open(second)
        await first.set_offline(True)
        await row(amina, "Jorge Medina").locator("label.tick").click()
        await expect(amina.locator("#sync")).to_contain_text("1 change is not sent yet.")
        await amina.evaluate(A_MINUTE_EARLIER)
        await carla.route("**/attendance/*", _slow_at_first())
        await row(carla, "Jorge Medina").locator("label.tick").click()
        await row(carla, "Jorge Medina").locator("label.tick").click()
        await expect(carla.locator("#sync")).to_have_text("Everything is saved.")
        await first.set_offline(False)
        await expect(amina.locator("#sync")).to_have_text("Everything is saved.")
        assert (await phones.present())["Jorge Medina"] == 0, "Carla's was made later"
        await expect(row(amina, "Jorge Medina").locator("input[type=checkbox]")).not_to_be_checked()

        await first.set_offline(True)
        await row(amina, "Ines Ruiz").locator("label.tick").click()
        await carla.get_by_role("button", name="Close the list").click()
        await expect(carla.get_by_role("heading", level=1)).to_have_text("How the hours move")
        await first.set_offline(False)
        await expect(amina.locator("#sync")).to_contain_text(
            "The list was closed before these arrived: Ines Ruiz."
        )
        await amina.get_by_role("button", name="Forget them").click()
        await expect(amina.locator("#sync")).to_have_text("Everything is saved.")
        assert (await phones.present())["Ines Ruiz"] == 0


@in_a_browser
async def test_without_a_script_the_list_is_a_form(browser: Browser, db_settings: Settings) -> None:
    async with (
        phones_of(browser, db_settings) as phones,
        phones.phone("Amina Diallo", script=False) as phone,
    ):
        page = await phones.open(phone)
        await row(page, "Jorge Medina").locator("label.tick").click()
        await row(page, "Ines Ruiz").locator("summary").click()
        await row(page, "Ines Ruiz").get_by_label("How long?").fill("45 min")
        await page.get_by_role("button", name="Save the list").click()
        await expect(page.get_by_role("status")).to_have_text("2 changes saved.")
        await page.get_by_label("Who else is here?").fill("Grandma Joan")
        await page.get_by_role("button", name="Put on the list").click()
        await expect(page.locator("#count")).to_have_text("3 are here")
        present = await phones.present()
        assert (present["Jorge Medina"], present["Ines Ruiz"], present["Grandma Joan"]) == (
            120,
            45,
            120,
        )
