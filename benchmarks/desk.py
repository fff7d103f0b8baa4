"""The coordinator's desk in a large community: inbox, search and reports, on SQLite.

Five thousand members and two hundred thousand entries over five years, with organisations, hats,
closed months, requests, and things that wait. The server is `timebank serve`, one process with its
housekeeping; one browser asks for page after page, and waits for each. So a figure is what somebody
waits for on this machine: session, membership, queries, template and all.

`community` makes the data for others too: whoever wants to measure a page of their own adds it to
`PAGES`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random
from statistics import median, quantiles
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks import making
from benchmarks.browser import Browser
from benchmarks.callers import run
from benchmarks.machine import Watch
from benchmarks.making import Books
from benchmarks.places import on_sqlite
from benchmarks.results import Row, Size, alone
from benchmarks.serving import free_port, served
from ledger import Minutes
from timebank import (
    affiliations,
    agreements,
    applications,
    books,
    closing,
    communities,
    listings,
    members,
    organisations,
    people,
    recording,
    sectors,
    sessions,
)
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share
from timebank.members import MemberKind, Role
from timebank.moment import Moment
from timebank.periods import Month

MILLISECONDS = 150.0  # at most, for a page that is used all day
A_YEAR = 2_000.0  # at most, for the report of a year


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the desk: what it is called here, its path in the community, and its goal."""

    name: str
    path: str
    goal: float = MILLISECONDS


PAGES: tuple[Page, ...] = (
    Page("home", ""),
    Page("inbox", "inbox"),
    Page("members, a name searched for", "members/?q=member+49"),
    Page("the commons, words searched for", "commons?q=soup"),
    Page("report of a month", "reports?first={month.first}&last={month.last}"),
    Page("report of a quarter", "reports?first={quarter.first}&last={quarter.last}"),
    Page("report of a year", "reports?first={year.first}&last={year.last}", A_YEAR),
    Page("months of a year", "months/?year={year.first.year}"),
    Page("report of a closed month", "months/{month}"),
    Page("a month to be closed", "months/{last}"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """A large community, and the cookie of a coordinator who works in it."""

    books: Books
    slug: str
    cookie: str
    now: Moment

    def path(self, page: Page) -> str:
        """The path of a page, about days with everything in them."""
        last = Month.of(self.now.at.date()).previous
        month = last.later(-3)
        facts = {
            "last": last,
            "month": _Days(month),
            "quarter": _Days(month.later(-2), month),
            "year": _Days(Month(month.year - 1, 1), Month(month.year - 1, 12)),
        }
        return f"/c/{self.slug}/{page.path.format(**facts)}"


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
            settings, entries * 106 // 100, members=size.of(60, 1_000, 5_000), begins=_begin()
        )
        yield from run(partial(_measured, settings, made, size))


async def _measured(settings: Settings, made: Books, size: Size) -> list[Row]:
    settings = replace(settings, port=free_port())
    settings = replace(settings, base_url=f"http://127.0.0.1:{settings.port}")
    db = Database(settings)
    await db.start()
    try:
        desk = await community(db, made)
        async with served(settings):
            browser = Browser(settings.port, {"session": desk.cookie})
            await browser.open()
            found = [await _page(browser, desk, page, size) for page in PAGES]
            await browser.close()
        sound = (await books.verify(db, made.community, now=Moment.now())).sound
    finally:
        await db.stop()
    return [replace(row, sound=sound) for row in found]


async def _page(browser: Browser, desk: Desk, page: Page, size: Size) -> Row:
    """Ask for a page again and again; the first time does not count."""
    turns, count, path = size.of(1, 3, 5), size.of(1, 5, 20), desk.path(page)
    await browser.get(path)
    watch, waits = Watch(), []
    for _ in range(turns):
        taken = []
        for _ in range(count):
            start = time.perf_counter()
            await browser.get(path)
            taken.append(1000 * (time.perf_counter() - start))
        waits.append(taken)
    every = [wait for taken in waits for wait in taken]
    slowest = quantiles(every, n=100)[98] if len(every) > 1 else every[0]
    many = f"{len(desk.books.members):,} members, {desk.books.transfers * 100 // 106:,} entries"
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


# ── The community ────────────────────────────────────────────────────────────────────────────────


def _begin() -> datetime:
    """So long ago that its five years end now."""
    return datetime.now(UTC) - making.YEARS


async def community(db: Database, made: Books) -> Desk:
    """Give made books what a desk has to do with: people who sign in, organisations, what waits.

    Its year ends now, so that there is a last month to be closed.
    """
    now, dice = Moment.now(), Random(1)
    async with db.read(EVERYWHERE) as conn:
        place = await communities.by_id(conn, made.community)
    async with db.write(EVERYWHERE) as conn:
        cookie = await _coordinator(conn, made, now)
        await _organisations(conn, made, now, dice)
        await _requests(conn, made, now, dice)
        for number in range(20):
            await applications.apply(
                conn,
                place.id,
                name=f"New Neighbour {number}",
                email=f"new{number}@example.org",
                about="I moved here in spring.",
                language="en",
                network=f"192.0.2.{number}",
                now=now,
            )
    await _waiting(db, made, now, dice)
    await _closed(db, made, now)
    return Desk(made, place.slug, cookie, now)


async def _coordinator(conn: AsyncConnection, made: Books, now: Moment) -> str:
    """Somebody who coordinates, and another steward; the cookie of the first."""
    cookie = ""
    for role, member in ((Role.STEWARD, made.members[0]), (Role.COORDINATOR, made.members[1])):
        person = now.new_id()
        await conn.execute(
            insert(people.people).values(
                id=person, email=f"{role}@example.org", language="en", created_at=now.at
            )
        )
        await conn.execute(
            update(members.members)
            .where(members.members.c.community_id == made.community, members.members.c.id == member)
            .values(person_id=person, role=role.value)
        )
        cookie = await sessions.begin(conn, person, device="a benchmark", now=now)
    return cookie


async def _organisations(conn: AsyncConnection, made: Books, now: Moment, dice: Random) -> None:
    """Fifty organisations or fewer; two members in five belong to one."""
    common = {"community_id": made.community}
    kinds = [one.id for one in await sectors.of(conn, made.community)]
    houses = []
    for number in range(min(50, len(made.members) // 10)):
        house = await members.insert_member(
            conn,
            made.community,
            name=f"Organisation {number}",
            status=members.Status.ACTIVE,
            kind=MemberKind.ORGANISATION,
            now=now,
        )
        houses.append(house.id)
    table = organisations.organisations
    for place, id in enumerate(houses):
        await conn.execute(
            update(table)
            .where(table.c.community_id == made.community, table.c.id == id)
            .values(sector_id=kinds[place % len(kinds)])
        )
    belong = dice.sample(made.members, len(made.members) * 2 // 5)
    await conn.execute(
        insert(affiliations.affiliations),
        [
            common
            | {"id": now.new_id(), "member_id": id, "organisation_id": dice.choice(houses)}
            | {"role": "", "since": date(2015, 1, 1), "added_by": id, "added_at": now.at}
            for id in belong
        ],
    )


async def _requests(conn: AsyncConnection, made: Books, now: Moment, dice: Random) -> None:
    """What people asked for in the past year; half of it was answered."""
    common = {"community_id": made.community}
    asked = [(now.new_id(), dice.choice(made.members)) for _ in range(len(made.members) // 5)]
    await conn.execute(
        insert(listings.listings),
        [
            common
            | {"id": id, "member_id": who, "kind": "request", "title": "A lift", "words": ""}
            | {"area": "", "written_by": who, "until": now.at.date()}
            | {"written_at": now.at - timedelta(days=dice.randrange(365))}
            for id, who in asked
        ],
    )
    await conn.execute(
        insert(listings.answers),
        [
            common
            | {"listing_id": id, "member_id": who, "written_by": who, "words": "I can"}
            | {"contact_shared": False, "at": now.at}
            for id, who in ((id, dice.choice(made.members)) for id, _ in asked[::2])
        ],
    )


async def _waiting(db: Database, made: Books, now: Moment, dice: Random) -> None:
    """A hundred entries that wait, half of them of last month."""
    last = Month.of(now.at.date()).previous.last
    async with db.write(made.community) as conn:
        for number in range(100):
            giver, receiver = dice.sample(made.members[2:], 2)
            new = NewEntry(
                Kind.HELP,
                (Share(giver),),
                (Share(receiver),),
                Minutes(60),
                last if number % 2 else now.at.date(),
                "The garden",
            )
            await recording.record(conn, made.community, new, by=giver, now=now)


async def _closed(db: Database, made: Books, now: Moment) -> None:
    """Months are closed on the first; those of the past year are, up to the one before the last."""
    steward: UUID = made.members[0]
    async with db.write(made.community) as conn:
        current = await agreements.current(conn, made.community)
        await agreements.adopt(
            conn,
            made.community,
            replace(current.terms, closing_day=1),
            reason="For the council.",
            expected_version=current.version,
            by=steward,
            now=now,
        )
    for earlier in range(12, 1, -1):
        month = Month.of(now.at.date()).later(-earlier)
        async with db.write(made.community) as conn:
            await closing.close(conn, made.community, month, by=steward, now=now)
