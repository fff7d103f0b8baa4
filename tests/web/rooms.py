"""A room in the small town: a gathering that Ana looks after, with its list, for tests of pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2

from ledger import Minutes
from tests.timebank.evenings import a_duty, a_gathering, a_seat
from tests.web.town import Town
from timebank import attendance, rooms
from timebank.attendance import Roll, Row


@dataclass
class InTown:
    """The gathering, and who has which place."""

    town: Town
    id: UUID
    seats: dict[str, UUID] = field(default_factory=dict)

    async def get(self, name: str, rest: str, **query: str) -> httpx2.Response:
        """A page about it: `attendance`, `settlement`, `afterwards`, or something below."""
        return await self.town.get(name, self._path(rest), **query)

    async def post(
        self, name: str, rest: str, data: dict[str, Any] | None = None
    ) -> httpx2.Response:
        """A form about it."""
        return await self.town.post(name, self._path(rest), data or {})

    def _path(self, rest: str) -> str:
        noun, _, below = rest.partition("/")
        return f"{noun}/{self.id}" + (f"/{below}" if below else "")

    async def roll(self) -> Roll:
        """The list as it stands."""
        community = self.town.community.id
        async with self.town.db.read(community) as conn:
            return await attendance.roll(conn, await rooms.get(conn, community, self.id))

    async def row(self, name: str) -> Row:
        """The one row of somebody."""
        (row,) = [row for row in (await self.roll()).rows if row.name == name]
        return row

    async def sheet(self, name: str = "Ana") -> dict[str, str]:
        """The list as a browser without scripts would send it back unchanged."""
        page = await self.get(name, "attendance")
        return dict(re.findall(r'name="((?:was|minutes)-[^"]+|sheet)" value="([^"]*)"', page.text))

    async def close_and_send(self, by: str = "Ana") -> None:
        """Close the list and send the hours, through the pages."""
        closed = await self.post(by, "attendance/close")
        assert closed.status_code == 303, closed.text
        page = await self.get(by, "settlement")
        seal = re.search(r'name="seal" value="([^"]+)"', page.text)
        assert seal, page.text
        sent = await self.post(by, "settlement", {"seal": seal[1]})
        assert sent.status_code == 303, sent.text


async def in_town(town: Town, *, hours_ago: float = 1, **facts: Any) -> InTown:
    """A gathering of two hours: Ana facilitates, Bert makes the tea, Jorge and Tom come."""
    async with town.db.write(town.community.id) as conn:
        id = await a_gathering(
            conn,
            town.community.id,
            town.id("Ana"),
            starts=-timedelta(hours=hours_ago),
            lasts=Minutes(120),
            **facts,
        )
        found = InTown(town, id)
        for name in ("Ana", "Bert", "Jorge"):
            found.seats[name] = await a_seat(conn, town.community.id, id, town.id(name))
        found.seats["Tom"] = await a_seat(conn, town.community.id, id, name="Tom Weber")
        await a_duty(conn, town.community.id, id, found.seats["Ana"], "facilitate")
        await a_duty(conn, town.community.id, id, found.seats["Bert"], "tea")
    return found
