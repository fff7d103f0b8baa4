"""As if somebody had smuggled SQL in: on the program's own connection the books do not change.

Each statement runs in a transaction of the program, with the program's rights, and is committed if
the database lets it through. Most have to be refused; a few are let through and do nothing. What
the books hold, the schema, the guards and the roles are compared after each of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from tests.conftest import OWNER, PROGRAM
from tests.infrastructure.by_hand import by_hand
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import books
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database

REFUSED = [
    # The journal is read and added to.
    "UPDATE transfer SET minutes = 1",
    "UPDATE transfer SET minutes = minutes",
    "UPDATE transfer SET occurred_on = occurred_on WHERE seq = 1",
    "UPDATE transfer SET commitment = hash",
    "UPDATE transfer SET reverses_id = NULL",
    "UPDATE transfer SET source_id = destination_id, destination_id = source_id",
    "UPDATE transfer SET community_id = community_id",
    "UPDATE transfer SET minutes = 5 FROM account WHERE account.id = transfer.source_id",
    "DELETE FROM transfer",
    "DELETE FROM transfer WHERE seq = 1",
    "WITH last AS (SELECT max(seq) AS seq FROM transfer) "
    "DELETE FROM transfer WHERE seq IN (SELECT seq FROM last)",
    "DELETE FROM transfer RETURNING *",
    "INSERT INTO transfer SELECT * FROM transfer",
    "INSERT INTO transfer SELECT * FROM transfer WHERE true "
    "ON CONFLICT (community_id, seq) DO UPDATE SET minutes = 1",
    "INSERT INTO transfer SELECT * FROM transfer WHERE true "
    "ON CONFLICT (community_id, entry_id, position) DO UPDATE SET hash = excluded.previous",
    # Its head and the accounts move forward, and nothing else about them changes.
    "DELETE FROM journal",
    "UPDATE journal SET seq = seq - 1",
    "UPDATE journal SET seq = 0, posted_at = posted_at",
    "UPDATE journal SET hash = (SELECT previous FROM transfer WHERE seq = 1)",
    "UPDATE journal SET community_id = community_id",
    "INSERT INTO journal SELECT * FROM journal",
    "INSERT INTO journal SELECT * FROM journal WHERE true "
    "ON CONFLICT (community_id) DO UPDATE SET seq = 0",
    "DELETE FROM account",
    "UPDATE account SET balance = 0",
    "UPDATE account SET balance = balance + 60",
    "UPDATE account SET lines = lines - 1",
    "UPDATE account SET kind = 'clearing'",
    "UPDATE account SET opened_at = opened_at",
    "UPDATE account SET id = community_id WHERE balance = 0",
    "UPDATE account SET community_id = community_id",
    "INSERT INTO account SELECT * FROM account",
    "INSERT INTO account SELECT * FROM account WHERE true "
    "ON CONFLICT (community_id, id) DO UPDATE SET balance = 0",
    # What was agreed, done and proved stays as it was written.
    "UPDATE audit SET action = 'nothing'",
    "DELETE FROM audit",
    "UPDATE agreement SET version = version",
    "DELETE FROM agreement",
    "UPDATE verification SET sound = sound",
    "UPDATE verification SET hash = NULL",
    "DELETE FROM verification",
    "UPDATE step SET kind = 'approved'",
    "UPDATE step SET words = 'something else'",
    "DELETE FROM step",
    "DELETE FROM entry",
    "DELETE FROM tally",
    "DELETE FROM member",
    "UPDATE community SET name = 'Ours now'",
    "DELETE FROM community",
    "UPDATE category SET name = 'Ours now'",
    "UPDATE alembic_version SET version_num = '9999'",
    "DELETE FROM alembic_version",
    "INSERT INTO alembic_version VALUES ('9999')",
    # Tables, indexes and views are the owner's business.
    "DROP TABLE transfer",
    "DROP TABLE audit",
    "DROP INDEX uq_transfer_reversed_once",
    "ALTER TABLE transfer RENAME TO forgotten",
    "ALTER TABLE transfer RENAME COLUMN minutes TO hours",
    "ALTER TABLE transfer ADD COLUMN price TEXT",
    "ALTER TABLE transfer DROP COLUMN commitment",
    "CREATE TABLE copied AS SELECT * FROM transfer",
    "CREATE TABLE other (id INTEGER)",
    "CREATE INDEX ix_other ON transfer (minutes)",
    "CREATE UNIQUE INDEX uq_other ON transfer (community_id)",
    "CREATE VIEW other AS SELECT * FROM transfer",
    "CREATE TEMPORARY TABLE transfer AS SELECT 1 AS minutes",
    "CREATE TEMPORARY VIEW account AS SELECT 0 AS balance",
]

REFUSED_BY_SQLITE = [
    "REPLACE INTO transfer SELECT * FROM transfer",
    "REPLACE INTO account SELECT * FROM account",
    "REPLACE INTO journal SELECT * FROM journal",
    "REPLACE INTO audit SELECT * FROM audit",
    "REPLACE INTO agreement SELECT * FROM agreement",
    "REPLACE INTO step SELECT * FROM step",
    "REPLACE INTO entry SELECT * FROM entry",
    "INSERT OR REPLACE INTO transfer SELECT * FROM transfer WHERE seq = 1",
    "INSERT OR REPLACE INTO journal SELECT community_id, 0, hash, posted_at FROM journal",
    "UPDATE OR REPLACE transfer SET seq = 1 WHERE seq = 2",
    "UPDATE OR IGNORE transfer SET minutes = 5",
    "UPDATE OR REPLACE account SET id = community_id",
    "DROP TRIGGER transfer_kept",
    "DROP TRIGGER transfer_unreplaced",
    "DROP TRIGGER audit_undeleted",
    "CREATE TRIGGER other AFTER INSERT ON outbox BEGIN DELETE FROM transfer; END",
    "CREATE TEMPORARY TRIGGER other AFTER INSERT ON main.outbox BEGIN DELETE FROM audit; END",
    "CREATE VIRTUAL TABLE other USING fts5(words)",
    "ATTACH DATABASE '{folder}/copied.sqlite' AS copied",
    "ATTACH DATABASE ':memory:' AS aside",
    "DETACH DATABASE main",
    "VACUUM",
    "VACUUM INTO '{folder}/copied.sqlite'",
    "REINDEX transfer",
    "ANALYZE",
    "PRAGMA writable_schema = 1",
    "PRAGMA recursive_triggers = OFF",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA ignore_check_constraints = ON",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA synchronous = OFF",
    "PRAGMA journal_mode = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA legacy_alter_table = ON",
    "PRAGMA schema_version = 1",
    "PRAGMA user_version = 1",
    "PRAGMA application_id = 1",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA mmap_size = 1000000",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA busy_timeout = 0",
    "PRAGMA optimize",
    "UPDATE sqlite_schema SET sql = '' WHERE type = 'trigger'",
    "DELETE FROM sqlite_schema WHERE type = 'trigger'",
    "INSERT INTO sqlite_schema VALUES ('table', 'other', 'other', 0, '')",
    "SELECT load_extension('other')",
]

REFUSED_BY_POSTGRES = [
    "TRUNCATE transfer",
    "TRUNCATE account CASCADE",
    "TRUNCATE journal, account, transfer, audit",
    "MERGE INTO transfer AS t USING transfer AS o ON t.seq = o.seq "
    "WHEN MATCHED THEN UPDATE SET minutes = 1",
    "MERGE INTO transfer AS t USING transfer AS o ON t.seq = o.seq WHEN MATCHED THEN DELETE",
    "SELECT * FROM transfer FOR UPDATE",
    "SELECT * FROM transfer FOR KEY SHARE",
    "LOCK TABLE transfer IN ACCESS EXCLUSIVE MODE",
    "EXPLAIN ANALYZE DELETE FROM transfer",
    "DO $$ BEGIN DELETE FROM transfer; END $$",
    "DO $$ BEGIN EXECUTE 'DROP TABLE transfer'; END $$",
    "WITH gone AS (DELETE FROM transfer RETURNING *) SELECT count(*) FROM gone",
    "UPDATE journal SET posted_at = posted_at - interval '1 day'",
    "ALTER TABLE transfer DISABLE TRIGGER ALL",
    "ALTER TABLE transfer DISABLE TRIGGER USER",
    "ALTER TABLE transfer DISABLE TRIGGER transfer_kept",
    "ALTER TABLE transfer ALTER COLUMN minutes TYPE integer",
    "ALTER TABLE transfer DROP CONSTRAINT ck_transfer_minutes",
    "ALTER TABLE transfer SET UNLOGGED",
    f"ALTER TABLE transfer OWNER TO {PROGRAM}",
    "ALTER TABLE transfer DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE transfer NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY transfer_of_the_community ON transfer",
    "ALTER POLICY transfer_of_the_community ON transfer USING (true)",
    "CREATE POLICY other ON transfer USING (true)",
    "DROP TRIGGER transfer_kept ON transfer",
    "CREATE TRIGGER other BEFORE INSERT ON transfer "
    "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE other AS ON INSERT TO transfer DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "CREATE FUNCTION other() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM transfer'",
    f"ALTER FUNCTION refuse_change() OWNER TO {PROGRAM}",
    "DROP FUNCTION refuse_change() CASCADE",
    "DROP SCHEMA public CASCADE",
    "CREATE SCHEMA other",
    "CREATE EXTENSION dblink",
    "SET session_replication_role = replica",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "SET LOCAL session_replication_role = replica",
    f"SET ROLE {OWNER}",
    "SET ROLE postgres",
    f"SET SESSION AUTHORIZATION {OWNER}",
    f"ALTER ROLE {PROGRAM} SUPERUSER",
    f"ALTER ROLE {PROGRAM} BYPASSRLS",
    f"ALTER ROLE {OWNER} PASSWORD 'ours'",
    f"GRANT {OWNER} TO {PROGRAM}",
    "GRANT pg_write_server_files TO CURRENT_USER",
    "CREATE ROLE other SUPERUSER",
    f"REASSIGN OWNED BY {OWNER} TO {PROGRAM}",
    f"DROP OWNED BY {OWNER}",
    "ALTER SYSTEM SET fsync = off",
    "SELECT pg_reload_conf()",
    "COPY transfer FROM PROGRAM 'true'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY transfer TO '{folder}/copied'",
    "COPY transfer FROM '/dev/null'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/hostname')",
    "UPDATE pg_class SET relrowsecurity = false",
    "DELETE FROM pg_trigger",
    "UPDATE pg_authid SET rolsuper = true",
    "CREATE PUBLICATION other FOR ALL TABLES",
    "REINDEX TABLE transfer",
    "CLUSTER transfer USING pk_transfer",
    "COMMENT ON TABLE transfer IS 'ours'",
    "VACUUM FULL transfer",
]

WITHOUT_EFFECT = [
    "SELECT * FROM transfer",
    "UPDATE account SET balance = 0 WHERE false AND id IS NULL",
]

WITHOUT_EFFECT_ON_SQLITE = [
    "INSERT OR IGNORE INTO alembic_version SELECT * FROM alembic_version WHERE false",
    "PRAGMA foreign_keys",
    "SELECT * FROM sqlite_schema",
]

WITHOUT_EFFECT_ON_POSTGRES = [
    f"GRANT UPDATE ON transfer TO {PROGRAM}",
    "REVOKE ALL ON transfer FROM PUBLIC",
    "PREPARE other AS DELETE FROM transfer",
    "SET CONSTRAINTS ALL DEFERRED",
    "SET LOCAL row_security = off",
    "SET LOCAL timebank.community = '*'",
    "SET LOCAL search_path = pg_temp",
    "SELECT setting FROM pg_settings",
]


@pytest.fixture
async def place(db: Database) -> MillRoad:
    """Mill Road with an hour given, an hour undone, and its books proved."""
    road = await mill_road(db)
    for _ in range(2):
        entry = await road.record(helped(road.ana, road.bert), road.ana)
        await road.approve(entry)
    await road.undo(entry)
    await road.assert_sound()
    return road


async def everything(settings: Settings) -> dict[str, list[str]]:
    """All rows, the whole schema, and what the roles may, as the owner sees them."""
    async with by_hand(settings) as conn:
        asked = {table.name: f"SELECT * FROM {table.name}" for table in metadata.sorted_tables}
        asked |= _SCHEMA_OF_SQLITE if conn.dialect.name == "sqlite" else _SCHEMA_OF_POSTGRES
        return {what: await _rows(conn, query) for what, query in asked.items()}


_SCHEMA_OF_SQLITE = {
    "schema": "SELECT type, name, tbl_name, sql FROM sqlite_schema",
    "version": "SELECT * FROM alembic_version",
    "user_version": "PRAGMA user_version",
    "journal_mode": "PRAGMA journal_mode",
}
_SCHEMA_OF_POSTGRES = {
    "version": "SELECT * FROM alembic_version",
    "tables": "SELECT oid, relname, relkind, relpersistence, relowner, relacl::text,"
    " relrowsecurity, relforcerowsecurity FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace",
    "columns": "SELECT attrelid, attname, atttypid, attacl::text FROM pg_attribute, pg_class"
    " WHERE attrelid = pg_class.oid AND relnamespace = 'public'::regnamespace",
    "constraints": "SELECT conrelid, conname FROM pg_constraint",
    "triggers": "SELECT tgrelid, tgname, tgenabled FROM pg_trigger",
    "rules": "SELECT * FROM pg_rules",
    "policies": "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies",
    "functions": "SELECT proname, prosrc, proowner FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace",
    "roles": "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles",
    "members": "SELECT roleid, member FROM pg_auth_members",
    "schemas": "SELECT nspname, nspowner, nspacl::text FROM pg_namespace"
    " WHERE nspname !~ '^pg_(toast_)?temp'",
    "comments": "SELECT description FROM pg_description WHERE objoid = 'transfer'::regclass",
}


async def _rows(conn: AsyncConnection, query: str) -> list[str]:
    return sorted(repr(tuple(row)) for row in (await conn.exec_driver_sql(query)).all())


async def let_through(place: MillRoad, statement: str) -> bool:
    """Whether the database takes a statement of the program, in a transaction that is committed."""
    try:
        async with place.db.write(place.id) as conn:
            await conn.exec_driver_sql(statement)
    except DBAPIError:
        return False
    return True


async def test_hostile_statements_on_the_program_s_own_connection_change_nothing(
    place: MillRoad, tmp_path: Path
) -> None:
    sqlite = place.db.is_sqlite
    refused = REFUSED + (REFUSED_BY_SQLITE if sqlite else REFUSED_BY_POSTGRES)
    idle = WITHOUT_EFFECT + (WITHOUT_EFFECT_ON_SQLITE if sqlite else WITHOUT_EFFECT_ON_POSTGRES)
    assert len(refused) > 60
    folder = tmp_path / "stolen"
    folder.mkdir(mode=0o777)
    before = await everything(place.db.settings)
    assert all(before[name] for name in ("transfer", "account", "journal", "audit", "step"))
    taken, changed = [], []
    for statement in refused + idle:
        hostile = statement.replace("{folder}", str(folder))
        if await let_through(place, hostile) and statement in refused:
            taken.append(statement)
        after = await everything(place.db.settings)
        changed += [(statement, what) for what in before if after[what] != before[what]]
        before = after
    assert changed == []
    assert taken == []
    assert list(folder.iterdir()) == []


async def test_after_all_of_them_honest_work_goes_on(place: MillRoad) -> None:
    for statement in REFUSED + (REFUSED_BY_SQLITE if place.db.is_sqlite else REFUSED_BY_POSTGRES):
        await let_through(place, statement.replace("{folder}", "/nowhere"))
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    await place.assert_sound()
    await place.db.start()  # it still has the pragmas and the schema it wants


async def test_what_cannot_be_refused_is_noticed(place: MillRoad) -> None:
    """Heads move forward and rows are added: forging that is allowed work, and does not add up."""
    async with place.db.write(place.id) as conn:
        await conn.execute(
            text("UPDATE account SET balance = balance + 60, lines = lines + 1 WHERE id = :id"),
            {"id": place.ana.id.bytes if place.db.is_sqlite else place.ana.id},
        )
    report = await books.verify(place.db, place.id, now=at(days=101))
    assert not report.sound


async def test_readers_on_sqlite_cannot_make_themselves_writers(sqlite_settings: Settings) -> None:
    db = Database(sqlite_settings)
    await db.start()
    try:
        for statement in ("PRAGMA query_only = OFF", "PRAGMA query_only(0)", "DELETE FROM person"):
            with pytest.raises(DBAPIError):
                async with db.read(EVERYWHERE) as conn:
                    await conn.exec_driver_sql(statement)
    finally:
        await db.stop()
