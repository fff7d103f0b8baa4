"""Programs run with `shim.c` between SQLite and the system: built, started, and read afterwards."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_SOURCE = Path(__file__).with_name("shim.c")
_HEAD = struct.Struct("<cBqI")


class Which(IntEnum):
    """Which file of the folder, as the shim numbers them."""

    DATABASE = 1
    WAL = 2
    MARKS = 3
    FOLDER = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to a file; `what` is the letter that `shim.c` explains."""

    what: str
    file: Which
    offset: int
    data: bytes


def build(folder: Path) -> Path:
    """The compiled shim, in this folder. Needs a C compiler, which `./dev test` installs."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("no C compiler `cc`: install Debian's gcc and libc6-dev")
    made = folder / "shim.so"
    flags = ("-O2", "-shared", "-fPIC", "-o", str(made), str(_SOURCE), "-ldl", "-lpthread")
    subprocess.run([compiler, *flags], check=True, timeout=60)
    return made


def under(
    shim: Path,
    folder: Path,
    *,
    log: Path | None = None,
    failing: tuple[int, ...] = (),
    pretend: bool = False,
) -> dict[str, str]:
    """The environment in which a program's files in `folder` are watched, and syncs fail."""
    env = {"LD_PRELOAD": str(shim), "FAULTS_FOLDER": str(folder)}
    if log is not None:
        env["FAULTS_LOG"] = str(log)
    if failing:
        env["FAULTS_FAIL_SYNCS"] = ",".join(map(str, failing))
    if pretend:
        env["FAULTS_PRETEND"] = "1"
    return env


def run(
    module: str, task: Mapping[str, Any], env: Mapping[str, str], before: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run `python -m module` with a task in JSON, and return the JSON it printed last.

    `before`: the words of a program that starts it. It has two minutes, and has ended afterwards.
    """
    command = [*before, sys.executable, "-m", module, json.dumps(task)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def room(file: Which, most: int | None) -> None:
    """In a program under the shim: this file may not grow beyond so many bytes (None: no limit)."""
    ctypes.CDLL(None).faults_room(int(file), ctypes.c_int64(-1 if most is None else most))


def steps(log: Path) -> Iterator[Step]:
    """What was done, in order."""
    raw, at = log.read_bytes(), 0
    while at < len(raw):
        what, file, offset, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        yield Step(what.decode(), Which(file), offset, raw[at : at + length])
        at += length
