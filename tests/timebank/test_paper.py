"""What is printed says what the books say, in letters one can read, and is put away after a day.

Seen to turn red: a month that begins at midnight of Greenwich; a balance that counts what came
later; a minus that is a hyphen; letters of twelve points.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import update

from ledger import ZERO, Minutes
from ledger.sql import read
from tests.timebank.factories import START, a_community, a_member, at
from tests.timebank.scenes import MillRoad, counted, helped, mill_road
from timebank import anchors, members, people, statements
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind
from timebank.errors import Forbidden, NotFound
from timebank.listings import ListingKind
from timebank.members import Member, Role
from timebank.moment import Moment
from timebank.noticeboard import Notice
from timebank.paper import handouts, statement
from timebank.paper import statements as paper
from timebank.paper.handouts import Blank, PrintedMember
from timebank.paper.page import Column, Paper
from timebank.paper.press import Order, Press, Stage, minute
from timebank.paper.statement import Month, PrintedLine, PrintedStatement
from timebank.paper.statements import Who

MAY, JUNE, JULY = (Month(date(2026, month, 1)) for month in (5, 6, 7))
LATER = Moment(datetime(2026, 8, 3, 9, tzinfo=UTC))


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def printed(
    place: MillRoad, month: Month, who: Who = Who.EVERYONE, *, member: Member | None = None
) -> dict[str, PrintedStatement]:
    """The statements of a month, by name."""
    async with place.db.read(place.id) as conn:
        wanted = await paper.readers(
            conn, place.id, month, who, member=member.id if member else None, by=place.carla.id
        )
        found = await paper.some(conn, place.id, month, wanted, now=LATER)
    return {page.name: page for page in found}


def pdf(pages: Sequence[PrintedStatement]) -> PdfReader:
    """These statements, drawn and read back."""
    document = statement.begin("Statements", "en", START)
    for page in pages:
        statement.draw(document, page)
    return PdfReader(io.BytesIO(document.bytes()))


def text_of(document: PdfReader) -> str:
    return "\n".join(page.extract_text() for page in document.pages)


def a_page(lines: int = 0, **more: Any) -> PrintedStatement:
    """A statement with so many lines of a quarter of an hour."""
    facts: dict[str, Any] = {
        "language": "en",
        "community": "Mill Road",
        "name": "Inés García",
        "area": "Mill Road",
        "month": MAY,
        "opening": Minutes(-120),
        "closing": Minutes(-120 + 15 * lines),
        "to_ask": ["Carla Rossi"],
        "seal": "12:ab12 cd34 ef56 7890 abcd",
        "printed_on": date(2026, 6, 1),
    }
    rows = [
        PrintedLine(
            MAY.first + timedelta(days=n % 31),
            f"You gave time to Bert Okoro. Favour number {n}, with a word or two about it.",
            Minutes(15),
            Minutes(-120 + 15 * (n + 1)),
            undone=n == 0,
        )
        for n in range(lines)
    ]
    return PrintedStatement(**{**facts, "lines": rows, **more})


# ── What stands on a statement ───────────────────────────────────────────────────────────────────


async def test_every_printed_statement_is_that_of_the_books(place: MillRoad) -> None:
    """Random hours over three months, some undone, some given away: each member, each month."""
    dice = random.Random(7)
    everyone = [place.ana, place.bert, place.ines, place.dora]
    for number in range(24):
        now = Moment(START + timedelta(days=dice.randrange(80), seconds=number))
        giver, receiver = dice.sample(everyone, 2)
        kind = dice.choice([Kind.HELP, Kind.HELP, Kind.ACTIVITY, Kind.DONATION])
        to = place.commons if kind is Kind.DONATION else receiver
        new = helped(giver, to, 15 * dice.randint(1, 8), kind=kind, note=f"Favour {number}")
        entry = await place.record(new, place.stella, now=now)
        await place.approve(entry, now=now)
        if number % 7 == 0:
            await place.undo(entry, now=Moment(now.at + timedelta(days=9)))
    for month in (MAY, JUNE, JULY):
        found = await printed(place, month)
        for member in everyone:
            page = found[member.name]
            async with place.db.read(place.id) as conn:
                lines = await statements.rows(
                    conn,
                    place.id,
                    member.id,
                    by=place.carla.id,
                    first_day=month.first,
                    last_day=month.last,
                )
                rows = [row async for row in lines]
                end = datetime.combine(month.after.first, datetime.min.time(), UTC)
                stood = await read.balance_at(
                    conn, place.id, member.id, end - timedelta(hours=1, microseconds=1)
                )
            assert [(line.balance, line.day) for line in page.lines] == [
                (row[9], row[2]) for row in rows
            ]
            moved = sum((line.minutes for line in page.lines), ZERO)
            assert page.closing == stood == page.opening + moved
            assert page.closing == page.opening + page.given - page.received + page.gifts
    await place.assert_sound()


async def test_a_month_is_that_of_the_communitys_clocks(place: MillRoad) -> None:
    """London is an hour ahead of Greenwich then: at half past eleven in the evening it is June."""
    for when, minutes in (
        (datetime(2026, 5, 31, 22, 30, tzinfo=UTC), 15),
        (datetime(2026, 5, 31, 23, 30, tzinfo=UTC), 60),
    ):
        now = Moment(when)
        await place.approve(
            await place.record(helped(place.ana, place.bert, minutes), place.ana, now=now), now=now
        )
    assert [line.minutes.count for line in (await printed(place, MAY))["Ana Lima"].lines] == [15]
    june = (await printed(place, JUNE))["Ana Lima"]
    assert [line.minutes.count for line in june.lines] == [60]
    assert (june.opening.count, june.closing.count) == (15, 75)


async def test_it_says_what_happened_in_plain_words(place: MillRoad) -> None:
    await place.approve(await place.record(helped(place.ines, place.bert, 90), place.ana))
    undone = await place.record(helped(place.bert, place.ines, 30, note="A lift!"), place.bert)
    await place.approve(undone)
    await place.undo(undone)
    gift = helped(place.ines, place.commons, 15, kind=Kind.DONATION, note="")
    await place.approve(await place.record(gift, place.ana))
    await place.record(helped(place.ana, place.ines, 45, note="Jam"), place.ana)
    page = (await printed(place, MAY, Who.WITHOUT_EMAIL))["Inés García"]
    assert [(line.words, line.minutes.count, line.undone) for line in page.lines] == [
        ("You gave time to Bert Okoro. The garden.", 90, False),
        ("Bert Okoro gave you time. A lift! Undone later.", -30, True),
        ("Taken back, with Bert Okoro. Written down twice.", 30, True),
        ("You gave hours to the commons.", -15, False),
    ]
    assert (page.given, page.received, page.gifts) == (Minutes(90), ZERO, Minutes(-15))
    assert [(one.words, one.minutes.count) for one in page.waiting] == [
        ("Ana Lima gave you time. Jam.", -45)
    ]
    assert "Carla Rossi" in page.to_ask
    async with place.db.read(place.id) as conn:
        seal = await anchors.current(conn, place.id)
    assert seal is not None
    assert page.seal == seal.on_paper


async def test_whose_statements_are_printed(place: MillRoad) -> None:
    assert list(await printed(place, MAY, Who.WITHOUT_EMAIL)) == ["Inés García"]
    assert len(await printed(place, MAY)) == 7
    assert list(await printed(place, MAY, Who.ONE, member=place.bert)) == ["Bert Okoro"]
    assert await printed(place, MAY.before) == {}, "nobody was here yet"
    async with place.db.write(place.id) as conn:
        await members.leave(conn, place.id, place.bert.id, by=place.bert.id, now=at(days=1))
        counts = await paper.how_many(conn, place.id)
    assert counts == {Who.EVERYONE: 6, Who.WITHOUT_EMAIL: 1}
    assert "Bert Okoro" not in await printed(place, MAY)
    assert list(await printed(place, MAY, Who.ONE, member=place.bert)) == ["Bert Okoro"]
    async with place.db.write(EVERYWHERE) as conn:
        there = await a_community(conn, "next-door")
        stranger = await a_member(conn, there.id, "Olga Nord", role=Role.STEWARD)
    with pytest.raises(NotFound):
        await printed(place, MAY, Who.ONE, member=stranger)
    async with place.db.read(place.id) as conn:
        with pytest.raises(Forbidden):
            await paper.readers(conn, place.id, MAY, Who.EVERYONE, by=place.ana.id)
        with pytest.raises(NotFound):
            await paper.readers(conn, place.id, MAY, Who.EVERYONE, by=stranger.id)


async def test_everybody_reads_their_own_language(place: MillRoad) -> None:
    await place.approve(await place.record(helped(place.ana, place.bert, 90), place.ana))
    async with place.db.write(EVERYWHERE) as conn:
        spanish = update(people.people).where(people.people.c.email == "ana@example.org")
        await conn.execute(spanish.values(language="es"))
    page = (await printed(place, MAY))["Ana Lima"]
    assert page.lines[0].words == "Diste tiempo a Bert Okoro. The garden."
    said = text_of(pdf([page]))
    assert "Extracto de mayo de 2026" in said
    assert "Tu saldo el 31 may 2026: 1:30" in said


async def test_reading_takes_as_many_statements_for_few_lines_as_for_many(place: MillRoad) -> None:
    numbers = []
    for _ in range(2):
        for _ in range(4):
            await place.approve(await place.record(helped(place.ana, place.bert, 15), place.ana))
        async with counted(place.db) as sent:
            await printed(place, MAY)
        numbers.append(len(sent))
    assert numbers[0] == numbers[1] <= 20


# ── Drawing ──────────────────────────────────────────────────────────────────────────────────────


def test_a_statement_is_one_page_in_large_print_with_real_minus_signs() -> None:
    document = pdf([a_page(4), a_page(name="Łukasz Ñandú Мария 李")])
    assert len(document.pages) == 2
    said = document.pages[0].extract_text()
    for words in (
        "Mill Road · Mill Road",
        "Inés García",
        "Statement for May 2026",
        "Your balance on 31 May 2026: −1:00",
        "+0:15",
        "−2:00",
        "At the start",
        "Carla Rossi",
        "12:ab12 cd34 ef56 7890 abcd",
    ):
        assert words in said, words
    assert "-2:00" not in said
    quiet = document.pages[1].extract_text()
    assert "Nothing was written on your statement in this month." in quiet
    assert "Below zero is ordinary" in quiet
    for letters in ("Łukasz", "Ñandú", "Мария"):
        assert letters in quiet
    sizes: set[float] = set()
    for page in document.pages:
        page.extract_text(
            visitor_text=lambda text, _cm, _tm, _font, size: (
                sizes.add(size) if text.strip() else None
            )
        )
    assert min(sizes) >= 16


def test_a_long_statement_goes_on_overleaf_under_the_same_name() -> None:
    document = pdf([a_page(40), a_page(1)])
    assert len(document.pages) > 2
    assert "Inés García, May 2026, page 2" in document.pages[1].extract_text()
    said = text_of(document)
    assert all(f"Favour number {n}," in said.replace("\n", " ") for n in range(40))
    assert "page" not in document.pages[-1].extract_text().replace("on this page", "").replace(
        "Keep this page", ""
    )


def test_figures_are_equally_wide_so_that_columns_line_up() -> None:
    sheet = Paper("Figures", "en", size=16, at=START)
    sheet.page()
    for text in ("1:11", "8:88", "0:40"):
        sheet.row([Column("", 60, right=True)], [text])
    begins = []
    PdfReader(io.BytesIO(sheet.bytes())).pages[0].extract_text(
        visitor_text=lambda text, _cm, tm, _font, _size: (
            begins.append(round(tm[4], 3)) if text.strip() else None
        )
    )
    assert len(begins) == 3
    assert len(set(begins)) == 1


def test_a_word_wider_than_its_column_and_a_row_higher_than_the_rest_of_the_page_fit() -> None:
    sheet = Paper("Wide", "en", size=16, at=START)
    sheet.page()
    columns = [Column("A", 30), Column("B", 30)]
    for _ in range(9):
        sheet.row(columns, ["W" * 50, "short"])
    document = PdfReader(io.BytesIO(sheet.bytes()))
    assert len(document.pages) > 1
    assert text_of(document).replace("\n", "").count("W") == 9 * 50


# ── Handouts ─────────────────────────────────────────────────────────────────────────────────────


def test_a_blank_sheet_is_one_page_with_the_columns_of_the_screen() -> None:
    blank = Blank("Who was here", ["Which day?"], [("Name", 50), ("How long", 20)], "Thank you.")
    for landscape in (False, True):
        document = PdfReader(
            io.BytesIO(
                handouts.blank(replace(blank, landscape=landscape), "Mill Road", "en", at=START)
            )
        )
        assert len(document.pages) == 1
        said = document.pages[0].extract_text()
        for words in ("Mill Road", "Who was here", "Which day?", "Name", "How long", "Thank you."):
            assert words in said
        assert "\n10\n" in said


def test_the_member_list_repeats_its_headings_on_each_page() -> None:
    rows = [
        PrintedMember(f"Person {n}", "07700 900111", "Mill Road", "Bread", "A lift")
        for n in range(80)
    ]
    document = PdfReader(
        io.BytesIO(handouts.member_list(rows, "Mill Road", "es", at=START, day="4 de mayo"))
    )
    assert len(document.pages) > 1
    for page in document.pages:
        assert "Teléfono" in page.extract_text()
    assert text_of(document).count("Busca: A lift") == 80


def test_the_notice_board_shows_telephones_only_if_asked() -> None:
    notices = [
        Notice(
            kind, title, "On Saturdays", category, "Mill Road", "Ana Lima", "07700 900111", MAY.last
        )
        for kind, title, category in (
            (ListingKind.OFFER, "Bread baking", "Food"),
            (ListingKind.OFFER, "Bicycle repair", None),
            (ListingKind.REQUEST, "Somebody to play chess with", None),
        )
    ]
    for phones in (False, True):
        document = handouts.board(notices, "Mill Road", "en", at=START, phones=phones)
        said = text_of(PdfReader(io.BytesIO(document)))
        assert ("07700 900111" in said) is phones
        order = ["Offered", "Food", "Bread baking", "Bicycle repair", "Asked for", "chess"]
        assert [said.index(words) for words in order] == sorted(said.index(w) for w in order)
    empty = text_of(PdfReader(io.BytesIO(handouts.board([], "M", "en", at=START, phones=True))))
    assert "Nothing is offered" in empty


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "26-05", "2026-5", "٢٠٢٦-٠٥", "", "2026-05-04"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of its kind will do
        Month.parse(text)
    assert str(Month.parse("2024-02").last) == "2024-02-29"


# ── The press ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def house(sqlite_settings: Settings) -> AsyncIterator[MillRoad]:
    """Mill Road on SQLite alone: what the press does is the same on both databases."""
    db = Database(sqlite_settings)
    await db.start()
    yield await mill_road(db)
    await db.stop()


def order(place: MillRoad, who: Who = Who.EVERYONE, **more: Any) -> Order:
    return Order(place.id, MAY, who, more.pop("member", None), minute(LATER), **more)


async def done(press: Press, wanted: Order, by: Member) -> Stage:
    """Look until it is not being made any more."""
    async with asyncio.timeout(60):
        while True:
            progress = await press.look(wanted, by=by.id, now=LATER)
            if progress.stage is not Stage.MAKING:
                return progress.stage
            await press.wait(wanted, 60)


async def test_the_press_makes_one_file_for_everyone_and_makes_it_once(
    house: MillRoad, tmp_path: Path
) -> None:
    await house.approve(await house.record(helped(house.ana, house.bert, 90), house.ana))
    press, other = Press(house.db, tmp_path / "paper"), Press(house.db, tmp_path / "paper")
    wanted = order(house)
    both = await asyncio.gather(
        press.look(wanted, by=house.carla.id, now=LATER),
        other.look(wanted, by=house.dora.id, now=LATER),
    )
    assert [(one.stage, one.of) for one in both] == [(Stage.MAKING, 7)] * 2
    assert press.under_way + other.under_way == 1
    await other.wait(wanted, 60)
    assert await done(press, wanted, house.carla) is Stage.READY
    assert (await other.look(wanted, by=house.dora.id, now=LATER)).done == 7
    file = press.file(wanted)
    assert file is not None
    assert other.file(wanted) == file
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert len(PdfReader(file).pages) == 7
    busy = order(house, only_busy=True)
    assert await done(press, busy, house.carla) is Stage.READY
    assert len(PdfReader(press.file(busy) or "").pages) == 2
    assert await done(press, order(house, Who.WITHOUT_EMAIL, only_busy=True), house.carla) is (
        Stage.EMPTY
    )
    folder = tmp_path / "paper" / house.id.hex
    assert {path.suffix for path in folder.iterdir()} == {".pdf", ".json"}
    press.forget(house.id)
    assert list(folder.iterdir()) == []
    await press.stop()


async def test_the_press_is_for_coordinators_and_forgets_after_a_day(
    house: MillRoad, tmp_path: Path
) -> None:
    press = Press(house.db, tmp_path / "paper")
    wanted = order(house, Who.ONE, member=house.bert.id)
    with pytest.raises(Forbidden):
        await press.look(wanted, by=house.ana.id, now=LATER)
    assert await done(press, wanted, house.carla) is Stage.READY
    tomorrow = Moment(LATER.at + timedelta(days=1, minutes=1))
    assert (await press.look(wanted, by=house.carla.id, now=tomorrow)).stage is Stage.GONE
    yesterday = Moment(LATER.at - timedelta(hours=1))
    assert (await press.look(wanted, by=house.carla.id, now=yesterday)).stage is Stage.GONE
    file = press.file(wanted)
    assert file is not None
    made = Moment(datetime.fromtimestamp(file.stat().st_mtime, UTC))
    assert press.sweep(made) == 0
    assert press.sweep(Moment(made.at + timedelta(days=1, seconds=9))) == 2
    assert press.file(wanted) is None
    assert await done(press, wanted, house.carla) is Stage.READY, "it is made anew"
    await press.stop()


async def test_an_order_whose_maker_died_is_taken_over(house: MillRoad, tmp_path: Path) -> None:
    folder = tmp_path / "paper" / house.id.hex
    wanted = order(house, Who.ONE, member=house.bert.id)
    folder.mkdir(parents=True)
    note = folder / f"{wanted.key}.json"
    note.write_text('{"stage": "making", "done": 3, "of": 7}')
    press = Press(house.db, folder.parent)
    assert (await press.look(wanted, by=house.carla.id, now=LATER)).done == 3
    os.utime(note, (0, 0))
    assert await done(press, wanted, house.carla) is Stage.READY
    await press.stop()


async def test_what_goes_wrong_is_said_and_what_is_stopped_can_be_asked_for_again(
    house: MillRoad, tmp_path: Path
) -> None:
    folder = tmp_path / "paper" / house.id.hex
    press = Press(house.db, folder.parent)
    wanted = order(house, Who.ONE, member=house.bert.id)
    in_the_way = folder / f"{wanted.key}.making"
    in_the_way.mkdir(parents=True)
    assert await done(press, wanted, house.carla) is Stage.FAILED
    in_the_way.rmdir()
    another = order(house)
    assert (await press.look(another, by=house.carla.id, now=LATER)).stage is Stage.MAKING
    await press.stop()
    assert not (folder / f"{another.key}.json").exists()
    assert await done(press, another, house.carla) is Stage.READY
    await press.stop()
