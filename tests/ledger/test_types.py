"""Column types: the same values come back, and the same are refused, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, Table, func, insert, select
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import Minutes
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, Json, MinutesType, Words
from tests.ledger.making import ANA, DAY, NOON

things = Table(
    "thing",
    MetaData(),
    Column("id", Id, primary_key=True),
    Column("at", Instant),
    Column("day", Day),
    Column("minutes", MinutesType),
    Column("count", Count),
    Column("flag", Flag),
    Column("hash", Hash),
    Column("words", Words),
    Column("json", Json),
    sqlite_strict=True,
)

VALUES: dict[str, list[Any]] = {
    "at": [
        NOON,
        datetime(1969, 7, 20, 20, 17, 40, 123_456, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    "day": [DAY, date(1, 1, 1), date(9999, 12, 31)],
    "minutes": [Minutes(0), Minutes(-90), Minutes(2**62)],
    "count": [0, -1, 2**63 - 1],
    "flag": [True, False],
    "hash": [b"", bytes(range(256))],
    "words": ["", "soup & \N{SNOWMAN} 'quoted' \n", "x" * 100_000],
    "json": [{}, [], {"a": [1, None, True, "é", {"b": 2}]}, "text", 5, True],
}

REFUSED: dict[str, list[Any]] = {
    "id": [str(ANA), ANA.bytes, 5],
    "at": [datetime(2026, 1, 1), DAY, 5, "2026-01-01"],  # noqa: DTZ001
    "day": [NOON, "2026-01-01", 5],
    "minutes": [5, True, "1:30", Decimal(5)],
    "count": [True, 1.0, "1", Minutes(1)],
    "flag": [1, 0, "yes"],
    "hash": ["text", 5],
    "words": [5, b"bytes", "a\0b"],
}


@pytest.fixture
async def things_in(owners_engine: AsyncEngine) -> AsyncEngine:
    async with owners_engine.begin() as conn:
        await conn.run_sync(things.create)
    return owners_engine


@pytest.mark.parametrize("name", VALUES)
async def test_what_is_kept_comes_back(things_in: AsyncEngine, name: str) -> None:
    column = things.c[name]
    async with things_in.begin() as conn:
        for number, value in enumerate([*VALUES[name], None]):
            id = UUID(int=number)
            await conn.execute(insert(things).values({"id": id, name: value}))
            found = (await conn.execute(select(things.c.id, column).where(things.c.id == id))).one()
            assert (found.id, found[1]) == (id, value)
            assert type(found[1]) is type(value)
            if value is not None and name != "json":
                same = await conn.scalar(
                    select(func.count()).where(column == value, things.c.id == id)
                )
                assert same == 1


@pytest.mark.parametrize("name", REFUSED)
async def test_other_types_are_refused(things_in: AsyncEngine, name: str) -> None:
    for value in REFUSED[name]:
        async with things_in.connect() as conn:
            with pytest.raises(StatementError) as caught:
                await conn.execute(insert(things).values({"id": ANA, name: value}))
            assert isinstance(caught.value.orig, TypeError | ValueError)
            await conn.rollback()


async def test_a_moment_of_any_zone_comes_back_in_utc(things_in: AsyncEngine) -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    async with things_in.begin() as conn:
        await conn.execute(insert(things).values(id=ANA, at=there))
        found = await conn.scalar(select(things.c.at))
    assert found == NOON
    assert found is not None
    assert found.tzinfo is UTC


async def test_minutes_and_counts_are_summed_as_what_they_are(things_in: AsyncEngine) -> None:
    async with things_in.begin() as conn:
        for number in (1, 2, 3):
            await conn.execute(
                insert(things).values(id=UUID(int=number), minutes=Minutes(-number), count=number)
            )
        summed = select(func.sum(things.c.minutes), func.sum(things.c.count))
        assert tuple((await conn.execute(summed)).one()) == (Minutes(-6), 6)


async def test_moments_and_ids_sort_as_they_should(things_in: AsyncEngine) -> None:
    moments = [NOON - timedelta(days=50_000), NOON, NOON + timedelta(microseconds=1)]
    async with things_in.begin() as conn:
        for number, moment in enumerate(moments):
            await conn.execute(insert(things).values(id=UUID(int=number), at=moment))
        by_time = await conn.scalars(select(things.c.at).order_by(things.c.at.desc()))
        assert list(by_time) == moments[::-1]
        later = await conn.scalars(select(things.c.id).where(things.c.at > NOON))
        assert list(later) == [UUID(int=2)]
        flagged = select(func.count()).select_from(things).where(things.c.flag.is_(True))
        assert await conn.scalar(flagged) == 0


async def test_none_in_json_is_sql_null(things_in: AsyncEngine) -> None:
    async with things_in.begin() as conn:
        await conn.execute(insert(things).values(id=ANA, json=None))
        assert await conn.scalar(select(things.c.id).where(things.c.json.is_(None))) == ANA
