"""The benchmarks run, at a size where figures mean nothing, and the books they leave are sound.

django-hordak's is left out: its packages are fetched when somebody asks for its figures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import machine, report
from benchmarks.__main__ import NAMES, benchmark, main
from benchmarks.callers import closed_loop, open_loop
from benchmarks.places import Place, a_place, opened
from benchmarks.report import Run
from benchmarks.results import Row, Size, alone, compared
from benchmarks.turns import Plan, take
from ledger.sql import Ledger
from timebank.config import Settings

ROW = compared(
    "hot ÷ random", [30.0, 20.0, 60.0], [10.0, 10.0, 10.0], goal=2, unit="/s", sound=True
)


def a_run(name: str, *rows: Row, size: Size = Size.ORDINARY) -> Run:
    """What a benchmark found."""
    return Run(name, size.name, "1 May 2026", "A processor", "Python", "fsync=on", 5000.0, rows)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "hordak"])
def test_each_benchmark_runs_and_its_books_are_sound(name: str) -> None:
    found = list(benchmark(name)(Size.TINY))
    assert found
    assert all(row.sound for row in found)
    assert len({row.name for row in found}) == len(found)


def test_every_benchmark_is_described() -> None:
    text = Path("benchmarks/README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in NAMES)


def test_a_name_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-benchmark"]) == 2
    assert "posting" in capsys.readouterr().out


def test_a_ratio_is_the_median_of_neighbouring_turns() -> None:
    assert (ROW.ratio, ROW.least, ROW.most, ROW.n) == (3.0, 2.0, 6.0, 3)
    assert ROW.met
    assert not replace(ROW, goal=4).met
    assert not replace(ROW, sound=False).met
    slow = alone("verify", [9.0, 11.0], goal=20, unit="s", sound=True, at_most=True)
    assert slow.met
    assert not replace(slow, goal=9).met


@pytest.fixture
async def place(sqlite_settings: Settings) -> AsyncIterator[tuple[Place, Ledger]]:
    async with opened(sqlite_settings) as (db, ledger):
        yield await a_place(db, 5), ledger


async def test_books_with_more_than_was_acknowledged_are_not_sound(
    place: tuple[Place, Ledger],
) -> None:
    here, ledger = place
    taken = await closed_loop([here.through(ledger)] * 3, here.entries(20, hot=True), 60)
    assert len(taken.waits) == 20
    assert not await here.sound()
    here.acknowledged = 20
    assert await here.sound()


async def test_posting_an_entry_again_is_no_figure(place: tuple[Place, Ledger]) -> None:
    here, ledger = place
    (entry,) = here.entries(1, hot=False)
    await here.through(ledger)(entry)
    with pytest.raises(RuntimeError, match="was not posted"):
        await here.through(ledger)(entry)


async def test_a_wait_in_the_open_loop_counts_from_when_one_was_to_come(
    place: tuple[Place, Ledger],
) -> None:
    async def slow(_item: int) -> None:
        await asyncio.sleep(0.01)

    here, _ledger = place
    taken = await open_loop(slow, iter(range(1000)), rate=100, seconds=0.2, dice=here.dice)
    assert taken.waits
    assert all(wait >= 0.009 for wait in taken.waits)


async def test_the_first_turns_are_thrown_away() -> None:
    asked: list[str] = []

    async def ours(_seconds: float) -> float:
        asked.append("ours")
        return 2.0 * len(asked)

    async def peer(_seconds: float) -> float:
        asked.append("peer")
        return 1.0

    found = await take(Plan(2, 1, 0.0), {"ours": ours, "peer": peer})
    assert asked == ["ours", "peer"] * 3
    assert found.figures == {"ours": [6.0, 10.0], "peer": [1.0, 1.0]}


def test_a_run_renews_its_own_rows_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    names = ("posting", "reading")
    report.keep(a_run("reading", replace(ROW, name="page")), names, file)
    report.keep(a_run("posting", ROW), names, file)
    report.keep(a_run("gone", ROW), (*names, "gone"), file)
    runs = report.keep(a_run("posting", replace(ROW, ratio=9.0)), names, file)
    assert [run.benchmark for run in runs] == ["posting", "reading"]
    assert runs[0].rows[0].ratio == 9.0
    full = replace(ROW, name="page", note="large")
    runs = report.keep(a_run("reading", full, size=Size.FULL), names, file)
    assert [(run.size, run.rows) for run in runs[1:]] == [("FULL", (full,))]
    assert report.load(file) == runs


def test_the_page_is_written_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"Before\n{report.BEGIN}\nold\n{report.END}\nAfter\n", encoding="utf-8")
    for _ in range(2):
        report.publish([a_run("posting", replace(ROW, foreign=0.5, note="a note"))], page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("Before\n")
    assert text.endswith("\nAfter\n")
    assert "old" not in text
    assert text.count("| hot ÷ random † | ≥ 2 met | 30.0 /s | 10.0 /s | 3.00 [2.00–6.00] |") == 1
    assert "- hot ÷ random: a note" in text
    with pytest.raises(ValueError, match="no place"):
        report.publish([], Path("benchmarks/README.md"))


def test_the_page_shows_what_was_kept() -> None:
    runs = report.load()
    text = report.PAGE.read_text(encoding="utf-8")
    assert not runs or report.table(runs) in text


def test_the_machine_is_described_without_its_name() -> None:
    assert "cores" in machine.description()
    assert "Python 3" in machine.versions("PostgreSQL 18")
    assert machine.syncs_per_second(0.01) > 0
    assert 0 <= machine.Watch().foreign() <= 1
