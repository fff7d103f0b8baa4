"""Proposals: how a community changes its agreement together.

    open ─► settled ─► in force          settled: decided, and waits for its day
     │  ▲      │
     │  └──────┴ the agreement moved, or somebody took back their word: it has to be looked at again
     ├─► withdrawn (by whoever made it)      ├─► declined (by a steward)      └─► expired

Any active member proposes, with a reason, and names the members and organisations who have to
agree. Everybody may say that they agree, have a concern or stand aside, and comment. Once all who
were asked agree or stand aside, a steward settles it, and it is in force from the agreed day on.
A proposal holds only the terms it changes (`timebank.patches`). What is done with one is in
`timebank.proposing`, and what the calendar does in `timebank.proposal_dates`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    UniqueConstraint,
    and_,
    exists,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Flag, Id, Instant, Json, Words
from timebank.agreements import Terms, agreements
from timebank.errors import NotFound
from timebank.members import MemberKind, buddies, members
from timebank.moment import Moment


class State(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    SETTLED = "settled"
    IN_FORCE = "in_force"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"
    EXPIRED = "expired"


PENDING = (State.OPEN, State.SETTLED)
"""States in which people still say what they think."""


class Stance(StrEnum):
    """What somebody says to a proposal."""

    AGREE = "agree"
    CONCERN = "concern"
    ASIDE = "aside"  # not for it, and not in its way


ENOUGH = (Stance.AGREE, Stance.ASIDE)
"""What lets a proposal go on, of those who were asked."""


class StepKind(StrEnum):
    """What can happen to a proposal; each is kept with who and when."""

    PROPOSED = "proposed"
    REVISED = "revised"
    COMMENT = "comment"
    SETTLED = "settled"
    IN_FORCE = "in_force"
    MOVED = "moved"  # it could not come into force on its day, and is open again
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"
    EXPIRED = "expired"


proposals = Table(
    "proposal",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("base_version", Count, nullable=False),  # the version in force when it was written
    Column("changes", Json, nullable=False),  # the terms that differ from it
    Column("reason", Words, nullable=False),
    Column("proposed_by", Id, nullable=False),
    Column("on_behalf_of", Id),  # an organisation that proposes it
    Column("proposed_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),
    Column("open_until", Day, nullable=False),  # the last day to agree
    Column("effective_on", Day),  # NULL: as soon as it is settled
    Column("state", Words, nullable=False),
    Column("settled_by", Id),
    Column("version", Count),  # the version it became
    ForeignKeyConstraint(
        ["community_id", "base_version"], ["agreement.community_id", "agreement.version"]
    ),
    ForeignKeyConstraint(["community_id", "on_behalf_of"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "proposed_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "settled_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(
        ["community_id", "version"], ["agreement.community_id", "agreement.version"]
    ),
    CheckConstraint(
        "state IN ('open', 'settled', 'in_force', 'withdrawn', 'declined', 'expired')",
        name="state",
    ),
    Index("ix_proposal_state", "community_id", "state", "touched_at"),
    sqlite_strict=True,
)

voices = Table(  # what people and organisations say to a proposal, and who was asked
    "proposal_voice",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("proposal_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("asked", Flag, nullable=False),  # the proposal needs their word
    Column("stance", Words, nullable=False),  # "": nothing yet
    Column("words", Words, nullable=False),
    Column("said_by", Id),  # who gave it: they themselves, an account manager, a buddy
    Column("said_at", Instant),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "proposal_id"], ["proposal.community_id", "proposal.id"]),
    ForeignKeyConstraint(["community_id", "said_by"], ["member.community_id", "member.id"]),
    CheckConstraint("stance IN ('', 'agree', 'concern', 'aside')", name="stance"),
    Index("ix_proposal_voice_member", "community_id", "member_id", "proposal_id"),
    sqlite_strict=True,
)

steps = Table(  # the story of a proposal; append-only, but its words can be erased with a person
    "proposal_step",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("proposal_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("member_id", Id),  # NULL: the calendar
    Column("at", Instant, nullable=False),
    Column("words", Words, nullable=False),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "proposal_id"], ["proposal.community_id", "proposal.id"]),
    sqlite_strict=True,
)

reviews = Table(  # append-only: that the day came to look at a version again
    "review",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("version", Count, nullable=False),
    Column("due_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "version"], ["agreement.community_id", "agreement.version"]
    ),
    UniqueConstraint("community_id", "version"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Voice:
    """What one member says. `said_by_name` is who gave the word, if somebody else did."""

    member_id: UUID
    name: str
    kind: MemberKind
    asked: bool
    stance: Stance | None
    words: str
    said_by: UUID | None
    said_by_name: str | None
    said_at: datetime | None

    @property
    def missing(self) -> bool:
        """Whether the proposal needs their word, and it does not let it go on (yet)."""
        return self.asked and self.stance not in ENOUGH


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal with everyone's word. `changes` is a patch to the version `base_version`.

    `effective_on` is the first day it is to hold, None for as soon as it is settled; `version` is
    the version it became.
    """

    id: UUID
    base_version: int
    changes: Mapping[str, Any]
    reason: str
    proposed_by: UUID
    proposed_by_name: str
    on_behalf_of: UUID | None
    on_behalf_of_name: str | None
    proposed_at: datetime
    touched_at: datetime
    open_until: date
    effective_on: date | None
    state: State
    settled_by: UUID | None
    settled_by_name: str | None
    version: int | None
    voices: tuple[Voice, ...]

    @property
    def missing(self) -> tuple[Voice, ...]:
        """Those whose word it still needs."""
        return tuple(voice for voice in self.voices if voice.missing)

    def said(self, stance: Stance) -> tuple[Voice, ...]:
        """Those who say so."""
        return tuple(voice for voice in self.voices if voice.stance is stance)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a proposal. Without a name it was the calendar."""

    kind: StepKind
    member_id: UUID | None
    name: str | None
    at: datetime
    words: str


# Aliases copy every column, so they are made once.
_PROPOSER, _BEHALF = members.alias("proposer"), members.alias("behalf")
_SETTLER, _SPEAKER = members.alias("settler"), members.alias("speaker")


async def get(conn: AsyncConnection, community: UUID, id: UUID) -> Proposal:
    """One proposal, or `NotFound`."""
    found = await several(conn, community, [id])
    if not found:
        raise NotFound("proposal")
    return found[0]


async def listed(
    conn: AsyncConnection, community: UUID, states: Collection[State], limit: int | None = 100
) -> list[Proposal]:
    """Proposals in these states, the latest touched first; without a `limit`, all of them."""
    rows = await conn.execute(
        select(proposals.c.id)
        .where(
            proposals.c.community_id == community,
            proposals.c.state.in_([state.value for state in states]),
        )
        .order_by(proposals.c.touched_at.desc(), proposals.c.id.desc())
        .limit(limit)
    )
    return await several(conn, community, [row.id for row in rows])


async def of_versions(conn: AsyncConnection, community: UUID) -> dict[int, Proposal]:
    """The proposals that versions of the agreement came from, by version."""
    rows = await conn.execute(
        select(proposals.c.id).where(
            proposals.c.community_id == community, proposals.c.version.is_not(None)
        )
    )
    found = await several(conn, community, [row.id for row in rows])
    return {one.version: one for one in found if one.version is not None}


async def several(conn: AsyncConnection, community: UUID, ids: Sequence[UUID]) -> list[Proposal]:
    """These proposals in the order asked for, in two queries; what is not there is left out."""
    if not ids:
        return []
    said: dict[UUID, list[Voice]] = {}
    for proposal_id, voice in await _voices(conn, community, ids):
        said.setdefault(proposal_id, []).append(voice)
    rows = {row.id: row for row in await _rows(conn, community, ids)}
    return [_proposal(rows[id], said.get(id, ())) for id in ids if id in rows]


async def story(conn: AsyncConnection, community: UUID, id: UUID) -> list[Step]:
    """What happened to a proposal, and what was said about it, in order."""
    rows = await conn.execute(
        select(steps, members.c.name)
        .outerjoin(members, _is(members, steps, steps.c.member_id))
        .where(steps.c.community_id == community, steps.c.proposal_id == id)
        .order_by(steps.c.number)
    )
    return [Step(StepKind(row.kind), row.member_id, row.name, row.at, row.words) for row in rows]


async def asked_of(conn: AsyncConnection, community: UUID, member_id: UUID) -> list[UUID]:
    """Open proposals that wait for a member's word, or that of somebody they act for."""
    speaks_for = union_all(
        select(literal(member_id, Id)),
        select(buddies.c.member_id).where(
            buddies.c.community_id == community,
            buddies.c.buddy_id == member_id,
            buddies.c.until.is_(None),
        ),
    )
    rows = await conn.execute(
        select(proposals.c.id)
        .join(
            voices,
            and_(
                voices.c.community_id == proposals.c.community_id,
                voices.c.proposal_id == proposals.c.id,
            ),
        )
        .where(
            proposals.c.community_id == community,
            proposals.c.state == State.OPEN.value,
            voices.c.member_id.in_(speaks_for),
            voices.c.asked,
            voices.c.stance == "",
        )
        .distinct()
    )
    return [row.id for row in rows]


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:  # noqa: ARG001
    """Open proposals to which all who were asked agree: a steward decides. Rows `(id, since)`."""
    return select(proposals.c.id, proposals.c.touched_at.label("since")).where(
        proposals.c.community_id == community,
        proposals.c.state == State.OPEN.value,
        ~lacks_a_word(),
    )


def reviews_waiting(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:  # noqa: ARG001
    """That the day came to look at the agreement again, until there is a new version."""
    latest = select(func.max(agreements.c.version)).where(agreements.c.community_id == community)
    return select(reviews.c.id, reviews.c.due_at.label("since")).where(
        reviews.c.community_id == community, reviews.c.version == latest.scalar_subquery()
    )


def lacks_a_word() -> Any:
    """The condition that a proposal still needs somebody's word."""
    return exists().where(
        voices.c.community_id == proposals.c.community_id,
        voices.c.proposal_id == proposals.c.id,
        voices.c.asked,
        voices.c.stance.not_in([stance.value for stance in ENOUGH]),
    )


async def _rows(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> list[Any]:
    found = await conn.execute(
        select(
            proposals,
            _PROPOSER.c.name.label("proposer"),
            _BEHALF.c.name.label("behalf"),
            _SETTLER.c.name.label("settler"),
        )
        .join(_PROPOSER, _is(_PROPOSER, proposals, proposals.c.proposed_by))
        .outerjoin(_BEHALF, _is(_BEHALF, proposals, proposals.c.on_behalf_of))
        .outerjoin(_SETTLER, _is(_SETTLER, proposals, proposals.c.settled_by))
        .where(proposals.c.community_id == community, proposals.c.id.in_(set(ids)))
    )
    return list(found)


async def _voices(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> list[tuple[UUID, Voice]]:
    """Everyone's word: those who were asked first, organisations before people."""
    rows = await conn.execute(
        select(
            voices,
            members.c.name,
            members.c.kind,
            _SPEAKER.c.name.label("speaker"),
        )
        .join(members, _is(members, voices, voices.c.member_id))
        .outerjoin(_SPEAKER, _is(_SPEAKER, voices, voices.c.said_by))
        .where(voices.c.community_id == community, voices.c.proposal_id.in_(set(ids)))
        .order_by(voices.c.asked.desc(), members.c.kind, members.c.name_key, voices.c.member_id)
    )
    return [
        (
            row.proposal_id,
            Voice(
                row.member_id,
                row.name,
                MemberKind(row.kind),
                row.asked,
                Stance(row.stance) if row.stance else None,
                row.words,
                row.said_by,
                row.speaker if row.said_by != row.member_id else None,
                row.said_at,
            ),
        )
        for row in rows
    ]


def _proposal(row: Any, said: Sequence[Voice]) -> Proposal:
    return Proposal(
        id=row.id,
        base_version=row.base_version,
        changes=row.changes,
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_by_name=row.proposer,
        on_behalf_of=row.on_behalf_of,
        on_behalf_of_name=row.behalf,
        proposed_at=row.proposed_at,
        touched_at=row.touched_at,
        open_until=row.open_until,
        effective_on=row.effective_on,
        state=State(row.state),
        settled_by=row.settled_by,
        settled_by_name=row.settler,
        version=row.version,
        voices=tuple(said),
    )


def _is(member: Any, table: Any, id: Any) -> Any:
    return and_(member.c.community_id == table.c.community_id, member.c.id == id)
