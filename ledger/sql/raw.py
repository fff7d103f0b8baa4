"""Statements past SQLAlchemy's types, where each microsecond counts: pages, balances, proofs.

A query is written once for both databases, with $1, $2, … for its values. What it finds comes as
the driver has it: see `Spelling` for what SQLite keeps otherwise than PostgreSQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.chain import microseconds
from ledger.proof import Row

CHUNK = 2000
"""Rows of a journal read at once: a round trip costs nothing then, and few have to be held."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Spelling(NamedTuple):
    """How to read what a driver has for ids, days and moments."""

    id: Callable[[Any], UUID]
    day: Callable[[Any], date]
    moment: Callable[[Any], datetime]


_SPELLINGS = {
    "sqlite": Spelling(
        lambda id: UUID(bytes=id),
        date.fromisoformat,
        lambda at: _EPOCH + timedelta(microseconds=at),
    ),
    "postgresql": Spelling(lambda id: id, lambda day: day, lambda at: at),
}


def spelling(conn: AsyncConnection) -> Spelling:
    """How the driver of this connection spells ids, days and moments."""
    return _SPELLINGS[conn.dialect.name]


def spelled(conn: AsyncConnection, moment: datetime) -> Any:
    """A moment as the driver of this connection has it, to be compared with what was found."""
    return _for_sqlite(moment) if conn.dialect.name == "sqlite" else moment


async def ask(conn: AsyncConnection, query: str, *values: object) -> Sequence[Any]:
    """What a query finds. Its values, $1 to the last, may be numbers, texts, ids, days, moments."""
    if conn.dialect.name == "sqlite":
        found = await conn.exec_driver_sql(query.replace("$", "?"), tuple(map(_for_sqlite, values)))
    else:
        found = await conn.exec_driver_sql(query, values)
    return found.all()


async def many(conn: AsyncConnection, query: str, *values: object) -> Sequence[Any]:
    """The same for a great many rows: each just as the driver has it, nothing made around it."""
    if conn.dialect.name == "sqlite":
        found = await conn.exec_driver_sql(query.replace("$", "?"), tuple(map(_for_sqlite, values)))
    else:
        found = await conn.exec_driver_sql(query, values)
    assert found.cursor is not None, "it asks for rows"
    rows: Sequence[Any] = found.cursor.fetchall()
    found.close()
    return rows


async def ask_for(
    conn: AsyncConnection, query: str, community: UUID, ids: Sequence[Any], *values: object
) -> Sequence[Any]:
    """What a query finds for a community ($1) and a column that is one of `ids` ("IN ids").

    These ids are as the driver gives them: bytes on SQLite, UUIDs on PostgreSQL. Further values,
    from $3 on, are as in `ask`.
    """
    if conn.dialect.name == "sqlite":
        first = 3 + len(values)
        marks = ", ".join(f"?{number}" for number in range(first, first + len(ids)))
        query = query.replace("$", "?").replace("IN ids", f"IN ({marks})")
        bound = (community.bytes, None, *map(_for_sqlite, values), *ids)
        return (await conn.exec_driver_sql(query, bound)).all()
    query = query.replace("IN ids", "= ANY ($2::uuid[])")
    return (await conn.exec_driver_sql(query, (community, ids, *values))).all()


def _for_sqlite(value: object) -> object:
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, datetime):
        return microseconds(value)
    return value.isoformat() if isinstance(value, date) else value


# SQLite keeps whatever text was put there by hand: as bytes, it can always be read.
_COLUMNS = """
    community_id, seq, entry_id, position, source_id, destination_id, minutes, {day}, posted_at,
    source_line, source_balance, destination_line, destination_balance, reverses_id, commitment,
    previous, hash
"""
_DAY = {"sqlite": "CAST(occurred_on AS BLOB)", "postgresql": "occurred_on"}


async def journal(conn: AsyncConnection, community: UUID) -> AsyncIterator[list[Row]]:
    """The journal in its order, some thousand rows at a time."""
    columns, row_of = _COLUMNS.format(day=_DAY[conn.dialect.name]), _row_of(conn)
    query = f"""
        SELECT {columns} FROM transfer
        WHERE community_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq
    """  # noqa: S608 - composed of constants
    async for rows in in_order(conn, query, community):
        yield [row_of(values) for values in rows]


async def in_order(
    conn: AsyncConnection, query: str, community: UUID
) -> AsyncIterator[Sequence[Any]]:
    """What a query finds for all transfers of a community ($1), numbered above $2 up to $3.

    Both ends are named, and there is no limit: else PostgreSQL, which cannot know that row-level
    security lets all of them pass, may read and sort the whole journal each time. Where numbers are
    missing, the next one there is looked for.
    """
    after = 0
    while True:
        rows = await ask(conn, query, community, after, after + CHUNK)
        if rows:
            yield rows
            after += CHUNK
            continue
        ((following,),) = await ask(conn, _NEXT, community, after)
        if following is None:
            return
        after = following - 1


_NEXT = "SELECT min(seq) FROM transfer WHERE community_id = $1 AND seq > $2"


async def entries(
    conn: AsyncConnection, community: UUID, ids: Iterable[bytes]
) -> dict[bytes, list[Row]]:
    """The rows of these entries; an entry that is not in the journal is left out."""
    columns, row_of = _COLUMNS.format(day=_DAY[conn.dialect.name]), _row_of(conn)
    query = f"SELECT {columns} FROM transfer WHERE community_id = $1 AND entry_id IN ids"  # noqa: S608
    found: dict[bytes, list[Row]] = {}
    wanted = list(ids) if conn.dialect.name == "sqlite" else [UUID(bytes=id) for id in ids]
    rows = [row_of(values) for values in await ask_for(conn, query, community, wanted)]
    for row in sorted(rows, key=lambda row: row.seq):
        found.setdefault(row.entry_id, []).append(row)
    return found


def _row_of(conn: AsyncConnection) -> Any:
    return Row._make if conn.dialect.name == "sqlite" else _from_postgres


def _from_postgres(values: Any) -> Row:
    row = list(values)
    for id in (0, 2, 4, 5):
        row[id] = row[id].bytes
    row[7] = _spelled(row[7])
    row[8] = (row[8] - _EPOCH) // _MICROSECOND
    row[13] = None if row[13] is None else row[13].bytes
    return Row._make(row)


@lru_cache(4096)
def _spelled(day: date) -> bytes:
    return day.isoformat().encode("ascii")
