"""What a source of the inbox is: something that waits for a coordinator, and how one reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.acting import Actor
from timebank.agreements import Terms
from timebank.moment import Moment


class Why(StrEnum):
    """Why something is in the inbox. Also what it is called in addresses and in tables."""

    APPLICATION = "application"  # somebody asked to join
    DISPUTE = "dispute"  # somebody says an entry is not right, before or after approval
    ANSWER = "answer"  # a coordinator's question was answered
    APPROVAL = "approval"  # an entry that is like any other
    ODD = "odd"  # an entry about which something looks odd
    CALL = "call"  # somebody is past a limit at which we talk
    QUIET = "quiet"  # somebody was active, and then nothing for a while
    MONTH = "month"  # one to close, or to open again
    PROPOSAL = "proposal"  # to change the agreement, and all who were asked agree
    REVIEW = "review"  # the day came to look at the agreement again


class Act(StrEnum):
    """What can be done about things right in the inbox, one of them or many."""

    APPROVE = "approve"
    RETURN = "return"
    WELCOME = "welcome"
    PUT_ASIDE = "put_aside"
    TAKE = "take"


class Thing(NamedTuple):
    """One thing that waits: why, and the id of the entry, the member or whatever it is."""

    why: Why
    id: UUID

    def __str__(self) -> str:
        """As a form sends it."""
        return f"{self.why}.{self.id}"


@dataclass(frozen=True, slots=True)
class Desk:
    """Who reads, under which terms, and when; `sole`: there is no other coordinator."""

    reader: Actor
    terms: Terms
    sole: bool
    now: Moment


class Waits(Protocol):
    """What waits now, as a query whose rows are an id and since when (`Instant`).

    Each id once. It has to be quick: it is asked on every coordinator's home page.
    """

    def __call__(self, community: UUID, *, terms: Terms, now: Moment) -> Select[Any]: ...


class Reads(Protocol):
    """What a row of the inbox shows of these things, in a number of queries that is fixed.

    Sources that share a reader are read together.
    """

    async def __call__(
        self, conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
    ) -> Mapping[UUID, object]: ...


Finds = Callable[[UUID, str, ColumnElement[UUID]], ColumnElement[bool]]
"""Whether a word is in the thing with this id: (community, word, id) to a condition."""


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of thing that waits. `name` is its heading, marked for translation."""

    why: Why
    name: str
    waits: Waits
    read: Reads
    finds: Finds
    acts: frozenset[Act]


@dataclass(frozen=True, slots=True)
class Touch:
    """Who did something about a thing last, and when (UTC); `words` are theirs."""

    name: str
    at: datetime
    words: str = ""
