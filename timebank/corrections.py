"""Corrections: an entry is taken back and another one stands in its place, both in one go.

    wrong entry ──► undone by a reversal (or declined, while it waited)
         └────────► the entry that stands in its place, which waits like any other

Who reads one of them finds the others. A posted entry is corrected through the door
(`posting.Correct`), one that still waits with `replace`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Table,
    UniqueConstraint,
    insert,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import KeyReused
from ledger.sql import metadata
from ledger.sql.types import Id, Instant
from timebank import entry_steps, notices, policy, recording
from timebank.acting import Actor
from timebank.entries import one
from timebank.entry import Entry, NewEntry, State, StepKind
from timebank.errors import Forbidden, ReasonMissing, WrongState
from timebank.moment import Moment
from timebank.recording import Draft

corrections = Table(
    "correction",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),  # the wrong one
    Column("corrected_id", Id, nullable=False),  # what stands in its place
    Column("reversal_id", Id),  # NULL: the wrong one was never posted
    Column("made_by", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "corrected_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "reversal_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "made_by"], ["member.community_id", "member.id"]),
    UniqueConstraint("community_id", "corrected_id"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Correction:
    """The entries of one correction, by their ids."""

    entry_id: UUID
    corrected_id: UUID
    reversal_id: UUID | None


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around an entry: what it corrects, and what corrects it (or what it undoes)."""

    corrects: UUID | None = None
    corrected_by: UUID | None = None


async def around(conn: AsyncConnection, community: UUID, entry_id: UUID) -> Around:
    """The corrections an entry stands in, in one query. Who may read it, `entries.get` says."""
    table = corrections
    rows = await conn.execute(
        select(table.c.entry_id, table.c.corrected_id).where(
            table.c.community_id == community,
            or_(
                table.c.entry_id == entry_id,
                table.c.corrected_id == entry_id,
                table.c.reversal_id == entry_id,
            ),
        )
    )
    found = Around()
    for row in rows:
        if row.corrected_id == entry_id:
            found = Around(row.entry_id, found.corrected_by)
        else:
            found = Around(found.corrects, row.corrected_id)
    return found


async def of_entry(conn: AsyncConnection, community: UUID, entry_id: UUID) -> Correction | None:
    """How an entry was corrected, if it was."""
    table = corrections
    row = (
        await conn.execute(
            select(table.c.entry_id, table.c.corrected_id, table.c.reversal_id).where(
                table.c.community_id == community, table.c.entry_id == entry_id
            )
        )
    ).one_or_none()
    return Correction(*row) if row else None


async def replace(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    new: NewEntry,
    *,
    reason: str,
    corrected_id: UUID,
    by: UUID,
    now: Moment,
) -> Entry:
    """Decline an entry that waits, and write another one down in its place: all or nothing.

    By a coordinator (`Forbidden`), while it waits (`WrongState`), for a reason (`ReasonMissing`).
    The new one is refused for the reasons of `recording.record`. Twice is once.
    """
    if not reason.strip():
        raise ReasonMissing
    actor, old = await entry_steps.at_hand(conn, community, entry_id, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden("correct")
    done = await of_entry(conn, community, entry_id)
    if done is not None and done.corrected_id == corrected_id:
        return await one(conn, community, corrected_id)
    if not policy.may_decline(actor.member, old):
        raise WrongState(old.state, "correct")
    draft = await recording.prepare(conn, community, new, actor, now)
    if await entry_steps.lock(conn, community, [corrected_id]):
        raise KeyReused(corrected_id)
    told = notices.concerned(old)
    fresh = await recording.put(
        conn, draft, actor, now, entry_id=corrected_id, told=frozenset(told)
    )
    await entry_steps.move(
        conn, old, State.DECLINED, StepKind.DECLINED, actor, now, reason, instead=fresh
    )
    await _keep(conn, Correction(old.id, fresh.id, None), actor, community, now)
    return fresh


async def write(
    conn: AsyncConnection,
    old: Entry,
    draft: Draft,
    *,
    corrected_id: UUID,
    reversal_id: UUID,
    by: Actor,
    now: Moment,
) -> Entry:
    """The entry in the place of one that was just undone, in the transaction that undid it.

    For the door, which has prepared it. Those concerned by the old one hear of both together.
    """
    told, place = frozenset(notices.concerned(old)), old.community_id
    try:
        fresh = await recording.put(conn, draft, by, now, entry_id=corrected_id, told=told)
    except KeyReused:  # taken this very moment; others share the transaction and must not suffer
        fresh = await recording.put(conn, draft, by, now, told=told)
    await _keep(conn, Correction(old.id, fresh.id, reversal_id), by, place, now)
    return fresh


async def _keep(
    conn: AsyncConnection, correction: Correction, by: Actor, community: UUID, now: Moment
) -> None:
    row: dict[str, Any] = {
        "community_id": community,
        "entry_id": correction.entry_id,
        "corrected_id": correction.corrected_id,
        "reversal_id": correction.reversal_id,
        "made_by": by.id,
        "made_at": now.at,
    }
    await conn.execute(insert(corrections).values(**row))
