"""The time bank: communities, people, members, agreements, entries, audit, mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql import guards
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, Json, MinutesType, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What a step tells stays; its words can be erased with the person who wrote them.
_STEP_FACTS = (
    "community_id",
    "entry_id",
    "number",
    "kind",
    "member_id",
    "at",
    "override",
    "stood_in",
)


def upgrade() -> None:
    """Make the tables, and guard those that are never edited."""
    _community()
    _person()
    _throttle()
    _audit()
    _category()
    _member()
    _outbox()
    _session()
    _token()
    _verification()
    _agreement()
    _buddy()
    _tally()
    _entry()
    _part()
    _step()
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Remove everything but the books."""
    for table in (
        "step",
        "part",
        "entry",
        "tally",
        "buddy",
        "agreement",
        "verification",
        "token",
        "session",
        "outbox",
        "member",
        "category",
        "audit",
        "throttle",
        "person",
        "community",
    ):
        op.drop_table(table)


def _guards(dialect: str) -> list[str]:
    entry_keys = (("community_id", "id"),)
    return [
        *guards.append_only("audit", (("community_id", "id"),), dialect=dialect),
        *guards.append_only("agreement", (("community_id", "version"),), dialect=dialect),
        *guards.append_only("verification", (("community_id", "at"),), dialect=dialect),
        *guards.append_only(
            "step",
            (("community_id", "entry_id", "number"),),
            dialect=dialect,
            frozen=_STEP_FACTS,
        ),
        _words_only_erased(dialect),
        *guards.undeletable("entry", entry_keys, dialect=dialect),
    ]


def _words_only_erased(dialect: str) -> str:
    """A step's words can be emptied, not rewritten."""
    head = "CREATE TRIGGER step_erased BEFORE UPDATE OF words ON step FOR EACH ROW"
    rewritten = "WHEN (NEW.words <> '')"
    if dialect == "postgresql":
        return f"{head} {rewritten} EXECUTE FUNCTION refuse_change()"
    refusal = "step is kept as it was written: UPDATE refused"
    return f"{head} {rewritten} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"


def _community() -> None:
    op.create_table(
        "community",
        sa.Column("id", Id, nullable=False),
        sa.Column("slug", Words, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("about", Words, server_default="", nullable=False),
        sa.Column("language", Words, nullable=False),
        sa.Column("timezone", Words, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_community")),
        sa.UniqueConstraint("slug", name=op.f("uq_community_slug")),
        sqlite_strict=True,
    )


def _person() -> None:
    op.create_table(
        "person",
        sa.Column("id", Id, nullable=False),
        sa.Column("email", Words, nullable=False),
        sa.Column("password_hash", Words),
        sa.Column("language", Words, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("email", name=op.f("uq_person_email")),
        sqlite_strict=True,
    )


def _throttle() -> None:
    op.create_table(
        "throttle",
        sa.Column("key", Words, nullable=False),
        sa.Column("failures", Count, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle")),
        sqlite_strict=True,
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor_id", Id),
        sa.Column("action", Words, nullable=False),
        sa.Column("subject_kind", Words, nullable=False),
        sa.Column("subject_id", Id, nullable=False),
        sa.Column("agreement_version", Count),
        sa.Column("facts", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_audit_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_audit")),
        sqlite_strict=True,
    )
    op.create_index("ix_audit_actor", "audit", ["community_id", "actor_id", "id"])
    op.create_index("ix_audit_subject", "audit", ["community_id", "subject_id", "id"])


def _category() -> None:
    op.create_table(
        "category",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("retired_at", Instant),
        sa.CheckConstraint("name <> ''", name=op.f("ck_category_named")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_category_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_category")),
        sa.UniqueConstraint("community_id", "name", name=op.f("uq_category_community_id_name")),
        sqlite_strict=True,
    )


def _member() -> None:
    op.create_table(
        "member",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("person_id", Id),
        sa.Column("name", Words, nullable=False),
        sa.Column("name_key", Words, nullable=False),
        sa.Column("search_key", Words, nullable=False),
        sa.Column("phone", Words, server_default="", nullable=False),
        sa.Column("contact_shown", Flag, nullable=False),
        sa.Column("area", Words, server_default="", nullable=False),
        sa.Column("sector", Words, server_default="", nullable=False),
        sa.Column("about", Words, server_default="", nullable=False),
        sa.Column("offers", Words, server_default="", nullable=False),
        sa.Column("wishes", Words, server_default="", nullable=False),
        sa.Column("role", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("invited_by", Id),
        sa.Column("welcomed_by", Id),
        sa.Column("applied_at", Instant, nullable=False),
        sa.Column("joined_at", Instant),
        sa.Column("ended_at", Instant),
        sa.Column("erased_at", Instant),
        sa.CheckConstraint("kind IN ('person', 'organisation')", name=op.f("ck_member_kind")),
        sa.CheckConstraint(
            "role IN ('member', 'coordinator', 'steward')", name=op.f("ck_member_role")
        ),
        sa.CheckConstraint(
            "status IN ('applied', 'active', 'paused', 'left')", name=op.f("ck_member_status")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "invited_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_member_community_id_invited_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "welcomed_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_member_community_id_welcomed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_member_community_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_member_person_id")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_member")),
        sa.UniqueConstraint(
            "community_id", "person_id", name=op.f("uq_member_community_id_person_id")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_member_name", "member", ["community_id", "status", "name_key"])
    op.create_index("ix_member_person", "member", ["person_id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", Id, nullable=False),
        sa.Column("community_id", Id),
        sa.Column("to_address", Words, nullable=False),
        sa.Column("to_name", Words, nullable=False),
        sa.Column("subject", Words, nullable=False),
        sa.Column("body", Words, nullable=False),
        sa.Column("path", Words, server_default="", nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("tries", Count, nullable=False),
        sa.Column("sent_at", Instant),
        sa.Column("dead_at", Instant),
        sa.Column("last_error", Words, server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_outbox_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_strict=True,
    )
    op.create_index("ix_outbox_due", "outbox", ["sent_at", "dead_at", "due_at"])


def _session() -> None:
    op.create_table(
        "session",
        sa.Column("token_hash", Hash, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("device", Words, server_default="", nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_session_person_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
        sqlite_strict=True,
    )
    op.create_index("ix_session_person", "session", ["person_id"])


def _token() -> None:
    op.create_table(
        "token",
        sa.Column("token_hash", Hash, nullable=False),
        sa.Column("purpose", Words, nullable=False),
        sa.Column("person_id", Id),
        sa.Column("community_id", Id),
        sa.Column("facts", Json, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("used_at", Instant),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_token_community_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_token_person_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_token")),
        sqlite_strict=True,
    )
    op.create_index("ix_token_community", "token", ["community_id", "purpose", "created_at"])
    op.create_index("ix_token_person", "token", ["person_id", "purpose"])


def _verification() -> None:
    op.create_table(
        "verification",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("seq", Count, nullable=False),
        sa.Column("hash", Hash, nullable=False),
        sa.Column("sound", Flag, nullable=False),
        sa.Column("finding", Words, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_verification_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "at", name=op.f("pk_verification")),
        sqlite_strict=True,
    )


def _agreement() -> None:
    op.create_table(
        "agreement",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("version", Count, nullable=False),
        sa.Column("purpose", Words, nullable=False),
        sa.Column("step", MinutesType, nullable=False),
        sa.Column("rounding", Words, nullable=False),
        sa.Column("soft_floor", MinutesType, nullable=False),
        sa.Column("hard_floor", MinutesType),
        sa.Column("commons_floor", MinutesType),
        sa.Column("joining", Words, nullable=False),
        sa.Column("other_side", Words, nullable=False),
        sa.Column("dispute_days", Count, nullable=False),
        sa.Column("silence", Words, nullable=False),
        sa.Column("approval", Words, nullable=False),
        sa.Column("approval_above", MinutesType, nullable=False),
        sa.Column("sole_coordinator", Flag, nullable=False),
        sa.Column("adopted_at", Instant, nullable=False),
        sa.Column("adopted_by", Id),
        sa.Column("reason", Words, nullable=False),
        sa.Column("review_on", Day),
        sa.CheckConstraint("dispute_days BETWEEN 0 AND 90", name=op.f("ck_agreement_dispute_days")),
        sa.CheckConstraint("step BETWEEN 1 AND 60", name=op.f("ck_agreement_step")),
        sa.CheckConstraint("version > 0", name=op.f("ck_agreement_version")),
        sa.ForeignKeyConstraint(
            ["community_id", "adopted_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_agreement_community_id_adopted_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_agreement_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "version", name=op.f("pk_agreement")),
        sqlite_strict=True,
    )


def _buddy() -> None:
    op.create_table(
        "buddy",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("buddy_id", Id, nullable=False),
        sa.Column("consent", Words, nullable=False),
        sa.Column("added_by", Id, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("until", Instant),
        sa.CheckConstraint("member_id <> buddy_id", name=op.f("ck_buddy_two_people")),
        sa.ForeignKeyConstraint(
            ["community_id", "buddy_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_buddy_community_id_buddy_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_buddy_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_buddy")),
        sqlite_strict=True,
    )
    op.create_index("ix_buddy_buddy", "buddy", ["community_id", "buddy_id"])
    op.create_index("ix_buddy_member", "buddy", ["community_id", "member_id"])


def _tally() -> None:
    op.create_table(
        "tally",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("given", MinutesType, nullable=False),
        sa.Column("received", MinutesType, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_tally_community_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "account_id", name=op.f("pk_tally")),
        sqlite_strict=True,
    )


def _entry() -> None:
    op.create_table(
        "entry",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("category_id", Id),
        sa.Column("occurred_on", Day, nullable=False),
        sa.Column("note", Words, nullable=False),
        sa.Column("salt", Hash, nullable=False),
        sa.Column("minutes", MinutesType, nullable=False),
        sa.Column("state", Words, nullable=False),
        sa.Column("contested", Flag, nullable=False),
        sa.Column("agreement_version", Count, nullable=False),
        sa.Column("recorded_by", Id, nullable=False),
        sa.Column("on_behalf_of", Id),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("touched_at", Instant, nullable=False),
        sa.Column("posted_at", Instant),
        sa.Column("reverses_id", Id),
        sa.Column("reversed_by_id", Id),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_entry_minutes")),
        sa.ForeignKeyConstraint(
            ["community_id", "agreement_version"],
            ["agreement.community_id", "agreement.version"],
            name=op.f("fk_entry_community_id_agreement_version"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["category.community_id", "category.id"],
            name=op.f("fk_entry_community_id_category_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "on_behalf_of"],
            ["member.community_id", "member.id"],
            name=op.f("fk_entry_community_id_on_behalf_of"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "recorded_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_entry_community_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "reverses_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_entry_community_id_reverses_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_entry_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_entry")),
        sqlite_strict=True,
    )
    op.create_index("ix_entry_contested", "entry", ["community_id", "contested", "recorded_at"])
    op.create_index("ix_entry_recorder", "entry", ["community_id", "recorded_by", "state"])
    op.create_index("ix_entry_waiting", "entry", ["community_id", "state", "recorded_at"])


def _part() -> None:
    op.create_table(
        "part",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("side", Words, nullable=False),
        sa.Column("minutes", MinutesType, nullable=False),
        sa.Column("awaited", Flag, nullable=False),
        sa.Column("confirmed_at", Instant),
        sa.Column("confirmed_by", Id),
        sa.CheckConstraint("side IN ('gave', 'received')", name=op.f("ck_part_side")),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_part_minutes")),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_part_community_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_part_community_id_entry_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "entry_id", "account_id", name=op.f("pk_part")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_part_awaited", "part", ["community_id", "account_id", "awaited", "entry_id"]
    )


def _step() -> None:
    op.create_table(
        "step",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("number", Count, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("member_id", Id),
        sa.Column("at", Instant, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("override", Flag, nullable=False),
        sa.Column("stood_in", Flag, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["entry.community_id", "entry.id"],
            name=op.f("fk_step_community_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_step_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "entry_id", "number", name=op.f("pk_step")),
        sqlite_strict=True,
    )
