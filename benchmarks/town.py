"""A community as the pages know it: members and coordinators who sign in, and hours that wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from random import Random
from uuid import UUID

from ledger import Minutes
from tests.timebank.factories import a_member
from timebank import books, communities, recording, sessions
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share
from timebank.members import Member, Role
from timebank.moment import Moment

_TOGETHER = 100  # entries written down in one transaction


@dataclass(frozen=True, slots=True)
class Town:
    """A community, its members and coordinators, and dice."""

    db: Database
    community: Community
    members: tuple[Member, ...]
    coordinators: tuple[Member, ...]
    dice: Random

    async def recorded(self, count: int) -> list[UUID]:
        """Write so many entries down, each by its giver for another member; they wait then."""
        found: list[UUID] = []
        now = Moment.now()
        while len(found) < count:
            async with self.db.write(self.community.id) as conn:
                for _ in range(min(_TOGETHER, count - len(found))):
                    giver, receiver = self.dice.sample(self.members, 2)
                    new = _help(giver, receiver, now.day_in(self.community.timezone))
                    entry = await recording.record(
                        conn, self.community.id, new, by=giver.id, now=now
                    )
                    found.append(entry.id)
        return found

    async def sessions(self, people: tuple[Member, ...]) -> list[str]:
        """Sign these people in without a password; the secrets of their cookies."""
        found = []
        async with self.db.write(EVERYWHERE) as conn:
            for member in people:
                assert member.person_id is not None
                token = await sessions.begin(
                    conn, member.person_id, device="a benchmark", now=Moment.now()
                )
                found.append(token)
        return found

    async def sound(self) -> bool:
        """Whether the community's books verify, words and tallies included."""
        return (await books.verify(self.db, self.community.id, now=Moment.now())).sound


async def a_town(db: Database, *, members: int, coordinators: int) -> Town:
    """A community with so many people in it, all of whom can sign in."""
    now = Moment(datetime.now(UTC))
    async with db.write(EVERYWHERE) as conn:
        place = await communities.create(
            conn, slug="bench", name="Bench", language="en", timezone="Europe/London", now=now
        )
        people = [
            await a_member(
                conn,
                place.id,
                f"Neighbour {number:04}",
                email=f"n{number}@example.org",
                role=Role.COORDINATOR if number < coordinators else Role.MEMBER,
                now=now,
            )
            for number in range(coordinators + members)
        ]
    return Town(db, place, tuple(people[coordinators:]), tuple(people[:coordinators]), Random(1))


def _help(giver: Member, receiver: Member, day: date) -> NewEntry:
    return NewEntry(
        kind=Kind.HELP,
        givers=(Share(giver.account_id),),
        receivers=(Share(receiver.account_id),),
        minutes=Minutes(60),
        occurred_on=day,
        note="The garden",
    )
