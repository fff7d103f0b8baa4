"""What coordinators note about people, checks, guardians, and who keeps apart.

Each community gets the kinds of check and the steps of welcoming that new ones begin with, in its
language. The steps ask about those who come from now on.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Id, Instant, Words
from timebank.moment import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "check_kind",
    "member_check",
    "welcome_step",
    "welcome_tick",
    "member_note",
    "apart",
    "stay",
)

_FIRST: dict[str, dict[str, tuple[str, ...]]] = {  # as they were when this step was written
    "check_kind": {
        "en": ("References", "Safeguarding check"),
        "es": ("Referencias", "Certificado de protección"),
    },
    "welcome_step": {
        "en": (
            "We met, in person or on the telephone",
            "They know how giving and receiving works here",
            "We wrote down something they offer and something they would like",
            "They know somebody else here by name",
        ),
        "es": (
            "Nos conocimos, en persona o por teléfono",
            "Sabe cómo funciona aquí dar y recibir",
            "Apuntamos algo que ofrece y algo que le gustaría",
            "Conoce por su nombre a alguien más de aquí",
        ),
    },
}


def upgrade() -> None:
    """Make the tables, and the lists that go with them."""
    op.add_column("buddy", sa.Column("ended_by", Id))
    op.add_column("buddy", sa.Column("kind", Words, server_default="buddy", nullable=False))
    op.add_column("buddy", sa.Column("contact_agreed_at", Instant))
    op.add_column("member", sa.Column("paused_until", Day))
    op.add_column("person", sa.Column("seen_on", Day))
    _check_kind()
    _member_check()
    _welcome_step()
    _welcome_tick()
    _member_note()
    _apart()
    _stay()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)
    _begin_lists()
    _keep_days()


def downgrade() -> None:
    """Remove them. A guardian becomes a buddy."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_column("person", "seen_on")
    op.drop_column("member", "paused_until")
    for name in ("contact_agreed_at", "kind", "ended_by"):
        op.drop_column("buddy", name)


def _begin_lists() -> None:
    """Each community gets its lists, in its language."""
    conn, now = op.get_bind(), Moment.now()
    communities = sa.table("community", sa.column("id", Id), sa.column("language", Words))
    for community in conn.execute(sa.select(communities)).all():
        for table, first in _FIRST.items():
            columns: dict[str, Any] = {
                "community_id": Id,
                "id": Id,
                "name": Words,
                "position": Count,
            }
            if table == "welcome_step":
                columns["added_at"] = Instant
            target = sa.table(table, *(sa.column(name, kind) for name, kind in columns.items()))
            for position, name in enumerate(first.get(community.language, first["en"])):
                row = {
                    "community_id": community.id,
                    "id": now.new_id(),
                    "name": name,
                    "position": position,
                }
                if table == "welcome_step":
                    row |= {"added_at": now.at}
                conn.execute(sa.insert(target).values(**row))


def _keep_days() -> None:
    """When people were signed in last, as far as their sessions still say so."""
    conn = op.get_bind()
    sessions = sa.table("session", sa.column("person_id", Id), sa.column("seen_at", Instant))
    people = sa.table("person", sa.column("id", Id), sa.column("seen_on", Day))
    latest = sa.select(
        sessions.c.person_id, sa.func.max(sessions.c.seen_at, type_=Instant()).label("seen_at")
    ).group_by(sessions.c.person_id)
    for row in conn.execute(latest).all():
        conn.execute(
            sa.update(people).where(people.c.id == row.person_id).values(seen_on=row.seen_at.date())
        )


def _check_kind() -> None:
    op.create_table(
        "check_kind",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("retired_at", Instant, nullable=True),
        sa.CheckConstraint("name <> ''", name=op.f("ck_check_kind_named")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_check_kind_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_check_kind")),
        sa.UniqueConstraint("community_id", "name", name=op.f("uq_check_kind_community_id_name")),
        sqlite_strict=True,
    )


def _member_check() -> None:
    op.create_table(
        "member_check",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("kind_id", Id, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("checked_on", Day, nullable=False),
        sa.Column("again_on", Day, nullable=True),
        sa.Column("noted_by", Id, nullable=False),
        sa.Column("noted_at", Instant, nullable=False),
        sa.CheckConstraint(
            "status IN ('asked', 'in_order', 'not_in_order')", name=op.f("ck_member_check_status")
        ),
        sa.CheckConstraint(
            "again_on IS NULL OR again_on >= checked_on", name=op.f("ck_member_check_days")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "kind_id"],
            ["check_kind.community_id", "check_kind.id"],
            name=op.f("fk_member_check_community_id_kind_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_member_check_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "noted_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_member_check_community_id_noted_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_member_check")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_member_check_again", "member_check", ["community_id", "again_on"], unique=False
    )
    op.create_index(
        "ix_member_check_member", "member_check", ["community_id", "member_id"], unique=False
    )


def _welcome_step() -> None:
    op.create_table(
        "welcome_step",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("added_at", Instant, nullable=False),
        sa.Column("retired_at", Instant, nullable=True),
        sa.CheckConstraint("name <> ''", name=op.f("ck_welcome_step_named")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_welcome_step_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_welcome_step")),
        sa.UniqueConstraint("community_id", "name", name=op.f("uq_welcome_step_community_id_name")),
        sqlite_strict=True,
    )


def _welcome_tick() -> None:
    op.create_table(
        "welcome_tick",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("step_id", Id, nullable=False),
        sa.Column("ticked_by", Id, nullable=False),
        sa.Column("ticked_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_welcome_tick_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "step_id"],
            ["welcome_step.community_id", "welcome_step.id"],
            name=op.f("fk_welcome_tick_community_id_step_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "ticked_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_welcome_tick_community_id_ticked_by"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "member_id", "step_id", name=op.f("pk_welcome_tick")
        ),
        sqlite_strict=True,
    )


def _member_note() -> None:
    op.create_table(
        "member_note",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("written_by", Id, nullable=False),
        sa.Column("written_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_member_note_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "written_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_member_note_community_id_written_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_member_note")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_member_note_member", "member_note", ["community_id", "member_id"], unique=False
    )
    op.create_index(
        "ix_member_note_writer", "member_note", ["community_id", "written_by"], unique=False
    )


def _apart() -> None:
    op.create_table(
        "apart",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("one_id", Id, nullable=False),
        sa.Column("other_id", Id, nullable=False),
        sa.Column("asked_by", Id, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("until", Instant, nullable=True),
        sa.Column("ended_by", Id, nullable=True),
        sa.CheckConstraint("one_id <> other_id", name=op.f("ck_apart_two")),
        sa.ForeignKeyConstraint(
            ["community_id", "asked_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_apart_community_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "ended_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_apart_community_id_ended_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "one_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_apart_community_id_one_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "other_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_apart_community_id_other_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_apart")),
        sqlite_strict=True,
    )
    op.create_index("ix_apart_other", "apart", ["community_id", "other_id"], unique=False)
    op.create_index(
        "uq_apart_now",
        "apart",
        ["community_id", "one_id", "other_id"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )


def _stay() -> None:
    op.create_table(
        "stay",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("found_at", Instant, nullable=False),
        sa.Column("asked_at", Instant, nullable=True),
        sa.Column("asked_by", Id, nullable=True),
        sa.Column("reminded_at", Instant, nullable=True),
        sa.Column("answer", Words, nullable=True),
        sa.Column("answered_at", Instant, nullable=True),
        sa.Column("noted_by", Id, nullable=True),
        sa.CheckConstraint("answer IN ('stays', 'goes', 'sign')", name=op.f("ck_stay_answer")),
        sa.ForeignKeyConstraint(
            ["community_id", "asked_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_stay_community_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_stay_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "noted_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_stay_community_id_noted_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_stay")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_stay_open", "stay", ["community_id", "answered_at", "asked_at"], unique=False
    )
    op.create_index(
        "uq_stay_open",
        "stay",
        ["community_id", "member_id"],
        unique=True,
        sqlite_where=sa.text("answered_at IS NULL"),
        postgresql_where=sa.text("answered_at IS NULL"),
    )
