"""Commands as an operator runs them: a process from its start to its end, timed and weighed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from timebank.config import Settings

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its seconds, the most megabytes it and its processes held together."""

    seconds: float
    megabytes: float
    well: bool
    told: str


def command(settings: Settings, *arguments: str) -> Ran:
    """Run `timebank` with these arguments."""
    environment = os.environ | {
        "TIMEBANK_DATA": str(settings.data),
        "TIMEBANK_DATABASE_URL": settings.database_url,
    }
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "timebank", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    most = [0]
    ended = threading.Event()
    watching = threading.Thread(target=_watch, args=(process.pid, most, ended))
    watching.start()
    told, _ = process.communicate()
    seconds = time.perf_counter() - start
    ended.set()
    watching.join()
    return Ran(seconds, most[0] / 1e6, process.returncode == 0, told)


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
