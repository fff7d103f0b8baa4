"""Tables for spreadsheets, as CSV and as XLSX: text is never a formula, numbers stay numbers.

    Table("members", ("name", "given_minutes"), [("Amina", Minutes(90))])

Minutes are written as whole minutes, days and moments as in ISO 8601 (UTC), so that every program
reads the same; None is an empty cell. A small table is written at once, a long one by a `Writer`,
a few rows at a time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import IO, TypeAlias

import xlsxwriter

from ledger import Minutes

Cell: TypeAlias = str | int | Minutes | date | datetime | None

_MARK = "\ufeff"  # lets spreadsheets read the accents of a CSV
_LONGEST_NAME = 31  # characters in the name of a sheet, says the format
_NO_NAME = str.maketrans("", "", "[]:*?/\\")
_MOST_ROWS = 1_048_576  # of a sheet, headings included
_LONGEST_CELL = 32_767  # characters


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
    file = io.BytesIO()
    writer = Writer(table.name, table.headings, format, file)
    writer.add(table.rows)
    writer.close()
    return file.getvalue()


class Writer:
    """A table on its way into a file. Rows are written out as they come, and never held.

    `close` finishes the file and leaves it open. Where a sheet of an XLSX is full, the rows go on
    in a second one, below the same headings.
    """

    def __init__(self, name: str, headings: Sequence[str], format: Format, file: IO[bytes]) -> None:
        self._to = _Csv(file) if format is Format.CSV else _Xlsx(name, headings, file)
        if format is Format.CSV:
            self._to.add([headings])

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write these rows below those before."""
        self._to.add(rows)

    def close(self) -> None:
        """Nothing more will come."""
        self._to.close()


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before =, +, - and @."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class _Csv:
    def __init__(self, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        self._text.write(_MARK)
        self._writer = csv.writer(self._text)

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        self._writer.writerows([_plain(cell) for cell in row] for row in rows)

    def close(self) -> None:
        self._text.detach()  # flushed, and the file stays open


def _plain(cell: Cell) -> str | int:
    value = _value(cell)
    return safe_cell(value) if isinstance(value, str) else value


class _Xlsx:
    def __init__(self, name: str, headings: Sequence[str], file: IO[bytes]) -> None:
        # Text goes in as text, whatever it begins with; rows are written out as they come.
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = xlsxwriter.Workbook(file, options)
        self._bold = self._book.add_format({"bold": True})
        self._name = name.translate(_NO_NAME)[:_LONGEST_NAME]
        self._headings = headings
        self._sheets = 0
        self._begin_sheet()

    def _begin_sheet(self) -> None:
        self._sheets += 1
        number = f" {self._sheets}" if self._sheets > 1 else ""
        self._sheet = self._book.add_worksheet(self._name[: _LONGEST_NAME - len(number)] + number)
        self._sheet.freeze_panes(1, 0)
        for column, heading in enumerate(self._headings):
            self._sheet.write_string(0, column, heading, self._bold)
        self._row = 1

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            if self._row == _MOST_ROWS:
                self._begin_sheet()
            for column, cell in enumerate(row):
                value = _value(cell)
                if isinstance(value, int):
                    self._sheet.write_number(self._row, column, value)
                elif value:
                    self._sheet.write_string(self._row, column, value[:_LONGEST_CELL])
            self._row += 1

    def close(self) -> None:
        self._book.close()


def _value(cell: Cell) -> str | int:
    if cell is None:
        return ""
    if isinstance(cell, Minutes):
        return cell.count
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    return cell
