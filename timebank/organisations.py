"""Organisations: what is known of a member that is one, besides what every member has."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Table

from ledger.sql import metadata
from ledger.sql.types import Id, Words

organisations = Table(
    "organisation",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),  # the member's
    Column("sector_id", Id),
    Column("contact", Words, nullable=False, server_default=""),  # who to ask for, and how
    ForeignKeyConstraint(["community_id", "id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "sector_id"], ["sector.community_id", "sector.id"]),
    sqlite_strict=True,
)
