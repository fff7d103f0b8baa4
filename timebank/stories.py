"""Stories: what somebody says after a gathering, and what may be done with it. Theirs throughout.

Two questions, never required: what was useful, and what might you do? Each use of an answer has a
consent of its own, which its teller takes back whenever they like.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Flag, Id, Instant, Words
from timebank import audit, policy, rooms
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.gatherings import gatherings, seats
from timebank.members import members
from timebank.moment import Moment
from timebank.rooms import Room

LONGEST = 2000
"""Characters of an answer."""

stories = Table(
    "story",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("gathering_id", Id, primary_key=True),
    Column("seat_id", Id, primary_key=True),  # whose story it is
    Column("useful", Words, nullable=False),
    Column("might", Words, nullable=False),
    Column("in_memory", Flag, nullable=False),  # members may read it on the gathering's page
    Column("in_reports", Flag, nullable=False),  # in reports and evidence packs
    Column("named", Flag, nullable=False),  # with their name, wherever it may stand
    Column("written_by", Id, nullable=False),  # themselves, or who wrote down what they said
    Column("written_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    ForeignKeyConstraint(["community_id", "seat_id"], ["seat.community_id", "seat.id"]),
    ForeignKeyConstraint(["community_id", "written_by"], ["member.community_id", "member.id"]),
    Index("ix_story_when", "community_id", "written_at"),
    sqlite_strict=True,
)


class Use(StrEnum):
    """What an answer may be used for, each with a consent of its own."""

    MEMORY = "memory"  # members may read it on the gathering's page
    REPORTS = "reports"  # it may stand in reports and evidence packs


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody answers, and what may be done with it. Empty answers take all of it back."""

    useful: str
    might: str
    in_memory: bool = False
    in_reports: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """An answer as it may be shown. `name` is "" unless its teller wants to be named.

    `written_by` is who wrote it down, "" for the teller.
    """

    gathering_id: UUID
    title: str
    held_at: datetime
    seat_id: UUID
    name: str
    told: Told
    written_by: str
    changed_at: datetime


async def tell(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    told: Told,
    *,
    seat_id: UUID | None = None,
    by: UUID,
    now: Moment,
) -> None:
    """Answer, change an answer or what may be done with it, or (both empty) take it all back.

    One's own; that of somebody one acts for; a coordinator writes down what somebody else said
    (`seat_id`). Only who was there has something to tell (`NotFound`). Refuses with `Forbidden`,
    and `BadInput` for what is too long.
    """
    for field in ("useful", "might"):
        if len(getattr(told, field)) > LONGEST:
            raise BadInput(field, "too_long", LONGEST)
    actor, room = await rooms.for_member(conn, community, gathering, by)
    seat = await _seat(conn, room, seat_id, by)
    if not policy.may_tell_story(actor.member, seat.member_id, actor.acts_for):
        raise Forbidden("story")
    own = (*_of(room), stories.c.seat_id == seat.id)
    before = (await conn.execute(select(stories.c.written_at).where(*own))).first()
    await conn.execute(delete(stories).where(*own))
    if told.useful or told.might:
        await conn.execute(
            insert(stories).values(
                community_id=community,
                gathering_id=gathering,
                seat_id=seat.id,
                useful=told.useful,
                might=told.might,
                in_memory=told.in_memory,
                in_reports=told.in_reports,
                named=told.named,
                written_by=by,
                written_at=before.written_at if before else now.at,
                changed_at=now.at,
            )
        )
    await _note(conn, room, told, seat.member_id, by, now)


async def forbid(
    conn: AsyncConnection, community: UUID, member: UUID, *, by: UUID, now: Moment
) -> int:
    """Take back every consent of a member at once; their answers stay theirs. How many it was."""
    if by != member:
        raise Forbidden("story")
    theirs = select(seats.c.id).where(
        seats.c.community_id == community, seats.c.member_id == member
    )
    done = await conn.execute(
        update(stories)
        .where(
            stories.c.community_id == community,
            stories.c.seat_id.in_(theirs),
            stories.c.in_memory | stories.c.in_reports | stories.c.named,
        )
        .values(in_memory=False, in_reports=False, named=False, changed_at=now.at)
    )
    await audit.write(
        conn,
        community,
        actor=by,
        action="story.forbidden",
        subject_kind="member",
        subject=member,
        facts={"stories": done.rowcount},
        now=now,
    )
    return int(done.rowcount)


async def own(
    conn: AsyncConnection, community: UUID, gathering: UUID, member: UUID
) -> Story | None:
    """What a member told after a gathering."""
    query = _all(community).where(stories.c.gathering_id == gathering, seats.c.member_id == member)
    row = (await conn.execute(query)).first()
    return _story(row, named=True) if row else None


async def of_member(conn: AsyncConnection, community: UUID, member: UUID) -> list[Story]:
    """Everything a member told, the newest gathering first."""
    query = _all(community).where(seats.c.member_id == member)
    rows = await conn.execute(query.order_by(gatherings.c.starts_at.desc(), gatherings.c.id))
    return [_story(row, named=True) for row in rows]


async def of_gathering(conn: AsyncConnection, room: Room, *, everything: bool) -> list[Story]:
    """What was told after a gathering, as far as members may read it.

    `everything` is for those who look after it: they read the rest as well, and no name of anybody
    who does not want to be named.
    """
    query = _all(room.community_id).where(stories.c.gathering_id == room.id)
    if not everything:
        query = query.where(stories.c.in_memory)
    rows = await conn.execute(query.order_by(stories.c.written_at, stories.c.seat_id))
    return [_story(row, named=row.named) for row in rows]


async def allowed(
    conn: AsyncConnection,
    community: UUID,
    use: Use,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Story]:
    """For others who tell them on: the stories whose tellers allow this use, as of now.

    Of gatherings that began at or after `since` and before `until` (UTC), the oldest first. Ask
    again each time: a consent may be taken back.
    """
    wanted = stories.c.in_memory if use is Use.MEMORY else stories.c.in_reports
    query = _all(community).where(wanted)
    if since is not None:
        query = query.where(gatherings.c.starts_at >= since)
    if until is not None:
        query = query.where(gatherings.c.starts_at < until)
    rows = await conn.execute(query.order_by(gatherings.c.starts_at, stories.c.seat_id))
    return [_story(row, named=row.named) for row in rows]


async def pass_on(
    conn: AsyncConnection, community: UUID, gathering: UUID, old: UUID, new: UUID
) -> None:
    """A name turned out to be somebody who has a place: their story goes with them."""
    own = select(stories.c.seat_id).where(
        stories.c.community_id == community, stories.c.seat_id == new
    )
    await conn.execute(
        update(stories)
        .where(
            stories.c.community_id == community,
            stories.c.gathering_id == gathering,
            stories.c.seat_id == old,
            ~own.exists(),
        )
        .values(seat_id=new)
    )


async def forget(conn: AsyncConnection, community: UUID, seats: Collection[UUID]) -> None:
    """Forget what was told from these places."""
    await conn.execute(
        delete(stories).where(stories.c.community_id == community, stories.c.seat_id.in_(seats))
    )


def _all(community: UUID) -> Select[Any]:
    writer = members.alias("writer")
    return (
        select(
            stories,
            seats.c.member_id,
            func.coalesce(members.c.name, seats.c.name).label("teller"),
            writer.c.name.label("writer"),
            gatherings.c.title,
            gatherings.c.starts_at,
        )
        .join(
            seats,
            and_(seats.c.community_id == stories.c.community_id, seats.c.id == stories.c.seat_id),
        )
        .join(
            gatherings,
            and_(
                gatherings.c.community_id == stories.c.community_id,
                gatherings.c.id == stories.c.gathering_id,
            ),
        )
        .join(
            writer,
            and_(
                writer.c.community_id == stories.c.community_id,
                writer.c.id == stories.c.written_by,
            ),
        )
        .outerjoin(
            members,
            and_(members.c.community_id == seats.c.community_id, members.c.id == seats.c.member_id),
        )
        .where(stories.c.community_id == community)
    )


def _story(row: Any, *, named: bool) -> Story:
    return Story(
        row.gathering_id,
        row.title,
        row.starts_at,
        row.seat_id,
        row.teller if named else "",
        Told(row.useful, row.might, row.in_memory, row.in_reports, row.named),
        "" if row.written_by == row.member_id else row.writer,
        row.changed_at,
    )


async def _seat(conn: AsyncConnection, room: Room, seat_id: UUID | None, by: UUID) -> Any:
    """The place of whoever has something to tell: they were there."""
    whose = seats.c.id == seat_id if seat_id is not None else seats.c.member_id == by
    query = select(seats.c.id, seats.c.member_id, seats.c.present).where(
        seats.c.community_id == room.community_id, seats.c.gathering_id == room.id, whose
    )
    row = (await conn.execute(query)).first()
    if row is None or not row.present:
        raise NotFound("seat")
    return row


async def _note(
    conn: AsyncConnection, room: Room, told: Told, teller: UUID | None, by: UUID, now: Moment
) -> None:
    """Which consents were given, and when: never a word of what was said."""
    facts = {
        "gathering": str(room.id),
        "memory": told.in_memory,
        "reports": told.in_reports,
        "named": told.named,
        "told": bool(told.useful or told.might),
    }
    await audit.write(
        conn,
        room.community_id,
        actor=by,
        action="story.told",
        subject_kind="member" if teller else "gathering",
        subject=teller or room.id,
        facts=facts,
        now=now,
    )


def _of(room: Room) -> tuple[Any, Any]:
    return stories.c.community_id == room.community_id, stories.c.gathering_id == room.id
