"""The demo, made once for a whole run through the command line, and copied for each test."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from timebank.cli import main
from timebank.config import Settings


@dataclass(frozen=True, slots=True)
class Demo:
    """Where a test's own copy of the demo lies, and what `timebank demo` printed."""

    data: Path
    printed: str

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to find it."""
        return {
            "TIMEBANK_DATA": str(self.data),
            "TIMEBANK_ENV": "demo",
            "TIMEBANK_DATABASE_URL": "",
        }

    @property
    def settings(self) -> Settings:
        """The same, as settings."""
        return Settings.from_env(self.environment)


@pytest.fixture(scope="session")
def demo_original(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo as the command makes it; nobody changes this one."""
    data = tmp_path_factory.mktemp("demo") / "data"
    settings = {"TIMEBANK_DATA": str(data), "TIMEBANK_DATABASE_URL": ""}
    done = CliRunner().invoke(main, ["demo", "--no-serve"], env=settings, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return Demo(data, done.stdout)


@pytest.fixture
def demo_data(demo_original: Demo, tmp_path: Path) -> Demo:
    """A copy of the demo that the test may change."""
    copy = tmp_path / "demo"
    shutil.copytree(demo_original.data, copy)
    copy.chmod(0o700)
    return Demo(copy, demo_original.printed)
