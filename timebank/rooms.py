"""A gathering as attendance, settlement and what comes afterwards need to know it.

One reading for all of them, without the people: their list is `timebank.attendance`. With everybody
who was asked, as planning needs it, a gathering is in `timebank.gathering`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, and_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from timebank import acting, policy
from timebank.acting import Actor
from timebank.entry import Kind
from timebank.errors import Forbidden, NotFound
from timebank.gathering import LEADING
from timebank.gatherings import (
    DutyState,
    Openness,
    Rule,
    State,
    duties,
    gathering_roles,
    gatherings,
    hosts,
    invited_organisations,
    seats,
)
from timebank.members import buddies, members
from timebank.moment import Moment
from timebank.roles import BuiltIn


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a gathering, with the minutes agreed when it was planned.

    `during`: it takes the time of the gathering itself, as long as its bearer is there.
    """

    key: str
    name: str
    kind: Kind
    before: Minutes
    during: bool
    after: Minutes


@dataclass(frozen=True, slots=True)
class Room:
    """A gathering: when, by which rule it is settled, and who looks after it."""

    community_id: UUID
    id: UUID
    series_id: UUID | None
    title: str
    place: str
    area: str
    starts_at: datetime
    ends_at: datetime
    openness: Openness
    rule: Rule
    credits_taking_part: bool
    payer_id: UUID | None
    state: State
    made_by: UUID
    organisers: frozenset[UUID]
    roles: tuple[Role, ...]

    @property
    def lasts(self) -> Minutes:
        """The whole time, in full minutes."""
        return Minutes(int((self.ends_at - self.starts_at).total_seconds()) // 60)

    def has_begun(self, now: Moment) -> bool:
        """Whether it began, or is over."""
        return now.at >= self.starts_at

    def role(self, key: str) -> Role | None:
        """The role with this key, if the gathering knows it."""
        return next((role for role in self.roles if role.key == key), None)


async def get(conn: AsyncConnection, community: UUID, gathering: UUID) -> Room:
    """The gathering, or `NotFound`. Says nothing about who may see it."""
    query = select(gatherings).where(*_is(community, gathering))
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("gathering")
    return Room(
        community_id=community,
        id=row.id,
        series_id=row.series_id,
        title=row.title,
        place=row.place,
        area=row.area,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        openness=Openness(row.openness),
        rule=Rule(row.rule),
        credits_taking_part=row.credits_taking_part,
        payer_id=row.payer_id,
        state=State(row.state),
        made_by=row.made_by,
        organisers=await organisers(conn, community, gathering),
        roles=await _roles(conn, community, gathering),
    )


async def organisers(conn: AsyncConnection, community: UUID, gathering: UUID) -> frozenset[UUID]:
    """Who looks after it: whoever made it, who agreed to host or facilitate, its hosts' managers.

    Offering is not enough: an organiser has to agree, or everybody could take it over.
    """
    legs = [select(who).where(at == gathering) for who, at in _looking_after(community)]
    return frozenset(row[0] for row in await conn.execute(union(*legs)))


def looked_after_by(community: UUID, member: UUID) -> CompoundSelect[Any]:
    """The ids of the gatherings that a member looks after."""
    return union(*[select(at).where(who == member) for who, at in _looking_after(community)])


def _looking_after(community: UUID) -> list[tuple[Any, Any]]:
    """The ways to look after a gathering: the member and the gathering in each, both searchable."""
    made = select(gatherings.c.made_by, gatherings.c.id).where(
        gatherings.c.community_id == community
    )
    leading = (
        select(seats.c.member_id, duties.c.gathering_id)
        .join(
            seats,
            and_(
                duties.c.community_id == seats.c.community_id,
                duties.c.seat_id == seats.c.id,
            ),
        )
        .where(
            duties.c.community_id == community,
            duties.c.role_key.in_([role.value for role in LEADING]),
            duties.c.state == DutyState.AGREED.value,
            seats.c.member_id.is_not(None),
        )
    )
    managing = (
        select(buddies.c.buddy_id, hosts.c.gathering_id)
        .join(
            buddies,
            and_(
                hosts.c.community_id == buddies.c.community_id,
                hosts.c.member_id == buddies.c.member_id,
            ),
        )
        .where(hosts.c.community_id == community, buddies.c.until.is_(None))
    )
    found = []
    for leg in (made, leading, managing):
        who, at = leg.subquery().c
        found.append((who, at))
    return found


async def for_organiser(
    conn: AsyncConnection, community: UUID, gathering: UUID, by: UUID
) -> tuple[Actor, Room]:
    """An active member who looks after this gathering, and the gathering.

    `NotFound` for who may not know of it, `Forbidden` for who may know but does not look after it.
    """
    actor, room = await for_member(conn, community, gathering, by)
    await acting.active(conn, community, by)
    if not policy.may_keep_list(actor.member, room.organisers):
        raise Forbidden("attendance")
    return actor, room


async def for_member(
    conn: AsyncConnection, community: UUID, gathering: UUID, by: UUID
) -> tuple[Actor, Room]:
    """A member and a gathering they may know of; else `NotFound`."""
    actor = await acting.one(conn, community, by)
    room = await get(conn, community, gathering)
    if not await knows_of(conn, actor, room):
        raise NotFound("gathering")
    return actor, room


async def knows_of(conn: AsyncConnection, actor: Actor, room: Room) -> bool:
    """Whether a member may know of this gathering; see `policy.may_see_gathering`."""
    belongs = bool(actor.accounts & room.organisers) or await _is_asked(conn, room, actor.accounts)
    return policy.may_know_of(actor.member, room.openness, belongs=belongs)


async def _is_asked(conn: AsyncConnection, room: Room, accounts: Iterable[UUID]) -> bool:
    """Whether one of these has a place at it, was asked to send somebody, or hosts it."""
    some = list(accounts)
    legs = [
        select(column).where(
            table.c.community_id == room.community_id,
            table.c.gathering_id == room.id,
            column.in_(some),
        )
        for table, column in (
            (seats, seats.c.member_id),
            (invited_organisations, invited_organisations.c.organisation_id),
            (hosts, hosts.c.member_id),
        )
    ]
    return (await conn.execute(union(*legs))).first() is not None


async def lock(conn: AsyncConnection, community: UUID, gathering: UUID) -> None:
    """Keep others from changing this gathering's list until the transaction ends.

    Who needs the books' head as well takes that first. Or raise `NotFound`.
    """
    query = select(gatherings.c.id).where(*_is(community, gathering))
    if (await conn.execute(query.with_for_update(key_share=True))).first() is None:
        raise NotFound("gathering")


async def next_after(conn: AsyncConnection, room: Room, now: Moment) -> Room | None:
    """The next date: of the same series, else the next gathering that is open to all members.

    A date by invitation follows only on one by invitation: those who were there know of the series.
    """
    coming: Select[Any] = (
        select(gatherings.c.id)
        .where(
            gatherings.c.community_id == room.community_id,
            gatherings.c.state == State.PLANNED.value,
            gatherings.c.starts_at > max(now.at, room.ends_at),
        )
        .order_by(gatherings.c.starts_at, gatherings.c.id)
        .limit(1)
    )
    asked = [coming.where(gatherings.c.openness != Openness.INVITED.value)]
    if room.series_id is not None:
        same = gatherings.c.series_id == room.series_id
        closed = room.openness is Openness.INVITED
        asked.insert(0, (coming if closed else asked[0]).where(same))
    for query in asked:
        found = await conn.scalar(query)
        if found is not None:
            return await get(conn, room.community_id, found)
    return None


async def payer_name(conn: AsyncConnection, room: Room) -> str:
    """The organisation that sponsors it; "" where the commons, a workshop or nobody does."""
    if room.payer_id is None:
        return ""
    named = select(members.c.name).where(
        members.c.community_id == room.community_id, members.c.id == room.payer_id
    )
    return str(await conn.scalar(named) or "")


async def _roles(conn: AsyncConnection, community: UUID, gathering: UUID) -> tuple[Role, ...]:
    rows = await conn.execute(
        select(gathering_roles)
        .where(
            gathering_roles.c.community_id == community,
            gathering_roles.c.gathering_id == gathering,
            gathering_roles.c.key != BuiltIn.TAKE_PART.value,
        )
        .order_by(gathering_roles.c.position, gathering_roles.c.key)
    )
    return tuple(
        Role(row.key, row.name, Kind(row.kind), row.before, row.during, row.after) for row in rows
    )


def _is(community: UUID, gathering: UUID) -> tuple[Any, Any]:
    return gatherings.c.community_id == community, gatherings.c.id == gathering
