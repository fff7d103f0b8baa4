"""The peer that comes with PostgreSQL: pgbench's simple-update, a program written in C.

One transaction updates an account, reads it and writes a line of history; it keeps no books. Its
accounts are chosen at random, so its connections hardly ever wait for each other.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

from sqlalchemy import make_url

from tests.infrastructure.postgres import Server


async def prepare(server: Server, scale: int) -> str:
    """A database with pgbench's tables, of so many times 100,000 accounts; its name."""
    await server.create_database("pgbench")
    await _run(server, "--initialize", f"--scale={scale}", "--quiet")
    return "pgbench"


async def simple_update(server: Server, connections: int, seconds: float, protocol: str) -> float:
    """Transactions a second with so many connections; for a second at least."""
    said = await _run(
        server,
        "--builtin=simple-update",
        "--no-vacuum",
        f"--client={connections}",
        f"--protocol={protocol}",
        f"--time={max(1, round(seconds))}",
    )
    found = re.search(r"tps = ([0-9.]+) \(without initial", said)
    assert found, said
    return float(found[1])


async def _run(server: Server, *arguments: str) -> str:
    """Run pgbench on its database and answer what it says."""
    host = str(make_url(server.address).query["host"])
    command: list[str | Path] = [server.programs / "pgbench", "--host", host]
    command += ["--username=postgres", *arguments, "pgbench"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return str(done.stdout)
