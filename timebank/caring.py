"""Caring: who may note and read what is kept about a member besides their profile."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import keeping_apart, members, policy
from timebank.errors import Forbidden
from timebank.members import Member


async def carer(conn: AsyncConnection, community: UUID, member: UUID, by: UUID) -> Member:
    """The member, if `by` may care for them; else `Forbidden`, and `NotFound` for a stranger.

    Coordinators care for everybody but themselves, and but those they are kept apart from: another
    one does that.
    """
    actor = await members.get(conn, community, by)
    found = await members.get(conn, community, member)
    kept_apart = bool(await keeping_apart.apart(conn, community, [(by, member)]))
    if not policy.may_care(actor, found, kept_apart=kept_apart):
        raise Forbidden("care")
    return found
