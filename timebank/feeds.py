"""Calendars that follow: a secret address for what one goes to, and a public page and feed.

Of a secret address only the hash is kept, so it is shown once, when it is made. Making a new one
ends the one before.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table

from ledger.sql import metadata
from ledger.sql.types import Flag, Hash, Id, Instant

feeds = Table(  # one secret address for each member who wants one
    "feed",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("token_hash", Hash, nullable=False),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    Index("ix_feed_token", "community_id", "token_hash"),
    sqlite_strict=True,
)

whats_on = Table(  # whether a community shows its public gatherings to everybody in one place
    "whats_on",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("shown", Flag, nullable=False),
    Column("changed_by", Id, nullable=False),
    Column("changed_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "changed_by"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)
