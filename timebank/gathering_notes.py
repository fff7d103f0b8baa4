"""Notes of a gathering: what was said and found, kept for those who were there."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table

from ledger.sql import metadata
from ledger.sql.types import Id, Instant, Words

notes = Table(
    "gathering_note",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("gathering_id", Id, nullable=False),
    Column("words", Words, nullable=False),
    Column("written_by", Id, nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    CheckConstraint("words <> ''", name="words"),
    Index("ix_gathering_note", "community_id", "gathering_id", "written_at"),
    sqlite_strict=True,
)
