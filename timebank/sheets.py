"""Sheets: what was written on paper, typed in row by row, checked as a whole, posted as a batch.

    lines ─► check ─► what each row would become, and what is worth a second look
          └► post ──► one transaction records all rows or none, then the door posts what this
                      coordinator may approve; the rest waits, as any entry does

Each row becomes an entry of its own. The batch's id comes with the sheet and the entries' ids come
from it, so a double click or a retry finds what is there and writes nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Account, LedgerError, Minutes
from ledger.errors import FloorReached, KeyReused
from ledger.minutes import round_to
from ledger.sql import read
from timebank import (
    acting,
    agreements,
    audit,
    batches,
    communities,
    entries,
    flow,
    notices,
    policy,
    posting,
    recording,
    shapes,
)
from timebank.acting import Actor
from timebank.agreements import OtherSide, Terms
from timebank.batches import Source
from timebank.db import Database
from timebank.entry import Entry, Kind, NewEntry, Share, State, StepKind
from timebank.errors import (
    BadInput,
    DayAhead,
    Forbidden,
    NotConfirmed,
    OwnGain,
    SamePersonTwice,
    TimebankError,
)
from timebank.members import members
from timebank.moment import Moment
from timebank.notices import EntryNews
from timebank.posting import Approve, Done, Refused, Verdict
from timebank.shapes import NewPart

MOST_ROWS = 100
"""Rows of one sheet. Two sheets are easier to look through than one that long."""

_LONG_AGO = timedelta(days=183)
_DEAD = (State.WITHDRAWN.value, State.DECLINED.value, State.REVERSED.value)

Refusal: TypeAlias = TimebankError | LedgerError


@dataclass(frozen=True, slots=True)
class Line:
    """One row with its names found: who gave whom how many minutes, on which day, for what.

    `row` is its number on the sheet, from 1 on.
    """

    row: int
    kind: Kind
    giver: UUID
    receiver: UUID
    minutes: Minutes
    day: date
    note: str = ""
    category_id: UUID | None = None

    @property
    def new(self) -> NewEntry:
        """The entry it becomes."""
        return NewEntry(
            self.kind,
            (Share(self.giver),),
            (Share(self.receiver),),
            self.minutes,
            self.day,
            self.note,
            self.category_id,
        )


@dataclass(frozen=True, slots=True)
class Twice:
    """The same stands on an earlier row of the sheet, or is written down already."""

    row: int | None = None
    entry_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class LongAgo:
    """The day lies more than half a year back; perhaps it is the year that slipped."""

    day: date


class Below(NamedTuple):
    """Somebody who would stand below the soft floor, and where they would stand."""

    name: str
    after: Minutes


Remark: TypeAlias = Twice | LongAgo | Below
"""What is worth a second look and hinders nothing."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a row would become.

    `minutes` are those of the line, rounded as the agreement says. `refused`: it cannot be written
    down as it stands. `waits`: it can, and then waits for the reason given, because this
    coordinator may not let it count.
    """

    line: Line
    minutes: Minutes
    refused: Refusal | None = None
    waits: Refusal | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it would be on the statements at once."""
        return self.refused is None and self.waits is None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The row that could not be written down after all. Nothing of the sheet was written."""

    row: int
    error: Refusal


@dataclass(frozen=True, slots=True)
class Posted:
    """The batch that a sheet became, and what the door said to each of its rows."""

    batch: UUID
    verdicts: tuple[Verdict, ...]

    @property
    def counted(self) -> int:
        """How many rows are on the statements."""
        return sum(isinstance(verdict, Done) for verdict in self.verdicts)


# ── Checking ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Scene:
    """All that checking depends on, read in a number of queries that no sheet makes larger."""

    commons: UUID
    today: date
    terms: Terms
    actor: Actor
    names: Mapping[UUID, str]
    askable: frozenset[UUID]
    accounts: Mapping[UUID, Account]
    known: Sequence[Entry]
    stands: dict[UUID, Minutes]  # where each account would stand after the rows so far


async def check(
    conn: AsyncConnection,
    community: UUID,
    lines: Sequence[Line],
    *,
    by: UUID,
    now: Moment,
    batch: UUID | None = None,
) -> list[Checked]:
    """What each line would become if coordinator `by` posted the sheet now. Writes nothing.

    Balances are followed from row to row. Entries of `batch`, if it is there already, do not count
    as written down before. Refuses with `Forbidden`, and with what `acting.active` refuses.
    """
    actor = await _coordinator(conn, community, by)
    scene = await _scene(conn, community, lines, actor, now, batch)
    seen: dict[tuple[Any, ...], int] = {}
    checked = []
    for line in lines:
        found = _check(scene, line, seen)
        seen.setdefault(_same(line.giver, line.receiver, line.day, found.minutes), line.row)
        checked.append(found)
    return checked


async def _coordinator(conn: AsyncConnection, community: UUID, by: UUID) -> Actor:
    actor = await acting.active(conn, community, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden("sheet")
    return actor


async def _scene(
    conn: AsyncConnection,
    community: UUID,
    lines: Sequence[Line],
    actor: Actor,
    now: Moment,
    batch: UUID | None,
) -> _Scene:
    place = await communities.by_id(conn, community)
    named = {id for line in lines for id in (line.giver, line.receiver)}
    people = named - {place.commons_id}
    rows = await conn.execute(
        select(
            members.c.id,
            members.c.name,
            members.c.person_id,
            entries.has_manager(members.c.community_id, members.c.id, actor.id).label("managed"),
        ).where(members.c.community_id == community, members.c.id.in_(people))
    )
    found = {row.id: row for row in rows}
    accounts = await read.accounts(conn, community, named)
    return _Scene(
        commons=place.commons_id,
        today=now.day_in(place.timezone),
        terms=(await agreements.current(conn, community)).terms,
        actor=actor,
        names={place.commons_id: place.name} | {id: row.name for id, row in found.items()},
        askable=frozenset(id for id, row in found.items() if row.person_id or row.managed),
        accounts=accounts,
        known=await _written_down(conn, community, people, {line.day for line in lines}, batch),
        stands={id: account.balance for id, account in accounts.items()},
    )


async def _written_down(
    conn: AsyncConnection,
    community: UUID,
    people: Collection[UUID],
    days: Collection[date],
    batch: UUID | None,
) -> list[Entry]:
    """What these people did on these days and what still stands, outside of this batch."""
    table, parts = entries.entries, entries.parts
    ours = select(batches.batch_entries.c.entry_id).where(
        batches.batch_entries.c.community_id == community,
        batches.batch_entries.c.batch_id == batch,
    )
    query = (
        select(table.c.id)
        .distinct()
        .join(
            parts,
            and_(parts.c.community_id == table.c.community_id, parts.c.entry_id == table.c.id),
        )
        .where(
            table.c.community_id == community,
            parts.c.account_id.in_(people),
            table.c.occurred_on.in_(days),
            table.c.state.not_in(_DEAD),
            table.c.reverses_id.is_(None),
        )
    )
    if batch is not None:
        query = query.where(table.c.id.not_in(ours))
    return await entries.load(conn, community, [row.id for row in await conn.execute(query)])


def _check(scene: _Scene, line: Line, seen: Mapping[tuple[Any, ...], int]) -> Checked:
    """One row, on what the rows before it leave behind."""
    rounded = round_to(line.minutes, scene.terms.step, scene.terms.rounding)
    try:
        if line.day > scene.today:
            raise DayAhead(line.day)
        if len(line.note) > entries.LONGEST_WORDS:
            raise BadInput("note", "too_long", entries.LONGEST_WORDS)
        if line.giver == line.receiver:
            raise SamePersonTwice(scene.names.get(line.giver, ""))
        parts = shapes.resolve(line.new, scene.terms.step, scene.terms.rounding)
    except (TimebankError, LedgerError) as error:
        return Checked(line, rounded, refused=error.with_traceback(None))
    waits = _waits(scene, line.kind, parts)
    remarks = _remarks(scene, line, rounded, seen)
    if waits is None:
        waits, below = _follow(scene, line.kind, line.giver, line.receiver, rounded)
        remarks += below
    return Checked(line, rounded, waits=waits, remarks=remarks)


def _waits(scene: _Scene, kind: Kind, parts: Sequence[NewPart]) -> Refusal | None:
    """Why this coordinator may not let it count, whatever the balances are."""
    mine = {scene.actor.member.account_id, *scene.actor.manages}
    if mine & flow.gainers(kind, parts):
        return OwnGain("approve")
    if scene.terms.other_side is OtherSide.CONFIRMS:
        own = {part.side for part in parts if part.account_id == scene.actor.id}
        if any(part.account_id in scene.askable for part in parts if part.side not in own):
            return NotConfirmed()
    return None


def _remarks(
    scene: _Scene, line: Line, minutes: Minutes, seen: Mapping[tuple[Any, ...], int]
) -> tuple[Remark, ...]:
    found: list[Remark] = []
    same = _same(line.giver, line.receiver, line.day, minutes)
    if same in seen:
        found.append(Twice(row=seen[same]))
    for entry in scene.known:
        alone = len(entry.givers) == len(entry.receivers) == 1
        giver, receiver = entry.givers[0].account_id, entry.receivers[0].account_id
        if alone and _same(giver, receiver, entry.occurred_on, entry.minutes) == same:
            found.append(Twice(entry_id=entry.id))
            break
    if scene.today - line.day > _LONG_AGO:
        found.append(LongAgo(line.day))
    return tuple(found)


def _same(giver: UUID, receiver: UUID, day: date, minutes: Minutes) -> tuple[Any, ...]:
    return giver, receiver, day, minutes


def _follow(
    scene: _Scene, kind: Kind, giver: UUID, receiver: UUID, minutes: Minutes
) -> tuple[Refusal | None, tuple[Below, ...]]:
    """Move the hours in thought: what a hard floor refuses, and who comes below the soft one."""
    moved = flow.transfer(kind, giver, receiver, minutes)
    source = scene.accounts.get(moved.source)
    if source is None or moved.destination not in scene.accounts:
        return None, ()
    left = scene.stands[moved.source] - minutes
    if source.floor is not None and left < source.floor:
        stands = scene.stands[moved.source]
        return FloorReached(moved.source, source.floor, stands, minutes), ()
    scene.stands[moved.source] = left
    scene.stands[moved.destination] += minutes
    if moved.source != scene.commons and left < scene.terms.soft_floor:
        return None, (Below(scene.names.get(moved.source, ""), left),)
    return None, ()


# ── Posting ──────────────────────────────────────────────────────────────────────────────────────


class _StopAt(Exception):
    def __init__(self, row: int, error: Refusal) -> None:
        super().__init__(row)
        self.row, self.error = row, error


async def post(
    db: Database,
    community: UUID,
    lines: Sequence[Line],
    *,
    batch: UUID,
    label: str,
    by: UUID,
    now: Moment,
) -> Posted | Stopped:
    """Write all rows down as one batch, or none of them, and post what `by` may approve.

    What may not count yet waits like any other entry, and those concerned are told. Posting the
    same sheet again answers the same; another one under the same id raises `KeyReused`. Refuses
    with `Forbidden`; raises what `posting.post` raises, and then posting again is safe.
    """
    if not 0 < len(lines) <= MOST_ROWS:
        raise BadInput("rows", "too_many" if lines else "missing", MOST_ROWS)
    try:
        async with db.write(community) as conn:
            untold = await _record(conn, community, lines, batch, label, by, now)
    except _StopAt as stopped:
        return Stopped(stopped.row, stopped.error)
    ids = [batches.entry_id(batch, line.row) for line in lines]
    verdicts = await posting.post(db, [Approve(community, id, by) for id in ids], now=now)
    refused = [verdict.entry_id for verdict in verdicts if isinstance(verdict, Refused)]
    await _tell(db, community, [id for id in refused if id in untold], by, now)
    return Posted(batch, tuple(verdicts))


async def _record(
    conn: AsyncConnection,
    community: UUID,
    lines: Sequence[Line],
    batch: UUID,
    label: str,
    by: UUID,
    now: Moment,
) -> set[UUID]:
    """Record each row under its id. Those whose people hear of them when they count."""
    await _coordinator(conn, community, by)
    is_new = await batches.begin_once(
        conn, community, Source.SHEET, label, by=by, now=now, id=batch
    )
    if not is_new:
        await _refuse_another(conn, community, lines, batch, by)
    checked = await check(conn, community, lines, by=by, now=now, batch=batch)
    untold = set()
    for one in checked:
        id = batches.entry_id(batch, one.line.row)
        try:
            await recording.record(
                conn, community, one.line.new, by=by, now=now, entry_id=id, tell=not one.counts
            )
        except (TimebankError, LedgerError) as error:
            raise _StopAt(one.line.row, error) from None
        if one.counts and is_new:
            untold.add(id)
    if is_new:
        rows = [(line.row, batches.entry_id(batch, line.row)) for line in lines]
        await batches.add(conn, community, batch, rows)
        await audit.write(
            conn,
            community,
            actor=by,
            action="batch.made",
            subject_kind="batch",
            subject=batch,
            facts={"entries": len(lines)},
            now=now,
        )
    return untold


async def _refuse_another(
    conn: AsyncConnection, community: UUID, lines: Sequence[Line], batch: UUID, by: UUID
) -> None:
    """The batch that is there has to be this sheet, sent by the same coordinator."""
    there = await batches.get(conn, community, batch)
    rows = {batches.entry_id(batch, line.row) for line in lines}
    entries_there = set(await batches.entries_of(conn, community, batch))
    if there.made_by != by or there.source is not Source.SHEET or rows != entries_there:
        raise KeyReused(batch)


async def _tell(db: Database, community: UUID, ids: Sequence[UUID], by: UUID, now: Moment) -> None:
    """Tell those concerned of entries that were expected to count, and wait after all."""
    if not ids:
        return
    async with db.write(community) as conn:
        name = (await acting.one(conn, community, by)).member.name
        found = await entries.load(conn, community, ids)
        news = [EntryNews(entry, StepKind.RECORDED, by, name) for entry in found]
        await notices.entry_steps(conn, community, news, now=now)


def total(checked: Sequence[Checked]) -> Minutes:
    """The minutes of these rows together."""
    return sum((one.minutes for one in checked), ZERO)
