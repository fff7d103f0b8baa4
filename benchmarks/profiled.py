"""Where the time of a server goes: `timebank` run under the profiler, and its profile added up.

    python -m benchmarks.profiled <file> serve --port 8000

writes the profile into the file when the server ends. Only the main thread is profiled: the one
that all requests run in. Profiling makes Python code look dearer than it is beside C code.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections import Counter
from typing import Any

_PARTS = (  # the first that fits a file's path
    ("templates", ("/web/templates/", "/jinja2/", "/markupsafe/", "<template>")),
    ("SQLAlchemy", ("/sqlalchemy/", "/greenlet/")),
    ("database driver", ("/asyncpg/", "/aiosqlite/", "/sqlite3/")),
    (
        "HTTP server and framework",
        ("/uvicorn/", "/starlette/", "/python_multipart/", "/httptools/"),
    ),
    ("asyncio", ("/asyncio/", "/uvloop/")),
    ("ledger", ("/ledger/",)),
    ("time bank", ("/timebank/",)),
    ("pages", ("/web/",)),
)
_REST = "the rest of Python"
_WAITING = ("run_until_complete", "run_forever", "method 'poll'", "select.epoll")


def shares(file: str) -> dict[str, float]:
    """Which share of the working time each part took, the largest first.

    What is written in C counts for the part that called it. Waiting is no work.
    """
    took: Counter[str] = Counter()
    stats: Any = pstats.Stats(file)
    for (path, _line, name), (_, _, own, _, callers) in stats.stats.items():
        if path != "~":
            took[_part(path)] += own
        elif not any(word in name for word in _WAITING):
            for (caller, _, _), (_, _, from_there, _) in callers.items():
                took[_part(caller)] += from_there
    total = sum(took.values())
    return {part: seconds / total for part, seconds in took.most_common()}


def _part(path: str) -> str:
    path = path.replace("\\", "/")
    if path.endswith(".html"):
        return "templates"
    return next((part for part, words in _PARTS if any(word in path for word in words)), _REST)


def main(file: str, arguments: list[str]) -> None:
    """Run the `timebank` command under the profiler until it is told to stop."""
    from timebank.cli import main as timebank

    profile = cProfile.Profile()
    profile.enable()
    try:
        timebank(arguments, standalone_mode=False)
    finally:
        profile.disable()
        profile.dump_stats(file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
