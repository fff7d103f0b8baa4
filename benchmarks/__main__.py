"""`./dev bench [name …]`: run the named benchmarks, or all."""

from __future__ import annotations

import sys

from benchmarks import posting

BENCHMARKS = {"posting": posting.main}


def main(names: list[str]) -> int:
    """Run benchmarks by name. Exit code 1 when the books do not verify, 2 for an unknown name."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; there is: {', '.join(BENCHMARKS)}.")
        return 2
    return max(BENCHMARKS[name]() for name in names or BENCHMARKS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
