"""A community of forty people and six organisations, with phones and mail, for a long story."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import httpx2
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize
from sqlalchemy import select

from tests.infrastructure.smtp import Sink
from tests.timebank.factories import START, a_community, a_member
from tests.web.conftest import served
from timebank import affiliations, buddies, mail, organisations, sectors, sessions
from timebank.communities import Community
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.members import Member, Role
from timebank.moment import Moment
from timebank.outbox import outbox

PHONE = ViewportSize(width=390, height=844)
AREAS = ("Mill Road", "Riverside", "Station Quarter")
HOUSES = {
    "Mill Road Library": "Education",
    "Mill Road Surgery": "Health",
    "Riverside Homes": "Housing",
    "St Barnabas": "Faith",
    "Corner Bakery": "Business",
    "City Council": "Local government",
}
"""Six organisations, each of another sector. The first six neighbours keep an account each."""

ACTORS = ("Amina Diallo", "Carla Reyes", "Dora Nagy", "Jorge Medina", "Ines Ruiz", "Karim Saleh")
_FIRST = ("Ada", "Ben", "Chloe", "Dev", "Ella", "Finn", "Grace")
_LAST = ("Abbott", "Brook", "Carr", "Dunn", "Ellis")
NEIGHBOURS = tuple(f"{first} {last}" for last in _LAST for first in _FIRST)[:34]


@dataclass
class Turned:
    """A clock that goes on from wherever it was turned to."""

    moment: datetime = START
    _since: float = field(default_factory=monotonic)

    def __call__(self) -> Moment:
        return Moment(self.moment + timedelta(seconds=monotonic() - self._since))

    def turn_to(self, when: datetime) -> None:
        """Let time pass."""
        self.moment, self._since = when, monotonic()


@dataclass
class Road:
    """Forty people at Mill Road, by name, and everything a story does to them.

    Weeks pass when the story turns the clock on.
    """

    browser: Browser
    db: Database
    address: str
    clock: Turned
    sink: Sink
    place: Community
    people: dict[str, Member]
    houses: dict[str, Member]
    _stack: AsyncExitStack
    _tokens: dict[str, str] = field(default_factory=dict)

    def path(self, rest: str = "") -> str:
        """A path of this community."""
        return f"/c/{self.place.slug}/{rest}"

    async def sign_in_everyone(self) -> None:
        """A session for each, on every phone anew: weeks pass between gatherings."""
        async with self.db.write(EVERYWHERE) as conn:
            for name, member in self.people.items():
                if member.person_id is not None:
                    self._tokens[name] = await sessions.begin(
                        conn, member.person_id, device="", now=self.clock()
                    )

    async def phone(self, name: str | None = None, *, script: bool = False) -> Page:
        """A page on a phone, of somebody who is signed in, or of a stranger."""
        context: BrowserContext = await self.browser.new_context(
            base_url=self.address, viewport=PHONE, java_script_enabled=script, locale="en-GB"
        )
        context.set_default_timeout(10_000)
        self._stack.push_async_callback(context.close)
        if name is not None:
            await context.add_cookies(
                [{"name": "session", "value": self._tokens[name], "url": self.address}]
            )
        return await context.new_page()

    async def post(self, name: str, rest: str, data: dict[str, Any]) -> None:
        """A form that somebody sends, where a browser would only repeat what it did before."""
        headers = {"Origin": self.address, "Sec-Fetch-Site": "same-origin"}
        async with httpx2.AsyncClient(base_url=self.address, headers=headers) as client:
            client.cookies.set("session", self._tokens[name])
            answer = await client.post(self.path(rest), data=data)
        assert answer.status_code == 303, (name, rest, answer.text)

    async def get(self, name: str, rest: str) -> str:
        """What a page of this community says to somebody, as HTML."""
        async with httpx2.AsyncClient(base_url=self.address) as client:
            client.cookies.set("session", self._tokens[name])
            answer = await client.get(self.path(rest))
        assert answer.status_code == 200, (name, rest, answer.status_code)
        return answer.text

    async def sheet(
        self, name: str, evening: UUID, came: Iterable[str], left: Mapping[str, str]
    ) -> None:
        """Type a paper sheet in: who came, beside those ticked already, and who left early."""
        html = await self.get(name, f"attendance/{evening}")
        form: dict[str, Any] = dict(
            re.findall(r'name="((?:was|minutes)-[^"]+|sheet)" value="([^"]*)"', html)
        )
        seats = {
            who: seat for seat, who in re.findall(r'data-seat="([^"]+)" data-name="([^"]+)"', html)
        }
        ticked = {
            key.removeprefix("was-") for key, was in form.items() if was and key[:4] == "was-"
        }
        form["came"] = sorted(ticked | {seats[who] for who in came})
        form |= {f"minutes-{seats[who]}": time for who, time in left.items()}
        await self.post(name, f"attendance/{evening}", form)

    async def post_each(self, names: Iterable[str], rest: str, data: dict[str, Any]) -> None:
        """The same form, sent by each of them in turn."""
        for name in names:
            await self.post(name, rest, data)

    async def mails(self, to: str) -> dict[str, str]:
        """What has arrived at an address, by subject; the newest of each."""
        until = monotonic() + 10
        # The server may be sending some of it just now; what is due later stays where it is.
        while await self._mail_waits() and monotonic() < until:
            await mail.deliver_due(self.db, self.db.settings, now=self.clock())
            await asyncio.sleep(0.05)
        return {
            str(message["Subject"]): str(message.get_content())
            for message, reached in zip(self.sink.received, self.sink.recipients, strict=True)
            if to in reached
        }

    async def _mail_waits(self) -> bool:
        unsent = select(outbox.c.id).where(outbox.c.sent_at.is_(None), outbox.c.dead_at.is_(None))
        async with self.db.read(EVERYWHERE) as conn:
            return (await conn.execute(unsent.limit(1))).first() is not None

    async def picture(self, page: Page, name: str) -> None:
        """Where `SCREENSHOTS` names a folder, leave a picture to be looked at."""
        folder = os.environ.get("SCREENSHOTS")
        if folder and self.db.settings.url.startswith("sqlite"):
            await page.screenshot(path=Path(folder) / f"series-{name}.png", full_page=True)


def address_of(name: str) -> str:
    """The mail address of somebody at Mill Road."""
    return f"{name.replace(' ', '.').lower()}@road.example"


@asynccontextmanager
async def a_road(browser: Browser, settings: Settings, sink: Sink) -> AsyncIterator[Road]:
    """Mill Road on a real server and a real mail server, at the tests' noon."""
    settings = replace(settings, smtp_url=sink.url)
    clock = Turned()
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(settings, clock=clock))
        db = Database(replace(settings, base_url=address))
        await db.start()
        stack.push_async_callback(db.stop)
        place, people, houses = await _settled(db)
        road = Road(browser, db, address, clock, sink, place, people, houses, stack)
        await road.sign_in_everyone()
        yield road


async def _settled(db: Database) -> tuple[Community, dict[str, Member], dict[str, Member]]:
    """The community, its people and its organisations, with who belongs where."""
    now = Moment(START)
    async with db.write(EVERYWHERE) as conn:
        place = await a_community(conn)
        people = {
            name: await a_member(
                conn,
                place.id,
                name,
                email=address_of(name),
                role=Role.COORDINATOR if name in ("Carla Reyes", "Dora Nagy") else Role.MEMBER,
                area=AREAS[number % len(AREAS)],
            )
            for number, name in enumerate((*ACTORS, *NEIGHBOURS))
        }
        by = people["Carla Reyes"].id
        kinds = {one.name: one.id for one in await sectors.of(conn, place.id)}
        houses = {
            name: await organisations.add(
                conn, place.id, name=name, sector=kinds[kind], area=AREAS[0], by=by, now=now
            )
            for name, kind in HOUSES.items()
        }
        keepers = ("Karim Saleh", *NEIGHBOURS[:5])
        for house, keeper in zip(houses.values(), keepers, strict=True):
            await buddies.add(
                conn,
                place.id,
                house.id,
                people[keeper].id,
                consent="The board asked for it.",
                by=by,
                now=now,
            )
        belong = list(houses.values())[:3]
        for number, name in enumerate(NEIGHBOURS[:21]):
            await affiliations.add(
                conn,
                place.id,
                people[name].id,
                organisation=belong[number % 3].id,
                since=START.date() - timedelta(days=400),
                by=by,
                now=now,
            )
    return place, people, houses
