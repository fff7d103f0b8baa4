"""Runs of pytest that need not read the libraries again: one process reads them, and forks.

    with Warm() as warm:
        code, printed = warm.run(folder, ["-q", "tests/ledger"], environment)

None of our own modules is read before the fork, so each run reads those of its own folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

LIBRARIES = (
    "aiosmtpd.controller",
    "aiosqlite",
    "alembic.command",
    "asyncpg",
    "axe_playwright_python.async_playwright",
    "babel.dates",
    "babel.messages.pofile",
    "click",
    "email_validator",
    "httpx2",
    "hypothesis.stateful",
    "hypothesis.strategies",
    "jinja2.ext",
    "passlib.context",
    "playwright.async_api",
    "pytest",
    "pytest_asyncio",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio",
    "starlette.applications",
    "uvicorn",
    "xdist",
    "zxcvbn",
)
"""What most tests read; one that is missing here only makes a run slower."""

_LONGEST = 120  # seconds a run may take before it is ended


class Warm:
    """The process that has read the libraries. Use it as a context manager."""

    def __enter__(self) -> Warm:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],  # as a file: its package is ours, and stays unread
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def run(
        self, folder: Path, options: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[int, str]:
        """pytest's exit code in a folder, and what it printed; negative: the signal it died of."""
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None
        assert answers is not None
        with tempfile.NamedTemporaryFile("r", prefix="printed-") as printed:
            ask = {
                "folder": str(folder),
                "options": list(options),
                "environment": dict(environment),
                "printed": printed.name,
            }
            asks.write(f"{json.dumps(ask)}\n")
            asks.flush()
            code = int(answers.readline())
            return code, printed.read()


def _serve() -> None:
    """Fork a run for each line of standard input, and write its exit code."""
    for name in LIBRARIES:
        import_module(name)
    for line in sys.stdin:
        ask = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(ask)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(ask: dict[str, Any]) -> NoReturn:
    """Be a fresh pytest in that folder."""
    import pytest

    signal.alarm(_LONGEST)
    output = os.open(ask["printed"], os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(ask["folder"])
    os.environ.clear()
    os.environ.update(ask["environment"])
    sys.path.insert(0, ask["folder"])
    code = 3
    try:
        code = int(pytest.main(ask["options"]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
