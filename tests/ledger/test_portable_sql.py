"""Our tables and statements keep to what Citus, YugabyteDB and CockroachDB accept as well.

The rules stand in `portable.py`. They are compared with what is really sent: the statements of all
migrations, and those of recording, posting and undoing, as the driver sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    Uuid,
    event,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from ledger import AccountKind, Posted
from ledger.sql import Ledger, metadata, store
from tests.infrastructure.postgres import Server
from tests.ledger.making import ANA, BEN, HERE, NOON, entry
from tests.ledger.portable import (
    EXTRAS,
    NOT_BY_COMMUNITY,
    TENANT,
    objections,
    objections_on_the_way,
    objections_to_table,
)
from tests.timebank.scenes import helped, mill_road
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database

ROOT = Path(__file__).parents[2]
_POSTGRES: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
TENANT_TABLES = sorted(set(metadata.tables) - set(NOT_BY_COMMUNITY))

assert migrate, "imported, so that every table is in the metadata"


# ── What we have ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_the_community_leads_every_key_of_its_tables(name: str) -> None:
    assert list(objections_to_table(metadata.tables[name])) == []


def test_every_exception_is_a_table_and_has_a_reason() -> None:
    assert set(NOT_BY_COMMUNITY) < set(metadata.tables)
    assert all(NOT_BY_COMMUNITY.values())
    assert all(EXTRAS.values())


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_table_and_index_is_made_in_words_that_all_three_take(name: str) -> None:
    table = metadata.tables[name]
    made: list[ExecutableDDLElement] = [CreateTable(table), *map(CreateIndex, table.indexes)]
    for one in made:
        assert objections(str(one.compile(dialect=_POSTGRES))) == []


async def test_every_statement_of_the_migrations_is_one_that_all_three_take_or_an_extra(
    postgres_server: Server,
) -> None:
    name = "portable_migrations"
    engine = create_async_engine(await postgres_server.create_database(name))
    sent: list[str] = []

    def run(connection: Connection) -> None:
        config = Config(attributes={"connection": connection, "metadata": metadata})
        config.set_main_option("script_location", str(ROOT / "migrations"))
        with _heard(engine.sync_engine, sent):
            command.upgrade(config, "head")

    try:
        async with engine.begin() as conn:
            await conn.run_sync(run)
    finally:
        await engine.dispose()
        await postgres_server.drop_database(name)
    ours = [statement for statement in sent if "pg_catalog" not in statement]
    assert sum("CREATE TABLE" in statement for statement in ours) > len(TENANT_TABLES)
    assert [found for statement in ours for found in objections(statement)] == []


@contextmanager
def _heard(engine: Any, sent: list[str]) -> Iterator[None]:
    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)


@asynccontextmanager
async def overheard(settings: Settings) -> AsyncIterator[tuple[Database, list[str]]]:
    """The program's database, and every statement that its driver sends."""
    sent: list[str] = []
    db = Database(settings)

    def listen(connection: Any, _record: object) -> None:
        connection.driver_connection.add_query_logger(lambda query: sent.append(query.query))

    for engine in db.engines:
        event.listen(engine.sync_engine, "connect", listen)
    try:
        yield db, sent
    finally:
        await db.stop()
        await asyncio.sleep(0)


async def test_the_ledger_posts_in_words_that_all_three_take(postgres_settings: Settings) -> None:
    async with overheard(postgres_settings) as (db, sent):
        async with db.write(HERE) as conn:
            await store.open_journal(conn, HERE, NOON)
            for account in (ANA, BEN):
                await store.open_account(conn, HERE, account, AccountKind.MEMBER, NOON)
            await store.close_account(conn, HERE, BEN, NOON)
            await store.reopen_account(conn, HERE, BEN)
        ledger = Ledger(db.posting)
        for number in (1, 2, 3, 3):  # looked up, guessed, guessed, and found to be there
            assert isinstance(await ledger.post(HERE, entry(number, (ANA, BEN, 5)), NOON), Posted)
        back = entry(4, (BEN, ANA, 5), reverses=entry(3).id)
        assert isinstance(await ledger.post(HERE, back, NOON), Posted)
        async with db.write(HERE) as conn:
            await store.post(conn, HERE, [entry(5, (ANA, BEN, 5))], NOON)
    _assert_portable(sent, {"journal", "account", "transfer"})


async def test_the_door_posts_in_words_that_all_three_take(postgres_settings: Settings) -> None:
    async with overheard(postgres_settings) as (db, sent):
        place = await mill_road(db)
        recorded = [await place.record(helped(place.ana, place.bert), place.ana) for _ in range(3)]
        sent.clear()
        for one in recorded:
            await place.approve(one)
        await place.approve(recorded[0])
        await place.undo(recorded[0])
    _assert_portable(sent, {"journal", "account", "transfer", "entry", "step", "tally"})


def _assert_portable(sent: list[str], tables: set[str]) -> None:
    everything = " ".join(sent)
    for table in tables:
        assert f" {table}" in everything, f"nothing about {table} was overheard"
    found = {fault for one in sent for fault in objections_on_the_way(one, TENANT_TABLES)}
    assert not found


# ── That each rule can fail ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE TABLE t (id bigserial PRIMARY KEY)",
        "CREATE TABLE t (id SERIAL)",
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY)",
        "CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY)",
        "CREATE SEQUENCE numbers",
        "SELECT nextval('numbers')",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u DEFERRABLE INITIALLY DEFERRED",
        "SET CONSTRAINTS ALL DEFERRED",
        "ALTER TABLE t ADD EXCLUDE USING gist (period WITH &&)",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_try_advisory_lock(1)",
        "LISTEN posted",
        "NOTIFY posted",
        "SELECT pg_notify('posted', '')",
        "LOCK TABLE account IN EXCLUSIVE MODE",
        "SELECT 1 WHERE EXISTS (SELECT FROM account)",
        "MERGE INTO account USING moved ON true WHEN MATCHED THEN DELETE",
        "SELECT ctid FROM account",
        "CREATE TEMPORARY TABLE t (id uuid)",
        "CREATE EXTENSION pgcrypto",
        "CREATE FUNCTION post() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
        "DO $$ BEGIN END $$",
        "CALL post()",
        "CREATE CONSTRAINT TRIGGER summed AFTER INSERT ON transfer DEFERRABLE",
        "CREATE TRIGGER summed AFTER INSERT ON transfer EXECUTE FUNCTION add_up()",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ],
)
def test_what_one_of_the_three_would_refuse_is_found(planted: str) -> None:
    assert objections(planted)


@pytest.mark.parametrize(
    "planted",
    [
        "SELECT balance FROM account WHERE id = $1",
        "UPDATE account SET balance = 0 WHERE id = $1",
        "INSERT INTO transfer (id, minutes) VALUES ($1, $2)",
        "DELETE FROM tally",
        "SELECT 1 FROM entry JOIN part ON part.entry_id = entry.id WHERE entry.community_id = $1",
        "SELECT 1 FROM account WHERE community_id = $1 UNION SELECT 1 FROM transfer",
        "WITH one AS (UPDATE account SET lines = 0) SELECT 1",
        "CREATE POLICY p ON account USING (true)",
        "CREATE TRIGGER t BEFORE UPDATE ON account EXECUTE FUNCTION refuse_change()",
    ],
)
def test_a_posting_statement_that_does_not_name_its_community_is_found(planted: str) -> None:
    assert objections_on_the_way(planted, TENANT_TABLES)


@pytest.mark.parametrize(
    "fine",
    [
        "SELECT balance FROM account WHERE community_id = $1 AND id = ANY($2) FOR NO KEY UPDATE",
        "INSERT INTO transfer (community_id, seq) SELECT $1, * FROM unnest($2::bigint[])",
        "SELECT note FROM entry WHERE entry.community_id = $1 AND note = 'LISTEN, notify me'",
        "UPDATE journal SET seq = 2 WHERE community_id = $1 RETURNING seq",
        "BEGIN ISOLATION LEVEL READ COMMITTED",
    ],
)
def test_what_all_three_take_is_let_pass(fine: str) -> None:
    assert objections_on_the_way(fine, TENANT_TABLES) == []


def _table(*parts: Any, community: bool = True) -> Table:
    planted = MetaData()
    Table("account", planted, Column(TENANT, Uuid, primary_key=True), Column("id", Uuid))
    first = [Column(TENANT, Uuid, nullable=False, primary_key=True)] if community else []
    return Table("planted", planted, *first, *parts)


@pytest.mark.parametrize(
    "planted",
    [
        _table(Column("id", Uuid, primary_key=True), community=False),
        _table(Column(TENANT, Uuid, primary_key=True, nullable=True), community=False),
        _table(
            Column("id", Uuid, primary_key=True),
            Column(TENANT, Uuid, primary_key=True),
            community=False,
        ),
        _table(Column("name", Integer), UniqueConstraint("name")),
        _table(Column("name", Integer), UniqueConstraint("name", TENANT)),
        _table(Column("name", Integer), Index("one_name", "name", unique=True)),
        _table(Column("of", Uuid), ForeignKeyConstraint(["of"], ["account.id"])),
        _table(
            Column("of", Uuid),
            ForeignKeyConstraint(["of", TENANT], ["account.id", "account.community_id"]),
        ),
        _table(
            Column("of", Uuid),
            ForeignKeyConstraint(
                [TENANT, "of"], ["account.community_id", "account.id"], deferrable=True
            ),
        ),
    ],
)
def test_a_key_that_the_community_does_not_lead_is_found(planted: Table) -> None:
    assert list(objections_to_table(planted))


def test_keys_that_the_community_leads_are_let_pass() -> None:
    planted = _table(
        Column("name", Integer),
        Column("of", Uuid),
        UniqueConstraint(TENANT, "name"),
        Index("by_name", "name"),
        ForeignKeyConstraint([TENANT, "of"], ["account.community_id", "account.id"]),
    )
    assert list(objections_to_table(planted)) == []
