"""Organisations: members like everyone, with a sector and somebody to ask for.

People keep their account as buddies do for others; who belongs to them is in
`timebank.affiliations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import members
from timebank.errors import NotFound
from timebank.members import Member, MemberKind, Status, as_member
from timebank.members import organisations as organisations
from timebank.moment import Moment
from timebank.sectors import sectors
from timebank.text import fold, like


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation in a list: who it is, and whom to ask for there."""

    member: Member
    sector_id: UUID | None
    sector: str
    about: str
    contact: str


async def add(
    conn: AsyncConnection,
    community: UUID,
    *,
    name: str,
    sector: UUID | None = None,
    area: str = "",
    about: str = "",
    contact: str = "",
    by: UUID,
    now: Moment,
) -> Member:
    """A coordinator adds an organisation; refused like `members.add`, and `NotFound` a sector."""
    new = await members.add(
        conn, community, name=name, area=area, kind=MemberKind.ORGANISATION, by=by, now=now
    )
    await _describe(conn, community, new, sector, contact)
    table = members.members
    await conn.execute(
        update(table)
        .where(table.c.community_id == community, table.c.id == new.id)
        .values(about=about)
    )
    await members.refresh_search(conn, community, [new.id])
    return new


async def edit(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    *,
    name: str,
    sector: UUID | None,
    area: str,
    about: str,
    contact: str,
    by: UUID,
    now: Moment,
) -> None:
    """Change what its page says: whoever keeps its account, or a coordinator.

    A sector that was retired may stay, but no other one may be chosen (`NotFound`).
    """
    house = await get(conn, community, id)
    await members.edit(
        conn,
        community,
        id,
        name=name,
        phone="",
        contact_shown=False,
        area=area,
        about=about,
        by=by,
        now=now,
    )
    await _describe(conn, community, house, sector, contact)
    await members.refresh_search(conn, community, [id])


async def get(conn: AsyncConnection, community: UUID, id: UUID) -> Member:
    """The member, if it is an organisation; else `NotFound`."""
    found = await members.get(conn, community, id)
    if found.kind is not MemberKind.ORGANISATION:
        raise NotFound("organisation")
    return found


async def page(
    conn: AsyncConnection,
    community: UUID,
    *,
    sector: UUID | None = None,
    area: str = "",
    search: str = "",
    limit: int = 500,
) -> list[Organisation]:
    """Active organisations by name, those of one sector, one area, or found by some letters."""
    table = members.members
    query = _listed(community).order_by(table.c.name_key, table.c.id).limit(limit)
    if sector is not None:
        query = query.where(organisations.c.sector_id == sector)
    if area:
        query = query.where(table.c.area == area)
    if search:
        query = query.where(table.c.search_key.like(like(fold(search)), escape="\\"))
    return [
        Organisation(as_member(row), row.sector_id, row.sector or "", row.about, row.contact or "")
        for row in await conn.execute(query)
    ]


async def areas(conn: AsyncConnection, community: UUID) -> list[str]:
    """The areas that active organisations name, in order, each once."""
    table = members.members
    query = _in(community).with_only_columns(table.c.area).distinct().order_by(table.c.area)
    return [row.area for row in await conn.execute(query) if row.area]


def _in(community: UUID) -> Select[Any]:
    table = members.members
    return select(table.c.id).where(
        table.c.community_id == community,
        table.c.kind == MemberKind.ORGANISATION.value,
        table.c.status == Status.ACTIVE.value,
    )


def _listed(community: UUID) -> Select[Any]:
    table = members.members
    columns = [table.c[name] for name in members.COLUMNS]
    return (
        _in(community)
        .with_only_columns(
            *columns,
            table.c.about,
            organisations.c.sector_id,
            organisations.c.contact,
            sectors.c.name.label("sector"),
        )
        .outerjoin(
            organisations,
            and_(
                organisations.c.community_id == table.c.community_id,
                organisations.c.id == table.c.id,
            ),
        )
        .outerjoin(
            sectors,
            and_(
                sectors.c.community_id == organisations.c.community_id,
                sectors.c.id == organisations.c.sector_id,
            ),
        )
    )


async def _describe(
    conn: AsyncConnection, community: UUID, house: Member, sector: UUID | None, contact: str
) -> None:
    """Set the sector and the contact; one that is not offered any more may only stay."""
    if sector is not None:
        kept = select(organisations.c.sector_id).where(
            organisations.c.community_id == community, organisations.c.id == house.id
        )
        offered = select(func.count()).where(
            sectors.c.community_id == community,
            sectors.c.id == sector,
            or_(sectors.c.retired_at.is_(None), sectors.c.id.in_(kept)),
        )
        if not (await conn.execute(offered)).scalar_one():
            raise NotFound("sector")
    await conn.execute(
        update(organisations)
        .where(organisations.c.community_id == community, organisations.c.id == house.id)
        .values(sector_id=sector, contact=contact)
    )
