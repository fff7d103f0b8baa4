"""What was kept is kept: hostile statements on the program's own connection are refused.

As if somebody had smuggled SQL in. Both databases refuse by triggers, and nothing changes.
"""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import AccountKind
from ledger.sql import guards, read, store
from ledger.sql.verify import verify
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, HERE, NOON, after, entry

GIVE = entry(1, (ANA, BEN, 90), (BEN, CAT, 30))

HOSTILE = [
    "UPDATE transfer SET minutes = 1",
    "UPDATE transfer SET minutes = minutes",
    "UPDATE transfer SET occurred_on = occurred_on WHERE seq = 1",
    "UPDATE transfer SET commitment = hash",
    "UPDATE transfer SET reverses_id = NULL",
    "UPDATE transfer SET source_id = destination_id, destination_id = source_id",
    "DELETE FROM transfer",
    "DELETE FROM transfer WHERE seq = 2",
    "WITH worst AS (SELECT max(seq) AS seq FROM transfer) "
    "DELETE FROM transfer WHERE seq IN (SELECT seq FROM worst)",
    "INSERT INTO transfer SELECT * FROM transfer",
    "INSERT INTO transfer SELECT * FROM transfer WHERE true "
    "ON CONFLICT (community_id, seq) DO UPDATE SET minutes = 1",
    "DELETE FROM account",
    "UPDATE account SET balance = 0",
    "UPDATE account SET balance = balance + 60",
    "UPDATE account SET lines = lines - 1",
    "UPDATE account SET kind = 'clearing'",
    "UPDATE account SET opened_at = closed_at",
    "UPDATE account SET kind = 'bank'",
    "UPDATE account SET id = community_id WHERE balance = 0",
    "DELETE FROM journal",
    "UPDATE journal SET seq = seq - 1",
    "UPDATE journal SET seq = 0",
    "UPDATE journal SET hash = (SELECT previous FROM transfer WHERE seq = 1)",
    "INSERT INTO journal SELECT * FROM journal",
    "INSERT INTO account SELECT * FROM account",
]

HOSTILE_ON_POSTGRES = [
    "TRUNCATE transfer",
    "TRUNCATE account CASCADE",
    "TRUNCATE journal, account, transfer",
    "MERGE INTO transfer AS t USING transfer AS o ON t.seq = o.seq "
    "WHEN MATCHED THEN UPDATE SET minutes = 1",
    "UPDATE journal SET posted_at = posted_at - interval '1 day'",
]

HOSTILE_ON_SQLITE = [
    "REPLACE INTO transfer SELECT * FROM transfer",
    "INSERT OR REPLACE INTO transfer SELECT * FROM transfer WHERE seq = 1",
    "UPDATE OR REPLACE transfer SET seq = 1 WHERE seq = 2",
    "UPDATE OR IGNORE transfer SET minutes = 5",
    "REPLACE INTO account SELECT * FROM account",
    "REPLACE INTO account SELECT community_id, id, kind, 0, lines, floor, opened_at, closed_at "
    "FROM account",
    "REPLACE INTO journal SELECT community_id, 0, hash, posted_at FROM journal",
    "UPDATE journal SET posted_at = posted_at - 1",
    "INSERT INTO transfer SELECT community_id, entry_id, position + 10, 'x', source_id, "
    "destination_id, minutes, occurred_on, posted_at, source_line + 10, source_balance, "
    "destination_line + 10, destination_balance, reverses_id, commitment, previous, hash "
    "FROM transfer",
]

# Each takes the place of another row by one unique key alone, all others being free.
REPLACING = {
    "its number": "community_id, randomblob(16), 1, seq, source_id, destination_id, minutes, "
    "occurred_on, posted_at, source_line + 50, source_balance, destination_line + 50",
    "its place in the entry": "community_id, entry_id, position, seq + 50, source_id, "
    "destination_id, minutes, occurred_on, posted_at, source_line + 50, source_balance, "
    "destination_line + 50",
    "the source's line": "community_id, randomblob(16), 1, seq + 50, source_id, destination_id, "
    "minutes, occurred_on, posted_at, source_line, source_balance, destination_line + 50",
    "the destination's line": "community_id, randomblob(16), 1, seq + 50, source_id, "
    "destination_id, minutes, occurred_on, posted_at, source_line + 50, source_balance, "
    "destination_line",
}


@pytest.fixture
def engine(owners_engine: AsyncEngine) -> AsyncEngine:
    """Whoever owns the tables: the guards alone have to hold."""
    return owners_engine


async def with_a_posting(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await store.open_journal(conn, HERE, NOON)
        for account in (ANA, BEN, CAT, COMMONS):
            await store.open_account(conn, HERE, account, AccountKind.MEMBER, NOON)
        await store.post(conn, HERE, [GIVE], after(1))


async def digest(engine: AsyncEngine) -> list[object]:
    """All that the three tables hold."""
    async with engine.connect() as conn:
        tables = ("journal", "account", "transfer")
        return [
            sorted(map(tuple, await conn.execute(text(f"SELECT * FROM {table}"))), key=repr)
            for table in tables
        ]


async def refused(engine: AsyncEngine, statement: str, error: type[DBAPIError]) -> None:
    before = await digest(engine)
    with pytest.raises(error):
        async with engine.begin() as conn:
            await conn.exec_driver_sql(statement)
    assert await digest(engine) == before, statement


async def test_hostile_statements_are_refused_and_change_nothing(engine: AsyncEngine) -> None:
    await with_a_posting(engine)
    own = HOSTILE_ON_SQLITE if engine.dialect.name == "sqlite" else HOSTILE_ON_POSTGRES
    for statement in HOSTILE + own:
        await refused(engine, statement, DBAPIError)


async def test_the_database_says_that_rows_are_kept(engine: AsyncEngine) -> None:
    await with_a_posting(engine)
    for statement in ("UPDATE transfer SET minutes = 1", "DELETE FROM transfer"):
        with pytest.raises(IntegrityError, match="transfer is kept as it was written"):
            async with engine.begin() as conn:
                await conn.exec_driver_sql(statement)


@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
async def test_sqlite_cannot_replace_a_transfer_by_any_of_its_keys(
    on_sqlite: AsyncEngine, recursive_triggers: str
) -> None:
    await with_a_posting(on_sqlite)
    before = await digest(on_sqlite)
    rest = "destination_balance, reverses_id, commitment, previous, hash FROM transfer"
    for verb in ("REPLACE INTO", "INSERT OR REPLACE INTO"):
        for columns in REPLACING.values():
            async with on_sqlite.connect() as conn:
                await _pragma(conn, recursive_triggers)
                with pytest.raises(IntegrityError, match="INSERT refused"):
                    await conn.exec_driver_sql(f"{verb} transfer SELECT {columns}, {rest}")
                await conn.rollback()
    assert await digest(on_sqlite) == before


async def _pragma(conn: AsyncConnection, recursive_triggers: str) -> None:
    await conn.exec_driver_sql(f"PRAGMA recursive_triggers = {recursive_triggers}")


@pytest.mark.parametrize("verb", ["INSERT", "REPLACE"])
async def test_the_database_itself_refuses_a_second_reversal(
    engine: AsyncEngine, verb: str
) -> None:
    if verb == "REPLACE" and engine.dialect.name == "postgresql":
        verb = "INSERT"  # PostgreSQL has no REPLACE
    await with_a_posting(engine)
    async with engine.begin() as conn:
        undo = GIVE.reversal(entry(2).id, DAY, bytes(32))
        await store.post(conn, HERE, [undo], after(2))
    second = (
        f"{verb} INTO transfer SELECT community_id, community_id, position, seq + 50, source_id, "
        "destination_id, minutes, occurred_on, posted_at, source_line + 50, source_balance, "
        "destination_line + 50, destination_balance, reverses_id, commitment, previous, hash "
        "FROM transfer WHERE seq = 3"
    )
    await refused(engine, second, IntegrityError)


async def test_a_transfer_needs_two_accounts_of_its_community(engine: AsyncEngine) -> None:
    await with_a_posting(engine)
    for column in ("source_id", "destination_id"):
        other = "destination_id" if column == "source_id" else "source_id"
        ends = (
            "community_id, destination_id" if column == "source_id" else "source_id, community_id"
        )
        strange = (
            "INSERT INTO transfer "
            f"SELECT community_id, community_id, 1, seq + 50, {ends}, minutes, occurred_on, "
            " posted_at, source_line + 50, source_balance, destination_line + 50, "
            "destination_balance, reverses_id, commitment, previous, hash FROM transfer "
            "WHERE seq = 1"
        )
        await refused(engine, strange, IntegrityError)
        same = strange.replace(ends, f"{other}, {other}")
        await refused(engine, same, IntegrityError)


async def test_honest_work_goes_on(engine: AsyncEngine) -> None:
    await with_a_posting(engine)
    for statement in HOSTILE[:3]:
        await refused(engine, statement, DBAPIError)
    async with engine.begin() as conn:
        await store.close_account(conn, HERE, CAT, after(2))
        await store.reopen_account(conn, HERE, CAT)
        await store.post(conn, HERE, [entry(5, (ANA, CAT, 5))], after(3))
    async with engine.connect() as conn:
        assert (await verify(conn, HERE)).sound


async def test_other_tables_can_be_kept_in_the_same_way(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.exec_driver_sql(
            "CREATE TABLE note (id INTEGER PRIMARY KEY, name TEXT UNIQUE, words TEXT)"
        )
        for statement in guards.append_only(
            "note", [("id",), ("name",)], dialect=engine.dialect.name, frozen=["id", "name"]
        ):
            await conn.exec_driver_sql(statement)
        await conn.exec_driver_sql("INSERT INTO note VALUES (1, 'a', 'soup')")
    refusals = ["UPDATE note SET name = 'b'", "UPDATE note SET id = 2", "DELETE FROM note"]
    if engine.dialect.name == "sqlite":
        refusals += [
            "REPLACE INTO note VALUES (1, 'b', '')",
            "REPLACE INTO note VALUES (2, 'a', '')",
        ]
    else:
        refusals += ["TRUNCATE note"]
    for statement in refusals:
        with pytest.raises(IntegrityError, match="note is kept"):
            async with engine.begin() as conn:
                await conn.exec_driver_sql(statement)
    async with engine.begin() as conn:
        await conn.exec_driver_sql("UPDATE note SET words = ''")
        assert list(await conn.exec_driver_sql("SELECT * FROM note")) == [(1, "a", "")]


async def test_a_journal_and_an_account_are_opened_once(engine: AsyncEngine) -> None:
    await with_a_posting(engine)
    with pytest.raises(IntegrityError):
        async with engine.begin() as conn:
            await store.open_journal(conn, HERE, NOON)
    with pytest.raises(IntegrityError):
        async with engine.begin() as conn:
            await store.open_account(conn, HERE, ANA, AccountKind.COMMONS, NOON)
    async with engine.connect() as conn:
        assert (await read.head(conn, HERE)).seq == 2
