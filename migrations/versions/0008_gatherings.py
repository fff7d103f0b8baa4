"""Gatherings: formats, series, roles, who comes and who carries what."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from ledger import Minutes
from ledger.sql.rights import EVERY, SETTING, new_table
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, Json, MinutesType, Words

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    "format",
    "series",
    "gathering",
    "gathering_host",
    "gathering_role",
    "seat",
    "duty",
    "invited_organisation",
    "reminder",
    "feed",
    "whats_on",
    "edge",
)


def upgrade() -> None:
    """Make the tables."""
    _format()
    _series()
    _gathering()
    _gathering_host()
    _gathering_role()
    _seat()
    _duty()
    _invited_organisation()
    _reminder()
    _feed()
    _whats_on()
    _edge()
    _first_formats()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _format() -> None:
    op.create_table(
        "format",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("about", Words, nullable=False),
        sa.Column("lasts", MinutesType, nullable=False),
        sa.Column("rule", Words, nullable=False),
        sa.Column("credits_taking_part", Flag, nullable=False),
        sa.Column("roles", Json, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.Column("retired_at", Instant, nullable=True),
        sa.CheckConstraint("name <> ''", name=op.f("ck_format_named")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_format_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_format")),
        sa.UniqueConstraint("community_id", "name", name=op.f("uq_format_community_id_name")),
        sqlite_strict=True,
    )


def _series() -> None:
    op.create_table(
        "series",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("rule", Words, nullable=False),
        sa.Column("first_on", Day, nullable=False),
        sa.Column("at", Words, nullable=False),
        sa.Column("lasts", MinutesType, nullable=False),
        sa.Column("plan", Json, server_default="{}", nullable=False),
        sa.Column("last_on", Day, nullable=True),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "made_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_series_community_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_series_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_series")),
        sqlite_strict=True,
    )


def _gathering() -> None:
    op.create_table(
        "gathering",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("series_id", Id, nullable=True),
        sa.Column("occurs_on", Day, nullable=True),
        sa.Column("format_id", Id, nullable=True),
        sa.Column("title", Words, nullable=False),
        sa.Column("purpose", Words, nullable=False),
        sa.Column("place", Words, nullable=False),
        sa.Column("access", Words, nullable=False),
        sa.Column("link", Words, nullable=False),
        sa.Column("area", Words, nullable=False),
        sa.Column("bring", Words, nullable=False),
        sa.Column("starts_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("capacity", Count, nullable=True),
        sa.Column("openness", Words, nullable=False),
        sa.Column("rule", Words, nullable=False),
        sa.Column("credits_taking_part", Flag, nullable=False),
        sa.Column("payer_id", Id, nullable=True),
        sa.Column("state", Words, nullable=False),
        sa.Column("agreement_version", Count, nullable=False),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("touched_at", Instant, nullable=False),
        sa.Column("revision", Count, server_default="0", nullable=False),
        sa.Column("parting", Words, server_default="", nullable=False),
        sa.CheckConstraint("title <> ''", name=op.f("ck_gathering_titled")),
        sa.CheckConstraint("capacity IS NULL OR capacity > 0", name=op.f("ck_gathering_capacity")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_gathering_lasts")),
        sa.ForeignKeyConstraint(
            ["community_id", "agreement_version"],
            ["agreement.community_id", "agreement.version"],
            name=op.f("fk_gathering_community_id_agreement_version"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "format_id"],
            ["format.community_id", "format.id"],
            name=op.f("fk_gathering_community_id_format_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "made_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_gathering_community_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "payer_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_gathering_community_id_payer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "series_id"],
            ["series.community_id", "series.id"],
            name=op.f("fk_gathering_community_id_series_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_gathering_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_gathering")),
        sa.UniqueConstraint(
            "community_id",
            "series_id",
            "occurs_on",
            name=op.f("uq_gathering_community_id_series_id_occurs_on"),
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_gathering_state", "gathering", ["community_id", "state", "ends_at"], unique=False
    )
    op.create_index("ix_gathering_when", "gathering", ["community_id", "starts_at"], unique=False)


def _gathering_host() -> None:
    op.create_table(
        "gathering_host",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_gathering_host_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_gathering_host_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "gathering_id", "member_id", name=op.f("pk_gathering_host")
        ),
        sqlite_strict=True,
    )


def _gathering_role() -> None:
    op.create_table(
        "gathering_role",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("key", Words, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("before", MinutesType, nullable=False),
        sa.Column("during", Flag, nullable=False),
        sa.Column("after", MinutesType, nullable=False),
        sa.Column("wanted", Count, nullable=False),
        sa.Column("position", Count, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_gathering_role_community_id_gathering_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "gathering_id", "key", name=op.f("pk_gathering_role")
        ),
        sqlite_strict=True,
    )


def _seat() -> None:
    op.create_table(
        "seat",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=True),
        sa.Column("name", Words, nullable=False),
        sa.Column("email", Words, nullable=False),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("from_words", Words, nullable=False),
        sa.Column("answer", Words, nullable=False),
        sa.Column("words", Words, nullable=False),
        sa.Column("answered_at", Instant, nullable=True),
        sa.Column("waiting", Flag, nullable=False),
        sa.Column("invited_by", Id, nullable=True),
        sa.Column("invited_at", Instant, nullable=True),
        sa.Column("present", MinutesType, nullable=True),
        sa.Column("ticked_at", Instant, nullable=True),
        sa.Column("ticked_by", Id, nullable=True),
        sa.Column("ticked_how", Words, nullable=False),
        sa.Column("to_confirm", Flag, nullable=False),
        sa.CheckConstraint("member_id IS NOT NULL OR name <> ''", name=op.f("ck_seat_named")),
        sa.CheckConstraint("present >= 0", name=op.f("ck_seat_present")),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_seat_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "invited_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_seat_community_id_invited_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_seat_community_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_seat_community_id_organisation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "ticked_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_seat_community_id_ticked_by"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_seat")),
        sa.UniqueConstraint(
            "community_id",
            "gathering_id",
            "member_id",
            name=op.f("uq_seat_community_id_gathering_id_member_id"),
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_seat_member", "seat", ["community_id", "member_id", "gathering_id"], unique=False
    )


def _duty() -> None:
    op.create_table(
        "duty",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("role_key", Words, nullable=False),
        sa.Column("seat_id", Id, nullable=False),
        sa.Column("state", Words, nullable=False),
        sa.Column("asked_by", Id, nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("before", MinutesType, nullable=True),
        sa.Column("during", MinutesType, nullable=True),
        sa.Column("after", MinutesType, nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "asked_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_duty_community_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id", "role_key"],
            ["gathering_role.community_id", "gathering_role.gathering_id", "gathering_role.key"],
            name=op.f("fk_duty_community_id_gathering_id_role_key"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "seat_id"],
            ["seat.community_id", "seat.id"],
            name=op.f("fk_duty_community_id_seat_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "gathering_id", "role_key", "seat_id", name=op.f("pk_duty")
        ),
        sqlite_strict=True,
    )


def _invited_organisation() -> None:
    op.create_table(
        "invited_organisation",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("invited_by", Id, nullable=False),
        sa.Column("invited_at", Instant, nullable=False),
        sa.Column("declined_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_invited_organisation_community_id_gathering_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "invited_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_invited_organisation_community_id_invited_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_invited_organisation_community_id_organisation_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "gathering_id", "organisation_id", name=op.f("pk_invited_organisation")
        ),
        sqlite_strict=True,
    )


def _reminder() -> None:
    op.create_table(
        "reminder",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("gathering_id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("sent_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "gathering_id"],
            ["gathering.community_id", "gathering.id"],
            name=op.f("fk_reminder_community_id_gathering_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "gathering_id", "kind", name=op.f("pk_reminder")),
        sqlite_strict=True,
    )


def _feed() -> None:
    op.create_table(
        "feed",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("member_id", Id, nullable=False),
        sa.Column("token_hash", Hash, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"],
            ["member.community_id", "member.id"],
            name=op.f("fk_feed_community_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "member_id", name=op.f("pk_feed")),
        sqlite_strict=True,
    )
    op.create_index("ix_feed_token", "feed", ["community_id", "token_hash"], unique=False)


def _whats_on() -> None:
    op.create_table(
        "whats_on",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("shown", Flag, nullable=False),
        sa.Column("changed_by", Id, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "changed_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_whats_on_community_id_changed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_whats_on_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_whats_on")),
        sqlite_strict=True,
    )


def _edge() -> None:
    op.create_table(
        "edge",
        sa.Column("community_id", Id, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("place", Words, nullable=False),
        sa.Column("members", Count, nullable=False),
        sa.Column("counted_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_edge_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "kind", "place", name=op.f("pk_edge")),
        sqlite_strict=True,
    )


# What communities that are there already begin with; new ones have it from `timebank.formats`.
# Name, how it goes, minutes, and its roles with how many people each.
_FORMATS: dict[str, list[tuple[str, str, int, list[list[Any]]]]] = {
    "en": [
        (
            "Tea and talk",
            "First tea and cake, and getting to know each other. Then one question, "
            "talked about in small rounds, so that everybody is heard. Last, what each of"
            " us might do.",
            120,
            [["host", 1], ["tea", 1], ["facilitate", 1], ["notes", 1]],
        ),
        (
            "PechaKucha evening",
            "Six to eight people show twenty pictures each, twenty seconds a picture. A "
            "break in the middle is for talking, and is half of the evening.",
            150,
            [["host", 1], ["tea", 2], ["facilitate", 1]],
        ),
        (
            "Online gathering",
            "A round at the beginning in which everybody says a word, small groups in the"
            " middle, a round at the end. Somebody helps those whose sound does not work.",
            90,
            [["host", 1], ["facilitate", 1], ["notes", 1]],
        ),
        (
            "Reflective practice circle",
            "One person tells what is on their mind. The others ask, and do not advise. "
            "Then the circle says what it heard. What is said stays in the room.",
            90,
            [["host", 1], ["tea", 1], ["facilitate", 1]],
        ),
        (
            "Work day",
            "A garden, a hall, a path: something that many hands do in a day. Tools are "
            "there, and something to eat at noon.",
            300,
            [["host", 1], ["tea", 2], ["childcare", 1]],
        ),
        (
            "Shared meal",
            "Everybody brings something, or cooks together. One long table, and nobody eats alone.",
            150,
            [["host", 1], ["tea", 2], ["invite", 1]],
        ),
        (
            "Orientation",
            "For people who are new, or curious: what the time bank is, how one gives and"
            " receives, who can help with what. With tea, and time for questions.",
            60,
            [["host", 1], ["tea", 1], ["follow_up", 1]],
        ),
    ],
    "es": [
        (
            "Té y charla",
            "Primero té y bizcocho, y conocernos. Después una pregunta, hablada en "
            "pequeñas rondas, para que se escuche a todo el mundo. Al final, qué podría "
            "hacer cada cual.",
            120,
            [["host", 1], ["tea", 1], ["facilitate", 1], ["notes", 1]],
        ),
        (
            "Noche PechaKucha",
            "De seis a ocho personas muestran veinte imágenes cada una, veinte segundos "
            "por imagen. La pausa de en medio es para hablar, y es la mitad de la noche.",
            150,
            [["host", 1], ["tea", 2], ["facilitate", 1]],
        ),
        (
            "Encuentro en línea",
            "Una ronda al principio en la que todo el mundo dice algo, grupos pequeños en"
            " medio, otra ronda al final. Alguien ayuda a quien no le funciona el sonido.",
            90,
            [["host", 1], ["facilitate", 1], ["notes", 1]],
        ),
        (
            "Círculo de práctica reflexiva",
            "Una persona cuenta lo que le ocupa. Las demás preguntan, y no dan consejos. "
            "Después el círculo dice lo que ha escuchado. Lo que se dice se queda en la "
            "sala.",
            90,
            [["host", 1], ["tea", 1], ["facilitate", 1]],
        ),
        (
            "Jornada de trabajo",
            "Un huerto, un local, un camino: algo que muchas manos hacen en un día. Hay "
            "herramientas, y algo de comer a mediodía.",
            300,
            [["host", 1], ["tea", 2], ["childcare", 1]],
        ),
        (
            "Comida compartida",
            "Cada cual trae algo, o se cocina en común. Una mesa larga, y nadie come a solas.",
            150,
            [["host", 1], ["tea", 2], ["invite", 1]],
        ),
        (
            "Acogida",
            "Para quien llega, o siente curiosidad: qué es el banco de tiempo, cómo se da"
            " y se recibe, quién puede ayudar con qué. Con té, y tiempo para preguntas.",
            60,
            [["host", 1], ["tea", 1], ["follow_up", 1]],
        ),
    ],
}


def _first_formats() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        # The communities of all are to be seen, as `timebank.db` says it.
        op.execute(f"SELECT set_config('{SETTING}', '{EVERY}', true)")
    community = sa.table("community", sa.column("id", Id), sa.column("language", Words))
    columns: dict[str, Any] = {
        "community_id": Id,
        "id": Id,
        "name": Words,
        "about": Words,
        "lasts": MinutesType,
        "rule": Words,
        "credits_taking_part": Flag,
        "roles": Json,
        "position": Count,
    }
    table = sa.table("format", *(sa.column(name, kind) for name, kind in columns.items()))
    rows = [
        {
            "community_id": place.id,
            "id": uuid4(),
            "name": name,
            "about": about,
            "lasts": Minutes(lasts),
            "rule": "sponsored",
            "credits_taking_part": True,
            "roles": roles,
            "position": position,
        }
        for place in bind.execute(sa.select(community.c.id, community.c.language)).all()
        for position, (name, about, lasts, roles) in enumerate(
            _FORMATS.get(place.language, _FORMATS["en"])
        )
    ]
    if rows:
        op.bulk_insert(table, rows)
