"""Undoing a deed: each thing goes back to where it was, or says why it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import LedgerError
from timebank import acting, entry_steps, posting
from timebank.db import Database
from timebank.entry import State
from timebank.errors import ReasonMissing, TimebankError, WrongState
from timebank.inbox import aside, deeds, in_hand
from timebank.inbox.deeds import Deed, DeedKind, Item
from timebank.inbox.source import Thing
from timebank.moment import Moment
from timebank.posting import Undo


@dataclass(frozen=True, slots=True)
class Undone:
    """What is back where it was, and what is not, and why."""

    done: tuple[Thing, ...]
    refused: Mapping[Thing, TimebankError | LedgerError]


async def undo(
    db: Database, community: UUID, deed_id: UUID, *, reason: str = "", by: UUID, now: Moment
) -> Undone:
    """Undo a deed of one's own (`NotFound`); twice is once.

    Approvals are undone by reversals, for a reason that everyone concerned reads (`ReasonMissing`
    without). Each thing is done or refused by itself, for the reasons of the single step; as long
    as something is refused, the deed can be undone again. `WrongState` where there is no way back.
    """
    async with db.read(community) as conn:
        await acting.active(conn, community, by)
        deed = await deeds.get(conn, community, deed_id, by=by)
        items = await deeds.items_of(conn, community, deed_id)
    if not deed.kind.can_be_undone:
        raise WrongState(deed.kind, "undo")
    if deed.kind is DeedKind.APPROVED:
        undone = await _reverse(db, community, items, reason, by, now)
    elif deed.kind is DeedKind.RETURNED:
        undone = await _unask(db, community, items, by, now)
    else:
        undone = Undone(tuple(item.thing for item in items), {})
    async with db.write(community) as conn:
        await _take_back(conn, community, deed, items, by, now)
        if not undone.refused:
            await deeds.mark_undone(conn, community, deed_id, now=now)
    return undone


async def _reverse(
    db: Database, community: UUID, items: Sequence[Item], reason: str, by: UUID, now: Moment
) -> Undone:
    if not reason.strip():
        raise ReasonMissing
    asked = [Undo(community, item.thing.id, by, reason) for item in items]
    verdicts = await posting.post(db, asked, now=now)
    pairs = list(zip((item.thing for item in items), verdicts, strict=True))
    return Undone(
        tuple(thing for thing, verdict in pairs if isinstance(verdict, posting.Done)),
        {thing: verdict.error for thing, verdict in pairs if not isinstance(verdict, posting.Done)},
    )


async def _unask(
    db: Database, community: UUID, items: Sequence[Item], by: UUID, now: Moment
) -> Undone:
    done: list[Thing] = []
    refused: dict[Thing, TimebankError | LedgerError] = {}
    for item in items:
        try:
            async with db.write(community) as conn:
                await entry_steps.unask(
                    conn, community, item.thing.id, before=State(item.before), by=by, now=now
                )
            done.append(item.thing)
        except TimebankError as error:
            refused[item.thing] = error
    return Undone(tuple(done), refused)


async def _take_back(
    conn: AsyncConnection, community: UUID, deed: Deed, items: Sequence[Item], by: UUID, now: Moment
) -> None:
    """What is only a note of ours: things put aside, and things in hand."""
    if deed.kind is DeedKind.PUT_ASIDE:
        notes = [UUID(item.before) for item in items]
        await aside.end(conn, community, notes, by=by, now=now)
    elif deed.kind is DeedKind.TAKEN:
        await in_hand.let_go(conn, community, [item.thing for item in items], by=by)
