"""What each part of a large town is made with: a transaction, the made books, the moment, dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.making import Books
from timebank.moment import Moment


@dataclass(frozen=True, slots=True)
class Making:
    """One transaction in which a community gets what it has to have."""

    conn: AsyncConnection
    books: Books
    now: Moment
    dice: Random

    @property
    def id(self) -> UUID:
        """The community."""
        return self.books.community

    @property
    def steward(self) -> UUID:
        """The member who is its steward."""
        return self.books.members[0]

    @property
    def coordinator(self) -> UUID:
        """The member who coordinates."""
        return self.books.members[1]

    def some(self, least: int, one_in: int) -> Sequence[UUID]:
        """One member in so many, and at least so many; nobody who signs in."""
        others = self.books.members[3:]
        return self.dice.sample(others, max(least, len(others) // one_in))

    def days_ago(self, least: int, most: int) -> datetime:
        """A moment between so many days ago."""
        return self.now.at - timedelta(days=least + (most - least) * self.dice.random())

    async def put(self, table: Any, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows of this community."""
        await self.conn.execute(insert(table), [{"community_id": self.id} | row for row in rows])

    def later(self, minutes: int) -> Moment:
        """A moment some minutes from now."""
        return replace(self.now, at=self.now.at + timedelta(minutes=minutes))
