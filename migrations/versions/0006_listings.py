"""Offers and requests, and who answered them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Day, Id, Instant, Words

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("listing", "listing_answer", "entry_listing")


def upgrade() -> None:
    """Make the tables."""
    _listing()
    _listing_answer()
    _entry_listing()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _listing() -> None:
    op.create_table(
        "listing",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("title", Words, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("category_id", Id, nullable=True),
        sa.Column("area", Words, nullable=False),
        sa.Column("written_by", Id, nullable=False),
        sa.Column("written_at", Instant, nullable=False),
        sa.Column("until", Day, nullable=False),
        sa.Column("closed_at", Instant, nullable=True),
        sa.CheckConstraint("kind IN ('offer', 'request')", name=op.f("ck_listing_kind")),
        sa.CheckConstraint("title <> ''", name=op.f("ck_listing_titled")),
        sa.ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["category.community_id", "category.id"],
            name=op.f("fk_listing_community_id_category_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_listing_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "written_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_listing_community_id_written_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_listing")),
        sqlite_strict=True,
    )
    op.create_index("ix_listing_member", "listing", ["community_id", "member_id"], unique=False)
    op.create_index(
        "ix_listing_open", "listing", ["community_id", "closed_at", "kind", "until"], unique=False
    )


def _listing_answer() -> None:
    op.create_table(
        "listing_answer",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("listing_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "listing_id"],
            ["listing.community_id", "listing.id"],
            name=op.f("fk_listing_answer_community_id_listing_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_listing_answer_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "listing_id", "member_id", name=op.f("pk_listing_answer")
        ),
        sqlite_strict=True,
    )


def _entry_listing() -> None:
    op.create_table(
        "entry_listing",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("listing_id", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_entry_listing_community_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "listing_id"],
            ["listing.community_id", "listing.id"],
            name=op.f("fk_entry_listing_community_id_listing_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "entry_id", name=op.f("pk_entry_listing")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_entry_listing_listing", "entry_listing", ["community_id", "listing_id"], unique=False
    )
