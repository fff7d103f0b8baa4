"""A small town for tests of pages: its people, a browser for each, and what its ledger says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import func, select
from starlette.applications import Starlette

from ledger import Minutes
from ledger.sql import metadata
from tests.timebank.factories import START, a_community, a_member
from timebank import entries, posting, recording, sessions, statements
from timebank.communities import Community
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.entry import Entry, Kind, NewEntry, Share
from timebank.members import Member, MemberKind, Role, Status
from timebank.moment import Moment
from web.app import create_app

HOST = "http://127.0.0.1:8000"


@dataclass
class Town:
    """A community and the people in it; Olga is from next door.

    Ana and Jorge are members, Bert has no e-mail, Carla and Dora coordinate, Stella is steward,
    Pia is paused, Mei asked to join.
    """

    app: Starlette
    db: Database
    community: Community
    next_door: Community
    people: dict[str, Member]
    later: timedelta = timedelta()
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def now(self) -> Moment:
        """The town's clock; each look at it is a second later."""
        self.later += timedelta(seconds=1)
        return Moment(START + self.later)

    def id(self, name: str) -> UUID:
        """The member's id, which is the account's too."""
        return self.people[name].id

    def path(self, rest: str = "") -> str:
        """A path of this community."""
        return f"/c/{self.community.slug}/{rest}"

    @asynccontextmanager
    async def browser(self, name: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser, signed in as somebody; it does not follow redirects."""
        headers = {"Origin": HOST, "Sec-Fetch-Site": "same-origin", "Accept-Language": "en"}
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(
            transport=transport, base_url=HOST, headers=headers
        ) as client:
            if name is not None:
                client.cookies.set("session", await self._session(name))
            yield client

    async def get(self, name: str, rest: str = "", **query: str) -> httpx2.Response:
        """A page of this community, as somebody."""
        async with self.browser(name) as client:
            return await client.get(self.path(rest), params=query or None)

    async def post(self, name: str, rest: str, data: dict[str, Any]) -> httpx2.Response:
        """A form sent to this community, as somebody."""
        async with self.browser(name) as client:
            return await client.post(self.path(rest), data=data)

    async def _session(self, name: str) -> str:
        if name not in self._tokens:
            person = self.people[name].person_id
            assert person is not None, f"{name} has no sign-in"
            async with self.db.write(EVERYWHERE) as conn:
                token = await sessions.begin(conn, person, device="a test", now=self.now)
            self._tokens[name] = token  # committed: others who ask at the same time may use it
        return self._tokens[name]

    def a_new_day(self) -> None:
        """Everyone signs in again: sessions end when nobody comes by for weeks."""
        self._tokens.clear()

    async def record(
        self,
        giver: str,
        receiver: str,
        minutes: int,
        *,
        by: str | None = None,
        kind: Kind = Kind.HELP,
        note: str = "",
    ) -> Entry:
        """Hours written down by one of the two, or by somebody else."""
        new = NewEntry(
            kind,
            (Share(self.account(giver)),),
            (Share(self.account(receiver)),),
            Minutes(minutes),
            START.date(),
            note,
        )
        async with self.db.write(self.community.id) as conn:
            return await recording.record(
                conn, self.community.id, new, by=self.id(by or giver), now=self.now
            )

    async def approve(self, entry: Entry, by: str = "Carla") -> None:
        """Post an entry, or fail."""
        asked = posting.Approve(self.community.id, entry.id, self.id(by))
        (verdict,) = await posting.post(self.db, [asked], now=self.now)
        assert isinstance(verdict, posting.Done), verdict

    async def entry(self, id: UUID) -> Entry:
        """An entry as it is now."""
        async with self.db.read(self.community.id) as conn:
            return await entries.get(conn, self.community.id, id, by=self.id("Stella"))

    async def entries_of(self, name: str) -> list[Entry]:
        """Everything somebody wrote down or stands in, newest first."""
        async with self.db.read(self.community.id) as conn:
            return await entries.recent_of(conn, self.community.id, self.id(name), 1000)

    async def balance(self, name: str) -> Minutes:
        """The balance of somebody, or of the commons."""
        async with self.db.read(self.community.id) as conn:
            totals = await statements.totals(conn, self.community.id, self.account(name))
        return totals[2]

    def account(self, name: str) -> UUID:
        """The account of somebody, or of the commons."""
        return self.community.commons_id if name == "the commons" else self.id(name)

    async def rows(self) -> dict[str, int]:
        """How many rows each table holds, to see that a refusal wrote nothing."""
        async with self.db.read(EVERYWHERE) as conn:
            return {
                table.name: await conn.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
                if table.name not in ("session", "throttle")
            }


@dataclass(frozen=True, slots=True)
class Settled:
    """Who lives in a town that is written in a database."""

    community: Community
    next_door: Community
    people: dict[str, Member]


async def settle(settings: Settings) -> Settled:
    """Write the town into an empty, migrated database."""
    db = Database(settings)
    await db.start()
    try:
        async with db.write(EVERYWHERE) as conn:
            here = await a_community(conn)
            there = await a_community(conn, "next-door", name="Next Door")
            people = {
                name: await a_member(conn, here.id, full, email=email, **more)
                for name, full, email, more in _PEOPLE
            }
            people["Olga"] = await a_member(conn, there.id, "Olga Nord", email="olga@n.example")
    finally:
        await db.stop()
    return Settled(here, there, people)


@asynccontextmanager
async def opened(settings: Settings, settled: Settled) -> AsyncIterator[Town]:
    """The town in a database that it is written in."""
    town: Town | None = None
    app = create_app(settings, clock=lambda: town.now if town else Moment(START))
    db: Database = app.state.database
    await db.start()
    try:
        town = Town(app, db, settled.community, settled.next_door, dict(settled.people))
        yield town
    finally:
        await db.stop()


@asynccontextmanager
async def built(settings: Settings) -> AsyncIterator[Town]:
    """The town on an empty, migrated database."""
    settled = await settle(settings)
    async with opened(settings, settled) as town:
        yield town


_PEOPLE: tuple[tuple[str, str, str | None, dict[str, Any]], ...] = (
    ("Ana", "Ana Lima", "ana@m.example", {"area": "Mill Road", "phone": "07700 900111"}),
    ("Jorge", "Jorge Medina", "jorge@m.example", {}),
    ("Bert", "Bert Cole", None, {"phone": "07700 900222"}),
    ("Carla", "Carla Reyes", "carla@m.example", {"role": Role.COORDINATOR}),
    ("Dora", "Dora Nagy", "dora@m.example", {"role": Role.COORDINATOR}),
    ("Stella", "Stella Ford", "stella@m.example", {"role": Role.STEWARD}),
    ("Pia", "Pia Lund", "pia@m.example", {"status": Status.PAUSED}),
    ("Mei", "Mei Tan", "mei@m.example", {"status": Status.APPLIED}),
    ("the library", "Mill Road Library", None, {"kind": MemberKind.ORGANISATION}),
)


def hidden(page: httpx2.Response, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'type="hidden" name="{name}" value="([^"]*)"', page.text)
    assert found, f"no hidden field {name}"
    return found[1]
