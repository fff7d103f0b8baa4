"""Calendars that follow: a secret address for what one goes to, and a public page and feed.

Of a secret address only the hash is kept, so it is shown once, when it is made. Making a new one
ends the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Flag, Hash, Id, Instant
from timebank import audit, communities, members, policy, tokens
from timebank.errors import Forbidden, NotFound
from timebank.gathering import is_member
from timebank.members import Member
from timebank.moment import Moment
from timebank.people import people

feeds = Table(  # one secret address for each member who wants one
    "feed",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("token_hash", Hash, nullable=False),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    Index("ix_feed_token", "community_id", "token_hash"),
    sqlite_strict=True,
)

whats_on = Table(  # whether a community shows its public gatherings to everybody in one place
    "whats_on",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("shown", Flag, nullable=False),
    Column("changed_by", Id, nullable=False),
    Column("changed_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "changed_by"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Feed:
    """Whose calendar a secret address opens, and their language."""

    member: Member
    language: str


async def made_at(conn: AsyncConnection, community: UUID, member: UUID) -> datetime | None:
    """When the secret address was made (UTC) that works now; None if there is none."""
    query = select(feeds.c.made_at).where(*_of(community, member))
    return (await conn.execute(query)).scalar_one_or_none()


async def renew(conn: AsyncConnection, community: UUID, *, by: UUID, now: Moment) -> str:
    """A new secret for one's own calendar, shown this once; the one before opens nothing more."""
    reader = await members.get(conn, community, by)
    if not policy.may_look(reader):
        raise Forbidden("feed")
    token = tokens.secret(now)
    await conn.execute(delete(feeds).where(*_of(community, by)))
    await conn.execute(
        insert(feeds).values(
            community_id=community,
            member_id=by,
            token_hash=tokens.digest(token),
            made_at=now.at,
        )
    )
    await _note(conn, community, by, "feed.renewed", now)
    return token


async def end(conn: AsyncConnection, community: UUID, *, by: UUID, now: Moment) -> None:
    """The secret address opens nothing more."""
    await conn.execute(delete(feeds).where(*_of(community, by)))
    await _note(conn, community, by, "feed.ended", now)


async def open_(conn: AsyncConnection, community: UUID, token: str) -> Feed:
    """Whose calendar it is; `NotFound` for a secret that opens nothing, or not any more.

    A member who has left, or waits to be welcomed, has no calendar here.
    """
    query = (
        select(feeds.c.member_id, people.c.language)
        .join(members.members, is_member(feeds, feeds.c.member_id))
        .outerjoin(people, people.c.id == members.members.c.person_id)
        .where(feeds.c.community_id == community, feeds.c.token_hash == tokens.digest(token))
    )
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("feed")
    member = await members.get(conn, community, row.member_id)
    if not policy.may_look(member):
        raise NotFound("feed")
    here = await communities.by_id(conn, community)
    return Feed(member, row.language or here.language)


async def is_shown(conn: AsyncConnection, community: UUID) -> bool:
    """Whether this community shows its public gatherings to everybody in one place."""
    query = select(whats_on.c.shown).where(whats_on.c.community_id == community)
    return bool((await conn.execute(query)).scalar_one_or_none())


async def show(
    conn: AsyncConnection, community: UUID, shown: bool, *, by: UUID, now: Moment
) -> None:
    """Show them to everybody, or not any more. Coordinators do (`Forbidden`)."""
    if not policy.may_open_calendar(await members.get(conn, community, by)):
        raise Forbidden("whats_on")
    values = {"shown": shown, "changed_by": by, "changed_at": now.at}
    changed = await conn.execute(
        update(whats_on).where(whats_on.c.community_id == community).values(**values)
    )
    if changed.rowcount == 0:
        await conn.execute(insert(whats_on).values(community_id=community, **values))
    await audit.write(
        conn,
        community,
        actor=by,
        action="calendar.opened" if shown else "calendar.closed",
        subject_kind="community",
        subject=community,
        now=now,
    )


def _of(community: UUID, member: UUID) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return feeds.c.community_id == community, feeds.c.member_id == member


async def _note(conn: AsyncConnection, community: UUID, by: UUID, action: str, now: Moment) -> None:
    await audit.write(
        conn, community, actor=by, action=action, subject_kind="member", subject=by, now=now
    )
