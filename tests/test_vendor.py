"""What others made and we ship is unchanged, and comes with its licence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "web" / "static" / "vendor", ROOT / "timebank" / "paper" / "fonts")

pytestmark = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def _rows(folder: Path) -> list[list[str]]:
    lines = (folder / "VENDOR.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_each_vendored_file_is_the_one_its_row_names(folder: Path) -> None:
    rows = _rows(folder)
    assert rows
    for name, *_, checksum in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum, name


def test_each_vendored_file_has_a_row_and_a_licence(folder: Path) -> None:
    rows = _rows(folder)
    listed = {row[0] for row in rows} | {row[4] for row in rows} | {"VENDOR.md"}
    assert {path.name for path in folder.iterdir()} == listed
