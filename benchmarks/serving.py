"""The server as operators run it: `timebank serve` in a process of its own, on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from typing import IO

from timebank.cli.serving import environment
from timebank.config import Settings


@contextlib.asynccontextmanager
async def served(settings: Settings, *module: str) -> AsyncIterator[None]:
    """`timebank serve` in a process of its own, or the same through another module."""
    command = ["-m", *(module or ("timebank",)), "serve"]
    with tempfile.TemporaryFile() as said:
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env=os.environ | environment(settings),
            stdout=said,
            stderr=said,
        )
        try:
            await _answers(settings.port, server, said)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                server.send_signal(signal.SIGINT)
            async with asyncio.timeout(30):
                await server.wait()


async def _answers(port: int, server: Process, said: IO[bytes]) -> None:
    """Wait until it takes connections. Raises `RuntimeError` with what it said if it ended."""
    deadline = time.monotonic() + 60
    while True:
        if server.returncode is not None or time.monotonic() > deadline:
            said.seek(0)
            raise RuntimeError(f"the server did not start: {said.read().decode()}")
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
