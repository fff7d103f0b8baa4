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

from timebank import policy
from timebank.acting import Actor
from timebank.agreements import Terms
from timebank.members import Member
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
    REQUEST = "request"  # somebody asked for help on the board, and nobody answered
    NEWCOMER = "newcomer"  # somebody is new, and what we do with everyone who is new is not done
    CHECK = "check"  # the day has come to look at somebody's check again
    BELONGING = "belonging"  # somebody says where they belong, and nobody confirmed it
    ASK = "ask"  # somebody is to be asked whether they stay, and no mail reaches them
    FORGET = "forget"  # somebody was asked, has not answered, and is forgotten soon
    LACKING = "lacking"  # a gathering is near, and somebody is missing, or everybody
    LIST = "list"  # a gathering is over, and nobody closed the list of who came
    SENDING = "sending"  # a list is closed, and nobody sent the hours to approval
    DOOR = "door"  # somebody wrote a name at the door, and nobody said who it is
    MONTH = "month"  # the day came to close a month, or a steward wants one open again
    PROPOSAL = "proposal"  # all who were asked agree, and a steward decides
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
    """Who reads, under which terms, and when; `sole`: there is no other coordinator.

    `apart` are members the reader is kept apart from.
    """

    reader: Actor
    terms: Terms
    sole: bool
    apart: frozenset[UUID]
    now: Moment

    def cares_for(self, member: Member) -> bool:
        """Whether the reader may know what is kept about this member besides their profile."""
        return policy.may_care(self.reader.member, member, kept_apart=member.id in self.apart)


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
