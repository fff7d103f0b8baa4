"""The schema goes up, down and up again on both databases, and is the one the program has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from ledger.sql import metadata
from tests.conftest import complete
from tests.infrastructure.by_hand import by_hand
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import helped, mill_road
from timebank import entry_steps, migrate, people
from timebank.communities import communities
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database

KEPT = {
    "audit": "UPDATE audit SET action = 'nothing'",
    "agreement": "UPDATE agreement SET soft_floor = 0",
    "verification": "UPDATE verification SET finding = ''",
    "step": "UPDATE step SET kind = 'confirmed'",
}


async def _with_data(settings: Settings) -> None:
    db = Database(settings)
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
        await a_member(conn, community.id, email="ana@example.org")
    await db.stop()


async def _answers(settings: Settings, *statements: str) -> list[Sequence[Any]]:
    db = Database(settings)
    try:
        async with db.write(EVERYWHERE) as conn:
            return [(await conn.execute(text(statement))).fetchall() for statement in statements]
    finally:
        await db.stop()


def test_the_migrations_make_the_tables_of_the_program(db_settings: Settings) -> None:
    assert migrate.check(db_settings) == []
    assert migrate.current(db_settings) == migrate.head()


def test_down_and_up_again_with_data_in_it(db_settings: Settings) -> None:
    complete(_with_data(db_settings))
    migrate.downgrade(db_settings, "base")
    assert migrate.current(db_settings) is None
    migrate.upgrade(db_settings)
    assert migrate.check(db_settings) == []
    complete(_with_data(db_settings))  # it is empty, and works


def test_down_to_the_books_alone_leaves_the_books(db_settings: Settings) -> None:
    complete(_with_data(db_settings))
    before = complete(_answers(db_settings, "SELECT count(*) FROM account"))
    migrate.downgrade(db_settings, "0001")
    migrate.upgrade(db_settings)
    assert complete(_answers(db_settings, "SELECT count(*) FROM account")) == before
    assert before[0][0][0] == 2  # the commons and one member


def test_a_migration_that_fails_leaves_everything_as_it_was(db_settings: Settings) -> None:
    migrate.downgrade(db_settings, "0001")
    complete(_make_a_stumbling_block(db_settings))
    with pytest.raises(Exception, match="step"):
        migrate.upgrade(db_settings)
    assert migrate.current(db_settings) == "0001"
    complete(_remove_the_stumbling_block(db_settings))
    migrate.upgrade(db_settings)
    assert migrate.check(db_settings) == []


async def _make_a_stumbling_block(settings: Settings) -> None:
    await _run(settings, "CREATE TABLE step (stone INTEGER)")  # the last table 0002 makes


async def _remove_the_stumbling_block(settings: Settings) -> None:
    await _run(settings, "DROP TABLE step")


async def _run(settings: Settings, statement: str) -> None:
    async with by_hand(settings) as conn:
        await conn.execute(text(statement))


async def test_every_table_is_led_by_its_community_or_belongs_to_none() -> None:
    """What belongs to no community: people, their sessions and links, the outbox, throttling."""
    free = {"person", "session", "token", "throttle", "outbox", "community"}
    for table in metadata.sorted_tables:
        first = next(iter(table.primary_key.columns)).name
        assert (first == "community_id") is (table.name not in free), table.name


async def test_every_foreign_key_between_rows_of_a_community_carries_the_community() -> None:
    for table in metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            target = key.referred_table
            if "community_id" in target.c and "community_id" in table.c:
                assert "community_id" in key.column_keys, (table.name, key.column_keys)


async def test_what_is_kept_cannot_be_changed_deleted_or_replaced(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
    for statement in (
        KEPT["audit"],
        KEPT["agreement"],
        "DELETE FROM audit",
        "DELETE FROM agreement",
    ):
        with pytest.raises(IntegrityError, match="kept as it was written"):
            async with by_hand(db.settings) as conn:
                await conn.execute(text(statement))
    if db.is_sqlite:
        for table in ("audit", "agreement"):
            with pytest.raises(IntegrityError, match="kept as it was written"):
                async with by_hand(db.settings) as conn:
                    await conn.execute(text(f"REPLACE INTO {table} SELECT * FROM {table}"))
    async with db.read(EVERYWHERE) as conn:
        query = select(func.count()).where(communities.c.id == community.id)
        assert (await conn.execute(query)).scalar_one() == 1


STORIES = ("step", "month_step", "proposal_step")
"""Tables whose rows stay, and whose words can be erased."""


@pytest.mark.parametrize("table", ["audit", "agreement", "verification", "closing", *STORIES])
async def test_append_only_tables_have_their_guards(db: Database, table: str) -> None:
    query = (
        "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = :table"
        if db.is_sqlite
        else "SELECT count(*) FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass) "
        "AND NOT tgisinternal"
    )
    async with db.read(EVERYWHERE) as conn:
        found = (await conn.execute(text(query), {"table": table})).scalar_one()
    # No update, no delete, no replacing (SQLite) or truncating; and a step's words only erased.
    assert found == (4 if table in STORIES else 3)


async def test_a_steps_words_are_erased_and_not_rewritten(db: Database) -> None:
    road = await mill_road(db)
    entry = await road.record(helped(road.ana, road.bert), road.ana)
    await road.step(entry_steps.dispute, entry, road.bert, "It was shorter.")
    with pytest.raises(IntegrityError, match="kept as it was written"):
        async with db.write(EVERYWHERE) as conn:
            await conn.execute(text("UPDATE step SET words = 'It was longer.'"))
    async with db.write(EVERYWHERE) as conn:
        await conn.execute(text("UPDATE step SET words = ''"))


def test_what_was_posted_before_there_were_months_counts_on_its_own_day(
    db_settings: Settings,
) -> None:
    """And what undid it counts with it, so that the two cancel out."""
    complete(_undone_and_waiting(db_settings))
    query = "SELECT counted_on, occurred_on, state FROM entry ORDER BY state, recorded_at"
    before = complete(_answers(db_settings, query))
    migrate.downgrade(db_settings, "0011")
    migrate.upgrade(db_settings)
    assert complete(_answers(db_settings, query)) == before
    assert {str(row[0]) for row in before[0]} == {"2026-05-04", "None"}


async def _undone_and_waiting(settings: Settings) -> None:
    db = Database(settings)
    await db.start()
    road = await mill_road(db)
    entry = await road.record(helped(road.ana, road.bert), road.ana)
    await road.approve(entry)
    await road.undo(entry, now=at(days=2))
    await road.record(helped(road.ana, road.bert), road.ana)
    await db.stop()


async def test_entries_cannot_be_deleted(db: Database) -> None:
    name = "entry_undeleted"
    query = (
        "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name = :name"
        if db.is_sqlite
        else "SELECT count(*) FROM pg_trigger WHERE tgname = :name"
    )
    async with db.read(EVERYWHERE) as conn:
        assert (await conn.execute(text(query), {"name": name})).scalar_one() == 1


async def test_a_persons_row_needs_nothing_of_a_community(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        made = at().new_id()
        await conn.execute(
            people.people.insert().values(
                id=made, email="ana@example.org", language="en", created_at=at().at
            )
        )
