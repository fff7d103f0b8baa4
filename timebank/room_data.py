"""What the lists, settlements and stories of gatherings hold about one member, and forgetting it.

Stories are their teller's and go with them. Notes and actions belong to the group and stay, under
the name that is left; so do ticks, which say only how long somebody was where.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import stories
from timebank.attendance_steps import attendance_steps
from timebank.entries import entries
from timebank.gathering_actions import actions
from timebank.gathering_notes import notes
from timebank.gatherings import seats
from timebank.settlements import settlement_lines, settlements
from timebank.ticks import ticks


def kept(community: UUID, member: UUID) -> Mapping[str, Select[Any]]:
    """For each file of the archive the question whose rows it holds."""
    own = _seats(community, member)
    told = stories.stories
    return {
        "stories.json": select(told).where(
            told.c.community_id == community,
            or_(told.c.seat_id.in_(own), told.c.written_by == member),
        ),
        "notes.json": select(notes).where(
            notes.c.community_id == community, notes.c.written_by == member
        ),
        "actions.json": select(actions).where(
            actions.c.community_id == community,
            or_(actions.c.member_id == member, actions.c.added_by == member),
        ),
        "hours.json": select(settlement_lines).where(
            settlement_lines.c.community_id == community,
            settlement_lines.c.account_id == member,
        ),
        "lists.json": select(attendance_steps).where(
            attendance_steps.c.community_id == community, attendance_steps.c.member_id == member
        ),
        "ticks.json": select(ticks).where(
            ticks.c.community_id == community,
            or_(ticks.c.seat_id.in_(own), ticks.c.member_id == member),
        ),
    }


async def erase(conn: AsyncConnection, community: UUID, member: UUID) -> None:
    """Forget their stories, and why they opened a list again, wherever that was written on."""
    own = await conn.execute(_seats(community, member))
    await stories.forget(conn, community, [row.id for row in own])
    opened = select(attendance_steps.c.gathering_id).where(
        attendance_steps.c.community_id == community,
        attendance_steps.c.member_id == member,
        attendance_steps.c.words != "",
    )
    corrected = select(settlements.c.entry_id).where(
        settlements.c.community_id == community, settlements.c.gathering_id.in_(opened)
    )
    await conn.execute(
        update(entries)
        .where(entries.c.community_id == community, entries.c.id.in_(corrected))
        .values(note="", salt=b"")
    )
    await conn.execute(
        update(settlements)
        .where(settlements.c.community_id == community, settlements.c.gathering_id.in_(opened))
        .values(reason="")
    )
    await conn.execute(
        update(attendance_steps)
        .where(attendance_steps.c.community_id == community, attendance_steps.c.member_id == member)
        .values(words="")
    )


def _seats(community: UUID, member: UUID) -> Select[Any]:
    return select(seats.c.id).where(seats.c.community_id == community, seats.c.member_id == member)
