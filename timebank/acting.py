"""Who acts: a member as the database knows them now, with those they may act for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.errors import NotFound, ReadOnlyMember
from timebank.members import Member, MemberKind, Role, Status, as_member, buddies, members


@dataclass(frozen=True, slots=True)
class Actor:
    """A member who acts. `acts_for`: members who agreed to it, and organisations they manage."""

    member: Member
    acts_for: frozenset[UUID]
    manages: frozenset[UUID]

    @property
    def id(self) -> UUID:
        return self.member.id

    @property
    def accounts(self) -> frozenset[UUID]:
        """All accounts they speak for, their own first of all."""
        return self.acts_for | {self.member.account_id}


async def find(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> dict[UUID, Actor]:
    """The members with these ids, in one query; who is not of this community is left out."""
    other = members.alias("other")
    query = (
        select(
            members.c.community_id,
            members.c.id,
            members.c.kind,
            members.c.person_id,
            members.c.name,
            members.c.area,
            members.c.role,
            members.c.status,
            other.c.id.label("other_id"),
            other.c.kind.label("other_kind"),
        )
        .outerjoin(
            buddies,
            and_(
                buddies.c.community_id == members.c.community_id,
                buddies.c.buddy_id == members.c.id,
                buddies.c.until.is_(None),
            ),
        )
        .outerjoin(
            other,
            and_(
                other.c.community_id == buddies.c.community_id,
                other.c.id == buddies.c.member_id,
                other.c.status != Status.LEFT.value,
            ),
        )
        .where(members.c.community_id == community, members.c.id.in_(set(ids)))
    )
    found: dict[UUID, Actor] = {}
    for row in await conn.execute(query):
        actor = found.get(row.id)
        if actor is None:
            actor = Actor(as_member(row), frozenset(), frozenset())
        if row.other_id is not None:
            manages = {row.other_id} if row.other_kind == MemberKind.ORGANISATION else set()
            actor = Actor(actor.member, actor.acts_for | {row.other_id}, actor.manages | manages)
        found[row.id] = actor
    return found


async def one(conn: AsyncConnection, community: UUID, by: UUID) -> Actor:
    """One member of this community, or `NotFound`."""
    found = await find(conn, community, [by])
    if by not in found:
        raise NotFound("member")
    return found[by]


async def active(conn: AsyncConnection, community: UUID, by: UUID) -> Actor:
    """One active member; another one raises `ReadOnlyMember`, a stranger `NotFound`."""
    actor = await one(conn, community, by)
    if actor.member.status is not Status.ACTIVE:
        raise ReadOnlyMember
    return actor


async def all_coordinators(conn: AsyncConnection, community: UUID) -> list[Actor]:
    """Every active member who may coordinate."""
    ids = await conn.execute(select(members.c.id).where(*_coordinate(community)))
    return list((await find(conn, community, [row.id for row in ids])).values())


async def coordinators(conn: AsyncConnection, community: UUID) -> int:
    """How many active members may coordinate."""
    return await conn.scalar(select(number_of_coordinators(community))) or 0


def number_of_coordinators(community: UUID) -> ScalarSelect[int]:
    """`coordinators` as a part of another query."""
    return (
        select(func.count()).select_from(members).where(*_coordinate(community)).scalar_subquery()
    )


def _coordinate(community: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        members.c.community_id == community,
        members.c.status == Status.ACTIVE.value,
        members.c.role.in_((Role.COORDINATOR.value, Role.STEWARD.value)),
    )
