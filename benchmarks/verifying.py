"""`timebank verify`, the whole command: seconds and memory for a long journal with its entries.

A process of its own, from its start to its end, as an operator runs it: the journal proved, every
entry with its people and words compared, the outcome kept. Memory is the most that the command and
the process it starts held, added up. The command's own word says whether the books are sound.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import making
from benchmarks.machine import Watch
from benchmarks.places import on_postgres, on_sqlite
from benchmarks.results import Row, Size, alone
from timebank.config import Settings

SECONDS = 20.0  # at most, for a million transfers
MEGABYTES = 200.0  # at most

_PAGE = os.sysconf("SC_PAGE_SIZE")


def rows(size: Size) -> Iterator[Row]:
    """Measure on both databases."""
    with on_sqlite() as settings:
        yield from _verified("SQLite", settings, size)
    with on_postgres() as (_, settings):
        yield from _verified("PostgreSQL", settings, size)


def _verified(database: str, settings: Settings, size: Size) -> Iterator[Row]:
    transfers = size.of(500, 100_000, 1_000_000)
    books = making.make(settings, transfers)
    watch = Watch()
    runs = [_command(settings) for _ in range(size.of(1, 1, 3))]
    sound = all(ok for _, _, ok in runs)
    name, note = f"{database}, {transfers:,} transfers", f"{len(books.accounts):,} accounts"
    yield alone(
        f"timebank verify, {name}",
        [seconds for seconds, _, _ in runs],
        goal=SECONDS,
        unit="s",
        sound=sound,
        note=note,
        at_most=True,
        foreign=watch.foreign(),
    )
    yield alone(
        f"memory of timebank verify, {name}",
        [megabytes for _, megabytes, _ in runs],
        goal=MEGABYTES,
        unit="MB",
        sound=sound,
        at_most=True,
    )


def _command(settings: Settings) -> tuple[float, float, bool]:
    """Run the command: seconds, most megabytes, and whether it finds the books sound."""
    environment = os.environ | {
        "TIMEBANK_DATA": str(settings.data),
        "TIMEBANK_DATABASE_URL": settings.database_url,
    }
    start = time.perf_counter()
    command = subprocess.Popen(
        [sys.executable, "-m", "timebank", "verify"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    most = [0]
    ended = threading.Event()
    watching = threading.Thread(target=_watch, args=(command.pid, most, ended))
    watching.start()
    told, _ = command.communicate()
    seconds = time.perf_counter() - start
    ended.set()
    watching.join()
    return seconds, most[0] / 1e6, command.returncode == 0 and ": sound." in told


def _watch(pid: int, most: list[int], ended: threading.Event) -> None:
    """Keep the most memory that a process and its children hold, until it has ended."""
    while not ended.wait(0.05):
        most[0] = max(most[0], sum(map(_resident, (pid, *_children(pid)))))


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0
