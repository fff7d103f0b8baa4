"""What a large town agreed on: its terms, proposals to change them, and what was put aside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import select, update

from benchmarks.large_town.making import Making
from ledger import Minutes
from ledger.sql import tables
from timebank import agreements, proposals, proposing
from timebank.inbox import Thing, Why, aside
from timebank.limits import past_limits
from timebank.periods import Month


async def fill(making: Making) -> None:
    """All of it, the terms first."""
    await _agreement(making)
    await _proposals(making)
    await _aside(making)


async def _agreement(making: Making) -> None:
    """For a year months close on the first, and people are asked whether they stay.

    A few are past a limit, and the day came to look at it all again.
    """
    account = tables.account
    rows = await making.conn.execute(
        select(account.c.balance)
        .where(account.c.community_id == making.id, account.c.kind == "member")
        .order_by(account.c.balance)
    )
    balances = [row.balance for row in rows]
    few = max(2, len(balances) // 100)
    current = await agreements.current(making.conn, making.id)
    begun = Month.of(making.now.at.date()).later(-12).first + timedelta(days=1)
    terms = replace(
        current.terms,
        closing_day=1,
        retention_months=24,
        soft_floor=min(balances[few], Minutes(0)),
        soft_ceiling=max(balances[-few], Minutes(0)),
    )
    adopted = await agreements.adopt(
        making.conn,
        making.id,
        terms,
        reason="For the council.",
        expected_version=current.version,
        by=making.steward,
        now=replace(making.now, at=datetime.combine(begun, time(), UTC)),
    )
    await making.conn.execute(
        update(past_limits)
        .where(past_limits.c.community_id == making.id)
        .values(since=making.days_ago(10, 90))
    )
    review = {"id": making.now.new_id(), "version": adopted.version, "due_at": making.now.at}
    await making.put(proposals.reviews, [review])


async def _proposals(making: Making) -> None:
    """Three proposals to which all agree who were asked."""
    current = await agreements.current(making.conn, making.id)
    today = making.now.at.date()
    for days in (10, 14, 21):
        await proposing.propose(
            making.conn,
            making.id,
            proposing.NewProposal(
                terms=replace(current.terms, dispute_days=days),
                reason="More time to object.",
                asked=(making.coordinator,),
                open_until=today + timedelta(days=30),
                effective_on=None,
                expected_version=current.version,
            ),
            by=making.coordinator,
            now=making.now,
        )


async def _aside(making: Making) -> None:
    """Coordinators put aside what can wait: some of those who may have gone quiet."""
    things = [Thing(Why.QUIET, id) for id in making.some(4, 50)]
    await aside.put(
        making.conn,
        making.id,
        things,
        until=making.now.at + timedelta(days=30),
        words="Away until spring.",
        by=making.coordinator,
        now=making.now,
    )
