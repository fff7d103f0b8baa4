"""Batches: entries that came in together, from a sheet or a file, and can be undone together.

Undoing a batch takes back each of its entries as if it were undone alone: what is posted is
reversed through the door, what waits is withdrawn. It may be asked for again, and then goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from ledger.sql import metadata
from ledger.sql.types import Count, Hash, Id, Instant, Words
from timebank import acting, audit, entry_steps, flow, policy, posting
from timebank.acting import Actor
from timebank.db import Database
from timebank.entries import LONGEST_WORDS, entries, load, parts
from timebank.entry import OPEN, Entry, Kind, State
from timebank.errors import BadInput, Forbidden, NotFound, ReasonMissing, TimebankError
from timebank.members import members
from timebank.moment import Moment
from timebank.posting import Done, Refused, Verdict

_CHUNK = 200
_NAMED = 100  # of the entries that somebody else has to undo


class Source(StrEnum):
    """Where a batch came from."""

    SHEET = "sheet"  # typed in
    IMPORT = "import"


batches = Table(
    "batch",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("source", Words, nullable=False),
    Column("label", Words, nullable=False),  # what it was called, or the file's name
    Column("fingerprint", Hash),  # of a file: the same one a second time changes nothing
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    Index("ix_batch_made", "community_id", "made_at"),
    sqlite_strict=True,
)

batch_entries = Table(
    "batch_entry",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("batch_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("position", Count, nullable=False),  # the row of the sheet or file, from 1 on
    ForeignKeyConstraint(["community_id", "batch_id"], ["batch.community_id", "batch.id"]),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    UniqueConstraint("community_id", "entry_id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, by whom and when (UTC) it was made, and how many entries are in it."""

    id: UUID
    source: Source
    label: str
    made_by: UUID
    made_by_name: str
    made_at: datetime
    entries: int


async def begin(
    conn: AsyncConnection,
    community: UUID,
    source: Source,
    label: str,
    *,
    by: UUID,
    now: Moment,
    id: UUID | None = None,
    fingerprint: bytes | None = None,
) -> UUID:
    """A new, empty batch. Who may make one, the caller has asked."""
    batch_id = id or now.new_id()
    await conn.execute(
        insert(batches).values(
            community_id=community,
            id=batch_id,
            source=source.value,
            label=label,
            fingerprint=fingerprint,
            made_by=by,
            made_at=now.at,
        )
    )
    return batch_id


async def begin_once(
    conn: AsyncConnection,
    community: UUID,
    source: Source,
    label: str,
    *,
    by: UUID,
    now: Moment,
    id: UUID,
) -> bool:
    """`begin` under an id that somebody chose; False if it is taken, and nothing is changed.

    Of two at the same moment, the second waits for the first.
    """
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    done = await conn.execute(
        dialect.insert(batches)
        .values(
            community_id=community,
            id=id,
            source=source.value,
            label=label,
            made_by=by,
            made_at=now.at,
        )
        .on_conflict_do_nothing()
    )
    return done.rowcount == 1


def entry_id(batch: UUID, row: int) -> UUID:
    """The id of the entry that a row of a sheet becomes: always the same, in the order of rows.

    A UUID version 7 with the batch's moment, the row, and bits that come from both.
    """
    rest = int.from_bytes(sha256(batch.bytes + row.to_bytes(4, "big")).digest()[:8], "big")
    value = batch.int >> 80 << 80 | 0x7 << 76 | (row & 0xFFF) << 64 | 0x2 << 62 | rest >> 2
    return UUID(int=value)


async def add(
    conn: AsyncConnection, community: UUID, batch: UUID, rows: Iterable[tuple[int, UUID]]
) -> None:
    """Put entries into a batch, each with the row it came from."""
    values = [
        {"community_id": community, "batch_id": batch, "entry_id": entry, "position": position}
        for position, entry in rows
    ]
    if values:
        await conn.execute(insert(batch_entries), values)


async def get(conn: AsyncConnection, community: UUID, batch: UUID) -> Batch:
    """One batch, or `NotFound`."""
    for found in await _read(conn, community, batches.c.id == batch, limit=1):
        return found
    raise NotFound("batch")


async def known(conn: AsyncConnection, community: UUID, batch: UUID) -> bool:
    """Whether there is a batch of this id."""
    there = select(batches.c.id).where(batches.c.community_id == community, batches.c.id == batch)
    return (await conn.execute(there)).first() is not None


async def latest(conn: AsyncConnection, community: UUID, limit: int | None = 50) -> list[Batch]:
    """The batches of a community, the newest first; without a `limit`, all of them."""
    return await _read(conn, community, None, limit=limit)


async def entries_of(
    conn: AsyncConnection, community: UUID, batch: UUID, limit: int | None = None
) -> list[UUID]:
    """The ids of a batch's entries in the order of their rows: all, or the first `limit`."""
    rows = await conn.execute(
        select(batch_entries.c.entry_id)
        .where(batch_entries.c.community_id == community, batch_entries.c.batch_id == batch)
        .order_by(batch_entries.c.position, batch_entries.c.entry_id)
        .limit(limit)
    )
    return [row.entry_id for row in rows]


async def of_entry(conn: AsyncConnection, community: UUID, entry: UUID) -> UUID | None:
    """The batch an entry came in with, if it came in with one."""
    return await conn.scalar(
        select(batch_entries.c.batch_id).where(
            batch_entries.c.community_id == community, batch_entries.c.entry_id == entry
        )
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How many entries of a batch are in a state, and their minutes together."""

    entries: int
    minutes: Minutes


async def standing(conn: AsyncConnection, community: UUID, batch: UUID) -> dict[State, Standing]:
    """Where the entries of a batch stand; states that none is in are left out."""
    rows = await conn.execute(
        select(
            entries.c.state, func.count().label("number"), func.sum(entries.c.minutes).label("sum")
        )
        .join(batch_entries, _of_batch())
        .where(batch_entries.c.community_id == community, batch_entries.c.batch_id == batch)
        .group_by(entries.c.state)
    )
    return {State(row.state): Standing(row.number, row.sum) for row in rows}


# ── Undoing ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Undoing:
    """What undoing a batch would do, in numbers of entries.

    `moved_back` are on the statements, `minutes` of them together; `taken_back` still wait.
    `not_by_me`: the coordinator who asks would gain from undoing these, so another one has to; the
    first of them are named. What is over already is left out.
    """

    moved_back: int
    minutes: Minutes
    taken_back: int
    not_by_me: int
    first_not_by_me: tuple[UUID, ...]

    @property
    def count(self) -> int:
        """How many entries this coordinator could undo."""
        return self.moved_back + self.taken_back


async def undoing(conn: AsyncConnection, community: UUID, batch: UUID, *, by: UUID) -> Undoing:
    """What undoing a batch would do if coordinator `by` asked for it now (`Forbidden`).

    In a few statements, however many entries there are.
    """
    actor = await _coordinator(conn, community, by)
    await _refuse_file(conn, community, batch)
    ours = (batch_entries.c.community_id == community, batch_entries.c.batch_id == batch)
    posted = and_(entries.c.state == State.APPROVED.value, entries.c.reverses_id.is_(None))
    gains = _gains_from_undoing(actor)
    waits = entries.c.state.in_([state.value for state in OPEN])
    back = and_(posted, ~gains)
    row = (
        await conn.execute(
            select(
                func.count().filter(back).label("back"),
                func.sum(entries.c.minutes).filter(back).label("minutes"),
                func.count().filter(waits).label("open"),
                func.count().filter(and_(posted, gains)).label("not_mine"),
            )
            .join(batch_entries, _of_batch())
            .where(*ours)
        )
    ).one()
    first = await conn.execute(
        select(entries.c.id)
        .join(batch_entries, _of_batch())
        .where(*ours, posted, gains)
        .order_by(batch_entries.c.position, entries.c.id)
        .limit(_NAMED)
    )
    ids = tuple(one.id for one in first)
    return Undoing(row.back, row.minutes or ZERO, row.open, row.not_mine, ids)


def _gains_from_undoing(actor: Actor) -> Any:
    """What `policy.gains` says of undoing an entry, for the database."""
    mine = [actor.member.account_id, *actor.manages]
    sides = [
        and_(entries.c.kind == kind.value, parts.c.side != flow.gaining_side(kind).value)
        for kind in Kind
    ]
    return exists().where(
        parts.c.community_id == entries.c.community_id,
        parts.c.entry_id == entries.c.id,
        parts.c.account_id.in_(mine),
        or_(*sides),
    )


@dataclass(frozen=True, slots=True)
class Undone:
    """How many entries were moved back and taken back, and which refused, each with its reason."""

    moved_back: int
    taken_back: int
    refused: tuple[Refused, ...]


async def undo(
    db: Database,
    community: UUID,
    batch: UUID,
    *,
    by: UUID,
    reason: str,
    override: bool = False,
    now: Moment,
    progress: Callable[[int, int], None] | None = None,
) -> Undone:
    """Undo every entry of a batch, the last row first, for a reason everyone concerned can read.

    Backwards, so that balances go through where they came from and no floor is in the way that was
    not then; `override` passes those that are. What is over already stays as it is, so asking again
    changes nothing. Each entry is undone or not by itself: what is refused (`OwnGain`, a floor) is
    told, and the others are done. Refuses with `Forbidden` (a file too: it is undone as a whole, by
    `imports.undoing`), `NotFound` and `ReasonMissing`.
    `progress` is told how many entries were looked at, and how many there are.
    """
    _refuse_reason(reason)
    async with db.read(community) as conn:
        await _coordinator(conn, community, by)
        await _refuse_file(conn, community, batch)
        ids = (await entries_of(conn, community, batch))[::-1]
    back, open_ = 0, 0
    refused: list[Refused] = []
    for start in range(0, len(ids), _CHUNK):
        async with db.read(community) as conn:
            some = await load(conn, community, ids[start : start + _CHUNK])
        posted = [entry.id for entry in some if _is_posted(entry)]
        asked = [posting.Undo(community, id, by, reason, override) for id in posted]
        answers: list[Verdict] = await posting.post(db, asked, now=now)
        back += sum(isinstance(one, Done) and not one.replayed for one in answers)
        waiting = [entry for entry in some if entry.state in OPEN]
        answers += [await _take_back(db, entry, by, reason, now) for entry in waiting]
        open_ += sum(isinstance(one, Done) for one in answers[len(asked) :])
        refused += [one for one in answers if isinstance(one, Refused)]
        if progress is not None:
            progress(min(start + _CHUNK, len(ids)), len(ids))
    if back or open_:
        await _note_undone(db, community, batch, back + open_, by, now)
    return Undone(back, open_, tuple(refused))


async def _refuse_file(conn: AsyncConnection, community: UUID, batch: UUID) -> None:
    """Hours of a file are undone with all else that it brought, and by a steward."""
    if (await get(conn, community, batch)).source is Source.IMPORT:
        raise Forbidden("undo")


def _refuse_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing
    if len(reason) > LONGEST_WORDS:
        raise BadInput("words", "too_long", LONGEST_WORDS)


def _is_posted(entry: Entry) -> bool:
    """Whether it stands on the statements and undoes nothing itself."""
    return entry.state is State.APPROVED and entry.reverses_id is None


async def _take_back(
    db: Database, entry: Entry, by: UUID, reason: str, now: Moment
) -> Done | Refused:
    """Withdraw an entry that waits, unless it was decided on meanwhile."""
    try:
        async with db.write(entry.community_id) as conn:
            await entry_steps.withdraw(conn, entry.community_id, entry.id, reason, by=by, now=now)
    except TimebankError as error:
        return Refused(entry.id, error)
    return Done(entry.id, 0, replayed=False)


async def _note_undone(
    db: Database, community: UUID, batch: UUID, count: int, by: UUID, now: Moment
) -> None:
    async with db.write(community) as conn:
        await audit.write(
            conn,
            community,
            actor=by,
            action="batch.undone",
            subject_kind="batch",
            subject=batch,
            facts={"entries": count},
            now=now,
        )


async def _coordinator(conn: AsyncConnection, community: UUID, by: UUID) -> Actor:
    actor = await acting.active(conn, community, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden("batch")
    return actor


def _of_batch() -> Any:
    return and_(
        batch_entries.c.community_id == entries.c.community_id,
        batch_entries.c.entry_id == entries.c.id,
    )


async def _read(
    conn: AsyncConnection, community: UUID, which: Any, *, limit: int | None
) -> list[Batch]:
    count = (
        select(func.count())
        .where(
            batch_entries.c.community_id == batches.c.community_id,
            batch_entries.c.batch_id == batches.c.id,
        )
        .scalar_subquery()
    )
    query = (
        select(batches, members.c.name, count.label("entries"))
        .join(
            members,
            and_(
                members.c.community_id == batches.c.community_id,
                members.c.id == batches.c.made_by,
            ),
        )
        .where(batches.c.community_id == community)
        .order_by(batches.c.made_at.desc(), batches.c.id.desc())
        .limit(limit)
    )
    if which is not None:
        query = query.where(which)
    return [
        Batch(
            row.id,
            Source(row.source),
            row.label,
            row.made_by,
            row.name,
            row.made_at,
            row.entries,
        )
        for row in await conn.execute(query)
    ]
