"""Tables for spreadsheets, as CSV and as XLSX: text is never a formula, numbers stay numbers.

    Table("members", ("name", "given_minutes"), [("Amina", Minutes(90))])

Minutes are written as whole minutes, days and moments as in ISO 8601 (UTC), so that every program
reads the same; None is an empty cell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

import xlsxwriter

from ledger import Minutes

Cell: TypeAlias = str | int | Minutes | date | datetime | None

_MARK = "\ufeff"  # lets spreadsheets read the accents of a CSV
_LONGEST_NAME = 31  # characters in the name of a sheet, says the format
_NO_NAME = str.maketrans("", "", "[]:*?/\\")


class Format(StrEnum):
    """What a table can be written as; also the end of the file's name."""

    CSV = "csv"
    XLSX = "xlsx"


MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A name (ASCII, also of the file), headings for programs, and rows of as many cells."""

    name: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def write(table: Table, format: Format) -> bytes:
    """The table as a file."""
    return _as_csv(table) if format is Format.CSV else _as_xlsx(table)


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before =, +, - and @."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _as_csv(table: Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.headings)
    for row in table.rows:
        writer.writerow([_plain(cell) for cell in row])
    return (_MARK + text.getvalue()).encode()


def _plain(cell: Cell) -> str | int:
    value = _value(cell)
    return safe_cell(value) if isinstance(value, str) else value


def _as_xlsx(table: Table) -> bytes:
    file = io.BytesIO()
    # Text goes in as text, whatever it begins with; rows are written out as they come.
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(table.name.translate(_NO_NAME)[:_LONGEST_NAME])
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        for column, heading in enumerate(table.headings):
            sheet.write_string(0, column, heading, bold)
        for number, row in enumerate(table.rows, start=1):
            for column, cell in enumerate(row):
                value = _value(cell)
                if isinstance(value, int):
                    sheet.write_number(number, column, value)
                elif value:
                    sheet.write_string(number, column, value)
    return file.getvalue()


def _value(cell: Cell) -> str | int:
    if cell is None:
        return ""
    if isinstance(cell, Minutes):
        return cell.count
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    return cell
