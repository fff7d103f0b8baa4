"""The edge of the network: from where nobody comes yet, and how many of us know somebody there.

Who knows whom is never kept and never shown. At night it is counted, for each sector, organisation
and area, how many members had an exchange or a gathering in common with somebody from there in the
past year; only these counts are kept, and small ones are shown as "some".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO
from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, Words
from timebank import communities
from timebank import sectors as sector_list
from timebank.affiliations import affiliations
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.entries import entries, parts
from timebank.entry import State as EntryState
from timebank.gathering import Gathering
from timebank.gatherings import Answer, gatherings, seats
from timebank.members import MemberKind, Status, members
from timebank.moment import Moment
from timebank.organisations import organisations

SMALLEST = 3
"""Fewer people than this are "some of us"."""
_AS_FAR_BACK = timedelta(days=365)
_COUNTED_EVERY = timedelta(days=1)


class Place(StrEnum):
    """What one may come from."""

    SECTOR = "sector"
    ORGANISATION = "organisation"
    AREA = "area"


edges = Table(
    "edge",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("kind", Words, primary_key=True),  # sector, organisation or area; "": it was counted
    Column("place", Words, primary_key=True),  # the id, or the area's name
    Column("members", Count, nullable=False),  # how many know somebody there
    Column("counted_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A place from which nobody comes yet.

    `know` is how many members had something in common with somebody there in the past year: None
    for some, but fewer than `SMALLEST`. `asked`: somebody from there is invited and has not
    answered. `id` is a sector's or an organisation's.
    """

    place: Place
    id: UUID | None
    name: str
    know: int | None
    asked: bool


async def gaps(conn: AsyncConnection, here: Community, found: Gathering) -> list[Gap]:
    """From where nobody comes to a gathering yet, those whom most of us know first.

    It depends on the gathering alone and says the same to everybody. Sectors and areas without
    anybody in them are not named: there is nobody to ask.
    """
    counts = await _counts(conn, here.id)
    comes = [seat for seat in found.seats if seat.answer in (Answer.YES, Answer.MAYBE)]
    asked = [seat for seat in found.seats if seat.answer is Answer.ASKED]
    houses = await _houses(conn, here.id)
    sectors_there = {house.sector_id for house in houses}
    of_house = {house.id: house.sector_id for house in houses}

    def sectors_of(some: Iterable[Any]) -> set[UUID | None]:
        return {of_house.get(seat.organisation_id) for seat in some}

    def houses_of(some: Iterable[Any]) -> set[UUID | None]:
        return {seat.organisation_id for seat in some}

    areas = await _areas(conn, here.id, {seat.member_id for seat in found.seats})
    coming_areas = {areas.get(seat.member_id) for seat in comes}
    asked_areas = {areas.get(seat.member_id) for seat in asked}
    found_gaps = [
        _gap(Place.SECTOR, sector.id, sector.name, counts, sector.id in sectors_of(asked))
        for sector in await sector_list.of(conn, here.id)
        if sector.id in sectors_there and sector.id not in sectors_of(comes)
    ]
    invited = {one.id for one in found.invited if one.declined_at is None}
    found_gaps += [
        _gap(
            Place.ORGANISATION,
            house.id,
            house.name,
            counts,
            house.id in houses_of(asked) | invited,
        )
        for house in houses
        if house.id not in houses_of(comes)
    ]
    found_gaps += [
        _gap(Place.AREA, None, area, counts, area in asked_areas)
        for area in sorted(set(await _all_areas(conn, here.id)) - coming_areas)
    ]
    return sorted(found_gaps, key=_first)


def _first(gap: Gap) -> tuple[float, str]:
    return (-(SMALLEST - 1 if gap.know is None else gap.know), gap.name)


def _gap(
    place: Place,
    id: UUID | None,
    name: str,
    counts: dict[tuple[str, str], int],
    asked: bool,
) -> Gap:
    number = counts.get((place.value, str(id) if id else name), 0)
    return Gap(place, id, name, None if 0 < number < SMALLEST else number, asked)


async def _counts(conn: AsyncConnection, community: UUID) -> dict[tuple[str, str], int]:
    query = select(edges).where(edges.c.community_id == community)
    return {(row.kind, row.place): row.members for row in await conn.execute(query)}


async def _houses(conn: AsyncConnection, community: UUID) -> list[Any]:
    query = (
        select(members.c.id, members.c.name, organisations.c.sector_id)
        .outerjoin(
            organisations,
            and_(
                organisations.c.community_id == members.c.community_id,
                organisations.c.id == members.c.id,
            ),
        )
        .where(
            members.c.community_id == community,
            members.c.kind == MemberKind.ORGANISATION.value,
            members.c.status == Status.ACTIVE.value,
        )
        .order_by(members.c.name_key)
    )
    return list(await conn.execute(query))


async def _areas(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID | None]
) -> dict[UUID | None, str]:
    query = select(members.c.id, members.c.area).where(
        members.c.community_id == community,
        members.c.id.in_([id for id in ids if id is not None]),
    )
    return {row.id: row.area for row in await conn.execute(query)}


async def _all_areas(conn: AsyncConnection, community: UUID) -> list[str]:
    query = select(members.c.area).where(*_people(community), members.c.area != "").distinct()
    return [row.area for row in await conn.execute(query)]


# ── Counting ─────────────────────────────────────────────────────────────────────────────────────


async def recount(db: Database, *, now: Moment) -> None:
    """Count anew, once a day for each community. For housekeeping."""
    async with db.read(EVERYWHERE) as conn:
        latest = select(edges.c.community_id, func.max(edges.c.counted_at).label("at"))
        counted = {
            row.community_id: row.at
            for row in await conn.execute(latest.group_by(edges.c.community_id))
        }
        every = await communities.every(conn)
    for here in every:
        if here.id not in counted or now.at - counted[here.id] >= _COUNTED_EVERY:
            await count(db, here, now=now)


async def count(db: Database, here: Community, *, now: Moment) -> None:
    """Count how many members know somebody in each place, and keep nothing but the numbers.

    Counting only reads, however long it takes; what it found is written in a moment.
    """
    async with db.read(here.id) as conn:
        rows = [
            {
                "community_id": here.id,
                "kind": place.value,
                "place": str(row.place),
                "members": row.number,
                "counted_at": now.at,
            }
            for place in Place
            for row in await conn.execute(_who_knows(here, place, now))
        ]
    # One row for nowhere says that it was counted, also where nobody knows anybody yet.
    nowhere = {"kind": "", "place": "", "members": 0}
    rows.append({"community_id": here.id, "counted_at": now.at, **nowhere})
    async with db.write(here.id) as conn:
        await conn.execute(delete(edges).where(edges.c.community_id == here.id))
        await conn.execute(insert(edges), rows)


def _who_knows(here: Community, kind: Place, now: Moment) -> Select[Any]:
    """For each place, how many who are not from there had something in common with who is.

    From an entry or a gathering one goes to the places that were in it, and from these to everyone
    in it: so the work grows with what happened, and not with its square.
    """
    there = _there(here, kind, now).cte("there")
    met = union(_by_entries(here.id, there, now), _by_gatherings(here.id, there, now)).subquery()
    from_there = exists().where(there.c.member_id == met.c.member_id, there.c.place == met.c.place)
    return (
        select(met.c.place, func.count(met.c.member_id.distinct()).label("number"))
        .join(members, and_(members.c.id == met.c.member_id, *_people(here.id)))
        .where(~from_there)
        .group_by(met.c.place)
    )


def _there(here: Community, kind: Place, now: Moment) -> Select[Any]:
    """Who is from which place today."""
    if kind is Place.AREA:
        return select(members.c.id.label("member_id"), members.c.area.label("place")).where(
            *_people(here.id), members.c.area != ""
        )
    today = now.day_in(here.timezone)
    worn = and_(
        affiliations.c.community_id == here.id,
        affiliations.c.organisation_id.is_not(None),
        affiliations.c.since <= today,
        or_(affiliations.c.until.is_(None), affiliations.c.until >= today),
    )
    if kind is Place.ORGANISATION:
        return select(
            affiliations.c.member_id, affiliations.c.organisation_id.label("place")
        ).where(worn)
    return (
        select(affiliations.c.member_id, organisations.c.sector_id.label("place"))
        .join(
            organisations,
            and_(
                organisations.c.community_id == affiliations.c.community_id,
                organisations.c.id == affiliations.c.organisation_id,
            ),
        )
        .where(worn, organisations.c.sector_id.is_not(None))
    )


def _by_entries(community: UUID, there: Any, now: Moment) -> Select[Any]:
    """Who stood in an entry with somebody from a place. Gifts of hours bring nobody together."""
    theirs, others = parts.alias("theirs"), parts.alias("others")
    since = (now.at - _AS_FAR_BACK).date()
    places = (
        select(theirs.c.entry_id, there.c.place)
        .join(there, there.c.member_id == theirs.c.account_id)
        .join(
            entries,
            and_(
                entries.c.community_id == theirs.c.community_id,
                entries.c.id == theirs.c.entry_id,
            ),
        )
        .where(
            theirs.c.community_id == community,
            entries.c.state == EntryState.APPROVED.value,
            entries.c.occurred_on >= since,
            entries.c.kind.not_in(("grant", "donation")),
        )
        .distinct()
        .subquery()
    )
    return select(places.c.place, others.c.account_id.label("member_id")).join(
        others, and_(others.c.community_id == community, others.c.entry_id == places.c.entry_id)
    )


def _by_gatherings(community: UUID, there: Any, now: Moment) -> Select[Any]:
    """Who was in the room with somebody from a place."""
    theirs, others = seats.alias("theirs"), seats.alias("others")
    places = (
        select(theirs.c.gathering_id, there.c.place)
        .join(there, there.c.member_id == theirs.c.member_id)
        .join(
            gatherings,
            and_(
                gatherings.c.community_id == theirs.c.community_id,
                gatherings.c.id == theirs.c.gathering_id,
            ),
        )
        .where(
            theirs.c.community_id == community,
            theirs.c.present > ZERO,
            gatherings.c.starts_at >= now.at - _AS_FAR_BACK,
        )
        .distinct()
        .subquery()
    )
    return (
        select(places.c.place, others.c.member_id)
        .join(
            others,
            and_(
                others.c.community_id == community,
                others.c.gathering_id == places.c.gathering_id,
            ),
        )
        .where(others.c.present > ZERO, others.c.member_id.is_not(None))
    )


def _people(community: UUID) -> tuple[Any, ...]:
    return (
        members.c.community_id == community,
        members.c.kind == MemberKind.PERSON.value,
        members.c.status == Status.ACTIVE.value,
    )
