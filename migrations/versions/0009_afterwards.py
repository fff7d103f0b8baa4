"""Settlements: how attendance became entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Count, Id, Instant, MinutesType, Words

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("settlement", "settlement_line")


def upgrade() -> None:
    """Make the tables."""
    _settlement()
    _settlement_line()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _settlement() -> None:
    op.create_table(
        "settlement",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("rule", Words, nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_settlement_number")),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_settlement_community_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_settlement_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "made_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_settlement_community_id_made_by"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "gathering_id", "number", name=op.f("pk_settlement")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_settlement_entry", "settlement", ["community_id", "entry_id"], unique=False)


def _settlement_line() -> None:
    op.create_table(
        "settlement_line",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("role_key", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("side", Words, nullable=False),
        sa.Column("minutes", MinutesType, nullable=False),
        sa.CheckConstraint("side IN ('gave', 'received')", name=op.f("ck_settlement_line_side")),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_settlement_line_minutes")),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_settlement_line_community_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id", "number"],
            ["settlement.community_id", "settlement.gathering_id", "settlement.number"],
            name=op.f("fk_settlement_line_community_id_gathering_id_number"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id",
            "gathering_id",
            "number",
            "account_id",
            "role_key",
            name=op.f("pk_settlement_line"),
        ),
        sqlite_strict=True,
    )
