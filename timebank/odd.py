"""What looks odd about an entry that waits, so that somebody looks twice. It stops nobody.

    twice    the same people, day and minutes were written down before
    much     far more than somebody usually gives or receives, by their own median
    long     more than twelve hours for one person on one day
    late     the day is long past

An entry is looked at when it is written down and when it is corrected; the inbox only reads what
was noted then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from statistics import median_low
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import metadata
from ledger.sql.types import Id, MinutesType, Words
from timebank.communities import communities
from timebank.entries import entries, parts
from timebank.entry import Entry, Part, Side, State
from timebank.members import members
from timebank.moment import Moment

LONG_PAST = timedelta(days=60)
"""An entry written down so long after its day looks odd."""

WHOLE_DAY = Minutes(12 * 60)
"""More than this on one day, for one person, looks odd."""

_FEWEST = 5  # entries before we know what is usual for somebody
_LATEST = 50  # and of no more than these
_LOOKED_AT = 20  # people; where there are more, hours are a gathering's and no slip of the pen
_TIMES, _MORE = 3, Minutes(120)  # far more: over three times as much, and over two hours more


class Oddity(StrEnum):
    """What looks odd."""

    TWICE = "twice"
    MUCH = "much"
    LONG = "long"
    LATE = "late"


oddities = Table(
    "oddity",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("what", Words, primary_key=True),
    Column("other_id", Id),  # twice: the one that was there before
    Column("account_id", Id),  # much, long: whose
    Column("usual", MinutesType),  # much: their median
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "other_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "account_id"], ["account.community_id", "account.id"]),
    CheckConstraint("what IN ('twice', 'much', 'long', 'late')", name="what"),
    Index("ix_oddity_other", "community_id", "other_id"),
    sqlite_strict=True,
)

_GONE = (State.WITHDRAWN.value, State.DECLINED.value, State.REVERSED.value)
_OTHER = entries.alias("other")


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that looks odd, with its facts.

    `other_id` is the entry that says the same, and `other_waits` whether that one waits as well;
    `name` and `usual` (minutes) say for whom it is far more than usual.
    """

    what: Oddity
    other_id: UUID | None = None
    other_waits: bool = False
    name: str = ""
    usual: Minutes | None = None


# ── What is odd ──────────────────────────────────────────────────────────────────────────────────


def far_more(minutes: Minutes, earlier: Sequence[Minutes]) -> Minutes | None:
    """What is usual for somebody, if this is far more; None if not, or if we hardly know them.

    Usual is the median of what they gave (or received) before: half of it was less.
    """
    if len(earlier) < _FEWEST:
        return None
    usual = median_low(earlier)
    far = minutes.count > _TIMES * usual.count and minutes > usual + _MORE
    return usual if far else None


def long_past(day: date, written_on: date) -> bool:
    """Whether an entry was written down long after its day."""
    return written_on - day > LONG_PAST


# ── Noting it ────────────────────────────────────────────────────────────────────────────────────


async def look(conn: AsyncConnection, entry: Entry, *, timezone: str, now: Moment) -> None:
    """Note what looks odd about an entry just written down or corrected, and nothing older.

    In a number of queries that does not depend on how many take part.
    """
    community = entry.community_id
    await conn.execute(
        delete(oddities).where(
            oddities.c.community_id == community, oddities.c.entry_id == entry.id
        )
    )
    rows: list[dict[str, Any]] = []
    twin = await _twin(conn, entry)
    if twin is not None:
        rows.append({"what": Oddity.TWICE.value, "other_id": twin})
    if not entry.kind.is_gift:  # hours that are given are nobody's time
        rows += await _too_long(conn, entry)
    if long_past(entry.occurred_on, now.day_in(timezone)):
        rows.append({"what": Oddity.LATE.value})
    empty = {"other_id": None, "account_id": None, "usual": None}
    whose = {"community_id": community, "entry_id": entry.id}
    if rows:
        await conn.execute(insert(oddities), [whose | empty | row for row in rows])


async def _twin(conn: AsyncConnection, entry: Entry) -> UUID | None:
    """An earlier entry with the same people on the same sides, the same day and minutes."""
    mine = {(part.account_id, part.side.value, part.minutes) for part in entry.parts}
    # Entries of that day are found first and on their own: without figures about its tables,
    # SQLite would rather begin with everybody's parts.
    alike = (
        select(entries.c.id, entries.c.recorded_at)
        .where(
            entries.c.community_id == entry.community_id,
            entries.c.occurred_on == entry.occurred_on,
            entries.c.minutes == entry.minutes,
            entries.c.id != entry.id,
            entries.c.state.not_in(_GONE),
            entries.c.reverses_id.is_(None),
            entries.c.recorded_at <= entry.recorded_at,
        )
        .cte("alike")
        .prefix_with("MATERIALIZED")
    )
    rows = await conn.execute(
        select(alike.c.id, parts.c.account_id, parts.c.side, parts.c.minutes)
        .join(
            parts,
            and_(parts.c.community_id == entry.community_id, parts.c.entry_id == alike.c.id),
        )
        .order_by(alike.c.recorded_at, alike.c.id)
    )
    found: dict[UUID, set[Any]] = {}
    for row in rows:
        found.setdefault(row.id, set()).add((row.account_id, row.side, row.minutes))
    return next((id for id, theirs in found.items() if theirs == mine), None)


async def _too_long(conn: AsyncConnection, entry: Entry) -> list[dict[str, Any]]:
    """Whose minutes are far above what is usual for them, and who gave for more than half a day."""
    people = {
        part.account_id: part for part in entry.parts if part.account_id != entry.community_id
    }
    if not people:
        return []
    earlier = await _earlier(conn, entry, people)
    much = [
        (part.minutes - usual, id, usual)
        for id, part in people.items()
        if (usual := far_more(part.minutes, earlier.get(id, ()))) is not None
    ]
    given = [
        (part.minutes, id)
        for id, part in people.items()
        if part.side is Side.GAVE and part.minutes > WHOLE_DAY
    ]
    rows: list[dict[str, Any]] = []
    if much:
        _, id, usual = max(much)
        rows.append({"what": Oddity.MUCH.value, "account_id": id, "usual": usual})
    if given:
        rows.append({"what": Oddity.LONG.value, "account_id": max(given)[1]})
    return rows


async def _earlier(
    conn: AsyncConnection, entry: Entry, mine: Mapping[UUID, Part]
) -> dict[UUID, list[Minutes]]:
    """What each of these gave (or received) in their latest approved entries, on the same side."""
    # Ids grow with time, so the index on who stands in what hands out the latest ones first.
    latest = [
        select(parts.c.account_id, parts.c.minutes)
        .join(
            entries,
            and_(entries.c.community_id == parts.c.community_id, entries.c.id == parts.c.entry_id),
        )
        .where(
            parts.c.community_id == entry.community_id,
            parts.c.account_id == id,
            parts.c.awaited.is_(False),
            parts.c.side == part.side.value,
            entries.c.state == State.APPROVED.value,
            entries.c.reverses_id.is_(None),
        )
        .order_by(parts.c.entry_id.desc())
        .limit(_LATEST)
        .subquery()
        for id, part in sorted(mine.items())[:_LOOKED_AT]
    ]
    found: dict[UUID, list[Minutes]] = {}
    for row in await conn.execute(union_all(*(select(one) for one in latest))):
        found.setdefault(row.account_id, []).append(row.minutes)
    return found


# ── Reading it ───────────────────────────────────────────────────────────────────────────────────


def looks_odd(entry: Any) -> ColumnElement[bool]:
    """The condition that something about an entry (a row of `entries`) still looks odd."""
    return exists(
        select(oddities.c.what)
        .outerjoin(
            _OTHER,
            and_(
                _OTHER.c.community_id == oddities.c.community_id, _OTHER.c.id == oddities.c.other_id
            ),
        )
        .where(
            oddities.c.community_id == entry.c.community_id,
            oddities.c.entry_id == entry.c.id,
            or_(oddities.c.other_id.is_(None), _OTHER.c.state.not_in(_GONE)),
        )
        .correlate_except(oddities, _OTHER)
    )


async def reasons(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[Reason]]:
    """What looks odd about these entries, in one query.

    An entry that somebody wrote down once more afterwards is odd as well, when one looks at it.
    """
    own = select(
        oddities.c.entry_id,
        oddities.c.what,
        oddities.c.other_id,
        oddities.c.account_id,
        oddities.c.usual,
    ).where(oddities.c.community_id == community, oddities.c.entry_id.in_(set(ids)))
    again = select(
        oddities.c.other_id, oddities.c.what, oddities.c.entry_id, oddities.c.account_id,
        oddities.c.usual,
    ).where(oddities.c.community_id == community, oddities.c.other_id.in_(set(ids)))  # fmt: skip
    all_ = union_all(own, again).subquery()
    rows = await conn.execute(
        select(
            all_,
            _OTHER.c.state.label("other_state"),
            func.coalesce(members.c.name, communities.c.name).label("name"),
        )
        .outerjoin(_OTHER, and_(_OTHER.c.community_id == community, _OTHER.c.id == all_.c.other_id))
        .outerjoin(
            members, and_(members.c.community_id == community, members.c.id == all_.c.account_id)
        )
        .outerjoin(communities, communities.c.id == all_.c.account_id)
    )
    found: dict[UUID, list[Reason]] = {}
    for row in rows:
        if row.other_id is not None and row.other_state in _GONE:
            continue
        reason = Reason(
            Oddity(row.what),
            row.other_id,
            row.other_state not in (None, State.APPROVED.value),
            row.name or "",
            row.usual,
        )
        found.setdefault(row.entry_id, []).append(reason)
    order = list(Oddity)
    return {id: sorted(some, key=lambda one: order.index(one.what)) for id, some in found.items()}
