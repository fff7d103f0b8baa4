"""Communities, people and members as tests need them, made in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, members
from timebank.communities import Community
from timebank.members import Member, MemberKind, Role, Status
from timebank.moment import Moment
from timebank.people import people

START = datetime(2026, 5, 4, 12, tzinfo=UTC)


def at(**later: float) -> Moment:
    """The tests' noon on 4 May 2026, or so much later: `at(days=3)`."""
    return Moment(START + timedelta(**later))


async def a_community(
    conn: AsyncConnection,
    slug: str = "mill-road",
    *,
    name: str = "Mill Road",
    language: str = "en",
    timezone: str = "Europe/London",
    now: Moment | None = None,
) -> Community:
    """A community with its commons, its first agreement and nobody in it."""
    return await communities.create(
        conn, slug=slug, name=name, language=language, timezone=timezone, now=now or at()
    )


async def a_person(
    conn: AsyncConnection,
    email: str,
    *,
    password_hash: str | None = None,
    language: str = "en",
    now: Moment | None = None,
) -> UUID:
    """Somebody who can sign in; with a password only if its hash is given."""
    moment = now or at()
    person = moment.new_id()
    await conn.execute(
        insert(people).values(
            id=person,
            email=email,
            password_hash=password_hash,
            language=language,
            created_at=moment.at,
        )
    )
    return person


async def a_member(
    conn: AsyncConnection,
    community: UUID,
    name: str = "Ana Lima",
    *,
    email: str | None = None,
    role: Role = Role.MEMBER,
    status: Status = Status.ACTIVE,
    kind: MemberKind = MemberKind.PERSON,
    now: Moment | None = None,
    **more: Any,
) -> Member:
    """A member with an account, without a sign-in unless an e-mail address is given."""
    moment = now or at()
    person = await a_person(conn, email, now=moment) if email else None
    return await members.insert_member(
        conn,
        community,
        name=name,
        status=status,
        role=role,
        kind=kind,
        person_id=person,
        now=moment,
        **more,
    )
