"""Bringing a file in: all of it or nothing, in one transaction, as one batch.

Every row is asked once more what it would do. Only if each says the same as when it was checked,
and somebody looked at it, is it done. A crash, a refusal by the books or a row that says something
else leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.errors import AccountClosed, FloorReached
from timebank import acting, audit, batches, policy, readers
from timebank.batches import Source
from timebank.db import Database
from timebank.errors import BadInput, Forbidden, TimebankError, WrongState
from timebank.i18n import N_, format_minutes
from timebank.imports import files, planning
from timebank.imports.checking import CHUNK, planner
from timebank.imports.files import File, Row, Stage
from timebank.imports.hours import NotPosted
from timebank.imports.matching import Settings
from timebank.imports.planning import Planner
from timebank.moment import Moment

Clock: TypeAlias = Callable[[], Moment]
Progress: TypeAlias = Callable[[int], None]
"""Told how many rows are done, of those of the file."""


class _Moved(Exception):
    """A row says something else than when it was checked."""


async def begin(
    conn: AsyncConnection, community: UUID, id: UUID, *, leave_out: bool, by: UUID, now: Moment
) -> File:
    """Have a checked file brought in; rows with mistakes only stay out if `leave_out` says so.

    Coordinators bring in what they could write down by hand; hours of the past are for stewards
    (`Forbidden`). Refuses with `BadInput` when there is nothing new, or a mistake nobody decided
    about, and with `WrongState` when somebody was quicker.
    """
    actor = await acting.active(conn, community, by)
    file = await files.get(conn, community, id)
    if not policy.may_import(actor.member):
        raise Forbidden("import")
    if file.outcome.get("entries") and not policy.may_bring_in_hours(actor.member):
        raise Forbidden("bring in")
    if file.stage is not Stage.CHECKED:
        raise WrongState(file.stage, "run")
    if not file.outcome["new"]:
        raise BadInput("sure", "nothing_new")
    if file.outcome["mistakes"] and not leave_out:
        raise BadInput("leave_out", "mistakes_left")
    await files.move(conn, file, [Stage.CHECKED], Stage.RUNNING, now=now)
    return await files.get(conn, community, id)


async def run(
    db: Database, file: File, *, by: UUID, clock: Clock, progress: Progress = lambda _: None
) -> None:
    """Bring it in. Afterwards it is `DONE`; else it waits to be checked again, with the reason."""
    try:
        async with db.write(file.community_id) as conn:
            await _run(conn, db, file, by, clock, progress)
    except (_Moved, NotPosted, TimebankError) as error:
        async with db.write(file.community_id) as conn:
            await files.move(
                conn,
                file,
                [Stage.RUNNING],
                Stage.MATCHING,
                now=clock(),
                same_turn=True,
                outcome={"reason": _reason(error), "facts": {}},
            )


def _reason(error: Exception) -> str:
    if isinstance(error, _Moved):
        return "moved_on"
    if isinstance(error, NotPosted) and isinstance(error.error, FloorReached):
        return "books_floor"
    if isinstance(error, NotPosted) and isinstance(error.error, AccountClosed):
        return "books_closed"
    return "books_refused" if isinstance(error, NotPosted) else "interrupted"


async def _run(
    conn: AsyncConnection, db: Database, file: File, by: UUID, clock: Clock, progress: Progress
) -> None:
    assert file.what is not None
    now = clock()
    batch = await batches.begin(
        conn,
        file.community_id,
        Source.IMPORT,
        file.name,
        by=by,
        now=now,
        fingerprint=file.fingerprint,
    )
    inside = replace(file, batch_id=batch)
    settings = Settings.from_json(file.settings)
    scene = await planning.scene(conn, inside, settings, by=by, now=now)
    doing = planner(file.what, scene)
    told = _Told(db, file, clock, progress)
    await _ask_again(conn, file, settings, doing, told)
    async for rows in files.in_order(conn, file, by_day=doing.by_day, chunk=CHUNK):
        await doing.write(conn, [row for row in rows if row.says.get("do")])
        await told.more(len(rows))
    await doing.finish(conn)
    await _close(conn, inside, by, now)


class _Told:
    """Says how far it is: here at once, and in the database where that is possible meanwhile.

    SQLite has one writer, and that is us.
    """

    def __init__(self, db: Database, file: File, clock: Clock, progress: Progress) -> None:
        self._db, self._file, self._clock = db, file, clock
        self._progress = progress
        self._halves = 0

    async def more(self, rows: int) -> None:
        """So many rows more were asked, or written."""
        self._halves += rows
        done = self._halves // 2
        self._progress(done)
        if not self._db.is_sqlite:
            async with self._db.write(self._file.community_id) as beside:
                await files.beat(beside, self._file, done, now=self._clock())


async def _ask_again(
    conn: AsyncConnection, file: File, settings: Settings, doing: Planner, told: _Told
) -> None:
    async for rows in files.in_order(conn, file, chunk=CHUNK):
        counting = [row for row in rows if row.number >= settings.first]
        said = await doing.plan(conn, counting)
        for row, one in zip(counting, said, strict=True):
            if not one.same_as(row) and not _floored(row):
                raise _Moved
        await told.more(len(rows))


def _floored(row: Row) -> bool:
    """Whether a row is left out for the floor's sake, which is judged after all others."""
    return row.says.get("reason") == "floor"


async def _close(conn: AsyncConnection, file: File, by: UUID, now: Moment) -> None:
    """Forget the rows, note it, tell the other coordinators, and move the file on."""
    community, outcome = file.community_id, dict(file.outcome)
    await files.forget_rows(conn, community, file.id)
    facts = {
        key: value
        for key, value in outcome.items()
        if key in ("new", "mistakes", "entries", "minutes", "own_entries", "own_minutes")
    }
    await audit.write(
        conn,
        community,
        actor=by,
        action="import.done",
        subject_kind="import",
        subject=file.id,
        facts=facts | {"what": str(file.what), "batch": str(file.batch_id)},
        now=now,
    )
    if outcome["entries"]:
        await _tell(conn, file, by, now)
    await files.move(
        conn,
        file,
        [Stage.RUNNING],
        Stage.DONE,
        now=now,
        same_turn=True,
        batch_id=file.batch_id,
        outcome=outcome,
        done=file.rows,
    )


async def _tell(conn: AsyncConnection, file: File, by: UUID, now: Moment) -> None:
    """The other coordinators hear what came in, and what of it went to who brought it in."""
    me = await acting.one(conn, file.community_id, by)
    others = [id for id in await readers.coordinators(conn, file.community_id) if id != by]
    outcome = file.outcome
    body = N_(
        "{by} has brought in {count} entries from the file “{file}”: {minutes}. Of these, "
        "{own} went to {by} or an organisation they manage. You can look at it, and a steward "
        "can undo all of it."
    )
    await readers.tell(
        conn,
        file.community_id,
        others,
        N_("Hours from before: {minutes}"),
        body,
        by=me.member.name,
        count=str(outcome["entries"]),
        file=file.name,
        minutes=format_minutes(Minutes(outcome["minutes"])),
        own=format_minutes(Minutes(outcome["own_minutes"])),
        path=f"/imports/{file.id}",
        now=now,
    )
