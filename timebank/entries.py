"""Entries: what a person records and a coordinator approves.

    recorded ─► confirmed ─► approved ─► reversed
       │  ▲         │
       │  └ returned (with a question)
       ├─► disputed ─┴─► approved / declined, with a reason
       └─► withdrawn

An approved entry may still be disputed for a while: it stays posted and is `contested` until a
coordinator keeps it or undoes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table

from ledger import Minutes
from ledger.sql import metadata
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, MinutesType, Words


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
    ANSWERED = "answered"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    APPROVED = "approved"
    DECLINED = "declined"
    KEPT = "kept"  # a dispute about an approved entry was settled: it stays
    REVERSED = "reversed"
    POSTED = "posted"  # posted without a coordinator, as the agreement says


entries = Table(
    "entry",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("category_id", Id),
    Column("occurred_on", Day, nullable=False),
    Column("note", Words, nullable=False),
    Column("salt", Hash, nullable=False),  # of the commitment to the words; erased with them
    Column("minutes", MinutesType, nullable=False),  # what was given, all givers together
    Column("state", Words, nullable=False),
    Column("contested", Flag, nullable=False),
    Column("agreement_version", Count, nullable=False),
    Column("recorded_by", Id, nullable=False),
    Column("on_behalf_of", Id),
    Column("recorded_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),  # the last step
    Column("posted_at", Instant),
    Column("reverses_id", Id),
    Column("reversed_by_id", Id),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "recorded_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "on_behalf_of"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "category_id"], ["category.community_id", "category.id"]),
    ForeignKeyConstraint(
        ["community_id", "agreement_version"], ["agreement.community_id", "agreement.version"]
    ),
    ForeignKeyConstraint(["community_id", "reverses_id"], ["entry.community_id", "entry.id"]),
    CheckConstraint("minutes > 0", name="minutes"),
    Index("ix_entry_waiting", "community_id", "state", "recorded_at"),
    Index("ix_entry_contested", "community_id", "contested", "recorded_at"),
    Index("ix_entry_recorder", "community_id", "recorded_by", "state"),
    sqlite_strict=True,
)

parts = Table(  # who takes part in an entry, on which side, with how many minutes
    "part",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("position", Count, nullable=False),
    Column("side", Words, nullable=False),
    Column("minutes", MinutesType, nullable=False),
    Column("awaited", Flag, nullable=False),  # we asked them and they have not answered
    Column("confirmed_at", Instant),
    Column("confirmed_by", Id),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "account_id"], ["account.community_id", "account.id"]),
    CheckConstraint("minutes > 0", name="minutes"),
    CheckConstraint("side IN ('gave', 'received')", name="side"),
    Index("ix_part_awaited", "community_id", "account_id", "awaited", "entry_id"),
    sqlite_strict=True,
)

steps = Table(  # the story of an entry; append-only, but its words can be erased with a person
    "step",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("member_id", Id),  # NULL: the agreement itself (silence, no coordinator needed)
    Column("at", Instant, nullable=False),
    Column("words", Words, nullable=False),  # a reason, a question, an answer
    Column("override", Flag, nullable=False),  # a hard floor was passed, for the reason given
    Column("stood_in", Flag, nullable=False),  # the other side's confirmation stood in
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Share:
    """One side of a new entry: an account and its own minutes, or None to share equally."""

    account_id: UUID
    minutes: Minutes | None = None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What a person writes down.

    `minutes` is what each giver gave, where a giver's share names none of its own. Receivers
    without minutes of their own share what was given, to the minute.
    """

    kind: Kind
    givers: tuple[Share, ...]
    receivers: tuple[Share, ...]
    minutes: Minutes | None
    occurred_on: date
    note: str = ""
    category_id: UUID | None = None
    on_behalf_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One account's part in an entry, with the name to show."""

    account_id: UUID
    name: str
    side: Side
    minutes: Minutes
    awaited: bool
    confirmed_at: datetime | None
    reachable: bool  # has a sign-in, so they can answer themselves


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
    """An entry with everyone in it, as lists and decisions need it."""

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

    @property
    def givers(self) -> tuple[Part, ...]:
        """Those who gave, in the order they were written down."""
        return tuple(part for part in self.parts if part.side is Side.GAVE)

    @property
    def receivers(self) -> tuple[Part, ...]:
        """Those who received, in the order they were written down."""
        return tuple(part for part in self.parts if part.side is Side.RECEIVED)
