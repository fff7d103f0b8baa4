"""What a demo community does together in its year: it closes its months and changes its agreement.

The calendar decides which months there are to close, so all of this has dice of its own: whatever
day the demo is made on, the entries of its year are the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from ledger import Minutes
from timebank import agreements, closing, demo_town, months, posting, proposing, recording
from timebank.demo_town import Town
from timebank.entry import Kind, NewEntry, Share
from timebank.members import Role
from timebank.moment import Moment
from timebank.periods import Month
from timebank.proposals import Proposal, Stance
from timebank.proposing import NewProposal

_LATE_WEEK = 2
_LATE_AFTER = timedelta(days=48)
"""Before the sheet was found. With the days since then it is more than two months: whatever the
calendar says, the month of that afternoon is not the latest, and is closed by then."""
_SLOW_READERS = 10  # days to say that one remembers it otherwise


async def decide(town: Town, week: int) -> None:
    """What the community decides at the end of a week that was lived."""
    if week == town.place.weeks // 4:
        await _change_the_agreement(town, week)
    if week == _LATE_WEEK:
        await _find_a_sheet(town, week)
    await _close_a_month(town, week)
    if week == 0:
        await _propose_more(town)


async def _close_a_month(town: Town, week: int) -> None:
    """Close the month before, once its day came; the latest is left to whoever tries the demo."""
    now = _moment(town, 7 * week + 1, 23)
    today = now.day_in(town.place.timezone)
    month = Month.of(today).previous
    if month == Month.of(town.today).previous:
        return
    async with town.db.write(town.id) as conn:
        day = months.closes_on((await agreements.current(conn, town.id)).terms, month)
        standing = await months.standing(conn, town.id, month)
        if day is not None and day <= today and standing.state is months.State.OPEN:
            by = _one(town, Role.COORDINATOR)
            await closing.close(conn, town.id, month, by=by, now=now)


async def _find_a_sheet(town: Town, week: int) -> None:
    """An afternoon that nobody wrote down at the time, found when its month was closed."""
    now = _moment(town, 7 * week + 1, 21, 45)
    neighbours, coordinator = _neighbours(town), _one(town, Role.COORDINATOR)
    async with town.db.write(town.id) as conn:
        entry = await recording.record(
            conn,
            town.id,
            NewEntry(
                kind=Kind.HELP,
                givers=(Share(neighbours[2]),),
                receivers=(Share(neighbours[1]),),
                minutes=Minutes(90),
                occurred_on=now.day_in(town.place.timezone) - _LATE_AFTER,
                note=town.place.words.found_late,
            ),
            by=coordinator,
            now=now,
        )
    await demo_town.post(town, [posting.Approve(town.id, entry.id, coordinator)], now)


async def _change_the_agreement(town: Town, week: int) -> None:
    """A coordinator proposes, those who were asked agree, a steward puts it into force."""
    words, asked = town.place.words, _neighbours(town)[:2]
    coordinator, steward = _one(town, Role.COORDINATOR), town.steward
    change = {"dispute_days": _SLOW_READERS}
    now = _moment(town, 7 * week + 7, 18)
    proposal = await _propose(
        town, change, words.proposal, (*asked, steward), by=coordinator, now=now
    )
    async with town.db.write(town.id) as conn:
        for hour, member in enumerate((*asked, steward)):
            await proposing.say(
                conn,
                town.id,
                proposal.id,
                Stance.AGREE,
                words.agree if member == asked[0] else "",
                member=member,
                by=member,
                now=_moment(town, 7 * week + 5, 9 + hour),
            )
        await proposing.settle(
            conn, town.id, proposal.id, by=steward, now=_moment(town, 7 * week + 1, 22)
        )


async def _propose_more(town: Town) -> None:
    """A neighbour's proposal that is being talked about now."""
    words, neighbours = town.place.words, _neighbours(town)
    coordinator, steward = _one(town, Role.COORDINATOR), town.steward
    houses = tuple(town.ids[house.name] for house in town.place.houses[:1])
    change = {"commons_floor": Minutes(-30_000), "review_on": town.today + timedelta(days=365)}
    proposal = await _propose(
        town,
        change,
        words.next_proposal,
        (*houses, neighbours[0], coordinator, steward),
        by=neighbours[1],
        now=_moment(town, 5, 17),
    )
    said = (
        (coordinator, Stance.CONCERN, words.concern),
        (steward, Stance.AGREE, ""),
    )
    async with town.db.write(town.id) as conn:
        for hour, (member, stance, about) in enumerate(said):
            await proposing.say(
                conn,
                town.id,
                proposal.id,
                stance,
                about,
                member=member,
                by=member,
                now=_moment(town, 3, 9 + hour),
            )
        await proposing.comment(
            conn, town.id, proposal.id, words.comment, by=neighbours[1], now=_moment(town, 2, 20)
        )


async def _propose(
    town: Town,
    change: dict[str, Any],
    reason: str,
    asked: tuple[UUID, ...],
    *,
    by: UUID,
    now: Moment,
) -> Proposal:
    """Propose to change these terms of the agreement, with three weeks to agree."""
    async with town.db.write(town.id) as conn:
        current = await agreements.current(conn, town.id)
        terms = replace(current.terms, **change)
        until = now.day_in(town.place.timezone) + timedelta(days=26)
        new = NewProposal(terms, reason, asked, until, None, current.version)
        return await proposing.propose(conn, town.id, new, by=by, now=now)


def _neighbours(town: Town) -> list[UUID]:
    """Members with an address and no task, in the order of their list; they came first."""
    people = town.place.people
    return [
        town.ids[w.name] for w in people if w.email and w.role is Role.MEMBER and w.name in town.ids
    ]


def _one(town: Town, role: Role) -> UUID:
    """The first who carries a role."""
    return next(town.ids[who.name] for who in town.place.people if who.role is role)


def _moment(town: Town, days_ago: int, hour: int, minute: int = 0) -> Moment:
    """A moment of the year, with dice that depend on nothing else in it."""
    at = town.at(days_ago, hour, minute)
    return Moment(at, Random(f"{town.place.slug} {days_ago} {hour} {minute}").randbytes)  # noqa: S311
