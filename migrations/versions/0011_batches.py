"""Batches: entries that came in together, from a sheet or a file; and the files themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Hash, Id, Instant, Json, Words

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = (
    "batch",
    "batch_entry",
    "import",
    "import_row",
    "import_made",
    "import_columns",
    "member_number",
)


def upgrade() -> None:
    """Make the tables."""
    _batch()
    _batch_entry()
    _import()
    _import_row()
    _import_made()
    _import_columns()
    _member_number()
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


def _import() -> None:
    op.create_table(
        "import",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("fingerprint", Hash, nullable=False),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("stage", Words, nullable=False),
        sa.Column("touched_at", Instant, nullable=False),
        sa.Column("turn", Count, nullable=False),
        sa.Column("rows", Count, nullable=False),
        sa.Column("done", Count, nullable=False),
        sa.Column("found", Json, nullable=False),
        sa.Column("what", Words, nullable=True),
        sa.Column("settings", Json, nullable=False),
        sa.Column("outcome", Json, nullable=False),
        sa.Column("batch_id", Id, nullable=True),
        sa.CheckConstraint(
            "stage IN ('reading', 'refused', 'matching', 'checking', 'checked', 'running', 'done', "
            "'undoing', 'undone')",
            name=op.f("ck_import_stage"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "batch_id"],
            ["batch.community_id", "batch.id"],
            name=op.f("fk_import_community_id_batch_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "made_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_import_community_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_import_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_import")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_import_fingerprint", "import", ["community_id", "fingerprint"], unique=False
    )
    op.create_index("ix_import_made", "import", ["community_id", "made_at"], unique=False)


def _import_row() -> None:
    op.create_table(
        "import_row",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("import_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("cells", Json, nullable=False),
        sa.Column("verdict", Words, nullable=True),
        sa.Column("says", Json, nullable=False),
        sa.Column("day", Day, nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "import_id"],
            ["import.community_id", "import.id"],
            name=op.f("fk_import_row_community_id_import_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "import_id", "number", name=op.f("pk_import_row")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_import_row_day",
        "import_row",
        ["community_id", "import_id", "day", "number"],
        unique=False,
    )
    op.create_index(
        "ix_import_row_verdict",
        "import_row",
        ["community_id", "import_id", "verdict", "number"],
        unique=False,
    )


def _import_made() -> None:
    op.create_table(
        "import_made",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("import_id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("thing_id", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "import_id"],
            ["import.community_id", "import.id"],
            name=op.f("fk_import_made_community_id_import_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "import_id", "kind", "thing_id", name=op.f("pk_import_made")
        ),
        sqlite_strict=True,
    )


def _import_columns() -> None:
    op.create_table(
        "import_columns",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("headings", Hash, nullable=False),
        sa.Column("what", Words, nullable=False),
        sa.Column("settings", Json, nullable=False),
        sa.Column("used_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_import_columns_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "headings", name=op.f("pk_import_columns")),
        sqlite_strict=True,
    )


def _member_number() -> None:
    op.create_table(
        "member_number",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("number", Words, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_member_number_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "number", name=op.f("pk_member_number")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_member_number_member", "member_number", ["community_id", "member_id"], unique=False
    )
