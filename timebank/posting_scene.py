"""The scene: everything that judging a round of requests depends on, read under the lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    acting,
    agreements,
    communities,
    corrections,
    entries,
    entry_steps,
    months,
    policy,
    recording,
    settlement_posting,
)
from timebank.acting import Actor
from timebank.agreements import Agreement, Terms
from timebank.communities import Community
from timebank.corrections import Correction
from timebank.entry import Entry
from timebank.errors import TimebankError, WrongState
from timebank.moment import Moment
from timebank.periods import Month
from timebank.posting_requests import Correct, PostAgreed, Request
from timebank.recording import Draft


class Kept(NamedTuple):
    """What is kept of an entry and never shown."""

    salt: bytes
    steps: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that judging a round depends on, read after locking."""

    place: Community
    agreement: Agreement
    entries: Mapping[UUID, Entry]
    words: Mapping[UUID, Kept]
    actors: Mapping[UUID, Actor]
    coordinators: int
    closed: frozenset[Month]
    corrections: Mapping[UUID, Draft | Correction | TimebankError]
    settlements: settlement_posting.Stories
    who_coordinates: Sequence[Actor]  # looked up only where a gathering is settled
    now: Moment

    @property
    def terms(self) -> Terms:
        return self.agreement.terms

    def nobody_else(self, entry: Entry) -> bool:
        """Whether no other coordinator could approve it: one there is, or everyone gains."""
        if entry.gathering_id is None:
            return self.coordinators == 1
        return all(policy.gains(one.member, entry, one.manages) for one in self.who_coordinates)


async def set_scene(
    conn: AsyncConnection, community: UUID, requests: Sequence[Request], now: Moment
) -> Scene:
    """Lock the entries and read everything afresh. The head of the journal is locked already."""
    ids = [request.entry_id for request in requests]
    await entry_steps.lock(conn, community, ids)
    found = await entries.load(conn, community, ids)
    by = {request.by for request in requests if not isinstance(request, PostAgreed)}
    stories = await settlement_posting.stories_of(conn, community, found)
    return Scene(
        place=await communities.by_id(conn, community),
        agreement=await agreements.current(conn, community),
        entries={entry.id: entry for entry in found},
        words=await _kept(conn, community, ids),
        actors=await acting.find(conn, community, by),
        coordinators=await acting.coordinators(conn, community),
        closed=await months.closed(conn, community),
        corrections=await _corrections(conn, community, requests, now),
        settlements=stories,
        who_coordinates=await acting.all_coordinators(conn, community) if stories else (),
        now=now,
    )


async def _corrections(
    conn: AsyncConnection, community: UUID, requests: Sequence[Request], now: Moment
) -> dict[UUID, Draft | Correction | TimebankError]:
    """What is to stand in the place of entries, or did already, or why it cannot."""
    found: dict[UUID, Draft | Correction | TimebankError] = {}
    for request in requests:
        if isinstance(request, Correct):
            found[request.entry_id] = await _correction(conn, community, request, now)
    return found


async def _correction(
    conn: AsyncConnection, community: UUID, request: Correct, now: Moment
) -> Draft | Correction | TimebankError:
    done = await corrections.of_entry(conn, community, request.entry_id)
    if done is not None:
        return done
    try:
        if await entry_steps.lock(conn, community, [request.new_id]):
            return WrongState("written down", "correct")
        actor = await acting.active(conn, community, request.by)
        return await recording.prepare(conn, community, request.new, actor, now)
    except TimebankError as error:
        return error.with_traceback(None)


async def _kept(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> dict[UUID, Kept]:
    """Salts, and how many steps there are so far."""
    table, steps = entries.entries, entries.steps
    rows = await conn.execute(
        select(
            table.c.id,
            table.c.salt,
            select(func.coalesce(func.max(steps.c.number), 0))
            .where(steps.c.community_id == table.c.community_id, steps.c.entry_id == table.c.id)
            .scalar_subquery()
            .label("steps"),
        ).where(table.c.community_id == community, table.c.id.in_(set(ids)))
    )
    return {row.id: Kept(row.salt, row.steps) for row in rows}
