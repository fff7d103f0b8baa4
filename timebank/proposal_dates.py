"""What the calendar does with the agreement: proposals begin or run out, reviews fall due.

For all communities, each by its own calendar. Safe to do at any time, in several processes.
"""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID, uuid5

from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import store
from timebank import agreements, communities, proposal_mails, proposals
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.errors import TimebankError
from timebank.moment import Moment
from timebank.patches import overlap
from timebank.proposals import Proposal, State, StepKind
from timebank.proposing import keep_step, put_into_force, refuse_unready

LOOKED_AT_AGAIN = timedelta(days=14)
"""How long a proposal is open again that could not come into force on its day."""


async def keep(db: Database, *, now: Moment) -> int:
    """Do what has come due since it was last looked; how many things that was."""
    async with db.read(EVERYWHERE) as conn:
        every = await communities.every(conn)
    done = 0
    for place in every:
        today = now.day_in(place.timezone)
        async with db.read(place.id) as conn:
            waiting = bool(await _due(conn, place.id, today)) or await _review_due(
                conn, place, today
            )
        if waiting:
            async with db.write(place.id) as conn:
                done += await _do(conn, place, today, now)
    return done


async def _do(conn: AsyncConnection, place: Community, today: date, now: Moment) -> int:
    await store.lock(conn, place.id)  # two processes at once: one after the other
    done = 0
    for proposal in await _due(conn, place.id, today):
        if proposal.state is State.SETTLED:
            await _begin_or_look_again(conn, place.id, proposal, today, now)
        else:
            await _run_out(conn, place.id, proposal, now)
        done += 1
    if await _review_due(conn, place, today):
        await _note_review(conn, place.id, now)
        done += 1
    return done


async def _due(conn: AsyncConnection, community: UUID, today: date) -> list[Proposal]:
    """Settled proposals whose day has come, and open ones whose time is over, in their order.

    One to which everybody agreed in time is not over, it waits for a steward; unless the agreement
    has changed in the same place since.
    """
    table = proposals.proposals
    settled = (table.c.state == State.SETTLED.value) & (table.c.effective_on <= today)
    over = (table.c.state == State.OPEN.value) & (table.c.open_until < today)
    rows = await conn.execute(
        select(table.c.id)
        .where(table.c.community_id == community, or_(settled, over))
        .order_by(table.c.effective_on, table.c.touched_at, table.c.id)
    )
    found = await proposals.several(conn, community, [row.id for row in rows])
    return [
        one
        for one in found
        if one.state is State.SETTLED or one.missing or await _is_moved(conn, community, one)
    ]


async def _is_moved(conn: AsyncConnection, community: UUID, proposal: Proposal) -> bool:
    """Whether the agreement has changed in the same place since a proposal was written."""
    current = await agreements.current(conn, community)
    base = await agreements.version(conn, community, proposal.base_version)
    return bool(overlap(proposal.changes, base.terms, current.terms))


async def _begin_or_look_again(
    conn: AsyncConnection, community: UUID, proposal: Proposal, today: date, now: Moment
) -> None:
    """It holds from today on; or, where that is not possible any more, it is open again."""
    assert proposal.settled_by is not None, "a steward settled it"
    current = await agreements.current(conn, community)
    base = await agreements.version(conn, community, proposal.base_version)
    try:
        refuse_unready(proposal, current, base)
        await put_into_force(conn, community, proposal, by=proposal.settled_by, now=now)
    except TimebankError:  # refused before anything was written
        await _put(
            conn,
            community,
            proposal,
            now,
            state=State.OPEN.value,
            open_until=today + LOOKED_AT_AGAIN,
        )
        await keep_step(conn, community, proposal.id, StepKind.MOVED, None, "", now)
        await proposal_mails.moved(conn, community, proposal, now=now)


async def _run_out(conn: AsyncConnection, community: UUID, proposal: Proposal, now: Moment) -> None:
    await _put(conn, community, proposal, now, state=State.EXPIRED.value)
    await keep_step(conn, community, proposal.id, StepKind.EXPIRED, None, "", now)
    await proposal_mails.expired(conn, community, proposal, now=now)


async def _put(
    conn: AsyncConnection, community: UUID, proposal: Proposal, now: Moment, **values: object
) -> None:
    table = proposals.proposals
    await conn.execute(
        update(table)
        .where(table.c.community_id == community, table.c.id == proposal.id)
        .values(touched_at=now.at, **values)
    )


async def _review_due(conn: AsyncConnection, place: Community, today: date) -> bool:
    """Whether the day came to look at the version in force, and nobody was told so far."""
    current = await agreements.current(conn, place.id)
    review_on = current.terms.review_on
    if review_on is None or review_on > today:
        return False
    told = select(proposals.reviews.c.id).where(
        proposals.reviews.c.community_id == place.id,
        proposals.reviews.c.version == current.version,
    )
    return (await conn.execute(told)).first() is None


async def _note_review(conn: AsyncConnection, community: UUID, now: Moment) -> None:
    version = (await agreements.current(conn, community)).version
    await conn.execute(
        insert(proposals.reviews).values(
            community_id=community,
            id=uuid5(community, f"review {version}"),
            version=version,
            due_at=now.at,
        )
    )
    await proposal_mails.review_due(conn, community, now=now)
