"""Walk-ins: names that were not on the list, and who they are.

A typed name is that of a member if it can mean one only; else it stands as a guest's. What fits
several members, and what somebody wrote at the door, has to be looked at (`to_confirm`). One name
stands once: whoever adds it again ticks it, and a name that turns out to be a member's becomes one
with the place they have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.errors import KeyReused
from timebank import (
    affiliations,
    audit,
    communities,
    directory,
    rooms,
    stories,
    ticks,
)
from timebank.agreements import Terms
from timebank.directory import Choice
from timebank.errors import BadInput, ListClosed, NotTakingPart, TooManyNames
from timebank.gatherings import Answer, duties, seats
from timebank.members import Status
from timebank.members import get as get_member
from timebank.moment import Moment
from timebank.rooms import Room
from timebank.text import fold
from timebank.ticks import How, NewTick

MOST_NAMES = 200
"""So many names wait to be confirmed at one gathering at most."""


@dataclass(frozen=True, slots=True)
class Added:
    """Who stands on the list now. `choices`: whom the name can mean, where nobody knows yet."""

    seat_id: UUID
    name: str
    member_id: UUID | None
    choices: tuple[Choice, ...] = ()


async def add(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    name: str,
    *,
    seat_id: UUID,
    present: Minutes | None = None,
    how: How = How.LIST,
    by: UUID,
    now: Moment,
) -> Added:
    """Put somebody on the list by name, and tick them: the whole time, or `present`.

    `seat_id` comes with the form, so that a double click adds nobody twice. For those who look
    after the gathering (`Forbidden`), while its list is open (`ListClosed`).
    """
    _, room = await rooms.for_organiser(conn, community, gathering, by)
    await _hold(conn, room)
    choices = await directory.resolve(conn, community, name)
    sure = choices[0] if len(choices) == 1 and _is_meant(name, choices[0]) else None
    if sure is not None:
        found = await seat_of(conn, room, sure.account_id, seat_id=seat_id, by=by, now=now)
        added = Added(found, sure.label, sure.account_id)
    else:
        found = await _guest(conn, room, name, seat_id, to_confirm=bool(choices), by=by, now=now)
        added = Added(found, name, None, tuple(choices))
    minutes = room.lasts if present is None else present
    tick = NewTick(uuid5(seat_id, f"added:{added.seat_id}"), added.seat_id, minutes, how=how)
    await ticks.keep(conn, room, [tick], by=by, now=now)
    return added


async def at_the_door(
    conn: AsyncConnection, room: Room, name: str, *, seat_id: UUID, now: Moment
) -> None:
    """Somebody who is not signed in gives a name; it stands on the list to be confirmed.

    Whether the door is open, `timebank.doors` says. Refuses more names than a room can hold
    (`TooManyNames`).
    """
    await _hold(conn, room)
    waiting = await conn.scalar(
        select(func.count()).where(*_of(room), seats.c.to_confirm, seats.c.id != seat_id)
    )
    if (waiting or 0) >= MOST_NAMES:
        raise TooManyNames
    found = await _guest(conn, room, name, seat_id, to_confirm=True, by=None, now=now)
    tick = NewTick(uuid5(seat_id, f"added:{found}"), found, room.lasts, how=How.DOOR)
    await ticks.keep(conn, room, [tick], by=None, now=now)


async def recognise(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    seat_id: UUID,
    member_id: UUID | None,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Say who a name is: this member, or (None) a guest we know as that.

    The member's own place takes over what was ticked and carried under the name, by the usual
    rule: of two ticks the later one stands. Saying it twice is saying it once.
    """
    _, room = await rooms.for_organiser(conn, community, gathering, by)
    await _hold(conn, room)
    row = (await conn.execute(_guest_row(room, seat_id))).first()
    if row is None:
        return
    if member_id is None:
        await conn.execute(update(seats).where(seats.c.id == seat_id, *_of(room)).values(_SURE))
    else:
        await _join(conn, room, row, member_id, by, now)
    facts = {"member": str(member_id) if member_id else None}
    await _note(conn, room, by, "gathering.recognised", facts, now)


async def strike(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    seat_id: UUID,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Take a name off the list that is nobody's. A member's place stays; it can be unticked."""
    _, room = await rooms.for_organiser(conn, community, gathering, by)
    await _hold(conn, room)
    if (await conn.execute(_guest_row(room, seat_id))).first() is None:
        return
    await _forget(conn, room, seat_id)
    await _note(conn, room, by, "gathering.struck", {}, now)


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:  # noqa: ARG001
    """Gatherings with names that somebody has to confirm: `id`, and `since` the first of them."""
    return (
        select(seats.c.gathering_id.label("id"), func.min(seats.c.ticked_at).label("since"))
        .where(seats.c.community_id == community, seats.c.to_confirm)
        .group_by(seats.c.gathering_id)
    )


async def seat_of(
    conn: AsyncConnection,
    room: Room,
    member_id: UUID,
    *,
    seat_id: UUID,
    by: UUID,
    now: Moment,
) -> UUID:
    """The one place of a member at a gathering; made, with the hat they wear, if they had none."""
    query = select(seats.c.id).where(*_of(room), seats.c.member_id == member_id)
    found = await conn.scalar(query)
    if found is not None:
        return UUID(int=found.int)
    member = await get_member(conn, room.community_id, member_id)
    if member.status is not Status.ACTIVE:
        raise NotTakingPart(member.name)
    place = await communities.by_id(conn, room.community_id)
    day = Moment(room.starts_at).day_in(place.timezone)
    hats = (await affiliations.of_many(conn, room.community_id, [member_id], on=day)).get(
        member_id, []
    )
    house = hats[0].organisation_id if hats else None
    await _refuse_taken(conn, room, seat_id)
    row = _seat(room, seat_id, now) | {
        "member_id": member_id,
        "name": "",
        "organisation_id": house,
        "invited_by": by if by != member_id else None,
    }
    await conn.execute(insert(seats).values(row))
    return seat_id


async def _guest(
    conn: AsyncConnection,
    room: Room,
    name: str,
    seat_id: UUID,
    *,
    to_confirm: bool,
    by: UUID | None,
    now: Moment,
) -> UUID:
    """The place of a guest of this name; a new one if nobody is called so yet."""
    if not name.strip():
        raise BadInput("name", "missing")
    rows = await conn.execute(
        select(seats.c.id, seats.c.name).where(*_of(room), seats.c.member_id.is_(None))
    )
    same = {row.id for row in rows if row.id == seat_id or fold(row.name) == fold(name)}
    if same:
        return seat_id if seat_id in same else same.pop()
    await _refuse_taken(conn, room, seat_id)
    row = _seat(room, seat_id, now) | {
        "name": name,
        "invited_by": by,
        "to_confirm": to_confirm,
    }
    await conn.execute(insert(seats).values(row))
    return seat_id


async def _join(
    conn: AsyncConnection, room: Room, guest: Any, member_id: UUID, by: UUID, now: Moment
) -> None:
    """The member's place takes over what stands at the guest's, which then goes."""
    own = await seat_of(conn, room, member_id, seat_id=uuid5(guest.id, "seat"), by=by, now=now)
    if guest.ticked_at is not None:
        tick = NewTick(
            uuid5(guest.id, f"joined:{own}"),
            own,
            guest.present,
            guest.ticked_at,
            How(guest.ticked_how),
        )
        await ticks.keep(conn, room, [tick], by=by, now=now)
    mine = select(duties.c.role_key).where(
        duties.c.community_id == room.community_id, duties.c.seat_id == own
    )
    await conn.execute(
        update(duties)
        .where(
            duties.c.community_id == room.community_id,
            duties.c.seat_id == guest.id,
            duties.c.role_key.not_in(mine),
        )
        .values(seat_id=own)
    )
    await stories.pass_on(conn, room.community_id, room.id, guest.id, own)
    await _forget(conn, room, guest.id)


async def _forget(conn: AsyncConnection, room: Room, seat_id: UUID) -> None:
    await conn.execute(
        delete(duties).where(
            duties.c.community_id == room.community_id, duties.c.seat_id == seat_id
        )
    )
    await stories.forget(conn, room.community_id, [seat_id])
    await conn.execute(delete(seats).where(*_of(room), seats.c.id == seat_id))


async def _refuse_taken(conn: AsyncConnection, room: Room, seat_id: UUID) -> None:
    """An id that is a place at another gathering already was not made for this one."""
    taken = select(seats.c.id).where(
        seats.c.community_id == room.community_id, seats.c.id == seat_id
    )
    if (await conn.execute(taken)).first() is not None:
        raise KeyReused(seat_id)


async def _hold(conn: AsyncConnection, room: Room) -> None:
    """Hold the list, if it is open (`ListClosed`)."""
    await rooms.lock(conn, room.community_id, room.id)
    if not await ticks.may_tick(conn, room):
        raise ListClosed


def _is_meant(name: str, choice: Choice) -> bool:
    """Whether the only member it fits is called by it in whole words, so that nobody has to ask."""
    words = fold(choice.label).split()
    return all(word in words for word in fold(name).split())


_SURE = {"to_confirm": False}


def _seat(room: Room, seat_id: UUID, now: Moment) -> dict[str, Any]:
    """A place of somebody who walked in."""
    return {
        "community_id": room.community_id,
        "id": seat_id,
        "gathering_id": room.id,
        "email": "",
        "from_words": "",
        "answer": Answer.YES.value,
        "words": "",
        "answered_at": now.at,
        "waiting": False,
        "invited_at": None,
        "ticked_how": "",
        "to_confirm": False,
    }


def _guest_row(room: Room, seat_id: UUID) -> Select[Any]:
    return select(seats).where(*_of(room), seats.c.id == seat_id, seats.c.member_id.is_(None))


def _of(room: Room) -> tuple[Any, Any]:
    return seats.c.community_id == room.community_id, seats.c.gathering_id == room.id


async def _note(
    conn: AsyncConnection,
    room: Room,
    by: UUID,
    action: str,
    facts: dict[str, Any],
    now: Moment,
) -> None:
    await audit.write(
        conn,
        room.community_id,
        actor=by,
        action=action,
        subject_kind="gathering",
        subject=room.id,
        facts=facts,
        now=now,
    )
