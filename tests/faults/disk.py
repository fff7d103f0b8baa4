"""What a disk may hold after the power failed: what was synced, and of the rest nobody knows what.

A write is certain once its file was synced. Until then it may be there, or not, or some of its
sectors. A sync that failed makes nothing certain, and no later sync makes up for it: the system
may have let go of those pages. A new file's name is certain once its folder was synced.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from tests.faults.shim import Step, Which

_SECTOR = 512


class Left(StrEnum):
    """What is left of the writes that were not certain."""

    NOTHING = "nothing"
    ALL = "all"
    SOME = "some"
    TORN = "torn"  # some sectors of some


@dataclass(slots=True)
class _File:
    certain: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)
    doubtful: list[Step] = field(default_factory=list)  # met a sync that failed


class Disk:
    """A folder, one step after another. `left` says what a power cut might make of it now."""

    def __init__(self, files: Mapping[Which, bytes]) -> None:
        self._now = {which: _File(bytearray(held)) for which, held in files.items()}
        self._certain = dict(self._now)
        self._names: list[tuple[Which, _File | None]] = []

    def take(self, step: Step) -> None:
        """One more step was taken."""
        which = step.file
        if which is Which.FOLDER:
            if step.what == "S":
                _rename(self._certain, self._names)
                self._names = []
        elif step.what in "CU":
            self._names.append((which, _File() if step.what == "C" else None))
            _rename(self._now, self._names[-1:])
        elif step.what in "WT":
            self._now[which].pending.append(step)
        elif step.what in "SF":
            _sync(self._now[which], failed=step.what == "F")

    def left(self, chances: random.Random, how: Left) -> dict[Which, bytearray]:
        """What the files hold after a power cut."""
        names, most = dict(self._certain), len(self._names)
        kept = {Left.NOTHING: 0, Left.ALL: most}.get(how, chances.randint(0, most))
        _rename(names, self._names[:kept])
        return {which: _held(file, chances, how) for which, file in names.items()}


def _rename(names: dict[Which, _File], changes: list[tuple[Which, _File | None]]) -> None:
    for which, file in changes:
        if file is None:
            names.pop(which, None)
        else:
            names[which] = file


def _sync(file: _File, *, failed: bool) -> None:
    if failed:
        file.doubtful += [piece for step in file.pending for piece in _torn(step)]
    else:
        # A disk writes whole sectors: what is in doubt beside a new write goes there with it.
        written = {piece.offset // _SECTOR for step in file.pending for piece in _torn(step)}
        for piece in file.doubtful:
            if piece.offset // _SECTOR in written:
                _apply(file.certain, piece)
        file.doubtful = [one for one in file.doubtful if one.offset // _SECTOR not in written]
        for step in file.pending:
            _apply(file.certain, step)
    file.pending = []


def _held(file: _File, chances: random.Random, how: Left) -> bytearray:
    held = bytearray(file.certain)
    uncertain = file.doubtful + file.pending
    if how is Left.NOTHING or not uncertain:
        return held
    share = chances.choice((0.1, 0.5, 0.9))
    for step in uncertain:
        if how is Left.ALL or (how is Left.SOME and chances.random() < share):
            _apply(held, step)
        elif how is Left.TORN:
            for piece in _torn(step):
                if chances.random() < share:
                    _apply(held, piece)
    return held


def _torn(step: Step) -> list[Step]:
    """The step in pieces, cut where the disk's sectors end."""
    if step.what == "T":
        return [step]
    end = step.offset + len(step.data)
    cuts = [step.offset, *range(step.offset // _SECTOR * _SECTOR + _SECTOR, end, _SECTOR), end]
    return [
        Step("W", step.file, start, step.data[start - step.offset : stop - step.offset])
        for start, stop in pairwise(cuts)
    ]


def _apply(held: bytearray, step: Step) -> None:
    if step.what == "T":
        if step.offset < len(held):
            del held[step.offset :]
        else:
            held.extend(bytes(step.offset - len(held)))
        return
    if len(held) < step.offset:
        held.extend(bytes(step.offset - len(held)))
    held[step.offset : step.offset + len(step.data)] = step.data
