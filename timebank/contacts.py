"""Contacts: how to reach a member, and who may see it.

open to members   the member wants it, and every guardian agrees; not between two who are kept
                  apart
by looking        coordinators and those who act for the member may see it all the same; that
                  somebody looked stands in the audit
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import acting, keeping_apart, looks, members, policy
from timebank.errors import Forbidden
from timebank.looks import Look
from timebank.members import BuddyKind, buddies
from timebank.moment import Moment
from timebank.people import people


@dataclass(frozen=True, slots=True)
class Contact:
    """A telephone number and an address; "" for what there is not.

    `ask_for` is whom to ask for in an organisation, and how.
    """

    phone: str
    email: str
    ask_for: str = ""

    def __bool__(self) -> bool:
        return bool(self.phone or self.email)


@dataclass(frozen=True, slots=True)
class Sight:
    """How much of a member's contact somebody sees.

    `contact` is what is on the page at once; None for nothing. `may_look`: there is something to
    see for whoever looks on purpose. `is_open`: every member sees it.
    """

    contact: Contact | None
    may_look: bool
    is_open: bool


async def sight(conn: AsyncConnection, community: UUID, member: UUID, *, by: UUID) -> Sight:
    """What `by` sees of how to reach a member."""
    actor = await acting.one(conn, community, by)
    kept, is_open = await _of(conn, community, member)
    kept_apart = bool(await keeping_apart.apart(conn, community, [(by, member)]))
    if policy.sees_contact(actor.member, member, is_open=is_open, kept_apart=kept_apart):
        return Sight(kept or None, False, is_open)
    may = policy.may_look_up_contact(actor.member, member, actor.acts_for, kept_apart=kept_apart)
    return Sight(None, may and bool(kept), is_open)


async def look(
    conn: AsyncConnection, community: UUID, member: UUID, *, by: UUID, now: Moment
) -> Contact:
    """See it on purpose; it stands in the audit. Else `Forbidden`."""
    actor = await acting.one(conn, community, by)
    kept, is_open = await _of(conn, community, member)
    kept_apart = bool(await keeping_apart.apart(conn, community, [(by, member)]))
    if policy.sees_contact(actor.member, member, is_open=is_open, kept_apart=kept_apart):
        return kept
    if not policy.may_look_up_contact(actor.member, member, actor.acts_for, kept_apart=kept_apart):
        raise Forbidden("contact")
    await looks.keep(conn, community, Look.CONTACT, by=by, member=member, now=now)
    return kept


async def open_to_members(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, Contact]:
    """How to reach those of these members who want every member to know, and organisations.

    One query.
    """
    table, houses = members.members, members.organisations
    rows = await conn.execute(
        select(table.c.id, table.c.phone, people.c.email, houses.c.contact)
        .outerjoin(people, people.c.id == table.c.person_id)
        .outerjoin(
            houses,
            and_(houses.c.community_id == table.c.community_id, houses.c.id == table.c.id),
        )
        .where(
            table.c.community_id == community,
            table.c.id.in_(list(ids)),
            or_(_is_open(), houses.c.contact != ""),
        )
    )
    return {row.id: Contact(row.phone, row.email or "", row.contact or "") for row in rows}


async def of(conn: AsyncConnection, community: UUID, member: UUID) -> Contact:
    """How to reach a member, for a page that has asked who may read it and noted that they did."""
    return (await _of(conn, community, member))[0]


async def _of(conn: AsyncConnection, community: UUID, member: UUID) -> tuple[Contact, bool]:
    """A member's contact, and whether it is open to all members."""
    table = members.members
    query = (
        select(table.c.phone, people.c.email, _is_open().label("is_open"))
        .outerjoin(people, people.c.id == table.c.person_id)
        .where(table.c.community_id == community, table.c.id == member)
    )
    row = (await conn.execute(query)).one()
    return Contact(row.phone, row.email or ""), bool(row.is_open)


def _is_open() -> ColumnElement[bool]:
    """The member wants it shown, and no guardian of theirs has yet to agree."""
    table = members.members
    waits_for_a_guardian = exists().where(
        buddies.c.community_id == table.c.community_id,
        buddies.c.member_id == table.c.id,
        buddies.c.kind == BuddyKind.GUARDIAN.value,
        buddies.c.until.is_(None),
        buddies.c.contact_agreed_at.is_(None),
    )
    return table.c.contact_shown & ~waits_for_a_guardian
