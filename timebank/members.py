"""Members: people and organisations of one community, with or without e-mail.

    applied ─► active ⇄ paused ─► left          invited people start as active

A member's account in the book carries the member's own id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
)

from ledger import Minutes
from ledger.sql import metadata
from ledger.sql.types import Flag, Id, Instant, MinutesType, Words


class MemberKind(StrEnum):
    """Who a member is."""

    PERSON = "person"
    ORGANISATION = "organisation"


class Role(StrEnum):
    """What a member may do for the community; each includes the one before."""

    MEMBER = "member"
    COORDINATOR = "coordinator"
    STEWARD = "steward"


class Status(StrEnum):
    """Where a membership stands."""

    APPLIED = "applied"
    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"


members = Table(
    "member",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("person_id", Id, ForeignKey("person.id")),
    Column("name", Words, nullable=False),
    Column("name_key", Words, nullable=False),  # folded for search: no case, no accents
    Column("phone", Words, nullable=False, server_default=""),
    Column("contact_shown", Flag, nullable=False),  # phone and e-mail visible to members
    Column("area", Words, nullable=False, server_default=""),
    Column("sector", Words, nullable=False, server_default=""),  # organisations only
    Column("about", Words, nullable=False, server_default=""),
    Column("offers", Words, nullable=False, server_default=""),
    Column("wishes", Words, nullable=False, server_default=""),
    Column("role", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("invited_by", Id),
    Column("welcomed_by", Id),
    Column("applied_at", Instant, nullable=False),
    Column("joined_at", Instant),
    Column("ended_at", Instant),
    Column("erased_at", Instant),  # pseudonymised: the words are gone, the lines stay
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "invited_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "welcomed_by"], ["member.community_id", "member.id"]),
    UniqueConstraint("community_id", "person_id"),
    CheckConstraint("kind IN ('person', 'organisation')", name="kind"),
    CheckConstraint("role IN ('member', 'coordinator', 'steward')", name="role"),
    CheckConstraint("status IN ('applied', 'active', 'paused', 'left')", name="status"),
    Index("ix_member_name", "community_id", "status", "name_key"),
    Index("ix_member_person", "person_id"),
    sqlite_strict=True,
)

buddies = Table(  # who may record for whom; for an organisation: its account managers
    "buddy",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("buddy_id", Id, nullable=False),
    Column("consent", Words, nullable=False),  # how the member agreed, in words
    Column("added_by", Id, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "buddy_id"], ["member.community_id", "member.id"]),
    CheckConstraint("member_id <> buddy_id", name="two_people"),
    Index("ix_buddy_member", "community_id", "member_id"),
    Index("ix_buddy_buddy", "community_id", "buddy_id"),
    sqlite_strict=True,
)

tallies = Table(  # totals that would otherwise be re-added on each page; `verify` compares them
    "tally",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("given", MinutesType, nullable=False),  # help given, reversals taken off
    Column("received", MinutesType, nullable=False),
    ForeignKeyConstraint(["community_id", "account_id"], ["account.community_id", "account.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the domain decides with: fresh from the database, never from a cookie."""

    community_id: UUID
    id: UUID
    kind: MemberKind
    person_id: UUID | None
    name: str
    area: str
    role: Role
    status: Status

    @property
    def account_id(self) -> UUID:
        """The member's account in the book carries the member's id."""
        return self.id


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything a profile page can show; who sees which part is decided by `policy`."""

    member: Member
    email: str | None
    phone: str
    contact_shown: bool
    sector: str
    about: str
    offers: str
    wishes: str
    invited_by: str | None
    welcomed_by: str | None
    applied_at: datetime
    joined_at: datetime | None
    ended_at: datetime | None
    given: Minutes
    received: Minutes
    balance: Minutes
