"""Settlements and all around them: ticks, the door, workshop accounts, what is left afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql import guards
from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Flag, Id, Instant, MinutesType, Words

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = (
    "settlement",
    "settlement_line",
    "settlement_witness",
    "tick",
    "attendance_step",
    "door",
    "workshop",
    "story",
    "gathering_note",
    "gathering_action",
)


def upgrade() -> None:
    """Make the tables, guard those that are never edited, and let parts take something back."""
    dialect = op.get_bind().dialect.name
    _settlement()
    _settlement_line()
    _settlement_witness()
    _tick()
    _attendance_step()
    _door()
    _workshop()
    _story()
    _gathering_note()
    _gathering_action()
    for table in _TABLES:
        for statement in new_table(table, dialect=dialect):
            op.execute(statement)
    for statement in _guards(dialect):
        op.execute(statement)
    op.add_column("part", sa.Column("back", MinutesType, nullable=False, server_default="0"))
    op.add_column("part", sa.Column("must_agree", Flag, nullable=False, server_default="0"))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("part", "must_agree")
    op.drop_column("part", "back")
    for table in reversed(_TABLES):
        op.drop_table(table)


def _guards(dialect: str) -> list[str]:
    gathering = ("community_id", "gathering_id", "number")
    return [
        *guards.append_only(
            "settlement",
            (gathering,),
            dialect=dialect,
            frozen=(*gathering, "entry_id", "corrects", "rule", "made_by", "made_at"),
        ),
        *guards.append_only(
            "settlement_line", ((*gathering, "account_id", "role_key"),), dialect=dialect
        ),
        *guards.append_only(
            "settlement_witness", (("community_id", "entry_id", "member_id"),), dialect=dialect
        ),
        *guards.append_only("tick", (("community_id", "id"),), dialect=dialect),
        *guards.append_only(
            "attendance_step",
            (gathering,),
            dialect=dialect,
            frozen=(*gathering, "kind", "member_id", "at"),
        ),
        _only_erased(dialect, "settlement", "reason"),
        _only_erased(dialect, "attendance_step", "words"),
    ]


def _only_erased(dialect: str, table: str, column: str) -> str:
    """Words can be emptied with the person who wrote them, not rewritten."""
    head = f"CREATE TRIGGER {table}_erased BEFORE UPDATE OF {column} ON {table} FOR EACH ROW"
    rewritten = f"WHEN (NEW.{column} <> '')"
    if dialect == "postgresql":
        return f"{head} {rewritten} EXECUTE FUNCTION refuse_change()"
    refusal = f"{table} is kept as it was written: UPDATE refused"
    return f"{head} {rewritten} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"


def _settlement() -> None:
    op.create_table(
        "settlement",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("corrects", Count, nullable=True),
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


def _settlement_witness() -> None:
    op.create_table(
        "settlement_witness",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_settlement_witness_community_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_settlement_witness_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "entry_id", "member_id", name=op.f("pk_settlement_witness")
        ),
        sqlite_strict=True,
    )


def _tick() -> None:
    op.create_table(
        "tick",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("seat_id", Id, nullable=False),
        sa.Column("present", MinutesType, nullable=True),
        sa.Column("how", Words, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("member_id", Id, nullable=True),
        sa.CheckConstraint("present >= 0", name=op.f("ck_tick_present")),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_tick_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_tick_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_tick")),
        sqlite_strict=True,
    )
    op.create_index("ix_tick_arrived", "tick", ["community_id", "gathering_id", "at"], unique=False)
    op.create_index("ix_tick_member", "tick", ["community_id", "member_id"], unique=False)
    op.create_index("ix_tick_seat", "tick", ["community_id", "seat_id", "made_at"], unique=False)


def _attendance_step() -> None:
    op.create_table(
        "attendance_step",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.CheckConstraint("kind IN ('closed', 'opened')", name=op.f("ck_attendance_step_kind")),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_attendance_step_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_attendance_step_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "gathering_id", "number", name=op.f("pk_attendance_step")
        ),
        sqlite_strict=True,
    )


def _door() -> None:
    op.create_table(
        "door",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("token", Words, nullable=False),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_door_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "made_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_door_community_id_made_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "gathering_id", name=op.f("pk_door")),
        sqlite_strict=True,
    )
    op.create_index("ix_door_token", "door", ["token"], unique=False)


def _workshop() -> None:
    op.create_table(
        "workshop",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("series_id", Id, nullable=True),
        sa.Column("gathering_id", Id, nullable=True),
        sa.Column("made_at", Instant, nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_workshop_named")),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_workshop_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_workshop_community_id_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "series_id"],
            ["series.community_id", "series.id"],
            name=op.f("fk_workshop_community_id_series_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_workshop")),
        sa.UniqueConstraint(
            "community_id", "gathering_id", name=op.f("uq_workshop_community_id_gathering_id")
        ),
        sa.UniqueConstraint(
            "community_id", "series_id", name=op.f("uq_workshop_community_id_series_id")
        ),
        sqlite_strict=True,
    )


def _story() -> None:
    op.create_table(
        "story",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("seat_id", Id, nullable=False),
        sa.Column("useful", Words, nullable=False),
        sa.Column("might", Words, nullable=False),
        sa.Column("in_memory", Flag, nullable=False),
        sa.Column("in_reports", Flag, nullable=False),
        sa.Column("named", Flag, nullable=False),
        sa.Column("written_by", Id, nullable=False),
        sa.Column("written_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_story_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "seat_id"],
            ["seat.community_id", "seat.id"],
            name=op.f("fk_story_community_id_seat_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "written_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_story_community_id_written_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "gathering_id", "seat_id", name=op.f("pk_story")),
        sqlite_strict=True,
    )
    op.create_index("ix_story_when", "story", ["community_id", "written_at"], unique=False)


def _gathering_note() -> None:
    op.create_table(
        "gathering_note",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("written_by", Id, nullable=False),
        sa.Column("written_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.CheckConstraint("words <> ''", name=op.f("ck_gathering_note_words")),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_gathering_note_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "written_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_gathering_note_community_id_written_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_gathering_note")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_gathering_note",
        "gathering_note",
        ["community_id", "gathering_id", "written_at"],
        unique=False,
    )


def _gathering_action() -> None:
    op.create_table(
        "gathering_action",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("member_id", Id, nullable=True),
        sa.Column("until", Day, nullable=True),
        sa.Column("added_by", Id, nullable=False),
        sa.Column("added_at", Instant, nullable=False),
        sa.Column("done_by", Id, nullable=True),
        sa.Column("done_at", Instant, nullable=True),
        sa.CheckConstraint("words <> ''", name=op.f("ck_gathering_action_words")),
        sa.ForeignKeyConstraint(
            ["community_id", "added_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_gathering_action_community_id_added_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "done_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_gathering_action_community_id_done_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_gathering_action_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_gathering_action_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_gathering_action")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_gathering_action",
        "gathering_action",
        ["community_id", "gathering_id", "added_at"],
        unique=False,
    )
    op.create_index(
        "ix_gathering_action_member",
        "gathering_action",
        ["community_id", "member_id"],
        unique=False,
    )
