"""A coordinator's desk in a child process: it approves and undoes, and marks what it was told.

The mark of an acknowledgement is written to a file outside of the database, after the answer came.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.place import Place
from tests.timebank.factories import START
from timebank import posting
from timebank.db import Database
from timebank.moment import Moment
from timebank.posting import Approve, Done, Request, Undo, reversal_id

MARKS = "marks"


@dataclass
class Desk:
    """Approves and undoes entries at a database, for several callers at once.

    `told`: acknowledged journal entries, and whether they had been there before. `refused`: what
    could not be done, with the error's name. `clock`, if there is one, says what time it is.
    """

    db: Database
    community: UUID
    coordinator: UUID
    marks: int
    told: dict[UUID, bool] = field(default_factory=dict)
    refused: dict[UUID, str] = field(default_factory=dict)
    clock: Callable[[], Moment] | None = None
    minutes: int = 0

    @classmethod
    def at(cls, db: Database, task: Mapping[str, Any]) -> Desk:
        """A desk for what `task` of `paper` says, marking into its folder."""
        marks = os.open(Path(task["folder"]) / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return cls(db, UUID(task["community"]), UUID(task["coordinator"]), marks)

    def approve(self, entry: UUID) -> Approve:
        """To approve this entry."""
        return Approve(self.community, entry, self.coordinator)

    def undo(self, entry: UUID) -> Undo:
        """To undo this entry."""
        return Undo(self.community, entry, self.coordinator, "Written down twice.")

    async def work(self, requests: Sequence[Request], callers: int) -> None:
        """So many callers take the requests one by one, until none is left."""
        each = iter(requests)
        await asyncio.gather(*(self._call(each) for _ in range(callers)))

    async def _call(self, requests: Iterator[Request]) -> None:
        for request in requests:
            id = request.entry_id
            if isinstance(request, Undo):
                id = reversal_id(id)
            try:
                (verdict,) = await posting.post(self.db, [request], now=self._now())
            except Exception as error:  # noqa: BLE001 - what it was is what we want to know
                self.refused[id] = f"{type(error).__name__}: {error}".splitlines()[0]
                continue
            if not isinstance(verdict, Done):
                self.refused[id] = f"{type(verdict.error).__name__}: {verdict.error}"
                continue
            os.write(self.marks, id.bytes)
            self.told[id] = verdict.replayed
            self.refused.pop(id, None)

    def _now(self) -> Moment:
        self.minutes += 1
        if self.clock is not None:
            return self.clock()
        return Moment(START + timedelta(days=2, minutes=self.minutes))


def paper(place: Place, folder: Path, **more: Any) -> dict[str, Any]:
    """The task for a child whose database lies in this folder."""
    return {
        "folder": str(folder),
        "community": str(place.community),
        "coordinator": str(place.coordinator),
        "entries": [str(id) for id in place.waiting],
        **more,
    }


def transfers(place: Place, entry: UUID) -> int:
    """How many transfers a journal entry of this place has: an approval or its reversal."""
    if entry in place.waiting:
        return place.waiting[entry]
    return _reversals(place)[entry]


def _reversals(place: Place) -> dict[UUID, int]:
    return {reversal_id(id): count for id, count in place.waiting.items()}


def mixed(desk: Desk, entries: Sequence[UUID], chances: random.Random) -> list[Request]:
    """Approve all of these in some order, and undo some of them a little later."""
    wanted: list[Request] = []
    ready: list[UUID] = []
    for id in chances.sample(entries, len(entries)):
        wanted.append(desk.approve(id))
        if len(ready) > 20 and chances.random() < 0.2:
            wanted.append(desk.undo(ready.pop(chances.randrange(10))))
        ready.append(id)
    return wanted
