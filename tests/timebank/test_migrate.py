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
from timebank import (
    directory,
    entry_steps,
    listings,
    migrate,
    organisations,
    people,
    sectors,
    sessions,
    welcoming,
)
from timebank.communities import communities
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.formats import FIRST_FORMATS
from timebank.listings import Wanted
from timebank.members import MemberKind
from timebank.moment import Moment

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


STORIES = ("step", "settlement", "attendance_step", "month_step", "proposal_step")
"""Tables whose rows stay, and whose words can be erased."""

KEPT_FOR_GOOD = ("audit", "agreement", "verification", "closing", "settlement_line")


@pytest.mark.parametrize("table", [*KEPT_FOR_GOOD, "settlement_witness", "tick", *STORIES])
async def test_append_only_tables_have_their_guards(db: Database, table: str) -> None:
    query = (
        "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = :table"
        if db.is_sqlite
        else "SELECT count(*) FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass) "
        "AND NOT tgisinternal"
    )
    async with db.read(EVERYWHERE) as conn:
        found = (await conn.execute(text(query), {"table": table})).scalar_one()
    # No update, no delete, no replacing (SQLite) or truncating; and people's words only erased.
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


# ── Words that became rows ───────────────────────────────────────────────────────────────────────

_SAID = {  # what members said of themselves before: name, sector, offers, wishes, telephone
    "The Library": ("culture", "The upstairs room", "", "01632 960300"),
    "The Surgery": ("HEALTH", "", "", ""),
    "The Shed": ("", "", "", ""),
    "Ana Lima": ("", "Portuguese, walks", "Somebody to fix a chair\nand a table", ""),
}


async def _before_listings(settings: Settings) -> None:
    """Members as they were before there were sectors and listings."""
    db = Database(settings)
    for name, (sector, offers, wishes, phone) in _SAID.items():
        async with db.write(EVERYWHERE) as conn:
            await conn.execute(
                text(
                    "UPDATE member SET sector = :sector, offers = :offers, wishes = :wishes, "
                    "phone = :phone, contact_shown = :shown, search_key = :key WHERE name = :name"
                ),
                {
                    "name": name,
                    "sector": sector,
                    "offers": offers,
                    "wishes": wishes,
                    "phone": phone,
                    "shown": True,
                    "key": f"{name} {sector} {offers} {wishes}".casefold(),
                },
            )
    await db.stop()


async def _houses_and_ana(settings: Settings) -> None:
    db = Database(settings)
    async with db.write(EVERYWHERE) as conn:
        for slug, language in (("mill-road", "en"), ("el-puerto", "es")):
            place = await a_community(conn, slug, language=language)
            if language == "en":
                for name in _SAID:
                    kind = MemberKind.PERSON if name == "Ana Lima" else MemberKind.ORGANISATION
                    await a_member(conn, place.id, name, kind=kind)
    await db.stop()


async def _as_now(settings: Settings) -> dict[str, Any]:
    db = Database(settings)
    try:
        async with db.read(EVERYWHERE) as conn:
            here = await communities_of(conn)
            found: dict[str, Any] = {}
            for slug, place in here.items():
                found[slug] = [one.name for one in await sectors.of(conn, place)]
            place = here["mill-road"]
            found["houses"] = {
                one.member.name: (one.sector, one.contact)
                for one in await organisations.page(conn, place)
            }
            found["board"] = {
                (one.member.name, one.kind.value, one.title, one.words)
                for one in await listings.page(
                    conn, place, Wanted(), by=place, today=Moment.now().at.date()
                )
            }
            for search in ("culture", "chair", "ana", "library"):
                found[search] = [
                    row.member.name for row in await directory.page(conn, place, search=search)
                ]
            return found
    finally:
        await db.stop()


async def communities_of(conn: Any) -> dict[str, Any]:
    rows = await conn.execute(select(communities.c.slug, communities.c.id))
    return {row.slug: row.id for row in rows}


def test_what_members_said_becomes_sectors_and_listings_and_goes_back_into_words(
    db_settings: Settings,
) -> None:
    complete(_houses_and_ana(db_settings))
    migrate.downgrade(db_settings, "0004")
    complete(_before_listings(db_settings))
    migrate.upgrade(db_settings)
    found = complete(_as_now(db_settings))
    assert len(found["el-puerto"]) == 12
    assert "Vivienda" in found["el-puerto"]
    assert found["mill-road"][:2] == ["Health", "Social care"]
    assert found["mill-road"][12:] == ["Culture"]  # what was said that was not on the list
    assert found["houses"] == {
        "The Library": ("Culture", "01632 960300"),
        "The Shed": ("", ""),
        "The Surgery": ("Health", ""),
    }
    assert found["board"] == {
        ("The Library", "offer", "The upstairs room", ""),
        ("Ana Lima", "offer", "Portuguese, walks", ""),
        (
            "Ana Lima",
            "request",
            "Somebody to fix a chair",
            "Somebody to fix a chair\nand a table",
        ),
    }
    assert found["culture"] == found["library"] == ["The Library"]
    assert found["ana"] == ["Ana Lima"]
    assert found["chair"] == []  # it is found on the board, not in the profile
    migrate.downgrade(db_settings, "0004")
    query = "SELECT name, sector, offers, wishes FROM member ORDER BY name"
    (rows,) = complete(_answers(db_settings, query))
    assert [tuple(row) for row in rows] == [
        ("Ana Lima", "", "Portuguese, walks", "Somebody to fix a chair\nand a table"),
        ("The Library", "Culture", "The upstairs room", ""),
        ("The Shed", "", "", ""),
        ("The Surgery", "Health", "", ""),
    ]


def test_members_of_before_are_no_newcomers_and_their_last_visit_is_known(
    db_settings: Settings,
) -> None:
    complete(_signed_in(db_settings))
    migrate.downgrade(db_settings, "0006")
    migrate.upgrade(db_settings)
    seen, ticks = complete(
        _answers(
            db_settings,
            "SELECT count(*) FROM person WHERE seen_on IS NOT NULL",
            "SELECT count(*) FROM welcome_step",
        )
    )
    assert (seen[0][0], ticks[0][0]) == (1, 4)
    assert complete(_newcomers(db_settings)) == []


async def _signed_in(settings: Settings) -> None:
    db = Database(settings)
    async with db.write(EVERYWHERE) as conn:
        place = await a_community(conn)
        ana = await a_member(conn, place.id, email="ana@example.org")
        await a_member(conn, place.id, "Bert", email="bert@example.org")
        assert ana.person_id is not None
        await sessions.begin(conn, ana.person_id, device="", now=at())
    await db.stop()


async def _newcomers(settings: Settings) -> list[Any]:
    db = Database(settings)
    try:
        async with db.read(EVERYWHERE) as conn:
            place = (await communities_of(conn))["mill-road"]
            return list(await welcoming.newcomers(conn, place))
    finally:
        await db.stop()


def test_communities_that_are_there_already_get_the_formats_in_their_language(
    db_settings: Settings,
) -> None:
    async def two_communities() -> None:
        db = Database(db_settings)
        async with db.write(EVERYWHERE) as conn:
            await a_community(conn)
            await a_community(conn, "calle", name="Calle", language="es")
        await db.stop()

    complete(two_communities())
    migrate.downgrade(db_settings, "0007")
    migrate.upgrade(db_settings)
    asked = (
        "SELECT c.language, f.name FROM format f JOIN community c ON c.id = f.community_id "
        "ORDER BY c.language, f.position"
    )
    (found,) = complete(_answers(db_settings, asked))
    assert [tuple(row) for row in found] == [
        (language, one.name) for language in ("en", "es") for one in FIRST_FORMATS[language]
    ]
