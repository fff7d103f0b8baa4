"""The ledger's three tables. Nothing but `ledger.sql.store` writes them.

`metadata` is shared: the time bank adds its own tables to it, so that they can refer to these.
Every key leads with the community. No index knows balances, lines or times of an account, so that
PostgreSQL can update an account in place.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from ledger.sql.types import Count, Day, Hash, Id, Instant, MinutesType, Words

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

journal = Table(  # the head of each community's journal
    "journal",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("seq", Count, nullable=False),
    Column("hash", Hash, nullable=False),
    Column("posted_at", Instant, nullable=False),
    CheckConstraint("seq >= 0", name="seq"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 50},
)

account = Table(
    "account",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("balance", MinutesType, nullable=False),
    Column("lines", Count, nullable=False),
    Column("floor", MinutesType),  # the hard floor; judged, not checked: it may be tightened
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    ForeignKeyConstraint(["community_id"], ["journal.community_id"]),
    CheckConstraint("kind IN ('member', 'organisation', 'commons', 'clearing')", name="kind"),
    CheckConstraint("lines >= 0", name="lines"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 50},
)

transfer = Table(
    "transfer",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("position", Count, primary_key=True),
    Column("seq", Count, nullable=False),
    Column("source_id", Id, nullable=False),
    Column("destination_id", Id, nullable=False),
    Column("minutes", MinutesType, nullable=False),
    Column("occurred_on", Day, nullable=False),
    Column("posted_at", Instant, nullable=False),
    Column("source_line", Count, nullable=False),
    Column("source_balance", MinutesType, nullable=False),
    Column("destination_line", Count, nullable=False),
    Column("destination_balance", MinutesType, nullable=False),
    Column("reverses_id", Id),
    Column("commitment", Hash, nullable=False),
    Column("previous", Hash, nullable=False),
    Column("hash", Hash, nullable=False),
    ForeignKeyConstraint(["community_id", "source_id"], ["account.community_id", "account.id"]),
    ForeignKeyConstraint(
        ["community_id", "destination_id"], ["account.community_id", "account.id"]
    ),
    UniqueConstraint("community_id", "seq"),
    UniqueConstraint("community_id", "source_id", "source_line"),
    UniqueConstraint("community_id", "destination_id", "destination_line"),
    Index(
        "uq_transfer_reversed_once",
        "community_id",
        "reverses_id",
        unique=True,
        sqlite_where=text("position = 1 AND reverses_id IS NOT NULL"),
        postgresql_where=text("position = 1 AND reverses_id IS NOT NULL"),
    ),
    CheckConstraint("minutes > 0", name="minutes"),
    CheckConstraint("source_id <> destination_id", name="two_accounts"),
    CheckConstraint("seq > 0 AND position > 0", name="counted"),
    CheckConstraint("source_line > 0 AND destination_line > 0", name="lines"),
    CheckConstraint(
        "length(hash) = 32 AND length(previous) = 32 AND length(commitment) = 32", name="hashes"
    ),
    sqlite_strict=True,
)
