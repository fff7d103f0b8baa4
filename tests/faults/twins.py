"""Sabotage twins: the program with one fault planted, and the test that has to see it.

A suite that cannot fail proves nothing. So each twin is a copy of the program in which one text is
replaced by another (it has to be there exactly once), and one test, named beside it, has to turn
red there: fail in its own body, not stumble while it is collected or set up.

    python -m tests.faults.twins [word …]      plant the chosen ones and say who was seen

The table is `tests/faults/sabotage.py`; more, for whole files of tests, are in
`tests/ledger/planted_bugs.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.sabotage import TWINS, Twin
from tests.faults.warm import Warm
from tests.infrastructure import postgres

ROOT = Path(__file__).parents[2]
PARTS = ("ledger", "timebank", "web", "migrations", "tests", "verifier", "benchmarks", "docs")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a test ended in a copy: pytest's exit code, the tests that failed, what was printed."""

    code: int
    failed: tuple[str, ...]
    printed: str

    def red(self, test: str) -> bool:
        """Whether that test failed, in its own body, and nothing else went wrong."""
        return self.code == 1 and bool(self.failed) and all(_is(one, test) for one in self.failed)


# What watches a run from inside: that no module of ours is read from anywhere but the copy, and
# which tests failed in their own body.
_WATCH = """
import json, sys
from pathlib import Path
from hypothesis import Phase, settings

HERE = Path(__file__).parent
OURS = {ours!r}
failed = []
settings.register_profile("twin", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("twin")


def pytest_runtest_logreport(report):
    if report.failed:
        part = "" if report.when == "call" else f"{{report.when}} of "
        failed.append(part + report.nodeid)


def pytest_sessionfinish(session):
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in OURS and file and HERE not in Path(file).parents:
            failed.append(f"{{name}} comes from {{file}}")
    (HERE / "failed.json").write_text(json.dumps(failed))
"""


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the program and its tests, in a folder that others may enter."""
    with tempfile.TemporaryDirectory(prefix="twin-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part)
        for file in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy2(ROOT / file, folder)
        (folder / "twin_watch.py").write_text(_WATCH.format(ours=PARTS))
        yield folder


def plant(twin: Twin, folder: Path) -> None:
    """Replace the one text in the copy. Raises `AssertionError` when it is not there once."""
    path = folder / twin.file
    text = path.read_text()
    found = text.count(twin.old)
    assert found == 1, f"{twin.name}: {twin.file} has the text {found} times"
    assert twin.old != twin.new
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()
    path.write_text(text.replace(twin.old, twin.new))


def run(warm: Warm, folder: Path, test: str, server: str = "") -> Ran:
    """Run one test in a copy, with that copy's modules; `server` is a PostgreSQL to use."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "twin_watch", "-W", "ignore"]
    code, printed = warm.run(folder, [*options, test], _environment(folder, server))
    noted = folder / "failed.json"
    failed = tuple(json.loads(noted.read_text())) if noted.exists() else ()
    return Ran(code, failed, printed)


def seen(warm: Warm, twin: Twin, server: str = "") -> Ran:
    """How the twin's test ends in a copy with the fault."""
    with copied() as folder:
        plant(twin, folder)
        return run(warm, folder, twin.test, server)


def _environment(folder: Path, server: str) -> Mapping[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {
        **ours,
        "PYTHONPATH": str(folder),
        **({"TIMEBANK_TEST_PG": server} if server else {}),
    }


def _is(failed: str, test: str) -> bool:
    """Whether what failed is that test, or one of its cases."""
    return failed == test or failed.startswith(f"{test}[")


def main(words: list[str]) -> int:
    """Plant the chosen twins, one at a time; how many lived."""
    lived = 0
    with Warm() as warm, postgres.serving() as server:
        for twin in TWINS:
            if all(word in f"{twin.name} {twin.file} {twin.test}" for word in words):
                began = time.monotonic()
                ran = seen(warm, twin, server.url("postgres"))
                red = ran.red(twin.test)
                lived += not red
                took = f"{time.monotonic() - began:5.1f} s"
                print(f"{'seen ' if red else 'LIVED'} {took}  {twin.name}", flush=True)
                if not red:
                    print(f"{ran.code} {ran.failed} {ran.printed[-3000:]}")
    return lived


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
