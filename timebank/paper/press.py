"""The press: makes the statements of many people, in a process of its own, while pages go on.

    order ─► read here, some people at a time ─► drawn over there ─► a file that is kept for a day

Drawing a page takes some milliseconds of nothing but computing: for a whole community too long for
a request, and for the process that answers them. The file lies in the data directory. It is made
from the books alone, so it can be made again at any time, and any process can make it: one that
does not find it makes it. An order that is asked for twice is carried out once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import pickle
import sys
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from timebank.db import Database
from timebank.moment import Moment
from timebank.paper import statements
from timebank.paper.drawing import LENGTH
from timebank.paper.statement import Month
from timebank.paper.statements import Who

log = logging.getLogger("timebank.paper")

KEPT = timedelta(days=1)
"""So long a file is kept; it holds what many people did."""

_STALE = 60.0  # seconds without a sign of the process that was making it


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants printed. `asked` is the minute they asked in, since 1970.

    The same order in the same minute is the same file.
    """

    community: UUID
    month: Month
    who: Who
    member: UUID | None
    asked: int
    only_busy: bool = False

    @property
    def key(self) -> str:
        """The name of its files; nothing about anybody can be read from it."""
        facts = f"{self.community} {self.month} {self.who} {self.member} {self.asked}"
        return sha256(f"{facts} {self.only_busy}".encode()).hexdigest()[:32]


def minute(now: Moment) -> int:
    """The minute that an order asked for now is of."""
    return int(now.at.timestamp()) // 60


class Stage(StrEnum):
    """How far an order is."""

    MAKING = "making"
    READY = "ready"
    EMPTY = "empty"  # there is nothing to print
    FAILED = "failed"
    GONE = "gone"  # too old, and put away


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order is: statements drawn, and how many there will be."""

    stage: Stage
    done: int = 0
    of: int = 0


class Press:
    """Carries out orders, one after the other. `stop` ends what is under way.

    Its folder may be shared by several processes: what one of them makes, the others find.
    """

    def __init__(self, db: Database, folder: Path) -> None:
        self._db, self._folder = db, folder
        self._one_at_a_time = asyncio.Lock()
        self._under_way: dict[Order, asyncio.Task[None]] = {}

    @property
    def under_way(self) -> int:
        """How many orders this process is carrying out."""
        return len(self._under_way)

    async def look(self, order: Order, *, by: UUID, now: Moment) -> Progress:
        """How far an order is; one that nobody has begun is begun.

        For coordinators: refuses with what `statements.readers` refuses.
        """
        asked = datetime.fromtimestamp(order.asked * 60, now.at.tzinfo)
        if not timedelta(minutes=-1) <= now.at - asked < KEPT:
            return Progress(Stage.GONE)
        async with self._db.look(order.community) as conn:
            await statements.refuse_others(conn, order.community, by)
            known = self._known(order)
            if self.file(order) is not None:
                return known or Progress(Stage.READY)
            if known is not None and known.stage is not Stage.READY:
                return known
            wanted = await statements.readers(
                conn, order.community, order.month, order.who, member=order.member, by=by
            )
        begun = Progress(Stage.MAKING if wanted else Stage.EMPTY, 0, len(wanted))
        if wanted and self._claim(order, begun):
            task = asyncio.create_task(self._carry_out(order, wanted, now))
            self._under_way[order] = task
            task.add_done_callback(lambda _task: self._under_way.pop(order, None))
        return begun

    async def wait(self, order: Order, seconds: float) -> None:
        """Wait until an order under way in this process is done, but not longer than this."""
        task = self._under_way.get(order)
        if task is not None:
            await asyncio.wait([task], timeout=seconds)

    def file(self, order: Order) -> Path | None:
        """The finished file, if it is there."""
        path = self._path(order, "pdf")
        return path if path.exists() else None

    async def stop(self) -> None:
        """End what is under way; it will be begun anew when somebody asks."""
        for order, task in list(self._under_way.items()):
            task.cancel()
            await asyncio.wait([task])
            self._path(order, "json").unlink(missing_ok=True)

    def sweep(self, now: Moment) -> int:
        """Remove what is older than a day; how many files that was."""
        removed = 0
        for path in self._folder.glob("*/*.*") if self._folder.exists() else ():
            with contextlib.suppress(FileNotFoundError):
                if now.at.timestamp() - path.stat().st_mtime >= KEPT.total_seconds():
                    path.unlink()
                    removed += 1
        return removed

    def forget(self, community: UUID) -> None:
        """Remove all files of a community: somebody on them has closed their account."""
        for path in self._of(community).glob("*.*"):
            path.unlink(missing_ok=True)

    def _of(self, community: UUID) -> Path:
        return self._folder / community.hex

    def _path(self, order: Order, ending: str) -> Path:
        return self._of(order.community) / f"{order.key}.{ending}"

    def _known(self, order: Order) -> Progress | None:
        """What its maker last noted; None if there is none, or if it has died."""
        note = self._path(order, "json")
        try:
            said = json.loads(note.read_text("utf-8"))
            alive = time.time() - note.stat().st_mtime < _STALE
        except (FileNotFoundError, ValueError):
            return None
        progress = Progress(Stage(said["stage"]), said["done"], said["of"])
        if progress.stage is Stage.MAKING and not alive:
            note.unlink(missing_ok=True)
            return None
        return progress

    def _claim(self, order: Order, progress: Progress) -> bool:
        """Take the order on, unless another process was quicker."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._of(order.community).mkdir(mode=0o700, exist_ok=True)
        try:
            with self._path(order, "json").open("x", encoding="utf-8") as note:
                note.write(_written(progress))
        except FileExistsError:
            return False
        return True

    def _note(self, order: Order, progress: Progress) -> None:
        note = self._path(order, "json")
        half = note.with_suffix(".half")
        half.write_text(_written(progress), "utf-8")
        half.replace(note)

    async def _carry_out(self, order: Order, wanted: list[statements.Reader], now: Moment) -> None:
        """Make the file. Whatever goes wrong is logged and noted; it can be asked for again."""
        try:
            async with self._one_at_a_time:
                drawn = await self._make(order, wanted, now)
            self._note(order, Progress(Stage.READY if drawn else Stage.EMPTY, drawn, drawn))
        except Exception:
            log.exception("statements could not be printed")
            self._note(order, Progress(Stage.FAILED, 0, len(wanted)))

    async def _make(self, order: Order, wanted: list[statements.Reader], now: Moment) -> int:
        """Read the statements, have them drawn, and keep the file; how many there are."""
        half = self._path(order, "making")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "timebank.paper.drawing", stdin=PIPE, stdout=PIPE
        )
        read = drawn = 0
        try:
            language = wanted[0].language
            await _send(process, (str(half), str(order.month), language, now.at))
            portions = statements.every(self._db, order.community, order.month, wanted, now=now)
            async with contextlib.aclosing(portions):
                async for found in portions:
                    read += min(statements.AT_ONCE, len(wanted) - read)
                    some = [page for page in found if not (order.only_busy and page.quiet)]
                    drawn += len(some)
                    await _send(process, some)
                    await _heard(process)
                    self._note(order, Progress(Stage.MAKING, read, len(wanted)))
            await _send(process, None)
            await _heard(process)
            if drawn:
                half.replace(self._path(order, "pdf"))
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            half.unlink(missing_ok=True)
        return drawn


def _written(progress: Progress) -> str:
    return json.dumps({"stage": progress.stage, "done": progress.done, "of": progress.of})


async def _send(process: Process, what: object) -> None:
    assert process.stdin is not None
    message = pickle.dumps(what)
    process.stdin.write(LENGTH.pack(len(message)) + message)
    await process.stdin.drain()


async def _heard(process: Process) -> None:
    """Wait until the other process has done what it was sent."""
    assert process.stdout is not None
    if not await process.stdout.readline():
        raise RuntimeError("the process that draws statements ended early")
