"""A link works once, for one thing, for a while; and only its hash is kept."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.timebank.factories import a_person, at
from timebank import tokens
from timebank.db import EVERYWHERE, Database
from timebank.errors import LinkSpent
from timebank.moment import Moment
from timebank.people import tokens as token_table
from timebank.tokens import Purpose

HOUR = timedelta(hours=1)


async def _make(db: Database, purpose: Purpose = Purpose.RESET) -> str:
    async with db.write(EVERYWHERE) as conn:
        return await tokens.make(conn, purpose, facts={"a": 1}, lifetime=HOUR, now=at())


async def _spend(db: Database, token: str, purpose: Purpose, now: Moment) -> tokens.Token:
    async with db.write(EVERYWHERE) as conn:
        return await tokens.spend(conn, token, purpose, now=now)


async def test_a_link_works_once(db: Database) -> None:
    token = await _make(db)
    found = await _spend(db, token, Purpose.RESET, at(minutes=1))
    assert found.facts == {"a": 1}
    with pytest.raises(LinkSpent):
        await _spend(db, token, Purpose.RESET, at(minutes=2))


async def test_looking_at_a_link_does_not_use_it(db: Database) -> None:
    token = await _make(db)
    async with db.read(EVERYWHERE) as conn:
        await tokens.look(conn, token, Purpose.RESET, now=at())
        await tokens.look(conn, token, Purpose.RESET, now=at())
    await _spend(db, token, Purpose.RESET, at())


async def test_of_twenty_uses_at_once_one_succeeds(db: Database) -> None:
    token = await _make(db)
    outcomes = await asyncio.gather(
        *(_spend(db, token, Purpose.RESET, at()) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, tokens.Token) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LinkSpent) for outcome in outcomes) == 19


async def test_a_link_that_came_too_late_does_not_work(db: Database) -> None:
    token = await _make(db)
    with pytest.raises(LinkSpent):
        await _spend(db, token, Purpose.RESET, at(hours=1))
    await _spend(db, token, Purpose.RESET, at(minutes=59))


@pytest.mark.parametrize("other", [Purpose.INVITATION, Purpose.SIGN_IN])
async def test_a_link_opens_nothing_else(db: Database, other: Purpose) -> None:
    token = await _make(db)
    with pytest.raises(LinkSpent):
        await _spend(db, token, other, at())


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "a" * 100_000, "é", "\x00"])
async def test_what_was_never_a_link_does_not_work(db: Database, token: str) -> None:
    with pytest.raises(LinkSpent):
        await _spend(db, token, Purpose.RESET, at())


async def test_a_link_has_256_random_bits_of_which_only_a_hash_is_kept(db: Database) -> None:
    token = await _make(db)
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    async with db.read(EVERYWHERE) as conn:
        row = (await conn.execute(select(token_table))).one()
    assert token not in str(row)
    assert row.token_hash == tokens.digest(token)
    assert len({await _make(db) for _ in range(5)}) == 5


async def test_revoking_takes_away_a_persons_links_of_that_purpose(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        ana = await a_person(conn, "ana@example.org")
        reset = await tokens.make(conn, Purpose.RESET, person_id=ana, lifetime=HOUR, now=at())
        signs = await tokens.make(conn, Purpose.SIGN_IN, person_id=ana, lifetime=HOUR, now=at())
        await tokens.revoke_of(conn, ana, Purpose.RESET)
    with pytest.raises(LinkSpent):
        await _spend(db, reset, Purpose.RESET, at())
    await _spend(db, signs, Purpose.SIGN_IN, at())


async def test_links_are_forgotten_a_month_after_they_ended(db: Database) -> None:
    await _make(db)
    for days, left in ((29, 1), (32, 0)):
        async with db.write(EVERYWHERE) as conn:
            await tokens.sweep(conn, now=at(days=days))
        async with db.read(EVERYWHERE) as conn:
            assert len((await conn.execute(select(token_table))).all()) == left
