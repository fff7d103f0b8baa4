"""People who can sign in. One person may be a member of several communities.

Members without e-mail have no row here: they are members all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Table

from ledger.sql import metadata
from ledger.sql.types import Count, Hash, Id, Instant, Json, Words

people = Table(
    "person",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", Words, nullable=False, unique=True),  # normalised, lower case
    Column("password_hash", Words),
    Column("language", Words, nullable=False),
    Column("created_at", Instant, nullable=False),
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
