"""The coordinator's desk in a large community: inbox, search and reports, on SQLite.

Five thousand members and two hundred thousand entries over five years, with all that waits there
(`large_town.py`). The server is `timebank serve`, one process with its housekeeping; one browser
asks for page after page, and waits for each. So a figure is what somebody waits for on this
machine: session, membership, queries, template and all.

Whoever wants to measure a page of their own adds it to `PAGES`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from statistics import median, quantiles

from benchmarks import large_town, making
from benchmarks.browser import Browser
from benchmarks.callers import run
from benchmarks.large_town import LargeTown
from benchmarks.machine import Watch
from benchmarks.making import Books
from benchmarks.places import on_sqlite
from benchmarks.results import Row, Size, alone
from benchmarks.serving import free_port, served
from timebank import books
from timebank.config import Settings
from timebank.db import Database
from timebank.moment import Moment
from timebank.periods import Month

MILLISECONDS = 150.0  # at most, for a page that is used all day
A_YEAR = 2_000.0  # at most, for the report of a year


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the desk: what it is called here, its path in the community, and its goal.

    Coordinators read it, or, `for_members`, a member who does not coordinate.
    """

    name: str
    path: str
    goal: float = MILLISECONDS
    for_members: bool = False


PAGES: tuple[Page, ...] = (
    Page("home", ""),
    Page("home of a member", "", for_members=True),
    Page("inbox", "inbox"),
    Page("inbox, hours to approve", "inbox?why=approval"),
    Page("inbox, a word searched for", "inbox?q=garden"),
    Page("everybody's entries", "entries/?show=all"),
    Page("everybody's entries, two words searched for", "entries/?show=all&q=soup+4999"),
    Page("members", "members/"),
    Page("members, a name searched for", "members/?q=member+49"),
    Page("page of a member", "members/{member}"),
    Page("statement of a member", "statement", for_members=True),
    Page("the commons, a word searched for", "commons?q=soup"),
    Page("the commons, a rare word searched for", "commons?q=12340"),
    Page("report of a month", "reports?first={month.first}&last={month.last}"),
    Page("report of a quarter", "reports?first={quarter.first}&last={quarter.last}"),
    Page("report of a year", "reports?first={year.first}&last={year.last}", A_YEAR),
    Page("months of a year", "months/?year={year.first.year}"),
    Page("report of a closed month", "months/{month}"),
    Page("a month to be closed", "months/{last}"),
)


def path_of(page: Page, town: LargeTown) -> str:
    """The path of a page, about days with everything in them."""
    last = Month.of(town.now.at.date()).previous
    month = last.later(-3)
    facts = {
        "member": town.books.members[-1],
        "last": last,
        "month": _Days(month),
        "quarter": _Days(month.later(-2), month),
        "year": _Days(Month(month.year - 1, 1), Month(month.year - 1, 12)),
    }
    return f"/c/{town.slug}/{page.path.format(**facts)}"


class _Days:
    """Some months, as addresses name them."""

    def __init__(self, first: Month, last: Month | None = None) -> None:
        self.first, self.last, self._month = first.first, (last or first).last, first

    def __format__(self, spec: str) -> str:
        return format(str(self._month), spec)


def rows(size: Size) -> Iterator[Row]:
    """Every page, in turns."""
    entries = size.of(600, 20_000, 200_000)
    with on_sqlite() as settings:
        made = making.make(
            settings,
            entries * 106 // 100,  # transfers, of which some entries have several
            members=size.of(60, 1_000, 5_000),
            begins=datetime.now(UTC) - making.YEARS,  # so that its five years end now
        )
        yield from run(partial(_measured, settings, made, size))


async def _measured(settings: Settings, made: Books, size: Size) -> list[Row]:
    settings = replace(settings, port=free_port())
    settings = replace(settings, base_url=f"http://127.0.0.1:{settings.port}")
    db = Database(settings)
    await db.start()
    try:
        town = await large_town.live(db, made)
        async with served(settings):
            found = [await _page(settings.port, town, page, size) for page in PAGES]
        sound = (await books.verify(db, made.community, now=Moment.now())).sound
    finally:
        await db.stop()
    return [replace(row, sound=sound) for row in found]


async def _page(port: int, town: LargeTown, page: Page, size: Size) -> Row:
    """Ask for a page again and again; the first time does not count."""
    turns, count, path = size.of(1, 3, 5), size.of(1, 5, 20), path_of(page, town)
    browser = Browser(port, {"session": town.member if page.for_members else town.coordinator})
    await browser.open()
    await browser.get(path)
    watch, waits = Watch(), []
    for _ in range(turns):
        taken = []
        for _ in range(count):
            start = time.perf_counter()
            await browser.get(path)
            taken.append(1000 * (time.perf_counter() - start))
        waits.append(taken)
    await browser.close()
    every = [wait for taken in waits for wait in taken]
    slowest = quantiles(every, n=100)[98] if len(every) > 1 else every[0]
    many = f"{len(town.books.members):,} members, {town.books.transfers * 100 // 106:,} entries"
    return alone(
        f"SQLite, {many}: {page.name}",
        [median(taken) for taken in waits],
        goal=page.goal,
        unit="ms",
        sound=True,
        note=f"p99 {slowest:.0f} ms",
        at_most=True,
        foreign=watch.foreign(),
    )
