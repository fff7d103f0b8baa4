"""Settlements: how a gathering's attendance became transfers, line by line.

A gathering has one settlement, and one more for each correction, which posts the difference only.
Each is one entry; its lines say for what everybody's minutes are. What stands is the newest one
whose entry is approved: one that was undone, or never posted, does not count. Reading them is in
`timebank.settled`.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table

from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, MinutesType, Words

settlements = Table(
    "settlement",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),  # 1, and a higher one for each correction
    Column("entry_id", Id, nullable=False),
    Column("corrects", Count),  # the number it builds on; NULL: it settles the whole
    Column("rule", Words, nullable=False),
    Column("reason", Words, nullable=False),  # of a correction
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    CheckConstraint("number > 0", name="number"),
    Index("ix_settlement_entry", "community_id", "entry_id"),
    sqlite_strict=True,
)

settlement_lines = Table(  # what it all comes to after this number, not the difference
    "settlement_line",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("role_key", Words, primary_key=True),  # "" for what an account gives or is left with
    Column("kind", Words, nullable=False),  # what the minutes count as: `timebank.entry.Kind`
    Column("side", Words, nullable=False),
    Column("minutes", MinutesType, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id", "number"],
        ["settlement.community_id", "settlement.gathering_id", "settlement.number"],
    ),
    ForeignKeyConstraint(["community_id", "account_id"], ["account.community_id", "account.id"]),
    CheckConstraint("side IN ('gave', 'received')", name="side"),
    CheckConstraint("minutes > 0", name="minutes"),
    sqlite_strict=True,
)

witnesses = Table(  # who was there and says that the table is right
    "settlement_witness",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)
