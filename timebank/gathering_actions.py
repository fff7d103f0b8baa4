"""Actions: what somebody took on at a gathering, until when, and whether it is done."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table

from ledger.sql import metadata
from ledger.sql.types import Day, Id, Instant, Words

actions = Table(
    "gathering_action",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("gathering_id", Id, nullable=False),
    Column("words", Words, nullable=False),  # what
    Column("member_id", Id),  # who; NULL: all of us
    Column("until", Day),
    Column("added_by", Id, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("done_by", Id),
    Column("done_at", Instant),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "added_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "done_by"], ["member.community_id", "member.id"]),
    CheckConstraint("words <> ''", name="words"),
    Index("ix_gathering_action", "community_id", "gathering_id", "added_at"),
    Index("ix_gathering_action_member", "community_id", "member_id"),
    sqlite_strict=True,
)
