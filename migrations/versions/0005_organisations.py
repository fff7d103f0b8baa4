"""Sectors, organisations, and who belongs to which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Id, Instant, Words

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("sector", "organisation", "affiliation")


def upgrade() -> None:
    """Make the tables."""
    _sector()
    _organisation()
    _affiliation()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _sector() -> None:
    op.create_table(
        "sector",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("retired_at", Instant, nullable=True),
        sa.CheckConstraint("name <> ''", name=op.f("ck_sector_named")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_sector_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_sector")),
        sa.UniqueConstraint("community_id", "name", name=op.f("uq_sector_community_id_name")),
        sqlite_strict=True,
    )


def _organisation() -> None:
    op.create_table(
        "organisation",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("sector_id", Id, nullable=True),
        sa.Column("contact", Words, server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_organisation_community_id_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "sector_id"],
            ["sector.community_id", "sector.id"],
            name=op.f("fk_organisation_community_id_sector_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_organisation")),
        sqlite_strict=True,
    )


def _affiliation() -> None:
    op.create_table(
        "affiliation",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("role", Words, nullable=False),
        sa.Column("since", Day, nullable=False),
        sa.Column("until", Day, nullable=True),
        sa.Column("added_by", Id, nullable=False),
        sa.Column("added_at", Instant, nullable=False),
        sa.CheckConstraint("until IS NULL OR until >= since", name=op.f("ck_affiliation_dates")),
        sa.ForeignKeyConstraint(
            ["community_id", "added_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_affiliation_community_id_added_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_affiliation_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_affiliation_community_id_organisation_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_affiliation")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_affiliation_member", "affiliation", ["community_id", "member_id"], unique=False
    )
    op.create_index(
        "ix_affiliation_organisation",
        "affiliation",
        ["community_id", "organisation_id"],
        unique=False,
    )
