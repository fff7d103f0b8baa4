"""The inbox: what waits for a coordinator, oldest first, and whether this one may decide it.

What the agreement lets through without a coordinator is not here, unless somebody disagrees or
could not be asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Subquery,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.chain import microseconds
from ledger.sql.types import Id, Instant
from timebank import acting, agreements, entries, members, policy
from timebank.acting import Actor
from timebank.agreements import Approval, OtherSide, Terms
from timebank.entry import Entry, Kind, Side, State
from timebank.errors import Forbidden, NotConfirmed, NotFound, OwnGain, ReasonMissing, TimebankError
from timebank.members import Member, Status
from timebank.moment import Moment

_GIFTS = [kind.value for kind in Kind if kind.is_gift]


class Why(StrEnum):
    """What an entry in the inbox waits for."""

    APPROVAL = "approval"
    DISPUTED = "disputed"  # before approval: somebody says it is not right
    CONTESTED = "contested"  # posted, and then somebody said it is not right


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One entry, why it is here, and whether it may be approved as it stands, by this reader.

    If not, `why_not` is the refusal the door would answer with.
    """

    entry: Entry
    may_approve: bool
    why_not: TimebankError | None
    why_here: Why


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of what waits. `total` counts everything, applications too.

    `oldest_at` (UTC) is when the longest waiting thing came in. `next_after` asks for the page
    below; None on the last one.
    """

    entries: tuple[InboxRow, ...]
    applications: tuple[Member, ...]
    total: int
    oldest_at: datetime | None
    next_after: str | None


async def page(
    conn: AsyncConnection,
    community: UUID,
    *,
    by: UUID,
    after: str | None = None,
    limit: int = 50,
    now: Moment | None = None,
) -> Inbox:
    """What waits, oldest first, in a number of queries that does not depend on how much it is.

    For coordinators (`Forbidden`). `after` is `next_after` of the page above; `NotFound` when it
    is something else. Applications are on the first page only. Without `now`, silence of the other
    side counts as no answer, however long it lasted.
    """
    actor = await acting.one(conn, community, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden("inbox")
    terms = (await agreements.current(conn, community)).terms
    sole = await acting.coordinators(conn, community) == 1
    waits = _waits(community, terms)
    query = select(waits.c.id).order_by(waits.c.recorded_at, waits.c.id).limit(limit + 1)
    if after is not None:
        query = query.where(tuple_(waits.c.recorded_at, waits.c.id) > _place(after))
    rows = await conn.execute(query)
    ids = [row.id for row in rows]
    found = await entries.load(conn, community, ids[:limit])
    waiting, oldest_entry = await _summary(conn, community, terms)
    applying, oldest_application = await _applications(conn, community, limit)
    applications = await members.count(conn, community, Status.APPLIED)
    return Inbox(
        entries=tuple(_row(entry, actor, terms, sole=sole, now=now) for entry in found),
        applications=() if after is not None else tuple(applying),
        total=waiting + applications,
        oldest_at=min(filter(None, (oldest_entry, oldest_application)), default=None),
        next_after=_after(found[-1]) if len(ids) > limit else None,
    )


async def count(conn: AsyncConnection, community: UUID) -> int:
    """How many things wait for a coordinator: entries and applications."""
    terms = (await agreements.current(conn, community)).terms
    waiting, _ = await _summary(conn, community, terms)
    return waiting + await members.count(conn, community, Status.APPLIED)


def _row(entry: Entry, actor: Actor, terms: Terms, *, sole: bool, now: Moment | None) -> InboxRow:
    answered_by = entry.touched_at + timedelta(days=terms.dispute_days)
    silent = now is not None and now.at >= answered_by
    why_not = _why_not(entry, actor, terms, sole=sole, silent=silent)
    if entry.contested:
        why = Why.CONTESTED
    elif entry.state is State.DISPUTED:
        why = Why.DISPUTED
    else:
        why = Why.APPROVAL
    return InboxRow(entry, why is Why.APPROVAL and why_not is None, why_not, why)


def _why_not(
    entry: Entry, actor: Actor, terms: Terms, *, sole: bool, silent: bool
) -> TimebankError | None:
    """What stands in the way of approving it in one click with others."""
    if entry.contested:
        return None
    if not policy.may_approve(actor.member, entry, actor.manages, terms=terms, sole=sole):
        return OwnGain("approve")
    if not policy.agreed_enough(entry, terms, silent=silent):
        return NotConfirmed()
    if entry.state is State.DISPUTED:
        return ReasonMissing()
    return None


def _waits(community: UUID, terms: Terms) -> Subquery:
    """Which entries wait for a coordinator under these terms, and since when.

    Two searches, each along an index of its own: what is decided long ago is never looked at.
    """
    table = entries.entries
    open_ = [State.RECORDED.value, State.CONFIRMED.value, State.DISPUTED.value]
    disputed = table.c.state == State.DISPUTED.value
    columns = select(table.c.id, table.c.recorded_at).where(table.c.community_id == community)
    return union(
        columns.where(table.c.state.in_(open_), or_(disputed, _needs_coordinator(terms))),
        columns.where(table.c.contested),
    ).subquery()


def _needs_coordinator(terms: Terms) -> Any:
    """What `policy.needs_coordinator` says, for the database; and what nobody could be asked."""
    table = entries.entries
    if terms.approval is Approval.ALL:
        return table.c.id.is_not(None)
    commons, unasked = entries.parts.alias("commons"), entries.parts.alias("unasked")
    in_gift = table.c.kind.in_(_GIFTS)
    commons_gives = exists().where(
        commons.c.community_id == table.c.community_id,
        commons.c.entry_id == table.c.id,
        commons.c.account_id == table.c.community_id,
        or_(
            and_(in_gift, commons.c.side == Side.GAVE.value),
            and_(~in_gift, commons.c.side == Side.RECEIVED.value),
        ),
    )
    not_asked = exists().where(
        unasked.c.community_id == table.c.community_id,
        unasked.c.entry_id == table.c.id,
        unasked.c.account_id != table.c.community_id,
        unasked.c.confirmed_at.is_(None),
        ~unasked.c.awaited,
    )
    reasons: list[ColumnElement[bool]] = [commons_gives, not_asked]
    if terms.approval is Approval.ABOVE:
        reasons.append(table.c.minutes > terms.approval_above)
    if terms.other_side is OtherSide.CONFIRMS and terms.silence is agreements.Silence.WAITS:
        reasons.append(table.c.state == State.RECORDED.value)
    return or_(*reasons)


async def _summary(
    conn: AsyncConnection, community: UUID, terms: Terms
) -> tuple[int, datetime | None]:
    """How many entries wait, and since when the oldest."""
    waits = _waits(community, terms)
    row = (
        await conn.execute(
            select(func.count().label("number"), func.min(waits.c.recorded_at).label("oldest"))
        )
    ).one()
    return row.number, row.oldest


async def _applications(
    conn: AsyncConnection, community: UUID, limit: int
) -> tuple[list[Member], datetime | None]:
    """Who asked to join, in the order they did, and when the first of them did."""
    table = members.members
    rows = list(
        await conn.execute(
            select(table.c.id, table.c.applied_at)
            .where(table.c.community_id == community, table.c.status == Status.APPLIED.value)
            .order_by(table.c.applied_at, table.c.id)
            .limit(limit)
        )
    )
    found = await members.get_many(conn, community, [row.id for row in rows])
    return [found[row.id] for row in rows], rows[0].applied_at if rows else None


def _after(entry: Entry) -> str:
    """A place in the list, for an address: the moment in microseconds, and the id."""
    return f"{microseconds(entry.recorded_at)}-{entry.id.hex}"


def _place(after: str) -> Any:
    moment, _, id = after.partition("-")
    try:
        if not (moment.isascii() and moment.isdigit() and len(moment) <= 17 and len(id) == 32):
            raise ValueError(after)
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment))
        return tuple_(literal(at, Instant), literal(UUID(hex=id), Id))
    except (ValueError, OverflowError):
        raise NotFound("page") from None
