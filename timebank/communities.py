"""Communities: each with its own members, agreement and book.

The commons is the community's own account and carries the community's id; a member's account
carries the member's id. So no table has to say which account belongs to whom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Table,
    UniqueConstraint,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.account import AccountKind
from ledger.sql import metadata, store
from ledger.sql.types import Count, Id, Instant, Words
from timebank import audit
from timebank.errors import BadInput, NotFound, SlugTaken
from timebank.moment import Moment

if TYPE_CHECKING:
    from timebank.members import Member

communities = Table(
    "community",
    metadata,
    Column("id", Id, primary_key=True),
    Column("slug", Words, nullable=False, unique=True),
    Column("name", Words, nullable=False),
    Column("about", Words, nullable=False, server_default=""),
    Column("language", Words, nullable=False),
    Column("timezone", Words, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_strict=True,
)

categories = Table(
    "category",
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


@dataclass(frozen=True, slots=True)
class Community:
    """A community: its name, the `slug` in its addresses, its language and its time zone."""

    id: UUID
    slug: str
    name: str
    about: str
    language: str
    timezone: str
    created_at: datetime

    @property
    def commons_id(self) -> UUID:
        """The commons' account: the community's own id."""
        return self.id

    def begins(self, day: date) -> datetime:
        """The moment at which a day begins where the community lives."""
        return datetime.combine(day, time(), ZoneInfo(self.timezone))

    def day_of(self, at: datetime) -> date:
        """The day it is there in a moment."""
        return at.astimezone(ZoneInfo(self.timezone)).date()


@dataclass(frozen=True, slots=True)
class Category:
    """What help is about, in the community's own words ("Garden", "Getting about")."""

    id: UUID
    name: str


FIRST_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Company and conversation",
        "Getting about",
        "Shopping and errands",
        "Cooking and food",
        "Garden",
        "Home and repairs",
        "Computers and phones",
        "Language and learning",
        "Children and families",
        "Health and care",
        "Arts, music and crafts",
        "Organising and paperwork",
        "Something else",
    ),
    "es": (
        "Compañía y conversación",
        "Acompañar y transporte",
        "Compras y recados",
        "Cocina y comida",
        "Jardín y huerto",
        "Casa y arreglos",
        "Ordenadores y móviles",
        "Idiomas y aprendizaje",
        "Niños y familias",
        "Salud y cuidados",
        "Arte, música y artesanía",
        "Organización y papeles",
        "Otra cosa",
    ),
}
"""The categories a community begins with, by its language."""

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)


async def create(
    conn: AsyncConnection, *, slug: str, name: str, language: str, timezone: str, now: Moment
) -> Community:
    """Begin a community: its journal, its commons, the first agreement, its lists and formats.

    Refuses an address that is taken (`SlugTaken`) and, with `BadInput`, one that is no address, an
    empty name, a language we do not speak or a time zone that does not exist.
    """
    from timebank import agreements, formats, own_lists  # their tables refer to the community's

    if not _SLUG.fullmatch(slug):
        raise BadInput("slug", "not_a_slug")
    if language not in FIRST_CATEGORIES:
        raise BadInput("language", "unknown_language")
    if timezone not in available_timezones():
        raise BadInput("timezone", "unknown_timezone")
    name = name.strip()
    if not name:
        raise BadInput("name", "missing")
    taken = select(communities.c.id).where(communities.c.slug == slug)
    if (await conn.execute(taken)).first():
        raise SlugTaken(slug)
    community = Community(now.new_id(), slug, name, "", language, timezone, now.at)
    await conn.execute(
        insert(communities).values(
            id=community.id,
            slug=slug,
            name=name,
            about="",
            language=language,
            timezone=timezone,
            created_at=now.at,
        )
    )
    await store.open_journal(conn, community.id, now.at)
    await store.open_account(conn, community.id, community.commons_id, AccountKind.COMMONS, now.at)
    await agreements.begin(conn, community.id, now=now)
    await own_lists.begin(conn, community.id, language, now=now)
    await formats.begin(conn, community.id, language, now=now)
    await audit.write(
        conn,
        community.id,
        actor=None,
        action="community.created",
        subject_kind="community",
        subject=community.id,
        now=now,
    )
    return community


async def by_slug(conn: AsyncConnection, slug: str) -> Community:
    """The community at this address, or `NotFound`."""
    row = (await conn.execute(select(communities).where(communities.c.slug == slug))).first()
    if row is None:
        raise NotFound("community")
    return Community(**row._mapping)


async def by_id(conn: AsyncConnection, community: UUID) -> Community:
    """The community with this id, or `NotFound`."""
    row = (await conn.execute(select(communities).where(communities.c.id == community))).first()
    if row is None:
        raise NotFound("community")
    return Community(**row._mapping)


async def every(conn: AsyncConnection) -> list[Community]:
    """All communities of this installation, by name."""
    rows = await conn.execute(select(communities).order_by(communities.c.name, communities.c.id))
    return [Community(**row._mapping) for row in rows]


async def all_of(conn: AsyncConnection, person_id: UUID) -> list[tuple[Community, Member]]:
    """The communities of a person with their membership in each, by name; not those they left."""
    from timebank import members  # a member's table refers to the community's

    theirs = await members.all_of_person(conn, person_id)
    rows = await conn.execute(
        select(communities)
        .where(communities.c.id.in_(theirs))
        .order_by(communities.c.name, communities.c.id)
    )
    return [(Community(**row._mapping), theirs[row.id]) for row in rows]


async def categories_of(conn: AsyncConnection, community: UUID) -> list[Category]:
    """The categories in use, in the order the community put them."""
    rows = await conn.execute(
        select(categories.c.id, categories.c.name)
        .where(categories.c.community_id == community, categories.c.retired_at.is_(None))
        .order_by(categories.c.position, categories.c.name)
    )
    return [Category(row.id, row.name) for row in rows]
