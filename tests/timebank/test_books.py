"""Our books: they verify, and whatever is changed behind their back is found.

Seen to turn red: adding reversals to the tallies; checking words whose salt is gone.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import verify as ledger_verify
from tests.infrastructure.by_hand import by_hand
from tests.timebank.factories import at
from tests.timebank.scenes import DAY, MillRoad, helped, mill_road
from timebank import beside, books, comparing, entries, posting
from timebank.config import Settings
from timebank.db import Database
from timebank.entry import Kind, NewEntry, Share
from timebank.members import tallies


@pytest.fixture
async def place(db: Database) -> MillRoad:
    """Mill Road with a gift, a gathering, and an undone favour behind it."""
    here = await mill_road(db)
    gift = NewEntry(Kind.GRANT, (Share(here.commons),), (Share(here.ines.id),), Minutes(60), DAY)
    together = NewEntry(
        Kind.ACTIVITY,
        (Share(here.ana.id), Share(here.dora.id)),
        (Share(here.bert.id), Share(here.ines.id), Share(here.library.id)),
        Minutes(75),
        DAY,
        note="Bread",
    )
    for new in (gift, together, helped(here.bert, here.ana)):
        entry = await here.record(new, here.carla)
        await here.approve(entry, here.stella)
    await here.undo(entry, here.stella)
    return here


async def findings(place: MillRoad) -> list[str]:
    report = await books.verify(place.db, place.id, now=at(days=1))
    assert report.sound is not bool(report.findings)
    return list(report.findings)


async def test_books_add_up_to_zero_and_say_so(place: MillRoad) -> None:
    heard: list[tuple[int, int]] = []
    report = await books.verify(
        place.db, place.id, now=at(days=1), progress=lambda done, of: heard.append((done, of))
    )
    assert report.sound, report.findings
    assert (report.transfers, report.entries) == (7, 4)
    assert heard[-1] == (7, 7)
    async with place.db.read(place.id) as conn:
        found = await books.overview(conn, place.id)
        rows = await books.account_rows(conn, place.id, None, 100)
        rest = await books.account_rows(conn, place.id, rows[3].account_id, 100)
    assert found.total == Minutes(0)
    assert (found.transfers, found.head_seq, found.head_hash) == (7, 7, report.hash)
    assert (found.member_accounts, found.organisation_accounts) == (6, 1)
    assert found.commons_total == Minutes(-60)
    assert found.last is not None
    assert (found.last.sound, found.last.at, found.last.seq) == (True, at(days=1).at, 7)
    assert rows[0].name == "Mill Road"
    assert sum(row.balance.count for row in rows) == 0
    assert [row.account_id for row in rest] == [row.account_id for row in rows[4:]]


async def test_verifying_twice_at_the_same_moment_keeps_both(place: MillRoad) -> None:
    for _ in range(2):
        assert await findings(place) == []
    async with place.db.read(place.id) as conn:
        number = await conn.scalar(select(func.count()).select_from(books.verifications))
    assert number == 2


async def unguarded(conn: AsyncConnection, *tables: str) -> None:
    """Take the database's own guards away, as somebody who owns it can."""
    for table in tables:
        if conn.dialect.name == "postgresql":
            await conn.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            continue
        query = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = :name"
        for (name,) in (await conn.execute(text(query), {"name": table})).all():
            await conn.execute(text(f"DROP TRIGGER {name}"))


def _undone() -> Any:
    return entries.entries.c.reversed_by_id.is_not(None)


async def _any(conn: AsyncConnection, place: MillRoad, condition: Any) -> UUID:
    found: UUID | None = await conn.scalar(
        select(entries.entries.c.id)
        .where(entries.entries.c.community_id == place.id, condition)
        .order_by(entries.entries.c.id)
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("tampering", "sentence"),
    [
        ("words", "does not have the words it was posted with"),
        ("category", "does not have the words it was posted with"),
        ("minutes", "names other people or minutes"),
        ("side", "names other people or minutes"),
        ("a third", "names other people or minutes"),
        ("day", "of another day"),
        ("state", "is in the journal, and is recorded"),
        ("invented", "is approved, and is not in the journal"),
        ("not undone", "do not agree whether it was undone"),
        ("tally", "its entries add up to"),
        ("no tally", "its entries add up to"),
    ],
)
async def test_what_is_changed_behind_our_back_is_found(
    place: MillRoad, tampering: str, sentence: str
) -> None:
    waiting = await place.record(helped(place.ana, place.bert), place.ana)
    table, parts = entries.entries, entries.parts
    async with by_hand(place.db.settings) as conn:
        await unguarded(conn, "entry", "part", "tally")
        id = await _any(conn, place, table.c.note == "Bread")
        undone = await _any(conn, place, _undone())
        one = table.c.id == id
        changes: dict[str, Any] = {
            "words": update(table).where(one).values(note="Cake"),
            "category": update(table).where(one).values(kind="help"),
            "minutes": update(parts)
            .where(parts.c.entry_id == id, parts.c.account_id == place.ana.id)
            .values(minutes=Minutes(90)),
            "side": update(parts)
            .where(parts.c.entry_id == undone, parts.c.account_id == place.ana.id)
            .values(account_id=place.dora.id),
            "a third": insert(parts).values(
                community_id=place.id,
                entry_id=undone,
                account_id=place.dora.id,
                position=3,
                side="gave",
                minutes=Minutes(60),
                awaited=False,
            ),
            "day": update(table).where(one).values(occurred_on=DAY.replace(day=1)),
            "state": update(table).where(one).values(state="recorded"),
            "invented": update(table).where(table.c.id == waiting.id).values(state="approved"),
            "not undone": update(table).where(table.c.id == undone).values(state="approved"),
            "tally": update(tallies)
            .where(tallies.c.account_id == place.ana.id)
            .values(given=Minutes(1)),
            "no tally": delete(tallies).where(tallies.c.account_id == place.ana.id),
        }
        await conn.execute(changes[tampering])
    found = await findings(place)
    assert any(sentence in one for one in found), found
    async with place.db.read(place.id) as conn:
        last = (await books.overview(conn, place.id)).last
    assert last is not None
    assert (last.sound, last.finding) == (False, found[0])


async def test_erased_words_leave_the_books_sound(place: MillRoad) -> None:
    async with place.db.write(place.id) as conn:
        await conn.execute(
            update(entries.entries)
            .where(entries.entries.c.note == "Bread")
            .values(note="", salt=b"")
        )
    assert await findings(place) == []


async def test_a_journal_written_anew_differs_from_what_was_noted(place: MillRoad) -> None:
    assert await findings(place) == []
    async with by_hand(place.db.settings) as conn:
        await unguarded(conn, "verification")
        await conn.execute(update(books.verifications).values(hash=bytes(32)))
    assert any("noted earlier" in one for one in await findings(place))


async def test_a_reversal_has_words_of_its_own(place: MillRoad) -> None:
    async with place.db.write(place.id) as conn:
        undone = await _any(conn, place, _undone())
        await conn.execute(
            update(entries.entries)
            .where(entries.entries.c.id == posting.reversal_id(undone))
            .values(note="Another reason")
        )
    assert any("does not have the words" in one for one in await findings(place))


@given(
    st.binary(min_size=16, max_size=40),
    st.sampled_from([kind.value for kind in Kind]),
    st.none() | st.uuids(),
    st.text(),
)
def test_words_are_committed_to_alike_by_posting_and_by_verifying(
    salt: bytes, kind: str, category: UUID | None, note: str
) -> None:
    expected = posting.committed(salt, kind, category, note)
    assert comparing.committed(salt, kind, category, note) == expected
    on_sqlite = category.bytes if category else None
    assert comparing.committed(salt, kind, on_sqlite, note) == expected


async def test_a_second_process_finds_the_same(place: MillRoad) -> None:
    heard: list[tuple[int, int]] = []
    apart = await books.verify(
        place.db, place.id, now=at(days=1), long=1, progress=lambda *told: heard.append(told)
    )
    assert apart.sound
    assert apart == await books.verify(place.db, place.id, now=at(days=1))
    assert heard == sorted(heard)
    assert heard[-1] == (7, 7)
    async with place.db.write(place.id) as conn:
        words = update(entries.entries).where(entries.entries.c.note == "Bread")
        await conn.execute(words.values(note="Cake"))
    apart = await books.verify(place.db, place.id, now=at(days=1), long=1)
    assert any("does not have the words" in one for one in apart.findings)
    assert apart == await books.verify(place.db, place.id, now=at(days=1))


async def test_a_second_process_looks_at_the_same_picture(place: MillRoad) -> None:
    """What is posted meanwhile is seen by neither of the two."""
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    async with beside.comparing(place.db, place.id) as other:
        await place.approve(entry)
        report = await ledger_verify.verify(other.conn, place.id)
        comparison = await other.outcome(lambda _done, _of: None)
    assert report.sound
    assert (report.transfers, comparison.entries) == (7, 4)
    assert comparison.findings == ()
    assert (await books.verify(place.db, place.id, now=at(days=1), long=1)).transfers == 8


async def test_a_second_process_that_dies_proves_nothing(
    place: MillRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = "import sys; [print(word, flush=True) for word in ('\"connected\"', '\"looking\"')]"
    start = asyncio.create_subprocess_exec

    async def started(program: str, *_: str, **pipes: Any) -> asyncio.subprocess.Process:
        return await start(program, "-c", dies, **pipes)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
    with pytest.raises(beside.ComparingFailed):
        async with beside.comparing(place.db, place.id) as other:
            await other.outcome(lambda _done, _of: None)


async def test_the_proof_may_wait_for_the_comparison_as_long_as_it_takes(
    postgres_settings: Settings,
) -> None:
    """SQLite ends no transaction for waiting; PostgreSQL is asked not to."""
    db = Database(postgres_settings)
    await db.start()
    try:
        here = await mill_road(db)
        async with beside.comparing(db, here.id) as other:
            patience = await other.conn.scalar(text("SHOW idle_in_transaction_session_timeout"))
            assert patience == "0"
            await other.outcome(lambda *_: None)
    finally:
        await db.stop()
