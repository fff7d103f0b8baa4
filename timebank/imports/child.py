"""Reading a file that anybody may have made, in a process that can do nothing else.

`python -m timebank.imports.child` gets the open file as its standard input and writes lines of JSON
to its standard output: {"row": number, "cells": [text, …]} for each row that is not empty, and at
the end {"end": …} with what kind of file it was, or {"refused": reason, …}. Before it looks at the
first byte it gives up the means to open files or connections, and most memory and time; its parent
gives it no environment. Numbers, days and durations of spreadsheets become text as people write it;
formulas are never worked out: of a spreadsheet, the value that was saved with them is taken.

Standard library and calamine only. Whoever changes a limit says so in docs/importing.md.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO

import python_calamine

MOST_ROWS = 250_000
MOST_COLUMNS = 200
LONGEST_CELL = 10_000  # characters
LONGEST_ROW = 100_000
MOST_UNPACKED = 400 * 1024 * 1024  # bytes of a spreadsheet, once unpacked
MOST_PARTS = 2_000  # files in a spreadsheet's archive
MEMORY = 1536 * 1024 * 1024  # bytes of address space
SECONDS = 120  # of processor time

_SAMPLE = 64 * 1024
_CHUNK = 256 * 1024
_NUL = b"\x00"
_CONTROLS = frozenset(range(32)) - {9, 10, 12, 13}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_REFERENCE = re.compile(rb'\sr="([A-Z]{1,7})([0-9]{1,10})"')
_SEPARATORS = ",;\t|"


class Refused(Exception):
    """The file is not read. The reason is a key that `web/imports.py` has a sentence for."""

    def __init__(self, reason: str, **facts: object) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


def read(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """All that is to be said about a file, in the order it is found. Raises `Refused`."""
    start = file.read(_SAMPLE)
    file.seek(0)
    if not start.strip():
        raise Refused("empty")
    if start.startswith(_OLE):
        raise Refused("old_or_locked")
    if start.startswith(_ZIP):
        yield from _spreadsheet(file)
    else:
        yield from _text(file)


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────


def _text(file: BinaryIO) -> Iterator[dict[str, Any]]:
    encoding = _encoding(file)
    file.seek(0)
    # Ends of lines become one kind; in a CSV some programs mix them.
    text = io.TextIOWrapper(file, encoding=encoding, newline=None)
    separator = _separator(text.read(_SAMPLE))
    text.seek(0)
    csv.field_size_limit(LONGEST_CELL)
    rows = csv.reader(text, delimiter=separator)
    try:
        yield from _counted(rows, first=1)
    except csv.Error as error:
        raise Refused("cell_too_long", row=rows.line_num, limit=LONGEST_CELL) from error
    except UnicodeDecodeError as error:
        raise Refused("not_text") from error
    yield {"end": True, "format": "csv", "encoding": encoding, "separator": separator}


def _encoding(file: BinaryIO) -> str:
    """UTF-8 with or without its mark, UTF-16, or Windows-1252; `Refused` for what is no text."""
    start = file.read(4)
    file.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _proved(file, "utf-16")
    odd = (start[1:2], start[3:4]) == (_NUL, _NUL)
    if odd or (start[0:1], start[2:3]) == (_NUL, _NUL):
        return _proved(file, "utf-16-le" if odd else "utf-16-be")
    try:
        return _proved(file, "utf-8-sig")
    except UnicodeDecodeError:
        return _proved(file, "cp1252")


def _proved(file: BinaryIO, encoding: str) -> str:
    """The encoding, if the whole file can be read in it and is text."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    total = strange = 0
    try:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            if "\x00" in text:
                raise Refused("not_text")
            total += len(text)
            strange += sum(text.count(chr(code)) for code in _CONTROLS)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        if encoding == "utf-8-sig":
            raise
        raise Refused("not_text") from error
    if strange * 1000 > total:
        raise Refused("not_text")
    return encoding


def _separator(sample: str) -> str:
    """The sign that parts the first lines into the same number of cells, and into most."""
    lines = [line for line in sample.split("\n")[:-1][:20] or [sample] if line.strip()]
    best, most = ",", 0
    for separator in _SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
        except csv.Error:
            continue
        usual = max(widths, key=widths.count, default=1)
        score = (usual - 1) * widths.count(usual)
        if score > most:
            best, most = separator, score
    return best


# ── Spreadsheets ─────────────────────────────────────────────────────────────────────────────────


def _spreadsheet(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """The first sheet with anything in it, of an XLSX or ODS file."""
    format = _looked_into(file)
    file.seek(0)
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(file)
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            if sheet.start is None or not sheet.height:
                continue
            if sheet.start[1] + sheet.width > MOST_COLUMNS:
                raise Refused("too_many_columns", limit=MOST_COLUMNS)
            left = [""] * sheet.start[1]
            # The rows above the first one with something in it are not among those we get.
            rows = (left + [_written(value) for value in row] for row in sheet.iter_rows())
            yield from _counted(rows, first=1 + sheet.start[0])
            others = [other for other in book.sheet_names if other != name]
            yield {"end": True, "format": format, "sheet": name, "others": others[:20]}
            return
    except python_calamine.PasswordError as error:
        raise Refused("old_or_locked") from error
    except python_calamine.CalamineError as error:
        raise Refused("broken") from error
    raise Refused("empty")


def _looked_into(file: BinaryIO) -> str:
    """What an archive is, after a look at every part of it; `Refused` for what it may not be."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS:
                raise Refused("bomb")
            names = {part.filename for part in parts}
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise Refused("macros")
            if any(part.flag_bits & 1 for part in parts):
                raise Refused("old_or_locked")
            format = _format(archive, names)
            _unpacked(archive, parts)
            return format
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zipfile.LargeZipFile) as error:
        raise Refused("broken") from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]
        raise Refused("broken") from error


def _format(archive: zipfile.ZipFile, names: set[str]) -> str:
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        raise Refused("old_or_locked")
    if "content.xml" in names and "mimetype" in names:
        with archive.open("mimetype") as kind:
            if kind.read(200).strip() != b"application/vnd.oasis.opendocument.spreadsheet":
                raise Refused("no_spreadsheet")
        if "META-INF/manifest.xml" in names:
            with archive.open("META-INF/manifest.xml") as manifest:
                if b"encryption-data" in manifest.read(_CHUNK):
                    raise Refused("old_or_locked")
        return "ods"
    raise Refused("no_spreadsheet")


def _unpacked(archive: zipfile.ZipFile, parts: Iterable[zipfile.ZipInfo]) -> None:
    """Unpack each part once, and throw it away: it may say of itself what it likes.

    The columns and rows that cells name are looked at before anything makes room for them.
    """
    left = MOST_UNPACKED
    for part in parts:
        sheet = part.filename.startswith("xl/worksheets/")
        xml = part.filename.endswith((".xml", ".rels"))
        tail = b""
        with archive.open(part) as unpacking:
            while chunk := unpacking.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise Refused("bomb")
                seen = tail + chunk
                if xml and (b"<!DOCTYPE" in seen or b"<!ENTITY" in seen):
                    raise Refused("entities")
                if sheet:
                    _within(seen)
                tail = seen[-64:]


def _within(xml: bytes) -> None:
    for column, row in _REFERENCE.findall(xml):
        if len(column) > 2 or (len(column) == 2 and _column(column) > MOST_COLUMNS):
            raise Refused("too_many_columns", limit=MOST_COLUMNS)
        if int(row) > MOST_ROWS * 4:  # empty ones among them; the others are counted later
            raise Refused("too_many_rows", limit=MOST_ROWS)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _written(value: Any) -> str:
    """A cell as a person would write it: 90, 1.5, 2026-11-10, 1:30."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (date, time, timedelta)):
        return _when(value)
    return str(value)


def _when(value: date | time | timedelta) -> str:
    """A day, a moment, or how long something took."""
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time() != time.min else value.date().isoformat()
    if isinstance(value, time):
        return _duration(timedelta(hours=value.hour, minutes=value.minute, seconds=value.second))
    return _duration(value) if isinstance(value, timedelta) else value.isoformat()


def _duration(length: timedelta) -> str:
    """`1:30`, and the seconds only if there are any; with a minus for what is below zero."""
    seconds = round(length.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


# ── Both ─────────────────────────────────────────────────────────────────────────────────────────


def _counted(rows: Iterable[list[str]], *, first: int) -> Iterator[dict[str, Any]]:
    """Each row with something in it, with its number as a spreadsheet shows it."""
    kept = 0
    for number, row in enumerate(rows, start=first):
        while row and not row[-1].strip():
            row.pop()
        if not row:
            continue
        if len(row) > MOST_COLUMNS:
            raise Refused("too_many_columns", limit=MOST_COLUMNS)
        if max(map(len, row)) > LONGEST_CELL or sum(map(len, row)) > LONGEST_ROW:
            raise Refused("cell_too_long", row=number, limit=LONGEST_CELL)
        kept += 1
        if kept > MOST_ROWS:
            raise Refused("too_many_rows", limit=MOST_ROWS)
        yield {"row": number, "cells": [cell.strip() for cell in row]}
    if not kept:
        raise Refused("empty")


def _give_up_everything() -> None:
    """No new file, no connection, no process; so much memory and time and no more."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # Whatever is to be opened needs a number, and there is none left: neither for a file nor for a
    # connection, whether Python asks or the reader of spreadsheets does.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _ready() -> None:
    """Load what would otherwise be looked for in files later."""
    for name in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp437", "ascii"):
        codecs.lookup(name)


def main() -> int:
    """Read standard input, tell standard output."""
    _ready()
    out = sys.stdout
    _give_up_everything()
    try:
        for said in read(sys.stdin.buffer):
            out.write(json.dumps(said, ensure_ascii=True) + "\n")
    except Refused as refused:
        out.write(json.dumps({"refused": refused.reason, **refused.facts}) + "\n")
    except MemoryError:
        out.write(json.dumps({"refused": "bomb"}) + "\n")
    out.flush()
    os._exit(0)  # nothing is left to tidy up, and nothing could be opened for it


if __name__ == "__main__":
    main()
