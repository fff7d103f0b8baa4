"""The ledger: a journal's head, accounts and transfers, and what guards them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql import guards
from ledger.sql.types import Count, Day, Hash, Id, Instant, MinutesType, Words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the three tables and the triggers that keep them."""
    _journal()
    _account()
    _transfer()
    for statement in guards.install(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Remove the books, with all that is in them."""
    for table in ("transfer", "account", "journal"):
        op.drop_table(table)
    for statement in guards.uninstall(op.get_bind().dialect.name):
        op.execute(statement)


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("seq", Count, nullable=False),
        sa.Column("hash", Hash, nullable=False),
        sa.Column("posted_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_journal")),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_journal_seq")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_journal_hash")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _account() -> None:
    op.create_table(
        "account",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("balance", MinutesType, nullable=False),
        sa.Column("lines", Count, nullable=False),
        sa.Column("floor", MinutesType),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("closed_at", Instant),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_account")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["journal.community_id"], name=op.f("fk_account_community_id")
        ),
        sa.CheckConstraint(
            "kind IN ('member', 'organisation', 'commons', 'clearing')",
            name=op.f("ck_account_kind"),
        ),
        sa.CheckConstraint("lines >= 0", name=op.f("ck_account_lines")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("seq", Count, nullable=False),
        sa.Column("source_id", Id, nullable=False),
        sa.Column("destination_id", Id, nullable=False),
        sa.Column("minutes", MinutesType, nullable=False),
        sa.Column("occurred_on", Day, nullable=False),
        sa.Column("posted_at", Instant, nullable=False),
        sa.Column("source_line", Count, nullable=False),
        sa.Column("source_balance", MinutesType, nullable=False),
        sa.Column("destination_line", Count, nullable=False),
        sa.Column("destination_balance", MinutesType, nullable=False),
        sa.Column("reverses_id", Id),
        sa.Column("commitment", Hash, nullable=False),
        sa.Column("previous", Hash, nullable=False),
        sa.Column("hash", Hash, nullable=False),
        sa.PrimaryKeyConstraint("community_id", "entry_id", "position", name=op.f("pk_transfer")),
        sa.ForeignKeyConstraint(
            ["community_id", "source_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_transfer_community_id_source_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "destination_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_transfer_community_id_destination_id"),
        ),
        sa.UniqueConstraint("community_id", "seq", name=op.f("uq_transfer_community_id_seq")),
        sa.UniqueConstraint(
            "community_id",
            "source_id",
            "source_line",
            name=op.f("uq_transfer_community_id_source_id_source_line"),
        ),
        sa.UniqueConstraint(
            "community_id",
            "destination_id",
            "destination_line",
            name=op.f("uq_transfer_community_id_destination_id_destination_line"),
        ),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_transfer_minutes")),
        sa.CheckConstraint("source_id <> destination_id", name=op.f("ck_transfer_two_accounts")),
        sa.CheckConstraint("seq > 0 AND position > 0", name=op.f("ck_transfer_counted")),
        sa.CheckConstraint(
            "source_line > 0 AND destination_line > 0", name=op.f("ck_transfer_lines")
        ),
        sa.CheckConstraint(
            "length(hash) = 32 AND length(previous) = 32 AND length(commitment) = 32",
            name=op.f("ck_transfer_hashes"),
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_transfer_reversed_once",
        "transfer",
        ["community_id", "reverses_id"],
        unique=True,
        sqlite_where=sa.text("position = 1 AND reverses_id IS NOT NULL"),
        postgresql_where=sa.text("position = 1 AND reverses_id IS NOT NULL"),
    )
