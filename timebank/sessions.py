"""Sessions: who is signed in on which device. Kept here, so that they can be ended here.

A session ends after 30 days without a visit, and 180 days after it began in any case.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import tokens
from timebank.moment import Moment
from timebank.people import Person, people, sessions

IDLE = timedelta(days=30)
LONGEST = timedelta(days=180)
_TOUCH_EVERY = timedelta(hours=1)  # a visit an hour is enough to know somebody is there


async def begin(conn: AsyncConnection, person_id: UUID, *, device: str, now: Moment) -> str:
    """Start a session; the answer is the cookie's secret, of which only a hash is kept."""
    token = tokens.secret(now)
    await conn.execute(
        insert(sessions).values(
            token_hash=tokens.digest(token),
            person_id=person_id,
            created_at=now.at,
            seen_at=now.at,
            expires_at=now.at + LONGEST,
            device=device[:200],
        )
    )
    await _seen(conn, people.c.id == person_id, now)
    return token


async def find(conn: AsyncConnection, token: str, *, now: Moment) -> tuple[Person, datetime] | None:
    """Who is signed in with this secret and when they were last seen, or None."""
    row = (
        await conn.execute(
            select(people, sessions.c.seen_at)
            .join(sessions, sessions.c.person_id == people.c.id)
            .where(
                sessions.c.token_hash == tokens.digest(token),
                sessions.c.expires_at > now.at,
                sessions.c.seen_at > now.at - IDLE,
            )
        )
    ).first()
    if row is None:
        return None
    person = Person(row.id, row.email, row.language, row.password_hash is not None, row.created_at)
    return person, row.seen_at


def is_stale(seen_at: datetime, now: Moment) -> bool:
    """Whether it is time to note that this session is still in use."""
    return now.at - seen_at >= _TOUCH_EVERY


async def touch(conn: AsyncConnection, token: str, *, now: Moment) -> None:
    """Note that the session is in use."""
    await conn.execute(
        update(sessions)
        .where(sessions.c.token_hash == tokens.digest(token), sessions.c.seen_at < now.at)
        .values(seen_at=now.at)
    )
    whose = select(sessions.c.person_id).where(sessions.c.token_hash == tokens.digest(token))
    await _seen(conn, people.c.id.in_(whose), now)


async def _seen(conn: AsyncConnection, who: ColumnElement[bool], now: Moment) -> None:
    """Keep the day, which outlives the session: see `timebank.retention`."""
    today = now.at.date()
    later = or_(people.c.seen_on.is_(None), people.c.seen_on < today)
    await conn.execute(update(people).where(who, later).values(seen_on=today))


async def end(conn: AsyncConnection, token: str) -> None:
    """End this session."""
    await conn.execute(delete(sessions).where(sessions.c.token_hash == tokens.digest(token)))


async def end_all(conn: AsyncConnection, person_id: UUID) -> None:
    """End every session of a person, on every device."""
    await conn.execute(delete(sessions).where(sessions.c.person_id == person_id))


async def sweep(conn: AsyncConnection, *, now: Moment) -> None:
    """Forget sessions that have ended by themselves."""
    await conn.execute(
        delete(sessions).where(
            (sessions.c.expires_at <= now.at) | (sessions.c.seen_at <= now.at - IDLE)
        )
    )
