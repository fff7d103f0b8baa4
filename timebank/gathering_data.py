"""What gatherings hold about one member: to take along, and to forget when an account is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, seats
from timebank import gathering as gathering_values
from timebank.feeds import feeds
from timebank.gatherings import Answer, State, duties, gatherings, invited_organisations
from timebank.gatherings import seats as seat_table
from timebank.moment import Moment


async def of(conn: AsyncConnection, community: UUID, member: UUID) -> dict[str, Any]:
    """The gatherings they planned, their seats and those they invited others to, their roles."""
    return {
        "planned": await _rows(
            conn,
            select(gatherings).where(
                gatherings.c.community_id == community, gatherings.c.made_by == member
            ),
        ),
        "seats": await _rows(conn, _seats(community, seat_table.c.member_id == member)),
        "invited": await _rows(
            conn,
            _seats(
                community,
                seat_table.c.invited_by == member,
                seat_table.c.name,  # of a guest; what they said, and their address, is theirs
                seat_table.c.member_id,
                seat_table.c.invited_at,
            ),
        ),
        "roles": await _rows(
            conn,
            select(duties)
            .join(
                seat_table,
                and_(
                    seat_table.c.community_id == duties.c.community_id,
                    seat_table.c.id == duties.c.seat_id,
                ),
            )
            .where(
                duties.c.community_id == community,
                or_(seat_table.c.member_id == member, duties.c.asked_by == member),
            ),
        ),
        "organisations_invited": await _rows(
            conn,
            select(invited_organisations).where(
                invited_organisations.c.community_id == community,
                invited_organisations.c.invited_by == member,
            ),
        ),
        "calendar": await _rows(
            conn,
            select(feeds.c.made_at).where(
                feeds.c.community_id == community, feeds.c.member_id == member
            ),
        ),
    }


def _seats(community: UUID, whose: Any, *columns: Any) -> Select[Any]:
    """Seats with the gathering they are at: all that is known of them, or these columns."""
    return (
        select(*(columns or [seat_table]), gatherings.c.title, gatherings.c.starts_at)
        .join(
            gatherings,
            and_(
                gatherings.c.community_id == seat_table.c.community_id,
                gatherings.c.id == seat_table.c.gathering_id,
            ),
        )
        .where(seat_table.c.community_id == community, whose)
    )


async def _rows(conn: AsyncConnection, query: Select[Any]) -> list[Mapping[str, Any]]:
    return [dict(row._mapping) for row in await conn.execute(query)]


async def withdraw(conn: AsyncConnection, community: UUID, member: UUID, *, now: Moment) -> None:
    """Their seats and roles at what is still to come are free; the next in the line moves up."""
    here = await communities.by_id(conn, community)
    coming = (
        select(gatherings.c.id)
        .join(
            seat_table,
            and_(
                seat_table.c.community_id == gatherings.c.community_id,
                seat_table.c.gathering_id == gatherings.c.id,
            ),
        )
        .where(
            gatherings.c.community_id == community,
            seat_table.c.member_id == member,
            gatherings.c.state == State.PLANNED.value,
            gatherings.c.ends_at > now.at,
        )
        .order_by(gatherings.c.id)
    )
    for row in (await conn.execute(coming)).all():
        found = await gathering_values.lock(conn, community, row.id)
        seat = found.seat_of(member)
        if seat is not None and seat.answer is not Answer.NO:
            await seats.settle_answer(
                conn, here, found, seat.id, Answer.NO, seat.words, by=member, now=now
            )


async def forget(conn: AsyncConnection, community: UUID, member: UUID) -> None:
    """Their words go, and the address of their own calendar. Leaving has freed what is to come.

    That somebody was there stays, under the name that is left of them. What they wrote about a
    gathering itself, its title and purpose, is everybody's.
    """
    await conn.execute(
        update(seat_table)
        .where(seat_table.c.community_id == community, seat_table.c.member_id == member)
        .values(words="")
    )
    await conn.execute(
        delete(feeds).where(feeds.c.community_id == community, feeds.c.member_id == member)
    )
