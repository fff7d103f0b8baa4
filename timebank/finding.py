"""Finding any entry of a community, for coordinators: by a name, words of the note, days, states.

The latest days are looked through first: what is common is found there at once. Only what is rare
is looked for in all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql.types import Day, Id
from timebank import acting, policy
from timebank.communities import categories
from timebank.entries import entries, load, parts
from timebank.entry import Entry, State
from timebank.errors import Forbidden, NotFound
from timebank.members import members
from timebank.text import fold, like

MOST_WORDS = 6
"""So many words of a search are looked for; the rest is not."""

_LATEST = 5000  # entries that are looked through first
_CHUNK = 500  # entries read at a time where all of them are asked for


@dataclass(frozen=True, slots=True)
class Found:
    """Entries by their day, the latest first. `next_before` asks for the page below, or is None."""

    entries: tuple[Entry, ...]
    next_before: str | None


async def find(
    conn: AsyncConnection,
    community: UUID,
    *,
    by: UUID,
    search: str = "",
    first_day: date | None = None,
    last_day: date | None = None,
    states: Collection[State] = (),
    before: str | None = None,
    limit: int = 50,
) -> Found:
    """Entries in which each word is found: in the note, the category, or somebody's name.

    For coordinators (`Forbidden`). Days, both included, are those on which it happened; no `states`
    are all of them. `before` is `next_before` of the page above, or `NotFound`.
    """
    actor = await acting.one(conn, community, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden("find")
    asked = _asked(community, first_day, last_day, states, before)
    words = search.split()[:MOST_WORDS]
    ids = await _matching(conn, community, asked, words, limit + 1)
    found = await load(conn, community, ids[:limit])
    return Found(tuple(found), _place_of(found[-1]) if len(ids) > limit else None)


async def every(
    conn: AsyncConnection, community: UUID, *, by: UUID, **narrowed: Any
) -> AsyncIterator[Entry]:
    """All that `find` would show page by page; `narrowed` is what it takes. Raises the same."""
    before: str | None = None
    while True:
        page = await find(conn, community, by=by, before=before, limit=_CHUNK, **narrowed)
        for entry in page.entries:
            yield entry
        before = page.next_before
        if before is None:
            return


def _asked(
    community: UUID,
    first_day: date | None,
    last_day: date | None,
    states: Collection[State],
    before: str | None,
) -> list[ColumnElement[bool]]:
    day = entries.c.occurred_on
    asked: list[ColumnElement[bool]] = [entries.c.community_id == community]
    if first_day is not None:
        asked.append(day >= first_day)
    if last_day is not None:
        asked.append(day <= last_day)
    if states:
        asked.append(entries.c.state.in_([state.value for state in states]))
    if before is not None:
        asked.append(tuple_(day, entries.c.id) < _place(before))
    return asked


async def _matching(
    conn: AsyncConnection,
    community: UUID,
    asked: Sequence[ColumnElement[bool]],
    words: Sequence[str],
    limit: int,
) -> list[UUID]:
    """The ids of the first entries that match, the latest day first."""
    if not words:
        return await _ids(conn, _in_order(select(entries.c.id).where(*asked), limit))
    about = await _categories(conn, community)
    begins = await conn.scalar(
        select(entries.c.occurred_on)
        .where(*asked)
        .order_by(entries.c.occurred_on.desc())
        .offset(_LATEST)
        .limit(1)
    )
    near = [_said(conn, word, about) | _named_here(community, word) for word in words]
    latest = select(entries.c.id).where(*asked, *near)
    if begins is None:
        return await _ids(conn, _in_order(latest, limit))
    ids = await _ids(conn, _in_order(latest.where(entries.c.occurred_on >= begins), limit))
    if len(ids) == limit:
        return ids
    anywhere = [_said(conn, word, about) | _named_anywhere(community, word) for word in words]
    if len(asked) == 1 and conn.dialect.name == "sqlite":
        asked = [_as_they_lie(community)]
    columns = (entries.c.id, entries.c.occurred_on)
    # Found first and put in order then: rare words are all over the place.
    found = select(*columns).where(*asked, *anywhere).cte("found").prefix_with("MATERIALIZED")
    return await _ids(
        conn,
        select(found.c.id).order_by(found.c.occurred_on.desc(), found.c.id.desc()).limit(limit),
    )


def _as_they_lie(community: UUID) -> ColumnElement[bool]:
    """All entries of the community, read in the order in which they lie.

    The plus keeps SQLite from an index, which takes twice as long where every row has to be read.
    """
    return literal_column("+entry.community_id", Id) == community


def _in_order(query: Select[Any], limit: int) -> Select[Any]:
    return query.order_by(entries.c.occurred_on.desc(), entries.c.id.desc()).limit(limit)


async def _ids(conn: AsyncConnection, query: Select[Any]) -> list[UUID]:
    return [row.id for row in await conn.execute(query)]


async def _categories(conn: AsyncConnection, community: UUID) -> dict[UUID, str]:
    """Every category's name, folded; there are few."""
    rows = await conn.execute(
        select(categories.c.id, categories.c.name).where(categories.c.community_id == community)
    )
    return {row.id: fold(row.name) for row in rows}


def _said(conn: AsyncConnection, word: str, about: dict[UUID, str]) -> ColumnElement[bool]:
    """Whether a word is in the note or the category. SQLite's LIKE leaves case aside by itself."""
    pattern = like(word)
    if conn.dialect.name == "sqlite":
        noted = entries.c.note.like(pattern, escape="\\")
    else:
        noted = entries.c.note.ilike(pattern, escape="\\")
    meant = [id for id, name in about.items() if fold(word) in name]
    return or_(noted, entries.c.category_id.in_(meant) if meant else false())


def _named_here(community: UUID, word: str) -> ColumnElement[bool]:
    """Whether somebody in the entry is called so: asked of one entry after the other."""
    return exists(
        select(parts.c.account_id)
        .join(
            members,
            and_(
                members.c.community_id == parts.c.community_id, members.c.id == parts.c.account_id
            ),
        )
        .where(
            parts.c.community_id == community,
            parts.c.entry_id == entries.c.id,
            members.c.name_key.like(like(fold(word)), escape="\\"),
        )
        .correlate(entries)
    )


def _named_anywhere(community: UUID, word: str) -> ColumnElement[bool]:
    """The same, asked of the few people who are called so: where do they stand?"""
    called = select(members.c.id).where(
        members.c.community_id == community,
        members.c.name_key.like(like(fold(word)), escape="\\"),
    )
    return entries.c.id.in_(
        select(parts.c.entry_id).where(
            parts.c.community_id == community, parts.c.account_id.in_(called)
        )
    )


def _place_of(entry: Entry) -> str:
    """A place in the list, for an address: the day and the id."""
    return f"{entry.occurred_on.isoformat()}.{entry.id.hex}"


def _place(before: str) -> Any:
    day, _, id = before.partition(".")
    try:
        if len(day) != 10 or len(id) != 32:
            raise ValueError(before)
        return tuple_(literal(date.fromisoformat(day), Day), literal(UUID(hex=id), Id))
    except ValueError:
        raise NotFound("page") from None
