"""Statements: whose they are, and that every page adds up.

Seen to turn red: a page that skips a line; periods counted in UTC; formulas left alone in CSV.
"""

from __future__ import annotations

import csv
from datetime import date
from typing import Any

import pytest

from ledger import Minutes
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import DAY, MillRoad, counted, helped, mill_road
from timebank import communities, posting, statements
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind
from timebank.errors import NotFound
from timebank.members import Member
from timebank.posting import Approve, Done
from timebank.spreadsheet import Format, Table, write
from timebank.statements import StatementPage


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def page(place: MillRoad, of: Any, by: Member | None = None, **asked: Any) -> StatementPage:
    account = of.account_id if isinstance(of, Member) else of
    async with place.db.read(place.id) as conn:
        return await statements.page(conn, place.id, account, by=(by or place.carla).id, **asked)


async def given(place: MillRoad, count: int, **more: Any) -> None:
    """Ana helps Bert so many times, on one day, a quarter more each time."""
    recorded = [
        await place.record(
            helped(place.ana, place.bert, 15 * (n + 1), note=f"Job {n + 1}", **more), place.ana
        )
        for n in range(count)
    ]
    asked = [Approve(place.id, entry.id, place.carla.id) for entry in recorded]
    verdicts = await posting.post(place.db, asked, now=at(hours=1))
    assert all(isinstance(verdict, Done) for verdict in verdicts)


async def test_pages_follow_one_another_and_each_adds_up(place: MillRoad) -> None:
    await given(place, 7)
    seen: list[int] = []
    before, carried = None, None
    while True:
        found = await page(place, place.ana, before_line=before, limit=3)
        assert found.closing - found.opening == Minutes(
            sum(line.minutes.count for line in found.lines)
        )
        assert carried in (None, found.closing)
        seen += [line.line for line in found.lines]
        before, carried = found.next_before_line, found.opening
        if before is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert carried == Minutes(0)
    assert (found.given, found.received, found.balance) == (
        Minutes(420),
        Minutes(0),
        Minutes(420),
    )


async def test_a_line_says_who_what_and_when(place: MillRoad) -> None:
    async with place.db.read(place.id) as conn:
        garden = (await communities.categories_of(conn, place.id))[4]
    entry = await place.record(
        helped(place.ana, place.bert, category_id=garden.id, occurred_on=date(2026, 4, 30)),
        place.ana,
    )
    await place.approve(entry)
    (line,) = (await page(place, place.bert)).lines
    assert (line.minutes, line.balance, line.others) == (
        Minutes(-60),
        Minutes(-60),
        ("Ana Lima",),
    )
    assert (line.day, line.posted_at) == (date(2026, 4, 30), at(hours=1).at)
    assert (line.words, line.category, line.kind) == ("The garden", garden.name, Kind.HELP)
    assert line.entry_id == entry.id


async def test_an_undone_pair_is_marked_on_both_statements(place: MillRoad) -> None:
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    await place.undo(entry)
    for member in (place.ana, place.bert):
        found = await page(place, member)
        back, first = found.lines
        assert (first.reversed_by_id, first.reverses_id) == (posting.reversal_id(entry.id), None)
        assert (back.reversed_by_id, back.reverses_id) == (None, entry.id)
        assert found.balance == found.given == found.received == Minutes(0)


async def test_whose_statement_is_open_to_whom(place: MillRoad) -> None:
    async with place.db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere")
        stranger = await a_member(conn, elsewhere.id, "Zora", email="zora@example.org")
    for of, by in (
        (place.ana, place.ana),
        (place.ana, place.dora),
        (place.ines, place.ana),
        (place.library, place.bert),
        (place.commons, place.bert),
    ):
        await page(place, of, by)
    for of, by in (
        (place.ana, place.bert),
        (place.library, place.ana),
        (place.ana, stranger),
        (place.commons, stranger),
        (stranger, place.carla),
        (elsewhere.id, place.carla),
    ):
        with pytest.raises(NotFound):
            await page(place, of, by)


async def test_a_period_is_counted_by_days_of_posting_where_the_community_lives(
    place: MillRoad,
) -> None:
    first = await place.record(helped(place.ana, place.bert, 60), place.ana)
    second = await place.record(helped(place.ana, place.bert, 30), place.ana)
    await place.approve(first, now=at(hours=10, minutes=59))  # 23:59 in London on 4 May
    await place.approve(second, now=at(hours=11))  # midnight in London, still 4 May in UTC
    on_4 = await page(place, place.ana, first_day=DAY, last_day=DAY)
    after = await page(place, place.ana, first_day=date(2026, 5, 5))
    before = await page(place, place.ana, last_day=date(2026, 5, 3))
    assert [line.minutes.count for line in on_4.lines] == [60]
    assert [line.minutes.count for line in after.lines] == [30]
    assert (after.opening, after.closing) == (Minutes(60), Minutes(90))
    assert (before.lines, before.closing) == ((), Minutes(0))
    always = await page(place, place.ana, first_day=date(1, 1, 2), last_day=date.max)
    assert len(always.lines) == 2


async def test_searching_finds_words_names_and_categories_of_ones_own_lines(
    place: MillRoad,
) -> None:
    async with place.db.read(place.id) as conn:
        garden = (await communities.categories_of(conn, place.id))[4]
    for new in (
        helped(place.ana, place.bert, note="Painted the 50% fence"),
        helped(place.ana, place.ines, note="Tea and cake"),
        helped(place.ana, place.dora, note="", category_id=garden.id),
        helped(place.dora, place.bert, note="Tea, but not Ana's"),
    ):
        entry = await place.record(new, place.carla)
        await place.approve(entry, place.stella)
    for search, others in (
        ("tea", ["Inés García"]),
        ("GARCIA", ["Inés García"]),
        ("gard", ["Dora Winter"]),
        ("50%", ["Bert Okoro"]),
        ("%", ["Bert Okoro"]),
        ("nothing like it", []),
    ):
        found = await page(place, place.ana, search=search)
        assert [line.others[0] for line in found.lines] == others, search
    two = await page(place, place.ana, search="e", limit=1)
    assert two.next_before_line is not None
    assert (await page(place, place.ana, search="e", before_line=two.next_before_line)).lines


async def test_a_page_takes_as_many_queries_with_many_lines_as_with_few(
    place: MillRoad,
) -> None:
    numbers = []
    for count in (2, 20):
        await given(place, count)
        async with counted(place.db) as sent:
            await page(place, place.ana, place.ana)
        numbers.append(len(sent))
    assert numbers[0] == numbers[1]
    assert numbers[0] <= 12


async def test_the_table_has_every_line_and_no_formula(place: MillRoad) -> None:
    await given(place, 3)
    trick = await place.record(helped(place.bert, place.ana, note='=HYPERLINK("x")'), place.bert)
    await place.approve(trick)
    async with place.db.read(place.id) as conn:
        lines = await statements.rows(conn, place.id, place.ana.id, by=place.ana.id)
        cells = [row async for row in lines]
        lines = await statements.rows(conn, place.id, place.ana.id, by=place.ana.id, search="Job 2")
        found = [row async for row in lines]
    written = write(Table("statement", statements.HEADINGS, cells), Format.CSV)
    rows = list(csv.reader(written.decode("utf-8-sig").splitlines()))
    assert rows[0] == list(statements.HEADINGS)
    assert [row[7:10] for row in rows[1:]] == [
        ["15", "", "15"],
        ["30", "", "45"],
        ["45", "", "90"],
        ["", "60", "30"],
    ]
    assert rows[4][6] == '\'=HYPERLINK("x")'
    assert [row[0] for row in found] == [2]
    async with place.db.read(place.id) as conn:
        with pytest.raises(NotFound):
            await statements.rows(conn, place.id, place.ana.id, by=place.bert.id)
