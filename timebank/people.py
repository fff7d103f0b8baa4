"""People who can sign in. One person may be a member of several communities.

Members without e-mail have no row here: they are members all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Column, ForeignKey, Index, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Hash, Id, Instant, Json, Words
from timebank.errors import BadInput, NotFound
from timebank.moment import Moment

people = Table(
    "person",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", Words, nullable=False, unique=True),  # normalised, lower case
    Column("password_hash", Words),
    Column("language", Words, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_on", Day),  # the last day (UTC) on which they were signed in; no finer than that
    sqlite_strict=True,
)

sessions = Table(
    "session",
    metadata,
    Column("token_hash", Hash, primary_key=True),
    Column("person_id", Id, ForeignKey("person.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("device", Words, nullable=False, server_default=""),
    Index("ix_session_person", "person_id"),
    sqlite_strict=True,
)

tokens = Table(  # links sent by mail or printed: single use, only the hash is kept
    "token",
    metadata,
    Column("token_hash", Hash, primary_key=True),
    Column("purpose", Words, nullable=False),
    Column("person_id", Id, ForeignKey("person.id")),
    Column("community_id", Id, ForeignKey("community.id")),
    Column("facts", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("ix_token_person", "person_id", "purpose"),
    Index("ix_token_community", "community_id", "purpose", "created_at"),
    sqlite_strict=True,
)

throttles = Table(
    "throttle",
    metadata,
    Column("key", Words, primary_key=True),  # hashed: no address stands here in clear
    Column("failures", Count, nullable=False),
    Column("last_at", Instant, nullable=False),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in."""

    id: UUID
    email: str
    language: str
    has_password: bool
    created_at: datetime


def normalise(email: str) -> str:
    """An address as it is kept and compared, or `BadInput`.

    Whether it exists is not asked: that would tell others whom we write to.
    """
    try:
        found = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        raise BadInput("email", "not_an_address") from None
    address: str = found.normalized.lower()
    if len(address) > 254:
        raise BadInput("email", "not_an_address")
    return address


async def by_id(conn: AsyncConnection, person_id: UUID) -> Person:
    """The person, or `NotFound`."""
    row = (await conn.execute(select(people).where(people.c.id == person_id))).first()
    if row is None:
        raise NotFound("person")
    return _person(row)


async def by_email(conn: AsyncConnection, email: str) -> Person | None:
    """Who signs in with this address. For the domain itself; no page may answer this."""
    query = select(people).where(people.c.email == normalise(email))
    row = (await conn.execute(query)).first()
    return _person(row) if row else None


async def create(
    conn: AsyncConnection,
    email: str,
    language: str,
    *,
    password_hash: str | None = None,
    now: Moment,
) -> Person:
    """Somebody new who can sign in. An address that is taken raises `IntegrityError`."""
    person = Person(now.new_id(), normalise(email), language, password_hash is not None, now.at)
    await conn.execute(
        insert(people).values(
            id=person.id,
            email=person.email,
            password_hash=password_hash,
            language=language,
            created_at=now.at,
        )
    )
    return person


async def set_language(conn: AsyncConnection, person_id: UUID, language: str) -> None:
    """The language this person reads pages and mails in."""
    await conn.execute(update(people).where(people.c.id == person_id).values(language=language))


def _person(row: Any) -> Person:
    return Person(row.id, row.email, row.language, row.password_hash is not None, row.created_at)
