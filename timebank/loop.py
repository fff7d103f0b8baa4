"""The event loop that commands run in: uvloop, which reads long answers with less ado.

The server chooses it too. It is not there on Windows; then asyncio's own does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do asynchronous work to its end, in a loop of its own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)
