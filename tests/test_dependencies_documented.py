"""Each dependency has its line of reason, and no line is left over."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _declared() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, build = settings["project"], settings["build-system"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    wanted = ["uv", *build["requires"], *project["dependencies"], *extras]
    return {re.split(r"[\[<>=; ]", requirement)[0] for requirement in wanted}


def _documented() -> set[str]:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    return set(re.findall(r"^\| ([a-z0-9-]+) \|", page, re.MULTILINE)) - {"package", "---"}


def test_each_dependency_has_its_reason() -> None:
    assert _declared() == _documented()


def test_locked_requirements_name_no_address_and_hash_everything() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "://" not in text
        pinned = [line for line in text.splitlines() if line[:1].isalnum()]
        assert pinned
        assert text.count("\n") > len(pinned), "each pin is followed by its hashes"
        assert all("==" in line and line.endswith("\\") for line in pinned)
