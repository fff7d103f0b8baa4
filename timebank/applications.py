"""Applications: somebody asks to join, and a coordinator welcomes them or says why not."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    agreements,
    members,
    notices,
    people,
    policy,
    signing_in,
    throttle,
    tokens,
)
from timebank.errors import (
    BadInput,
    Forbidden,
    JoiningClosed,
    ReasonMissing,
)
from timebank.members import Member, Status
from timebank.moment import Moment


async def apply(
    conn: AsyncConnection,
    community: UUID,
    *,
    name: str,
    email: str,
    about: str,
    language: str,
    network: str,
    now: Moment,
) -> None:
    """Ask to join. What comes back, and who is mailed, is the same whether or not we know them.

    A new address becomes an application and gets a link to sign in; one that is known here gets a
    mail that says so. Refuses with `JoiningClosed` where people come by invitation, with
    `BadInput`, and with `TooManyTries` when one network (or one address) asks again and again. The
    transaction is one of `EVERYWHERE`: the link belongs to a person, not to a community.
    """
    if (await agreements.current(conn, community)).terms.joining is agreements.Joining.INVITATION:
        raise JoiningClosed
    if not name:
        raise BadInput("name", "missing")
    address = people.normalise(email)
    await throttle.count(conn, throttle.keys("apply", address, network), now=now)
    known = await people.by_email(conn, address)
    if known is not None and await members.of_person(conn, community, known.id) is not None:
        await notices.known_already(conn, known, community, now=now)
        return
    person = known or await people.create(conn, address, language, now=now)
    applicant = await members.insert_member(
        conn,
        community,
        name=name,
        status=Status.APPLIED,
        person_id=person.id,
        about=about,
        now=now,
    )
    token = await tokens.make(
        conn,
        tokens.Purpose.SIGN_IN,
        person_id=person.id,
        lifetime=signing_in.LINK_LIFETIME,
        now=now,
    )
    await members.note(conn, community, applicant.id, "member.applied", applicant.id, {}, now)
    await notices.application_received(conn, person, community, token, now=now)
    await notices.applied(conn, community, name, now=now)


async def welcome(
    conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
) -> None:
    """An application becomes a membership; the welcome is mailed. Coordinators only."""
    coordinator, applicant = (
        await members.get(conn, community, by),
        await members.get(conn, community, id),
    )
    if not policy.may_welcome(coordinator):
        raise Forbidden("welcome")
    await members.change_status(
        conn, applicant, (Status.APPLIED,), Status.ACTIVE, welcomed_by=by, joined_at=now.at
    )
    await members.open_account(conn, community, id, applicant.kind, now)
    await members.note(conn, community, by, "member.welcomed", id, {}, now)
    await notices.welcomed(conn, community, applicant, now=now)


async def welcome_invited(
    conn: AsyncConnection, applicant: Member, by: UUID | None, *, now: Moment
) -> Member:
    """Somebody who applied follows an invitation: the one who invited has welcomed them."""
    await members.change_status(
        conn, applicant, (Status.APPLIED,), Status.ACTIVE, welcomed_by=by, joined_at=now.at
    )
    await members.open_account(conn, applicant.community_id, applicant.id, applicant.kind, now)
    return await members.get(conn, applicant.community_id, applicant.id)


async def refuse(
    conn: AsyncConnection, community: UUID, id: UUID, *, reason: str, by: UUID, now: Moment
) -> None:
    """An application is turned down, with a reason that the applicant is told."""
    coordinator, applicant = (
        await members.get(conn, community, by),
        await members.get(conn, community, id),
    )
    if not policy.may_welcome(coordinator):
        raise Forbidden("welcome")
    if not reason:
        raise ReasonMissing
    await members.change_status(conn, applicant, (Status.APPLIED,), Status.LEFT, ended_at=now.at)
    await members.note(conn, community, by, "member.refused", id, {}, now)
    await notices.application_refused(conn, community, applicant, reason, now=now)
