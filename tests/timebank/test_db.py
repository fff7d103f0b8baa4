"""The database keeps what it acknowledges, and refuses to start where it could not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.infrastructure.by_hand import by_hand
from tests.timebank.factories import a_community, a_member, at
from timebank.communities import communities
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database, SchemaMismatch, sqlite_is_worn
from timebank.people import people, throttles


async def _note(conn: AsyncConnection, key: str) -> None:
    await conn.execute(insert(throttles).values(key=key, failures=1, last_at=at().at))


async def _noted(db: Database) -> set[str]:
    async with db.read(EVERYWHERE) as conn:
        return set((await conn.execute(select(throttles.c.key))).scalars())


async def test_leaving_a_write_block_commits_and_raising_rolls_back(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        await _note(conn, "kept")

    async def fail() -> None:
        async with db.write(EVERYWHERE) as conn:
            await _note(conn, "lost")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await _noted(db) == {"kept"}


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(DBAPIError):
        async with db.read(EVERYWHERE) as conn:
            await _note(conn, "smuggled")
    assert await _noted(db) == set()


async def test_a_reader_sees_nothing_of_an_open_write(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        await _note(conn, "not yet")
        assert await _noted(db) == set()
    assert await _noted(db) == {"not yet"}


async def test_a_hundred_writers_all_get_their_turn(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.write(EVERYWHERE) as conn:
            await _note(conn, str(number))

    await asyncio.gather(*(write(number) for number in range(100)))
    assert await _noted(db) == {str(number) for number in range(100)}


async def test_waiting_writers_on_sqlite_come_in_the_order_they_asked(
    sqlite_settings: Settings,
) -> None:
    db = Database(sqlite_settings)
    order: list[int] = []

    async def write(number: int) -> None:
        async with db.write(EVERYWHERE):
            order.append(number)
            await asyncio.sleep(0)

    try:
        await asyncio.gather(*(write(number) for number in range(20)))
    finally:
        await db.stop()
    assert order == list(range(20))


@pytest.mark.parametrize("patience", [0.0, 0.0005, 0.001, 0.002, 0.004, 0.008])
async def test_a_client_who_goes_away_leaves_a_whole_write_or_none(
    db: Database, patience: float
) -> None:
    async def write(number: int) -> None:
        async with db.write(EVERYWHERE) as conn:
            await _note(conn, f"{number} first")
            await _note(conn, f"{number} second")

    for number in range(25):
        with suppress(TimeoutError):  # some are quicker than the client's patience
            await asyncio.wait_for(write(number), patience)
    noted = await _noted(db)
    firsts = {key.split()[0] for key in noted if key.endswith("first")}
    assert firsts == {key.split()[0] for key in noted if key.endswith("second")}
    async with asyncio.timeout(5):  # and no connection was lost on the way
        await asyncio.gather(*(write(1000 + number) for number in range(25)))
    assert len(await _noted(db)) == len(noted) + 50


async def test_clients_who_go_away_while_reading_take_no_connection_with_them(
    db: Database,
) -> None:
    async def read_slowly() -> None:
        async with db.read(EVERYWHERE) as conn:
            await conn.execute(select(people))
            await asyncio.sleep(1)

    for _ in range(60):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read_slowly(), 0.001)
    async with asyncio.timeout(5):
        assert await _noted(db) == set()


async def test_sqlite_is_told_to_forget_nothing(sqlite_settings: Settings) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 10000,
    }
    db = Database(sqlite_settings)
    await db.start()
    try:
        for block, only_reads in ((db.write, 0), (db.read, 1)):
            async with block(EVERYWHERE) as conn:
                for name, value in (wanted | {"query_only": only_reads}).items():
                    assert (await conn.execute(text(f"PRAGMA {name}"))).scalar_one() == value
        async with db.read(EVERYWHERE) as conn:  # only the writer moves the log into the file
            assert (await conn.execute(text("PRAGMA wal_autocheckpoint"))).scalar_one() == 0
    finally:
        await db.stop()


async def test_postgres_gives_up_on_statements_and_locks_that_take_too_long(
    postgres_settings: Settings,
) -> None:
    db = Database(postgres_settings)
    await db.start()
    try:
        async with db.write(EVERYWHERE) as conn:
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            ):
                value = (await conn.execute(text(f"SHOW {name}"))).scalar_one()
                assert value not in ("0", ""), name
            assert (await conn.execute(text("SHOW timezone"))).scalar_one() == "UTC"
    finally:
        await db.stop()


async def test_a_row_that_points_nowhere_is_refused(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
    with pytest.raises(IntegrityError):
        async with db.write(EVERYWHERE) as conn:
            await a_member(conn, community.id, invited_by=at().new_id())


@pytest.mark.parametrize(
    "where", ["migrated by a newer program", "migrated by an older one", "empty"]
)
async def test_a_schema_that_is_not_ours_is_refused(db_settings: Settings, where: str) -> None:
    statement = {
        "migrated by a newer program": "UPDATE alembic_version SET version_num = '9999'",
        "migrated by an older one": "UPDATE alembic_version SET version_num = '0001'",
        "empty": "DELETE FROM alembic_version",
    }[where]
    db = Database(db_settings)
    try:
        async with by_hand(db_settings) as conn:
            await conn.execute(text(statement))
        with pytest.raises(SchemaMismatch, match="timebank migrate"):
            await db.start()
    finally:
        await db.stop()


async def test_nothing_is_lost_when_the_database_is_opened_again(db_settings: Settings) -> None:
    first = Database(db_settings)
    await first.start()
    async with first.write(EVERYWHERE) as conn:
        await a_community(conn)
    await first.stop()
    second = Database(db_settings)
    await second.start()
    async with second.read(EVERYWHERE) as conn:
        query = select(func.count()).select_from(communities)
        assert (await conn.execute(query)).scalar_one() == 1
    await second.stop()


@pytest.mark.parametrize(
    ("version", "worn"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_sqlite_versions_with_the_fault_in_the_log_are_known(
    version: tuple[int, int, int], worn: bool
) -> None:
    assert sqlite_is_worn(version) is worn


async def test_a_worn_sqlite_is_named_once(
    sqlite_settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    db = Database(sqlite_settings)
    with caplog.at_level(logging.WARNING, "timebank.db"):
        await db.start()
        await db.stop()
    assert len([record for record in caplog.records if record.name == "timebank.db"]) == 1
