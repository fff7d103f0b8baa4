"""What is installed is ours and whole: the names are nobody else's, and no file is left behind."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"ledger": "ledger", "timebank": "timebank", "web": "web"}
FOLDERS_BUILT = {**FOLDERS, "migrations": "timebank/_migrations"}


@pytest.mark.parametrize("name", FOLDERS)
def test_no_other_distribution_has_taken_a_package_s_name(name: str) -> None:
    assert set(packages_distributions().get(name, ["timebank"])) == {"timebank"}
    assert Path(importlib.import_module(name).__file__ or "").is_relative_to(ROOT / name)


def test_the_built_package_holds_every_file_of_the_program(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())

    wanted = {
        f"{built}/{path.relative_to(ROOT / folder)}"
        for folder, built in FOLDERS_BUILT.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {file for file in held if ".dist-info/" not in file} == wanted
    assert "timebank/_migrations/env.py" in held
