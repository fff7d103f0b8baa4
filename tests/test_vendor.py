"""What others made and we ship is unchanged, and comes with its licence."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "web" / "static" / "vendor"


def _rows() -> list[list[str]]:
    lines = (FOLDER / "VENDOR.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_each_vendored_file_is_the_one_its_row_names() -> None:
    rows = _rows()
    assert rows
    for name, *_, checksum in rows:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == checksum, name


def test_each_vendored_file_has_a_row_and_a_licence() -> None:
    rows = _rows()
    listed = {row[0] for row in rows} | {row[4] for row in rows} | {"VENDOR.md"}
    assert {path.name for path in FOLDER.iterdir()} == listed
