"""Entries: their tables, and reading them. Every step of their story is kept with who and when.

Recording is in `timebank.recording`, answering and deciding in `timebank.entry_steps`, and posting
in `timebank.posting`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    exists,
    func,
    literal,
    select,
    text,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, MinutesType, Words
from timebank import acting, communities, policy
from timebank.acting import Actor
from timebank.entry import (
    OPEN,
    Entry,
    Kind,
    Part,
    Side,
    State,
    Step,
    StepKind,
)
from timebank.errors import NotFound
from timebank.members import MemberKind, Status, buddies, members

LONGEST_WORDS = 4000
"""Characters of a note, a reason, a question or an answer."""

_CHUNK = 500

entries = Table(
    "entry",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("category_id", Id),
    Column("occurred_on", Day, nullable=False),
    Column("note", Words, nullable=False),
    Column("salt", Hash, nullable=False),  # of the commitment to the words; erased with them
    Column("minutes", MinutesType, nullable=False),  # what was given, all givers together
    Column("state", Words, nullable=False),
    Column("contested", Flag, nullable=False),
    Column("agreement_version", Count, nullable=False),
    Column("recorded_by", Id, nullable=False),
    Column("on_behalf_of", Id),
    Column("recorded_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),  # the last step
    Column("posted_at", Instant),
    Column("reverses_id", Id),
    Column("reversed_by_id", Id),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "recorded_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "on_behalf_of"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "category_id"], ["category.community_id", "category.id"]),
    ForeignKeyConstraint(
        ["community_id", "agreement_version"], ["agreement.community_id", "agreement.version"]
    ),
    ForeignKeyConstraint(["community_id", "reverses_id"], ["entry.community_id", "entry.id"]),
    CheckConstraint("minutes > 0", name="minutes"),
    Index("ix_entry_waiting", "community_id", "state", "recorded_at"),
    Index(
        "ix_entry_contested",
        "community_id",
        "recorded_at",
        sqlite_where=text("contested = 1"),
        postgresql_where=text("contested"),
    ),
    Index("ix_entry_recorder", "community_id", "recorded_by", "state"),
    Index("ix_entry_day", "community_id", "occurred_on", "minutes"),
    sqlite_strict=True,
)

parts = Table(  # who takes part in an entry, on which side, with how many minutes
    "part",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("position", Count, nullable=False),
    Column("side", Words, nullable=False),
    Column("minutes", MinutesType, nullable=False),
    Column("awaited", Flag, nullable=False),  # we asked them and they have not answered
    Column("confirmed_at", Instant),
    Column("confirmed_by", Id),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "account_id"], ["account.community_id", "account.id"]),
    CheckConstraint("minutes > 0", name="minutes"),
    CheckConstraint("side IN ('gave', 'received')", name="side"),
    Index("ix_part_awaited", "community_id", "account_id", "awaited", "entry_id"),
    sqlite_strict=True,
)

steps = Table(  # the story of an entry; append-only, but its words can be erased with a person
    "step",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("member_id", Id),  # NULL: the agreement itself (silence, no coordinator needed)
    Column("at", Instant, nullable=False),
    Column("words", Words, nullable=False),  # a reason, a question, an answer
    Column("override", Flag, nullable=False),  # a hard floor was passed, for the reason given
    Column("stood_in", Flag, nullable=False),  # the other side's confirmation stood in
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)

# Aliases copy every column, so they are made once.
_RECORDER, _BEHALF = members.alias("recorder"), members.alias("behalf")
_MANAGER, _ORGANISATION = members.alias("manager"), members.alias("organisation")


async def get(conn: AsyncConnection, community: UUID, entry_id: UUID, *, by: UUID) -> Entry:
    """One entry, for those who may know of it; for everybody else there is none (`NotFound`)."""
    actor = await acting.one(conn, community, by)
    return await seen(conn, community, entry_id, actor)


async def known(conn: AsyncConnection, community: UUID, entry_id: UUID) -> bool:
    """Whether there is an entry of this id, whoever may know of it."""
    there = select(entries.c.id).where(
        entries.c.community_id == community, entries.c.id == entry_id
    )
    return (await conn.execute(there)).first() is not None


async def several(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], *, by: UUID
) -> list[Entry]:
    """Those of these entries that `by` may know of, in the order asked for."""
    actor = await acting.one(conn, community, by)
    found = await load(conn, community, ids)
    return [entry for entry in found if policy.may_see_entry(actor.member, entry, actor.acts_for)]


async def story(conn: AsyncConnection, community: UUID, entry_id: UUID) -> list[Step]:
    """What happened to an entry, in order. Whether somebody may read it, `get` says."""
    return (await stories(conn, community, [entry_id])).get(entry_id, [])


async def stories(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[Step]]:
    """What happened to each of these entries, in order and in one query; says not who may read."""
    rows = await conn.execute(
        select(steps, members.c.name.label("name"))
        .outerjoin(members, is_member(steps, steps.c.member_id))
        .where(steps.c.community_id == community, steps.c.entry_id.in_(set(ids)))
        .order_by(steps.c.entry_id, steps.c.number)
    )
    found: dict[UUID, list[Step]] = {}
    for row in rows:
        step = Step(
            row.number,
            StepKind(row.kind),
            row.member_id,
            row.name,
            row.at,
            row.words,
            row.override,
            row.stood_in,
        )
        found.setdefault(row.entry_id, []).append(step)
    return found


async def approved_by(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], member_id: UUID
) -> set[UUID]:
    """Those of these entries that this member approved."""
    rows = await conn.execute(
        select(steps.c.entry_id).where(
            steps.c.community_id == community,
            steps.c.entry_id.in_(set(ids)),
            steps.c.kind == StepKind.APPROVED.value,
            steps.c.member_id == member_id,
        )
    )
    return {row.entry_id for row in rows}


async def waiting_for(
    conn: AsyncConnection, community: UUID, member_id: UUID, limit: int
) -> list[Entry]:
    """What waits for a member's word, oldest first: entries to confirm, questions to answer.

    Entries of those they act for are among them.
    """
    asked = union(_awaited_from(community, member_id), _questions_to(community, member_id))
    return await _listed(conn, community, asked, limit, newest_first=False)


async def waiting_of(
    conn: AsyncConnection, community: UUID, member_id: UUID, limit: int
) -> list[Entry]:
    """What a member wrote down or stands in and what now waits for others, newest first."""
    theirs = _ids_of(community, member_id, OPEN)
    asked = union(_awaited_from(community, member_id), _questions_to(community, member_id))
    waiting = select(entries.c.id).where(
        entries.c.community_id == community,
        entries.c.id.in_(theirs),
        entries.c.id.not_in(asked),
    )
    return await _listed(conn, community, waiting, limit, newest_first=True)


async def recent_of(
    conn: AsyncConnection,
    community: UUID,
    member_id: UUID,
    limit: int,
    *,
    states: Collection[State] | None = None,
) -> list[Entry]:
    """What a member wrote down or stands in, newest first; with `states`, only those there."""
    wanted = tuple(states) if states is not None else tuple(State)
    theirs = _ids_of(community, member_id, wanted)
    return await _listed(conn, community, theirs, limit, newest_first=True)


async def every_of(
    conn: AsyncConnection,
    community: UUID,
    member_id: UUID,
    *,
    states: Collection[State] | None = None,
) -> AsyncIterator[Entry]:
    """All that `recent_of` begins with, read in chunks; for files of any length."""
    wanted = tuple(states) if states is not None else tuple(State)
    rows = await conn.execute(
        select(entries.c.id)
        .where(
            entries.c.community_id == community,
            entries.c.id.in_(_ids_of(community, member_id, wanted)),
        )
        .order_by(entries.c.recorded_at.desc(), entries.c.id.desc())
    )
    ids = [row.id for row in rows]
    for start in range(0, len(ids), _CHUNK):
        for entry in await load(conn, community, ids[start : start + _CHUNK]):
            yield entry


async def load(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> list[Entry]:
    """These entries in the order asked for, in two queries; what is not there is left out.

    Says nothing about who may see them.
    """
    if not ids:
        return []
    wanted = set(ids)
    rows = {row["id"]: row for row in await _rows(conn, community, wanted)}
    everyone: dict[UUID, list[Part]] = {}
    for entry_id, part in await _parts(conn, community, wanted):
        everyone.setdefault(entry_id, []).append(part)
    return [
        _entry(rows[id], tuple(everyone.get(id, ()))) for id in dict.fromkeys(ids) if id in rows
    ]


async def _rows(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> list[Any]:
    recorder, behalf = _RECORDER, _BEHALF
    category = communities.categories
    found = await conn.execute(
        select(
            entries,
            recorder.c.name.label("recorded_by_name"),
            behalf.c.name.label("on_behalf_of_name"),
            category.c.name.label("category"),
        )
        .join(
            recorder,
            and_(
                recorder.c.community_id == entries.c.community_id,
                recorder.c.id == entries.c.recorded_by,
            ),
        )
        .outerjoin(
            behalf,
            and_(
                behalf.c.community_id == entries.c.community_id,
                behalf.c.id == entries.c.on_behalf_of,
            ),
        )
        .outerjoin(
            category,
            and_(
                category.c.community_id == entries.c.community_id,
                category.c.id == entries.c.category_id,
            ),
        )
        .where(entries.c.community_id == community, entries.c.id.in_(ids))
    )
    return [row._mapping for row in found]


async def _parts(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> list[tuple[UUID, Part]]:
    """The parts of these entries in their written order. The commons is named as the community."""
    commons = communities.communities
    rows = await conn.execute(
        select(
            parts,
            func.coalesce(members.c.name, commons.c.name).label("name"),
            members.c.person_id,
            has_manager(parts.c.community_id, members.c.id, None).label("managed"),
        )
        .outerjoin(members, is_member(parts, parts.c.account_id))
        .outerjoin(commons, commons.c.id == parts.c.account_id)
        .where(parts.c.community_id == community, parts.c.entry_id.in_(ids))
        .order_by(parts.c.entry_id, parts.c.position)
    )
    return [
        (
            row.entry_id,
            Part(
                row.account_id,
                row.name or "",
                Side(row.side),
                row.minutes,
                row.awaited,
                row.confirmed_at,
                row.confirmed_by,
                row.person_id is not None or bool(row.managed),
            ),
        )
        for row in rows
    ]


def _entry(row: Any, everyone: tuple[Part, ...]) -> Entry:
    return Entry(
        community_id=row["community_id"],
        id=row["id"],
        kind=Kind(row["kind"]),
        category=row["category"],
        category_id=row["category_id"],
        occurred_on=row["occurred_on"],
        note=row["note"],
        minutes=row["minutes"],
        state=State(row["state"]),
        contested=row["contested"],
        agreement_version=row["agreement_version"],
        recorded_by=row["recorded_by"],
        recorded_by_name=row["recorded_by_name"],
        on_behalf_of=row["on_behalf_of"],
        on_behalf_of_name=row["on_behalf_of_name"],
        recorded_at=row["recorded_at"],
        touched_at=row["touched_at"],
        posted_at=row["posted_at"],
        reverses_id=row["reverses_id"],
        reversed_by_id=row["reversed_by_id"],
        parts=everyone,
    )


async def _listed(
    conn: AsyncConnection, community: UUID, ids: Any, limit: int, *, newest_first: bool
) -> list[Entry]:
    """At most `limit` of the entries a query of ids names, by when they were recorded."""
    at, id = entries.c.recorded_at, entries.c.id
    order = (at.desc(), id.desc()) if newest_first else (at, id)
    rows = await conn.execute(
        select(id)
        .where(entries.c.community_id == community, id.in_(ids))
        .order_by(*order)
        .limit(limit)
    )
    return await load(conn, community, [row.id for row in rows])


def _ids_of(community: UUID, member_id: UUID, states: Sequence[State]) -> Any:
    """The entries a member stands in or wrote down, in these states."""
    wanted = [state.value for state in states]
    stands = (
        select(entries.c.id)
        .join(
            parts,
            and_(parts.c.community_id == entries.c.community_id, parts.c.entry_id == entries.c.id),
        )
        .where(
            entries.c.community_id == community,
            parts.c.account_id == member_id,
            entries.c.state.in_(wanted),
        )
    )
    wrote = select(entries.c.id).where(
        entries.c.community_id == community,
        entries.c.recorded_by == member_id,
        entries.c.state.in_(wanted),
    )
    return union(stands, wrote)


def _awaited_from(community: UUID, member_id: UUID) -> Select[Any]:
    """Entries that wait for a member's own word, or for that of somebody they act for."""
    speaks_for = union_all(
        select(literal(member_id, Id)),
        select(buddies.c.member_id).where(
            buddies.c.community_id == community,
            buddies.c.buddy_id == member_id,
            buddies.c.until.is_(None),
        ),
    )
    return (
        select(entries.c.id)
        .join(
            parts,
            and_(parts.c.community_id == entries.c.community_id, parts.c.entry_id == entries.c.id),
        )
        .where(
            entries.c.community_id == community,
            entries.c.state.in_([State.RECORDED.value, State.CONFIRMED.value]),
            entries.c.recorded_by != member_id,
            parts.c.awaited,
            parts.c.account_id.in_(speaks_for),
        )
    )


def _questions_to(community: UUID, member_id: UUID) -> Select[Any]:
    return select(entries.c.id).where(
        entries.c.community_id == community,
        entries.c.recorded_by == member_id,
        entries.c.state == State.RETURNED.value,
    )


async def seen(conn: AsyncConnection, community: UUID, entry_id: UUID, actor: Actor) -> Entry:
    """One entry, if this actor may know of it; else `NotFound`."""
    found = await load(conn, community, [entry_id])
    if not found or not policy.may_see_entry(actor.member, found[0], actor.acts_for):
        raise NotFound("entry")
    return found[0]


async def one(conn: AsyncConnection, community: UUID, entry_id: UUID) -> Entry:
    """One entry that is known to be there."""
    (entry,) = await load(conn, community, [entry_id])
    return entry


def is_member(table: Any, id: Any) -> Any:
    """The condition that a row of `table` is the member with this id, of the entry's community."""
    return and_(members.c.community_id == table.c.community_id, members.c.id == id)


def has_manager(community: Any, member: Any, other_than: UUID | None) -> Any:
    """Whether an organisation has a manager with a sign-in, other than the one who writes."""
    manager, organisation = _MANAGER, _ORGANISATION
    found = (
        select(buddies.c.id)
        .join(
            manager,
            and_(
                manager.c.community_id == buddies.c.community_id,
                manager.c.id == buddies.c.buddy_id,
            ),
        )
        .join(
            organisation,
            and_(
                organisation.c.community_id == buddies.c.community_id,
                organisation.c.id == buddies.c.member_id,
            ),
        )
        .where(
            buddies.c.community_id == community,
            buddies.c.member_id == member,
            buddies.c.until.is_(None),
            organisation.c.kind == MemberKind.ORGANISATION.value,
            manager.c.person_id.is_not(None),
            manager.c.status == Status.ACTIVE.value,
        )
    )
    if other_than is not None:
        found = found.where(manager.c.id != other_than)
    return exists(found.correlate_except(buddies, manager, organisation))
