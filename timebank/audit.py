"""The audit: who did what to whom, when and under which agreement. Append-only.

It holds ids and plain facts, never a person's words, so that nothing here has to be erased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, Json, Words
from timebank.moment import Moment

audit = Table(
    "audit",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor_id", Id),  # a member; NULL: the operator or the agreement itself
    Column("action", Words, nullable=False),  # e.g. "entry.approved", "member.role"
    Column("subject_kind", Words, nullable=False),  # entry, member, agreement, community
    Column("subject_id", Id, nullable=False),
    Column("agreement_version", Count),
    Column("facts", Json, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    Index("ix_audit_actor", "community_id", "actor_id", "id"),
    Index("ix_audit_subject", "community_id", "subject_id", "id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the audit, with the names to show."""

    id: UUID
    at: datetime
    actor_id: UUID | None
    actor: str | None
    action: str
    subject_kind: str
    subject_id: UUID
    subject: str | None
    agreement_version: int | None
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewAct:
    """An act about to be written down."""

    community: UUID
    actor: UUID | None
    action: str
    subject_kind: str
    subject: UUID
    facts: Mapping[str, Any] = field(default_factory=dict)
    agreement_version: int | None = None


async def write(
    conn: AsyncConnection,
    community: UUID,
    *,
    actor: UUID | None,
    action: str,
    subject_kind: str,
    subject: UUID,
    facts: Mapping[str, Any] | None = None,
    agreement_version: int | None = None,
    now: Moment,
) -> None:
    """Write down one act, in the transaction of what it tells."""
    act = NewAct(community, actor, action, subject_kind, subject, facts or {}, agreement_version)
    await write_many(conn, [act], now=now)


async def write_many(conn: AsyncConnection, acts: Sequence[NewAct], *, now: Moment) -> None:
    """Write down several acts in one statement."""
    if not acts:
        return
    rows = [
        {
            "community_id": act.community,
            "id": now.new_id(),
            "at": now.at,
            "actor_id": act.actor,
            "action": act.action,
            "subject_kind": act.subject_kind,
            "subject_id": act.subject,
            "agreement_version": act.agreement_version,
            "facts": dict(act.facts),
        }
        for act in acts
    ]
    await conn.execute(insert(audit), rows)


async def page(
    conn: AsyncConnection,
    community: UUID,
    *,
    by: UUID,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Act]:
    """The newest acts first: all of them for stewards, for others what concerns themselves.

    What concerns a member: what they did, what was done to them, and to entries they stand in.
    `before` is the id of the last act of the page above.
    """
    from timebank import entries, members, policy  # they write here, so they come first

    reader = await members.get(conn, community, by)
    actor, subject = members.members.alias("actor"), members.members.alias("subject")
    query = (
        select(audit, actor.c.name.label("actor"), subject.c.name.label("subject"))
        .outerjoin(
            actor,
            (actor.c.community_id == audit.c.community_id) & (actor.c.id == audit.c.actor_id),
        )
        .outerjoin(
            subject,
            (subject.c.community_id == audit.c.community_id) & (subject.c.id == audit.c.subject_id),
        )
        .where(audit.c.community_id == community)
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(audit.c.id < before)
    if not policy.may_read_audit(reader):
        parts = entries.parts
        own_entries = select(parts.c.entry_id).where(
            parts.c.community_id == community, parts.c.account_id == by
        )
        query = query.where(
            or_(
                audit.c.actor_id == by,
                audit.c.subject_id == by,
                audit.c.subject_id.in_(own_entries),
            )
        )
    rows = await conn.execute(query)
    return [
        Act(
            row.id,
            row.at,
            row.actor_id,
            row.actor,
            row.action,
            row.subject_kind,
            row.subject_id,
            row.subject,
            row.agreement_version,
            row.facts,
        )
        for row in rows
    ]
