"""One page of the inbox: all sources together, what has waited longest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    and_,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.chain import microseconds
from ledger.sql.types import Id, Instant, Words
from timebank import acting, agreements, keeping_apart, policy
from timebank.agreements import Terms
from timebank.errors import Forbidden, NotFound
from timebank.inbox import aside, in_hand
from timebank.inbox.in_hand import InHand
from timebank.inbox.source import Act, Desk, Finds, Reads, Source, Thing, Touch, Why
from timebank.inbox.sources import BY_WHY, SOURCES
from timebank.moment import Moment

MOST_WORDS = 6
"""So many words of a search are looked for; the rest is not."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that waits, since then (UTC). `thing` is what its source's reader found.

    `aside` is who put it aside the last time, if it was; `in_hand` who is on it now.
    """

    why: Why
    id: UUID
    since: datetime
    thing: object
    in_hand: InHand | None
    aside: Touch | None
    acts: frozenset[Act]

    @property
    def key(self) -> Thing:
        """The thing as a form names it."""
        return Thing(self.why, self.id)


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of what waits. `counts` and `oldest_at` (UTC) are of all of it, not of this page.

    `next_after` asks for the page below; None on the last one.
    """

    rows: tuple[Row, ...]
    counts: Mapping[Why, int]
    oldest_at: datetime | None
    next_after: str | None

    @property
    def total(self) -> int:
        """How many things wait."""
        return sum(self.counts.values())


async def page(
    conn: AsyncConnection,
    community: UUID,
    *,
    by: UUID,
    why: Why | None = None,
    search: str = "",
    after: str | None = None,
    limit: int = 50,
    now: Moment,
) -> Inbox:
    """What waits, oldest first, in a number of queries that does not depend on how much it is.

    For coordinators (`Forbidden`). `why` asks for one kind, `search` for things in which each of
    its words is found. `after` is `next_after` of the page above; `NotFound` when it is something
    else.
    """
    desk = await at_desk(conn, community, by=by, now=now)
    waits = _waits(community, desk.terms, now, SOURCES)
    query = (
        select(waits.c.why, waits.c.id, waits.c.since)
        .where(*(_found(community, word, waits) for word in search.split()[:MOST_WORDS]))
        .order_by(waits.c.since, waits.c.why, waits.c.id)
        .limit(limit + 1)
    )
    if why is not None:
        query = query.where(waits.c.why == why.value)
    if after is not None:
        query = query.where(tuple_(waits.c.since, waits.c.why, waits.c.id) > _place(after))
    counts, oldest, found = await _both(conn, waits, query.subquery())
    shown = found[:limit]
    return Inbox(
        rows=tuple(await _rows(conn, community, dict(shown), desk)),
        counts=counts,
        oldest_at=oldest,
        next_after=_after(*shown[-1]) if len(found) > limit else None,
    )


async def count(
    conn: AsyncConnection, community: UUID, *, terms: Terms | None = None, now: Moment
) -> int:
    """How many things wait for a coordinator; `terms` are those in force, if they are known."""
    if terms is None:
        terms = (await agreements.current(conn, community)).terms
    counts, _ = await _summary(conn, _waits(community, terms, now, SOURCES))
    return sum(counts.values())


async def counts(
    conn: AsyncConnection, community: UUID, *, now: Moment
) -> tuple[dict[Why, int], datetime | None]:
    """How many things of each kind wait, and since when (UTC) the oldest."""
    terms = (await agreements.current(conn, community)).terms
    return await _summary(conn, _waits(community, terms, now, SOURCES))


async def things(
    conn: AsyncConnection, community: UUID, wanted: Sequence[Thing], *, by: UUID, now: Moment
) -> list[Row]:
    """Those of these things that still wait, in the order asked for. For coordinators."""
    desk = await at_desk(conn, community, by=by, now=now)
    sources = [BY_WHY[why] for why in dict.fromkeys(thing.why for thing in wanted)]
    if not sources:
        return []
    waits = _waits(community, desk.terms, now, sources)
    rows = await conn.execute(
        select(waits.c.why, waits.c.id, waits.c.since).where(
            waits.c.id.in_({thing.id for thing in wanted})
        )
    )
    since = {Thing(Why(row.why), row.id): row.since for row in rows}
    still = {thing: since[thing] for thing in wanted if thing in since}
    return await _rows(conn, community, still, desk)


async def oldest(
    conn: AsyncConnection, community: UUID, why: Why, limit: int, *, by: UUID, now: Moment
) -> list[Row]:
    """The things of one kind that have waited longest. For coordinators."""
    found = await page(conn, community, by=by, why=why, limit=limit, now=now)
    return list(found.rows)


async def at_desk(conn: AsyncConnection, community: UUID, *, by: UUID, now: Moment) -> Desk:
    """Who reads the inbox and under which terms; `Forbidden` for those who do not coordinate."""
    actor = await acting.one(conn, community, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden("inbox")
    terms = (await agreements.current(conn, community)).terms
    coordinators = select(acting.number_of_coordinators(community).label("number")).subquery()
    apart = keeping_apart.others_of(community, by).subquery()
    rows = (
        await conn.execute(
            select(coordinators.c.number, apart.c.id).select_from(
                coordinators.outerjoin(apart, true())
            )
        )
    ).all()
    others = frozenset(row.id for row in rows if row.id is not None)
    return Desk(actor, terms, rows[0].number == 1, others, now)


def _waits(community: UUID, terms: Terms, now: Moment, sources: Sequence[Source]) -> CTE:
    """Everything that waits in these sources: why, id and since when.

    Found first and sorted then: to get it in order at once, SQLite would rather read all entries.
    """
    each = [_one_source(community, terms, now, source) for source in sources]
    return union_all(*each).cte("waits").prefix_with("MATERIALIZED")


def _one_source(community: UUID, terms: Terms, now: Moment, source: Source) -> Select[Any]:
    why = literal(source.why.value, Words).label("why")
    return source.waits(community, terms=terms, now=now).add_columns(why)


def _found(community: UUID, word: str, waits: CTE) -> ColumnElement[bool]:
    """Whether a word is in a thing, whatever it is. Sources that search alike are asked once."""
    alike: dict[Finds, list[str]] = {}
    for source in SOURCES:
        alike.setdefault(source.finds, []).append(source.why.value)
    return or_(
        *(
            and_(waits.c.why.in_(whys), finds(community, word, waits.c.id))
            for finds, whys in alike.items()
        )
    )


async def _summary(conn: AsyncConnection, waits: CTE) -> tuple[dict[Why, int], datetime | None]:
    number, oldest = func.count().label("number"), func.min(waits.c.since).label("since")
    rows = await conn.execute(select(waits.c.why, oldest, number).group_by(waits.c.why))
    return _summed(list(rows))


async def _both(
    conn: AsyncConnection, waits: CTE, wanted: Subquery
) -> tuple[dict[Why, int], datetime | None, list[tuple[Thing, datetime]]]:
    """The summary and the things on a page, so that what waits is found only once for both."""
    number, oldest = func.count().label("number"), func.min(waits.c.since).label("since")
    nothing = literal(None, Id).label("id")
    both = union_all(
        select(wanted.c.why, wanted.c.id, wanted.c.since, literal(0).label("number")),
        select(waits.c.why, nothing, oldest, number).group_by(waits.c.why),
    ).subquery()
    rows = list(await conn.execute(select(both).order_by(both.c.since, both.c.why, both.c.id)))
    things = [(Thing(Why(row.why), row.id), row.since) for row in rows if row.id is not None]
    return *_summed([row for row in rows if row.id is None]), things


def _summed(rows: Sequence[Any]) -> tuple[dict[Why, int], datetime | None]:
    found = {Why(row.why): row.number for row in rows}
    ordered = {source.why: found[source.why] for source in SOURCES if source.why in found}
    return ordered, min((row.since for row in rows), default=None)


async def _rows(
    conn: AsyncConnection, community: UUID, since: Mapping[Thing, datetime], desk: Desk
) -> list[Row]:
    """These things with all there is to show of them, in the same order."""
    read = await _read(conn, community, list(since), desk)
    taken = await in_hand.of(conn, community, read, now=desk.now)
    before = await aside.latest(conn, community, read)
    return [
        Row(*thing, at, read[thing], taken.get(thing), before.get(thing), BY_WHY[thing.why].acts)
        for thing, at in since.items()
        if thing in read
    ]


async def _read(
    conn: AsyncConnection, community: UUID, wanted: Sequence[Thing], desk: Desk
) -> dict[Thing, object]:
    """What there is to show of each: sources that share a reader are read together."""
    together: dict[Reads, list[Thing]] = {}
    for thing in wanted:
        together.setdefault(BY_WHY[thing.why].read, []).append(thing)
    found: dict[Thing, object] = {}
    for read, some in together.items():
        known = await read(conn, community, [thing.id for thing in some], desk)
        found |= {thing: known[thing.id] for thing in some if thing.id in known}
    return found


def _after(thing: Thing, since: datetime) -> str:
    """A place in the list, for an address: the moment in microseconds, why, and the id."""
    return f"{microseconds(since)}-{thing.why}-{thing.id.hex}"


def _place(after: str) -> Any:
    parts = after.split("-")
    try:
        moment, why, id = parts
        if not (moment.isascii() and moment.isdigit() and len(moment) <= 17 and len(id) == 32):
            raise ValueError(after)
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment))
        return tuple_(
            literal(at, Instant), literal(Why(why).value, Words), literal(UUID(hex=id), Id)
        )
    except (ValueError, OverflowError):
        raise NotFound("page") from None
