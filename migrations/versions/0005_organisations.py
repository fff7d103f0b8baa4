"""Sectors, organisations, and who belongs to which.

What stood in a member's `sector` becomes an item of the community's list; each community gets the
sectors that new ones begin with, in its language. What was shown of an organisation's telephone
number becomes its contact.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Count, Day, Flag, Id, Instant, Words
from timebank.moment import Moment
from timebank.text import fold

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("sector", "organisation", "affiliation")

_FIRST = {  # as they were when this step was written
    "en": (
        "Health",
        "Social care",
        "Housing",
        "Education",
        "Higher education",
        "Local government",
        "Voluntary and community",
        "Faith",
        "Arts and culture",
        "Business",
        "Neighbours",
        "Something else",
    ),
    "es": (
        "Salud",
        "Servicios sociales",
        "Vivienda",
        "Educación",
        "Universidad",
        "Ayuntamiento",
        "Asociaciones y voluntariado",
        "Comunidades religiosas",
        "Arte y cultura",
        "Empresas",
        "Vecindario",
        "Otro",
    ),
}

_community = sa.table("community", sa.column("id", Id), sa.column("language", Words))
_member = sa.table(
    "member",
    sa.column("community_id", Id),
    sa.column("id", Id),
    sa.column("kind", Words),
    sa.column("sector", Words),
    sa.column("phone", Words),
    sa.column("contact_shown", Flag),
)
_sectors = sa.table(
    "sector",
    sa.column("community_id", Id),
    sa.column("id", Id),
    sa.column("name", Words),
    sa.column("position", Count),
)
_organisations = sa.table(
    "organisation",
    sa.column("community_id", Id),
    sa.column("id", Id),
    sa.column("sector_id", Id),
    sa.column("contact", Words),
)


def upgrade() -> None:
    """Make the tables, and put into them what members said."""
    _sector()
    _organisation()
    _affiliation()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)
    for community in op.get_bind().execute(sa.select(_community)).all():
        _move_in(community.id, community.language)
    op.drop_column("member", "sector")


def downgrade() -> None:
    """Put the sectors back into words, and remove the tables."""
    op.add_column("member", sa.Column("sector", Words, server_default="", nullable=False))
    said = sa.select(_organisations.c.community_id, _organisations.c.id, _sectors.c.name).join(
        _sectors,
        (_sectors.c.community_id == _organisations.c.community_id)
        & (_sectors.c.id == _organisations.c.sector_id),
    )
    for row in op.get_bind().execute(said).all():
        op.execute(
            sa.update(_member)
            .where(_member.c.community_id == row.community_id, _member.c.id == row.id)
            .values(sector=row.name)
        )
    for table in reversed(_TABLES):
        op.drop_table(table)


def _move_in(community: UUID, language: str) -> None:
    """The community's sectors, and a row for each of its organisations."""
    conn, now = op.get_bind(), Moment.now()
    houses = conn.execute(
        sa.select(_member).where(
            _member.c.community_id == community, _member.c.kind == "organisation"
        )
    ).all()
    names = list(_FIRST.get(language, _FIRST["en"]))
    known = {fold(name) for name in names}
    for said in sorted({house.sector.strip() for house in houses} - {""}):
        if fold(said) not in known:
            names.append(said[:1].upper() + said[1:])
            known.add(fold(said))
    ids = {fold(name): now.new_id() for name in names}
    for position, name in enumerate(names):
        conn.execute(
            sa.insert(_sectors).values(
                community_id=community, id=ids[fold(name)], name=name, position=position
            )
        )
    for house in houses:
        conn.execute(
            sa.insert(_organisations).values(
                community_id=community,
                id=house.id,
                sector_id=ids.get(fold(house.sector)),
                contact=house.phone if house.contact_shown else "",
            )
        )


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
        sa.Column("confirmed_by", Id, nullable=True),
        sa.Column("confirmed_at", Instant, nullable=True),
        sa.Column("ended_by", Id, nullable=True),
        sa.CheckConstraint("until IS NULL OR until >= since", name=op.f("ck_affiliation_dates")),
        sa.ForeignKeyConstraint(
            ["community_id", "added_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_affiliation_community_id_added_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "confirmed_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_affiliation_community_id_confirmed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "ended_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_affiliation_community_id_ended_by"),
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
