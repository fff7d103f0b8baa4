"""Neighbours with browsers, who keep a list of what they were told outside of the application.

Members write hours down, coordinators approve some, several, and undo some, all through the forms
of the pages. Whoever gets no answer sends the same form again as soon as somebody answers.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import httpx2

from tests.faults.street import COORDINATORS, MEMBERS, Street

RECORD, APPROVE, UNDO = "record", "approve", "undo"

_HIDDEN_ID = re.compile(r'type="hidden" name="id" value="([0-9a-f-]{36})"')
_TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_INSISTS = ("known", "1")  # the field with which somebody writes down what crosses a limit
_KNOWN = '<input type="hidden" name="known" value="1">'
_PATIENCE = 30  # seconds for an answer


@dataclass(frozen=True, slots=True)
class Deed:
    """One form as it is sent, and sent again: by whom, where to, and about which entries."""

    what: str
    by: str
    path: str
    form: tuple[tuple[str, str], ...]
    entries: tuple[UUID, ...]


@dataclass
class Neighbours:
    """Everybody on the street, and what they were told.

    `told[what]`: the deeds that were acknowledged, by entry. `open`: those that were sent and not
    answered. `denied`: those whose answer was "nothing was written". `sent`: all entries that a
    form was ever sent about. `wrong`: answers that cannot be, in a sentence each.
    """

    street: Street
    chances: Random
    address: str
    told: dict[str, dict[UUID, Deed]] = field(
        default_factory=lambda: {RECORD: {}, APPROVE: {}, UNDO: {}}
    )
    open: list[Deed] = field(default_factory=list)
    denied: list[Deed] = field(default_factory=list)
    sent: dict[UUID, Deed] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    stopping: bool = False
    _to_approve: list[UUID] = field(default_factory=list)
    _to_undo: list[UUID] = field(default_factory=list)
    _browsers: dict[str, httpx2.AsyncClient] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _asked: set[Deed] = field(default_factory=set)
    _number: int = 0

    async def __aenter__(self) -> Neighbours:
        for name, cookie in self.street.cookies.items():
            browser = httpx2.AsyncClient(
                base_url=self.address,
                headers={"Sec-Fetch-Site": "same-origin", "Accept-Language": "en"},
                cookies={"session": cookie},
                timeout=_PATIENCE,
                trust_env=False,
            )
            self._browsers[name] = await self._stack.enter_async_context(browser)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def acknowledged(self) -> int:
        """How many deeds were acknowledged so far."""
        return sum(map(len, self.told.values()))

    async def more(self, count: int, within: float) -> bool:
        """Wait until so many more are acknowledged; whether they were, within so many seconds."""
        wanted = self.acknowledged + count
        given_up = time.monotonic() + within
        while self.acknowledged < wanted:
            if time.monotonic() > given_up or self.wrong:
                return False
            await asyncio.sleep(0.002)
        return True

    async def live(self, name: str, *, pause: float | None = None) -> None:
        """Do one thing after another; with a `pause` go on after a failure, else give up there."""
        while not self.stopping:
            try:
                if not await self._next(name):
                    await asyncio.sleep(pause or 0.01)
            except httpx2.TransportError:
                if pause is None:
                    return
                await asyncio.sleep(pause)

    async def settle(self) -> None:
        """Have everything answered that is open, and send some of what was answered once more."""
        self.ask_denied_again()
        for _ in range(200):
            waiting, self.open = self.open, []
            for deed in waiting:
                await self.do(deed)
            self.ask_denied_again()
            if not self.open:
                break
            await asyncio.sleep(0.1)
        for deed in self.open:
            self.wrong.append(f"{deed.what} of {deed.entries} is never answered")
        await self._again()

    def ask_denied_again(self) -> None:
        """Count those as open, to whom it was said that nothing was written."""
        self.open += self.denied
        self.denied.clear()

    async def do(self, deed: Deed) -> bool:
        """Send a form; whether it was acknowledged. Raises `TransportError`, and keeps it open."""
        self.sent.update(dict.fromkeys(deed.entries, deed))
        self.counts["asked"] += 1
        try:
            answer = await self._browsers[deed.by].post(
                deed.path,
                content=str(httpx2.QueryParams(deed.form)),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
        except BaseException as error:
            self.open.append(deed)
            self._asked.add(deed)
            self.counts["unanswered"] += 1
            if isinstance(error, asyncio.CancelledError):
                raise httpx2.TransportError("given up") from error
            raise
        if answer.status_code == 503:
            await self._not_done(deed, answer)
            return False
        if answer.status_code == 200 and _KNOWN in answer.text and _INSISTS not in deed.form:
            return await self._insist(deed)
        return self._heard(deed, answer)

    async def _insist(self, deed: Deed) -> bool:
        """A limit would be crossed, and nothing is written down yet: that is meant.

        Nobody is asked so about what they were told is written down.
        """
        if deed.entries[0] in self.told[RECORD]:
            self.wrong.append(f"{deed.what} of {deed.entries[0]} is asked about, and stands")
            return False
        self.counts["insisted"] += 1
        meant = replace(deed, form=(*deed.form, _INSISTS))
        if deed in self._asked:
            self._asked.add(meant)
        return await self.do(meant)

    async def _not_done(self, deed: Deed, answer: httpx2.Response) -> None:
        """Nobody knows, and the page says where to look again; or for certain nothing was written.

        Of a form that was sent before without an answer, an earlier one may have been.
        """
        if "Refresh" in answer.headers:
            self.counts["unknown"] += 1
            self.open.append(deed)
            where = answer.headers["Refresh"].partition("url=")[2]
            again = await self._browsers[deed.by].get(where)
            if again.status_code not in (200, 503):
                self.wrong.append(f"looking again after {deed.what}: {_said(again)} {where}")
        else:
            self.counts["turned_away"] += 1
            (self.open if deed in self._asked else self.denied).append(deed)
        self._asked.add(deed)

    def _heard(self, deed: Deed, answer: httpx2.Response) -> bool:
        """Note what they were told."""
        where = answer.headers.get("Location", "")
        if answer.status_code != 303 or (
            deed.what == RECORD and not where.endswith(str(deed.entries[0]))
        ):
            self.wrong.append(f"{deed.what} of {deed.entries[0]}: {_said(answer)} {where}")
            return False
        for id in deed.entries:
            if id not in self.told[deed.what]:
                self.told[deed.what][id] = deed
                {RECORD: self._to_approve, APPROVE: self._to_undo, UNDO: []}[deed.what].append(id)
        return True

    async def _next(self, name: str) -> bool:
        """What was left open first, then something new; whether there was anything to do."""
        for deed in self.open:
            if deed.by == name:
                self.open.remove(deed)
                return await self.do(deed)
        if name in MEMBERS:
            return await self._record(name)
        if self._to_undo and self.chances.random() < 0.15:
            return await self._undo(name)
        if self._to_approve:
            return await self._approve(name)
        return False

    async def _record(self, name: str) -> bool:
        """Open the sheet, fill it in, send it; now and then twice."""
        page = await self._page(name, "entries/new")
        found = _HIDDEN_ID.search(page)
        if found is None:
            return False
        self._number += 1
        other = self.chances.choice([one for one in MEMBERS if one != name])
        form = {
            "id": found[1],
            "side": "gave",
            "gift": "",
            "act": "record",
            "receiver-0": self.street.names[other],
            "minutes": f"{self.chances.randrange(15, 120, 15)} min",
            "day": datetime.now(UTC).date().isoformat(),
            "kind": "help",
            "note": f"Help number {self._number}",
        }
        deed = Deed(RECORD, name, self._path("entries/"), tuple(form.items()), (UUID(found[1]),))
        done = await self.do(deed)
        if done and self.chances.random() < 0.05:
            await self.do(deed)
        return True

    async def _approve(self, name: str) -> bool:
        """Approve one entry from its page, or several from the inbox."""
        if len(self._to_approve) > 2 and self.chances.random() < 0.3:
            several = tuple(self._take(self._to_approve) for _ in range(3))
            form = (("sure", "1"), *(("entry", str(id)) for id in several))
            return await self.do(Deed(APPROVE, name, self._path("inbox/approve"), form, several))
        id = self._take(self._to_approve)
        path = self._path(f"entries/{id}/approve")
        return await self.do(Deed(APPROVE, name, path, (), (id,)))

    async def _undo(self, name: str) -> bool:
        id = self._take(self._to_undo)
        form = (("words", "Written down twice."),)
        return await self.do(Deed(UNDO, name, self._path(f"entries/{id}/undo"), form, (id,)))

    async def _again(self) -> None:
        """Send again what was acknowledged: the answer is the same, and nothing happens."""
        undone = self.told[UNDO]
        for what, deeds in self.told.items():
            for deed in self.chances.sample(list(deeds.values()), min(10, len(deeds))):
                if what == APPROVE and any(id in undone for id in deed.entries):
                    continue  # it does not stand any more, and so it is refused
                if not await self.do(deed):
                    self.wrong.append(f"{deed.what} of {deed.entries[0]} is not told again")

    async def _page(self, name: str, rest: str) -> str:
        answer = await self._browsers[name].get(self._path(rest))
        if answer.status_code == 503:
            self.counts["turned_away"] += 1
            await asyncio.sleep(0.02)
            return ""
        if answer.status_code != 200:
            self.wrong.append(f"the page {rest}: {_said(answer)}")
        return answer.text

    def _take(self, some: list[UUID]) -> UUID:
        return some.pop(self.chances.randrange(len(some)))

    def _path(self, rest: str) -> str:
        return f"/c/{self.street.slug}/{rest}"


def everybody() -> Sequence[str]:
    """All who have a browser."""
    return (*MEMBERS, *COORDINATORS)


def _said(answer: httpx2.Response) -> str:
    title = _TITLE.search(answer.text)
    return f"was answered {answer.status_code} {title[1].strip() if title else ''}"
