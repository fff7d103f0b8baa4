"""The demo, made once for a whole run through the command line, and copied for each test."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from pathlib import Path

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


def made_once(folder: Path) -> Demo:
    """The demo as the command makes it, in a folder that all workers of a run share.

    Whoever asks first makes it, and the others wait. Nobody changes this one.
    """
    data, printed = folder / "demo", folder / "demo-printed"
    with (folder / "demo-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            settings = {"TIMEBANK_DATA": str(data), "TIMEBANK_DATABASE_URL": ""}
            done = CliRunner().invoke(
                main, ["demo", "--no-serve"], env=settings, catch_exceptions=False
            )
            assert done.exit_code == 0, done.output
            printed.write_text(done.stdout)
    return Demo(data, printed.read_text())
