"""Reading what reports are made of, in a number of queries that does not depend on how much it is.

Statements go to the driver as they are, because a year can have hundreds of thousands of rows; ids
and days stay as the driver has them until they are shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import raw
from timebank.communities import Community
from timebank.entry import Kind
from timebank.figures import Hat, Sums, Who
from timebank.members import MemberKind
from timebank.periods import Period
from timebank.settled_hours import Settled, Side, within
from timebank.text import fold

_PIECES = 4  # a longer period is read in so many pieces, so that others get their turn between
_AT_ONCE = 5_000  # ids in one question
_GIFTS = ", ".join(f"'{kind.value}'" for kind in Kind if kind.is_gift)

# What counts. What was undone within the period counts in it neither way, and gatherings are told
# by their settlements.
_COUNTS = f"""
    WHERE entry.community_id = $1 AND entry.counted_on >= $2 AND entry.counted_on <= $3
        AND entry.reverses_id IS NULL AND entry.kind NOT IN ({_GIFTS})
        AND (entry.reversed_by_id IS NULL OR EXISTS (
            SELECT 1 FROM entry AS undoing WHERE undoing.community_id = entry.community_id
            AND undoing.id = entry.reversed_by_id AND undoing.counted_on > $4))
        AND NOT EXISTS (
            SELECT 1 FROM settlement WHERE settlement.community_id = entry.community_id
            AND settlement.entry_id = entry.id)
"""  # noqa: S608 - composed of constants
_PARTS = f"""
    SELECT entry.id, entry.kind, entry.category_id, entry.occurred_on, entry.counted_on,
        part.account_id, part.side, part.minutes
    FROM entry
    JOIN part ON part.community_id = entry.community_id AND part.entry_id = entry.id
    {_COUNTS}
    ORDER BY entry.counted_on, entry.id
"""  # noqa: S608

# What was undone in the period, of what was counted before it.
_TAKEN_BACK = f"""
    SELECT undone.id, undone.kind, undone.category_id, undone.occurred_on, entry.counted_on,
        part.account_id, part.side, part.minutes
    FROM entry
    JOIN entry AS undone
        ON undone.community_id = entry.community_id AND undone.id = entry.reverses_id
    JOIN part ON part.community_id = entry.community_id AND part.entry_id = entry.id
    WHERE entry.community_id = $1 AND entry.counted_on >= $2 AND entry.counted_on <= $3
        AND undone.counted_on < $2 AND undone.kind NOT IN ({_GIFTS})
        AND NOT EXISTS (
            SELECT 1 FROM settlement WHERE settlement.community_id = undone.community_id
            AND settlement.entry_id = undone.id)
    ORDER BY entry.counted_on, undone.id
"""  # noqa: S608

_SETTLEMENTS = """
    SELECT settlement.gathering_id, settlement.number, entry.category_id, entry.occurred_on,
        entry.counted_on, entry.posted_at, undoing.counted_on, undoing.posted_at
    FROM settlement
    JOIN entry
        ON entry.community_id = settlement.community_id AND entry.id = settlement.entry_id
    LEFT JOIN entry AS undoing
        ON undoing.community_id = entry.community_id AND undoing.id = entry.reversed_by_id
    WHERE settlement.community_id = $1 AND entry.counted_on IS NOT NULL
        AND settlement.gathering_id IN (
            SELECT other.gathering_id FROM settlement AS other
            JOIN entry AS its
                ON its.community_id = other.community_id
                AND its.id = other.entry_id
            LEFT JOIN entry AS undone
                ON undone.community_id = its.community_id AND undone.id = its.reversed_by_id
            WHERE other.community_id = $1 AND (
                (its.counted_on >= $2 AND its.counted_on <= $3)
                OR (undone.counted_on >= $2 AND undone.counted_on <= $3)))
    ORDER BY settlement.gathering_id, settlement.number
"""
_LINES = """
    SELECT gathering_id, number, account_id, kind, side, minutes
    FROM settlement_line WHERE community_id = $1 AND gathering_id IN ids
"""

_MEMBERS = "SELECT id, kind, area, joined_at FROM member WHERE community_id = $1"
_HATS = """
    SELECT member_id, organisation_id, since, until FROM affiliation
    WHERE community_id = $1 AND organisation_id IS NOT NULL AND since <= $2
    ORDER BY since, id
"""
_HOUSES = """
    SELECT member.id, member.name, sector.id, sector.name, sector.position
    FROM member
    LEFT JOIN organisation
        ON organisation.community_id = member.community_id AND organisation.id = member.id
    LEFT JOIN sector
        ON sector.community_id = member.community_id AND sector.id = organisation.sector_id
    WHERE member.community_id = $1 AND member.kind = 'organisation'
"""
_CATEGORIES = "SELECT id, name, position FROM category WHERE community_id = $1"

_BEFORE = """
    SELECT count(*) FROM (
        SELECT 1 FROM entry WHERE community_id = $1 AND counted_on < $2 LIMIT $3
    ) AS before
"""
_KNOWN = f"""
    SELECT DISTINCT part.account_id FROM entry
    JOIN part ON part.community_id = entry.community_id AND part.entry_id = entry.id
    WHERE entry.community_id = $1 AND entry.counted_on < $2 AND entry.reverses_id IS NULL
        AND entry.reversed_by_id IS NULL AND entry.kind NOT IN ({_GIFTS})
"""  # noqa: S608

# Of these people, those who exchanged nothing before the period.
_FIRST = f"""
    SELECT member.id FROM member
    WHERE member.community_id = $1 AND member.id IN ids AND NOT EXISTS (
        SELECT 1 FROM part
        WHERE part.community_id = member.community_id AND part.account_id = member.id AND EXISTS (
            SELECT 1 FROM entry
            WHERE entry.community_id = part.community_id AND entry.id = part.entry_id
                AND entry.counted_on < $3 AND entry.reverses_id IS NULL
                AND entry.reversed_by_id IS NULL AND entry.kind NOT IN ({_GIFTS})))
"""  # noqa: S608
_WAITED = f"""
    SELECT {{waited}} AS waited FROM entry
    {_COUNTS}
    ORDER BY waited LIMIT 1 OFFSET $5
"""  # noqa: S608
_SECONDS = {
    "sqlite": "(entry.posted_at - entry.recorded_at) / 1000000",
    "postgresql": "floor(extract(epoch FROM entry.posted_at - entry.recorded_at))",
}

_REQUESTS = """
    SELECT listing.member_id, CASE WHEN EXISTS (
            SELECT 1 FROM listing_answer WHERE listing_answer.community_id = listing.community_id
            AND listing_answer.listing_id = listing.id) THEN 1 ELSE 0 END
    FROM listing
    WHERE listing.community_id = $1 AND listing.kind = 'request'
        AND listing.written_at >= $2 AND listing.written_at < $3
"""
_GATHERINGS = """
    SELECT gathering.id, COALESCE(seat.member_id, seat.id)
    FROM gathering
    LEFT JOIN seat ON seat.community_id = gathering.community_id
        AND seat.gathering_id = gathering.id AND seat.present > 0
    WHERE gathering.community_id = $1 AND gathering.state IN ('held', 'settled')
        AND gathering.starts_at >= $2 AND gathering.starts_at < $3
"""


@dataclass(frozen=True, slots=True)
class House:
    """An organisation, and its sector if it has one."""

    name: str
    sector: Any
    sector_name: str
    sector_position: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the report of a period is made of.

    `areas` says how each is written, `categories` in which order they come. `first` are the people
    who exchanged for the first time, `days_to_first` how many days after they joined.
    """

    sums: Sums
    taken_back: Sums
    areas: dict[str, str]
    houses: dict[Any, House]
    categories: dict[Any, str]
    joined: Set[Any]
    houses_joined: int
    first: Set[Any]
    days_to_first: Sequence[int]
    waits: int
    seconds_waited: int | None
    requests: Sequence[tuple[Any, bool]]
    gatherings: int
    came: int


async def read(conn: AsyncConnection, place: Community, period: Period) -> Facts:
    """The facts of a period, as they are known now. Says nothing about who may see them."""
    spelled = raw.spelling(conn)
    day_of = cache(spelled.day)
    who, areas, joined_at = await _members(conn, place.id)
    hats = await _hats(conn, place.id, period, day_of)
    sums, back = Sums(who, hats, day_of), Sums(who, hats, day_of)
    for piece in period.split(min(_PIECES, len(list(period.months)))):
        days = (piece.first, piece.last)
        sums.take(await raw.many(conn, _PARTS, place.id, *days, period.last))
    waits = sums.exchanges
    back.take(await raw.ask(conn, _TAKEN_BACK, place.id, period.first, period.last))
    for taken, into in zip(await _settled(conn, place.id, period), (sums, back), strict=True):
        into.take(taken)
    sums.close()
    back.close()
    first = await _first(conn, place.id, sums, period)
    return Facts(
        sums=sums,
        taken_back=back,
        areas=areas,
        houses=await _houses(conn, place.id),
        categories=await _categories(conn, place.id),
        first=first,
        days_to_first=_days_to_first(conn, place, sums, first, joined_at),
        **_joined(conn, who, joined_at, place, period),
        waits=waits,
        seconds_waited=await _waited(conn, place.id, period, waits),
        **await _beside(conn, place, period),
    )


async def _members(
    conn: AsyncConnection, community: UUID
) -> tuple[dict[Any, Who], dict[str, str], dict[Any, Any]]:
    """Everyone by id, how each area is written most often, and when people joined (or None)."""
    written: defaultdict[str, Counter[str]] = defaultdict(Counter)
    folded = cache(fold)
    who: dict[Any, Who] = {}
    joined_at: dict[Any, Any] = {}
    for id, kind, area, at in await raw.many(conn, _MEMBERS, community):
        key = folded(area)
        written[key][area] += 1
        who[id] = Who(kind, key)
        joined_at[id] = at
    spelled = {key: max(sorted(many), key=many.__getitem__) for key, many in written.items()}
    return who, spelled, joined_at


async def _hats(
    conn: AsyncConnection, community: UUID, period: Period, day_of: Callable[[Any], date]
) -> dict[Any, list[Hat]]:
    found: defaultdict[Any, list[Hat]] = defaultdict(list)
    for member, organisation, since, until in await raw.many(conn, _HATS, community, period.last):
        last = None if until is None else day_of(until)
        found[member].append(Hat(organisation, day_of(since), last))
    return dict(found)


async def _settled(
    conn: AsyncConnection, community: UUID, period: Period
) -> tuple[list[Any], list[Any]]:
    """What was given in gatherings, and what was taken back of it."""
    rows = await raw.ask(conn, _SETTLEMENTS, community, period.first, period.last)
    settlements = [Settled(*row) for row in rows]
    lines: defaultdict[tuple[Any, int], Counter[Side]] = defaultdict(Counter)
    wanted = list({one.gathering for one in settlements})
    for some in _some(wanted):
        for gathering, number, account, kind, side, minutes in await raw.ask_for(
            conn, _LINES, community, some
        ):
            if not Kind(kind).is_gift:
                lines[gathering, number][account, kind, side] += minutes
    first, last = period.first, period.last
    if conn.dialect.name == "sqlite":
        return within(settlements, lines, first.isoformat(), last.isoformat())
    return within(settlements, lines, first, last)


async def _first(conn: AsyncConnection, community: UUID, sums: Sums, period: Period) -> set[Any]:
    """Those of the people in it who exchanged for the first time.

    Either everyone who did so before is read, or each of these people is asked about: whatever is
    less in a young community, or in an old one.
    """
    people = sums.gave | sums.received
    enough = sums.exchanges + 1  # no need to count on
    ((before,),) = await raw.ask(conn, _BEFORE, community, period.first, enough)
    if before < enough:
        known = await raw.many(conn, _KNOWN, community, period.first)
        return people.difference(id for (id,) in known)
    found: set[Any] = set()
    for some in _some(list(people)):
        rows = await raw.ask_for(conn, _FIRST, community, some, period.first)
        found.update(id for (id,) in rows)
    return found


def _days_to_first(
    conn: AsyncConnection,
    place: Community,
    sums: Sums,
    first: Set[Any],
    joined_at: Mapping[Any, Any],
) -> list[int]:
    """From joining to the first exchange, in days; none for who exchanged before joining."""
    moment = raw.spelling(conn).moment
    joined = {id: joined_at[id] for id in first if joined_at[id] is not None}
    return sorted(
        max(0, (sums.day_of(sums.began[id]) - place.day_of(moment(at))).days)
        for id, at in joined.items()
    )


def _joined(
    conn: AsyncConnection,
    who: Mapping[Any, Who],
    joined_at: Mapping[Any, Any],
    place: Community,
    period: Period,
) -> dict[str, Any]:
    """Who joined in the period."""
    begin, end = (raw.spelled(conn, moment) for moment in _moments(place, period))
    new = [id for id, at in joined_at.items() if at is not None and begin <= at < end]
    people = {id for id in new if who[id].kind == MemberKind.PERSON.value}
    return {"joined": people, "houses_joined": len(new) - len(people)}


async def _houses(conn: AsyncConnection, community: UUID) -> dict[Any, House]:
    return {
        id: House(name, sector, sector_name or "", position or 0)
        for id, name, sector, sector_name, position in await raw.ask(conn, _HOUSES, community)
    }


async def _categories(conn: AsyncConnection, community: UUID) -> dict[Any, str]:
    rows = await raw.ask(conn, _CATEGORIES, community)
    return {id: name for id, name, _ in sorted(rows, key=lambda row: (row[2], row[1]))}


async def _waited(conn: AsyncConnection, community: UUID, period: Period, many: int) -> int | None:
    """Within how many seconds half of so many entries counted, from when they were recorded."""
    if not many:
        return None
    query = _WAITED.format(waited=_SECONDS[conn.dialect.name])
    days = (period.first, period.last, period.last)
    ((seconds,),) = await raw.ask(conn, query, community, *days, (many - 1) // 2)
    return int(seconds)


async def _beside(conn: AsyncConnection, place: Community, period: Period) -> dict[str, Any]:
    """What happened besides exchanges: requests with or without an answer, gatherings."""
    moments = _moments(place, period)
    requests = await raw.ask(conn, _REQUESTS, place.id, *moments)
    gatherings = await raw.ask(conn, _GATHERINGS, place.id, *moments)
    return {
        "requests": [(owner, bool(answered)) for owner, answered in requests],
        "gatherings": len({gathering for gathering, _ in gatherings}),
        "came": len({person for _, person in gatherings if person is not None}),
    }


def _moments(place: Community, period: Period) -> tuple[datetime, datetime]:
    """When a period begins, and when what follows it begins."""
    return place.begins(period.first), place.begins(period.after)


def _some(ids: Sequence[Any]) -> list[Sequence[Any]]:
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
