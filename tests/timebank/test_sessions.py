"""A session lives on the server: it ends when we say so, and by itself."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.timebank.factories import a_person, at
from timebank import sessions
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment
from timebank.people import sessions as session_table


async def _begun(db: Database, email: str = "ana@example.org") -> str:
    async with db.write(EVERYWHERE) as conn:
        person = await a_person(conn, email)
        return await sessions.begin(conn, person, device="a phone", now=at())


async def _signed_in(db: Database, token: str, now: Moment) -> bool:
    async with db.read(EVERYWHERE) as conn:
        return await sessions.find(conn, token, now=now) is not None


async def test_a_session_finds_its_person(db: Database) -> None:
    token = await _begun(db)
    async with db.read(EVERYWHERE) as conn:
        found = await sessions.find(conn, token, now=at(days=1))
    assert found is not None
    assert found[0].email == "ana@example.org"


@pytest.mark.parametrize("token", ["", "nothing", "a" * 43, "\x00", "é" * 50])
async def test_a_secret_that_is_none_finds_nobody(db: Database, token: str) -> None:
    await _begun(db)
    assert not await _signed_in(db, token, at())


async def test_only_a_hash_of_the_secret_is_kept(db: Database) -> None:
    token = await _begun(db)
    async with db.read(EVERYWHERE) as conn:
        assert token not in str((await conn.execute(select(session_table))).all())


async def test_a_session_ends_after_thirty_days_without_a_visit(db: Database) -> None:
    token = await _begun(db)
    assert await _signed_in(db, token, at(days=29))
    assert not await _signed_in(db, token, at(days=30, seconds=1))


async def test_visits_keep_a_session_for_180_days_and_no_longer(db: Database) -> None:
    token = await _begun(db)
    for day in range(20, 180, 20):
        assert await _signed_in(db, token, at(days=day))
        async with db.write(EVERYWHERE) as conn:
            await sessions.touch(conn, token, now=at(days=day))
    assert await _signed_in(db, token, at(days=179))
    assert not await _signed_in(db, token, at(days=180))


async def test_a_clock_that_runs_back_makes_no_session_longer(db: Database) -> None:
    token = await _begun(db)
    async with db.write(EVERYWHERE) as conn:
        await sessions.touch(conn, token, now=at(days=20))
        await sessions.touch(conn, token, now=at(days=10))
    assert await _signed_in(db, token, at(days=49))
    assert not await _signed_in(db, token, at(days=51))


async def test_signing_out_ends_this_session_and_everywhere_ends_all(db: Database) -> None:
    first = await _begun(db)
    async with db.write(EVERYWHERE) as conn:
        found = await sessions.find(conn, first, now=at())
        assert found is not None
        person = found[0].id
        second, third = [await sessions.begin(conn, person, device="", now=at()) for _ in range(2)]
    others = await _begun(db, "bo@example.org")
    async with db.write(EVERYWHERE) as conn:
        await sessions.end(conn, first)
    assert [await _signed_in(db, one, at()) for one in (first, second, third)] == [
        False,
        True,
        True,
    ]
    async with db.write(EVERYWHERE) as conn:
        await sessions.end_all(conn, person)
    assert not any([await _signed_in(db, one, at()) for one in (second, third)])
    assert await _signed_in(db, others, at())


async def test_ended_sessions_are_forgotten(db: Database) -> None:
    await _begun(db)
    async with db.write(EVERYWHERE) as conn:
        await sessions.sweep(conn, now=at(days=31))
    async with db.read(EVERYWHERE) as conn:
        assert (await conn.execute(select(session_table))).all() == []
