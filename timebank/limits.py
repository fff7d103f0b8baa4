"""Limits: those that begin a conversation, and the one that refuses.

    hard floor       soft floor            0            soft ceiling
        │ refused  ◄──── │ worth a call ◄─ ordinary ─► worth a call ───►

The soft ones refuse nothing: whoever is past one is noted in `past_limit`, in the transaction of
the posting that took them there, so that somebody rings. The hard floor stands on each account in
the book. Where the agreement lets floors grow, it follows what the account has given, in the same
transaction as well; so every posting is judged by the floor of its moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Table,
    and_,
    delete,
    insert,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from ledger.sql import metadata, read, store, tables
from ledger.sql.types import Id, Instant, Words
from timebank import flow
from timebank.agreements import Terms
from timebank.entry import Kind, Side
from timebank.members import members, tallies
from timebank.shapes import PartLike

past_limits = Table(  # who is past a soft limit, and since when
    "past_limit",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("beyond", Words, nullable=False),
    Column("since", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "account_id"], ["member.community_id", "member.id"]),
    CheckConstraint("beyond IN ('below', 'above')", name="beyond"),
    sqlite_strict=True,
)

_AT_ONCE = 1000  # as many ids as one statement may name


class Beyond(StrEnum):
    """Which soft limit a balance is past."""

    BELOW = "below"
    ABOVE = "above"


class Moved(NamedTuple):
    """A balance before and after some postings."""

    before: Minutes
    after: Minutes


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Somebody who would be past a soft limit after an entry, and where they would stand.

    `crosses`: they are not past it yet.
    """

    account_id: UUID
    after: Minutes
    beyond: Beyond
    crosses: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one account now: where it stands, its limits, and what it has given.

    `hard_floor` is the one that counts, worked out from `given`; None is no hard floor.
    """

    balance: Minutes
    given: Minutes
    soft_floor: Minutes
    soft_ceiling: Minutes | None
    hard_floor: Minutes | None
    beyond: Beyond | None


# ── Working them out ─────────────────────────────────────────────────────────────────────────────


def hard_floor(terms: Terms, given: Minutes) -> Minutes | None:
    """The lowest balance of an account that has given so much; None where there is none.

    It grows by whole minutes, and never past `lowest_floor`.
    """
    if terms.hard_floor is None or not terms.floor_growth:
        return terms.hard_floor
    grown = terms.hard_floor - Minutes(max(given.count, 0) * terms.floor_growth // 100)
    return grown if terms.lowest_floor is None else max(grown, terms.lowest_floor)


def beyond(terms: Terms, balance: Minutes) -> Beyond | None:
    """The soft limit a balance is past, if any."""
    if balance < terms.soft_floor:
        return Beyond.BELOW
    if terms.soft_ceiling is not None and balance > terms.soft_ceiling:
        return Beyond.ABOVE
    return None


def change(kind: Kind, part: PartLike) -> Minutes:
    """What posting this part of an entry does to its account's balance; signed minutes."""
    return part.minutes if part.side is flow.gaining_side(kind) else -part.minutes


def gives(kind: Kind, part: PartLike) -> bool:
    """Whether this part counts as given, so that a floor may grow with it."""
    return not kind.is_gift and part.side is Side.GAVE


# ── Reading them ─────────────────────────────────────────────────────────────────────────────────


async def of(conn: AsyncConnection, community: UUID, account_id: UUID, terms: Terms) -> Limits:
    """The limits of one member's account. Whether somebody may read them, the policy says."""
    row = (
        await conn.execute(
            select(tables.account.c.balance, tallies.c.given)
            .outerjoin(
                tallies,
                and_(
                    tallies.c.community_id == tables.account.c.community_id,
                    tallies.c.account_id == tables.account.c.id,
                ),
            )
            .where(tables.account.c.community_id == community, tables.account.c.id == account_id)
        )
    ).one_or_none()
    return around(terms, row.balance, row.given or ZERO) if row else around(terms, ZERO, ZERO)


def around(terms: Terms, balance: Minutes, given: Minutes) -> Limits:
    """The limits of an account with this balance, whose member has given so much help."""
    return Limits(
        balance=balance,
        given=given,
        soft_floor=terms.soft_floor,
        soft_ceiling=terms.soft_ceiling,
        hard_floor=hard_floor(terms, given),
        beyond=beyond(terms, balance),
    )


async def foresee(
    conn: AsyncConnection,
    community: UUID,
    terms: Terms,
    kind: Kind,
    parts: Iterable[PartLike],
    *,
    may_see: Collection[UUID] | None = None,
) -> list[Foreseen]:
    """Who would be past a soft limit if these parts were posted now, and further than they are.

    Balances are private, so only accounts in `may_see` are looked at; None looks at all. The
    commons has a budget of its own and is left out. It refuses nothing.
    """
    moves = {
        part.account_id: change(kind, part)
        for part in parts
        if part.account_id != community and (may_see is None or part.account_id in may_see)
    }
    if not moves:
        return []
    accounts = await read.accounts(conn, community, list(moves))
    found = []
    for id, minutes in moves.items():
        if id not in accounts:
            continue
        before, after = accounts[id].balance, accounts[id].balance + minutes
        where = beyond(terms, after)
        if where is not None and (where is Beyond.BELOW) == (minutes < ZERO):
            found.append(Foreseen(id, after, where, beyond(terms, before) is not where))
    return found


# ── Keeping them ─────────────────────────────────────────────────────────────────────────────────


async def follow(
    conn: AsyncConnection,
    community: UUID,
    terms: Terms,
    moved: Mapping[UUID, Moved],
    at: datetime,
) -> None:
    """After postings and their tallies: floors that grow, and who is past a soft limit now.

    Asks nothing of the database where no floor grows and nobody crossed a limit. The journal's
    head is locked.
    """
    if terms.floor_growth:
        await _grow(conn, community, terms, moved)
    crossed = {
        id: beyond(terms, one.after)
        for id, one in moved.items()
        if id != community and beyond(terms, one.before) is not beyond(terms, one.after)
    }
    if crossed:
        await _note(conn, community, crossed, at)


async def follow_agreement(
    conn: AsyncConnection, community: UUID, old: Terms, new: Terms, at: datetime
) -> None:
    """After another agreement was adopted: everybody's floors and limits. The head is locked.

    The commons has a floor of its own (its budget). Who was past the same limit before keeps the
    day since when.
    """
    if old.commons_floor != new.commons_floor:
        await store.set_floor(conn, community, [community], new.commons_floor)
    if _floors(old) != _floors(new):
        await _grow(conn, community, new, None)
    if (old.soft_floor, old.soft_ceiling) != (new.soft_floor, new.soft_ceiling):
        await _note_everybody(conn, community, new, at)


def _floors(terms: Terms) -> tuple[Any, ...]:
    return terms.hard_floor, terms.floor_growth, terms.lowest_floor


async def _grow(
    conn: AsyncConnection, community: UUID, terms: Terms, only: Collection[UUID] | None
) -> None:
    """Set the floors of members' accounts (of `only` these) to what they have given."""
    account = tables.account
    query = (
        select(account.c.id, account.c.floor, tallies.c.given)
        .outerjoin(
            tallies,
            and_(
                tallies.c.community_id == account.c.community_id,
                tallies.c.account_id == account.c.id,
            ),
        )
        .where(account.c.community_id == community, account.c.kind.in_(("member", "organisation")))
    )
    if only is not None:
        query = query.where(account.c.id.in_(sorted(only)))
    floors = {
        row.id: (row.floor, hard_floor(terms, row.given or ZERO))
        for row in await conn.execute(query)
    }
    changed = {id: floor for id, (was, floor) in floors.items() if was != floor}
    if changed:
        await store.set_floors(conn, community, changed)


async def _note(
    conn: AsyncConnection, community: UUID, crossed: Mapping[UUID, Beyond | None], at: datetime
) -> None:
    """Write down who crossed which limit, and forget who came back."""
    everyone = sorted(crossed)
    for start in range(0, len(everyone), _AT_ONCE):
        ids = everyone[start : start + _AT_ONCE]
        await conn.execute(
            delete(past_limits).where(
                past_limits.c.community_id == community, past_limits.c.account_id.in_(ids)
            )
        )
        known = await conn.execute(
            select(members.c.id).where(members.c.community_id == community, members.c.id.in_(ids))
        )
        rows = [
            {"community_id": community, "account_id": row.id, "beyond": where.value, "since": at}
            for row in known
            if (where := crossed[row.id]) is not None
        ]
        if rows:
            await conn.execute(insert(past_limits), rows)


async def _note_everybody(
    conn: AsyncConnection, community: UUID, terms: Terms, at: datetime
) -> None:
    account = tables.account
    past = [account.c.balance < terms.soft_floor]
    if terms.soft_ceiling is not None:
        past.append(account.c.balance > terms.soft_ceiling)
    rows = await conn.execute(
        select(account.c.id, account.c.balance).where(
            account.c.community_id == community,
            account.c.kind.in_(("member", "organisation")),
            or_(*past),
        )
    )
    wanted = {row.id: beyond(terms, row.balance) for row in rows}
    kept = await conn.execute(
        select(past_limits.c.account_id, past_limits.c.beyond).where(
            past_limits.c.community_id == community
        )
    )
    before = {row.account_id: Beyond(row.beyond) for row in kept}
    crossed = {
        id: wanted.get(id) for id in {*wanted, *before} if wanted.get(id) is not before.get(id)
    }
    if crossed:
        await _note(conn, community, crossed, at)
