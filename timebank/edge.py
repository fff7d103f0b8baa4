"""The edge of the network: from where nobody comes yet, and how many of us know somebody there.

Who knows whom is never kept and never shown. At night it is counted, for each sector, organisation
and area, how many members had an exchange or a gathering in common with somebody from there in the
past year; only these counts are kept, and small ones are shown as "some".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
    func,
    insert,
    or_,
    select,
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
_AT_A_TIME = 1000  # rows that are looked at before others have their turn


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
        counting = Counting(await _whence(conn, here, now))
        for together in (_in_entries(here.id, now), _in_gatherings(here.id, now)):
            await _count_those(conn, together, counting)
    rows = [
        {"kind": place.value, "place": of, "members": number}
        for (place, of), number in counting.numbers().items()
    ]
    # One row for nowhere says that it was counted, also where nobody knows anybody yet.
    rows.append({"kind": "", "place": "", "members": 0})
    shared = {"community_id": here.id, "counted_at": now.at}
    async with db.write(here.id) as conn:
        await conn.execute(delete(edges).where(edges.c.community_id == here.id))
        await conn.execute(insert(edges), [shared | row for row in rows])


Key = tuple[Place, str]
"""A place: its kind, and its id or name."""


class Counting:
    """Who of these people knows somebody from where. The work grows with what happened only.

    `whence` says of every person who counts from which places they are. People and places go by
    small numbers in here: there may be hundreds of thousands of meetings.
    """

    def __init__(self, whence: Mapping[UUID, Collection[Key]]) -> None:
        self._places = list({place for places in whence.values() for place in places})
        number_of = {place: number for number, place in enumerate(self._places)}
        self._number = {id: number for number, id in enumerate(whence)}
        self._from = [frozenset(number_of[place] for place in places) for places in whence.values()]
        self._know: list[set[int]] = [set() for _ in self._places]

    def met(self, ids: Iterable[UUID]) -> None:
        """These were in one entry, or in one room."""
        people = [number for id in ids if (number := self._number.get(id)) is not None]
        if len(people) < 2:
            return
        for place in frozenset().union(*(self._from[one] for one in people)):
            self._know[place].update(one for one in people if place not in self._from[one])

    def numbers(self) -> dict[Key, int]:
        """How many know somebody in each place, without those who are from there."""
        return {place: len(ids) for place, ids in zip(self._places, self._know, strict=True) if ids}


async def _count_those(conn: AsyncConnection, together: Select[Any], counting: Counting) -> None:
    """Count everyone who stands under the same `what`, a picture of some rows at a time."""
    what, ids = None, list[UUID]()
    result = await conn.stream(together)
    async for rows in result.partitions(_AT_A_TIME):
        for row in rows:
            if row.what != what:
                counting.met(ids)
                what, ids = row.what, []
            ids.append(row.who)
    counting.met(ids)


def _in_entries(community: UUID, now: Moment) -> Select[Any]:
    """Who stood in which entry. Gifts of hours, and undoing, bring nobody together."""
    return (
        select(parts.c.entry_id.label("what"), parts.c.account_id.label("who"))
        .join(
            entries,
            and_(entries.c.community_id == parts.c.community_id, entries.c.id == parts.c.entry_id),
        )
        .where(
            entries.c.community_id == community,
            entries.c.state == EntryState.APPROVED.value,
            entries.c.reverses_id.is_(None),
            entries.c.occurred_on >= (now.at - _AS_FAR_BACK).date(),
            entries.c.kind.not_in(("grant", "donation")),
        )
        .order_by(parts.c.entry_id)
    )


def _in_gatherings(community: UUID, now: Moment) -> Select[Any]:
    """Who was in which room."""
    return (
        select(seats.c.gathering_id.label("what"), seats.c.member_id.label("who"))
        .join(
            gatherings,
            and_(
                gatherings.c.community_id == seats.c.community_id,
                gatherings.c.id == seats.c.gathering_id,
            ),
        )
        .where(
            gatherings.c.community_id == community,
            gatherings.c.starts_at >= now.at - _AS_FAR_BACK,
            seats.c.present > ZERO,
            seats.c.member_id.is_not(None),
        )
        .order_by(seats.c.gathering_id)
    )


async def _whence(
    conn: AsyncConnection, here: Community, now: Moment
) -> dict[UUID, frozenset[Key]]:
    """From where every active person is today: organisations, their sectors, and an area."""
    today = now.day_in(here.timezone)
    found: dict[UUID, set[Key]] = {}
    for row in await conn.execute(select(members.c.id, members.c.area).where(*_people(here.id))):
        found[row.id] = {(Place.AREA, row.area)} if row.area else set()
    hats = (
        select(affiliations.c.member_id, affiliations.c.organisation_id, organisations.c.sector_id)
        .outerjoin(
            organisations,
            and_(
                organisations.c.community_id == affiliations.c.community_id,
                organisations.c.id == affiliations.c.organisation_id,
            ),
        )
        .where(
            affiliations.c.community_id == here.id,
            affiliations.c.organisation_id.is_not(None),
            affiliations.c.since <= today,
            or_(affiliations.c.until.is_(None), affiliations.c.until >= today),
        )
    )
    for hat in await conn.execute(hats):
        if hat.member_id in found:
            found[hat.member_id].add((Place.ORGANISATION, str(hat.organisation_id)))
            if hat.sector_id is not None:
                found[hat.member_id].add((Place.SECTOR, str(hat.sector_id)))
    return {id: frozenset(places) for id, places in found.items()}


def _people(community: UUID) -> tuple[Any, ...]:
    return (
        members.c.community_id == community,
        members.c.kind == MemberKind.PERSON.value,
        members.c.status == Status.ACTIVE.value,
    )
