"""Group commit: what waits now is decided and committed together, and each gets its own verdict.

    put(community, asks) ─► a line for each community ─► one committer ─► commit ─► an answer each
                                                             ▲   │
                                                             └───┘ meanwhile the next ones gather

Nobody sets a timer and nobody waits for company: the group is whatever came while the one before
it was being committed. Alone, one is committed at once; a crowd shares one commit.

Three answers are not verdicts. `Busy`: the line is full, nothing was written. `Unknown`: the
connection broke, perhaps inside COMMIT, so nobody can say yet; the committer goes on trying, and
because an entry's id is its key, whoever asks again under the same id learns what became of it.
Anything else that `commit` raises goes to the one whose ask caused it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

from ledger.errors import Busy, Unknown

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

Commit: TypeAlias = Callable[[UUID, Sequence[Ask]], Awaitable[Sequence[Answer]]]
"""Commit all asks in one transaction, or raise and leave none of them; an answer for each, in
their order. It may be called again with asks that were committed before: the same answers."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds between tries


@dataclass(slots=True)
class _Waiting(Generic[Ask, Answer]):
    """One ask, and where its answer goes. Whoever asked may be gone by then."""

    ask: Ask
    answer: asyncio.Future[Answer]

    def settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # seen: asyncio need not warn when the one who asked is gone


@dataclass(slots=True)
class _Line(Generic[Ask, Answer]):
    """Those who wait in one community, and the task that serves them while there are any."""

    waiting: deque[_Waiting[Ask, Answer]] = field(default_factory=deque)
    committer: asyncio.Task[None] | None = None


class GroupCommit(Generic[Ask, Answer]):
    """Gathers asks by community and has each group committed in one go.

    `lost(error)` says whether an error of `commit` may pass: the connection broke, or another
    process was in the way. The group is then committed again, for up to `perseverance` seconds.
    Those waiting for it are told `Unknown` after `patience` seconds, and those in line behind it
    `Busy`. At most `most_waiting` stand in one line, and at most `most_together` form a group.
    """

    def __init__(
        self,
        commit: Commit[Ask, Answer],
        *,
        lost: Callable[[Exception], bool],
        most_waiting: int = 2000,
        most_together: int = 500,
        patience: float = 10,
        perseverance: float = 60,
    ) -> None:
        self._commit = commit
        self._lost = lost
        self._most_waiting = most_waiting
        self._most_together = most_together
        self._patience = patience
        self._perseverance = perseverance
        self._lines: dict[UUID, _Line[Ask, Answer]] = {}

    async def put(self, community: UUID, asks: Sequence[Ask]) -> list[Answer]:
        """Have these committed in a community, and wait for their answers, in their order.

        They stand in line one after another, and may be committed in more than one group. Being
        cancelled ends the waiting, not the committing. Raises `Busy` at once when there is no room
        for all of them, and otherwise what `commit` raised, or `Busy`, or `Unknown`, for the first
        of them that has no answer; the others may have been committed.
        """
        line = self._lines.get(community)
        if line is None:
            line = self._lines[community] = _Line()
        if len(line.waiting) + len(asks) > max(self._most_waiting, len(asks)):
            raise Busy
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[Answer]] = [loop.create_future() for _ in asks]
        line.waiting.extend(map(_Waiting, asks, answers))
        if line.committer is None:
            line.committer = loop.create_task(self._serve(community, line))
        return [await answer for answer in answers]

    async def drain(self) -> None:
        """Wait until nobody waits any more. For the end of a program."""
        while tasks := [line.committer for line in self._lines.values() if line.committer]:
            await asyncio.wait(tasks)

    async def _serve(self, community: UUID, line: _Line[Ask, Answer]) -> None:
        """Commit group after group until the line is empty."""
        try:
            while line.waiting:
                size = min(len(line.waiting), self._most_together)
                await self._settle(community, line, [line.waiting.popleft() for _ in range(size)])
        finally:
            line.committer = None
            if not line.waiting:
                self._lines.pop(community, None)

    async def _settle(
        self, community: UUID, line: _Line[Ask, Answer], group: Sequence[_Waiting[Ask, Answer]]
    ) -> None:
        """Commit one group. If it cannot be, each for itself: only who is at fault fails."""
        try:
            answers = await self._persevere(community, line, group)
        except Exception as error:  # noqa: BLE001 - it is handed to those who wait for an answer
            if len(group) == 1 or self._lost(error):
                for one in group:
                    one.fail(Unknown() if self._lost(error) else error)
                return
            for one in group:
                await self._settle(community, line, [one])
            return
        for one, answer in zip(group, answers, strict=True):
            one.settle(answer)

    async def _persevere(
        self, community: UUID, line: _Line[Ask, Answer], group: Sequence[_Waiting[Ask, Answer]]
    ) -> Sequence[Answer]:
        """Commit, and again as long as the connection is lost. Nobody waits for ever."""
        asks = [one.ask for one in group]
        loop = asyncio.get_running_loop()
        given_up = loop.time() + self._perseverance
        pause = _FIRST_PAUSE
        out_of_patience = loop.call_later(self._patience, self._send_away, line, group)
        try:
            while True:
                try:
                    async with asyncio.timeout_at(given_up):
                        return await self._commit(community, asks)
                except Exception as error:
                    if not self._lost(error) or loop.time() + pause >= given_up:
                        raise
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            out_of_patience.cancel()

    def _send_away(self, line: _Line[Ask, Answer], group: Sequence[_Waiting[Ask, Answer]]) -> None:
        """Tell those of the group that nobody knows yet, and those behind to come back later."""
        for one in group:
            one.fail(Unknown())
        while line.waiting:
            line.waiting.popleft().fail(Busy())
