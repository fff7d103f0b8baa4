"""The machine the figures come from, how quickly its disk answers, and who else is using it."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

_BLOCK = 8192  # bytes: a page of PostgreSQL
_LIBRARIES = ("uvloop", "asyncpg", "aiosqlite", "sqlalchemy", "uvicorn", "starlette")


def description() -> str:
    """Processor, cores, kernel and file system, in one line without the machine's name."""
    return (
        f"{_cpu()}, {os.cpu_count()} cores, {_memory()}; "
        f"{platform.system()} {platform.release()}, {_file_system(tempfile.gettempdir())}"
    )


def versions(postgres: str = "") -> str:
    """What ran: Python, the databases, and the libraries between."""
    found = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    found += [postgres] if postgres else []
    return ", ".join(found + [f"{name} {version(name)}" for name in _LIBRARIES])


def syncs_per_second(seconds: float = 1.0) -> float:
    """How often 8 kB reach the disk in a second, written and synced (fdatasync) one by one.

    In the folder for temporary files, where the databases of the benchmarks lie too.
    """
    with tempfile.TemporaryFile() as file:
        block, count = os.urandom(_BLOCK), 0
        os.pwrite(file.fileno(), block, 0)
        os.fsync(file.fileno())
        start = time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds:
            os.pwrite(file.fileno(), block, 0)
            os.fdatasync(file.fileno())
            count += 1
    return count / taken


class Watch:
    """From when it is made: which share of all processors went to programs that are not ours.

    Ours are this process and all it started. Where there is no /proc the share is 0.
    """

    def __init__(self) -> None:
        self._start = _ticks()

    def foreign(self) -> float:
        """The share from 0 to 1, since the watch was made."""
        every, busy, own = (now - then for now, then in zip(_ticks(), self._start, strict=True))
        return max(0.0, min(1.0, (busy - own) / every)) if every else 0.0


def _ticks() -> tuple[int, int, int]:
    """Processor time so far: all there was, what was used, and what we and our children used."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return 0, 0, 0
    user, nice, system, idle, waiting, hard, soft, stolen = map(int, line.split()[1:9])
    every = user + nice + system + idle + waiting + hard + soft + stolen
    return every, user + nice + system + stolen, _own_ticks()


def _own_ticks() -> int:
    """User and system time of our process tree, with what its ended children used."""
    used: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended just now
        fields = text.rpartition(")")[2].split()
        pid = int(folder.name)
        children.setdefault(int(fields[1]), []).append(pid)
        used[pid] = sum(map(int, fields[11:15]))
    ours, found = [os.getpid()], 0
    while ours:
        pid = ours.pop()
        found += used.get(pid, 0)
        ours += children.get(pid, [])
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GB"


def _file_system(folder: str) -> str:
    """The kind of file system the folder lies on."""
    kind, longest = "unknown file system", -1
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return kind
    for mount in mounts:
        _device, where, name, *_rest = mount.split()
        if Path(folder).resolve().is_relative_to(where) and len(where) >= longest:
            kind, longest = name, len(where)
    return kind
