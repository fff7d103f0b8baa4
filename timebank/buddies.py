"""Buddies: who may record for a member, with consent. For an organisation: its account managers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import audit, members
from timebank.errors import AlreadyMember, BadInput, Forbidden, NotFound, NotTakingPart
from timebank.members import Member, MemberKind, Status, buddies
from timebank.moment import Moment


@dataclass(frozen=True, slots=True)
class Buddy:
    """Somebody who may record for a member, since when, and how the member agreed."""

    id: UUID
    buddy_id: UUID
    name: str
    consent: str
    since: datetime


async def add(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    buddy: UUID,
    *,
    consent: str,
    by: UUID,
    now: Moment,
) -> None:
    """From now on `buddy` may record for `member`.

    The member may say so, or a coordinator who says how the member agreed (`consent`). Refuses
    people who are not active members, organisations as buddies, and a pair that is one already.
    """
    from timebank import policy

    actor = await members.get(conn, community, by)
    helped, helper = (
        await members.get(conn, community, member),
        await members.get(conn, community, buddy),
    )
    if not policy.may_name_buddy(actor, helped):
        raise Forbidden("buddy")
    if not consent:
        raise BadInput("consent", "missing")
    if helper.status is not Status.ACTIVE or helper.kind is not MemberKind.PERSON:
        raise NotTakingPart(helper.name)
    if helped.status not in (Status.ACTIVE, Status.PAUSED):
        raise NotTakingPart(helped.name)
    if member == buddy:
        raise BadInput("buddy", "themselves")
    if await may_record_for(conn, community, buddy, member):
        raise AlreadyMember
    await conn.execute(
        insert(buddies).values(
            community_id=community,
            id=now.new_id(),
            member_id=member,
            buddy_id=buddy,
            consent=consent,
            added_by=by,
            since=now.at,
        )
    )
    await _note(conn, community, by, "buddy.added", member, buddy, now)


async def end(conn: AsyncConnection, community: UUID, row: UUID, *, by: UUID, now: Moment) -> None:
    """`buddy` no longer records for the member: the member, the buddy or a coordinator says so."""
    from timebank import policy

    actor = await members.get(conn, community, by)
    query = select(buddies).where(
        buddies.c.community_id == community, buddies.c.id == row, buddies.c.until.is_(None)
    )
    found = (await conn.execute(query)).first()
    if found is None:
        raise NotFound("buddy")
    helped = await members.get(conn, community, found.member_id)
    if by != found.buddy_id and not policy.may_name_buddy(actor, helped):
        raise Forbidden("buddy")
    await conn.execute(
        update(buddies)
        .where(buddies.c.community_id == community, buddies.c.id == row)
        .values(until=now.at)
    )
    await _note(conn, community, by, "buddy.ended", found.member_id, found.buddy_id, now)


async def of(conn: AsyncConnection, community: UUID, member: UUID) -> list[Buddy]:
    """Who may record for this member now, by name."""
    query = (
        select(buddies, members.members.c.name)
        .join(members.members, _names(buddies.c.buddy_id))
        .where(
            buddies.c.community_id == community,
            buddies.c.member_id == member,
            buddies.c.until.is_(None),
        )
        .order_by(members.members.c.name_key)
    )
    return [
        Buddy(row.id, row.buddy_id, row.name, row.consent, row.since)
        for row in await conn.execute(query)
    ]


async def records_for(conn: AsyncConnection, community: UUID, member: UUID) -> list[Member]:
    """For whom this member may record now, by name: people helped, organisations managed."""
    ids = [row.member_id for row in await conn.execute(_helped(community, member))]
    found = await members.get_many(conn, community, ids)
    active = [one for one in found.values() if one.status is Status.ACTIVE]
    return sorted(active, key=lambda one: (one.name, one.id))


async def may_record_for(conn: AsyncConnection, community: UUID, buddy: UUID, member: UUID) -> bool:
    """Whether `buddy` may record for `member` now."""
    query = _helped(community, buddy).where(buddies.c.member_id == member)
    return (await conn.execute(query)).first() is not None


async def of_many(conn: AsyncConnection, community: UUID, ids: list[UUID]) -> dict[UUID, set[UUID]]:
    """For each of these members, for whom they may record now."""
    query = select(buddies.c.buddy_id, buddies.c.member_id).where(
        buddies.c.community_id == community,
        buddies.c.buddy_id.in_(ids),
        buddies.c.until.is_(None),
    )
    found: dict[UUID, set[UUID]] = {id: set() for id in ids}
    for row in await conn.execute(query):
        found[row.buddy_id].add(row.member_id)
    return found


def _helped(community: UUID, buddy: UUID) -> Select[tuple[UUID]]:
    return select(buddies.c.member_id).where(
        buddies.c.community_id == community,
        buddies.c.buddy_id == buddy,
        buddies.c.until.is_(None),
    )


def _names(id: Any) -> Any:
    table = members.members
    return (table.c.community_id == buddies.c.community_id) & (table.c.id == id)


async def _note(
    conn: AsyncConnection,
    community: UUID,
    by: UUID,
    action: str,
    member: UUID,
    buddy: UUID,
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="member",
        subject=member,
        facts={"buddy": str(buddy)},
        now=now,
    )
