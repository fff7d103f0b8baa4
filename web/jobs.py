"""Work that outlasts a request: begun by one, told about by others, ended with the program.

Where each piece of work stands is kept in the database by whoever does it; here are only the tasks
of this process, and how far they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

log = logging.getLogger("web.jobs")


class Jobs:
    """The pieces of work of this process, by the id of what they work on."""

    def __init__(self) -> None:
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self.progress: dict[UUID, int] = {}

    async def begin(self, id: UUID, work: Coroutine[Any, Any, None], *, wait: float = 2.0) -> None:
        """Begin some work, and wait for so many seconds whether it is done by then.

        What it raises is logged, and for others to see only in what it left undone.
        """
        task = asyncio.create_task(self._watched(id, work))
        self._tasks[id] = task
        await asyncio.wait({task}, timeout=wait)

    async def _watched(self, id: UUID, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("work on %s failed", id)
        finally:
            self._tasks.pop(id, None)
            self.progress.pop(id, None)

    async def stop(self) -> None:
        """Break off whatever is under way: nothing of it is half done, because it is undone."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until everything that was begun is done."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
