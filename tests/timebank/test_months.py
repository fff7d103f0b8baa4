"""Closing a month: what comes late counts in an open one, and what was reported never changes.

Seen to turn red: entries counted on their own day whatever was closed; an undo counted in the month
of what it undoes after that was closed; a report read anew; closing without the journal's lock; the
second steward being the first one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ledger import Minutes
from ledger.sql.rights import EVERY, SETTING
from tests.timebank.factories import a_member, at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import (
    agreements,
    books,
    closing,
    communities,
    entries,
    entry_steps,
    gatherings,
    listings,
    members,
    months,
    my_data,
    reports,
    settlements,
    statements,
)
from timebank.db import EVERYWHERE, Database
from timebank.entry import Entry, Kind, Share
from timebank.errors import (
    Forbidden,
    NoClosingDay,
    NotFound,
    ReasonMissing,
    SecondSteward,
    TooEarly,
    WrongState,
)
from timebank.members import Member, Role
from timebank.moment import Moment
from timebank.months import Closing, Standing, State, StepKind
from timebank.outbox import outbox
from timebank.periods import Month, Period
from timebank.posting import Done
from timebank.reports import Report

APRIL, MAY, JUNE = Month(2026, 4), Month(2026, 5), Month(2026, 6)
IN_APRIL, IN_MAY = date(2026, 4, 20), date(2026, 5, 4)
THE_SEVENTH = at(days=3)  # of May, the closing day


@dataclass(frozen=True)
class Scene:
    """Mill Road, which closes its months on the seventh, with five more people and a category."""

    road: MillRoad
    more: tuple[Member, ...]
    second: Member  # steward
    garden: UUID

    @property
    def db(self) -> Database:
        return self.road.db

    @property
    def id(self) -> UUID:
        return self.road.id

    @property
    def people(self) -> list[Member]:
        road = self.road
        return [road.ana, road.bert, road.ines, road.stella, *self.more]

    async def posted(
        self, giver: Member, receiver: Member, day: date, now: Moment, minutes: int = 60
    ) -> Entry:
        """An hour recorded by a coordinator and approved at once by another one."""
        new = helped(giver, receiver, minutes, occurred_on=day, category_id=self.garden)
        entry = await self.road.record(new, self.road.dora, now)
        assert isinstance(await self.road.approve(entry, now=now), Done)
        return await self.road.entry(entry.id)

    async def a_busy_month(self, day: date, now: Moment) -> list[Entry]:
        """Everybody gives an hour to the next one."""
        people = self.people
        return [
            await self.posted(giver, people[(n + 1) % len(people)], day, now)
            for n, giver in enumerate(people)
        ]

    async def close(
        self, month: Month = APRIL, by: Member | None = None, now: Moment = THE_SEVENTH
    ) -> Closing:
        """Close a month, as Carla unless somebody else is named."""
        async with self.db.write(self.id) as conn:
            return await closing.close(conn, self.id, month, by=(by or self.road.carla).id, now=now)

    async def reopen(self, month: Month = APRIL, now: Moment = THE_SEVENTH) -> None:
        """Stella asks, and the second steward agrees."""
        async with self.db.write(self.id) as conn:
            await closing.ask_to_reopen(
                conn, self.id, month, "We forgot a sheet.", by=self.road.stella.id, now=now
            )
        async with self.db.write(self.id) as conn:
            await closing.reopen(conn, self.id, month, by=self.second.id, now=now)

    async def kept(self, number: int | None = None, month: Month = APRIL) -> Closing:
        async with self.db.read(self.id) as conn:
            return await months.closing(conn, self.id, month, number)

    async def standing(self, month: Month = APRIL) -> Standing:
        async with self.db.read(self.id) as conn:
            return await months.standing(conn, self.id, month)

    async def report(self, month: Month) -> Report:
        async with self.db.read(self.id) as conn:
            return await reports.read(conn, self.id, month.period)

    async def given(self, month: Month) -> int:
        """The minutes that members gave, as a report made now says it."""
        total = (await self.report(month)).total
        return total.given.count if total else 0

    async def waiting(self) -> list[UUID]:
        async with self.db.read(self.id) as conn:
            terms = (await agreements.current(conn, self.id)).terms
            rows = await conn.execute(months.waits(self.id, terms=terms, now=at()))
            return [row.id for row in rows]

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[AsyncConnection]:
        """Past the program: as somebody who owns the database."""
        engine = create_async_engine(self.db.settings.owners_url)
        async with engine.begin() as conn:
            if not self.db.is_sqlite:
                await conn.execute(text(f"SET LOCAL {SETTING} = '{EVERY}'"))
            yield conn
        await engine.dispose()


@pytest.fixture
async def scene(db: Database) -> Scene:
    road = await mill_road(db)
    async with db.write(road.id) as conn:
        names = ("Felix Adeyemi", "Gita Rao", "Hana Kim", "Ivo Marin", "June Park")
        more = [await a_member(conn, road.id, name, area="Riverside", now=at()) for name in names]
        second = await a_member(
            conn, road.id, "Sam Steward", role=Role.STEWARD, email="sam@example.org"
        )
        garden = (await communities.categories_of(conn, road.id))[4]
    await road.agree(closing_day=7)
    return Scene(road, tuple(more), second, garden.id)


# ── Which month hours count in ───────────────────────────────────────────────────────────────────


async def test_hours_of_an_open_month_count_in_it_however_late_they_are_posted(
    scene: Scene,
) -> None:
    entry = await scene.posted(scene.road.ana, scene.road.bert, IN_APRIL, at(days=2))
    assert (entry.counted_on, entry.late) == (IN_APRIL, False)


async def test_hours_of_a_closed_month_count_in_the_open_one_with_their_true_day(
    scene: Scene,
) -> None:
    await scene.a_busy_month(IN_APRIL, at())
    await scene.close()
    entry = await scene.posted(scene.road.ana, scene.road.bert, IN_APRIL, at(days=10))
    assert (entry.occurred_on, entry.counted_on) == (IN_APRIL, date(2026, 5, 14))
    assert entry.late
    async with scene.db.read(scene.id) as conn:
        page = await statements.page(
            conn, scene.id, scene.road.ana.id, by=scene.road.ana.id, limit=1
        )
    assert (page.lines[0].day, page.lines[0].late_in) == (IN_APRIL, MAY)
    assert await scene.given(APRIL) == 9 * 60
    await scene.road.assert_sound()


async def test_where_several_months_are_closed_the_first_open_one_takes_it(scene: Scene) -> None:
    for month, days in ((APRIL, 3), (MAY, 34)):
        await scene.close(month, now=at(days=days))
    entry = await scene.posted(scene.road.ana, scene.road.bert, IN_APRIL, at(days=70))
    # By mid-July June is over and not closed: it is the first that is open, and ends on the 30th.
    assert entry.counted_on == date(2026, 6, 30)
    await scene.road.assert_sound()


async def test_an_undo_cancels_out_in_an_open_month_and_is_taken_off_after_a_closed_one(
    scene: Scene,
) -> None:
    first, second, *_ = await scene.a_busy_month(IN_APRIL, at())
    await scene.road.undo(first, now=at(days=1))
    undone = await scene.road.entry(first.id)
    assert undone.reversed_by_id is not None
    assert (await scene.road.entry(undone.reversed_by_id)).counted_on == IN_APRIL
    assert await scene.given(APRIL) == 8 * 60
    await scene.close()
    await scene.road.undo(second, now=at(days=5))
    undone = await scene.road.entry(second.id)
    assert undone.reversed_by_id is not None
    assert (await scene.road.entry(undone.reversed_by_id)).counted_on == date(2026, 5, 9)
    assert await scene.given(APRIL) == 8 * 60
    assert (await scene.report(MAY)).numbers["taken_back"] is None  # of one person
    async with scene.db.read(scene.id) as conn:
        both = await reports.read(conn, scene.id, Period(APRIL.first, MAY.last))
    assert both.total is not None
    assert both.total.given.count == 7 * 60
    await scene.road.assert_sound()


async def test_a_kept_day_that_was_tampered_with_is_found(scene: Scene) -> None:
    entry, other, *_ = await scene.a_busy_month(IN_APRIL, at())
    await scene.close()
    late = await scene.posted(scene.road.ana, scene.road.bert, IN_APRIL, at(days=10))
    await scene.road.undo(other, now=at(days=11))
    undoing = (await scene.road.entry(other.id)).reversed_by_id
    for id, day in (
        (entry.id, IN_MAY),
        (late.id, IN_APRIL),
        (late.id, date(2026, 5, 13)),
        (undoing, IN_APRIL),
        (undoing, None),
    ):
        async with scene.as_owner() as conn:
            table = entries.entries
            kept = await conn.scalar(select(table.c.counted_on).where(table.c.id == id))
            await conn.execute(update(table).where(table.c.id == id).values(counted_on=day))
        report = await books.verify(scene.db, scene.id, now=at(days=20))
        assert [f"entry {id} counts for another day" in one for one in report.findings] == [True]
        async with scene.as_owner() as conn:
            await conn.execute(update(table).where(table.c.id == id).values(counted_on=kept))
    await scene.road.assert_sound()


# ── Closing ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_month_is_closed_by_a_coordinator_from_the_agreed_day_on(scene: Scene) -> None:
    with pytest.raises(Forbidden):
        await scene.close(by=scene.road.ana)
    with pytest.raises(TooEarly) as early:
        await scene.close(now=at(days=2, hours=10))
    assert early.value.day == date(2026, 5, 7)
    with pytest.raises(TooEarly):
        await scene.close(MAY)
    found = await scene.close()
    assert (found.number, found.closed_by_name, found.seq) == (1, "Carla Rossi", 0)
    assert (await scene.standing()).state is State.CLOSED
    await scene.road.agree(closing_day=None)
    with pytest.raises(NoClosingDay):
        await scene.close(Month(2026, 3))


async def test_closing_keeps_where_the_books_stood_and_a_digest_of_the_report(
    scene: Scene,
) -> None:
    await scene.a_busy_month(IN_APRIL, at())
    found = await scene.close()
    async with scene.db.read(scene.id) as conn:
        overview = await books.overview(conn, scene.id)
    assert (found.seq, found.hash) == (overview.head_seq, overview.head_hash)
    assert found.digest == sha256(found.report.encode()).digest()
    assert json.loads(found.report)["numbers"]["active"] == 9
    async with scene.as_owner() as conn:
        await _without_guards(conn, scene)
        await conn.execute(
            update(months.closings).values(report=found.report.replace('"active":9', '"active":8'))
        )
    report = await books.verify(scene.db, scene.id, now=at(days=20))
    assert report.findings == ("the report of 2026-04, closing 1, is not as it was kept",)


async def _without_guards(conn: AsyncConnection, scene: Scene) -> None:
    """What the owner of a database can do, and the program cannot."""
    of_table = "" if scene.db.is_sqlite else " ON closing"
    await conn.execute(text(f"DROP TRIGGER closing_kept{of_table}"))


async def test_closing_twice_is_closing_once(scene: Scene) -> None:
    await scene.a_busy_month(IN_APRIL, at())
    found = await asyncio.gather(
        *(scene.close(by=by) for by in (scene.road.carla, scene.road.dora, scene.road.stella) * 2)
    )
    assert {one.closed_by for one in found} == {found[0].closed_by}
    assert {one.number for one in found} == {1}
    async with scene.db.read(scene.id) as conn:
        story = await months.story(conn, scene.id, APRIL)
    assert [step.kind for step in story] == [StepKind.CLOSED]


async def test_what_is_posted_while_a_month_is_closed_is_in_its_report_or_late(
    scene: Scene,
) -> None:
    await scene.a_busy_month(IN_APRIL, at())
    waiting = [
        await scene.road.record(
            helped(scene.road.ana, scene.road.bert, 15, occurred_on=IN_APRIL),
            scene.road.dora,
            at(minutes=number),
        )
        for number in range(8)
    ]
    approving = [scene.road.approve(entry, now=THE_SEVENTH) for entry in waiting]
    closing_ = asyncio.create_task(scene.close())
    await asyncio.gather(closing_, *approving)
    total = reports.from_json(closing_.result().report).total
    assert total is not None
    posted = [await scene.road.entry(entry.id) for entry in waiting]
    in_time = [entry for entry in posted if not entry.late]
    assert total.given.count == 9 * 60 + 15 * len(in_time)
    assert {entry.counted_on for entry in posted if entry.late} <= {date(2026, 5, 7)}
    await scene.road.assert_sound()


async def test_a_posting_waits_for_a_closing_that_is_under_way_and_is_late_then(
    scene: Scene,
) -> None:
    entry = await scene.road.record(
        helped(scene.road.ana, scene.road.bert, occurred_on=IN_APRIL), scene.road.dora
    )
    async with scene.db.write(scene.id) as conn:
        await closing.close(conn, scene.id, APRIL, by=scene.road.carla.id, now=THE_SEVENTH)
        approving = asyncio.create_task(scene.road.approve(entry, now=THE_SEVENTH))
        await asyncio.sleep(0.3)
        assert not approving.done()
    assert isinstance(await approving, Done)
    assert (await scene.road.entry(entry.id)).late


async def _everything_changes(scene: Scene, some: list[Entry]) -> None:
    """Late hours, undone ones, another name for a category, people who leave and are forgotten."""
    road = scene.road
    await scene.posted(road.ana, road.bert, IN_APRIL, at(days=8), 45)
    for entry in some[:3]:
        await road.undo(entry, now=at(days=9))
    async with scene.as_owner() as conn:
        await conn.execute(update(communities.categories).values(name=_RENAMED))
    async with scene.db.write(scene.id) as conn:
        await members.edit(
            conn,
            scene.id,
            road.bert.id,
            name="Bertram",
            phone="",
            contact_shown=False,
            area="Elsewhere",
            about="",
            by=road.bert.id,
            now=at(days=9),
        )
        await members.leave(conn, scene.id, scene.more[0].id, by=road.carla.id, now=at(days=9))
    for who in scene.more[1:]:
        async with scene.db.write(EVERYWHERE) as conn:
            await my_data.close(conn, scene.id, who.id, by=road.stella.id, now=at(days=9))


_RENAMED = communities.categories.c.name + " again"


async def test_a_closed_months_report_never_changes_whatever_happens_afterwards(
    scene: Scene,
) -> None:
    posted = await scene.a_busy_month(IN_APRIL, at())
    before = await scene.close()
    as_made_then = await scene.report(APRIL)
    await _everything_changes(scene, posted)
    after = await scene.kept()
    assert after == before
    assert reports.from_json(after.report) == as_made_then
    assert await scene.report(APRIL) != as_made_then  # made today, it would be another one
    await scene.road.assert_sound()


# ── Opening again ────────────────────────────────────────────────────────────────────────────────


async def test_opening_a_month_again_takes_two_stewards_and_a_reason(scene: Scene) -> None:
    await scene.close()
    stella, now = scene.road.stella, at(days=4)
    async with scene.db.write(scene.id) as conn:
        with pytest.raises(Forbidden):
            await closing.ask_to_reopen(
                conn, scene.id, APRIL, "Because", by=scene.road.carla.id, now=now
            )
        with pytest.raises(ReasonMissing):
            await closing.ask_to_reopen(conn, scene.id, APRIL, " ", by=stella.id, now=now)
        with pytest.raises(WrongState):
            await closing.reopen(conn, scene.id, APRIL, by=scene.second.id, now=now)
        await closing.ask_to_reopen(conn, scene.id, APRIL, "A sheet", by=stella.id, now=now)
    assert await scene.waiting() == [months.id_of(scene.id, APRIL)]
    entry = await scene.posted(scene.road.ana, scene.road.bert, IN_APRIL, now)
    assert entry.late  # it is closed until the other one has agreed
    async with scene.db.write(scene.id) as conn:
        with pytest.raises(SecondSteward):
            await closing.reopen(conn, scene.id, APRIL, by=stella.id, now=now)
        await closing.reopen(conn, scene.id, APRIL, by=scene.second.id, now=now)
    assert not (await scene.posted(scene.road.ana, scene.road.bert, IN_APRIL, now)).late
    assert (await scene.road.entry(entry.id)).late  # what was told to count in May stays there
    await scene.road.assert_sound()


async def test_a_month_closed_again_gets_a_second_report_and_the_first_stays_readable(
    scene: Scene,
) -> None:
    await scene.a_busy_month(IN_APRIL, at())
    first = await scene.close()
    await scene.reopen()
    await scene.posted(scene.road.ana, scene.road.bert, IN_APRIL, at(days=5), 30)
    second = await scene.close(now=at(days=6))
    assert (first.number, second.number) == (1, 2)
    assert await scene.kept(1) == first
    assert await scene.kept() == second
    totals = [reports.from_json(one.report).total for one in (first, second)]
    assert [total.given.count if total else 0 for total in totals] == [540, 570]
    with pytest.raises(NotFound):
        await scene.kept(3)
    await scene.road.assert_sound()


async def test_another_steward_or_who_asked_may_say_that_it_stays_closed(scene: Scene) -> None:
    await scene.close()
    for by in (scene.second, scene.road.stella):
        async with scene.db.write(scene.id) as conn:
            await closing.ask_to_reopen(
                conn, scene.id, APRIL, "A sheet", by=scene.road.stella.id, now=at(days=4)
            )
            await closing.keep_closed(conn, scene.id, APRIL, "No need", by=by.id, now=at(days=4))
        standing = await scene.standing()
        assert (standing.state, standing.asked_by) == (State.CLOSED, None)
    async with scene.db.read(scene.id) as conn:
        story = await months.story(conn, scene.id, APRIL)
    assert [(step.kind, step.name) for step in story[1:3]] == [
        (StepKind.ASKED, "Stella Novak"),
        (StepKind.KEPT, "Sam Steward"),
    ]


# ── The calendar ─────────────────────────────────────────────────────────────────────────────────


async def test_on_the_agreed_day_the_inbox_and_a_mail_say_so_once(scene: Scene) -> None:
    await scene.road.record(
        helped(scene.road.ana, scene.road.bert, occurred_on=IN_APRIL), scene.road.ana
    )
    told = len(await scene.road.told())
    assert await closing.remind(scene.db, now=at(days=2, hours=10)) == 0
    assert await scene.waiting() == []
    due = at(days=2, hours=12)  # midnight in London
    assert sum(await asyncio.gather(*(closing.remind(scene.db, now=due) for _ in range(3)))) == 1
    assert await scene.waiting() == [months.id_of(scene.id, APRIL)]
    new = (await scene.road.told())[told:]
    assert sorted(new) == [
        "carla@example.org",
        "dora@example.org",
        "sam@example.org",
        "stella@example.org",
    ]
    async with scene.db.read(scene.id) as conn:
        query = select(outbox.c.subject, outbox.c.body, outbox.c.path).order_by(outbox.c.id.desc())
        mail = (await conn.execute(query.limit(1))).one()
    assert mail.subject == "April 2026 can be closed"
    assert "Still waiting with days in it: 1." in mail.body
    assert mail.path == "/c/mill-road/months/2026-04"
    await scene.close()
    assert await scene.waiting() == []


async def test_months_that_were_over_before_a_day_was_agreed_are_nobodys_duty(
    scene: Scene,
) -> None:
    # Agreed on 4 May: the first closing day is 7 May, for April. Then nobody looks until July.
    assert await closing.remind(scene.db, now=at(days=70)) == 3
    async with scene.db.read(scene.id) as conn:
        standings = await months.between(conn, scene.id, Month(2026, 3), JUNE)
    assert [(str(one.month), one.due_at is not None) for one in standings] == [
        ("2026-06", True),
        ("2026-05", True),
        ("2026-04", True),
        ("2026-03", False),
    ]


async def test_what_still_waits_with_days_in_a_month_is_listed(scene: Scene) -> None:
    road = scene.road
    waits = await road.record(helped(road.ana, road.bert, occurred_on=IN_APRIL), road.ana)
    await road.record(helped(road.ana, road.bert, occurred_on=IN_MAY), road.ana)
    argued = await scene.posted(road.ana, road.bert, IN_APRIL, at(minutes=1))
    await road.step(entry_steps.dispute, argued, road.bert, "Not like that", at(days=1))
    await scene.posted(road.ana, road.bert, IN_APRIL, at(minutes=2))
    async with scene.db.read(scene.id) as conn:
        place = await communities.by_id(conn, scene.id)
        found = await closing.unsettled(conn, place, APRIL, limit=1)
        all_ = await closing.unsettled(conn, place, APRIL)
    assert ([entry.id for entry in found.entries], found.more_entries) == ([waits.id], 1)
    assert [entry.id for entry in all_.entries] == [waits.id, argued.id]
    assert all_.total == found.total == 2


# ── Reports from the database ────────────────────────────────────────────────────────────────────


async def test_a_report_tells_gifts_from_help_and_undone_from_done(scene: Scene) -> None:
    road = scene.road
    posted = await scene.a_busy_month(IN_MAY, at())
    gift = helped(road.ana, road.commons, 120, kind=Kind.DONATION)
    assert isinstance(await road.approve(await road.record(gift, road.ana)), Done)
    await road.undo(posted[0], now=at(days=1))
    report = await scene.report(MAY)
    assert report.total is not None
    assert (report.total.given.count, report.total.received.count) == (8 * 60, 8 * 60)
    assert report.numbers["exchanges"] == 8
    assert report.numbers["active"] == 9
    assert report.numbers["gave"] == report.numbers["received"] == None  # noqa: E711  eight of nine
    assert report.numbers["commons_received"] == 0


async def test_a_report_tells_who_came_new_and_how_long_things_took(scene: Scene) -> None:
    await scene.a_busy_month(date(2026, 6, 2), at(days=30))
    may, june = (await scene.report(MAY)).numbers, (await scene.report(JUNE)).numbers
    assert (may["joined"], may["organisations_joined"], may["first"]) == (12, 1, 0)
    assert (june["joined"], june["first"]) == (0, 9)
    assert june["days_to_first"] == 29  # from 4 May to 2 June
    assert june["seconds_waited"] == 0


async def test_a_report_counts_nobody_twice_where_somebody_exchanged_before(scene: Scene) -> None:
    await scene.a_busy_month(IN_APRIL, at())
    await scene.a_busy_month(IN_MAY, at(hours=1))
    assert (await scene.report(APRIL)).numbers["first"] == 9
    assert (await scene.report(MAY)).numbers["first"] == 0


async def test_areas_and_categories_are_told_in_the_communitys_words(scene: Scene) -> None:
    await scene.a_busy_month(IN_MAY, at())
    report = await scene.report(MAY)
    (line,) = report.table("category").lines
    assert (line.name, line.people) == ("Garden", 9)
    # Five live in Riverside, four nowhere in particular: shown, they would tell of four.
    area = report.table("area")
    assert (area.lines, area.together) == ((), None)
    assert area.total is not None


async def _a_gathering(scene: Scene) -> None:
    """Tea on 6 May, sponsored by the commons, with everybody there; and two requests."""
    road, people = scene.road, scene.people
    new = replace(
        helped(road.ana, road.commons, kind=Kind.ACTIVITY, occurred_on=date(2026, 5, 6)),
        givers=tuple(Share(one.id, Minutes(60)) for one in people),
        minutes=None,
    )
    entry = await road.record(new, road.dora, at(days=2))
    assert isinstance(await road.approve(entry, now=at(days=2)), Done)
    common = {"community_id": scene.id}
    async with scene.db.write(scene.id) as conn:
        tea = await _insert_gathering(conn, scene)
        of_it = common | {"gathering_id": tea}
        await conn.execute(
            insert(gatherings.seats),
            [
                of_it
                | {"id": at().new_id(), "member_id": one.id, "name": "", "email": ""}
                | {"from_words": "", "answer": "yes", "words": "", "waiting": False}
                | {"present": Minutes(60), "ticked_how": "list", "to_confirm": False}
                for one in people
            ],
        )
        await conn.execute(
            insert(settlements.settlements).values(
                **of_it,
                number=1,
                entry_id=entry.id,
                rule="sponsored",
                reason="",
                made_by=road.dora.id,
                made_at=at().at,
            )
        )
        lines = [(one.id, "hospitality" if n < 5 else "activity") for n, one in enumerate(people)]
        await conn.execute(
            insert(settlements.settlement_lines),
            [
                of_it
                | {"number": 1, "account_id": id, "role_key": kind, "kind": kind}
                | {"side": "gave", "minutes": Minutes(60)}
                for id, kind in lines
            ]
            + [
                of_it
                | {"number": 1, "account_id": road.commons, "role_key": "", "kind": "activity"}
                | {"side": "received", "minutes": Minutes(540)}
            ],
        )
        await conn.execute(
            insert(listings.listings),
            [
                common
                | {"id": at().new_id(), "member_id": one.id, "kind": "request"}
                | {"title": "A lift", "words": "", "area": "", "written_by": one.id}
                | {"written_at": at().at, "until": date(2026, 8, 1)}
                for one in people
            ],
        )


async def _insert_gathering(conn: AsyncConnection, scene: Scene) -> UUID:
    id = at().new_id()
    await conn.execute(
        insert(gatherings.gatherings).values(
            community_id=scene.id,
            id=id,
            title="Tea",
            **dict.fromkeys(("purpose", "place", "access", "link", "area", "bring"), ""),
            starts_at=at(days=2).at,
            ends_at=at(days=2, hours=1).at,
            openness="members",
            rule="sponsored",
            credits_taking_part=True,
            payer_id=scene.road.commons,
            state="settled",
            agreement_version=1,
            made_by=scene.road.dora.id,
            made_at=at().at,
            touched_at=at().at,
        )
    )
    return id


async def test_the_hours_of_a_gathering_are_told_by_role_and_requests_by_their_answers(
    scene: Scene,
) -> None:
    await _a_gathering(scene)
    report = await scene.report(MAY)
    assert report.total is not None
    assert (report.total.given.count, report.total.people) == (540, 9)
    assert report.numbers["commons_received"] == 540
    assert report.numbers["exchanges"] == report.numbers["gatherings"] == 1
    assert report.numbers["came"] == report.numbers["requests"] == report.numbers["unanswered"] == 9
    # Five did hospitality, four took part: told apart, the four would be shown.
    assert report.table("kind").lines == ()


async def test_only_coordinators_make_reports_of_any_period(scene: Scene) -> None:
    async with scene.db.read(scene.id) as conn:
        with pytest.raises(Forbidden):
            await reports.make(conn, scene.id, MAY.period, by=scene.road.ana.id)
        made = await reports.make(conn, scene.id, MAY.period, by=scene.road.carla.id)
    assert made.community == "Mill Road"
