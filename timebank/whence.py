"""Where people come from: the sectors of organisations."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

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
