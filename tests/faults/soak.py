"""Runs faults for as long as it takes, and keeps a report that any number of runs add to.

    ./dev soak                          every fault, until each has its long figure
    ./dev soak kill-app-sqlite clock    these only
    ./dev soak --minutes 30             stop after half an hour; the next run goes on from there
    ./dev soak --minutes 0              run nothing, print the table of what is done
    ./dev soak --replay clock:731       one trial again, by its seed

The report is a JSON file that is written after each trial, so a run may be stopped at any time;
several runs may add to one report at the same time. Each trial has a new seed, which is printed.
A soak runs one trial at a time: for more cores start more of them.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import json
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import MODULES
from tests.faults.plan import Fault, Outcome

REPORT = Path("soak.json")
_MOST_KEPT = 20  # failures of one fault that the report holds, and after which it is given up


@dataclass
class Record:
    """What all trials of one fault showed so far. `failed`: seeds and what went wrong there."""

    unit: str
    control: bool
    counts: Counter[str] = field(default_factory=Counter)
    trials: int = 0
    seconds: float = 0.0
    wrong: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, fault: Fault, kept: Mapping[str, Any] | None = None) -> Record:
        """A new one, or what a report kept."""
        record = cls(fault.unit, fault.control)
        if kept is not None:
            record = cls(**{**kept, "counts": Counter(kept["counts"])})
        return record

    @property
    def done(self) -> int:
        """How many units."""
        return self.counts[self.unit]

    def add(self, name: str, seed: int, outcome: Outcome, seconds: float) -> None:
        """Count one more trial."""
        self.counts.update(outcome.counts)
        self.trials += 1
        self.seconds = round(self.seconds + seconds, 2)
        if outcome.wrong:
            self.wrong += 1
            if len(self.failed) < _MOST_KEPT:
                wrong = list(outcome.wrong[:_MOST_KEPT])
                self.failed.append({"seed": seed, "replay": replay(name, seed), "wrong": wrong})

    def is_over(self, fault: Fault) -> bool:
        """Whether there is enough of it, or it fails so often that more tells nothing new."""
        return self.done >= fault.long or (not self.control and self.wrong >= _MOST_KEPT)

    def is_bad(self, fault: Fault) -> bool:
        """Whether something went wrong; of a control, whether nothing did though it had time."""
        if not self.control:
            return self.wrong > 0
        return self.wrong == 0 and self.done >= fault.short


def all_faults() -> dict[str, Fault]:
    """Every fault of the registered modules, by name."""
    found: dict[str, Fault] = {}
    for module in MODULES:
        for fault in importlib.import_module(f"tests.faults.{module}").FAULTS:
            assert fault.name not in found, f"two faults are called {fault.name}"
            found[fault.name] = fault
    return found


def once(fault: Fault, seed: int) -> Outcome:
    """One trial in a folder of its own. One that breaks down, or does nothing, went wrong."""
    with tempfile.TemporaryDirectory(prefix="timebank-fault-") as folder:
        try:
            outcome = fault.trial(seed, Path(folder))
        except Exception:  # noqa: BLE001 - whatever it was, the seed has to be told
            return Outcome({}, (f"the trial broke down: {traceback.format_exc()}",))
    if not outcome.wrong and not outcome.counts.get(fault.unit):
        return Outcome(outcome.counts, (f"the trial had no {fault.unit}",))
    return outcome


def replay(name: str, seed: int) -> str:
    """The one command that runs a trial again."""
    return f"./dev soak --replay {name}:{seed}"


def load(file: Path, faults: Mapping[str, Fault]) -> dict[str, Record]:
    """What a report says of these faults."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    return {name: Record.of(fault, kept.get(name)) for name, fault in faults.items()}


def keep(file: Path, fault: Fault, seed: int, outcome: Outcome, seconds: float) -> Record:
    """Add a trial to the report; what others wrote there meanwhile stays. The fault's record."""
    with _alone(file):
        kept = json.loads(file.read_text()) if file.exists() else {}
        record = Record.of(fault, kept.get(fault.name))
        record.add(fault.name, seed, outcome, seconds)
        kept[fault.name] = vars(record)
        new = file.with_name(f"{file.name}.new")
        new.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        new.replace(file)
    return record


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody else writes the report meanwhile."""
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(faults: Mapping[str, Fault], file: Path, minutes: float | None = None) -> None:
    """Trial after trial, always of the fault that is furthest behind, until all is done."""
    given_up = None if minutes is None else time.monotonic() + 60 * minutes
    records = load(file, faults)
    while given_up is None or time.monotonic() < given_up:
        left = [name for name, fault in faults.items() if not records[name].is_over(fault)]
        if not left:
            return
        name = min(left, key=lambda name: records[name].done / faults[name].long)
        seed = secrets.randbits(32)
        began = time.monotonic()
        outcome = once(faults[name], seed)
        took = time.monotonic() - began
        records[name] = keep(file, faults[name], seed, outcome, took)
        print(_line(faults[name], records[name], seed, outcome, took), flush=True)


def _line(fault: Fault, record: Record, seed: int, outcome: Outcome, took: float) -> str:
    far = f"{record.done:,} of {fault.long:,} {fault.unit}"
    line = f"{fault.name}:{seed}  {took:.1f} s  {far}"
    if not outcome.wrong:
        return line
    if fault.control:
        return f"{line}  (seen, as it has to be)"
    shown = "\n    ".join(outcome.wrong)
    return f"{line}  WRONG\n    {shown}\n    again: {replay(fault.name, seed)}"


def table(faults: Mapping[str, Fault], records: Mapping[str, Record]) -> str:
    """Markdown to be pasted: what was done, and what went wrong."""
    lines = ["| fault | done | trials | went wrong | time |", "| --- | ---: | ---: | --- | ---: |"]
    for name, fault in faults.items():
        record = records[name]
        done = f"{record.done:,} {fault.unit.replace('_', ' ')}"
        clock = f"{record.seconds / 60:,.0f} min"
        lines.append(f"| `{name}` | {done} | {record.trials:,} | {_verdict(record)} | {clock} |")
    return "\n".join(lines)


def _verdict(record: Record) -> str:
    """What went wrong, and whether it has to."""
    if not record.trials:
        return "not run yet"
    wrong = f"in {record.wrong:,}" if record.wrong else "nothing"
    if record.control:
        wrong += ", as it has to" if record.wrong else ", and should: the harness is blind"
    return wrong


def main(words: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 when something went wrong, or a control did not."""
    asked = _parser().parse_args(words)
    faults = all_faults()
    if asked.replay:
        return _replay(faults, asked.replay)
    if unknown := [name for name in asked.names if name not in faults]:
        sys.exit(f"there is no fault {unknown[0]}; there are: {', '.join(faults)}")
    chosen = {
        name: fault for name, fault in faults.items() if name in asked.names or not asked.names
    }
    try:
        run(chosen, asked.report, asked.minutes)
    except KeyboardInterrupt:
        print("stopped; the next run goes on from here")
    records = load(asked.report, chosen)
    print(table(chosen, records))
    return int(any(records[name].is_bad(fault) for name, fault in chosen.items()))


def _replay(faults: Mapping[str, Fault], what: str) -> int:
    """One trial, and all it says."""
    name, _, seed = what.partition(":")
    if name not in faults or not seed.isdigit():
        sys.exit(f"--replay wants name:seed, and the names are: {', '.join(faults)}")
    outcome = once(faults[name], int(seed))
    print(json.dumps(dict(outcome.counts), indent=1))
    print("\n".join(outcome.wrong) or "nothing went wrong")
    return int(bool(outcome.wrong) is not faults[name].control)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev soak", description="Faults, for hours.")
    parser.add_argument("names", nargs="*", help="which faults; all of them without a name")
    parser.add_argument("--minutes", type=float, help="stop after so long; 0 prints the table")
    parser.add_argument("--report", type=Path, default=REPORT, help="the report to go on from")
    parser.add_argument("--replay", metavar="NAME:SEED", help="one trial again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
