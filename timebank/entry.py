"""One entry as values: what it says, who stands in it, and what happened to it.

    recorded ─► confirmed ─► approved ─► reversed
       │  ▲         │
       │  └ returned (with a question)
       ├─► disputed ─┴─► approved / declined, with a reason
       └─► withdrawn

An approved entry may still be disputed for a while: it stays posted and is `contested` until a
coordinator keeps it or undoes it. While an entry is disputed, its steps are a conversation of both
sides with the one coordinator who looks into it. Tables and verbs are in `timebank.entries`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from ledger import ZERO, Minutes
from timebank.periods import Month


class Kind(StrEnum):
    """What sort of thing was given. Grants and donations are gifts of hours, never help."""

    HELP = "help"
    ACTIVITY = "activity"
    HOSPITALITY = "hospitality"
    FACILITATION = "facilitation"
    OTHER = "other"
    GRANT = "grant"  # the commons (or an organisation) gives hours to somebody
    DONATION = "donation"  # somebody gives hours to the commons

    @property
    def is_gift(self) -> bool:
        """Whether hours themselves are given, so that no help is counted."""
        return self in (Kind.GRANT, Kind.DONATION)


class State(StrEnum):
    """Where an entry stands."""

    RECORDED = "recorded"
    CONFIRMED = "confirmed"
    DISPUTED = "disputed"
    RETURNED = "returned"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    REVERSED = "reversed"


OPEN = (State.RECORDED, State.CONFIRMED, State.DISPUTED, State.RETURNED)
"""States in which an entry still waits for somebody."""


class Side(StrEnum):
    """Which side of an entry somebody stands on."""

    GAVE = "gave"
    RECEIVED = "received"


class StepKind(StrEnum):
    """What can happen to an entry; each is kept with who and when."""

    RECORDED = "recorded"
    CHANGED = "changed"  # answered with a corrected entry after it was returned
    CONFIRMED = "confirmed"
    DISPUTED = "disputed"
    UNDO_ASKED = "undo_asked"  # disputed, with the wish that it be undone
    TAKEN = "taken"  # a coordinator looks into what somebody disputes
    ANSWERED = "answered"
    RETURNED = "returned"
    UNASKED = "unasked"  # the coordinator's question was taken back
    WITHDRAWN = "withdrawn"
    APPROVED = "approved"
    DECLINED = "declined"
    KEPT = "kept"  # a dispute about an approved entry was settled: it stays
    REVERSED = "reversed"
    BROUGHT_IN = "brought_in"  # written down and posted at once, from a file
    POSTED = "posted"  # posted without a coordinator, as the agreement says


DISPUTES = (StepKind.DISPUTED, StepKind.UNDO_ASKED)
"""Steps that say an entry is not right."""


@dataclass(frozen=True, slots=True)
class Share:
    """One side of a new entry: an account and its own minutes, or None to share equally."""

    account_id: UUID
    minutes: Minutes | None = None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What a person writes down.

    `minutes` is what each giver gave, where a giver's share names none of its own. Receivers
    without minutes of their own share what was given, to the minute. `listing_id` names the offer
    or the request it came from.
    """

    kind: Kind
    givers: tuple[Share, ...]
    receivers: tuple[Share, ...]
    minutes: Minutes | None
    occurred_on: date
    note: str = ""
    category_id: UUID | None = None
    on_behalf_of: UUID | None = None
    listing_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One account's part in an entry, with the name to show."""

    account_id: UUID
    name: str
    side: Side
    minutes: Minutes
    awaited: bool
    confirmed_at: datetime | None
    confirmed_by: UUID | None
    reachable: bool  # a sign-in (an organisation: a manager's), or nobody who has to be asked
    back: Minutes = ZERO  # so many of the minutes take back what stood on the other side
    must_agree: bool = False  # before anybody approves, whatever the agreement says


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an entry."""

    number: int
    kind: StepKind
    member_id: UUID | None
    name: str | None
    at: datetime
    words: str
    override: bool
    stood_in: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry with everyone in it, as lists and decisions need it.

    `counted_on` is the day for which it is reported, once it is posted.
    """

    community_id: UUID
    id: UUID
    kind: Kind
    category: str | None
    category_id: UUID | None
    occurred_on: date
    note: str
    minutes: Minutes
    state: State
    contested: bool
    agreement_version: int
    recorded_by: UUID
    recorded_by_name: str
    on_behalf_of: UUID | None
    on_behalf_of_name: str | None
    recorded_at: datetime
    touched_at: datetime
    posted_at: datetime | None
    reverses_id: UUID | None
    reversed_by_id: UUID | None
    parts: tuple[Part, ...]
    gathering_id: UUID | None = None  # the gathering whose hours it settles, or corrects
    witnessed_by: tuple[UUID, ...] = ()  # of a settlement: who was there and says it is right
    counted_on: date | None = None

    @property
    def late(self) -> bool:
        """Whether its own month was closed when it was posted, so that it counts in another one."""
        return is_late(self.occurred_on, self.counted_on, self.reverses_id)

    @property
    def counted_in(self) -> Month | None:
        """The month in which it is reported, once it is posted."""
        return None if self.counted_on is None else Month.of(self.counted_on)

    @property
    def givers(self) -> tuple[Part, ...]:
        """Those who gave, in the order they were written down."""
        return tuple(part for part in self.parts if part.side is Side.GAVE)

    @property
    def receivers(self) -> tuple[Part, ...]:
        """Those who received, in the order they were written down."""
        return tuple(part for part in self.parts if part.side is Side.RECEIVED)


def is_late(occurred_on: date, counted_on: date | None, reverses_id: UUID | None) -> bool:
    """Whether posted hours count in another month than their own, because that was closed."""
    return counted_on is not None and reverses_id is None and counted_on != occurred_on
