"""The process that draws statements for the press: `python -m timebank.paper.drawing`.

What it is to draw comes on its standard input, each message after its length: where to, in which
language and when; then statements, some at a time; then None. It says a line after each of them.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from typing import Any

from timebank.paper import statement
from timebank.paper.statement import PrintedStatement

LENGTH = struct.Struct(">I")
"""What comes before each message."""


def main() -> None:
    """Draw what comes on standard input, and write the file at its end."""
    path, title, language, at = _received()
    paper = statement.begin(title, language, at)
    while (some := _received()) is not None:
        page: PrintedStatement
        for page in some:
            statement.draw(paper, page)
        _say()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(paper.bytes() if paper.pages else b"")
    _say()


def _received() -> Any:
    (length,) = LENGTH.unpack(sys.stdin.buffer.read(LENGTH.size))
    return pickle.loads(sys.stdin.buffer.read(length))  # noqa: S301 - from our own parent


def _say() -> None:
    sys.stdout.write("done\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
