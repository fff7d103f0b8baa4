"""Gatherings on Mill Road, planned in one line; and letters read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from ledger import Minutes
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, mill_road
from timebank import duties, gathering, inviting, planning, seats, series
from timebank.affiliations import affiliations
from timebank.db import Database
from timebank.gathering import Gathering, Seat
from timebank.gatherings import Answer
from timebank.members import Member
from timebank.moment import Moment
from timebank.organisations import organisations
from timebank.outbox import Mail, outbox
from timebank.plan import Plan, When
from timebank.recurrence import Every
from timebank.sectors import sectors

TUESDAY = date(2026, 5, 12)
EVENING = When(TUESDAY, time(18), Minutes(120))
TEA = Plan("Tea and talk", place="Library, back room", roles=(("tea", 1), ("facilitate", 1)))


@dataclass(frozen=True)
class Circle:
    """Mill Road, and what its people do about gatherings."""

    place: MillRoad

    @property
    def id(self) -> UUID:
        return self.place.id

    async def plan(
        self,
        plan: Plan = TEA,
        when: When = EVENING,
        *,
        by: Member | None = None,
        every: Every | None = None,
        last_on: date | None = None,
        now: Moment | None = None,
    ) -> UUID:
        """Plan one, or a series; as Ana unless somebody else is named."""
        who = (by or self.place.ana).id
        async with self.place.db.write(self.id) as conn:
            if every is None:
                return await planning.make(conn, self.id, plan, when, by=who, now=now or at())
            return await series.begin(
                conn, self.id, plan, when, every, last_on, by=who, now=now or at()
            )

    async def get(self, id: UUID) -> Gathering:
        """The gathering as it is now."""
        async with self.place.db.read(self.id) as conn:
            return await gathering.get(conn, self.id, id)

    async def do(
        self, verb: Any, *what: Any, by: Member, now: Moment | None = None, **more: Any
    ) -> Any:
        """Have somebody do something: `do(planning.call_off, id, "Why", by=ana)`."""
        async with self.place.db.write(self.id) as conn:
            return await verb(conn, self.id, *what, by=by.id, now=now or at(minutes=9), **more)

    async def says(
        self,
        id: UUID,
        who: Member,
        said: Answer = Answer.YES,
        *,
        now: Moment | None = None,
        **more: Any,
    ) -> Seat:
        """Somebody answers for themselves; or `by` another one, with `member`."""
        by = more.pop("by", who)
        async with self.place.db.write(self.id) as conn:
            return await seats.answer(
                conn, self.id, id, said, member=who.id, by=by.id, now=now or at(minutes=5), **more
            )

    async def brings(
        self, id: UUID, name: str, by: Member, *, now: Moment | None = None, **more: Any
    ) -> Seat:
        """Somebody puts a guest on the list."""
        async with self.place.db.write(self.id) as conn:
            return await seats.bring(
                conn, self.id, id, name, by=by.id, now=now or at(minutes=6), **more
            )

    async def offers(self, id: UUID, who: Member, key: str, *, now: Moment | None = None) -> Seat:
        """Somebody says: I will."""
        async with self.place.db.write(self.id) as conn:
            return await duties.offer(conn, self.id, id, key, by=who.id, now=now or at(minutes=7))

    async def invites(self, id: UUID, by: Member, *who: Member, words: str = "") -> int:
        """Somebody invites members."""
        async with self.place.db.write(self.id) as conn:
            return await inviting.several(
                conn, self.id, id, [one.id for one in who], words, by=by.id, now=at(minutes=8)
            )

    async def letters(self) -> list[Mail]:
        """All mails so far, in order."""
        async with self.place.db.read(self.id) as conn:
            rows = await conn.execute(select(outbox).order_by(outbox.c.id))
            return [
                Mail(row.to_address, row.to_name, row.subject, row.body, row.path) for row in rows
            ]

    async def to(self, who: str) -> list[str]:
        """The subjects of the mails to `who` (the part before the @), in order."""
        return [
            letter.subject for letter in await self.letters() if letter.to_address.startswith(who)
        ]

    async def belongs(self, who: Member, house: Member, sector: str = "") -> None:
        """Somebody is affiliated with an organisation, which is of this sector."""
        now = at()
        async with self.place.db.write(self.id) as conn:
            if sector:
                found = select(sectors.c.id).where(
                    sectors.c.community_id == self.id, sectors.c.name == sector
                )
                sector_id = (await conn.execute(found)).scalar_one_or_none()
                if sector_id is None:
                    sector_id = now.new_id()
                    await conn.execute(
                        insert(sectors).values(
                            community_id=self.id, id=sector_id, name=sector, position=1
                        )
                    )
                there = select(organisations.c.id).where(
                    organisations.c.community_id == self.id, organisations.c.id == house.id
                )
                if (await conn.execute(there)).first():
                    await conn.execute(
                        update(organisations)
                        .where(organisations.c.community_id == self.id)
                        .where(organisations.c.id == house.id)
                        .values(sector_id=sector_id)
                    )
                else:
                    await conn.execute(
                        insert(organisations).values(
                            community_id=self.id, id=house.id, sector_id=sector_id
                        )
                    )
            await conn.execute(
                insert(affiliations).values(
                    community_id=self.id,
                    id=now.new_id(),
                    member_id=who.id,
                    organisation_id=house.id,
                    role="",
                    since=date(2026, 1, 1),
                    added_by=who.id,
                    added_at=now.at,
                )
            )


async def a_circle(db: Database) -> Circle:
    """Mill Road with nothing planned yet."""
    return Circle(await mill_road(db))
