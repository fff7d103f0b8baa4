"""`./dev bench [name …]`: run the named benchmarks, or all, and write docs/performance.md.

    --quick   a glance: less of everything; prints, and writes nothing
    --full    also what takes long: ten million transfers

Exit code 1 when the books of one do not verify, for then its figures do not count; 2 for a name
that is not there. A goal that is not met is said, and is no error: machines differ.
"""

from __future__ import annotations

import importlib
import sys
import time

from benchmarks import machine, report
from benchmarks.places import POSTGRES, postgres_version
from benchmarks.results import Benchmark, Row, Size

NAMES = (
    "posting",
    "hordak",
    "gathering",
    "standby",
    "arrivals",
    "door",
    "settling",
    "reading",
    "verifying",
    "importing",
    "bringing_in",
    "taking_along",
    "http",
    "desk",
)
"""The benchmarks, each a file of its own here with a function `rows`; in the order of the page."""

_SIZES = {"--quick": Size.QUICK, "--full": Size.FULL}


def main(arguments: list[str]) -> int:
    """Run benchmarks by name."""
    sizes = [_SIZES[word] for word in arguments if word in _SIZES]
    names = [word for word in arguments if word not in _SIZES]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; there is: {', '.join(NAMES)}.")
        return 2
    size = sizes[-1] if sizes else Size.ORDINARY
    versions = machine.versions(postgres_version())
    sound = [_run(name, size, versions) for name in names or NAMES]
    return 0 if all(sound) else 1


def benchmark(name: str) -> Benchmark:
    """The function of this benchmark."""
    found: Benchmark = importlib.import_module(f"benchmarks.{name}").rows
    return found


def _run(name: str, size: Size, versions: str) -> bool:
    """Run one, print its rows as they come, keep them; whether all books were sound."""
    print(f"\n── {name} ──", flush=True)
    start, syncs = time.monotonic(), machine.syncs_per_second()
    found: list[Row] = []
    for row in benchmark(name)(size):
        print(report.told(row), flush=True)
        found.append(row)
    print(f"({time.monotonic() - start:.0f} s; 8 kB synced {syncs:,.0f}/s)", flush=True)
    sound = all(row.sound for row in found)
    if sound and found and size >= Size.ORDINARY:
        run = report.Run(
            benchmark=name,
            size=size.name,
            date=report.today(),
            machine=machine.description(),
            versions=versions,
            settings=" ".join(POSTGRES),
            syncs=syncs,
            rows=tuple(found),
        )
        report.publish(report.keep(run, NAMES))
    return sound


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
