"""Tables for spreadsheets: what goes in comes out again, and nothing is ever a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import pytest
from python_calamine import CalamineWorkbook

from ledger import Minutes
from timebank.spreadsheet import Format, Table, write

ROWS = [
    ("Zoë, the “baker”", Minutes(-90), 3, date(2026, 11, 3)),
    ("=1+1", Minutes(60), 0, datetime(2026, 11, 3, 9, tzinfo=UTC)),
    ("0123", None, -4, None),
]


def table() -> Table:
    return Table("hours: [of] all", ("name", "minutes", "times", "day"), ROWS)


def test_a_csv_has_plain_numbers_and_no_formula() -> None:
    text = write(table(), Format.CSV).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text))) == [
        ["name", "minutes", "times", "day"],
        ["Zoë, the “baker”", "-90", "3", "2026-11-03"],
        ["'=1+1", "60", "0", "2026-11-03T09:00:00+00:00"],
        ["0123", "", "-4", ""],
    ]


def test_an_xlsx_keeps_numbers_as_numbers_and_text_as_text() -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(write(table(), Format.XLSX)))
    assert book.get_sheet_by_index(0).to_python() == [
        ["name", "minutes", "times", "day"],
        ["Zoë, the “baker”", -90.0, 3.0, "2026-11-03"],
        ["=1+1", 60.0, 0.0, "2026-11-03T09:00:00+00:00"],
        ["0123", "", -4.0, ""],
    ]


@pytest.mark.parametrize("format", list(Format))
def test_a_list_of_nothing_is_its_headings(format: Format) -> None:
    assert write(Table("nobody", ("name",), []), format) != b""
