"""Listings: what people offer, and what they ask for."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table

from ledger.sql import metadata
from ledger.sql.types import Day, Id, Instant, Words


class ListingKind(StrEnum):
    """Which way the help would go."""

    OFFER = "offer"
    REQUEST = "request"


listings = Table(
    "listing",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("kind", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("words", Words, nullable=False),
    Column("category_id", Id),
    Column("area", Words, nullable=False),
    Column("written_by", Id, nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("until", Day, nullable=False),  # the last day it is shown
    Column("closed_at", Instant),  # found somebody, or not wanted any more
    ForeignKeyConstraint(["community_id", "category_id"], ["category.community_id", "category.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    CheckConstraint("kind IN ('offer', 'request')", name="kind"),
    CheckConstraint("title <> ''", name="titled"),
    Index("ix_listing_open", "community_id", "closed_at", "kind", "until"),
    Index("ix_listing_member", "community_id", "member_id"),
    sqlite_strict=True,
)

answers = Table(  # who said: I can help, or: I would like that
    "listing_answer",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("listing_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("words", Words, nullable=False),
    Column("at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "listing_id"], ["listing.community_id", "listing.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)

entry_listings = Table(  # which offer or request an entry came from
    "entry_listing",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("listing_id", Id, nullable=False),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "listing_id"], ["listing.community_id", "listing.id"]),
    Index("ix_entry_listing_listing", "community_id", "listing_id"),
    sqlite_strict=True,
)
