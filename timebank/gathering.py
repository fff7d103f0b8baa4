"""One gathering as values, and reading it: who hosts it, what it needs, who comes, who does what.

Planning is in `timebank.planning`, answers and room in `timebank.seats`, roles in
`timebank.duties`, and asking people in `timebank.inviting`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from timebank import audit
from timebank.entry import Kind
from timebank.errors import NotFound
from timebank.gatherings import (
    Answer,
    DutyState,
    Openness,
    Rule,
    State,
    duties,
    formats,
    gathering_roles,
    gatherings,
    hosts,
    invited_organisations,
    seats,
)
from timebank.members import members
from timebank.moment import Moment
from timebank.roles import BuiltIn

T = TypeVar("T")

CARRIED = (DutyState.OFFERED, DutyState.AGREED)
"""States in which somebody carries a role: they said they would."""

LEADING = (BuiltIn.HOST, BuiltIn.FACILITATE)
"""Roles whose carriers organise the gathering, once an organiser has agreed with them on it."""


@dataclass(frozen=True, slots=True)
class Host:
    """An organisation that hosts a gathering."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class InvitedOrganisation:
    """An organisation that was asked to send somebody; its account managers say who comes."""

    id: UUID
    name: str
    invited_by: UUID
    invited_by_name: str
    invited_at: datetime
    declined_at: datetime | None  # nobody of them, this time


@dataclass(frozen=True, slots=True)
class WantedRole:
    """A role at one gathering, with the minutes agreed when it was planned.

    `wanted` says how many people; 0 is as many as like. `name` is empty for a built-in role under
    its usual name.
    """

    key: str
    name: str
    kind: Kind
    before: Minutes
    during: bool
    after: Minutes
    wanted: int
    position: int


@dataclass(frozen=True, slots=True)
class Seat:
    """One person at one gathering. Without a `member_id` a guest; `name` is how either is called.

    `organisation` is where they come from this time; for a guest it may be words only.
    `present` is how long they were there: None as long as nobody said, zero if they did not come.
    """

    id: UUID
    gathering_id: UUID
    member_id: UUID | None
    name: str
    email: str  # of a guest
    has_sign_in: bool
    organisation_id: UUID | None
    organisation: str
    answer: Answer
    words: str
    answered_at: datetime | None
    waiting: bool
    invited_by: UUID | None
    invited_by_name: str | None
    invited_at: datetime | None
    present: Minutes | None
    ticked_at: datetime | None
    ticked_by: UUID | None
    ticked_how: str
    to_confirm: bool

    @property
    def comes(self) -> bool:
        """Whether they said yes and there is room for them."""
        return self.answer is Answer.YES and not self.waiting


@dataclass(frozen=True, slots=True)
class Duty:
    """Between one person and one role. Real minutes are None where they are as agreed."""

    role_key: str
    seat_id: UUID
    state: DutyState
    asked_by: UUID | None
    at: datetime
    before: Minutes | None
    during: Minutes | None
    after: Minutes | None

    @property
    def carried(self) -> bool:
        """Whether they said they would do it."""
        return self.state in CARRIED


@dataclass(frozen=True, slots=True)
class Gathering:
    """A gathering with everyone in it. Moments are UTC."""

    community_id: UUID
    id: UUID
    series_id: UUID | None
    occurs_on: date | None
    format_id: UUID | None
    format: str
    title: str
    purpose: str
    place: str
    access: str
    link: str
    area: str
    bring: str
    starts_at: datetime
    ends_at: datetime
    capacity: int | None
    openness: Openness
    rule: Rule
    credits_taking_part: bool
    payer_id: UUID | None
    state: State
    parting: str
    agreement_version: int
    made_by: UUID
    made_by_name: str
    made_at: datetime
    touched_at: datetime
    revision: int
    hosts: tuple[Host, ...]
    roles: tuple[WantedRole, ...]
    seats: tuple[Seat, ...]
    duties: tuple[Duty, ...]
    invited: tuple[InvitedOrganisation, ...]

    @property
    def lasts(self) -> Minutes:
        """From the beginning to the end."""
        return Minutes(round((self.ends_at - self.starts_at).total_seconds() / 60))

    @property
    def host_ids(self) -> frozenset[UUID]:
        """The organisations that host it."""
        return frozenset(host.id for host in self.hosts)

    @property
    def organisers(self) -> frozenset[UUID]:
        """The members who organise it: who made it, and who agreed with them to lead it.

        Account managers of its hosts and coordinators do too: see `policy.may_organise`.
        """
        leading = {
            duty.seat_id
            for duty in self.duties
            if duty.role_key in LEADING and duty.state is DutyState.AGREED
        }
        found = {seat.member_id for seat in self.seats if seat.id in leading and seat.member_id}
        return frozenset(found | {self.made_by})

    @property
    def coming(self) -> tuple[Seat, ...]:
        """Those who said yes and have room, in the order they did."""
        return tuple(seat for seat in self.seats if seat.comes)

    @property
    def is_full(self) -> bool:
        """Whether the next one who says yes has to wait."""
        return self.capacity is not None and len(self.coming) >= self.capacity

    def seat_of(self, member: UUID | None) -> Seat | None:
        """A member's seat."""
        if member is None:
            return None
        return next((seat for seat in self.seats if seat.member_id == member), None)

    def seat(self, id: UUID) -> Seat | None:
        """The seat with this id."""
        return next((seat for seat in self.seats if seat.id == id), None)

    def role(self, key: str) -> WantedRole | None:
        """What it says about one role."""
        return next((role for role in self.roles if role.key == key), None)

    def carriers(self, key: str) -> tuple[Seat, ...]:
        """Who carries a role, in the order they said so."""
        ids = [duty.seat_id for duty in self.duties if duty.role_key == key and duty.carried]
        return tuple(seat for id in ids if (seat := self.seat(id)) is not None)

    def duty(self, key: str, seat_id: UUID) -> Duty | None:
        """What stands between a role and a person."""
        return next(
            (one for one in self.duties if one.role_key == key and one.seat_id == seat_id), None
        )

    def duties_of(self, seat_id: UUID) -> tuple[Duty, ...]:
        """The roles of one person."""
        return tuple(one for one in self.duties if one.seat_id == seat_id)

    @property
    def needed(self) -> tuple[WantedRole, ...]:
        """The roles for which somebody is still missing, in the order they were planned."""
        return tuple(
            role
            for role in self.roles
            if role.wanted and len(self.carriers(role.key)) < role.wanted
        )


async def get(conn: AsyncConnection, community: UUID, id: UUID) -> Gathering:
    """One gathering with everyone in it, in six queries; `NotFound`.

    Whether the reader may see it, the caller asks (`policy.may_see_gathering`).
    """
    return (await load(conn, community, [id]))[0]


async def lock(conn: AsyncConnection, community: UUID, id: UUID) -> Gathering:
    """The gathering as it stands now, kept from others who change it until the transaction ends.

    Everyone who writes seats, duties or the gathering itself comes through here first.
    """
    locked = (
        select(gatherings.c.id)
        .where(gatherings.c.community_id == community, gatherings.c.id == id)
        .with_for_update()
    )
    if (await conn.execute(locked)).first() is None:
        raise NotFound("gathering")
    return await get(conn, community, id)


async def load(conn: AsyncConnection, community: UUID, ids: Sequence[UUID]) -> list[Gathering]:
    """These gatherings in this order, in six queries; one that is not there is `NotFound`."""
    rows = await _rows(conn, community, ids)
    if set(rows) != set(ids):
        raise NotFound("gathering")
    all_hosts = await _hosts(conn, community, ids)
    all_roles = await _roles(conn, community, ids)
    all_seats = await _seats(conn, community, ids)
    all_duties = await _duties(conn, community, ids)
    all_invited = await _invited(conn, community, ids)
    return [
        _gathering(
            rows[id],
            tuple(all_hosts.get(id, ())),
            tuple(all_roles.get(id, ())),
            tuple(all_seats.get(id, ())),
            tuple(all_duties.get(id, ())),
            tuple(all_invited.get(id, ())),
        )
        for id in ids
    ]


def _gathering(
    row: Any,
    hosts: tuple[Host, ...],
    roles: tuple[WantedRole, ...],
    seats: tuple[Seat, ...],
    duties: tuple[Duty, ...],
    invited: tuple[InvitedOrganisation, ...],
) -> Gathering:
    return Gathering(
        community_id=row.community_id,
        id=row.id,
        series_id=row.series_id,
        occurs_on=row.occurs_on,
        format_id=row.format_id,
        format=row.format_name or "",
        title=row.title,
        purpose=row.purpose,
        place=row.place,
        access=row.access,
        link=row.link,
        area=row.area,
        bring=row.bring,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        capacity=row.capacity,
        openness=Openness(row.openness),
        rule=Rule(row.rule),
        credits_taking_part=row.credits_taking_part,
        payer_id=row.payer_id,
        state=State(row.state),
        parting=row.parting,
        agreement_version=row.agreement_version,
        made_by=row.made_by,
        made_by_name=row.made_by_name,
        made_at=row.made_at,
        touched_at=row.touched_at,
        revision=row.revision,
        hosts=hosts,
        roles=roles,
        seats=seats,
        duties=duties,
        invited=invited,
    )


async def _rows(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> dict[UUID, Any]:
    query = (
        select(
            gatherings, members.c.name.label("made_by_name"), formats.c.name.label("format_name")
        )
        .join(members, is_member(gatherings, gatherings.c.made_by))
        .outerjoin(
            formats,
            and_(
                formats.c.community_id == gatherings.c.community_id,
                formats.c.id == gatherings.c.format_id,
            ),
        )
        .where(gatherings.c.community_id == community, gatherings.c.id.in_(set(ids)))
    )
    return {row.id: row for row in await conn.execute(query)}


async def _hosts(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[Host]]:
    query = (
        select(hosts.c.gathering_id, members.c.id, members.c.name)
        .join(members, is_member(hosts, hosts.c.member_id))
        .where(*_of(hosts, community, ids))
        .order_by(members.c.name_key, members.c.id)
    )
    return await _by_gathering(conn, query, lambda row: Host(row.id, row.name))


async def _roles(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[WantedRole]]:
    table = gathering_roles
    query = select(table).where(*_of(table, community, ids)).order_by(table.c.position, table.c.key)
    return await _by_gathering(
        conn,
        query,
        lambda row: WantedRole(
            row.key,
            row.name,
            Kind(row.kind),
            row.before,
            row.during,
            row.after,
            row.wanted,
            row.position,
        ),
    )


async def _seats(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[Seat]]:
    who, house, inviter = members.alias("who"), members.alias("house"), members.alias("inviter")
    query = (
        select(
            seats,
            who.c.name.label("member_name"),
            who.c.person_id,
            house.c.name.label("house_name"),
            inviter.c.name.label("inviter_name"),
        )
        .outerjoin(who, is_member(seats, seats.c.member_id, who))
        .outerjoin(house, is_member(seats, seats.c.organisation_id, house))
        .outerjoin(inviter, is_member(seats, seats.c.invited_by, inviter))
        .where(*_of(seats, community, ids))
        # As they answered, which is also the line of those who wait; the others after them.
        .order_by(seats.c.answered_at.is_(None), seats.c.answered_at, seats.c.id)
    )
    return await _by_gathering(conn, query, _seat)


def _seat(row: Any) -> Seat:
    return Seat(
        id=row.id,
        gathering_id=row.gathering_id,
        member_id=row.member_id,
        name=row.member_name or row.name,
        email=row.email,
        has_sign_in=row.person_id is not None,
        organisation_id=row.organisation_id,
        organisation=row.house_name or row.from_words,
        answer=Answer(row.answer),
        words=row.words,
        answered_at=row.answered_at,
        waiting=row.waiting,
        invited_by=row.invited_by,
        invited_by_name=row.inviter_name,
        invited_at=row.invited_at,
        present=row.present,
        ticked_at=row.ticked_at,
        ticked_by=row.ticked_by,
        ticked_how=row.ticked_how,
        to_confirm=row.to_confirm,
    )


async def _duties(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[Duty]]:
    query = (
        select(duties).where(*_of(duties, community, ids)).order_by(duties.c.at, duties.c.seat_id)
    )
    return await _by_gathering(
        conn,
        query,
        lambda row: Duty(
            row.role_key,
            row.seat_id,
            DutyState(row.state),
            row.asked_by,
            row.at,
            row.before,
            row.during,
            row.after,
        ),
    )


async def _invited(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[InvitedOrganisation]]:
    table, house, inviter = invited_organisations, members.alias("house"), members.alias("inviter")
    query = (
        select(table, house.c.name, inviter.c.name.label("inviter_name"))
        .join(house, is_member(table, table.c.organisation_id, house))
        .join(inviter, is_member(table, table.c.invited_by, inviter))
        .where(*_of(table, community, ids))
        .order_by(table.c.invited_at, table.c.organisation_id)
    )
    return await _by_gathering(
        conn,
        query,
        lambda row: InvitedOrganisation(
            row.organisation_id,
            row.name,
            row.invited_by,
            row.inviter_name,
            row.invited_at,
            row.declined_at,
        ),
    )


def _of(table: Table, community: UUID, ids: Collection[UUID]) -> tuple[ColumnElement[bool], ...]:
    """Rows of these gatherings."""
    return table.c.community_id == community, table.c.gathering_id.in_(set(ids))


async def _by_gathering(
    conn: AsyncConnection, query: Select[Any], make: Callable[[Any], T]
) -> dict[UUID, list[T]]:
    """What is made of each row, by its gathering, in the order of the rows."""
    found: dict[UUID, list[T]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.gathering_id, []).append(make(row))
    return found


def is_member(table: Any, id: Any, member: Any = members) -> Any:
    """Join members on the community of a table and one of its columns."""
    return and_(member.c.community_id == table.c.community_id, member.c.id == id)


async def note(
    conn: AsyncConnection,
    found: Gathering,
    action: str,
    *,
    by: UUID | None,
    now: Moment,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write an act about a gathering into the audit."""
    await audit.write(
        conn,
        found.community_id,
        actor=by,
        action=action,
        subject_kind="gathering",
        subject=found.id,
        facts=facts,
        agreement_version=found.agreement_version,
        now=now,
    )
