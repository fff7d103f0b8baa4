"""Batches: entries that came in together, from a sheet or a file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Count, Hash, Id, Instant, Words

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = ("batch", "batch_entry")


def upgrade() -> None:
    """Make the tables."""
    _batch()
    _batch_entry()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _batch() -> None:
    op.create_table(
        "batch",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("source", Words, nullable=False),
        sa.Column("label", Words, nullable=False),
        sa.Column("fingerprint", Hash, nullable=True),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "made_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_batch_community_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_batch_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_batch")),
        sqlite_strict=True,
    )
    op.create_index("ix_batch_made", "batch", ["community_id", "made_at"], unique=False)


def _batch_entry() -> None:
    op.create_table(
        "batch_entry",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("batch_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "batch_id"],
            ["batch.community_id", "batch.id"],
            name=op.f("fk_batch_entry_community_id_batch_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_batch_entry_community_id_entry_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "batch_id", "entry_id", name=op.f("pk_batch_entry")
        ),
        sa.UniqueConstraint(
            "community_id", "entry_id", name=op.f("uq_batch_entry_community_id_entry_id")
        ),
        sqlite_strict=True,
    )
