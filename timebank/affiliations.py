"""Affiliations: the hats a person wears. Dated, several at once; "here as a neighbour" is one.

A person says it of themselves; somebody who keeps the organisation's account, or a coordinator,
confirms it, or says it for them. It ends on a day, and stays as what was. Whether an exchange
crosses a boundary is judged by the hats of the day it happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Day, Id, Instant, Words
from timebank import acting, audit, communities, members, organisations, policy, readers
from timebank.agreements import Terms
from timebank.errors import BadInput, Forbidden, NotFound, NotTakingPart, WrongState
from timebank.i18n import N_
from timebank.members import Member, MemberKind, Status
from timebank.moment import Moment
from timebank.sectors import sectors

PATIENCE = timedelta(days=7)
"""After so long an affiliation that nobody confirmed waits for a coordinator."""

affiliations = Table(
    "affiliation",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("organisation_id", Id),  # NULL: here as a neighbour
    Column("role", Words, nullable=False),  # "nurse", in their own words
    Column("since", Day, nullable=False),
    Column("until", Day),  # the last day
    Column("added_by", Id, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("confirmed_by", Id),
    Column("confirmed_at", Instant),  # NULL: they say so themselves, and nobody has confirmed it
    Column("ended_by", Id),
    ForeignKeyConstraint(["community_id", "added_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "confirmed_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "ended_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "organisation_id"], ["member.community_id", "member.id"]),
    CheckConstraint("until IS NULL OR until >= since", name="dates"),
    Index("ix_affiliation_member", "community_id", "member_id"),
    Index("ix_affiliation_organisation", "community_id", "organisation_id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Hat:
    """One affiliation of a member. Without an organisation: here as a neighbour.

    `until` is the last day; None while it goes on.
    """

    id: UUID
    member_id: UUID
    organisation_id: UUID | None
    organisation: str
    sector_id: UUID | None
    sector: str
    area: str  # the organisation's
    role: str
    since: date
    until: date | None
    confirmed: bool = True
    added_by: UUID | None = None
    added_at: datetime | None = None

    def worn_on(self, day: date) -> bool:
        """Whether it is worn on that day."""
        return self.since <= day and (self.until is None or self.until >= day)


@dataclass(frozen=True, slots=True)
class Belonging:
    """Somebody who belongs to an organisation, as its page shows it."""

    id: UUID
    member: Member
    role: str
    since: date
    until: date | None
    confirmed: bool


async def add(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    *,
    organisation: UUID | None,
    role: str = "",
    since: date,
    by: UUID,
    now: Moment,
) -> UUID:
    """This member belongs to an organisation since that day; without one, is here as a neighbour.

    They say so themselves, or their buddy does; said by who keeps the organisation's account or by
    a coordinator, it is confirmed at once. The organisation is told of what waits for its word.
    Refuses with `Forbidden`, `NotTakingPart`, and `BadInput` a day ahead or the same hat twice.
    """
    actor = await acting.active(conn, community, by)
    person = await members.get(conn, community, member)
    if not policy.may_affiliate(actor.member, member, organisation, actor.acts_for):
        raise Forbidden("affiliate")
    house = await _house(conn, community, organisation)
    if person.kind is not MemberKind.PERSON or person.status is Status.LEFT:
        raise NotTakingPart(person.name)
    today = now.day_in((await communities.by_id(conn, community)).timezone)
    if since > today:
        raise BadInput("since", "day_ahead")
    await _refuse_twice(conn, community, member, organisation, today)
    sure = policy.may_confirm_affiliation(actor.member, organisation, actor.acts_for)
    id = now.new_id()
    await conn.execute(
        insert(affiliations).values(
            community_id=community,
            id=id,
            member_id=member,
            organisation_id=organisation,
            role=role,
            since=since,
            added_by=by,
            added_at=now.at,
            confirmed_by=by if sure else None,
            confirmed_at=now.at if sure else None,
        )
    )
    await _note(conn, community, "affiliation.added", member, id, by, now)
    if house is not None and not sure:
        await readers.tell(
            conn,
            community,
            [house.id],
            N_("{who} says they belong to {house}"),
            N_("{who} has written down that they belong to {house}. Please say whether it is so:"),
            path=f"/organisations/{house.id}",
            who=person.name,
            house=house.name,
            now=now,
        )
    return id


async def confirm(
    conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
) -> None:
    """It is so, says who keeps the organisation's account, or a coordinator. Twice is once."""
    actor = await acting.active(conn, community, by)
    row = await _row(conn, community, id)
    if not policy.may_confirm_affiliation(actor.member, row.organisation_id, actor.acts_for):
        raise Forbidden("confirm")
    if row.confirmed_at is not None:
        return
    await _set(conn, community, id, confirmed_by=by, confirmed_at=now.at)
    await _note(conn, community, "affiliation.confirmed", row.member_id, id, by, now)


async def end(
    conn: AsyncConnection, community: UUID, id: UUID, *, until: date, by: UUID, now: Moment
) -> None:
    """It ended, or will end, with that day. What was stays readable.

    By themselves, their buddy, who keeps the organisation's account, or a coordinator. A day before
    it began is `BadInput`; what has ended already has moved on (`WrongState`).
    """
    actor = await acting.active(conn, community, by)
    row = await _row(conn, community, id)
    if not policy.may_affiliate(actor.member, row.member_id, row.organisation_id, actor.acts_for):
        raise Forbidden("end")
    if row.until is not None:
        raise WrongState("ended", "end")
    if until < row.since:
        raise BadInput("until", "before_the_first")
    await _set(conn, community, id, until=until, ended_by=by)
    await _note(conn, community, "affiliation.ended", row.member_id, id, by, now)


async def remove(
    conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
) -> None:
    """It was a mistake: whoever added it takes it away, on the same day. Later it can only end."""
    actor = await acting.active(conn, community, by)
    row = await _row(conn, community, id)
    zone = (await communities.by_id(conn, community)).timezone
    if not policy.may_remove_affiliation(
        actor.member, row.added_by, same_day=_day(row.added_at, zone) == now.day_in(zone)
    ):
        raise Forbidden("remove")
    await conn.execute(
        delete(affiliations).where(
            affiliations.c.community_id == community, affiliations.c.id == id
        )
    )
    await _note(conn, community, "affiliation.removed", row.member_id, id, by, now)


async def of(conn: AsyncConnection, community: UUID, member: UUID) -> list[Hat]:
    """All hats of one member, also those taken off, oldest first."""
    return (await of_many(conn, community, [member])).get(member, [])


async def people_of(
    conn: AsyncConnection, community: UUID, organisation: UUID, *, on: date, limit: int = 200
) -> list[Belonging]:
    """Who belongs to an organisation on that day, by name: people who are here now."""
    table = members.members
    rows = await conn.execute(
        select(
            *(table.c[name] for name in members.COLUMNS),
            affiliations.c.id.label("hat_id"),
            affiliations.c.role.label("hat"),
            affiliations.c.since,
            affiliations.c.until,
            affiliations.c.confirmed_at,
        )
        .join(
            table,
            and_(
                table.c.community_id == affiliations.c.community_id,
                table.c.id == affiliations.c.member_id,
            ),
        )
        .where(
            affiliations.c.community_id == community,
            affiliations.c.organisation_id == organisation,
            *_worn_on(on),
            table.c.status.in_([Status.ACTIVE.value, Status.PAUSED.value]),
        )
        .order_by(table.c.name_key, affiliations.c.since)
        .limit(limit)
    )
    return [
        Belonging(
            row.hat_id,
            members.as_member(row),
            row.hat,
            row.since,
            row.until,
            row.confirmed_at is not None,
        )
        for row in rows
    ]


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """What nobody has confirmed for `PATIENCE`: (the affiliation's id, since when)."""
    del terms  # no agreement says anything about it
    table = members.members
    return (
        select(affiliations.c.id, affiliations.c.added_at.label("since"))
        .join(
            table,
            and_(
                table.c.community_id == affiliations.c.community_id,
                table.c.id == affiliations.c.member_id,
            ),
        )
        .where(
            affiliations.c.community_id == community,
            affiliations.c.confirmed_at.is_(None),
            affiliations.c.until.is_(None),
            affiliations.c.added_at <= now.at - PATIENCE,
            table.c.status == Status.ACTIVE.value,
        )
    )


async def of_many(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], *, on: date | None = None
) -> dict[UUID, list[Hat]]:
    """The hats of these members by member, oldest first; with `on`, those worn on that day."""
    query = _hats(community).where(affiliations.c.member_id.in_(set(ids)))
    if on is not None:
        query = query.where(*_worn_on(on))
    found: dict[UUID, list[Hat]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.member_id, []).append(_hat(row))
    return found


async def several(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> list[tuple[Hat, str, str]]:
    """The hats with these ids, oldest first; with the names of who wears each and who said so."""
    wearer, sayer = members.members.alias("wearer"), members.members.alias("sayer")
    here = affiliations.c.community_id
    query = (
        _hats(community)
        .add_columns(wearer.c.name.label("wearer"), sayer.c.name.label("sayer"))
        .join(
            wearer,
            and_(wearer.c.community_id == here, wearer.c.id == affiliations.c.member_id),
        )
        .join(sayer, and_(sayer.c.community_id == here, sayer.c.id == affiliations.c.added_by))
        .where(affiliations.c.id.in_(set(ids)))
    )
    return [(_hat(row), row.wearer, row.sayer) for row in await conn.execute(query)]


def _hats(community: UUID) -> Select[Any]:
    house, known = members.members.alias("house"), members.organisations
    return (
        select(
            affiliations,
            house.c.name.label("house_name"),
            house.c.area.label("house_area"),
            sectors.c.id.label("sector_id"),
            sectors.c.name.label("sector_name"),
        )
        .outerjoin(
            house,
            and_(
                house.c.community_id == affiliations.c.community_id,
                house.c.id == affiliations.c.organisation_id,
            ),
        )
        .outerjoin(
            known,
            and_(
                known.c.community_id == affiliations.c.community_id,
                known.c.id == affiliations.c.organisation_id,
            ),
        )
        .outerjoin(
            sectors,
            and_(
                sectors.c.community_id == known.c.community_id,
                sectors.c.id == known.c.sector_id,
            ),
        )
        .where(affiliations.c.community_id == community)
        .order_by(affiliations.c.since, affiliations.c.id)
    )


def _hat(row: Any) -> Hat:
    return Hat(
        row.id,
        row.member_id,
        row.organisation_id,
        row.house_name or "",
        row.sector_id,
        row.sector_name or "",
        row.house_area or "",
        row.role,
        row.since,
        row.until,
        row.confirmed_at is not None,
        row.added_by,
        row.added_at,
    )


def _worn_on(day: date) -> tuple[ColumnElement[bool], ...]:
    return (
        affiliations.c.since <= day,
        or_(affiliations.c.until.is_(None), affiliations.c.until >= day),
    )


async def _house(conn: AsyncConnection, community: UUID, id: UUID | None) -> Member | None:
    """The organisation, which has to be active; None for a neighbour."""
    if id is None:
        return None
    house = await organisations.get(conn, community, id)
    if house.status is not Status.ACTIVE:
        raise NotTakingPart(house.name)
    return house


async def _refuse_twice(
    conn: AsyncConnection, community: UUID, member: UUID, organisation: UUID | None, today: date
) -> None:
    worn = (await of_many(conn, community, [member], on=today)).get(member, [])
    if any(hat.organisation_id == organisation for hat in worn):
        raise BadInput("organisation", "belongs_already")


async def _row(conn: AsyncConnection, community: UUID, id: UUID) -> Any:
    """One affiliation, locked; or `NotFound`."""
    query = (
        select(affiliations)
        .where(affiliations.c.community_id == community, affiliations.c.id == id)
        .with_for_update()
    )
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("affiliation")
    return row


async def _set(conn: AsyncConnection, community: UUID, id: UUID, **values: Any) -> None:
    await conn.execute(
        update(affiliations)
        .where(affiliations.c.community_id == community, affiliations.c.id == id)
        .values(**values)
    )


def _day(at: datetime, timezone: str) -> date:
    return at.astimezone(ZoneInfo(timezone)).date()


async def _note(
    conn: AsyncConnection,
    community: UUID,
    action: str,
    member: UUID,
    id: UUID,
    by: UUID,
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="member",
        subject=member,
        facts={"affiliation": str(id)},
        now=now,
    )
