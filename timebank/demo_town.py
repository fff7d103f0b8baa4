"""Making one demo community: people come in, and its year is lived week by week.

Everything goes through the functions that real people use; only the moments are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from timebank import (
    agreements,
    applications,
    buddies,
    communities,
    entry_steps,
    invitations,
    members,
    organisations,
    people,
    posting,
    recording,
    sectors,
    sessions,
)
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.demo_people import PASSPHRASE, House, Neighbour, Neighbourhood
from timebank.demo_year import COMMONS, HOUSES_AFTER, Ending, Happening, joins_in_week
from timebank.entry import Entry, Kind, NewEntry, Share
from timebank.members import Role
from timebank.moment import Moment


@dataclass
class Town:
    """A community while it is being made: who is there by name, and where time stands."""

    db: Database
    base_url: str
    place: Neighbourhood
    today: date
    dice: Random
    community: Community
    ids: dict[str, UUID] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return self.community.id

    def at(self, days_ago: int, hour: int, minute: int = 0) -> datetime:
        """A point of the demo's year."""
        day = self.today - timedelta(days=days_ago)
        return datetime.combine(day, time(hour, minute), UTC)

    def moment(self, days_ago: int, hour: int, minute: int = 0) -> Moment:
        """The same, with randomness from the year's dice."""
        return Moment(self.at(days_ago, hour, minute), self.dice.randbytes)

    @property
    def steward(self) -> UUID:
        return self.ids[self.place.people[0].name]


async def found(
    db: Database, place: Neighbourhood, base_url: str, now: Moment, dice: Random
) -> Town:
    """Open the community, with its first steward invited the way an operator does it."""
    today = now.day_in(place.timezone)
    start = Moment(
        datetime.combine(today - timedelta(days=7 * place.weeks + 10), time(9), UTC),
        dice.randbytes,
    )
    async with db.write(EVERYWHERE) as conn:
        community = await communities.create(
            conn,
            slug=place.slug,
            name=place.name,
            language=place.language,
            timezone=place.timezone,
            now=start,
        )
        link = await invitations.invite_steward(conn, community.id, now=start, base_url=base_url)
    town = Town(db, base_url, place, today, dice, community, {COMMONS: community.commons_id})
    await _accept(town, place.people[0], link, town.moment(7 * place.weeks + 10, 10))
    return town


async def welcome_newcomers(town: Town, week: int) -> None:
    """Those who join this week; the founders all come in the first."""
    place, days_ago = town.place, 7 * week + 8
    coming = [
        who
        for n, who in enumerate(place.people)
        if joins_in_week(place, n) == week and who.name not in town.ids
    ]
    for minute, who in enumerate(coming):
        await _join(town, who, town.moment(days_ago, 10, minute))
    if week == place.weeks - HOUSES_AFTER:
        async with town.db.write(town.id) as conn:
            for minute, house in enumerate(place.houses):
                await _open_house(conn, town, house, town.moment(days_ago, 11, minute))
    if week == place.weeks // 2:
        await _adopt(town, town.moment(days_ago, 18))
    if week == 3:
        await _pause_and_leave(town, town.moment(days_ago, 12))


async def _join(town: Town, who: Neighbour, now: Moment) -> None:
    """Invited by mail, or added by name; then a profile, a role and a buddy."""
    community = town.id
    if who.email:
        async with town.db.write(town.id) as conn:
            link = await invitations.invite(
                conn,
                community,
                name=who.name,
                email=who.email,
                by=town.steward,
                now=now,
                base_url=town.base_url,
            )
        await _accept(town, who, link, now)
    else:
        async with town.db.write(town.id) as conn:
            member = await members.add(
                conn,
                community,
                name=who.name,
                phone=who.phone,
                area=who.area,
                by=town.steward,
                now=now,
            )
            town.ids[who.name] = member.id
            await _fill_profile(conn, town, who, now)
    async with town.db.write(town.id) as conn:
        if who.role is not Role.MEMBER:
            await members.set_role(
                conn, community, town.ids[who.name], who.role, by=town.steward, now=now
            )
        if who.buddy:
            await buddies.add(
                conn,
                community,
                town.ids[who.name],
                town.ids[who.buddy],
                consent=town.place.words.consent,
                by=town.steward,
                now=now,
            )


async def _accept(town: Town, who: Neighbour, link: str, now: Moment) -> None:
    """Follow an invitation; somebody known from another community signs in there first."""
    token = link.rsplit("/", 1)[-1]
    async with town.db.read(town.id) as conn:
        known = await people.by_email(conn, who.email)
    if known is None:
        person, session, _ = await invitations.accept(
            town.db,
            token,
            name=who.name,
            email=who.email,
            password=PASSPHRASE,
            language=town.place.language,
            device="",
            now=now,
        )
        async with town.db.write(town.id) as conn:
            await sessions.end(conn, session)
    else:
        person = known
        await invitations.accept_as(town.db, token, person.id, now=now)
    async with town.db.write(town.id) as conn:
        member = await members.of_person(conn, town.id, person.id)
        if member is None:
            raise RuntimeError(f"{who.name} accepted and is no member")
        town.ids[who.name] = member.id
        await _fill_profile(conn, town, who, now)


async def _fill_profile(conn: AsyncConnection, town: Town, who: Neighbour, now: Moment) -> None:
    """Phone, area, words about oneself."""
    member = town.ids[who.name]
    await members.edit(
        conn,
        town.id,
        member,
        name=who.name,
        phone=who.phone,
        contact_shown=bool(who.phone),
        area=who.area,
        about=who.about,
        by=member if who.email else town.steward,
        now=now,
    )


async def _open_house(conn: AsyncConnection, town: Town, house: House, now: Moment) -> None:
    """An organisation joins, with a member who keeps its account."""
    member = await organisations.add(
        conn,
        town.id,
        name=house.name,
        sector=(await sectors.of(conn, town.id))[house.sector].id,
        area=house.area,
        about=house.about,
        contact=house.manager,
        by=town.steward,
        now=now,
    )
    town.ids[house.name] = member.id
    await buddies.add(
        conn,
        town.id,
        member.id,
        town.ids[house.manager],
        consent=town.place.words.named_keeper,
        by=town.steward,
        now=now,
    )


async def _adopt(town: Town, now: Moment) -> None:
    """The community agrees on a second version of its agreement."""
    async with town.db.write(town.id) as conn:
        current = await agreements.current(conn, town.id)
        terms = replace(
            current.terms,
            purpose=town.place.words.purpose,
            soft_floor=Minutes(-900),
            commons_floor=Minutes(-18_000),
            closing_day=5,
            review_on=town.today + timedelta(days=120),
        )
        await agreements.adopt(
            conn,
            town.id,
            terms,
            reason=town.place.words.new_agreement,
            expected_version=current.version,
            by=town.steward,
            now=now,
        )


async def _pause_and_leave(town: Town, now: Moment) -> None:
    """One member takes a rest, another moves away."""
    async with town.db.write(town.id) as conn:
        for name, step in ((town.place.paused, members.pause), (town.place.left, members.leave)):
            if name:
                await step(conn, town.id, town.ids[name], by=town.ids[name], now=now)


async def live(town: Town, week: int, happenings: Sequence[Happening]) -> None:
    """Record a week, let people answer, approve what can be approved, undo what has to be."""
    async with town.db.write(town.id) as conn:
        categories = await communities.categories_of(conn, town.id)
        recorded = [
            (what, await _record(conn, town, what, [c.id for c in categories], n))
            for n, what in enumerate(happenings)
        ]
    async with town.db.write(town.id) as conn:
        for n, (what, entry) in enumerate(recorded):
            await _answer(conn, town, what, entry, town.moment(7 * week + 1, 20, n))
    approved = [(what, entry) for what, entry in recorded if what.ending in _POSTED]
    now = town.moment(7 * week + 1, 21)
    await post(
        town,
        [
            posting.Approve(
                town.id,
                entry.id,
                _approver(town, what),
                town.place.words.keep if what.ending is Ending.ARGUED else "",
            )
            for what, entry in approved
        ],
        now,
    )
    reason = town.place.words.undo
    now = town.moment(7 * week + 1, 21, 30)
    undone = [(what, entry) for what, entry in approved if what.ending is Ending.REVERSED]
    await post(
        town,
        [posting.Undo(town.id, e.id, _approver(town, w, undoing=True), reason) for w, e in undone],
        now,
    )
    await _dispute_afterwards(town, week, approved)


async def ask_to_join(town: Town) -> None:
    """A few people wait to be welcomed."""
    async with town.db.write(EVERYWHERE) as conn:
        for n, (name, email, about) in enumerate(town.place.applicants):
            await applications.apply(
                conn,
                town.id,
                name=name,
                email=email,
                about=about,
                language=town.place.language,
                network=email,
                now=town.moment(1 + n, 17),
            )


_POSTED = frozenset(
    {
        Ending.APPROVED,
        Ending.ARGUED,
        Ending.CHANGED,
        Ending.REVERSED,
        Ending.KEPT,
        Ending.CONTESTED,
    }
)


async def _record(
    conn: AsyncConnection, town: Town, what: Happening, categories: list[UUID], number: int
) -> Entry:
    """Somebody who may writes it down, in the evening of the day."""
    by, behalf = _recorder(town, what)
    now = town.moment(what.days_ago, 19, number)
    return await recording.record(
        conn, town.id, _new(town, what, categories, behalf), by=by, now=now
    )


def _new(
    town: Town, what: Happening, categories: list[UUID], behalf: UUID | None = None
) -> NewEntry:
    own = what.own_minutes or (None,) * len(what.givers)
    return NewEntry(
        kind=what.kind,
        givers=tuple(
            Share(town.ids[name], None if minutes is None else Minutes(minutes))
            for name, minutes in zip(what.givers, own, strict=True)
        ),
        receivers=tuple(Share(town.ids[name]) for name in what.receivers),
        minutes=None if what.own_minutes else Minutes(what.minutes),
        occurred_on=town.today - timedelta(days=what.days_ago),
        note=what.note,
        category_id=None if what.topic is None else categories[what.topic],
        on_behalf_of=behalf,
    )


def _recorder(town: Town, what: Happening) -> tuple[UUID, UUID | None]:
    """Who records it, and for whom: those in it, a buddy, an account's keeper, a coordinator."""
    sides = (
        (what.receivers, what.givers) if what.receiver_records else (what.givers, what.receivers)
    )
    reachable = {who.name for who in town.place.people if who.email}
    if what.kind is not Kind.GRANT and 1 in (len(what.givers), len(what.receivers)):
        for side in sides:
            if len(side) == 1 and side[0] in reachable:
                return town.ids[side[0]], None
        keepers = _keepers(town.place)
        for side in sides:
            if len(side) == 1 and side[0] in keepers:
                return town.ids[keepers[side[0]]], town.ids[side[0]]
    return town.ids[_coordinators(town.place)[0]], None


def _keepers(place: Neighbourhood) -> dict[str, str]:
    """Who records for whom: buddies of people, managers of organisations."""
    found = {who.name: who.buddy for who in place.people if who.buddy}
    return found | {house.name: house.manager for house in place.houses}


def _coordinators(place: Neighbourhood) -> list[str]:
    """Coordinators first, then stewards."""
    able = [who for who in place.people if who.role is not Role.MEMBER]
    return [who.name for who in sorted(able, key=lambda who: who.role is Role.STEWARD)]


def _approver(town: Town, what: Happening, *, undoing: bool = False) -> UUID:
    """A coordinator who gains nothing from it, neither themselves nor for whom they record."""
    gives_hours = what.kind.is_gift is not undoing
    gaining = what.receivers if gives_hours else what.givers
    keepers = _keepers(town.place)
    taken = {*gaining, *(keepers[name] for name in gaining if name in keepers)}
    return next(town.ids[name] for name in _coordinators(town.place) if name not in taken)


async def _answer(
    conn: AsyncConnection, town: Town, what: Happening, entry: Entry, now: Moment
) -> None:
    """What the other side, the recorder and the coordinator say before it is decided."""
    words, ours = town.place.words, town.id
    other = _other_side(town, what, entry)
    match what.ending:
        case Ending.ARGUED | Ending.DISPUTED if other:
            await entry_steps.dispute(conn, ours, entry.id, words.dispute, by=other, now=now)
            if what.ending is Ending.ARGUED:
                await entry_steps.answer(
                    conn, ours, entry.id, words.answer, by=entry.recorded_by, now=now
                )
        case Ending.CHANGED | Ending.RETURNED:
            await entry_steps.return_with_question(
                conn, ours, entry.id, words.question, by=_approver(town, what), now=now
            )
            if what.ending is Ending.CHANGED:
                categories = [c.id for c in await communities.categories_of(conn, ours)]
                new = _new(town, replace(what, note=f"{what.note}."), categories)
                await recording.change(conn, ours, entry.id, new, by=entry.recorded_by, now=now)
        case Ending.DECLINED:
            await entry_steps.decline(
                conn, ours, entry.id, words.decline, by=_approver(town, what), now=now
            )
        case Ending.WITHDRAWN:
            await entry_steps.withdraw(conn, ours, entry.id, by=entry.recorded_by, now=now)
        case _ if what.confirmed and other:
            await entry_steps.confirm(conn, ours, entry.id, by=other, now=now)


async def _dispute_afterwards(
    town: Town, week: int, approved: Sequence[tuple[Happening, Entry]]
) -> None:
    """Some see only on their statement that they remember it otherwise."""
    words, now = town.place.words, town.moment(7 * week + 1, 22)
    async with town.db.write(town.id) as conn:
        for what, entry in approved:
            other = _other_side(town, what, entry)
            if other and what.ending in (Ending.KEPT, Ending.CONTESTED):
                await entry_steps.dispute(conn, town.id, entry.id, words.dispute, by=other, now=now)
                if what.ending is Ending.KEPT:
                    coordinator = _approver(town, what)
                    await entry_steps.keep(
                        conn, town.id, entry.id, words.keep, by=coordinator, now=now
                    )


def _other_side(town: Town, what: Happening, entry: Entry) -> UUID | None:
    """The one neighbour on the other side who can answer for themselves, if it is one."""
    reachable = {who.name for who in town.place.people if who.email}
    sides = [side for side in (what.givers, what.receivers) if len(side) == 1]
    for side in sides:
        if side[0] in reachable and town.ids[side[0]] != entry.recorded_by:
            return town.ids[side[0]]
    return None


async def post(town: Town, requests: Sequence[posting.Approve | posting.Undo], now: Moment) -> None:
    """Through the one door; in the demo nothing may be refused."""
    for verdict in await posting.post(town.db, requests, now=now):
        if isinstance(verdict, posting.Refused):
            raise RuntimeError(f"the demo's entry {verdict.entry_id} was refused: {verdict.error}")
