"""The agreement: dated versions of a community's rules. A version is never edited.

Every entry carries the version it was made under.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.minutes import Rounding
from ledger.sql import metadata, store
from ledger.sql.types import Count, Day, Flag, Id, Instant, Json, MinutesType, Words
from timebank import audit, roles
from timebank.errors import AgreementMoved, BadInput, Forbidden, NotFound, ReasonMissing
from timebank.moment import Moment
from timebank.roles import FIRST_ROLES, AgreedRole


class Joining(StrEnum):
    """How people come in."""

    APPLY = "apply"  # anyone may ask, a coordinator welcomes them
    INVITATION = "invitation"


class OtherSide(StrEnum):
    """What the other side of an entry has to do."""

    TOLD = "told"  # they are told and may dispute
    CONFIRMS = "confirms"  # they confirm before it can be approved


class Silence(StrEnum):
    """What it means when the other side has not answered after `dispute_days`."""

    AGREES = "agrees"
    WAITS = "waits"


class Approval(StrEnum):
    """Which entries a coordinator approves. The rest is posted once the other side agrees."""

    ALL = "all"
    ABOVE = "above"  # entries of more than `approval_above` minutes, and those of the commons
    COMMONS = "commons"  # only what the commons gives


agreements = Table(
    "agreement",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("version", Count, primary_key=True),
    Column("purpose", Words, nullable=False),  # why we do this, in the community's words
    Column("step", MinutesType, nullable=False),
    Column("rounding", Words, nullable=False),
    Column("soft_floor", MinutesType, nullable=False),
    Column("hard_floor", MinutesType),
    Column("commons_floor", MinutesType),  # the commons' budget: how far below zero it may go
    Column("joining", Words, nullable=False),
    Column("other_side", Words, nullable=False),
    Column("dispute_days", Count, nullable=False),
    Column("silence", Words, nullable=False),
    Column("approval", Words, nullable=False),
    Column("approval_above", MinutesType, nullable=False),
    Column("sole_coordinator", Flag, nullable=False),
    Column("adopted_at", Instant, nullable=False),
    Column("adopted_by", Id),  # NULL: the version a community starts with
    Column("reason", Words, nullable=False),  # what changed and why
    Column("review_on", Day),
    Column("soft_ceiling", MinutesType),
    Column("floor_growth", Count, nullable=False, server_default="0"),
    Column("lowest_floor", MinutesType),
    Column("closing_day", Count),
    Column("retention_months", Count),
    Column("credits_taking_part", Flag, nullable=False, server_default="1"),
    Column("roles", Json, nullable=False, server_default="[]"),  # none: those everyone begins with
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "adopted_by"], ["member.community_id", "member.id"]),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint("step BETWEEN 1 AND 60", name="step"),
    CheckConstraint("dispute_days BETWEEN 0 AND 90", name="dispute_days"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a version of the agreement says. Most communities begin with the defaults.

    `floor_growth` is in percent: with 50, somebody's hard floor lies half of what they have given
    below `hard_floor`, but not below `lowest_floor`. On the `closing_day` of a month the month
    before is closed. After `retention_months` without a sign, people are asked whether to stay.
    """

    purpose: str = ""
    step: Minutes = Minutes(15)
    rounding: Rounding = Rounding.NEAREST
    soft_floor: Minutes = Minutes(-600)
    hard_floor: Minutes | None = None
    commons_floor: Minutes | None = None
    joining: Joining = Joining.APPLY
    other_side: OtherSide = OtherSide.TOLD
    dispute_days: int = 7
    silence: Silence = Silence.AGREES
    approval: Approval = Approval.ALL
    approval_above: Minutes = Minutes(240)
    sole_coordinator: bool = False
    review_on: date | None = None
    soft_ceiling: Minutes | None = None
    floor_growth: int = 0
    lowest_floor: Minutes | None = None
    closing_day: int | None = None
    retention_months: int | None = None
    credits_taking_part: bool = True
    roles: tuple[AgreedRole, ...] = FIRST_ROLES


@dataclass(frozen=True, slots=True)
class Agreement:
    """One adopted version: its terms, who adopted it, when (UTC) and why."""

    community_id: UUID
    version: int
    terms: Terms
    adopted_at: datetime
    adopted_by: UUID | None
    adopted_by_name: str | None
    reason: str


async def begin(conn: AsyncConnection, community: UUID, *, now: Moment) -> None:
    """Version 1, with the defaults of `Terms`, adopted by nobody in particular."""
    await conn.execute(insert(agreements).values(_row(community, 1, Terms(), "", None, now)))


async def current(conn: AsyncConnection, community: UUID) -> Agreement:
    """The version in force: the newest."""
    found = await _read(conn, community, None, limit=1)
    return found[0]


async def version(conn: AsyncConnection, community: UUID, number: int) -> Agreement:
    """One version, or `NotFound`."""
    found = await _read(conn, community, number, limit=1)
    if not found:
        raise NotFound("agreement")
    return found[0]


async def history(conn: AsyncConnection, community: UUID) -> list[Agreement]:
    """All versions, the newest first."""
    return await _read(conn, community, None, limit=1000)


def changes(old: Terms, new: Terms) -> list[str]:
    """The names of the terms that differ, in the order they are written in."""
    return [
        field.name
        for field in fields(Terms)
        if getattr(old, field.name) != getattr(new, field.name)
    ]


async def adopt(
    conn: AsyncConnection,
    community: UUID,
    terms: Terms,
    *,
    reason: str,
    expected_version: int,
    by: UUID,
    now: Moment,
) -> Agreement:
    """Adopt a new version and set the accounts' floors to it.

    Only a steward may (`Forbidden`), with a reason (`ReasonMissing`), knowing the version in force
    (`AgreementMoved`), and with terms that make sense (`BadInput`) and differ from it.
    """
    from timebank import members, policy  # members open accounts under an agreement

    steward = await members.get(conn, community, by)
    if not policy.may_adopt(steward):
        raise Forbidden("adopt")
    refuse_nonsense(terms)
    await store.lock(conn, community)  # one version after the other
    before = await current(conn, community)
    if before.version != expected_version:
        raise AgreementMoved(before.version)
    return await enact(conn, community, before, terms, reason=reason, by=by, now=now)


async def enact(
    conn: AsyncConnection,
    community: UUID,
    before: Agreement,
    terms: Terms,
    *,
    reason: str,
    by: UUID,
    now: Moment,
) -> Agreement:
    """Put a new version into force after the one that is, under the lock of the journal's head.

    Whether `by` may, the caller has asked. Refuses terms that do not differ (`BadInput`), and to
    do without a reason (`ReasonMissing`).
    """
    from timebank import limits  # limits ask the agreement

    changed = changes(before.terms, terms)
    if not changed:
        raise BadInput("reason", "nothing_changed")
    if not reason:
        raise ReasonMissing
    number = before.version + 1
    await conn.execute(insert(agreements).values(_row(community, number, terms, reason, by, now)))
    await limits.follow_agreement(conn, community, before.terms, terms, now.at)
    await audit.write(
        conn,
        community,
        actor=by,
        action="agreement.adopted",
        subject_kind="agreement",
        subject=community,
        facts={"version": number, "changed": changed},
        agreement_version=number,
        now=now,
    )
    return await version(conn, community, number)


def refuse_nonsense(terms: Terms) -> None:
    """Raise `BadInput` for terms that contradict themselves, or that nobody can follow."""
    zero = Minutes(0)
    hard, lowest, commons = terms.hard_floor, terms.lowest_floor, terms.commons_floor
    ceiling = terms.soft_ceiling
    keys = [role.key for role in terms.roles]
    months, closing = terms.retention_months, terms.closing_day
    nonsense = (
        ("step", "step_range", not 1 <= terms.step.count <= 60),
        ("soft_floor", "floor_above_zero", terms.soft_floor > zero),
        ("hard_floor", "hard_above_soft", hard is not None and hard > terms.soft_floor),
        ("commons_floor", "floor_above_zero", commons is not None and commons > zero),
        ("dispute_days", "days_range", not 0 <= terms.dispute_days <= 90),
        ("approval_above", "negative", terms.approval_above < zero),
        ("soft_ceiling", "negative", ceiling is not None and ceiling < zero),
        ("floor_growth", "percent_range", not 0 <= terms.floor_growth <= 100),
        ("lowest_floor", "floor_above_zero", lowest is not None and lowest > zero),
        (
            "lowest_floor",
            "lowest_above_hard",
            lowest is not None and hard is not None and lowest > hard,
        ),
        ("closing_day", "closing_day_range", closing is not None and not 1 <= closing <= 28),
        ("retention_months", "months_range", months is not None and not 6 <= months <= 120),
        ("roles", "twice", len(set(keys)) != len(keys)),
    )
    for field, reason, found in nonsense:
        if found:
            raise BadInput(field, reason)


async def _read(
    conn: AsyncConnection, community: UUID, number: int | None, *, limit: int
) -> list[Agreement]:
    from timebank.members import members

    query = (
        select(agreements, members.c.name.label("adopted_by_name"))
        .outerjoin(
            members,
            (members.c.community_id == agreements.c.community_id)
            & (members.c.id == agreements.c.adopted_by),
        )
        .where(agreements.c.community_id == community)
        .order_by(agreements.c.version.desc())
        .limit(limit)
    )
    if number is not None:
        query = query.where(agreements.c.version == number)
    return [_agreement(row._mapping) for row in await conn.execute(query)]


def _agreement(row: Any) -> Agreement:
    terms = Terms(
        purpose=row["purpose"],
        step=row["step"],
        rounding=Rounding(row["rounding"]),
        soft_floor=row["soft_floor"],
        hard_floor=row["hard_floor"],
        commons_floor=row["commons_floor"],
        joining=Joining(row["joining"]),
        other_side=OtherSide(row["other_side"]),
        dispute_days=row["dispute_days"],
        silence=Silence(row["silence"]),
        approval=Approval(row["approval"]),
        approval_above=row["approval_above"],
        sole_coordinator=row["sole_coordinator"],
        review_on=row["review_on"],
        soft_ceiling=row["soft_ceiling"],
        floor_growth=row["floor_growth"],
        lowest_floor=row["lowest_floor"],
        closing_day=row["closing_day"],
        retention_months=row["retention_months"],
        credits_taking_part=row["credits_taking_part"],
        roles=roles.from_json(row["roles"]),
    )
    return Agreement(
        row["community_id"],
        row["version"],
        terms,
        row["adopted_at"],
        row["adopted_by"],
        row["adopted_by_name"],
        row["reason"],
    )


def _row(
    community: UUID, number: int, terms: Terms, reason: str, by: UUID | None, now: Moment
) -> dict[str, Any]:
    # asdict would take Minutes apart too, so the terms are read field by field.
    values = {field.name: getattr(terms, field.name) for field in fields(Terms)}
    plain = {
        key: str(value) if isinstance(value, StrEnum) else value for key, value in values.items()
    }
    return plain | {
        "roles": roles.as_json(terms.roles),
        "community_id": community,
        "version": number,
        "adopted_at": now.at,
        "adopted_by": by,
        "reason": reason,
    }
