"""Listings: what people offer, and what they ask for. Their tables, and reading them.

A listing is open as long as its day has not passed, nobody has closed it, and its member is
active; who takes a break rests with everything they offer. Writing, answering and closing are in
`timebank.listing_steps`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Day, Flag, Id, Instant, Words
from timebank import keeping_apart, members, policy
from timebank.acting import Actor
from timebank.agreements import Terms
from timebank.communities import categories
from timebank.errors import NotFound
from timebank.members import Member, MemberKind, Status
from timebank.moment import Moment
from timebank.text import fold, like

LASTS = timedelta(days=92)
"""So long a listing is shown, unless somebody says otherwise: about three months."""
LONGEST = timedelta(days=366)
REMIND_BEFORE = timedelta(days=7)
UNANSWERED = timedelta(days=7)
"""After so long a request without an answer waits in the inbox."""
ERASED = "—"
"""The title of a listing whose member is forgotten."""


class ListingKind(StrEnum):
    """Which way the help would go."""

    OFFER = "offer"
    REQUEST = "request"


listings = Table(
    "listing",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("kind", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("words", Words, nullable=False),
    Column("category_id", Id),
    Column("area", Words, nullable=False),
    Column("written_by", Id, nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("until", Day, nullable=False),  # the last day it is shown
    Column("closed_at", Instant),  # found somebody, or not wanted any more
    Column("search_key", Words, nullable=False, server_default=""),  # title, words, area; folded
    Column("reminded_at", Instant),  # that its last day comes near
    ForeignKeyConstraint(["community_id", "category_id"], ["category.community_id", "category.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    CheckConstraint("kind IN ('offer', 'request')", name="kind"),
    CheckConstraint("title <> ''", name="titled"),
    Index("ix_listing_open", "community_id", "closed_at", "kind", "until"),
    Index("ix_listing_member", "community_id", "member_id"),
    sqlite_strict=True,
)

answers = Table(  # who said: I can help, or: I would like that
    "listing_answer",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("listing_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("words", Words, nullable=False),
    Column("at", Instant, nullable=False),
    Column("written_by", Id, nullable=False),
    Column("contact_shared", Flag, nullable=False),  # how to reach them, for this one person
    ForeignKeyConstraint(["community_id", "listing_id"], ["listing.community_id", "listing.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    Index("ix_listing_answer_member", "community_id", "member_id"),
    sqlite_strict=True,
)

entry_listings = Table(  # which offer or request an entry came from
    "entry_listing",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("listing_id", Id, nullable=False),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "listing_id"], ["listing.community_id", "listing.id"]),
    Index("ix_entry_listing_listing", "community_id", "listing_id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One offer or request, with whose it is. `until` is the last day it is shown.

    `answers` counts who has answered.
    """

    id: UUID
    member: Member
    kind: ListingKind
    title: str
    words: str
    category_id: UUID | None
    category: str | None
    area: str
    written_by: UUID
    written_by_name: str
    written_at: datetime
    until: date
    closed_at: datetime | None
    answers: int

    def is_open(self, today: date) -> bool:
        """Whether it is shown to everybody on that day (of the community)."""
        return (
            self.closed_at is None and self.until >= today and self.member.status is Status.ACTIVE
        )

    def ends_soon(self, today: date) -> bool:
        """Whether it is time to ask if it shall stay."""
        return self.is_open(today) and self.until - today <= REMIND_BEFORE


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered, and how to reach them if they shared it for this."""

    member: Member
    words: str
    at: datetime
    written_by: UUID
    written_by_name: str
    contact_shared: bool
    phone: str
    email: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which listings are asked for. Empty: whichever."""

    kind: ListingKind | None = None
    category: UUID | None = None
    area: str = ""
    search: str = ""
    member: UUID | None = None


_WRITER = members.members.alias("writer")
_MEMBER = members.members.alias("lister")


async def page(
    conn: AsyncConnection,
    community: UUID,
    wanted: Wanted,
    *,
    by: UUID,
    today: date,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Listing]:
    """Open listings, the newest first, but not of those `by` is kept apart from.

    `after` is (`written_at`, id) of the last one of the page above.
    """
    query = (
        _listed(community)
        .where(*_open_on(today), *_wanted(wanted))
        .where(listings.c.member_id.not_in(keeping_apart.others_of(community, by)))
        .order_by(listings.c.written_at.desc(), listings.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        last = tuple_(literal(after[0], Instant), literal(after[1], Id))
        query = query.where(tuple_(listings.c.written_at, listings.c.id) < last)
    return [_listing(row) for row in await conn.execute(query)]


async def of_member(
    conn: AsyncConnection, community: UUID, member: UUID, *, today: date, everything: bool = False
) -> list[Listing]:
    """What one member offers and asks for, requests first; with `everything`, also what is over."""
    query = (
        _listed(community)
        .where(listings.c.member_id == member)
        .order_by(listings.c.kind.desc(), listings.c.written_at.desc(), listings.c.id.desc())
        .limit(200)
    )
    if not everything:
        query = query.where(listings.c.closed_at.is_(None), listings.c.until >= today)
    return [_listing(row) for row in await conn.execute(query)]


async def several(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> list[Listing]:
    """These listings, whatever their state, the oldest first. Who may see them, it does not say."""
    query = _listed(community).where(listings.c.id.in_(set(ids)))
    query = query.order_by(listings.c.written_at, listings.c.id)
    return [_listing(row) for row in await conn.execute(query)]


async def get(conn: AsyncConnection, community: UUID, id: UUID) -> Listing:
    """One listing, whatever its state; or `NotFound`."""
    found = await several(conn, community, [id])
    if not found:
        raise NotFound("listing")
    return found[0]


async def seen(
    conn: AsyncConnection, community: UUID, id: UUID, actor: Actor, *, today: date
) -> Listing:
    """One listing, for whoever may know of it; for everybody else there is none (`NotFound`).

    Open ones are for all members, others for those who may write in their member's name and for
    those who answered. Between two who are kept apart there is none.
    """
    listing = await get(conn, community, id)
    if await keeping_apart.apart(conn, community, [(actor.id, listing.member.id)]):
        raise NotFound("listing")
    if listing.is_open(today):
        return listing
    if policy.may_read_answers(actor.member, listing.member.id, actor.acts_for):
        return listing
    answered = select(answers.c.member_id).where(
        answers.c.community_id == community,
        answers.c.listing_id == id,
        answers.c.member_id.in_(actor.accounts),
    )
    if (await conn.execute(answered)).first() is None:
        raise NotFound("listing")
    return listing


async def answers_to(conn: AsyncConnection, community: UUID, id: UUID) -> list[Answer]:
    """Who answered, the first one first. Who may read them, `policy` says."""
    from timebank.people import people

    query = (
        select(
            *(_MEMBER.c[name] for name in members.COLUMNS),
            _MEMBER.c.phone,
            people.c.email,
            answers.c.words,
            answers.c.at,
            answers.c.written_by,
            answers.c.contact_shared,
            _WRITER.c.name.label("written_by_name"),
        )
        .select_from(answers)
        .join(_MEMBER, _is(_MEMBER, answers, answers.c.member_id))
        .join(_WRITER, _is(_WRITER, answers, answers.c.written_by))
        .outerjoin(people, people.c.id == _MEMBER.c.person_id)
        .where(answers.c.community_id == community, answers.c.listing_id == id)
        .order_by(answers.c.at, answers.c.member_id)
    )
    return [_answer(row) for row in await conn.execute(query)]


async def titles_of(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], *, today: date
) -> dict[UUID, list[tuple[ListingKind, str]]]:
    """What these members offer and ask for on that day, in a few words each, by member."""
    query = (
        select(listings.c.member_id, listings.c.kind, listings.c.title)
        .where(
            listings.c.community_id == community,
            listings.c.member_id.in_(list(ids)),
            listings.c.closed_at.is_(None),
            listings.c.until >= today,
        )
        .order_by(listings.c.written_at.desc(), listings.c.id.desc())
    )
    found: dict[UUID, list[tuple[ListingKind, str]]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.member_id, []).append((ListingKind(row.kind), row.title))
    return found


def members_with(community: UUID, search: str, today: date) -> Select[tuple[UUID]]:
    """Who offers or asks for something in which these letters stand; a part of another query."""
    return select(listings.c.member_id).where(
        listings.c.community_id == community,
        listings.c.closed_at.is_(None),
        listings.c.until >= today,
        listings.c.search_key.like(like(fold(search)), escape="\\"),
    )


async def of_entry(conn: AsyncConnection, community: UUID, entry: UUID) -> Listing | None:
    """The listing an entry came from, if it names one."""
    query = select(entry_listings.c.listing_id).where(
        entry_listings.c.community_id == community, entry_listings.c.entry_id == entry
    )
    id = (await conn.execute(query)).scalar_one_or_none()
    found = None if id is None else await get(conn, community, id)
    return None if found is None or found.title == ERASED else found


async def areas(conn: AsyncConnection, community: UUID, *, today: date) -> list[str]:
    """The areas that open listings name, in order, each once."""
    query = (
        select(listings.c.area)
        .join(_MEMBER, _is(_MEMBER, listings, listings.c.member_id))
        .where(listings.c.community_id == community, listings.c.area != "", *_open_on(today))
        .distinct()
        .order_by(listings.c.area)
    )
    return [row.area for row in await conn.execute(query)]


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Open requests nobody answered for `UNANSWERED`: (the listing's id, since when it stands).

    A request that hours were written down from was answered in its way.
    """
    del terms  # no agreement says anything about it
    answered = exists().where(
        answers.c.community_id == listings.c.community_id, answers.c.listing_id == listings.c.id
    )
    used = exists().where(
        entry_listings.c.community_id == listings.c.community_id,
        entry_listings.c.listing_id == listings.c.id,
    )
    return (
        select(listings.c.id, listings.c.written_at.label("since"))
        .join(_MEMBER, _is(_MEMBER, listings, listings.c.member_id))
        .where(
            listings.c.community_id == community,
            listings.c.kind == ListingKind.REQUEST.value,
            listings.c.written_at <= now.at - UNANSWERED,
            *_open_on(now.at.date()),
            ~answered,
            ~used,
        )
    )


def key_of(title: str, words: str, area: str) -> str:
    """What a listing is found by."""
    return fold(f"{title} {words} {area}")


def _open_on(today: date) -> Sequence[ColumnElement[bool]]:
    return (
        listings.c.closed_at.is_(None),
        listings.c.until >= today,
        _MEMBER.c.status == Status.ACTIVE.value,
    )


def _wanted(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.kind is not None:
        found.append(listings.c.kind == wanted.kind.value)
    if wanted.category is not None:
        found.append(listings.c.category_id == wanted.category)
    if wanted.area:
        found.append(listings.c.area == wanted.area)
    if wanted.member is not None:
        found.append(listings.c.member_id == wanted.member)
    if wanted.search:
        letters = like(fold(wanted.search))
        by_words = listings.c.search_key.like(letters, escape="\\")
        found.append(by_words | _MEMBER.c.name_key.like(letters, escape="\\"))
    return found


def _listed(community: UUID) -> Select[Any]:
    number = (
        select(func.count())
        .where(
            answers.c.community_id == listings.c.community_id,
            answers.c.listing_id == listings.c.id,
        )
        .scalar_subquery()
    )
    return (
        select(
            listings,
            categories.c.name.label("category"),
            _WRITER.c.name.label("written_by_name"),
            number.label("answers"),
            *(_MEMBER.c[name].label(f"of_{name}") for name in members.COLUMNS),
        )
        .join(_MEMBER, _is(_MEMBER, listings, listings.c.member_id))
        .join(_WRITER, _is(_WRITER, listings, listings.c.written_by))
        .outerjoin(
            categories,
            and_(
                categories.c.community_id == listings.c.community_id,
                categories.c.id == listings.c.category_id,
            ),
        )
        .where(listings.c.community_id == community)
    )


def _listing(row: Any) -> Listing:
    return Listing(
        row.id,
        Member(
            row.of_community_id,
            row.of_id,
            MemberKind(row.of_kind),
            row.of_person_id,
            row.of_name,
            row.of_area,
            members.Role(row.of_role),
            Status(row.of_status),
        ),
        ListingKind(row.kind),
        row.title,
        row.words,
        row.category_id,
        row.category,
        row.area,
        row.written_by,
        row.written_by_name,
        row.written_at,
        row.until,
        row.closed_at,
        row.answers,
    )


def _answer(row: Any) -> Answer:
    return Answer(
        members.as_member(row),
        row.words,
        row.at,
        row.written_by,
        row.written_by_name,
        row.contact_shared,
        row.phone if row.contact_shared else "",
        (row.email or "") if row.contact_shared else "",
    )


def _is(table: Any, of: Any, id: Any) -> ColumnElement[bool]:
    """The condition that a row of `table` is the member with this id, of the same community."""
    return and_(table.c.community_id == of.c.community_id, table.c.id == id)
