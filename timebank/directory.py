"""The directory: members by name, and whom a typed name can mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


async def choices(conn: AsyncConnection, community: UUID, limit: int = 500) -> list[Choice]:
    """Whom an entry can name: active members and organisations, by name, the first `limit`."""
    query = _choosable(community).order_by(members.c.name_key, members.c.id).limit(limit)
    return _labelled((await conn.execute(query)).all())


async def resolve(conn: AsyncConnection, community: UUID, text: str) -> list[Choice]:
    """Whom a typed name can mean, at most ten.

    One choice when a label is written out, or when only one name has words that begin like it.
    """
    name, _, area = re.sub(r" \([0-9]+\)$", "", text.strip()).partition(" · ")
    key = fold(name)
    if not key:
        return []
    query = (
        _choosable(community)
        .where(
            or_(
                members.c.name_key.like(like(key)[1:], escape="\\"),
                members.c.name_key.like("% " + like(key)[1:], escape="\\"),
            )
        )
        .order_by(members.c.name_key, members.c.id)
        .limit(50)
    )
    rows = (await conn.execute(query)).all()
    written_out = [one for one in _labelled(rows) if fold(one.label) == fold(text)]
    if len(written_out) == 1:
        return written_out
    exact = [row for row in rows if row.name_key == key]
    if area:
        exact = [row for row in exact if fold(row.area) == fold(area)] or exact
    if len(exact) == 1:
        return _labelled(exact)
    return _labelled(exact or rows)[:10]


async def fitting(
    conn: AsyncConnection, community: UUID, names: Iterable[str]
) -> dict[str, tuple[Choice, ...]]:
    """Whom each of these typed names can mean, at most ten each, in one query for all of them."""
    keys = {name: fold(name) for name in names if fold(name)}
    if not keys:
        return {}
    begins = [members.c.name_key.like(like(key)[1:], escape="\\") for key in keys.values()]
    later = [members.c.name_key.like("% " + like(key)[1:], escape="\\") for key in keys.values()]
    query = _choosable(community).where(or_(*begins, *later))
    rows = (await conn.execute(query.order_by(members.c.name_key, members.c.id).limit(500))).all()
    found = {}
    for name, key in keys.items():
        fit = [row for row in rows if f" {row.name_key}".find(f" {key}") >= 0]
        exact = [row for row in fit if row.name_key == key]
        found[name] = tuple(_labelled(exact or fit)[:10])
    return found


def _choosable(community: UUID) -> Select[Any]:
    return select(
        members.c.id, members.c.name, members.c.name_key, members.c.area, members.c.kind
    ).where(members.c.community_id == community, members.c.status == Status.ACTIVE.value)


def _labelled(rows: Sequence[Any]) -> list[Choice]:
    """Two people of one name are told apart by their areas, and by a number where that fails."""
    keys = [row.name_key for row in rows]
    shared = [keys.count(key) > 1 for key in keys]
    labels = [
        f"{row.name} · {row.area}" if twice and row.area else row.name
        for row, twice in zip(rows, shared, strict=True)
    ]
    # Of several who share a name nobody is called by the bare name: it could mean any of them.
    numbered = [
        labels.count(label) > 1 or (twice and not row.area)
        for row, label, twice in zip(rows, labels, shared, strict=True)
    ]
    return [
        Choice(
            row.id,
            f"{label} ({labels[:place].count(label) + 1})" if numbered[place] else label,
            MemberKind(row.kind),
        )
        for place, (row, label) in enumerate(zip(rows, labels, strict=True))
    ]
