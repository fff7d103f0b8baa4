"""Proposals to change the agreement, who agrees, and the days on which it is looked at again.

And an index of the names at doors that somebody has to confirm.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql import guards
from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Flag, Id, Instant, Json, Words

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = ("proposal", "proposal_voice", "proposal_step", "review")

# What a step tells stays; its words can be erased with the person who wrote them.
_STEP_FACTS = ("community_id", "proposal_id", "number", "kind", "member_id", "at")


def upgrade() -> None:
    """Make the tables."""
    _proposal()
    _proposal_voice()
    _proposal_step()
    _review()
    dialect = op.get_bind().dialect.name
    for table in _TABLES:
        for statement in new_table(table, dialect=dialect):
            op.execute(statement)
    for statement in _guards(dialect):
        op.execute(statement)
    op.create_index(  # few are: an index of those alone is read at once
        "ix_seat_to_confirm",
        "seat",
        ["community_id", "gathering_id"],
        sqlite_where=sa.text("to_confirm = 1"),
        postgresql_where=sa.text("to_confirm"),
    )


def downgrade() -> None:
    """Remove them; what became a version of the agreement stays one."""
    op.drop_index("ix_seat_to_confirm", "seat")
    for table in reversed(_TABLES):
        op.drop_table(table)


def _guards(dialect: str) -> list[str]:
    return [
        *guards.undeletable("proposal", (("community_id", "id"),), dialect=dialect),
        *guards.append_only(
            "proposal_step",
            (("community_id", "proposal_id", "number"),),
            dialect=dialect,
            frozen=_STEP_FACTS,
        ),
        guards.only_erased("proposal_step", "words", dialect=dialect),
        *guards.append_only(
            "review",
            (("community_id", "id"), ("community_id", "version")),
            dialect=dialect,
        ),
    ]


def _proposal() -> None:
    op.create_table(
        "proposal",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("base_version", Count, nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("proposed_by", Id, nullable=False),
        sa.Column("on_behalf_of", Id, nullable=True),
        sa.Column("proposed_at", Instant, nullable=False),
        sa.Column("touched_at", Instant, nullable=False),
        sa.Column("open_until", Day, nullable=False),
        sa.Column("effective_on", Day, nullable=True),
        sa.Column("state", Words, nullable=False),
        sa.Column("settled_by", Id, nullable=True),
        sa.Column("version", Count, nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'settled', 'in_force', 'withdrawn', 'declined', 'expired')",
            name=op.f("ck_proposal_state"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "base_version"],
            ["agreement.community_id", "agreement.version"],
            name=op.f("fk_proposal_community_id_base_version"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "on_behalf_of"],
            ["member.community_id", "member.id"],
            name=op.f("fk_proposal_community_id_on_behalf_of"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "proposed_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_proposal_community_id_proposed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "settled_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_proposal_community_id_settled_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "version"],
            ["agreement.community_id", "agreement.version"],
            name=op.f("fk_proposal_community_id_version"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_proposal")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_proposal_state", "proposal", ["community_id", "state", "touched_at"], unique=False
    )


def _proposal_voice() -> None:
    op.create_table(
        "proposal_voice",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("proposal_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("asked", Flag, nullable=False),
        sa.Column("stance", Words, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("said_by", Id, nullable=True),
        sa.Column("said_at", Instant, nullable=True),
        sa.CheckConstraint(
            "stance IN ('', 'agree', 'concern', 'aside')", name=op.f("ck_proposal_voice_stance")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_proposal_voice_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "proposal_id"],
            ["proposal.community_id", "proposal.id"],
            name=op.f("fk_proposal_voice_community_id_proposal_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "said_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_proposal_voice_community_id_said_by"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "proposal_id", "member_id", name=op.f("pk_proposal_voice")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_proposal_voice_member",
        "proposal_voice",
        ["community_id", "member_id", "proposal_id"],
        unique=False,
    )


def _proposal_step() -> None:
    op.create_table(
        "proposal_step",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("proposal_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("member_id", Id, nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_proposal_step_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "proposal_id"],
            ["proposal.community_id", "proposal.id"],
            name=op.f("fk_proposal_step_community_id_proposal_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "proposal_id", "number", name=op.f("pk_proposal_step")
        ),
        sqlite_strict=True,
    )


def _review() -> None:
    op.create_table(
        "review",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("version", Count, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "version"],
            ["agreement.community_id", "agreement.version"],
            name=op.f("fk_review_community_id_version"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_review")),
        sa.UniqueConstraint("community_id", "version", name=op.f("uq_review_community_id_version")),
        sqlite_strict=True,
    )
