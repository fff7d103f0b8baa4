"""Posting on PostgreSQL against django-hordak, the usual ledger of Django programs.

It gets what suits it best here: eight threads, accounts chosen at random, connections that stay
open. Ours are 32 callers on random accounts, on the same server in turns. Its packages are the ones
of `requirements-peers.txt`, installed into `.venv-peers`, an environment of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from benchmarks.callers import run
from benchmarks.places import a_place, on_postgres, opened
from benchmarks.results import Row, Size
from benchmarks.turns import Plan, take
from tests.infrastructure.postgres import Server
from timebank.config import Settings

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers"
WANTED = ROOT / "benchmarks" / "requirements-peers.txt"
THREADS = 8


def rows(size: Size) -> Iterator[Row]:
    """Ours and django-hordak's."""
    python = environment()
    with on_postgres() as (server, settings):
        yield from run(lambda: _measured(settings, size, Hordak(python, server)))


def environment() -> Path:
    """The Python of the peers' environment, made anew when their requirements changed."""
    python, stamp = PEERS / "bin" / "python", PEERS / "stamp"
    wanted = hashlib.sha256(WANTED.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="ascii") != wanted:
        shutil.rmtree(PEERS, ignore_errors=True)
        uv = [sys.executable, "-m", "uv"]
        what = ["--python", str(python), "--require-hashes", "-r", str(WANTED)]
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(PEERS)], check=True)
        subprocess.run([*uv, "pip", "install", "-q", *what], check=True)
        stamp.write_text(wanted, encoding="ascii")
    return python


class Hordak:
    """The peer's program and its database, and how many transfers it acknowledged."""

    def __init__(self, python: Path, server: Server) -> None:
        self._python = python
        self._server = server
        self.acknowledged = 0

    async def prepare(self, accounts: int) -> None:
        """Its database and its accounts."""
        await self._server.create_database("hordak")
        await self._call("prepare", str(accounts))

    async def posted(self, seconds: float) -> float:
        """Its eight threads transfer; transfers a second."""
        found = await self._call("run", str(THREADS), str(seconds))
        self.acknowledged += found["count"] + found["warm_up"]
        return float(found["count"] / found["seconds"])

    async def sound(self) -> bool:
        """Whether it holds what it acknowledged, and its legs sum to zero."""
        found = await self._call("count")
        wanted = (self.acknowledged, 2 * self.acknowledged, 0.0)
        return (found["transactions"], found["legs"], float(found["sum"])) == wanted

    async def _call(self, act: str, *numbers: str) -> dict[str, Any]:
        host = str(make_url(self._server.address).query["host"])
        database = {"NAME": "hordak", "USER": "postgres", "HOST": host, "CONN_MAX_AGE": None}
        program = Path(__file__).with_name("hordak_peer.py")
        done = await asyncio.to_thread(
            subprocess.run,
            [str(self._python), "-I", str(program), act, json.dumps(database), *numbers],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


async def _measured(settings: Settings, size: Size, hordak: Hordak) -> list[Row]:
    async with opened(settings) as (db, ledger):
        accounts = size.of(20, 500, 500)
        place = await a_place(db, accounts)
        await hordak.prepare(accounts)
        ours = place.side(ledger, 32, hot=False)
        found = await take(Plan.of(size), {"django-hordak": hordak.posted, "ours": ours})
        sound = await place.sound() and await hordak.sound()
    name = f"32 callers, random accounts ÷ django-hordak, {THREADS} threads"
    return [found.row(name, "ours", "django-hordak", goal=12, sound=sound)]
