"""Affiliations: the hats a person wears. Dated, several at once; "here as a neighbour" is one.

Whether an exchange crosses a boundary is judged by the hats of the day it happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    and_,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Day, Id, Instant, Words
from timebank.members import members
from timebank.organisations import organisations
from timebank.sectors import sectors

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
    ForeignKeyConstraint(["community_id", "added_by"], ["member.community_id", "member.id"]),
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


async def of_many(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID], *, on: date | None = None
) -> dict[UUID, list[Hat]]:
    """The hats of these members by member, oldest first; with `on`, those worn on that day."""
    house = members.alias("house")
    query = (
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
            organisations,
            and_(
                organisations.c.community_id == affiliations.c.community_id,
                organisations.c.id == affiliations.c.organisation_id,
            ),
        )
        .outerjoin(
            sectors,
            and_(
                sectors.c.community_id == organisations.c.community_id,
                sectors.c.id == organisations.c.sector_id,
            ),
        )
        .where(
            affiliations.c.community_id == community,
            affiliations.c.member_id.in_(set(ids)),
        )
        .order_by(affiliations.c.since, affiliations.c.id)
    )
    if on is not None:
        query = query.where(
            affiliations.c.since <= on,
            or_(affiliations.c.until.is_(None), affiliations.c.until >= on),
        )
    found: dict[UUID, list[Hat]] = {}
    for row in await conn.execute(query):
        hat = Hat(
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
        )
        found.setdefault(row.member_id, []).append(hat)
    return found
