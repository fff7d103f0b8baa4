"""Keeping what was measured, and writing it into docs/performance.md.

`benchmarks/results.json` holds the newest rows of each benchmark, with when and on what they were
measured. The table between the two marks in docs/performance.md is written from it alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import Row, Size

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- Written by ./dev bench from benchmarks/results.json; changes here are lost. -->"
END = "<!-- End of what ./dev bench writes. -->"
BUSY = 0.15  # of all processors: more than that went to others, and the row is marked


@dataclass(frozen=True, slots=True)
class Run:
    """What one benchmark found: which, at which size, when, and on what."""

    benchmark: str
    size: str
    date: str
    machine: str
    versions: str
    settings: str
    syncs: float
    rows: tuple[Row, ...]

    @property
    def command(self) -> str:
        """What to type to measure these rows again."""
        return f"./dev bench {self.benchmark}{' --full' if self.size == Size.FULL.name else ''}"


def today() -> str:
    """The day it is, in UTC."""
    return f"{datetime.now(UTC):%-d %B %Y}"


def load(file: Path = RESULTS) -> list[Run]:
    """What was kept, in the order of the page; nothing when there is no file."""
    if not file.exists():
        return []
    kept = json.loads(file.read_text(encoding="utf-8"))
    return [Run(**run | {"rows": tuple(Row(**row) for row in run["rows"])}) for run in kept]


def keep(new: Run, names: Sequence[str], file: Path = RESULTS) -> list[Run]:
    """Put a run in place of the earlier one of this benchmark and size; all that is kept now.

    Rows of the same name measured at another size go as well, and runs of benchmarks that are no
    longer among `names`.
    """
    fresh = {row.name for row in new.rows}
    others = []
    for run in load(file):
        same = (run.benchmark, run.size) == (new.benchmark, new.size)
        rows = tuple(row for row in run.rows if row.name not in fresh)
        if run.benchmark in names and rows and not same:
            others.append(replace(run, rows=rows))
    runs = sorted([*others, new], key=lambda run: (names.index(run.benchmark), Size[run.size]))
    file.write_text(
        json.dumps([asdict(run) for run in runs], indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    return runs


def publish(runs: Iterable[Run], page: Path = PAGE) -> None:
    """Write the table into the page, between its marks. Raises `ValueError` without them."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no place for the figures")
    page.write_text(f"{before}{begin}\n\n{table(list(runs))}\n{end}{after}", encoding="utf-8")


def table(runs: Sequence[Run]) -> str:
    """All rows as a table, and below it when and on what each was measured."""
    lines = [
        "| measured | goal | ours | peer | ratio, or figure | turns | by |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [_line(row, run) for run in runs for row in run.rows]
    notes = [f"- {row.name}: {row.note}" for run in runs for row in run.rows if row.note]
    lines += ["", *(["Beside these figures:", "", *notes, ""] if notes else [])]
    lines += [
        "| by | measured on | 8 kB synced | with |",
        "| --- | --- | ---: | --- |",
    ]
    lines += [
        f"| `{run.command}` | {run.date} | {run.syncs:,.0f}/s | {run.versions} |" for run in runs
    ]
    lines += ["", *(f"Machine: {machine}." for machine in dict.fromkeys(_machines(runs)))]
    lines += [f"PostgreSQL: `{one}`." for one in dict.fromkeys(run.settings for run in runs)]
    return "\n".join(lines) + "\n"


def told(row: Row) -> str:
    """A row for the terminal."""
    peer = "" if row.peer is None else f" ÷ {figure(row.peer)}"
    goal = "" if row.goal is None else f"  (goal {_goal(row)}: {'met' if row.met else 'NOT MET'})"
    marks = ("" if row.sound else "  BOOKS NOT SOUND") + (" †" if row.foreign > BUSY else "")
    note = f"\n    {row.note}" if row.note else ""
    return (
        f"{row.name}\n    {figure(row.ours)}{peer} {row.unit}: {figure(row.ratio)} "
        f"[{figure(row.least)}–{figure(row.most)}], n = {row.n}{goal}{marks}{note}"
    )


def figure(number: float) -> str:
    """Three digits that say something: 12,345 · 123 · 12.3 · 1.23 · 0.0123."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:#.3g}"


def _line(row: Row, run: Run) -> str:
    goal = "" if row.goal is None else f"{_goal(row)} {'met' if row.met else '**not met**'}"
    peer = "" if row.peer is None else f"{figure(row.peer)} {row.unit}"
    mark = " †" if row.foreign > BUSY else ""
    return (
        f"| {row.name}{mark} | {goal} | {figure(row.ours)} {row.unit} | {peer} "
        f"| {figure(row.ratio)} [{figure(row.least)}–{figure(row.most)}] | {row.n} "
        f"| `{run.command}` |"
    )


def _goal(row: Row) -> str:
    return f"{'≤' if row.at_most else '≥'} {row.goal:g}"


def _machines(runs: Sequence[Run]) -> list[str]:
    """Each machine once, with what was measured on it where there are several."""
    machines = list(dict.fromkeys(run.machine for run in runs))
    if len(machines) < 2:
        return machines
    return [
        f"{machine} ({', '.join(run.command for run in runs if run.machine == machine)})"
        for machine in machines
    ]
