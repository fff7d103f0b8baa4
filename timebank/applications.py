"""Applications: somebody asks to join, and a coordinator welcomes them or says why not.

Some ask several times, with another address or another spelling. What looks like one person
(`timebank.applicants`) is shown together, and becomes one membership.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    agreements,
    audit,
    members,
    my_data,
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
    WrongState,
)
from timebank.members import Member, MemberKind, Status
from timebank.moment import Moment
from timebank.text import fold


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an application or an invitation: who decided it, and when."""

    member: Member
    welcomed: bool
    by: str | None
    at: datetime


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

    A new address becomes an application and gets a link to sign in, and so does one whose earlier
    application was turned down; one that is known here gets a mail that says so. Refuses with
    `JoiningClosed` where people come by invitation, with `BadInput`, and with `TooManyTries` when
    one network (or one address) asks again and again. The transaction is one of `EVERYWHERE`: the
    link belongs to a person, not to a community.
    """
    if (await agreements.current(conn, community)).terms.joining is agreements.Joining.INVITATION:
        raise JoiningClosed
    if not name:
        raise BadInput("name", "missing")
    address = people.normalise(email)
    await throttle.count(conn, throttle.keys("apply", address, network), now=now)
    known = await people.by_email(conn, address)
    before = None if known is None else await members.of_person(conn, community, known.id)
    again = before is not None and await _was_turned_down(conn, before)
    if known is not None and before is not None and not again:
        await notices.known_already(conn, known, community, now=now)
        return
    person = known or await people.create(conn, address, language, now=now)
    if before is not None:
        applicant = before
        await _ask_again(conn, before, name, about, now)
    else:
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


async def same_person(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    others: Collection[UUID],
    *,
    by: UUID,
    now: Moment,
) -> None:
    """These other applications are of the same person: they are closed and forgotten.

    Coordinators only (`Forbidden`); all of them have to wait still (`WrongState`). The transaction
    is one of `EVERYWHERE`: the other addresses may go too.
    """
    coordinator = await members.get(conn, community, by)
    if not policy.may_welcome(coordinator):
        raise Forbidden("welcome")
    kept = await members.get(conn, community, id)
    if kept.status is not Status.APPLIED:
        raise WrongState(kept.status.value, "same")
    for other in others:
        if other == id:
            continue
        double = await members.get(conn, community, other)
        await members.change_status(conn, double, (Status.APPLIED,), Status.LEFT, ended_at=now.at)
        await my_data.erase_application(conn, community, double, now=now)
        await members.note(conn, community, by, "member.folded", other, {"into": str(id)}, now)


async def decided(conn: AsyncConnection, community: UUID, *, limit: int = 50) -> list[Decision]:
    """Who came in, and who was turned down; by whom, the newest first."""
    table, by = members.members, members.members.alias("decider")
    at = func.coalesce(table.c.joined_at, table.c.ended_at)
    refusal = (
        select(audit.audit.c.actor_id)
        .where(
            audit.audit.c.community_id == table.c.community_id,
            audit.audit.c.subject_id == table.c.id,
            audit.audit.c.action == "member.refused",
        )
        .order_by(audit.audit.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    decider = func.coalesce(table.c.welcomed_by, refusal)
    columns = [table.c[name] for name in members.COLUMNS]
    rows = await conn.execute(
        select(*columns, table.c.joined_at, at.label("decided_at"), by.c.name.label("decider"))
        .select_from(table)
        .outerjoin(by, and_(by.c.community_id == table.c.community_id, by.c.id == decider))
        .where(
            table.c.community_id == community,
            table.c.kind == MemberKind.PERSON.value,
            table.c.status != Status.APPLIED.value,
            table.c.erased_at.is_(None),
            at.is_not(None),
        )
        .order_by(at.desc(), table.c.id.desc())
        .limit(limit)
    )
    return [
        Decision(members.as_member(row), row.joined_at is not None, row.decider, row.decided_at)
        for row in rows
    ]


async def _was_turned_down(conn: AsyncConnection, member: Member) -> bool:
    """Whether they applied once and were not taken in; not whoever was a member and left."""
    table = members.members
    query = select(table.c.joined_at, table.c.erased_at).where(
        table.c.community_id == member.community_id, table.c.id == member.id
    )
    row = (await conn.execute(query)).one()
    return member.status is Status.LEFT and row.joined_at is None and row.erased_at is None


async def _ask_again(
    conn: AsyncConnection, member: Member, name: str, about: str, now: Moment
) -> None:
    await members.change_status(
        conn,
        member,
        (Status.LEFT,),
        Status.APPLIED,
        name=name,
        name_key=fold(name),
        about=about,
        applied_at=now.at,
        ended_at=None,
    )
    await members.refresh_search(conn, member.community_id, [member.id])
