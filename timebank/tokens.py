"""Links sent by mail or handed over: 256 random bits, used once, kept only as a hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.errors import LinkSpent
from timebank.moment import Moment
from timebank.people import tokens


class Purpose(StrEnum):
    """What a link is for; one made for one thing opens nothing else."""

    INVITATION = "invitation"
    GATHERING = "gathering"  # works as often as it is opened, until it ends
    SIGN_IN = "sign-in"
    RESET = "reset"
    STAY = "stay"  # somebody who was asked stays


@dataclass(frozen=True, slots=True)
class Token:
    """What is known about a link that works. `key` is its hash, which can be listed safely."""

    key: bytes
    purpose: Purpose
    person_id: UUID | None
    community_id: UUID | None
    facts: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime


def secret(now: Moment) -> str:
    """256 random bits as they stand in a link or a cookie."""
    return base64.urlsafe_b64encode(now.random_bytes(32)).rstrip(b"=").decode()


def digest(token: str) -> bytes:
    """What is kept of a secret. It has 256 bits of its own, so it needs no salt."""
    return hashlib.sha256(token.encode()).digest()


async def make(
    conn: AsyncConnection,
    purpose: Purpose,
    *,
    person_id: UUID | None = None,
    community: UUID | None = None,
    facts: Mapping[str, Any] | None = None,
    lifetime: timedelta,
    now: Moment,
) -> str:
    """A new link's secret. It is shown once, here, and never again."""
    token = secret(now)
    await conn.execute(
        insert(tokens).values(
            token_hash=digest(token),
            purpose=purpose.value,
            person_id=person_id,
            community_id=community,
            facts=dict(facts or {}),
            created_at=now.at,
            expires_at=now.at + lifetime,
        )
    )
    return token


async def look(conn: AsyncConnection, token: str, purpose: Purpose, *, now: Moment) -> Token:
    """What the link stands for, without using it; `LinkSpent` if it does not work."""
    row = (
        await conn.execute(
            select(tokens).where(
                tokens.c.token_hash == digest(token),
                tokens.c.purpose == purpose.value,
                tokens.c.used_at.is_(None),
                tokens.c.expires_at > now.at,
            )
        )
    ).first()
    if row is None:
        raise LinkSpent
    return _token(row)


async def spend(conn: AsyncConnection, token: str, purpose: Purpose, *, now: Moment) -> Token:
    """Use the link up; `LinkSpent` if it does not work. Of many at once, one succeeds."""
    found = await look(conn, token, purpose, now=now)
    used = await conn.execute(
        update(tokens)
        .where(tokens.c.token_hash == found.key, tokens.c.used_at.is_(None))
        .values(used_at=now.at)
    )
    if used.rowcount != 1:
        raise LinkSpent
    return found


async def waiting(
    conn: AsyncConnection, community: UUID, purpose: Purpose, *, now: Moment
) -> list[Token]:
    """A community's links that still work, the newest first."""
    rows = await conn.execute(
        select(tokens)
        .where(
            tokens.c.community_id == community,
            tokens.c.purpose == purpose.value,
            tokens.c.used_at.is_(None),
            tokens.c.expires_at > now.at,
        )
        .order_by(tokens.c.created_at.desc())
    )
    return [_token(row) for row in rows]


async def keep(
    conn: AsyncConnection,
    key: bytes,
    *,
    facts: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Give a link other facts, or another end (UTC)."""
    values: dict[str, Any] = {} if facts is None else {"facts": dict(facts)}
    if expires_at is not None:
        values["expires_at"] = expires_at
    await conn.execute(update(tokens).where(tokens.c.token_hash == key).values(**values))


async def revoke(conn: AsyncConnection, keys: Iterable[bytes]) -> None:
    """Remove these links."""
    await conn.execute(delete(tokens).where(tokens.c.token_hash.in_(list(keys))))


async def revoke_of(conn: AsyncConnection, person_id: UUID, *purposes: Purpose) -> None:
    """Remove a person's links of these purposes, used or not."""
    await conn.execute(
        delete(tokens).where(
            tokens.c.person_id == person_id,
            tokens.c.purpose.in_([purpose.value for purpose in purposes]),
        )
    )


async def sweep(conn: AsyncConnection, *, now: Moment) -> None:
    """Forget links that stopped working more than thirty days ago."""
    await conn.execute(delete(tokens).where(tokens.c.expires_at < now.at - timedelta(days=30)))


def _token(row: Any) -> Token:
    return Token(
        row.token_hash,
        Purpose(row.purpose),
        row.person_id,
        row.community_id,
        row.facts,
        row.created_at,
        row.expires_at,
    )
