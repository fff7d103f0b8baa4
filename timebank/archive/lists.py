"""The lists of an archive: CSV that people read, and that `timebank.imports` reads as it is.

Text is never a formula, minutes are whole numbers, days are year-month-day. Members' ids stand as
their numbers, so that hours find them again elsewhere.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import read
from ledger.transfer import PostedTransfer
from timebank.affiliations import affiliations
from timebank.communities import Community, categories
from timebank.entries import entries
from timebank.entry import Kind, State
from timebank.listings import listings
from timebank.members import MemberKind, buddies, members
from timebank.organisations import organisations
from timebank.people import people
from timebank.sectors import sectors
from timebank.spreadsheet import safe_cell

CHUNK = 1000

Lines: TypeAlias = AsyncIterator[bytes]


def every(conn: AsyncConnection, place: Community) -> Iterator[tuple[str, Lines]]:
    """Each list by its name, and its lines some thousand at a time."""
    yield "people", _people(conn, place)
    yield "organisations", _organisations(conn, place)
    yield "affiliations", _affiliations(conn, place)
    yield "listings", _listings(conn, place)
    yield "hours", _hours(conn, place)


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        writer.writerow(
            [
                safe_cell(cell) if isinstance(cell, str) else "" if cell is None else cell
                for cell in row
            ]
        )
    return text.getvalue().encode()


def _headed(*headings: str) -> bytes:
    return b"\xef\xbb\xbf" + _csv([headings])


async def _partitions(conn: AsyncConnection, query: Any) -> AsyncIterator[Sequence[Any]]:
    found = await conn.stream(query)
    async for rows in found.partitions(CHUNK):
        yield rows


def _day(at: datetime | None, place: Community) -> str:
    return at.astimezone(ZoneInfo(place.timezone)).date().isoformat() if at else ""


async def _people(conn: AsyncConnection, place: Community) -> Lines:
    yield _headed("number", "name", "email", "phone", "area", "about", "joined", "status")
    query = (
        select(members, people.c.email)
        .outerjoin(people, people.c.id == members.c.person_id)
        .where(
            members.c.community_id == place.id,
            members.c.kind == MemberKind.PERSON.value,
            members.c.erased_at.is_(None),
        )
        .order_by(members.c.name_key, members.c.id)
    )
    async for rows in _partitions(conn, query):
        yield _csv(
            [
                (str(row.id), row.name, row.email, row.phone, row.area, row.about,
                 _day(row.joined_at, place), row.status)
                for row in rows
            ]
        )  # fmt: skip


async def _organisations(conn: AsyncConnection, place: Community) -> Lines:
    yield _headed(
        "number", "name", "sector", "area", "about", "contact", "phone", "managers", "joined"
    )
    managers = await _managers(conn, place)
    query = (
        select(members, organisations.c.contact, sectors.c.name.label("sector_name"))
        .outerjoin(
            organisations,
            (organisations.c.community_id == members.c.community_id)
            & (organisations.c.id == members.c.id),
        )
        .outerjoin(
            sectors,
            (sectors.c.community_id == organisations.c.community_id)
            & (sectors.c.id == organisations.c.sector_id),
        )
        .where(
            members.c.community_id == place.id,
            members.c.kind == MemberKind.ORGANISATION.value,
            members.c.erased_at.is_(None),
        )
        .order_by(members.c.name_key, members.c.id)
    )
    async for rows in _partitions(conn, query):
        yield _csv(
            [
                (str(row.id), row.name, row.sector_name, row.area, row.about, row.contact,
                 row.phone, "; ".join(managers.get(row.id, [])), _day(row.joined_at, place))
                for row in rows
            ]
        )  # fmt: skip


async def _managers(conn: AsyncConnection, place: Community) -> dict[UUID, list[str]]:
    """Who keeps the account of whom, just now."""
    query = (
        select(buddies.c.member_id, members.c.name)
        .join(
            members,
            (members.c.community_id == buddies.c.community_id)
            & (members.c.id == buddies.c.buddy_id),
        )
        .where(buddies.c.community_id == place.id, buddies.c.until.is_(None))
        .order_by(buddies.c.since, members.c.name_key)
    )
    found: dict[UUID, list[str]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.member_id, []).append(row.name)
    return found


async def _affiliations(conn: AsyncConnection, place: Community) -> Lines:
    yield _headed("person", "organisation", "role", "since", "until")
    house = members.alias("house")
    query = (
        select(affiliations, members.c.name, house.c.name.label("house_name"))
        .join(
            members,
            (members.c.community_id == affiliations.c.community_id)
            & (members.c.id == affiliations.c.member_id),
        )
        .outerjoin(
            house,
            (house.c.community_id == affiliations.c.community_id)
            & (house.c.id == affiliations.c.organisation_id),
        )
        .where(affiliations.c.community_id == place.id, members.c.erased_at.is_(None))
        .order_by(affiliations.c.since, affiliations.c.id)
    )
    async for rows in _partitions(conn, query):
        yield _csv(
            [
                (f"{row.name} ({row.member_id})", row.house_name, row.role, row.since.isoformat(),
                 row.until.isoformat() if row.until else "")
                for row in rows
            ]
        )  # fmt: skip


async def _listings(conn: AsyncConnection, place: Community) -> Lines:
    yield _headed(
        "kind", "person", "person_number", "title", "words", "category", "area", "written", "until"
    )
    query = (
        select(listings, members.c.name, categories.c.name.label("category"))
        .join(
            members,
            (members.c.community_id == listings.c.community_id)
            & (members.c.id == listings.c.member_id),
        )
        .outerjoin(
            categories,
            (categories.c.community_id == listings.c.community_id)
            & (categories.c.id == listings.c.category_id),
        )
        .where(
            listings.c.community_id == place.id,
            listings.c.closed_at.is_(None),
            members.c.erased_at.is_(None),
        )
        .order_by(listings.c.written_at, listings.c.id)
    )
    async for rows in _partitions(conn, query):
        yield _csv(
            [
                (row.kind, row.name, str(row.member_id), row.title, row.words, row.category,
                 row.area, _day(row.written_at, place), row.until.isoformat())
                for row in rows
            ]
        )  # fmt: skip


async def _hours(conn: AsyncConnection, place: Community) -> Lines:
    """What is posted and was not undone; an entry of several people has a row for each pair."""
    yield _headed(
        "id", "day", "giver", "giver_number", "receiver", "receiver_number", "minutes", "kind",
        "category", "note",
    )  # fmt: skip
    names = {place.commons_id: place.name}
    known = await conn.execute(
        select(members.c.id, members.c.name).where(members.c.community_id == place.id)
    )
    names |= {row.id: row.name for row in known}
    waiting: list[PostedTransfer] = []
    async for row in read.transfers(conn, place.id):
        waiting.append(row)
        if len(waiting) == CHUNK:
            yield _csv(await _hours_of(conn, place, waiting, names))
            waiting = []
    yield _csv(await _hours_of(conn, place, waiting, names))


async def _hours_of(
    conn: AsyncConnection,
    place: Community,
    transfers: Sequence[PostedTransfer],
    names: dict[UUID, str],
) -> list[tuple[object, ...]]:
    query = (
        select(entries.c.id, entries.c.kind, entries.c.note, categories.c.name.label("category"))
        .outerjoin(
            categories,
            (categories.c.community_id == entries.c.community_id)
            & (categories.c.id == entries.c.category_id),
        )
        .where(
            entries.c.community_id == place.id,
            entries.c.id.in_({row.entry_id for row in transfers}),
            entries.c.state == State.APPROVED.value,
            entries.c.reverses_id.is_(None),
        )
    )
    words = {row.id: row for row in await conn.execute(query)}
    found: list[tuple[object, ...]] = []
    for row in transfers:
        entry = words.get(row.entry_id)
        if entry is None:
            continue
        giver, receiver = row.destination_id, row.source_id
        if Kind(entry.kind).is_gift:
            giver, receiver = receiver, giver
        found.append(
            (
                f"{row.entry_id}/{row.position}",
                row.occurred_on.isoformat(),
                names.get(giver, ""),
                "0" if giver == place.commons_id else str(giver),
                names.get(receiver, ""),
                "0" if receiver == place.commons_id else str(receiver),
                row.minutes.count,
                entry.kind,
                entry.category,
                entry.note,
            )
        )
    return found
