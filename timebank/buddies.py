"""Buddies: who may record for a member, with consent. For an organisation: its account managers.

    buddy       writes hours down for a member, and reads their mail if they have no address
    guardian    a buddy who is also told of everything that concerns the member, and who is asked
                before other members see how to reach them

Consent is given in words and can be withdrawn at any time, by the member, by whoever helps, or
before a coordinator. What was stays readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import audit, keeping_apart, members, readers
from timebank.errors import AlreadyMember, BadInput, Forbidden, NotFound, NotTakingPart
from timebank.i18n import N_
from timebank.members import BuddyKind as BuddyKind
from timebank.members import Member, MemberKind, Role, Status, buddies
from timebank.moment import Moment


@dataclass(frozen=True, slots=True)
class Buddy:
    """Somebody who may record for a member, since when, and how the member agreed.

    `until` is None while it holds. `contact_agreed_at`: since when a guardian lets members see how
    to reach the member.
    """

    id: UUID
    buddy_id: UUID
    name: str
    consent: str
    since: datetime
    kind: BuddyKind = BuddyKind.BUDDY
    until: datetime | None = None
    ended_by: str | None = None
    contact_agreed_at: datetime | None = None


async def add(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    buddy: UUID,
    *,
    consent: str,
    kind: BuddyKind = BuddyKind.BUDDY,
    by: UUID,
    now: Moment,
) -> None:
    """From now on `buddy` may record for `member`, and is told so.

    The member may say so, or a coordinator who says how the member agreed (`consent`). Refuses
    people who are not active members, organisations as buddies, and a pair that is one already.
    Guardians are for people who look after nothing here: whoever coordinates has none.
    """
    from timebank import policy

    actor = await members.get(conn, community, by)
    helped, helper = (
        await members.get(conn, community, member),
        await members.get(conn, community, buddy),
    )
    if not policy.may_name_buddy(actor, helped):
        raise Forbidden("buddy")
    if not consent:
        raise BadInput("consent", "missing")
    _refuse_strange(helped, helper, kind)
    if await keeping_apart.apart(conn, community, [(member, buddy)]):
        raise BadInput("buddy", "ask_a_coordinator")
    if await may_record_for(conn, community, buddy, member):
        raise AlreadyMember
    await conn.execute(
        insert(buddies).values(
            community_id=community,
            id=now.new_id(),
            member_id=member,
            buddy_id=buddy,
            consent=consent,
            kind=kind.value,
            added_by=by,
            since=now.at,
        )
    )
    await _note(conn, community, by, "buddy.added", member, buddy, now)
    if buddy != by:
        await _tell(conn, community, helped, helper, kind, now)


def _refuse_strange(helped: Member, helper: Member, kind: BuddyKind) -> None:
    if helper.status is not Status.ACTIVE or helper.kind is not MemberKind.PERSON:
        raise NotTakingPart(helper.name)
    if helped.status not in (Status.ACTIVE, Status.PAUSED):
        raise NotTakingPart(helped.name)
    if helped.id == helper.id:
        raise BadInput("buddy", "themselves")
    if kind is BuddyKind.GUARDIAN and (
        helped.kind is not MemberKind.PERSON or helped.role is not Role.MEMBER
    ):
        raise BadInput("as_what", "no_guardian")


async def end(conn: AsyncConnection, community: UUID, row: UUID, *, by: UUID, now: Moment) -> None:
    """`buddy` no longer records for the member: the member, the buddy or a coordinator says so."""
    from timebank import policy

    actor = await members.get(conn, community, by)
    found = await _one(conn, community, row)
    helped = await members.get(conn, community, found.member_id)
    if not policy.may_end_buddy(actor, helped, found.buddy_id):
        raise Forbidden("buddy")
    await conn.execute(
        update(buddies)
        .where(buddies.c.community_id == community, buddies.c.id == row)
        .values(until=now.at, ended_by=by)
    )
    await _note(conn, community, by, "buddy.ended", found.member_id, found.buddy_id, now)


async def let_contact_be_seen(
    conn: AsyncConnection, community: UUID, row: UUID, seen: bool, *, by: UUID, now: Moment
) -> None:
    """A guardian lets other members see how to reach the member, or does so no more.

    The guardian alone can say it (`Forbidden`). It shows nothing the member does not want shown.
    """
    found = await _one(conn, community, row)
    if found.buddy_id != by or found.kind != BuddyKind.GUARDIAN.value:
        raise Forbidden("contact")
    await conn.execute(
        update(buddies)
        .where(buddies.c.community_id == community, buddies.c.id == row)
        .values(contact_agreed_at=now.at if seen else None)
    )
    action = "buddy.contact_agreed" if seen else "buddy.contact_refused"
    await _note(conn, community, by, action, found.member_id, found.buddy_id, now)


async def of(
    conn: AsyncConnection, community: UUID, member: UUID, *, ended: bool = False
) -> list[Buddy]:
    """Who may record for this member now, by name; with `ended`, also who could once."""
    ender = members.members.alias("ender")
    query = (
        select(buddies, members.members.c.name, ender.c.name.label("ender"))
        .join(members.members, _names(buddies.c.buddy_id))
        .outerjoin(
            ender,
            (ender.c.community_id == buddies.c.community_id) & (ender.c.id == buddies.c.ended_by),
        )
        .where(buddies.c.community_id == community, buddies.c.member_id == member)
        .order_by(buddies.c.until.is_not(None), members.members.c.name_key, buddies.c.since)
    )
    if not ended:
        query = query.where(buddies.c.until.is_(None))
    return [
        Buddy(
            row.id,
            row.buddy_id,
            row.name,
            row.consent,
            row.since,
            BuddyKind(row.kind),
            row.until,
            row.ender,
            row.contact_agreed_at,
        )
        for row in await conn.execute(query)
    ]


async def ask_guardians(
    conn: AsyncConnection, community: UUID, member: Member, *, now: Moment
) -> None:
    """Ask the guardians who have not agreed yet whether members may see how to reach the member."""
    for one in await of(conn, community, member.id):
        if one.kind is BuddyKind.GUARDIAN and one.contact_agreed_at is None:
            await readers.tell(
                conn,
                community,
                [one.buddy_id],
                N_("May members see how to reach {who}?"),
                N_(
                    "{who} would like members to see the telephone number and the e-mail address. "
                    "They see them once you agree:"
                ),
                path=f"/members/{member.id}/buddies",
                who=member.name,
                now=now,
            )


def agreed_by_guardians(found: list[Buddy]) -> bool:
    """Whether every guardian among these buddies lets members see how to reach the member."""
    return all(one.contact_agreed_at is not None for one in found if one.kind is BuddyKind.GUARDIAN)


async def records_for(conn: AsyncConnection, community: UUID, member: UUID) -> list[Member]:
    """For whom this member may record now, by name: people helped, organisations managed."""
    ids = [row.member_id for row in await conn.execute(_helped(community, member))]
    found = await members.get_many(conn, community, ids)
    active = [one for one in found.values() if one.status is Status.ACTIVE]
    return sorted(active, key=lambda one: (one.name, one.id))


async def may_record_for(conn: AsyncConnection, community: UUID, buddy: UUID, member: UUID) -> bool:
    """Whether `buddy` may record for `member` now."""
    query = _helped(community, buddy).where(buddies.c.member_id == member)
    return (await conn.execute(query)).first() is not None


async def of_many(conn: AsyncConnection, community: UUID, ids: list[UUID]) -> dict[UUID, set[UUID]]:
    """For each of these members, for whom they may record now."""
    query = select(buddies.c.buddy_id, buddies.c.member_id).where(
        buddies.c.community_id == community,
        buddies.c.buddy_id.in_(ids),
        buddies.c.until.is_(None),
    )
    found: dict[UUID, set[UUID]] = {id: set() for id in ids}
    for row in await conn.execute(query):
        found[row.buddy_id].add(row.member_id)
    return found


async def _one(conn: AsyncConnection, community: UUID, row: UUID) -> Any:
    """A row that holds now, locked; or `NotFound`."""
    query = (
        select(buddies)
        .where(buddies.c.community_id == community, buddies.c.id == row, buddies.c.until.is_(None))
        .with_for_update()
    )
    found = (await conn.execute(query)).first()
    if found is None:
        raise NotFound("buddy")
    return found


def _helped(community: UUID, buddy: UUID) -> Select[tuple[UUID]]:
    return select(buddies.c.member_id).where(
        buddies.c.community_id == community,
        buddies.c.buddy_id == buddy,
        buddies.c.until.is_(None),
    )


def _names(id: Any) -> Any:
    table = members.members
    return (table.c.community_id == buddies.c.community_id) & (table.c.id == id)


async def _tell(
    conn: AsyncConnection,
    community: UUID,
    helped: Member,
    helper: Member,
    kind: BuddyKind,
    now: Moment,
) -> None:
    """You have been named: what it means, and how to step back."""
    if kind is BuddyKind.GUARDIAN:
        body = N_(
            "You are noted as the guardian of {who}: you may write hours down for them, you get "
            "the mail about what concerns them, and you are asked before members see how to reach "
            "them. Here you find it all, and can step back at any time:"
        )
    elif helped.kind is MemberKind.ORGANISATION:
        body = N_(
            "You keep the account of {who} from now on: you may write hours down for it and "
            "answer for it. Here you find it all, and can step back at any time:"
        )
    else:
        body = N_(
            "You are noted as the buddy of {who}: you may write hours down for them. Here you find "
            "it all, and can step back at any time:"
        )
    await readers.tell(
        conn,
        community,
        [helper.id],
        N_("{who} counts on you"),
        body,
        path=f"/members/{helped.id}/buddies",
        who=helped.name,
        now=now,
    )


async def _note(
    conn: AsyncConnection,
    community: UUID,
    by: UUID,
    action: str,
    member: UUID,
    buddy: UUID,
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="member",
        subject=member,
        facts={"buddy": str(buddy)},
        now=now,
    )
