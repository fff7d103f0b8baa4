"""Where people come from: organisations and their sectors."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.members import Member, MemberKind, Status, as_member, members
from timebank.organisations import organisations
from timebank.sectors import sectors


async def sectors_of(
    conn: AsyncConnection, community: UUID, houses: Collection[UUID]
) -> dict[UUID, str]:
    """The name of each organisation's sector; one without a sector is left out."""
    if not houses:
        return {}
    query = (
        select(organisations.c.id, sectors.c.name)
        .join(
            sectors,
            and_(
                sectors.c.community_id == organisations.c.community_id,
                sectors.c.id == organisations.c.sector_id,
            ),
        )
        .where(organisations.c.community_id == community, organisations.c.id.in_(houses))
    )
    return {row.id: row.name for row in await conn.execute(query)}


async def houses(conn: AsyncConnection, community: UUID, limit: int = 500) -> list[Member]:
    """The active organisations, by name, to choose from."""
    query = (
        select(members)
        .where(
            members.c.community_id == community,
            members.c.status == Status.ACTIVE.value,
            members.c.kind == MemberKind.ORGANISATION.value,
        )
        .order_by(members.c.name_key, members.c.id)
        .limit(limit)
    )
    return [as_member(row) for row in await conn.execute(query)]
