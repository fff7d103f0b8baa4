"""Cells are read as they were meant: days, amounts of time, names; and columns are guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Minutes
from timebank.imports import cells, matching
from timebank.imports.cells import BadCell
from timebank.imports.fields import FIELDS, guess, likeliest
from timebank.imports.files import Row, What
from timebank.imports.matching import Order, Unit

TODAY = date(2026, 5, 4)
DAY, MONTH = Order.DAY_FIRST, Order.MONTH_FIRST


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2026-03-14", DAY, date(2026, 3, 14)),
        ("2019-05-18 14:32:00 UTC", DAY, date(2019, 5, 18)),
        ("2026-01-10T17:15:00Z", MONTH, date(2026, 1, 10)),
        ("14/03/2026", DAY, date(2026, 3, 14)),
        ("03/14/2026", MONTH, date(2026, 3, 14)),
        ("3.4.26", DAY, date(2026, 4, 3)),
        ("3-4-27", DAY, date(1927, 4, 3)),
        ("14 March 2026", DAY, date(2026, 3, 14)),
        ("14 de marzo de 2026", DAY, date(2026, 3, 14)),
        ("Mar 14, 2026", MONTH, date(2026, 3, 14)),
        ("Sat, 14th Mar 2026", DAY, date(2026, 3, 14)),
        ("1 août 2025", DAY, date(2025, 8, 1)),
        ("31 dic. 2025", DAY, date(2025, 12, 31)),
    ],
)
def test_days_are_read_as_other_programs_write_them(
    text: str, order: Order, expected: date
) -> None:
    assert cells.day(text, order, today=TODAY) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-02-30", "31/04/2026", "13/13/2026", "1800-01-01"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(BadCell, match="not_a_day"):
        cells.day(text, DAY, today=TODAY)


def test_a_day_still_to_come_is_no_day_of_the_past() -> None:
    with pytest.raises(BadCell, match="day_ahead"):
        cells.past_day("2026-05-05", DAY, today=TODAY)


@given(st.dates(date(1900, 1, 1), TODAY), st.sampled_from(Order))
def test_every_day_is_read_back_from_its_figures(day: date, order: Order) -> None:
    form = "%d/%m/%Y" if order is DAY else "%m/%d/%Y"
    assert cells.day(day.strftime(form), order, today=TODAY) == day
    assert cells.day(day.isoformat(), order, today=TODAY) == day


@given(st.integers(0, 99_999))
def test_minutes_come_back_from_hours_with_two_decimals(count: int) -> None:
    # What a program that keeps minutes writes as decimal hours, rounded, is the same minutes again.
    hundredths = (count * 100 * 2 + 60) // 120
    text = f"{hundredths // 100}.{hundredths % 100:02}"
    assert cells.signed(text, Unit.HOURS) == Minutes(count)
    assert cells.signed(text.replace(".", ","), Unit.HOURS) == Minutes(count)
    assert cells.signed(str(Minutes(count)), Unit.SECONDS) == Minutes(count)
    assert cells.signed(str(count), Unit.MINUTES) == Minutes(count)
    assert cells.signed(str(count * 60), Unit.SECONDS) == Minutes(count)
    assert cells.signed(f"-{text}", Unit.HOURS) == Minutes(-count)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1:30", 90), ("26:30", 1590), ("0:20:29", 20), ("0:20:30", 21), ("01:30:00 AM", 90),
        ("12:30:00 AM", 30), ("1:00 pm", 780), ("90 min", 90), ("1h 30m", 90), ("1,5 h", 90),
        ("0.33", 20), ("2", 120), ("\u22121:00", -60),
    ],
)  # fmt: skip
def test_amounts_of_time_are_read_as_other_programs_write_them(text: str, count: int) -> None:
    assert cells.signed(text, Unit.HOURS) == Minutes(count)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not_minutes"),
        ("a while", "not_minutes"),
        ("1:75", "not_minutes"),
        ("-1", "below_zero"),
        ("0", "no_time"),
        ("0.001", "no_time"),
        ("99999", "too_much"),
    ],
)
def test_what_is_no_amount_of_time_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadCell, match=reason):
        cells.minutes(text, Unit.HOURS)


def test_a_mark_against_formulas_is_taken_off_again() -> None:
    assert cells.unmarked("'=1+1") == "=1+1"
    assert cells.unmarked("'t Hooft") == "'t Hooft"


HEADINGS = {
    # What the exports of these programs begin with; see docs/importing.md.
    "TimeOverflow, members": (
        "N,Nombre,Correo,Fecha de nacimiento,Teléfono,Teléfono alternativo,Address,Creado",
        What.PEOPLE,
        {"number": 0, "name": 1, "email": 2, "phone": 4, "joined": 7},
    ),
    "TimeOverflow, members in Catalan": (
        "N,Nom,Correu,Telèfon,Telèfon alternatiu,Creat,Data darrera connexió,Locale,Balanç",
        What.PEOPLE,
        {"number": 0, "name": 1, "email": 2, "phone": 3, "joined": 5, "balance": 8},
    ),
    "TimeOverflow, transfers": (
        "Fecha,from,from ID,to,to ID,post,post ID,Comentarios,quantity",
        What.HOURS,
        {
            "day": 0, "source": 1, "source_number": 2, "destination": 3, "destination_number": 4,
            "note": 7, "time": 8,
        },
    ),
    "Community Weaver, exchanges": (
        "Exchange ID,Service Provider,Provider ID,Service Recipient,Recipient ID,Date of Service,"
        "Service Category,Exchange Title,Hours",
        What.HOURS,
        {
            "id": 0, "giver": 1, "giver_number": 2, "receiver": 3, "receiver_number": 4, "day": 5,
            "category": 6, "note": 7, "time": 8,
        },
    ),
    "hOurworld-like": (
        "Date,Provider,Receiver,Hours,Service,Comments",
        What.HOURS,
        {"day": 0, "giver": 1, "receiver": 2, "time": 3, "category": 4, "note": 5},
    ),
    "Komunitin, transfers": (
        "id,payer,payee,user,amount,description,createdAt,updatedAt",
        What.HOURS,
        {"id": 0, "source": 1, "destination": 2, "time": 4, "note": 5, "day": 6},
    ),
    "Komunitin, posts": (
        "id,code,type,member,category,title,description,status,access,value,createdAt",
        What.LISTINGS,
        {"kind": 2, "person": 3, "category": 4, "title": 5, "words": 6, "written": 10},
    ),
    "a list of organisations": (
        "Organisation name,Sector,Contact person,Account managers",
        What.ORGANISATIONS,
        {"name": 0, "sector": 1, "contact": 2, "managers": 3},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "what", "columns"), HEADINGS.values(), ids=HEADINGS.keys())
def test_columns_are_guessed_from_the_headings_of_other_programs(
    line: str, what: What, columns: dict[str, int]
) -> None:
    headings = line.split(",")
    assert likeliest(headings) is what
    assert guess(what, headings) == columns


@pytest.mark.parametrize("what", list(What))
def test_our_own_headings_are_known_completely(what: What) -> None:
    headings = [field.key for field in FIELDS[what]]
    assert likeliest(headings) is what
    assert guess(what, headings) == {key: number for number, key in enumerate(headings)}


def test_headings_may_stand_below_a_title_or_be_missing() -> None:
    titled = [
        Row(1, ["Exchanges 2025"]),
        Row(3, ["Date", "Provider", "Receiver", "Hours"]),
        Row(4, ["1/2/2025", "Ana", "Bert", "1"]),
    ]
    found = matching.headings(titled)
    assert (found["heading_row"], found["above"], found["width"]) == (3, 2, 4)
    bare = [Row(1, ["1", "2018-01-30", "Hermione", "Cadena"])]
    assert matching.headings(bare)["heading_row"] == 0
