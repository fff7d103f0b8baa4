"""Gatherings: shared activities at a time and a place, with roles and the people who come.

    planned ─► held ─► settled          planned ─► cancelled

A gathering stands alone or is one of a series. Days and hours of the clock are those of the
community's time zone; moments are kept in UTC. One gathering as values is in `timebank.gathering`.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    text,
)

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Flag, Id, Instant, Json, MinutesType, Words


class State(StrEnum):
    """Where a gathering stands."""

    PLANNED = "planned"
    CANCELLED = "cancelled"
    HELD = "held"  # attendance is taken, and closed
    SETTLED = "settled"  # everyone's hours are posted, or none are due


class Openness(StrEnum):
    """Who may come without being asked."""

    MEMBERS = "members"
    INVITED = "invited"
    PUBLIC = "public"  # it has a page that everyone may read


class Rule(StrEnum):
    """How a gathering's attendance becomes transfers; chosen when it is planned."""

    SPONSORED = "sponsored"  # the commons, or an organisation, credits the roles
    ONE_FOR_ONE = "one_for_one"  # each gives what they received; the rest goes to the commons
    SPLIT = "split"  # the minutes of those who carried it are shared among those who took part
    WORKSHOP = "workshop"  # those who took part pay in, roles are paid out, the rest stays visible
    NONE = "none"


class Answer(StrEnum):
    """What somebody said to an invitation; `ASKED` is no answer yet."""

    ASKED = "asked"
    YES = "yes"
    MAYBE = "maybe"
    NO = "no"


class DutyState(StrEnum):
    """Where it stands between a person and a role."""

    OFFERED = "offered"  # they said: I will
    ASKED = "asked"
    AGREED = "agreed"
    DECLINED = "declined"


formats = Table(  # how a kind of gathering goes; a community adds its own
    "format",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("name", Words, nullable=False),
    Column("about", Words, nullable=False),  # how it goes, in plain words
    Column("lasts", MinutesType, nullable=False),
    Column("rule", Words, nullable=False),
    Column("credits_taking_part", Flag, nullable=False),
    Column("roles", Json, nullable=False),  # [[key of the role, how many people], …]
    Column("position", Count, nullable=False),
    Column("retired_at", Instant),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    UniqueConstraint("community_id", "name"),
    CheckConstraint("name <> ''", name="named"),
    sqlite_strict=True,
)

series = Table(  # "every second Tuesday": its dates are made into gatherings some time ahead
    "series",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("rule", Words, nullable=False),  # RRULE of RFC 5545, without its start
    Column("first_on", Day, nullable=False),
    Column("at", Words, nullable=False),  # by the community's clocks, `18:00`
    Column("lasts", MinutesType, nullable=False),
    Column("plan", Json, nullable=False, server_default="{}"),  # what its next dates are like
    Column("last_on", Day),
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("ended_at", Instant),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    sqlite_strict=True,
)

gatherings = Table(
    "gathering",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("series_id", Id),
    # The day the series gave it, also after it was moved. NULL in a series: a day it gives no more.
    Column("occurs_on", Day),
    Column("format_id", Id),
    Column("title", Words, nullable=False),
    Column("purpose", Words, nullable=False),  # in a sentence
    Column("place", Words, nullable=False),
    Column("access", Words, nullable=False),  # how to get in: steps, buses
    Column("link", Words, nullable=False),  # where it meets online
    Column("area", Words, nullable=False),
    Column("bring", Words, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("capacity", Count),
    Column("openness", Words, nullable=False),
    Column("rule", Words, nullable=False),
    Column("credits_taking_part", Flag, nullable=False),
    Column("payer_id", Id),  # whose account pays: the commons, an organisation, the workshop
    Column("state", Words, nullable=False),
    Column("agreement_version", Count, nullable=False),
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),
    Column("revision", Count, nullable=False, server_default="0"),  # grows when calendars must know
    Column("parting", Words, nullable=False, server_default=""),  # said when it was called off
    ForeignKeyConstraint(
        ["community_id", "agreement_version"], ["agreement.community_id", "agreement.version"]
    ),
    ForeignKeyConstraint(["community_id", "format_id"], ["format.community_id", "format.id"]),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "payer_id"], ["account.community_id", "account.id"]),
    ForeignKeyConstraint(["community_id", "series_id"], ["series.community_id", "series.id"]),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    UniqueConstraint("community_id", "series_id", "occurs_on"),
    CheckConstraint("title <> ''", name="titled"),
    CheckConstraint("ends_at > starts_at", name="lasts"),
    CheckConstraint("capacity IS NULL OR capacity > 0", name="capacity"),
    Index("ix_gathering_when", "community_id", "starts_at"),
    Index("ix_gathering_state", "community_id", "state", "ends_at"),
    sqlite_strict=True,
)

hosts = Table(  # the organisations that host a gathering
    "gathering_host",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)

gathering_roles = Table(  # what a gathering needs, copied from the agreement when it was planned
    "gathering_role",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("key", Words, primary_key=True),
    Column("name", Words, nullable=False),  # "" for a built-in role under its usual name
    Column("kind", Words, nullable=False),
    Column("before", MinutesType, nullable=False),
    Column("during", Flag, nullable=False),
    Column("after", MinutesType, nullable=False),
    Column("wanted", Count, nullable=False),  # how many people; 0 for as many as like
    Column("position", Count, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    sqlite_strict=True,
)

seats = Table(  # one person at one gathering: asked, answered, there
    "seat",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("gathering_id", Id, nullable=False),
    Column("member_id", Id),  # NULL: a guest, or somebody who walked in
    Column("name", Words, nullable=False),  # of a guest; "" for members
    Column("email", Words, nullable=False),
    Column("organisation_id", Id),  # where they come from this time; NULL with a neighbour
    Column("from_words", Words, nullable=False),  # a guest's organisation that is no member
    Column("answer", Words, nullable=False),
    Column("words", Words, nullable=False),  # said with the answer
    Column("answered_at", Instant),  # also the place in the line of those who wait
    Column("waiting", Flag, nullable=False),  # said yes when there was no room left
    Column("invited_by", Id),
    Column("invited_at", Instant),
    Column("present", MinutesType),  # how long they were there; NULL: not known, 0: did not come
    Column("ticked_at", Instant),
    Column("ticked_by", Id),
    Column("ticked_how", Words, nullable=False),  # list, sheet or door; "" as long as not ticked
    Column("to_confirm", Flag, nullable=False),  # a name given at the door
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "invited_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "organisation_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "ticked_by"], ["member.community_id", "member.id"]),
    UniqueConstraint("community_id", "gathering_id", "member_id"),  # nobody is counted twice
    CheckConstraint("member_id IS NOT NULL OR name <> ''", name="named"),
    CheckConstraint("present >= 0", name="present"),
    Index("ix_seat_member", "community_id", "member_id", "gathering_id"),
    Index(
        "ix_seat_to_confirm",
        "community_id",
        "gathering_id",
        sqlite_where=text("to_confirm = 1"),
        postgresql_where=text("to_confirm"),
    ),
    sqlite_strict=True,
)

duties = Table(  # who carries which role at a gathering
    "duty",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("role_key", Words, primary_key=True),
    Column("seat_id", Id, primary_key=True),
    Column("state", Words, nullable=False),
    Column("asked_by", Id),
    Column("at", Instant, nullable=False),
    # The real minutes, written down after the gathering; NULL where they are as agreed.
    Column("before", MinutesType),
    Column("during", MinutesType),
    Column("after", MinutesType),
    ForeignKeyConstraint(
        ["community_id", "gathering_id", "role_key"],
        ["gathering_role.community_id", "gathering_role.gathering_id", "gathering_role.key"],
    ),
    ForeignKeyConstraint(["community_id", "seat_id"], ["seat.community_id", "seat.id"]),
    ForeignKeyConstraint(["community_id", "asked_by"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)

invited_organisations = Table(  # who were asked to send somebody
    "invited_organisation",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("organisation_id", Id, primary_key=True),
    Column("invited_by", Id, nullable=False),
    Column("invited_at", Instant, nullable=False),
    Column("declined_at", Instant),  # they said: nobody of us, this time
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "invited_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "organisation_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)

reminders = Table(  # which reminders have gone out, so that none goes twice
    "reminder",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("kind", Words, primary_key=True),
    Column("sent_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    sqlite_strict=True,
)
