"""The directory: members by name, and whom a typed name can mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Select,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql.types import Id, Words
from timebank.members import Member, MemberKind, Status, as_member, members
from timebank.text import fold, like

_FITTING = 50  # of whom a typed name may fit, before it is looked at closely


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """A member in the directory."""

    member: Member
    sector: str
    offers: str
    wishes: str
    has_sign_in: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """An account somebody can be named by: `label` is unique in the community."""

    account_id: UUID
    label: str
    kind: MemberKind


async def page(
    conn: AsyncConnection,
    community: UUID,
    *,
    search: str = "",
    include: Sequence[Status] = (Status.ACTIVE,),
    after: tuple[str, UUID] | None = None,
    limit: int = 50,
) -> list[DirectoryRow]:
    """Members by name; `search` looks in names, areas, offers and wishes.

    `after` is the (`fold`ed name, id) of the last row of the page before.
    """
    query = (
        select(members)
        .where(
            members.c.community_id == community,
            members.c.status.in_([status.value for status in include]),
        )
        .order_by(members.c.name_key, members.c.id)
        .limit(limit)
    )
    if search:
        query = query.where(members.c.search_key.like(like(fold(search)), escape="\\"))
    if after is not None:
        # Without its type an id would be compared as another kind of value on SQLite.
        last = tuple_(literal(after[0], Words), literal(after[1], Id))
        query = query.where(tuple_(members.c.name_key, members.c.id) > last)
    return [
        DirectoryRow(as_member(row), row.sector, row.offers, row.wishes, row.person_id is not None)
        for row in await conn.execute(query)
    ]


async def choices(conn: AsyncConnection, community: UUID, limit: int | None = 500) -> list[Choice]:
    """Whom an entry can name: active members and organisations, by name, the first `limit`."""
    query = _choosable(community).limit(limit)
    return _labelled((await conn.execute(query)).all())


async def resolve(conn: AsyncConnection, community: UUID, text: str) -> list[Choice]:
    """Whom a typed name can mean, at most ten.

    One choice when a label is written out, or when only one name has words that begin like it.
    """
    key = _key(text)
    if not key:
        return []
    begins = or_(
        members.c.name_key.like(like(key)[1:], escape="\\"),
        members.c.name_key.like("% " + like(key)[1:], escape="\\"),
    )
    query = _choosable(community).where(begins).limit(_FITTING)
    return _meant(text, (await conn.execute(query)).all())


async def resolve_many(
    conn: AsyncConnection, community: UUID, texts: Collection[str]
) -> dict[str, list[Choice]]:
    """Whom each of these names can mean, as `resolve` says it, in one query for all of them."""
    if not texts:
        return {}
    begin_with: dict[str, list[Any]] = {}  # members by the first letters of their names' words
    for row in (await conn.execute(_choosable(community))).all():
        for letter in {word[0] for word in row.name_key.split()}:
            begin_with.setdefault(letter, []).append(row)
    found = {}
    for text in texts:
        key = _key(text)
        fitting = (row for row in begin_with.get(key[:1], ()) if _begins(row.name_key, key))
        found[text] = _meant(text, list(islice(fitting, _FITTING))) if key else []
    return found


def _choosable(community: UUID) -> Select[Any]:
    return (
        select(members.c.id, members.c.name, members.c.name_key, members.c.area, members.c.kind)
        .where(members.c.community_id == community, members.c.status == Status.ACTIVE.value)
        .order_by(members.c.name_key, members.c.id)
    )


def _key(text: str) -> str:
    """The name in a typed text or a label, for comparing: without its area and number."""
    return fold(_parts(text)[0])


def _parts(text: str) -> tuple[str, str]:
    name, _, area = re.sub(r" \([0-9]+\)$", "", text.strip()).partition(" · ")
    return name, area


def _begins(name_key: str, key: str) -> bool:
    """Whether a name, or a word of it, begins like this."""
    return name_key.startswith(key) or f" {key}" in name_key


def _meant(text: str, rows: Sequence[Any]) -> list[Choice]:
    """Whom a text can mean, of those whose names have words that begin like it."""
    written_out = [one for one in _labelled(rows) if fold(one.label) == fold(text)]
    if len(written_out) == 1:
        return written_out
    key, area = _key(text), _parts(text)[1]
    exact = [row for row in rows if row.name_key == key]
    if area:
        exact = [row for row in exact if fold(row.area) == fold(area)] or exact
    if len(exact) == 1:
        return _labelled(exact)
    return _labelled(exact or rows)[:10]


def _labelled(rows: Sequence[Any]) -> list[Choice]:
    """Two people of one name are told apart by their areas, and by a number where that fails."""
    named = Counter(row.name_key for row in rows)
    labels = [
        f"{row.name} · {row.area}" if named[row.name_key] > 1 and row.area else row.name
        for row in rows
    ]
    # Of several who share a name nobody is called by the bare name: it could mean any of them.
    called = Counter(labels)
    numbers: Counter[str] = Counter()
    found = []
    for row, label in zip(rows, labels, strict=True):
        numbers[label] += 1
        if called[label] > 1 or (named[row.name_key] > 1 and not row.area):
            label = f"{label} ({numbers[label]})"
        found.append(Choice(row.id, label, MemberKind(row.kind)))
    return found
