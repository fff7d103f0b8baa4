"""Sectors: what kind of organisation somebody comes from, in a list of the community's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Table,
    UniqueConstraint,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, Words

sectors = Table(
    "sector",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("name", Words, nullable=False),
    Column("position", Count, nullable=False),
    Column("retired_at", Instant),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    UniqueConstraint("community_id", "name"),
    CheckConstraint("name <> ''", name="named"),
    sqlite_strict=True,
)

FIRST: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Health",
        "Social care",
        "Housing",
        "Education",
        "Higher education",
        "Local government",
        "Voluntary and community",
        "Faith",
        "Arts and culture",
        "Business",
        "Neighbours",
        "Something else",
    ),
    "es": (
        "Salud",
        "Servicios sociales",
        "Vivienda",
        "Educación",
        "Universidad",
        "Ayuntamiento",
        "Asociaciones y voluntariado",
        "Comunidades religiosas",
        "Arte y cultura",
        "Empresas",
        "Vecindario",
        "Otro",
    ),
}
"""The sectors a community begins with, by its language."""


@dataclass(frozen=True, slots=True)
class Sector:
    """One sector, as the community calls it."""

    id: UUID
    name: str


async def of(conn: AsyncConnection, community: UUID) -> list[Sector]:
    """The sectors in use, in the order the community put them."""
    rows = await conn.execute(
        select(sectors.c.id, sectors.c.name)
        .where(sectors.c.community_id == community, sectors.c.retired_at.is_(None))
        .order_by(sectors.c.position, sectors.c.name)
    )
    return [Sector(row.id, row.name) for row in rows]
