"""Invitations: a personal link, mailed or handed over, that makes somebody a member.

It works once, within 30 days. Invited by a member, one is active at once; somebody vouches for you.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    applications,
    audit,
    communities,
    credentials,
    members,
    notices,
    people,
    seats,
    sessions,
    throttle,
    tokens,
)
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.errors import AlreadyMember, BadInput, Forbidden, LinkSpent, NotFound
from timebank.members import Member, Role, Status
from timebank.moment import Moment
from timebank.people import Person
from timebank.tokens import Purpose, Token

LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that still works. `id` names it on pages; it does not open anything."""

    id: str
    community: Community
    name: str
    email: str
    invited_by: UUID | None
    invited_by_name: str | None
    member_id: UUID | None
    role: Role
    made_at: datetime
    expires_at: datetime


async def invite(
    conn: AsyncConnection,
    community: UUID,
    *,
    name: str,
    email: str,
    by: UUID,
    now: Moment,
    base_url: str,
    member_id: UUID | None = None,
) -> str:
    """The link for somebody new, or for a member without a sign-in (`member_id`).

    Mailed where an address is given. Active members invite; giving somebody a sign-in is for
    coordinators (`Forbidden`), and only for those who have none (`AlreadyMember`).
    """
    from timebank import policy

    inviter = await members.get(conn, community, by)
    if not policy.may_invite(inviter):
        raise Forbidden("invite")
    if not name:
        raise BadInput("name", "missing")
    address = people.normalise(email) if email else ""
    if member_id is not None:
        existing = await members.get(conn, community, member_id)
        if not policy.may_add_member(inviter) or existing.status is Status.LEFT:
            raise Forbidden("invite")
        if existing.person_id is not None:
            raise AlreadyMember
    token = await tokens.make(
        conn,
        Purpose.INVITATION,
        community=community,
        facts={
            "name": name,
            "email": address,
            "by": str(by),
            "member": str(member_id) if member_id else None,
        },
        lifetime=LIFETIME,
        now=now,
    )
    if address:
        await notices.invitation(
            conn, community, name=name, email=address, inviter=inviter.name, token=token, now=now
        )
    await _note(conn, community, by, "invitation.made", member_id or by, now)
    return f"{base_url}/invitation/{token}"


async def invite_steward(
    conn: AsyncConnection, community: UUID, *, now: Moment, base_url: str
) -> str:
    """The operator's way in: a link that makes whoever follows it a steward."""
    await communities.by_id(conn, community)
    token = await tokens.make(
        conn,
        Purpose.INVITATION,
        community=community,
        facts={"name": "", "email": "", "by": None, "member": None, "role": Role.STEWARD.value},
        lifetime=LIFETIME,
        now=now,
    )
    await _note(conn, community, None, "invitation.steward", community, now)
    return f"{base_url}/invitation/{token}"


async def look(conn: AsyncConnection, token: str, *, now: Moment) -> Invitation:
    """What a link invites to, without using it; `LinkSpent` if it does not work."""
    found = await tokens.look(conn, token, Purpose.INVITATION, now=now)
    return await _invitation(conn, found)


async def waiting(
    conn: AsyncConnection, community: UUID, *, now: Moment | None = None
) -> list[Invitation]:
    """Invitations of a community that nobody has followed yet, the newest first."""
    found = await tokens.waiting(conn, community, Purpose.INVITATION, now=now or Moment.now())
    here = await communities.by_id(conn, community)
    inviters = {UUID(one.facts["by"]) for one in found if one.facts.get("by")}
    names = await members.get_many(conn, community, inviters)
    return [_made(one, here, names) for one in found]


async def withdraw(
    conn: AsyncConnection, community: UUID, id: str, *, by: UUID, now: Moment
) -> None:
    """The link works no more. By whoever invited, or a coordinator; else `NotFound`."""
    from timebank import policy

    actor = await members.get(conn, community, by)
    key = _key(id)
    for one in await waiting(conn, community, now=now):
        mine = one.invited_by == by or policy.may_add_member(actor)
        if one.id == id and mine:
            table = people.tokens
            await conn.execute(
                update(table)
                .where(table.c.community_id == community, table.c.token_hash == key)
                .values(used_at=now.at)
            )
            await _note(conn, community, by, "invitation.withdrawn", by, now)
            return
    raise NotFound("invitation")


async def accept(
    db: Database,
    token: str,
    *,
    name: str,
    email: str,
    password: str,
    language: str,
    device: str,
    now: Moment,
) -> tuple[Person, str, Community]:
    """Follow an invitation as somebody new: the person, a session's secret, the community.

    Raises `LinkSpent`, `BadInput` or `WeakPassword`. With an address that signs in here already,
    the right password makes that person a member; a wrong one is refused, and after five such
    tries the link has to wait (`TooManyTries`), so that it is no way to ask who signs in here.
    """
    tries = throttle.keys("invitation", "", token)
    async with db.read(EVERYWHERE) as conn:
        invitation = await look(conn, token, now=now)
        address = people.normalise(email)
        query = select(people.people).where(people.people.c.email == address)
        known = (await conn.execute(query)).first()
    if not name:
        raise BadInput("name", "missing")
    if known is not None:
        async with db.write(EVERYWHERE) as conn:
            await throttle.count(conn, tries, now=now)
        right, _ = await credentials.check(password, known.password_hash)
        if not right:
            raise BadInput("email", "sign_in_first")
    else:
        credentials.refuse_weak(password, about=[name, address, invitation.community.name])
    kept = await credentials.hash_password(password)
    async with db.write(invitation.community.id) as conn:
        found = await tokens.spend(conn, token, Purpose.INVITATION, now=now)
        person = await people.by_email(conn, address)
        if person is None:
            person = await people.create(conn, address, language, password_hash=kept, now=now)
        await _join(conn, found, person, name, now)
        session = await sessions.begin(conn, person.id, device=device, now=now)
    return person, session, invitation.community


async def accept_as(db: Database, token: str, person_id: UUID, *, now: Moment) -> Community:
    """Follow an invitation as somebody who is signed in. `LinkSpent`, or `AlreadyMember`."""
    async with db.write(EVERYWHERE) as conn:
        found = await tokens.spend(conn, token, Purpose.INVITATION, now=now)
        invitation = await _invitation(conn, found)
        person = await people.by_id(conn, person_id)
        name = invitation.name or await _name_elsewhere(conn, person)
        await _join(conn, found, person, name, now)
    return invitation.community


async def _join(
    conn: AsyncConnection, found: Token, person: Person, name: str, now: Moment
) -> None:
    """Make the person a member as the invitation says."""
    community = found.community_id
    if community is None:
        raise LinkSpent
    by = UUID(found.facts["by"]) if found.facts.get("by") else None
    role = Role(found.facts.get("role", Role.MEMBER.value))
    existing = await members.of_person(conn, community, person.id)
    if found.facts.get("member"):
        if existing is not None:
            raise AlreadyMember
        member = await members.get(conn, community, UUID(found.facts["member"]))
        await members.give_sign_in(conn, member, person.id)
    elif existing is not None:
        if existing.status is not Status.APPLIED:
            raise AlreadyMember
        member = await applications.welcome_invited(conn, existing, by, now=now)
    else:
        member = await members.insert_member(
            conn,
            community,
            name=name,
            status=Status.ACTIVE,
            role=role,
            person_id=person.id,
            invited_by=by,
            welcomed_by=by,
            now=now,
        )
    if found.facts.get("seat"):
        gathering, seat = UUID(found.facts["gathering"]), UUID(found.facts["seat"])
        await seats.becomes(conn, community, gathering, seat, member.id, now=now)
    await _note(conn, community, member.id, "invitation.accepted", by or member.id, now)


async def _name_elsewhere(conn: AsyncConnection, person: Person) -> str:
    """What this person is called in another community of this installation."""
    table = members.members
    query = select(table.c.name).where(table.c.person_id == person.id).limit(1)
    found = (await conn.execute(query)).scalar_one_or_none()
    return found or person.email.partition("@")[0]


async def _invitation(conn: AsyncConnection, found: Token) -> Invitation:
    if found.community_id is None:
        raise LinkSpent
    here = await communities.by_id(conn, found.community_id)
    ids = [UUID(found.facts["by"])] if found.facts.get("by") else []
    return _made(found, here, await members.get_many(conn, here.id, ids))


def _made(found: Token, here: Community, names: dict[UUID, Member]) -> Invitation:
    by = UUID(found.facts["by"]) if found.facts.get("by") else None
    return Invitation(
        base64.urlsafe_b64encode(found.key).decode().rstrip("="),
        here,
        found.facts.get("name", ""),
        found.facts.get("email", ""),
        by,
        names[by].name if by in names else None,
        UUID(found.facts["member"]) if found.facts.get("member") else None,
        Role(found.facts.get("role", Role.MEMBER.value)),
        found.created_at,
        found.expires_at,
    )


def _key(id: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(id + "=" * (-len(id) % 4))
    except (binascii.Error, ValueError):
        raise NotFound("invitation") from None


async def _note(
    conn: AsyncConnection, community: UUID, by: UUID | None, action: str, subject: UUID, now: Moment
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="community" if by is None else "member",
        subject=subject,
        now=now,
    )
