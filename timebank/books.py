"""Our books: all accounts, the total that is zero, the last verification and the chain's head."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Table

from ledger.sql import metadata
from ledger.sql.types import Count, Flag, Hash, Id, Instant, Words

verifications = Table(
    "verification",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("seq", Count, nullable=False),
    Column("hash", Hash, nullable=False),
    Column("sound", Flag, nullable=False),
    Column("finding", Words, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    sqlite_strict=True,
)
