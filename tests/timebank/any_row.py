"""A row for every table: what the constraints allow, and otherwise of no meaning.

For tests that are about all tables alike, so that a new table needs no scene of its own there.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import metadata
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, Json, MinutesType, Words
from tests.timebank.factories import START


async def fill(conn: AsyncConnection, community: UUID) -> None:
    """Put a row into each table of a community that has none there yet."""
    for table in metadata.sorted_tables:
        if "community_id" not in table.c:
            continue
        of_it = select(table).where(table.c.community_id == community)
        if (await conn.execute(of_it)).first() is None:
            await conn.execute(insert(table).values(**await _row(conn, table, community)))


async def _row(conn: AsyncConnection, table: Table, community: UUID) -> dict[str, Any]:
    row: dict[str, Any] = {"community_id": community}
    for place, column in enumerate(table.c):
        if not column.nullable and column.name not in row:
            row[column.name] = _value(column.type, place, _allowed(table, column.name))
    led_to: Counter[str] = Counter()
    for key in sorted(table.foreign_key_constraints, key=lambda key: list(key.column_keys)):
        if all(column.nullable for column in key.columns if column.name != "community_id"):
            continue
        there = key.referred_table
        key_of_place = there.c.community_id if "community_id" in there.c else there.c.id
        found = (await conn.execute(select(there).where(key_of_place == community))).all()
        assert found, f"{table.name} needs a row of {there.name}"
        other = found[led_to[there.name] % len(found)]  # two members of one row are two people
        led_to[there.name] += 1
        for element in key.elements:
            row[element.parent.name] = other._mapping[element.column.name]
    return row


def _allowed(table: Table, name: str) -> str | None:
    """The first of the words that a check allows in a column."""
    for check in table.constraints:
        if isinstance(check, CheckConstraint):
            found = re.search(rf"\b{name} IN \('([^']*)'", str(check.sqltext))
            if found:
                return found[1]
    return None


def _value(kind: Any, place: int, allowed: str | None) -> Any:
    values: dict[type, Any] = {
        Id: uuid4(),
        Words: f"word {place}" if allowed is None else allowed,
        Count: 1,
        MinutesType: Minutes(1),
        Flag: False,
        Day: START.date(),
        Instant: START + timedelta(seconds=place),  # in the order of the columns
        Json: [],
        Hash: b"\x01" * 32,
    }
    return values[type(kind)]
