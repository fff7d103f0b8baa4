"""Closed months and their reports, and the day for which each entry is reported."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql import guards
from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Hash, Id, Instant, Words

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("month", "closing", "month_step")

# What a step tells stays; its words can be erased with the person who wrote them.
_STEP_FACTS = ("community_id", "month_id", "number", "kind", "member_id", "at", "seq")


def upgrade() -> None:
    """Make the tables. No month is closed yet, so every posted entry counts on its own day."""
    _month()
    _closing()
    _month_step()
    dialect = op.get_bind().dialect.name
    for table in _TABLES:
        for statement in new_table(table, dialect=dialect):
            op.execute(statement)
    for statement in _guards(dialect):
        op.execute(statement)
    op.add_column("entry", sa.Column("counted_on", Day, nullable=True))
    op.execute(_COUNT)
    op.create_index("ix_entry_counted", "entry", ["community_id", "counted_on", "id"])


def downgrade() -> None:
    """Months are open again, and their reports are lost."""
    op.drop_index("ix_entry_counted", "entry")
    op.drop_column("entry", "counted_on")
    for table in reversed(_TABLES):
        op.drop_table(table)


# What undoes an entry counts when that entry does, so that the two cancel out.
_COUNT = """
    UPDATE entry SET counted_on = COALESCE(
        (SELECT undone.occurred_on FROM entry AS undone
            WHERE undone.community_id = entry.community_id AND undone.id = entry.reverses_id),
        occurred_on
    ) WHERE posted_at IS NOT NULL
"""


def _guards(dialect: str) -> list[str]:
    return [
        *guards.append_only("closing", (("community_id", "month_id", "number"),), dialect=dialect),
        *guards.append_only(
            "month_step",
            (("community_id", "month_id", "number"),),
            dialect=dialect,
            frozen=_STEP_FACTS,
        ),
        guards.only_erased("month_step", "words", dialect=dialect),
        *guards.undeletable(
            "month", (("community_id", "id"), ("community_id", "first_day")), dialect=dialect
        ),
    ]


def _month() -> None:
    op.create_table(
        "month",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("first_day", Day, nullable=False),
        sa.Column("state", Words, nullable=False),
        sa.Column("closings", Count, nullable=False),
        sa.Column("due_at", Instant, nullable=True),
        sa.Column("touched_at", Instant, nullable=False),
        sa.Column("asked_by", Id, nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed', 'reopening')", name=op.f("ck_month_state")),
        sa.ForeignKeyConstraint(
            ["community_id", "asked_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_month_community_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_month_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_month")),
        sa.UniqueConstraint(
            "community_id", "first_day", name=op.f("uq_month_community_id_first_day")
        ),
        sqlite_strict=True,
    )


def _closing() -> None:
    op.create_table(
        "closing",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("month_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("closed_by", Id, nullable=False),
        sa.Column("closed_at", Instant, nullable=False),
        sa.Column("seq", Count, nullable=False),
        sa.Column("hash", Hash, nullable=False),
        sa.Column("report", Words, nullable=False),
        sa.Column("digest", Hash, nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_closing_number")),
        sa.ForeignKeyConstraint(
            ["community_id", "closed_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_closing_community_id_closed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "month_id"],
            ["month.community_id", "month.id"],
            name=op.f("fk_closing_community_id_month_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "month_id", "number", name=op.f("pk_closing")),
        sqlite_strict=True,
    )


def _month_step() -> None:
    op.create_table(
        "month_step",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("month_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("member_id", Id, nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("seq", Count, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_month_step_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "month_id"],
            ["month.community_id", "month.id"],
            name=op.f("fk_month_step_community_id_month_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "month_id", "number", name=op.f("pk_month_step")),
        sqlite_strict=True,
    )
