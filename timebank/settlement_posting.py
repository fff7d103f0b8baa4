"""What the door asks and does when an entry settles a gathering, or undoes that."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import rooms, settled, settlement_mails
from timebank.communities import Community
from timebank.entry import Entry, State
from timebank.errors import CorrectedSince, SettlementMoved
from timebank.gatherings import State as GatheringState
from timebank.gatherings import gatherings
from timebank.moment import Moment
from timebank.settled import Settlement

Stories = Mapping[UUID, Sequence[Settlement]]
"""For each entry that settles a gathering: all settlements of that gathering."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A settlement that was posted just now; or undone, for a reason."""

    entry: Entry
    undone: bool
    reason: str


async def stories_of(conn: AsyncConnection, community: UUID, found: Collection[Entry]) -> Stories:
    """What is known of those entries among these that settle gatherings."""
    ids = {entry.id for entry in found if entry.gathering_id is not None}
    return await settled.of_entries(conn, community, ids) if ids else {}


def refuse_moved(entry: Entry, stories: Stories) -> None:
    """Raise `SettlementMoved` if what this settlement builds on does not stand any more."""
    if entry.gathering_id is None or entry.state is State.APPROVED:
        return
    base = settled.standing(stories[entry.id])
    if _own(entry, stories).corrects != (base.number if base else None):
        raise SettlementMoved


def refuse_corrected(entry: Entry, stories: Stories) -> None:
    """Raise `CorrectedSince` if a correction that stands builds on this settlement."""
    if entry.gathering_id is None or entry.state is not State.APPROVED:
        return
    base = settled.standing(stories[entry.id])
    if base is not None and base.entry_id != entry.id:
        raise CorrectedSince


async def write_down(
    conn: AsyncConnection,
    place: Community,
    posted: Sequence[Posted],
    stories: Stories,
    *,
    now: Moment,
) -> None:
    """The gatherings are settled, or open again; and everyone concerned is told."""
    for one in posted:
        gathering = one.entry.gathering_id
        assert gathering is not None, "only what settles a gathering comes here"
        room = await rooms.get(conn, place.id, gathering)
        state = GatheringState.HELD if one.undone else GatheringState.SETTLED
        await conn.execute(
            update(gatherings)
            .where(gatherings.c.community_id == place.id, gatherings.c.id == gathering)
            .values(state=state.value, touched_at=now.at)
        )
        own = _own(one.entry, stories)
        base = own.corrects
        old = await settled.lines(conn, place.id, gathering, base) if base else ()
        if one.undone:
            accounts = [part.account_id for part in one.entry.parts]
            await settlement_mails.undone(conn, place, room, accounts, old, one.reason, now=now)
            continue
        new = await settled.lines(conn, place.id, gathering, own.number)
        if any(other.posted_at is not None for other in stories[one.entry.id]):
            reason = own.reason or one.reason
            await settlement_mails.corrected(conn, place, room, old, new, reason, now=now)
        else:
            await settlement_mails.thank(conn, place, room, new, now=now)


def _own(entry: Entry, stories: Stories) -> Settlement:
    """The settlement this entry was made for; later ones may share it without moving hours."""
    return next(one for one in stories[entry.id] if one.entry_id == entry.id)
