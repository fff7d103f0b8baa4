"""The files that were uploaded: their tables, where each one stands, and the rows kept aside.

    reading ─► matching ─► checking ─► checked ─► running ─► done ─► undoing ─► undone
       └► refused             └─ again, as often as wanted ─┘

While somebody works on it, `touched_at` moves on. Who stopped on the way (a power cut) left nothing
half done: `recover` puts the file back to where the step began. Rows are what somebody else wrote
about people, so they are forgotten as soon as they were brought in, and with the file at the
latest after `FORGOTTEN_AFTER`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Hash, Id, Instant, Json, Words
from timebank.errors import NotFound, WrongState
from timebank.members import members
from timebank.moment import Moment

STALE_AFTER = timedelta(minutes=3)
"""Nobody works any more on a file that was not touched for so long."""

FORGOTTEN_AFTER = timedelta(days=14)
"""What was uploaded and never brought in is forgotten after that."""


class What(StrEnum):
    """What the rows of a file are."""

    PEOPLE = "people"
    ORGANISATIONS = "organisations"
    AFFILIATIONS = "affiliations"
    LISTINGS = "listings"
    HOURS = "hours"


class Stage(StrEnum):
    """Where a file stands."""

    READING = "reading"
    REFUSED = "refused"
    MATCHING = "matching"
    CHECKING = "checking"
    CHECKED = "checked"
    RUNNING = "running"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


WORKING = (Stage.READING, Stage.CHECKING, Stage.RUNNING, Stage.UNDOING)
"""Stages in which the program is at work on it."""

BROUGHT_IN = (Stage.DONE, Stage.UNDOING, Stage.UNDONE)
"""Stages of a file that left something behind in the books or among the members."""

_BACK_TO = {
    Stage.READING: Stage.REFUSED,
    Stage.CHECKING: Stage.MATCHING,
    Stage.RUNNING: Stage.CHECKED,
    Stage.UNDOING: Stage.DONE,
}


class Verdict(StrEnum):
    """What bringing in a row would do."""

    NEW = "new"
    THERE = "there"  # nothing: it is here already
    MISTAKE = "mistake"


incoming = Table(
    "import",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("name", Words, nullable=False),  # the file's
    Column("fingerprint", Hash, nullable=False),  # of its bytes
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("stage", Words, nullable=False),
    Column("touched_at", Instant, nullable=False),
    Column("turn", Count, nullable=False),  # grows each time work on it begins
    Column("rows", Count, nullable=False),
    Column("done", Count, nullable=False),  # of the work under way
    Column("found", Json, nullable=False),  # what the file is: format, encoding, headings …
    Column("what", Words),
    Column("settings", Json, nullable=False),  # which column is what, and how to read it
    Column("outcome", Json, nullable=False),  # totals of the check, or of what was brought in
    Column("batch_id", Id),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "batch_id"], ["batch.community_id", "batch.id"]),
    CheckConstraint(
        "stage IN ('reading', 'refused', 'matching', 'checking', 'checked', 'running', 'done', "
        "'undoing', 'undone')",
        name="stage",
    ),
    Index("ix_import_made", "community_id", "made_at"),
    Index("ix_import_fingerprint", "community_id", "fingerprint"),
    sqlite_strict=True,
)

rows = Table(  # what a file says, until it was brought in
    "import_row",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("import_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),  # as a spreadsheet shows it
    Column("cells", Json, nullable=False),
    Column("verdict", Words),
    Column("says", Json, nullable=False),  # why, and what would be
    Column("day", Day),  # the order in which hours are brought in
    ForeignKeyConstraint(["community_id", "import_id"], ["import.community_id", "import.id"]),
    Index("ix_import_row_day", "community_id", "import_id", "day", "number"),
    Index("ix_import_row_verdict", "community_id", "import_id", "verdict", "number"),
    sqlite_strict=True,
)

made = Table(  # what a file added, besides entries: those are in its batch
    "import_made",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("import_id", Id, primary_key=True),
    Column("kind", Words, primary_key=True),  # member, affiliation, listing, buddy …
    Column("thing_id", Id, primary_key=True),
    ForeignKeyConstraint(["community_id", "import_id"], ["import.community_id", "import.id"]),
    sqlite_strict=True,
)

remembered = Table(  # which column is what, for files with the same headings
    "import_columns",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("headings", Hash, primary_key=True),
    Column("what", Words, nullable=False),
    Column("settings", Json, nullable=False),
    Column("used_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    sqlite_strict=True,
)

numbers = Table(  # what other programs call a member
    "member_number",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("number", Words, primary_key=True),
    Column("member_id", Id, nullable=False),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    Index("ix_member_number_member", "community_id", "member_id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class File:
    """A file and where it stands. `rows` and `done` count rows; moments are UTC."""

    community_id: UUID
    id: UUID
    name: str
    fingerprint: bytes
    made_by: UUID
    made_by_name: str
    made_at: datetime
    stage: Stage
    touched_at: datetime
    turn: int
    rows: int
    done: int
    found: Mapping[str, Any]
    what: What | None
    settings: Mapping[str, Any]
    outcome: Mapping[str, Any]
    batch_id: UUID | None

    @property
    def working(self) -> bool:
        """Whether the program is at work on it."""
        return self.stage in WORKING

    @property
    def below(self) -> int:
        """How many rows there are below the headings."""
        return self.rows - int(self.found.get("above", 0))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its number as a spreadsheet shows it, its cells, and what is said of it.

    `says` has a reason, facts for its sentence, and remarks; see `planning`.
    """

    number: int
    cells: Sequence[str]
    verdict: Verdict | None = None
    says: Mapping[str, Any] = field(default_factory=dict)
    day: date | None = None


async def begin(
    conn: AsyncConnection,
    community: UUID,
    name: str,
    fingerprint: bytes,
    *,
    by: UUID,
    now: Moment,
) -> File:
    """A file that was uploaded and is read now. Who may upload one, the caller has asked."""
    id = now.new_id()
    await conn.execute(
        insert(incoming).values(
            community_id=community,
            id=id,
            name=name,
            fingerprint=fingerprint,
            made_by=by,
            made_at=now.at,
            stage=Stage.READING.value,
            touched_at=now.at,
            turn=1,
            rows=0,
            done=0,
            found={},
            settings={},
            outcome={},
        )
    )
    return await get(conn, community, id)


async def get(conn: AsyncConnection, community: UUID, id: UUID) -> File:
    """One file, or `NotFound`."""
    for file in await _files(conn, community, incoming.c.id == id, limit=1):
        return file
    raise NotFound("import")


async def latest(conn: AsyncConnection, community: UUID, limit: int | None = 50) -> list[File]:
    """The files of a community, the newest first."""
    return await _files(conn, community, None, limit=limit)


async def of_batch(conn: AsyncConnection, community: UUID, batch: UUID) -> File | None:
    """The file whose hours are in a batch, if it came from a file."""
    found = await _files(conn, community, incoming.c.batch_id == batch, limit=1)
    return found[0] if found else None


async def same_as(conn: AsyncConnection, file: File) -> File | None:
    """The same bytes, brought in before and not undone."""
    earlier = (
        incoming.c.fingerprint == file.fingerprint,
        incoming.c.id != file.id,
        incoming.c.stage == Stage.DONE.value,
    )
    found = await _files(conn, file.community_id, and_(*earlier), limit=1)
    return found[0] if found else None


async def move(
    conn: AsyncConnection,
    file: File,
    frm: Sequence[Stage],
    to: Stage,
    *,
    now: Moment,
    same_turn: bool = False,
    **values: Any,
) -> None:
    """Move a file on, or `WrongState`: somebody else was quicker.

    Work begins with a new turn; with `same_turn`, only whoever has the file's turn may go on.
    """
    begins = to in WORKING
    where = [
        incoming.c.community_id == file.community_id,
        incoming.c.id == file.id,
        incoming.c.stage.in_([stage.value for stage in frm]),
    ]
    if same_turn:
        where.append(incoming.c.turn == file.turn)
    moved = await conn.execute(
        update(incoming)
        .where(*where)
        .values(
            stage=to.value,
            touched_at=now.at,
            turn=incoming.c.turn + 1 if begins else incoming.c.turn,
            **({"done": 0} if begins else {}),
            **values,
        )
    )
    if moved.rowcount != 1:
        raise WrongState((await get(conn, file.community_id, file.id)).stage, to.value)


async def beat(conn: AsyncConnection, file: File, done: int, *, now: Moment) -> None:
    """Say how far the work on it is; `WrongState` if it is somebody else's by now."""
    beaten = await conn.execute(
        update(incoming)
        .where(
            incoming.c.community_id == file.community_id,
            incoming.c.id == file.id,
            incoming.c.turn == file.turn,
            incoming.c.stage == file.stage.value,
        )
        .values(done=done, touched_at=now.at)
    )
    if beaten.rowcount != 1:
        raise WrongState(file.stage, "beat")


async def keep_rows(conn: AsyncConnection, file: File, found: Sequence[Row]) -> None:
    """Keep rows aside."""
    values = [
        {
            "community_id": file.community_id,
            "import_id": file.id,
            "number": row.number,
            "cells": list(row.cells),
            "says": {},
        }
        for row in found
    ]
    if values:
        await conn.execute(insert(rows), values)


async def in_order(
    conn: AsyncConnection,
    file: File,
    *,
    by_day: bool = False,
    verdict: Verdict | None = None,
    after: int = 0,
    chunk: int = 1000,
) -> AsyncIterator[list[Row]]:
    """The rows of a file, `chunk` at a time: by number from after `after` on, or by their day."""
    last: Any = None if by_day else after
    while True:
        query = (
            select(rows)
            .where(rows.c.community_id == file.community_id, rows.c.import_id == file.id)
            .limit(chunk)
        )
        if verdict is not None:
            query = query.where(rows.c.verdict == verdict.value)
        if by_day:
            query = query.where(rows.c.day.is_not(None)).order_by(rows.c.day, rows.c.number)
            if last is not None:
                here = tuple_(literal(last[0], Day), literal(last[1], Count))
                query = query.where(tuple_(rows.c.day, rows.c.number) > here)
        else:
            query = query.where(rows.c.number > last).order_by(rows.c.number)
        found = [_row(row) for row in await conn.execute(query)]
        if found:
            yield found
        if len(found) < chunk:
            return
        last = (found[-1].day, found[-1].number) if by_day else found[-1].number


async def samples(conn: AsyncConnection, file: File, limit: int) -> list[Row]:
    """The first rows of a file."""
    async for found in in_order(conn, file, chunk=limit):
        return found
    return []


async def forget_rows(conn: AsyncConnection, community: UUID, id: UUID) -> None:
    """Rows that nobody needs any more."""
    await conn.execute(delete(rows).where(rows.c.community_id == community, rows.c.import_id == id))


async def forget(conn: AsyncConnection, file: File) -> None:
    """A file that was not brought in, and all that it said. Else `WrongState`."""
    if file.stage not in (Stage.REFUSED, Stage.MATCHING, Stage.CHECKED):
        raise WrongState(file.stage, "forget")
    await forget_rows(conn, file.community_id, file.id)
    gone = await conn.execute(
        delete(incoming).where(
            incoming.c.community_id == file.community_id,
            incoming.c.id == file.id,
            incoming.c.stage == file.stage.value,
            incoming.c.turn == file.turn,
        )
    )
    if gone.rowcount != 1:
        raise WrongState(file.stage, "forget")


async def give_back(conn: AsyncConnection, file: File, *, now: Moment) -> None:
    """Put a file on which work failed back to where the step began, if it is still there."""
    back = _BACK_TO[file.stage]
    stopped = {"reason": "interrupted", "facts": {}}
    values = {"outcome": stopped} if file.stage in (Stage.READING, Stage.CHECKING) else {}
    await conn.execute(
        update(incoming)
        .where(
            incoming.c.community_id == file.community_id,
            incoming.c.id == file.id,
            incoming.c.stage == file.stage.value,
            incoming.c.turn == file.turn,
        )
        .values(stage=back.value, touched_at=now.at, turn=incoming.c.turn + 1, **values)
    )


async def recover(conn: AsyncConnection, *, now: Moment, quiet_for: timedelta = STALE_AFTER) -> int:
    """Put files that nobody works on any more back to where the step began; how many.

    Of all communities. What was under way was one transaction or left nothing that counts.
    """
    found = 0
    for stage, back in _BACK_TO.items():
        values: dict[str, Any] = {"stage": back.value, "touched_at": now.at}
        values["turn"] = incoming.c.turn + 1  # whoever should still be at it, is not any more
        if stage is Stage.READING:
            values["outcome"] = {"reason": "interrupted", "facts": {}}
        put = await conn.execute(
            update(incoming)
            .where(incoming.c.stage == stage.value, incoming.c.touched_at <= now.at - quiet_for)
            .values(**values)
        )
        found += put.rowcount
    return found


async def sweep(conn: AsyncConnection, *, now: Moment) -> None:
    """Forget what was uploaded in any community and never brought in, and rows left behind."""
    quiet = incoming.c.touched_at < now.at - FORGOTTEN_AFTER
    idle = incoming.c.stage.in_([Stage.REFUSED.value, Stage.MATCHING.value, Stage.CHECKED.value])
    old = [
        (row.community_id, row.id)
        for row in await conn.execute(
            select(incoming.c.community_id, incoming.c.id).where(quiet, idle)
        )
    ]
    for community, id in old:
        await forget_rows(conn, community, id)
        await conn.execute(
            delete(incoming).where(incoming.c.community_id == community, incoming.c.id == id)
        )


async def counts(conn: AsyncConnection, file: File) -> dict[Verdict, int]:
    """How many rows have which verdict."""
    found = await conn.execute(
        select(rows.c.verdict, func.count())
        .where(
            rows.c.community_id == file.community_id,
            rows.c.import_id == file.id,
            rows.c.verdict.is_not(None),
        )
        .group_by(rows.c.verdict)
    )
    return {Verdict(verdict): count for verdict, count in found}


async def keep_made(conn: AsyncConnection, file: File, things: Sequence[tuple[str, UUID]]) -> None:
    """Remember what a file added, so that it can be taken back."""
    values = [
        {
            "community_id": file.community_id,
            "import_id": file.id,
            "kind": kind,
            "thing_id": id,
        }
        for kind, id in things
    ]
    if values:
        await conn.execute(insert(made), values)


async def made_by(conn: AsyncConnection, file: File, kind: str) -> list[UUID]:
    """The ids of what a file added of one kind."""
    found = await conn.execute(
        select(made.c.thing_id)
        .where(
            made.c.community_id == file.community_id,
            made.c.import_id == file.id,
            made.c.kind == kind,
        )
        .order_by(made.c.thing_id)
    )
    return [row.thing_id for row in found]


async def _files(
    conn: AsyncConnection, community: UUID, which: Any, *, limit: int | None
) -> list[File]:
    query = (
        select(incoming, members.c.name.label("made_by_name"))
        .join(
            members,
            and_(
                members.c.community_id == incoming.c.community_id,
                members.c.id == incoming.c.made_by,
            ),
        )
        .where(incoming.c.community_id == community)
        .order_by(incoming.c.made_at.desc(), incoming.c.id.desc())
        .limit(limit)
    )
    if which is not None:
        query = query.where(which)
    return [_file(row._mapping) for row in await conn.execute(query)]


def _file(row: Any) -> File:
    return File(
        row["community_id"],
        row["id"],
        row["name"],
        row["fingerprint"],
        row["made_by"],
        row["made_by_name"],
        row["made_at"],
        Stage(row["stage"]),
        row["touched_at"],
        row["turn"],
        row["rows"],
        row["done"],
        row["found"],
        What(row["what"]) if row["what"] else None,
        row["settings"],
        row["outcome"],
        row["batch_id"],
    )


def _row(row: Any) -> Row:
    verdict = Verdict(row.verdict) if row.verdict else None
    return Row(row.number, row.cells, verdict, row.says, row.day)
