"""A file that anybody may have made is read as it is meant, or refused in one clear sentence."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from ledger import Minutes
from timebank.imports import cells, child, reading
from timebank.imports.matching import Unit
from timebank.imports.reading import NotRead
from web.import_words import refusal

FILES = Path(__file__).parent / "imports"
"""Made with LibreOffice 7.4, by us and of nobody; see README.txt there."""


async def read(content: bytes | Path, tmp_path: Path) -> tuple[list[list[str]], dict[str, Any]]:
    """The rows of a file as the child reads them, and what kind of file it says it is."""
    path = _kept(content, tmp_path / "file")
    with path.open("rb") as file:
        said = [one async for one in reading.rows_of(file)]
    assert [one["row"] for one in said[:-1]] == sorted(one["row"] for one in said[:-1])
    return [one["cells"] for one in said[:-1]], said[-1]


def _kept(content: bytes | Path, path: Path) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return path


def xlsx(write: Any = None, **options: Any) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet()
        (write or (lambda sheet, _book: sheet.write(0, 0, "name")))(sheet, book)
    return file.getvalue()


def repacked(content: bytes, change: dict[str, bytes]) -> bytes:
    """An archive with some of its parts replaced, or added."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for part in old.infolist():
            if part.filename not in change:
                new.writestr(part.filename, old.read(part))
        for name, data in change.items():
            new.writestr(name, data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
WORDS = "name,town\nZoë,Besançon\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (WORDS.encode(), "utf-8-sig"),
        (WORDS.encode("utf-8-sig"), "utf-8-sig"),
        (WORDS.encode("utf-16"), "utf-16"),
        (WORDS.encode("utf-16-le"), "utf-16-le"),
        (WORDS.encode("utf-16-be"), "utf-16-be"),
        (WORDS.encode("cp1252"), "cp1252"),
    ],
)
async def test_accents_come_through_in_every_usual_encoding(
    content: bytes, encoding: str, tmp_path: Path
) -> None:
    rows, end = await read(content, tmp_path)
    assert rows == [["name", "town"], ["Zoë", "Besançon"]]
    assert end["encoding"] == encoding


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
async def test_the_separator_is_found(separator: str, tmp_path: Path) -> None:
    text = f'name{separator}"what; for, exactly"\r\n"Lima{separator} Ana"{separator}x\n'
    rows, end = await read(text.encode(), tmp_path)
    assert rows == [["name", "what; for, exactly"], [f"Lima{separator} Ana", "x"]]
    assert end["separator"] == separator


async def test_ends_of_lines_may_be_mixed_and_rows_empty(tmp_path: Path) -> None:
    text = b'a,b\r\n1,"two\r\nlines"\r\r\n,,\n3,4\n'
    path = tmp_path / "x"
    path.write_bytes(text)
    with path.open("rb") as file:
        said = [one async for one in reading.rows_of(file)]
    assert [(one["row"], one["cells"]) for one in said[:-1]] == [
        (1, ["a", "b"]),
        (2, ["1", "two\nlines"]),
        (5, ["3", "4"]),
    ]


async def test_a_formula_is_text_and_nothing_is_worked_out(tmp_path: Path) -> None:
    rows, _ = await read(b'name,note\n"=1+1","@SUM(A1)"\n', tmp_path)
    assert rows[1] == ["=1+1", "@SUM(A1)"]

    def write(sheet: Any, _book: Any) -> None:
        sheet.write_string(0, 0, "time")
        sheet.write_formula(1, 0, "=40+2", None, 7)  # the value a program saved with it

    rows, _ = await read(xlsx(write), tmp_path)
    assert rows == [["time"], ["7"]]


async def test_numbers_days_and_durations_are_written_as_people_do(tmp_path: Path) -> None:
    from datetime import date, timedelta

    def write(sheet: Any, book: Any) -> None:
        sheet.write_row(0, 1, ["hours", "day", "took", "phone"])
        sheet.write_number(2, 1, 1.5)
        sheet.write_datetime(2, 2, date(2026, 11, 3), book.add_format({"num_format": "d/m/yy"}))
        sheet.write_datetime(
            2, 3, timedelta(hours=26, minutes=30), book.add_format({"num_format": "[h]:mm"})
        )
        sheet.write_number(2, 4, 622743103)

    rows, end = await read(xlsx(write), tmp_path)
    assert rows == [
        ["", "hours", "day", "took", "phone"],
        ["", "1.5", "2026-11-03", "26:30", "622743103"],
    ]
    assert end["format"] == "xlsx"


@pytest.mark.parametrize("name", ["hours.xlsx", "hours.ods", "hours.csv"])
async def test_what_libreoffice_saves_reads_the_same(name: str, tmp_path: Path) -> None:
    rows, end = await read(FILES / name, tmp_path)
    assert rows[0] == ["Fecha", "Quién dio", "Quién recibió", "Horas", "Motivo"]
    took = rows[1].pop(3)  # an hour and a half, as a time of day in the CSV
    assert rows[1] == ["2026-03-14", "Zoë Ñandú", "Ana Lima", "Jardín; compras"]
    assert cells.minutes(took, Unit.HOURS) == Minutes(90)
    assert cells.minutes(rows[2][3], Unit.HOURS) == Minutes(135)
    assert end["format"] == name.rpartition(".")[2]


def test_a_bomb_is_left_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = repacked(xlsx(), {"xl/media/picture.bin": bytes(3_000_000)})
    assert len(bomb) < 20_000
    monkeypatch.setattr(child, "MOST_UNPACKED", 1_000_000)
    with pytest.raises(child.Refused, match="bomb"):
        list(child.read(io.BytesIO(bomb)))


def many_columns() -> bytes:
    cells = "".join(f'<c r="{_letters(n)}1"><v>1</v></c>' for n in range(1, 10_001))
    sheet = f'<worksheet><sheetData><row r="1">{cells}</row></sheetData></worksheet>'
    return repacked(xlsx(), {SHEET: sheet.encode()})


def far_away() -> bytes:
    """One cell in the last corner of a sheet: seventeen thousand million cells for who is naive."""
    sheet = (
        '<worksheet><sheetData><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
        "</worksheet>"
    )
    return repacked(xlsx(), {SHEET: sheet.encode()})


def entities() -> bytes:
    lol = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'
    return repacked(xlsx(), {SHEET: lol.encode()})


def outside() -> bytes:
    xxe = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><sst>&a;</sst>'
    return repacked(xlsx(), {"xl/sharedStrings.xml": xxe.encode()})


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


HOSTILE = {
    "nothing": (b"", "empty"),
    "nothing but ends of lines": (b"\r\n \n,,,\n", "empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "not_text"),
    "a NUL among the words": (b"name\nAna\x00Lima\n", "not_text"),
    "noise": (bytes(range(128, 256)) * 50, "not_text"),
    "control characters": (b"name\n" + b"\x01\x02\x1b[31m" * 50, "not_text"),
    "half a UTF-16": ("name\n".encode("utf-16") + b"\x00", "not_text"),
    "ten thousand columns": (b",".join([b"x"] * 10_000), "too_many_columns"),
    "a cell of megabytes": (b"name\n" + b"x" * 3_000_000, "cell_too_long"),
    "a quotation that never ends": (b'name\n"Ana' + b",x\n" * 20_000, "cell_too_long"),
    "ten thousand columns in a spreadsheet": (many_columns(), "too_many_columns"),
    "one cell far away": (far_away(), "too_many_columns"),
    "entities": (entities(), "entities"),
    "an entity from outside": (outside(), "entities"),
    "macros": (repacked(xlsx(), {"xl/vbaProject.bin": b"x"}), "macros"),
    "an old or a locked file": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_or_locked"),
    "a document": (
        repacked(xlsx(), {"xl/workbook.xml": b"", "word/document.xml": b"<w/>"})[:200],
        "broken",
    ),
    "half a spreadsheet": (xlsx()[:2000], "broken"),
}


@pytest.mark.parametrize(("content", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_cannot_be_read_is_refused_with_a_sentence(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(NotRead) as refused:
        await read(content, tmp_path)
    assert refused.value.reason == reason
    outcome = {"reason": refused.value.reason, "facts": refused.value.facts}
    assert refusal(outcome, str).endswith(".")


def test_more_rows_than_anybody_brings_are_refused() -> None:
    lines = b"name\n" + b"x\n" * (child.MOST_ROWS + 1)
    with pytest.raises(child.Refused, match="too_many_rows"):
        for _ in child.read(io.BytesIO(lines)):
            pass


async def test_a_csv_that_is_called_xlsx_is_read_as_what_it_is(tmp_path: Path) -> None:
    _, end = await read(b"name,email\nAna,a@example.org\n", tmp_path)
    assert end["format"] == "csv"


PROBE = """
import socket
from timebank.imports import child
child._give_up_everything()
tried = []
for attempt in (
    lambda: open("/etc/hostname"), socket.socket, lambda: bytearray(child.MEMORY)
):
    try:
        attempt()
        tried.append("could")
    except (OSError, MemoryError) as error:
        tried.append(type(error).__name__)
print(tried)
"""


def test_the_child_can_open_no_file_and_no_connection() -> None:
    out = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, check=True, text=True)
    assert out.stdout.strip() == "['OSError', 'OSError', 'MemoryError']"


async def test_the_child_knows_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEBANK_SMTP_URL", "smtp://user:secret@host")
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as nothing, os.fdopen(writer, "wb"):
        async with reading._child(nothing) as running:  # noqa: SLF001 - what it was given
            environment = _bytes_of(f"/proc/{running.pid}/environ")
    assert b"secret" not in environment


def _bytes_of(path: str) -> bytes:
    return Path(path).read_bytes()
