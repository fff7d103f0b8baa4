"""On PostgreSQL a session sees one community, whatever its queries forget to ask for.

Every query of the program names its community. Here none does: Mill Road has something in every
table, and whoever stands elsewhere finds none of it and changes none of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Table, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from ledger.sql import metadata
from tests.timebank import any_row
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import invitations
from timebank.communities import communities
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database, Scope
from timebank.members import members
from timebank.outbox import outbox
from timebank.rights import RIGHTS

APART = [table for table in metadata.sorted_tables if "community_id" in table.c] + [communities]
SHOWN = text("SELECT current_setting('timebank.community', true)")


@pytest.fixture
async def db(postgres_settings: Settings) -> AsyncIterator[Database]:
    """PostgreSQL only: SQLite has no row-level security."""
    database = Database(postgres_settings)
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


@pytest.fixture
async def road(db: Database) -> MillRoad:
    """Mill Road with a row in every table that has communities."""
    place = await mill_road(db)
    await place.approve(await place.record(helped(place.ana, place.bert), place.ana))
    async with db.write(place.id) as conn:
        await invitations.invite(
            conn,
            place.id,
            name="Noor",
            email="noor@example.org",
            by=place.ana.id,
            now=at(),
            base_url="https://hours.example.org",
        )
    await place.assert_sound()
    async with db.write(place.id) as conn:
        await any_row.fill(conn, place.id)
    return place


@pytest.fixture
async def elsewhere(road: MillRoad) -> UUID:
    """Another community with one member."""
    async with road.db.write(EVERYWHERE) as conn:
        community = await a_community(conn, "elsewhere")
        await a_member(conn, community.id, "Olga Nord")
    return community.id


def _of(table: Table) -> Any:
    """The column that says whose a row is."""
    return table.c.id if table is communities else table.c.community_id


async def _seen(db: Database, scope: Scope) -> dict[str, set[UUID | None]]:
    """Whose rows each table shows to a query that asks for all."""
    async with db.read(scope) as conn:
        return {
            table.name: {row[0] for row in await conn.execute(select(_of(table)))}
            for table in APART
        }


async def test_every_table_with_a_community_is_kept_apart(db: Database) -> None:
    query = text(
        "SELECT relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy"
        " WHERE polrelid = pg_class.oid AND polcmd = '*' AND polwithcheck IS NOT NULL)"
        " FROM pg_class WHERE oid = CAST(:name AS regclass)"
    )
    async with db.read(EVERYWHERE) as conn:
        for table in APART:
            kept = await conn.scalar(query, {"name": table.name})
            assert kept, f"{table.name} needs rows_apart() in a migration"


def test_every_table_has_its_rights() -> None:
    assert RIGHTS.keys() == {table.name for table in metadata.sorted_tables} | {"alembic_version"}


def test_the_rights_name_columns_that_are_there() -> None:
    for table in metadata.sorted_tables:
        named = RIGHTS[table.name].update
        assert named <= {"*"} or named <= set(table.c.keys()), table.name
        assert "community_id" not in named


async def test_nothing_of_another_community_is_visible(road: MillRoad, elsewhere: UUID) -> None:
    everywhere = await _seen(road.db, EVERYWHERE)
    assert all(road.id in found for found in everywhere.values()), everywhere
    for name, found in (await _seen(road.db, elsewhere)).items():
        assert found <= {elsewhere}, name
    for name, found in (await _seen(road.db, road.id)).items():
        assert found == {road.id}, name


async def test_nothing_of_another_community_is_changed(road: MillRoad, elsewhere: UUID) -> None:
    before = await _contents(road.db)
    async with road.db.write(elsewhere) as conn:
        for table in APART:
            rights, same = RIGHTS[table.name], _of(table) == road.id
            if rights.update:
                column = next(c for c in table.c if rights.update & {"*", c.name})
                changed = update(table).where(same).values({column.name: column})
                assert (await conn.execute(changed)).rowcount == 0, table.name
            if rights.delete:
                assert (await conn.execute(table.delete().where(same))).rowcount == 0, table.name
    assert await _contents(road.db) == before


async def test_nothing_is_put_into_another_community(road: MillRoad, elsewhere: UUID) -> None:
    before = await _contents(road.db)
    for table in APART:
        async with road.db.read(EVERYWHERE) as conn:
            row = (await conn.execute(select(table).where(_of(table) == road.id))).first()
        assert row is not None
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with road.db.write(elsewhere) as conn:
                await conn.execute(table.insert().values(**row._mapping))
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with road.db.write(elsewhere) as conn:
            await conn.execute(update(members).values(community_id=road.id))
    assert await _contents(road.db) == before


async def test_mail_of_no_community_is_seen_from_everywhere_only(road: MillRoad) -> None:
    loose = update(outbox).values(community_id=None)
    async with road.db.write(EVERYWHERE) as conn:
        assert (await conn.execute(loose)).rowcount > 0
    async with road.db.read(road.id) as conn:
        assert (await conn.execute(select(outbox.c.id))).all() == []
    async with road.db.read(EVERYWHERE) as conn:
        assert (await conn.execute(select(outbox.c.id))).all() != []


@pytest.mark.parametrize(
    "said", ["SELECT 1", "SET timebank.community = ''", "RESET timebank.community"]
)
async def test_who_says_nothing_sees_nothing(road: MillRoad, said: str) -> None:
    plain = road.db.settings.url.replace("+asyncpg", "")
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(said)
        for table in APART:
            assert await connection.fetch(f"SELECT * FROM {table.name}") == [], table.name
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(
                "INSERT INTO journal VALUES (gen_random_uuid(), 0, sha256(''), now())"
            )
    finally:
        await connection.close()


async def test_the_owner_is_held_to_it_too(road: MillRoad) -> None:
    plain = road.db.settings.owners_url.replace("+asyncpg", "")
    connection = await asyncpg.connect(plain)
    try:
        assert await connection.fetch("SELECT * FROM transfer") == []
    finally:
        await connection.close()


# What one use of a pooled connection was told says nothing to the next.


@pytest.fixture(params=["read", "write", "posting"])
def way(request: pytest.FixtureRequest, db: Database) -> Any:
    """Each way to a connection."""
    return getattr(db, request.param)


A, B = UUID(int=1), UUID(int=2)


async def shown(way: Any, scope: Scope) -> str:
    """What a connection was told, as it answers."""
    async with way(scope) as conn:
        return str(await conn.scalar(SHOWN))


async def test_each_use_is_told_anew(way: Any) -> None:
    for scope in (A, B, A, A, EVERYWHERE, B, EVERYWHERE):
        wanted = "*" if scope is EVERYWHERE else str(scope)
        assert await shown(way, scope) == wanted


async def test_an_error_takes_nothing_back(way: Any) -> None:
    assert await shown(way, A) == str(A)
    for error in (KeyError, asyncio.CancelledError):
        with pytest.raises(error):
            async with way(B) as conn:
                assert await conn.scalar(SHOWN) == str(B)
                raise error
        assert await shown(way, B) == str(B)
        assert await shown(way, A) == str(A)


async def test_a_failed_statement_takes_nothing_back(way: Any) -> None:
    assert await shown(way, A) == str(A)
    with pytest.raises(DBAPIError):
        async with way(B) as conn:
            await conn.execute(text("SELECT 1 / 0"))
    assert await shown(way, B) == str(B)
    assert await shown(way, A) == str(A)


async def test_what_was_set_for_one_community_is_forgotten_for_the_next(way: Any) -> None:
    async with way(A) as conn:
        await conn.execute(text("SELECT set_config('search_path', 'pg_temp', false)"))
        await conn.commit()
    async with way(B) as conn:
        assert await conn.scalar(text("SHOW search_path")) == '"$user", public'
        assert await conn.scalar(text("SHOW statement_timeout")) == "1min"


@pytest.mark.parametrize("turns", range(12))
async def test_who_goes_away_at_any_moment_leaves_nothing_behind(way: Any, turns: int) -> None:
    async def stay() -> None:
        async with way(B) as conn:
            await conn.execute(text("SELECT pg_sleep(5)"))

    assert await shown(way, A) == str(A)
    task = asyncio.create_task(stay())
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await shown(way, A) == str(A)
    assert await shown(way, B) == str(B)


async def test_a_connection_that_was_lost_is_told_again(db: Database) -> None:
    for way in (db.read, db.write):
        assert await shown(way, A) == str(A)
        await _lose_all(db)
        assert await shown(way, A) == str(A)


async def test_posting_is_told_that_its_connection_was_lost(db: Database) -> None:
    assert await shown(db.posting, A) == str(A)
    await _lose_all(db)
    with pytest.raises(OperationalError) as refused:
        await shown(db.posting, B)
    assert refused.value.connection_invalidated
    assert await shown(db.posting, B) == str(B)


async def _lose_all(db: Database) -> None:
    """End every connection of the program."""
    connection = await asyncpg.connect(db.settings.url.replace("+asyncpg", ""))
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def _contents(db: Database) -> dict[str, list[str]]:
    async with db.read(EVERYWHERE) as conn:
        return {
            table.name: sorted(repr(tuple(row)) for row in await conn.execute(select(table)))
            for table in APART
        }
