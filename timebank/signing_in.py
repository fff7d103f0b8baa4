"""Signing in: with a password, or with a link sent by mail; and setting a new password.

Seen from outside, a known address and an unknown one get the same answer after the same work.
Functions that check a password open their own transactions, because checking takes long and
nobody else should wait for it.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import credentials, notices, sessions, throttle, tokens
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, WrongSignIn
from timebank.moment import Moment
from timebank.people import Person, by_email, by_id, normalise, people
from timebank.tokens import Purpose

LINK_LIFETIME = timedelta(minutes=30)
RESET_LIFETIME = timedelta(minutes=60)


async def sign_in(
    db: Database, email: str, password: str, *, network: str, device: str, now: Moment
) -> tuple[Person, str]:
    """The person, and the secret of a new session.

    Raises `WrongSignIn`, or `TooManyTries` while this address has to wait on this network.
    """
    try:
        address = normalise(email)
    except BadInput:
        address = ""
    keys = throttle.keys("sign-in", address, network, anywhere=True)
    async with db.write(EVERYWHERE) as conn:
        await throttle.count(conn, keys, now=now)
        query = select(people.c.id, people.c.password_hash).where(people.c.email == address)
        row = (await conn.execute(query)).first()
    right, newer = await credentials.check(password, row.password_hash if row else None)
    if row is None or not right:
        raise WrongSignIn
    async with db.write(EVERYWHERE) as conn:
        await throttle.forgive(conn, keys, now=now)
        if newer:
            await _keep_password(conn, row.id, newer)
        person = await by_id(conn, row.id)
        return person, await sessions.begin(conn, person.id, device=device, now=now)


async def ask_link(db: Database, email: str, *, network: str, now: Moment) -> None:
    """Mail a link that signs in, if the address is known. Nothing tells whether it was.

    Raises `BadInput` for what is no address, and `TooManyTries` after many asks from a network.
    """
    await _ask(db, email, Purpose.SIGN_IN, network=network, now=now)


async def ask_reset(db: Database, email: str, *, network: str, now: Moment) -> None:
    """Mail a link that sets a new password, as `ask_link` does."""
    await _ask(db, email, Purpose.RESET, network=network, now=now)


async def use_link(db: Database, token: str, *, device: str, now: Moment) -> tuple[Person, str]:
    """Sign in with a mailed link: the person and a new session's secret, or `LinkSpent`."""
    async with db.write(EVERYWHERE) as conn:
        found = await tokens.spend(conn, token, Purpose.SIGN_IN, now=now)
        person = await by_id(conn, _owner(found))
        return person, await sessions.begin(conn, person.id, device=device, now=now)


async def reset_password(db: Database, token: str, password: str, *, now: Moment) -> Person:
    """Set a password with a mailed link. All sessions end, and the owner is told.

    Raises `LinkSpent`, or `WeakPassword`, which leaves the link usable. Nobody is signed in by it.
    """
    async with db.read(EVERYWHERE) as conn:
        found = await tokens.look(conn, token, Purpose.RESET, now=now)
        person = await by_id(conn, _owner(found))
    credentials.refuse_weak(password, about=[person.email])
    kept = await credentials.hash_password(password)
    async with db.write(EVERYWHERE) as conn:
        await tokens.spend(conn, token, Purpose.RESET, now=now)
        await _change(conn, person, kept, now)
    return person


async def change_password(
    db: Database, person_id: UUID, old: str, new: str, *, network: str, now: Moment
) -> None:
    """Set another password, knowing the old one (nobody has one at first). All sessions end.

    Raises `WrongSignIn`, `TooManyTries` or `WeakPassword`.
    """
    async with db.write(EVERYWHERE) as conn:
        person = await by_id(conn, person_id)
        keys = throttle.keys("change-password", person.email, network)
        await throttle.count(conn, keys, now=now)
        query = select(people.c.password_hash).where(people.c.id == person_id)
        kept = (await conn.execute(query)).scalar_one()
    if kept is not None and not (await credentials.check(old, kept))[0]:
        raise WrongSignIn
    credentials.refuse_weak(new, about=[person.email])
    newer = await credentials.hash_password(new)
    async with db.write(EVERYWHERE) as conn:
        await throttle.forgive(conn, keys, now=now)
        await _change(conn, person, newer, now)


async def _ask(db: Database, email: str, purpose: Purpose, *, network: str, now: Moment) -> None:
    address = normalise(email)
    keys = throttle.keys(f"ask for {purpose.value}", address, network)
    async with db.write(EVERYWHERE) as conn:
        await throttle.count(conn, keys, now=now)
        person = await by_email(conn, address)
        async with conn.begin_nested() as work:
            await _mail_link(conn, purpose, person, address, now)
            if person is None:
                await work.rollback()  # the same work, for nobody


async def _mail_link(
    conn: AsyncConnection, purpose: Purpose, known: Person | None, address: str, now: Moment
) -> None:
    """A new link by mail; the newest is the one that works."""
    person = known or Person(now.new_id(), address, "en", False, now.at)
    await tokens.revoke_of(conn, person.id, purpose)
    lifetime = LINK_LIFETIME if purpose is Purpose.SIGN_IN else RESET_LIFETIME
    token = await tokens.make(
        conn, purpose, person_id=known.id if known else None, lifetime=lifetime, now=now
    )
    if purpose is Purpose.SIGN_IN:
        await notices.sign_in_link(conn, person, token, now=now)
    else:
        await notices.reset_link(conn, person, token, now=now)


async def _change(conn: AsyncConnection, person: Person, kept: str, now: Moment) -> None:
    """A new password: every session ends, open links die, the owner is told."""
    await _keep_password(conn, person.id, kept)
    await sessions.end_all(conn, person.id)
    await tokens.revoke_of(conn, person.id, Purpose.SIGN_IN, Purpose.RESET)
    await notices.password_changed(conn, person, now=now)


async def _keep_password(conn: AsyncConnection, person_id: UUID, kept: str) -> None:
    await conn.execute(update(people).where(people.c.id == person_id).values(password_hash=kept))


def _owner(token: tokens.Token) -> UUID:
    if token.person_id is None:
        raise RuntimeError("a link that signs in belongs to somebody")
    return token.person_id
