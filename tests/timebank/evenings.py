"""Evenings at Mill Road: gatherings with people on their lists, made in one line.

They are written into the tables directly, as they are once somebody has planned them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from tests.timebank.factories import START, at
from tests.timebank.scenes import MillRoad
from timebank import (
    attendance,
    attendance_closing,
    carrying,
    rooms,
    settled,
    settlement_steps,
    ticks,
    walk_ins,
)
from timebank.attendance import Roll, Row
from timebank.carrying import Carries
from timebank.entry import Entry
from timebank.gatherings import (
    Answer,
    DutyState,
    Openness,
    Rule,
    State,
    duties,
    gathering_roles,
    gatherings,
    hosts,
    seats,
)
from timebank.members import Member
from timebank.moment import Moment
from timebank.roles import FIRST_ROLES, AgreedRole
from timebank.settlement_steps import Plan
from timebank.ticks import NewTick, Outcome

AFTER = at(hours=3)
"""An hour after the evening ended."""


async def a_gathering(
    conn: AsyncConnection,
    community: UUID,
    by: UUID,
    *,
    title: str = "Tea and talk",
    rule: Rule = Rule.SPONSORED,
    credits_taking_part: bool = True,
    payer: UUID | None = None,
    openness: Openness = Openness.MEMBERS,
    starts: timedelta = timedelta(),
    lasts: Minutes = Minutes(120),
    series: UUID | None = None,
    state: State = State.PLANNED,
    hosted_by: tuple[UUID, ...] = (),
    roles: tuple[AgreedRole, ...] = FIRST_ROLES,
) -> UUID:
    """A gathering that begins at the tests' noon, or so much later."""
    id = at().new_id()
    begins = START + starts
    await conn.execute(
        insert(gatherings).values(
            community_id=community,
            id=id,
            series_id=series,
            occurs_on=begins.date() if series else None,
            title=title,
            purpose="Getting to know each other",
            place="The Library",
            access="",
            link="",
            area="Mill Road",
            bring="",
            starts_at=begins,
            ends_at=begins + timedelta(minutes=lasts.count),
            openness=openness.value,
            rule=rule.value,
            credits_taking_part=credits_taking_part,
            payer_id=payer,
            state=state.value,
            agreement_version=1,
            made_by=by,
            made_at=at().at,
            touched_at=at().at,
        )
    )
    for position, role in enumerate(roles):
        await conn.execute(
            insert(gathering_roles).values(
                community_id=community,
                gathering_id=id,
                key=role.key,
                name=role.name,
                kind=role.kind.value,
                before=role.before,
                during=role.during,
                after=role.after,
                wanted=1,
                position=position,
            )
        )
    for house in hosted_by:
        await conn.execute(
            insert(hosts).values(community_id=community, gathering_id=id, member_id=house)
        )
    return id


async def a_seat(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    member: UUID | None = None,
    *,
    name: str = "",
    email: str = "",
    organisation: UUID | None = None,
    answer: Answer = Answer.YES,
    present: Minutes | None = None,
) -> UUID:
    """A place for a member, or for a guest by name."""
    id = at().new_id()
    await conn.execute(
        insert(seats).values(
            community_id=community,
            id=id,
            gathering_id=gathering,
            member_id=member,
            name=name,
            email=email,
            organisation_id=organisation,
            from_words="",
            answer=answer.value,
            words="",
            answered_at=at().at,
            waiting=False,
            present=present,
            ticked_how="",
            to_confirm=False,
        )
    )
    return id


async def a_duty(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    seat: UUID,
    key: str,
    state: DutyState = DutyState.AGREED,
) -> None:
    """Somebody carries a role."""
    await conn.execute(
        insert(duties).values(
            community_id=community,
            gathering_id=gathering,
            role_key=key,
            seat_id=seat,
            state=state.value,
            at=at().at,
        )
    )


@dataclass
class Evening:
    """One gathering, and what can be done with it."""

    place: MillRoad
    id: UUID
    seats: dict[str, UUID] = field(default_factory=dict)

    async def roll(self) -> Roll:
        """Its list as it stands."""
        async with self.place.db.read(self.place.id) as conn:
            return await attendance.roll(conn, await rooms.get(conn, self.place.id, self.id))

    async def row(self, name: str) -> Row:
        """The one row of somebody, by the name that is shown."""
        (row,) = [row for row in (await self.roll()).rows if row.name == name]
        return row

    async def tick(
        self,
        name: str,
        minutes: int | None = 120,
        *,
        by: Member | None = None,
        id: UUID | None = None,
        age: timedelta = timedelta(),
        now: Moment = AFTER,
    ) -> Outcome:
        """Tick somebody: the whole time unless said otherwise."""
        present = None if minutes is None else Minutes(minutes)
        change = NewTick(id or now.new_id(), self.seats[name], present, now.at - age)
        async with self.place.db.write(self.place.id) as conn:
            found = await ticks.tick(
                conn, self.place.id, self.id, [change], by=(by or self.place.ana).id, now=now
            )
        return found[change.id]

    async def add(
        self, name: str, *, by: Member | None = None, seat_id: UUID | None = None
    ) -> walk_ins.Added:
        """Somebody walked in."""
        async with self.place.db.write(self.place.id) as conn:
            return await walk_ins.add(
                conn,
                self.place.id,
                self.id,
                name,
                seat_id=seat_id or AFTER.new_id(),
                by=(by or self.place.ana).id,
                now=AFTER,
            )

    async def carry(self, name: str, key: str, *, by: Member | None = None, **real: int) -> None:
        """Write down that somebody carried a role, with real minutes where they are given."""
        minutes: dict[str, Any] = {part: Minutes(count) for part, count in real.items()}
        async with self.place.db.write(self.place.id) as conn:
            await carrying.write_down(
                conn,
                self.place.id,
                self.id,
                [Carries(self.seats[name], key, **minutes)],
                by=(by or self.place.ana).id,
                now=AFTER,
            )

    async def close(self, by: Member | None = None, now: Moment = AFTER) -> None:
        """Close the list."""
        async with self.place.db.write(self.place.id) as conn:
            await attendance_closing.close(
                conn, self.place.id, self.id, by=(by or self.place.ana).id, now=now
            )

    async def reopen(self, words: str = "", by: Member | None = None, now: Moment = AFTER) -> None:
        """Open the list again."""
        async with self.place.db.write(self.place.id) as conn:
            await attendance_closing.reopen(
                conn, self.place.id, self.id, words, by=(by or self.place.ana).id, now=now
            )

    async def plan(self, by: Member | None = None) -> Plan:
        """How the hours would move."""
        async with self.place.db.read(self.place.id) as conn:
            return await settlement_steps.plan(
                conn, self.place.id, self.id, by=(by or self.place.ana).id
            )

    async def send(
        self, by: Member | None = None, seal: str | None = None, now: Moment = AFTER
    ) -> Entry | None:
        """Send the hours to approval, as they stand in the plan."""
        wanted = seal or (await self.plan(by)).seal
        async with self.place.db.write(self.place.id) as conn:
            return await settlement_steps.send(
                conn,
                self.place.id,
                self.id,
                seal=wanted,
                by=(by or self.place.ana).id,
                now=now,
            )

    async def sent(self, by: Member | None = None, now: Moment = AFTER) -> Entry:
        """The same, where hours do move."""
        entry = await self.send(by, now=now)
        assert entry is not None
        return entry

    async def settle(self, now: Moment = AFTER) -> Entry:
        """Close the list, send the hours and have Carla approve them."""
        await self.close(now=now)
        entry = await self.sent(now=now)
        verdict = await self.place.approve(entry, now=now)
        assert not hasattr(verdict, "error"), verdict
        return entry

    async def vouch(self, by: Member) -> None:
        """Somebody who was there says that the table is right."""
        async with self.place.db.write(self.place.id) as conn:
            await settlement_steps.vouch(conn, self.place.id, self.id, by=by.id, now=AFTER)

    async def state(self) -> State:
        """Where the gathering stands."""
        async with self.place.db.read(self.place.id) as conn:
            query = select(gatherings.c.state).where(gatherings.c.id == self.id)
            return State(str(await conn.scalar(query)))

    async def story(self) -> tuple[settled.Settlement, ...]:
        """Its settlements."""
        async with self.place.db.read(self.place.id) as conn:
            return await settled.of_gathering(conn, self.place.id, self.id)


async def an_evening(
    place: MillRoad, *, carries: Mapping[str, Sequence[str]] | None = None, **facts: Any
) -> Evening:
    """Ana made it; she, Bert, Inés, Jo (a guest) and the roles of `carries` are expected."""
    async with place.db.write(place.id) as conn:
        id = await a_gathering(conn, place.id, place.ana.id, **facts)
        evening = Evening(place, id)
        for member in (place.ana, place.bert, place.ines):
            evening.seats[member.name] = await a_seat(conn, place.id, id, member.id)
        evening.seats["Jo"] = await a_seat(conn, place.id, id, name="Jo", email="jo@example.org")
        for name, keys in (carries or {}).items():
            for key in keys:
                await a_duty(conn, place.id, id, evening.seats[name], key)
    return evening
