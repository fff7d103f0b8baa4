"""A community of sixty for a whole month: its people and files, its clock, and its browsers."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Browser, Page
from sqlalchemy import select

from tests.timebank.factories import START, a_community, a_member
from tests.timebank.importing import a_csv
from tests.web.conftest import served
from tests.web.town import HOST, Town
from timebank import members
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.members import Role
from timebank.moment import Moment
from timebank.spreadsheet import Format, Table, write
from web.app import create_app


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WITH_MAIL = _names(
    "Stella Carla Dora Ana Bruno Chidi Elif Farid Greta Hugo Ines Jorge Kofi Lena Mei Nadia Oskar "
    "Priya Quentin Rosa Samir Tove Ursula Viktor Wilma Xavier Yara Zoran Amina Bela"
)
WITHOUT_MAIL = _names(
    "Agnes Bert Cecil Dilys Edith Fergus Gwen Harold Ivy Jasper Kitty Leonard Mabel Norman Olive "
    "Percy Queenie Ralph Sybil Thora Ulric Vera Winston Xenia Yorick Zelda Arthur Beryl Clement "
    "Doris"
)
NAMES = (*WITH_MAIL, *WITHOUT_MAIL)
FEW = ("Yara", "Zoran", "Zelda")
"""Those who live at Hill Top: too few to be told of."""


def area(name: str) -> str:
    """Where somebody lives."""
    if name in FEW:
        return "Hill Top"
    return "Canal" if NAMES.index(name) % 3 == 0 else "Mill Road"


def called(name: str) -> str:
    """The whole name."""
    return f"{name} {('Ford', 'Reyes', 'Nagy', 'Lund', 'Pike')[NAMES.index(name) % 5]}"


def address(name: str) -> str:
    """The e-mail address; empty where there is none."""
    return f"{name.lower()}@mill.example" if name in WITH_MAIL else ""


def list_of_people() -> bytes:
    """The members as their spreadsheet had them: XLSX, headings of its own."""
    rows = [
        [called(name), address(name), f"07700 9{number:05}", area(name)]
        for number, name in enumerate(NAMES)
    ]
    headings = ["Who", "E-mail", "Telephone", "Neighbourhood"]
    return write(Table("members", headings, rows), Format.XLSX)


def hours_from_before() -> tuple[bytes, int]:
    """April as another program had it, and its minutes: everyone helped the seventh after them."""
    rows = [
        [f"2026-04-{n % 28 + 1:02}", called(name), called(NAMES[(n + 7) % 60]), "From before", 1.5]
        for n, name in enumerate(NAMES)
    ]
    return a_csv("Date,Provider,Recipient,Comments,Hours", *rows), 90 * len(rows)


@dataclass
class Book:
    """What the test itself knows of the hours of May: who gave whom how many minutes."""

    deeds: list[tuple[str, str, int]] = field(default_factory=list)

    def wrote(self, giver: str, receiver: str, minutes: int) -> None:
        self.deeds.append((giver, receiver, minutes))

    def took_back(self, giver: str, receiver: str, minutes: int) -> None:
        self.deeds.remove((giver, receiver, minutes))

    @property
    def minutes(self) -> int:
        return sum(minutes for _giver, _receiver, minutes in self.deeds)

    @property
    def gave(self) -> set[str]:
        return {giver for giver, _receiver, _minutes in self.deeds}

    @property
    def received(self) -> set[str]:
        return {receiver for _giver, receiver, _minutes in self.deeds}

    def by_area(self) -> dict[str, tuple[int, int]]:
        """Minutes given and received in each area."""
        found: dict[str, tuple[int, int]] = {}
        for giver, receiver, minutes in self.deeds:
            for name, (given, got) in ((giver, (minutes, 0)), (receiver, (0, minutes))):
                before = found.get(area(name), (0, 0))
                found[area(name)] = (before[0] + given, before[1] + got)
        return found


@dataclass
class Sixty:
    """The community, a real server with a clock of its own, and Chromium."""

    town: Town
    browser: Browser
    address: str
    book: Book = field(default_factory=Book)

    @asynccontextmanager
    async def as_(
        self, name: str | None, *, width: int = 1100, script: bool = True
    ) -> AsyncIterator[Page]:
        """A browser, signed in as somebody."""
        context = await self.browser.new_context(
            base_url=self.address,
            viewport={"width": width, "height": 844},
            java_script_enabled=script,
            locale="en-GB",
            accept_downloads=True,
        )
        page = await context.new_page()
        page.set_default_timeout(15_000)
        try:
            if name:
                async with self.town.browser(name) as known:
                    token = known.cookies["session"]
                cookie = {"name": "session", "value": token, "url": self.address}
                await context.add_cookies([cookie])  # type: ignore[list-item]
            yield page
        finally:
            await context.close()

    async def picture(self, page: Page, name: str) -> None:
        """Leave a picture of the whole page, where somebody wants to look at them."""
        folder = os.environ.get("SCREENSHOTS")
        if folder and self.town.db.is_sqlite:
            await page.screenshot(path=Path(folder) / f"month-{name}.png", full_page=True)

    def until(self, day: int, month: int = 5) -> None:
        """Turn the clock to noon of a day."""
        self.town.later = START.replace(month=month, day=day) - START
        self.town.a_new_day()

    async def know_everyone(self) -> None:
        """Find those who were brought in by their first names."""
        async with self.town.db.read(EVERYWHERE) as conn:
            query = select(members.members.c.id).where(
                members.members.c.community_id == self.town.community.id,
                members.members.c.kind == "person",
            )
            for id in await conn.scalars(query):
                one = await members.get(conn, self.town.community.id, id)
                self.town.people[one.name.split()[0]] = one


@asynccontextmanager
async def sixty(settings: Settings, browser: Browser) -> AsyncIterator[Sixty]:
    """The community with Stella alone in it, who has the lists of the others."""
    settings = replace(settings, base_url=HOST)
    town: Town | None = None

    def clock() -> Moment:
        return town.now if town else Moment(START)

    app = create_app(settings, clock=clock)
    db: Database = app.state.database
    await db.start()
    try:
        async with db.write(EVERYWHERE) as conn:
            here = await a_community(conn)
            there = await a_community(conn, "next-door", name="Next Door")
            stella = await a_member(
                conn, here.id, called("Stella"), email=address("Stella"), role=Role.STEWARD
            )
        town = Town(app, db, here, there, {"Stella": stella}, later=timedelta(seconds=1))
        async with served(settings, clock) as at:
            yield Sixty(town, browser, at)
    finally:
        await db.stop()
