"""The gatherings of a demo community are lived: planned, answered, ticked off, settled, remembered.

Everything goes through the functions that real people use. Each evening has dice of its own, so
that one more of them changes nothing in the others, nor in the entries of the year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from timebank import (
    attendance_closing,
    carrying,
    communities,
    duties,
    formats,
    gathering_actions,
    gathering_notes,
    inviting,
    planning,
    posting,
    seats,
    series,
    settlement_steps,
    sheets,
    stories,
    ticks,
    walk_ins,
)
from timebank import gathering as gathering_values
from timebank.carrying import Carries
from timebank.demo_evenings import CALENDARS, Calendar, Circle, Evening, Row, Until
from timebank.demo_town import Town
from timebank.entry import Entry, Side
from timebank.gathering import Gathering
from timebank.gatherings import Answer, Rule, gatherings
from timebank.members import Role
from timebank.moment import Moment
from timebank.plan import Plan, When
from timebank.recurrence import Every
from timebank.stories import Told
from timebank.ticks import NewTick

_FORTNIGHT = 14
_MADE_AHEAD = 8  # weeks between two looks at the series, as housekeeping has them every night
_PLANNED_BEFORE = 6  # days
_LONG_AGO = 40  # days; back then nobody signed up, and roles were written down afterwards


async def gather(town: Town, week: int) -> None:
    """Live the gatherings of a week (7 to 1 days before it ended), or plan those that come."""
    calendar = CALENDARS[town.place.slug]
    circle = calendar.circle
    begun = circle.dates * 2
    if week == begun:
        await _begin(town, circle)
    elif week < begun and week % _MADE_AHEAD == 0:
        at = datetime.combine(town.today - timedelta(days=7 * week + 7), time(3), UTC)
        dice = Random(f"{town.place.slug} {week}")  # noqa: S311
        await series.make_ahead(town.db, now=Moment(at, dice.randbytes))
    for evening in _of_week(calendar, week):
        await _Scene(town, evening).live()
    if week == 0:
        await _Scene(town, replace(circle.evening, days_ago=0)).plan()
        for evening in calendar.evenings:
            if evening.days_ago < 0:
                await _Scene(town, evening).plan()
        await _type_in(town, calendar)


def _of_week(calendar: Calendar, week: int) -> list[Evening]:
    """What took place in a week, the first one first."""
    found = [one for one in calendar.evenings if one.days_ago > 0]
    found += [_date(calendar.circle, number) for number in range(1, calendar.circle.dates + 1)]
    here = [one for one in found if 7 * week < one.days_ago <= 7 * week + 7]
    return sorted(here, key=lambda one: (-one.days_ago, one.at))


def _date(circle: Circle, number: int) -> Evening:
    """The evening so many fortnights ago: other people carry it, another question is asked."""
    count = circle.dates - number
    told = circle.told[count // 3 % len(circle.told)] if count % 3 == 2 else None
    return replace(
        circle.evening,
        days_ago=_FORTNIGHT * number,
        carries={key: (names[count % len(names)],) for key, names in circle.turns.items()},
        some=circle.some + count % 4,
        comes=(),
        maybe=(),
        no=(),
        asked=(),
        guests=circle.evening.guests if number <= 2 else (),
        walk_ins=(),
        invited_house="",
        notes=(circle.questions[count % len(circle.questions)],) if count % 2 == 0 else (),
        told=(told,) if told else (),
        reason=circle.why if number == circle.called_off else "",
    )


async def _begin(town: Town, circle: Circle) -> None:
    """Plan the fortnightly evening from its first date on."""
    scene = _Scene(town, replace(circle.evening, days_ago=_FORTNIGHT * circle.dates))
    async with town.db.write(town.id) as conn:
        plan = await scene.wish(conn)
        roles = tuple((key, 1) for key in circle.turns)
        await series.begin(
            conn,
            town.id,
            replace(plan, roles=roles),
            scene.when,
            Every.TWO_WEEKS,
            by=scene.by,
            now=scene.at(scene.evening.days_ago + _PLANNED_BEFORE, 18),
        )


@dataclass
class _Presence:
    """A gathering while it is lived: where everybody sits."""

    found: Gathering

    @property
    def id(self) -> UUID:
        return self.found.id

    def seat(self, member: UUID) -> UUID:
        """The seat of somebody who has one."""
        seat = self.found.seat_of(member)
        if seat is None:
            raise RuntimeError(f"{member} has no seat at {self.found.title}")
        return seat.id


class _Scene:
    """One evening in one town, with its own dice."""

    def __init__(self, town: Town, evening: Evening) -> None:
        self.town = town
        self.evening = evening
        self.dice = Random(f"{town.place.slug} {evening.title} {evening.days_ago}")  # noqa: S311

    @property
    def id(self) -> UUID:
        """The community."""
        return self.town.id

    @property
    def by(self) -> UUID:
        """Whoever looks after it."""
        return self.town.ids[self.evening.by]

    @property
    def when(self) -> When:
        day = self.town.today - timedelta(days=self.evening.days_ago)
        return When(day, self.evening.at, Minutes(self.evening.lasts))

    def at(self, days_ago: int, hour: int, minute: int = 0) -> Moment:
        """A moment of the year with randomness from these dice."""
        day = self.town.today - timedelta(days=days_ago)
        return Moment(datetime.combine(day, time(hour, minute), UTC), self.dice.randbytes)

    def ids(self, names: Sequence[str]) -> list[UUID]:
        """The members of these names, as far as they had joined by then."""
        return [self.town.ids[name] for name in names if name in self.town.ids]

    def carries(self) -> list[tuple[str, UUID]]:
        """Who carries what; instead of somebody who has not joined yet, whoever planned it."""
        found = []
        for key, names in self.evening.carries.items():
            found += [(key, self.town.ids.get(name, self.by)) for name in names]
        return list(dict.fromkeys(found))

    # ── Before ───────────────────────────────────────────────────────────────────────────────────

    async def plan(self) -> None:
        """It still comes: planned a while ago, and people have begun to sign up."""
        async with self.town.db.write(self.id) as conn:
            gathering = await self._planned(conn)
            await self._carried_by(conn, gathering)
            await self._answers(conn, gathering)

    async def wish(self, conn: AsyncConnection) -> Plan:
        """What it is to be like."""
        one, ids = self.evening, self.town.ids
        kind = (await formats.of(conn, self.id))[one.format]
        return Plan(
            title=one.title,
            purpose=one.purpose,
            place=one.place,
            access=one.access,
            link=one.link,
            area=one.area,
            bring=one.bring,
            capacity=one.capacity,
            openness=one.openness,
            rule=one.rule,
            credits_taking_part=False,
            payer_id=ids[one.payer] if one.payer else None,
            format_id=kind.id,
            hosts=(ids[one.host],) if one.host else (),
            roles=one.roles,
        )

    async def _planned(self, conn: AsyncConnection) -> UUID:
        """The gathering: a date that the series has made, or one that is planned here."""
        query = select(gatherings.c.id).where(
            gatherings.c.community_id == self.id, gatherings.c.occurs_on == self.when.day
        )
        if self.evening.title == CALENDARS[self.town.place.slug].circle.evening.title:
            date: UUID = (await conn.execute(query)).scalar_one()
            return date
        before = max(self.evening.days_ago, 0) + _PLANNED_BEFORE
        return await planning.make(
            conn,
            self.id,
            await self.wish(conn),
            self.when,
            by=self.by,
            now=self.at(before, 17),
            id=UUID(int=self.dice.getrandbits(128), version=4),  # the lot of a share hangs on it
        )

    async def _carried_by(self, conn: AsyncConnection, gathering: UUID) -> None:
        """Those who carry something said so themselves."""
        days = max(self.evening.days_ago, 0) + 4
        for minute, (key, who) in enumerate(self.carries()):
            by = await self._speaker(who)
            now = self.at(days, 12, minute)
            await duties.offer(conn, self.id, gathering, key, member=who, by=by, now=now)

    async def _answers(self, conn: AsyncConnection, gathering: UUID) -> None:
        """What people said, who brings a guest, and who was asked and has not answered."""
        one, days = self.evening, max(self.evening.days_ago, 0) + 3
        asked = self.ids((*one.comes, *one.maybe, *one.no, *one.asked))
        now = self.at(days, 9)
        await inviting.several(conn, self.id, gathering, asked, by=self.by, now=now)
        said = ((Answer.YES, one.comes), (Answer.MAYBE, one.maybe), (Answer.NO, one.no))
        everybody = [(answer, who) for answer, names in said for who in self.ids(names)]
        for minute, (answer, who) in enumerate(everybody):
            by = await self._speaker(who)
            now = self.at(days, 18, minute)
            await seats.answer(conn, self.id, gathering, answer, member=who, by=by, now=now)
        await self._bring(conn, gathering, days)
        if one.invited_house:
            house = self.town.ids[one.invited_house]
            await inviting.organisation(
                conn, self.id, gathering, house, one.invitation, by=self.by, now=self.at(days, 19)
            )

    async def _bring(self, conn: AsyncConnection, gathering: UUID, days: int) -> None:
        for minute, (name, where) in enumerate(self.evening.guests):
            now = self.at(days, 20, minute)
            await seats.bring(conn, self.id, gathering, name, from_words=where, by=self.by, now=now)

    async def _speaker(self, who: UUID) -> UUID:
        """Whoever says it for them: themselves, or where they have no sign-in a coordinator."""
        people = {self.town.ids.get(one.name): one for one in self.town.place.people}
        one = people[who]
        return who if one.email else self.town.steward

    # ── The evening, and what follows ────────────────────────────────────────────────────────────

    async def live(self) -> None:
        """It was planned, it took place, and its hours went as far as they did."""
        one = self.evening
        async with self.town.db.write(self.id) as conn:
            gathering = await self._planned(conn)
            if one.reason and one.until is not Until.CORRECTED:
                now = self.at(one.days_ago, 8)
                await planning.call_off(conn, self.id, gathering, one.reason, by=self.by, now=now)
                return
            signed_up = one.days_ago <= _LONG_AGO
            if signed_up:
                await self._carried_by(conn, gathering)
            others = [*one.comes, *(said.who for said in one.told), *self._others()]
            now = self.at(one.days_ago + 3, 9)
            invited = [*(who for _, who in self.carries()), *self.ids(others)]
            await inviting.several(conn, self.id, gathering, invited, by=self.by, now=now)
            await self._bring(conn, gathering, one.days_ago + 3)
            there = _Presence(await gathering_values.get(conn, self.id, gathering))
            await self._tick(conn, there)
            if not signed_up:
                await self._write_roles(conn, there)
            entry = await self._close(conn, gathering) if one.until is not Until.OPEN else None
        if entry is not None and one.until is not Until.SENT:
            await self._approve(entry, self._afterwards(1, 12))
        await self._remember(gathering)
        if one.until is Until.CORRECTED:
            await self._correct(gathering)

    def _others(self) -> list[str]:
        """So many others, who were members by then and carry nothing."""
        one, place = self.evening, self.town.place
        taken = {one.by, one.late, place.paused, place.left, *one.comes}
        taken |= {said.who for said in one.told}
        taken |= {name for names in one.carries.values() for name in names}
        free = [who.name for who in place.people if who.name in self.town.ids]
        free = [name for name in free if name not in taken and name not in one.walk_ins]
        return self.dice.sample(free, min(one.some, len(free)))

    def _afterwards(self, days: int, hour: int, minute: int = 0) -> Moment:
        """So many days after the evening, but never after yesterday."""
        return self.at(max(1, self.evening.days_ago - days), hour, minute)

    async def _tick(self, conn: AsyncConnection, there: _Presence) -> None:
        """Everybody who was asked came but one in six; some stayed for a part of it."""
        one, now = self.evening, self.at(self.evening.days_ago, 20, 30)
        carriers = {who for _, who in self.carries()}
        told = set(self.ids([said.who for said in one.told]))
        part = {self.town.ids[name]: Minutes(n) for name, n in one.part.items()}
        changes = []
        for number, seat in enumerate(there.found.seats):
            stays = seat.member_id in carriers | told or number % 6 != 5
            present = there.found.lasts if stays else ZERO
            if seat.member_id in part:
                present = part[seat.member_id]
            elif stays and number % 5 == 4 and seat.member_id not in carriers:
                present = Minutes(there.found.lasts.count // 2)
            if one.until is not Until.OPEN or number % 3:
                changes.append(NewTick(now.new_id(), seat.id, present))
        await ticks.tick(conn, self.id, there.id, changes, by=self.by, now=now)
        for name in one.walk_ins:
            await walk_ins.add(
                conn, self.id, there.id, name, seat_id=now.new_id(), by=self.by, now=now
            )

    async def _write_roles(self, conn: AsyncConnection, there: _Presence) -> None:
        """Who carried what, written down on the list."""
        carried = [Carries(there.seat(who), key) for key, who in self.carries()]
        now = self.at(self.evening.days_ago, 20, 40)
        await carrying.write_down(conn, self.id, there.id, carried, by=self.by, now=now)

    async def _close(self, conn: AsyncConnection, gathering: UUID) -> Entry | None:
        """Close the list and send the hours to be approved, if there are any."""
        now = self.at(self.evening.days_ago, 20, 45)
        await attendance_closing.close(conn, self.id, gathering, by=self.by, now=now)
        if self.evening.rule is Rule.NONE:
            return None
        return await self._send(conn, gathering, now)

    async def _send(self, conn: AsyncConnection, gathering: UUID, now: Moment) -> Entry | None:
        plan = await settlement_steps.plan(conn, self.id, gathering, by=self.by)
        return await settlement_steps.send(
            conn, self.id, gathering, seal=plan.seal, by=self.by, now=now
        )

    async def _approve(self, entry: Entry, now: Moment) -> None:
        """By a coordinator who gains nothing from it; in the demo nothing may be refused."""
        gaining = {part.account_id for part in entry.parts if part.side is Side.GAVE}
        able = [who for who in self.town.place.people if who.role is not Role.MEMBER]
        able.sort(key=lambda who: who.role is Role.STEWARD)
        by = next(self.town.ids[w.name] for w in able if self.town.ids[w.name] not in gaining)
        request = posting.Approve(self.id, entry.id, by)
        for verdict in await posting.post(self.town.db, [request], now=now):
            if isinstance(verdict, posting.Refused):
                raise RuntimeError(f"{self.evening.title} was refused: {verdict.error}")

    async def _correct(self, gathering: UUID) -> None:
        """Somebody was there and not on the list: it is opened again, and the rest is posted."""
        one, now = self.evening, self._afterwards(2, 18)
        who = self.town.ids[one.late]
        async with self.town.db.write(self.id) as conn:
            await attendance_closing.reopen(
                conn, self.id, gathering, one.reason, by=self.by, now=now
            )
            added = await walk_ins.add(
                conn, self.id, gathering, one.late, seat_id=now.new_id(), by=self.by, now=now
            )
            role = next(key for key, names in one.carries.items() if len(names) > 1)
            washed_up = Carries(added.seat_id, role, before=ZERO, after=Minutes(45))
            await carrying.write_down(conn, self.id, gathering, [washed_up], by=self.by, now=now)
            await attendance_closing.close(conn, self.id, gathering, by=self.by, now=now)
            entry = await self._send(conn, gathering, now)
        if entry is None or added.member_id != who:
            raise RuntimeError(f"{one.late} was not added to {one.title}")
        await self._approve(entry, self._afterwards(2, 19))

    # ── What is left of it ───────────────────────────────────────────────────────────────────────

    async def _remember(self, gathering: UUID) -> None:
        """Notes and what was taken on, and what people told afterwards."""
        one = self.evening
        if not (one.notes or one.tasks or one.told):
            return
        async with self.town.db.write(self.id) as conn:
            for minute, words in enumerate(one.notes):
                now = self._afterwards(1, 9, minute)
                await gathering_notes.write(
                    conn, self.id, gathering, now.new_id(), words, by=self.by, now=now
                )
            await self._take_on(conn, gathering)
            here = [said for said in one.told if said.who in self.town.ids]
            for minute, said in enumerate(here):
                told = Told(said.useful, said.might, True, True, said.named)
                await self._tell(conn, gathering, said.who, told, self._afterwards(1, 19, minute))

    async def _take_on(self, conn: AsyncConnection, gathering: UUID) -> None:
        for minute, task in enumerate(self.evening.tasks):
            now = self._afterwards(1, 10, minute)
            action = now.new_id()
            await gathering_actions.add(
                conn,
                self.id,
                gathering,
                action,
                task.words,
                member=self.town.ids[task.who] if task.who else None,
                until=self.when.day + timedelta(days=task.days),
                by=self.by,
                now=now,
            )
            if task.done:
                await gathering_actions.tick_off(
                    conn,
                    self.id,
                    gathering,
                    action,
                    done=True,
                    by=self.by,
                    now=self._afterwards(5, 10, minute),
                )

    async def _tell(
        self, conn: AsyncConnection, gathering: UUID, who: str, told: Told, now: Moment
    ) -> None:
        """One's own words; those of somebody without a sign-in the steward writes down."""
        member = self.town.ids[who]
        by = await self._speaker(member)
        found = await gathering_values.get(conn, self.id, gathering)
        seat = None if by == member else _Presence(found).seat(member)
        await stories.tell(conn, self.id, gathering, told, seat_id=seat, by=by, now=now)


async def _type_in(town: Town, calendar: Calendar) -> None:
    """A coordinator types in the sheet of paper that hung beside the kettle."""
    dice = Random(f"{town.place.slug} {calendar.label}")  # noqa: S311
    at = datetime.combine(town.today - timedelta(days=2), time(20), UTC)
    now = Moment(at, dice.randbytes)
    by = next(town.ids[one.name] for one in town.place.people if one.role is Role.COORDINATOR)
    async with town.db.read(town.id) as conn:
        categories = await communities.categories_of(conn, town.id)
    lines = [
        _line(town, row, number, [one.id for one in categories])
        for number, row in enumerate(calendar.sheet, start=1)
    ]
    posted = await sheets.post(
        town.db, town.id, lines, batch=now.new_id(), label=calendar.label, by=by, now=now
    )
    if isinstance(posted, sheets.Stopped) or posted.counted != len(lines):
        raise RuntimeError(f"the sheet was refused: {posted}")


def _line(town: Town, row: Row, number: int, categories: Sequence[UUID]) -> sheets.Line:
    favour = town.place.favours[row.skill]
    return sheets.Line(
        row=number,
        kind=favour.kind,
        giver=town.ids[row.giver],
        receiver=town.ids[row.receiver],
        minutes=Minutes(row.minutes),
        day=town.today - timedelta(days=row.days_ago),
        note=row.note or favour.notes[0],
        category_id=categories[favour.topic],
    )
