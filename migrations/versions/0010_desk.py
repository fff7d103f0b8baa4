"""The desk: who took what, what was put aside and done, corrections, limits, what looks odd."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from ledger.sql import guards
from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Id, Instant, MinutesType, Words

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = (
    "past_limit",
    "oddity",
    "correction",
    "in_hand",
    "put_aside",
    "deed",
    "deed_item",
    "morning_mail",
)

_LATEST_DAY = """
    SELECT max(entry.occurred_on) FROM part
    JOIN entry ON entry.community_id = part.community_id AND entry.id = part.entry_id
    WHERE part.community_id = tally.community_id AND part.account_id = tally.account_id
        AND entry.state IN ('approved', 'reversed') AND entry.reverses_id IS NULL
        AND entry.kind NOT IN ('grant', 'donation')
"""
_MIDNIGHT = {
    "sqlite": f"CAST(strftime('%s', ({_LATEST_DAY})) AS INTEGER) * 1000000",
    "postgresql": f"({_LATEST_DAY})::timestamp AT TIME ZONE 'UTC'",
}
_PAST = """
    SELECT account.community_id, account.id, account.balance, agreement.soft_floor,
        agreement.soft_ceiling
    FROM account
    JOIN member ON member.community_id = account.community_id AND member.id = account.id
    JOIN agreement ON agreement.community_id = account.community_id
    WHERE agreement.version = (
        SELECT max(version) FROM agreement AS newest
        WHERE newest.community_id = account.community_id
    ) AND (account.balance < agreement.soft_floor OR account.balance > agreement.soft_ceiling)
"""
_LINES = """
    SELECT posted_at, balance FROM (
        SELECT posted_at, source_line AS line, source_balance AS balance FROM transfer
        WHERE community_id = :community AND source_id = :account
        UNION ALL
        SELECT posted_at, destination_line, destination_balance FROM transfer
        WHERE community_id = :community AND destination_id = :account
    ) AS lines
    ORDER BY line DESC
"""


def upgrade() -> None:
    """Make the tables, and note what they would hold if they had always been there."""
    dialect = op.get_bind().dialect.name
    _past_limit()
    _oddity()
    _correction()
    _in_hand()
    _put_aside()
    _deed()
    _deed_item()
    _morning_mail()
    for table in _TABLES:
        for statement in new_table(table, dialect=dialect):
            op.execute(statement)
    keys = (("community_id", "entry_id"), ("community_id", "corrected_id"))
    for statement in guards.append_only("correction", keys, dialect=dialect):
        op.execute(statement)
    op.drop_index("ix_entry_contested", "entry")  # few are: an index of those alone is read at once
    op.create_index(
        "ix_entry_contested",
        "entry",
        ["community_id", "recorded_at"],
        sqlite_where=sa.text("contested = 1"),
        postgresql_where=sa.text("contested"),
    )
    op.create_index("ix_member_role", "member", ["community_id", "role", "status"])
    op.create_index("ix_entry_day", "entry", ["community_id", "occurred_on", "minutes"])
    op.add_column("tally", sa.Column("latest_at", Instant))
    op.execute(f"UPDATE tally SET latest_at = {_MIDNIGHT[dialect]}")  # noqa: S608 - constants
    _note_who_is_past_a_limit(op.get_bind())


def downgrade() -> None:
    """Remove them."""
    op.drop_column("tally", "latest_at")
    op.drop_index("ix_entry_day", "entry")
    op.drop_index("ix_member_role", "member")
    op.drop_index("ix_entry_contested", "entry")
    op.create_index("ix_entry_contested", "entry", ["community_id", "contested", "recorded_at"])
    for table in reversed(_TABLES):
        op.drop_table(table)


def _note_who_is_past_a_limit(conn: sa.Connection) -> None:
    """Since the line that took them there: all later ones left them past it as well."""
    rows = conn.execute(sa.text(_PAST)).all()
    for community, account, balance, floor, ceiling in rows:
        asked = {"community": community, "account": account}
        since: Any = None
        for posted_at, left in conn.execute(sa.text(_LINES), asked).all():
            if left >= floor and (ceiling is None or left <= ceiling):
                break
            since = posted_at
        if since is not None:
            conn.execute(
                sa.text("INSERT INTO past_limit VALUES (:community, :account, :beyond, :since)"),
                asked | {"beyond": "below" if balance < floor else "above", "since": since},
            )


def _past_limit() -> None:
    op.create_table(
        "past_limit",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("beyond", Words, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.CheckConstraint("beyond IN ('below', 'above')", name=op.f("ck_past_limit_beyond")),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_past_limit_community_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "account_id", name=op.f("pk_past_limit")),
        sqlite_strict=True,
    )


def _oddity() -> None:
    op.create_table(
        "oddity",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("what", Words, nullable=False),
        sa.Column("other_id", Id, nullable=True),
        sa.Column("account_id", Id, nullable=True),
        sa.Column("usual", MinutesType, nullable=True),
        sa.CheckConstraint(
            "what IN ('twice', 'much', 'long', 'late')", name=op.f("ck_oddity_what")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_oddity_community_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_oddity_community_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "other_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_oddity_community_id_other_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "entry_id", "what", name=op.f("pk_oddity")),
        sqlite_strict=True,
    )
    op.create_index("ix_oddity_other", "oddity", ["community_id", "other_id"], unique=False)


def _correction() -> None:
    op.create_table(
        "correction",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("corrected_id", Id, nullable=False),
        sa.Column("reversal_id", Id, nullable=True),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "corrected_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_correction_community_id_corrected_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_correction_community_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "made_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_correction_community_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "reversal_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_correction_community_id_reversal_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "entry_id", name=op.f("pk_correction")),
        sa.UniqueConstraint(
            "community_id", "corrected_id", name=op.f("uq_correction_community_id_corrected_id")
        ),
        sqlite_strict=True,
    )


def _in_hand() -> None:
    op.create_table(
        "in_hand",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("why", Words, nullable=False),
        sa.Column("thing_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_in_hand_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "why", "thing_id", name=op.f("pk_in_hand")),
        sqlite_strict=True,
    )


def _put_aside() -> None:
    op.create_table(
        "put_aside",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("why", Words, nullable=False),
        sa.Column("thing_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("balance", MinutesType, nullable=True),
        sa.Column("ended_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_put_aside_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_put_aside")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_put_aside_thing", "put_aside", ["community_id", "why", "thing_id", "at"], unique=False
    )


def _deed() -> None:
    op.create_table(
        "deed",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("undone_at", Instant, nullable=True),
        sa.CheckConstraint(
            "kind IN ('approved', 'returned', 'welcomed', 'put_aside', 'taken')",
            name=op.f("ck_deed_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_deed_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_deed")),
        sqlite_strict=True,
    )
    op.create_index("ix_deed_member", "deed", ["community_id", "member_id", "at"], unique=False)


def _deed_item() -> None:
    op.create_table(
        "deed_item",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("deed_id", Id, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("why", Words, nullable=False),
        sa.Column("thing_id", Id, nullable=False),
        sa.Column("minutes", MinutesType, nullable=False),
        sa.Column("before", Words, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "deed_id"],
            ["deed.community_id", "deed.id"],
            name=op.f("fk_deed_item_community_id_deed_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "deed_id", "position", name=op.f("pk_deed_item")),
        sqlite_strict=True,
    )


def _morning_mail() -> None:
    op.create_table(
        "morning_mail",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("hour", Count, nullable=False),
        sa.Column("mailed_on", Day, nullable=True),
        sa.CheckConstraint("hour BETWEEN 0 AND 23", name=op.f("ck_morning_mail_hour")),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_morning_mail_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "member_id", name=op.f("pk_morning_mail")),
        sqlite_strict=True,
    )
