"""A large community as its coordinators have it: made books, and all that waits beside them.

Of each kind of thing that waits in the inbox there are some tens, and under them lie the years:
old gatherings, old requests, checks in order, affiliations long confirmed, closed months. What is
quick to do goes through the functions that people use; what there is much of is written as they
would have left it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from benchmarks.large_town import agreed, calendar, entries, people
from benchmarks.large_town.making import Making
from benchmarks.making import Books
from timebank import closing, communities
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment
from timebank.periods import Month


@dataclass(frozen=True, slots=True)
class LargeTown:
    """A large community, and the cookies of a coordinator and of a member who sign in there."""

    books: Books
    slug: str
    coordinator: str
    member: str
    now: Moment


async def live(db: Database, made: Books) -> LargeTown:
    """Give made books a community around them. Its year ends now, with a month to be closed."""
    now = Moment.now()
    async with db.read(EVERYWHERE) as conn:
        place = await communities.by_id(conn, made.community)
    async with db.write(EVERYWHERE) as conn:
        making = Making(conn, made, now, Random(1))
        coordinator, member = await people.fill(making)
        await entries.tell(making)
        await calendar.fill(making)
    async with db.write(made.community) as conn:
        making = Making(conn, made, now, Random(2))
        await agreed.fill(making)
        await entries.fill(making)
    await _close_months(db, made, now)
    return LargeTown(made, place.slug, coordinator, member, now)


async def _close_months(db: Database, made: Books, now: Moment) -> None:
    """Months of the past year are closed, up to the one before the last; that one is due."""
    steward = made.members[0]
    for earlier in range(12, 1, -1):
        month = Month.of(now.at.date()).later(-earlier)
        async with db.write(made.community) as conn:
            await closing.close(conn, made.community, month, by=steward, now=now)
    await closing.remind(db, now=now)
