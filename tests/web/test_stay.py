"""Would you like to stay? One page, one button, and no need to sign in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from tests.web.town import Town
from timebank import stays, tokens
from timebank.db import EVERYWHERE


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    """SQLite alone: what these pages ask is tried on both databases in tests/timebank."""
    return town_on_sqlite


async def test_one_click_is_enough_and_looking_alone_says_nothing(town: Town) -> None:
    async with town.db.write(EVERYWHERE) as conn:
        await conn.execute(
            insert(stays.stays).values(
                community_id=town.community.id,
                id=town.now.new_id(),
                member_id=town.id("Ana"),
                found_at=town.now.at,
                asked_at=town.now.at,
            )
        )
        token = await tokens.make(
            conn,
            tokens.Purpose.STAY,
            community=town.community.id,
            facts={"member": str(town.id("Ana"))},
            lifetime=timedelta(days=61),
            now=town.now,
        )

    async def answers() -> list[str | None]:
        async with town.db.read(EVERYWHERE) as conn:
            return list((await conn.execute(select(stays.stays.c.answer))).scalars())

    async with town.browser() as browser:
        page = await browser.get(f"/stay/{token}")
        assert "Would you like to stay in Mill Road?" in page.text
        assert await answers() == [None]
        for _ in range(2):
            done = await browser.post(f"/stay/{token}")
            assert "Good to have you with us" in done.text
        assert await answers() == ["stays"]
        assert (await browser.get("/stay/nonsense")).status_code == 410
        assert (await browser.post("/stay/nonsense")).status_code == 410
