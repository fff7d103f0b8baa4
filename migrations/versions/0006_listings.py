"""Offers and requests, and who answered them.

What members wrote into `offers` and `wishes` becomes an offer and a request each, shown for three
months from now. The words of a profile's search no longer hold them: they are found as listings.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from ledger.sql.rights import new_table
from ledger.sql.types import Day, Flag, Id, Instant, Words
from timebank.moment import Moment
from timebank.text import fold

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("listing", "listing_answer", "entry_listing")
_LASTS = timedelta(days=92)
_LONGEST_TITLE = 80

_member = sa.table(
    "member",
    sa.column("community_id", Id),
    sa.column("id", Id),
    sa.column("name", Words),
    sa.column("area", Words),
    sa.column("about", Words),
    sa.column("offers", Words),
    sa.column("wishes", Words),
    sa.column("search_key", Words),
)
_organisations = sa.table(
    "organisation", sa.column("community_id", Id), sa.column("id", Id), sa.column("sector_id", Id)
)
_sectors = sa.table(
    "sector", sa.column("community_id", Id), sa.column("id", Id), sa.column("name", Words)
)
_listings = sa.table(
    "listing",
    sa.column("community_id", Id),
    sa.column("id", Id),
    sa.column("member_id", Id),
    sa.column("kind", Words),
    sa.column("title", Words),
    sa.column("words", Words),
    sa.column("area", Words),
    sa.column("written_by", Id),
    sa.column("written_at", Instant),
    sa.column("until", Day),
    sa.column("closed_at", Instant),
    sa.column("search_key", Words),
)


def upgrade() -> None:
    """Make the tables, and put into them what members offered and asked for."""
    _listing()
    _listing_answer()
    _entry_listing()
    for table in _TABLES:
        for statement in new_table(table, dialect=op.get_bind().dialect.name):
            op.execute(statement)
    _move_in()
    op.drop_column("member", "wishes")
    op.drop_column("member", "offers")


def downgrade() -> None:
    """Put what is open back into the members' words, and remove the tables."""
    for column in ("offers", "wishes"):
        op.add_column("member", sa.Column(column, Words, server_default="", nullable=False))
    words: dict[tuple[object, object], dict[str, list[str]]] = {}
    open_ = sa.select(_listings).where(_listings.c.closed_at.is_(None))
    for row in op.get_bind().execute(open_.order_by(_listings.c.written_at)).all():
        field = "offers" if row.kind == "offer" else "wishes"
        theirs = words.setdefault((row.community_id, row.member_id), {})
        theirs.setdefault(field, []).append(row.words or row.title)
    for (community, member), fields in words.items():
        op.execute(
            sa.update(_member)
            .where(_member.c.community_id == community, _member.c.id == member)
            .values({field: "\n".join(said) for field, said in fields.items()})
        )
    for table in reversed(_TABLES):
        op.drop_table(table)


def _move_in() -> None:
    """A listing for each of the two texts, and search words without them."""
    conn, now = op.get_bind(), Moment.now()
    rows = conn.execute(
        sa.select(_member, _sectors.c.name.label("sector"))
        .outerjoin(
            _organisations,
            (_organisations.c.community_id == _member.c.community_id)
            & (_organisations.c.id == _member.c.id),
        )
        .outerjoin(
            _sectors,
            (_sectors.c.community_id == _organisations.c.community_id)
            & (_sectors.c.id == _organisations.c.sector_id),
        )
        .where((_member.c.offers != "") | (_member.c.wishes != ""))
    ).all()
    for row in rows:
        for kind, text in (("offer", row.offers.strip()), ("request", row.wishes.strip())):
            if not text:
                continue
            title = _title(text)
            conn.execute(
                sa.insert(_listings).values(
                    community_id=row.community_id,
                    id=now.new_id(),
                    member_id=row.id,
                    kind=kind,
                    title=title,
                    words="" if title == text else text,
                    area=row.area,
                    written_by=row.id,
                    written_at=now.at,
                    until=now.at.date() + _LASTS,
                    search_key=fold(f"{title} {text} {row.area}"),
                )
            )
        found_by = fold(f"{row.name} {row.area} {row.sector or ''} {row.about}")
        conn.execute(
            sa.update(_member)
            .where(_member.c.community_id == row.community_id, _member.c.id == row.id)
            .values(search_key=found_by)
        )


def _title(text: str) -> str:
    """The first line, cut between words where it is long."""
    first = " ".join(text.splitlines()[0].split())
    if len(first) <= _LONGEST_TITLE:
        return first
    return first[:_LONGEST_TITLE].rsplit(" ", 1)[0].rstrip(".,;:") + "…"


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
        sa.Column("search_key", Words, server_default="", nullable=False),
        sa.Column("reminded_at", Instant, nullable=True),
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
        sa.Column("written_by", Id, nullable=False),
        sa.Column("contact_shared", Flag, nullable=False),
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
        sa.ForeignKeyConstraint(
            ["community_id", "written_by"],
            ["member.community_id", "member.id"],
            name=op.f("fk_listing_answer_community_id_written_by"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "listing_id", "member_id", name=op.f("pk_listing_answer")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_listing_answer_member", "listing_answer", ["community_id", "member_id"], unique=False
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
