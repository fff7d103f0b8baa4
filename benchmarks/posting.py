"""Posting on PostgreSQL: against one function call a transfer, and against pgbench.

All sides work on the same server in turns. Ours is `Ledger.post`: single transfers under fresh
ids (UUID version 7), with the hash chain, foreign keys, triggers and idempotency on, and every
answer after the commit has reached the disk. A caller is an asyncio task in a closed loop, its
entries made in advance; all callers share one process, and the machine with PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import pgbench
from benchmarks.callers import run
from benchmarks.one_call import OneCall
from benchmarks.places import Place, a_place, execute, on_postgres, opened
from benchmarks.results import Row, Size
from benchmarks.turns import Measured, Plan, Side, take
from ledger.sql import Ledger
from tests.infrastructure.postgres import Server
from timebank.config import Settings

_MOST = 10_000  # entries a second made in advance for the peer


def rows(size: Size) -> Iterator[Row]:
    """Hot and random accounts, many callers and one, against both peers."""
    with on_postgres() as (server, settings):
        yield from run(lambda: _measured(server, settings, size))


async def _measured(server: Server, settings: Settings, size: Size) -> list[Row]:
    async with opened(settings) as (db, ledger):
        place = await a_place(db, size.of(20, 10_000, 10_000))
        peer = await OneCall.open(server, (place.id, *place.members), 32)
        await pgbench.prepare(server, size.of(1, 10, 10))
        await execute(server, "CHECKPOINT")
        found = await take(Plan.of(size), _sides(server, ledger, place, peer))
        sound = await place.sound() and await peer.sound()
        await peer.close()
    return _rows(found, sound)


def _sides(server: Server, ledger: Ledger, place: Place, peer: OneCall) -> dict[str, Side]:
    def one_call(callers: int, *, hot: bool) -> Side:
        async def side(seconds: float) -> float:
            entries = place.entries(round(_MOST * seconds), hot=hot)
            return (await peer.posted(callers, entries, seconds)).rate

        return side

    def simple_update(protocol: str) -> Side:
        async def side(seconds: float) -> float:
            return await pgbench.simple_update(server, 32, seconds, protocol)

        return side

    return {
        "one call, hot": one_call(32, hot=True),
        "hot": place.side(ledger, 32, hot=True),
        "one call, random": one_call(32, hot=False),
        "random": place.side(ledger, 32, hot=False),
        "pgbench": simple_update("simple"),
        "128": place.side(ledger, 128, hot=False),
        "pgbench, prepared": simple_update("prepared"),
        "one call, alone": one_call(1, hot=False),
        "alone": place.side(ledger, 1, hot=False),
    }


def _rows(found: Measured, sound: bool) -> list[Row]:
    def row(name: str, ours: str, peer: str, goal: float | None) -> Row:
        return found.row(name, ours, peer, goal=goal, sound=sound)

    return [
        row("32 callers, one hot account ÷ one SQL call a transfer", "hot", "one call, hot", 8),
        row("32 callers, random accounts ÷ the same", "random", "one call, random", 2.5),
        row("32 callers, one hot account ÷ random accounts", "hot", "random", 0.9),
        row("one caller alone ÷ one SQL call a transfer, alone", "alone", "one call, alone", 0.9),
        row("32 callers ÷ pgbench simple-update, 32 connections", "random", "pgbench", 1.0),
        row("128 callers ÷ pgbench simple-update, 32 connections", "128", "pgbench", 1.5),
        row(
            "128 callers ÷ pgbench simple-update, 32 connections, prepared statements",
            "128",
            "pgbench, prepared",
            None,
        ),
    ]
