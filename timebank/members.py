"""Members: people and organisations of one community, with or without e-mail.

    applied ─► active ⇄ paused ─► left          invited people start as active

A member's account in the book carries the member's own id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from ledger.account import AccountKind
from ledger.sql import metadata, store, tables
from ledger.sql.types import Flag, Id, Instant, MinutesType, Words
from timebank import agreements, audit
from timebank.errors import (
    AlreadyMember,
    BadInput,
    Forbidden,
    LastSteward,
    NotFound,
    WrongState,
)
from timebank.moment import Moment
from timebank.people import people
from timebank.text import fold


class MemberKind(StrEnum):
    """Who a member is."""

    PERSON = "person"
    ORGANISATION = "organisation"


class Role(StrEnum):
    """What a member may do for the community; each includes the one before."""

    MEMBER = "member"
    COORDINATOR = "coordinator"
    STEWARD = "steward"


class Status(StrEnum):
    """Where a membership stands."""

    APPLIED = "applied"
    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"


members = Table(
    "member",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("person_id", Id, ForeignKey("person.id")),
    Column("name", Words, nullable=False),
    Column("name_key", Words, nullable=False),  # folded: no case, no accents
    Column("search_key", Words, nullable=False),  # name, area, sector, about, offers, wishes
    Column("phone", Words, nullable=False, server_default=""),
    Column("contact_shown", Flag, nullable=False),  # phone and e-mail visible to members
    Column("area", Words, nullable=False, server_default=""),
    Column("sector", Words, nullable=False, server_default=""),  # organisations only
    Column("about", Words, nullable=False, server_default=""),
    Column("offers", Words, nullable=False, server_default=""),
    Column("wishes", Words, nullable=False, server_default=""),
    Column("role", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("invited_by", Id),
    Column("welcomed_by", Id),
    Column("applied_at", Instant, nullable=False),
    Column("joined_at", Instant),
    Column("ended_at", Instant),
    Column("erased_at", Instant),  # pseudonymised: the words are gone, the lines stay
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "invited_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "welcomed_by"], ["member.community_id", "member.id"]),
    UniqueConstraint("community_id", "person_id"),
    CheckConstraint("kind IN ('person', 'organisation')", name="kind"),
    CheckConstraint("role IN ('member', 'coordinator', 'steward')", name="role"),
    CheckConstraint("status IN ('applied', 'active', 'paused', 'left')", name="status"),
    Index("ix_member_name", "community_id", "status", "name_key"),
    Index("ix_member_person", "person_id"),
    Index("ix_member_role", "community_id", "role", "status"),  # asked at each posting
    sqlite_strict=True,
)

buddies = Table(  # who may record for whom; for an organisation: its account managers
    "buddy",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("buddy_id", Id, nullable=False),
    Column("consent", Words, nullable=False),  # how the member agreed, in words
    Column("added_by", Id, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "buddy_id"], ["member.community_id", "member.id"]),
    CheckConstraint("member_id <> buddy_id", name="two_people"),
    Index("ix_buddy_member", "community_id", "member_id"),
    Index("ix_buddy_buddy", "community_id", "buddy_id"),
    sqlite_strict=True,
)

tallies = Table(  # totals that would otherwise be re-added on each page; `verify` compares them
    "tally",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("given", MinutesType, nullable=False),  # help given, reversals taken off
    Column("received", MinutesType, nullable=False),
    Column("latest_at", Instant),  # the last day with help, at its midnight (UTC); for the inbox
    ForeignKeyConstraint(["community_id", "account_id"], ["account.community_id", "account.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the domain decides with: fresh from the database, never from a cookie."""

    community_id: UUID
    id: UUID
    kind: MemberKind
    person_id: UUID | None
    name: str
    area: str
    role: Role
    status: Status

    @property
    def account_id(self) -> UUID:
        """The member's account in the book carries the member's id."""
        return self.id


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything a profile page can show; who sees which part is decided by `policy`."""

    member: Member
    email: str | None
    phone: str
    contact_shown: bool
    sector: str
    about: str
    offers: str
    wishes: str
    invited_by: str | None
    welcomed_by: str | None
    applied_at: datetime
    joined_at: datetime | None
    ended_at: datetime | None
    given: Minutes
    received: Minutes
    balance: Minutes


async def get(conn: AsyncConnection, community: UUID, member: UUID) -> Member:
    """The member, or `NotFound`."""
    row = (await conn.execute(_select().where(*_is(community, member)))).first()
    if row is None:
        raise NotFound("member")
    return as_member(row)


async def get_many(
    conn: AsyncConnection, community: UUID, ids: Iterable[UUID]
) -> dict[UUID, Member]:
    """The members with these ids, as far as they are members of this community."""
    query = _select().where(members.c.community_id == community, members.c.id.in_(list(ids)))
    return {row.id: as_member(row) for row in await conn.execute(query)}


async def of_person(conn: AsyncConnection, community: UUID, person_id: UUID) -> Member | None:
    """A person's membership of this community, whatever its status."""
    query = _select().where(members.c.community_id == community, members.c.person_id == person_id)
    row = (await conn.execute(query)).first()
    return as_member(row) if row else None


async def all_of_person(conn: AsyncConnection, person_id: UUID) -> dict[UUID, Member]:
    """A person's memberships by community, whatever their status but left."""
    query = _select().where(members.c.person_id == person_id, members.c.status != Status.LEFT.value)
    return {row.community_id: as_member(row) for row in await conn.execute(query)}


async def profile(conn: AsyncConnection, community: UUID, member: UUID) -> Profile:
    """All that a profile page can show, or `NotFound`."""
    inviter, welcomer = members.alias("inviter"), members.alias("welcomer")
    query = (
        select(
            members,
            people.c.email,
            inviter.c.name.label("inviter"),
            welcomer.c.name.label("welcomer"),
            tallies.c.given,
            tallies.c.received,
            tables.account.c.balance,
        )
        .outerjoin(people, people.c.id == members.c.person_id)
        .outerjoin(inviter, _same(inviter, members.c.invited_by))
        .outerjoin(welcomer, _same(welcomer, members.c.welcomed_by))
        .outerjoin(
            tallies,
            (tallies.c.community_id == members.c.community_id)
            & (tallies.c.account_id == members.c.id),
        )
        .outerjoin(tables.account, _same(tables.account, members.c.id))
        .where(*_is(community, member))
    )
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("member")
    return Profile(
        as_member(row),
        row.email,
        row.phone,
        row.contact_shown,
        row.sector,
        row.about,
        row.offers,
        row.wishes,
        row.inviter,
        row.welcomer,
        row.applied_at,
        row.joined_at,
        row.ended_at,
        row.given or ZERO,
        row.received or ZERO,
        row.balance or ZERO,
    )


async def count(conn: AsyncConnection, community: UUID, status: Status) -> int:
    """How many memberships have this status."""
    query = select(func.count()).where(
        members.c.community_id == community, members.c.status == status.value
    )
    return int((await conn.execute(query)).scalar_one())


async def add(
    conn: AsyncConnection,
    community: UUID,
    *,
    name: str,
    phone: str = "",
    area: str = "",
    kind: MemberKind = MemberKind.PERSON,
    sector: str = "",
    by: UUID,
    now: Moment,
) -> Member:
    """A coordinator adds somebody, with no more than a name: active at once, no sign-in needed."""
    from timebank import policy

    coordinator = await get(conn, community, by)
    if not policy.may_add_member(coordinator):
        raise Forbidden("add")
    if not name:
        raise BadInput("name", "missing")
    new = await insert_member(
        conn,
        community,
        name=name,
        kind=kind,
        status=Status.ACTIVE,
        phone=phone,
        area=area,
        sector=sector,
        invited_by=by,
        welcomed_by=by,
        now=now,
    )
    await note(conn, community, by, "member.added", new.id, {"kind": kind.value}, now)
    return new


async def insert_member(
    conn: AsyncConnection,
    community: UUID,
    *,
    name: str,
    status: Status,
    now: Moment,
    kind: MemberKind = MemberKind.PERSON,
    role: Role = Role.MEMBER,
    person_id: UUID | None = None,
    phone: str = "",
    area: str = "",
    sector: str = "",
    about: str = "",
    invited_by: UUID | None = None,
    welcomed_by: UUID | None = None,
) -> Member:
    """Write a new membership, and open its account unless it is only an application.

    For the functions here and in `invitations`, which decide whether it may be.
    """
    if person_id is not None and await of_person(conn, community, person_id) is not None:
        raise AlreadyMember
    id = now.new_id()
    joined = status is not Status.APPLIED
    await conn.execute(
        insert(members).values(
            community_id=community,
            id=id,
            kind=kind.value,
            person_id=person_id,
            name=name,
            name_key=fold(name),
            search_key=fold(f"{name} {area} {sector} {about}"),
            phone=phone,
            contact_shown=False,
            area=area,
            sector=sector,
            about=about,
            role=role.value,
            status=status.value,
            invited_by=invited_by,
            welcomed_by=welcomed_by,
            applied_at=now.at,
            joined_at=now.at if joined else None,
        )
    )
    if joined:
        await open_account(conn, community, id, kind, now)
    return Member(community, id, kind, person_id, name, area, role, status)


async def give_sign_in(conn: AsyncConnection, member: Member, person_id: UUID) -> None:
    """A member without a sign-in gets one; `AlreadyMember` if they have one by now."""
    given = await conn.execute(
        update(members)
        .where(*_is(member.community_id, member.id), members.c.person_id.is_(None))
        .values(person_id=person_id)
    )
    if given.rowcount != 1:
        raise AlreadyMember


async def set_role(
    conn: AsyncConnection, community: UUID, id: UUID, role: Role, *, by: UUID, now: Moment
) -> None:
    """Give a member another role. Stewards only; a community keeps one steward (`LastSteward`)."""
    from timebank import policy

    await store.lock(conn, community)  # two stewards stepping down at once: one of them stays
    steward, member = await get(conn, community, by), await get(conn, community, id)
    if not policy.may_set_role(steward):
        raise Forbidden("role")
    if member.role is role:
        return
    if role is not Role.STEWARD:
        await _refuse_last_steward(conn, member)
    await _set(conn, member, role=role.value)
    facts = {"from": member.role.value, "to": role.value}
    await note(conn, community, by, "member.role", id, facts, now)


async def pause(conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment) -> None:
    """A membership rests: its holder looks and records nothing. By themselves or a coordinator."""
    member = await _for_status(conn, community, id, by)
    await _refuse_last_steward(conn, member)
    await change_status(conn, member, (Status.ACTIVE,), Status.PAUSED)
    await note(conn, community, by, "member.paused", id, {}, now)


async def resume(
    conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
) -> None:
    """A resting or ended membership goes on. A coordinator, or they themselves after a pause."""
    from timebank import policy

    member = await _for_status(conn, community, id, by)
    if member.status is Status.LEFT and not policy.may_welcome(await get(conn, community, by)):
        raise Forbidden("resume")
    erased = select(members.c.erased_at).where(*_is(community, id))
    if (await conn.execute(erased)).scalar_one() is not None:
        raise WrongState("erased", "resume")
    account = select(tables.account.c.id).where(
        tables.account.c.community_id == community, tables.account.c.id == id
    )
    if (await conn.execute(account)).first() is None:
        raise WrongState(member.status.value, "resume")
    await change_status(conn, member, (Status.PAUSED, Status.LEFT), Status.ACTIVE, ended_at=None)
    await note(conn, community, by, "member.resumed", id, {}, now)


async def leave(conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment) -> None:
    """A membership ends; the account and its lines stay. By themselves or a coordinator."""
    member = await _for_status(conn, community, id, by)
    await _refuse_last_steward(conn, member)
    await change_status(conn, member, (Status.ACTIVE, Status.PAUSED), Status.LEFT, ended_at=now.at)
    await _set(conn, member, role=Role.MEMBER.value)
    await note(conn, community, by, "member.left", id, {}, now)


async def edit(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    *,
    name: str,
    phone: str,
    contact_shown: bool,
    area: str,
    about: str,
    offers: str,
    wishes: str,
    sector: str | None = None,
    by: UUID,
    now: Moment,
) -> None:
    """Change what a profile says. By themselves, their buddy or a coordinator.

    An organisation's `sector` stays as it is where none is given; a person has none.
    """
    from timebank import buddies, policy

    actor, member = await get(conn, community, by), await get(conn, community, id)
    kept = select(members.c.sector).where(*_is(community, id))
    sector = (await conn.execute(kept)).scalar_one() if sector is None else sector
    helps = await buddies.may_record_for(conn, community, by, id)
    if not (policy.may_edit_member(actor, member) or (helps and policy.may_act(actor))):
        raise Forbidden("edit")
    if not name:
        raise BadInput("name", "missing")
    await _set(
        conn,
        member,
        name=name,
        name_key=fold(name),
        search_key=fold(f"{name} {area} {sector} {about} {offers} {wishes}"),
        phone=phone,
        contact_shown=contact_shown,
        area=area,
        sector=sector if member.kind is MemberKind.ORGANISATION else "",
        about=about,
        offers=offers,
        wishes=wishes,
    )
    if by != id:
        await note(conn, community, by, "member.edited", id, {}, now)


async def active_with_role(
    conn: AsyncConnection, community: UUID, roles: Sequence[Role]
) -> list[Member]:
    """Active members with one of these roles."""
    query = _select().where(
        members.c.community_id == community,
        members.c.status == Status.ACTIVE.value,
        members.c.role.in_([role.value for role in roles]),
    )
    return [as_member(row) for row in await conn.execute(query)]


async def _for_status(conn: AsyncConnection, community: UUID, id: UUID, by: UUID) -> Member:
    """The member, if `by` may change how the membership stands; the book's lock is held."""
    from timebank import policy

    await store.lock(conn, community)
    actor, member = await get(conn, community, by), await get(conn, community, id)
    if not policy.may_end_membership(actor, member):
        raise Forbidden("status")
    return member


async def change_status(
    conn: AsyncConnection, member: Member, wanted: Sequence[Status], to: Status, **values: Any
) -> None:
    """Move a membership on, if it still stands where the step begins."""
    changed = await conn.execute(
        update(members)
        .where(
            *_is(member.community_id, member.id),
            members.c.status.in_([status.value for status in wanted]),
        )
        .values(status=to.value, **values)
    )
    if changed.rowcount != 1:
        raise WrongState(member.status.value, to.value)


async def _refuse_last_steward(conn: AsyncConnection, member: Member) -> None:
    if member.role is not Role.STEWARD or member.status is not Status.ACTIVE:
        return
    stewards = await active_with_role(conn, member.community_id, [Role.STEWARD])
    if len(stewards) == 1:
        raise LastSteward


async def open_account(
    conn: AsyncConnection, community: UUID, id: UUID, kind: MemberKind, now: Moment
) -> None:
    """Open a new member's account, with the hard floor of the agreement in force."""
    terms = (await agreements.current(conn, community)).terms
    account = AccountKind.MEMBER if kind is MemberKind.PERSON else AccountKind.ORGANISATION
    await store.open_account(conn, community, id, account, now.at, floor=terms.hard_floor)


async def _set(conn: AsyncConnection, member: Member, **values: Any) -> None:
    await conn.execute(update(members).where(*_is(member.community_id, member.id)).values(**values))


async def note(
    conn: AsyncConnection,
    community: UUID,
    by: UUID,
    action: str,
    subject: UUID,
    facts: dict[str, Any],
    now: Moment,
) -> None:
    """Write an act about a member into the audit."""
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="member",
        subject=subject,
        facts=facts,
        now=now,
    )


def _select() -> Select[Any]:
    columns = ("community_id", "id", "kind", "person_id", "name", "area", "role", "status")
    return select(*(members.c[name] for name in columns))


def as_member(row: Any) -> Member:
    """The member in a row that has the columns of the table."""
    return Member(
        row.community_id,
        row.id,
        MemberKind(row.kind),
        row.person_id,
        row.name,
        row.area,
        Role(row.role),
        Status(row.status),
    )


def _is(community: UUID, member: UUID) -> tuple[Any, Any]:
    return members.c.community_id == community, members.c.id == member


def _same(table: Any, id: Any) -> Any:
    """Join another table on the member's community and one of the member's ids."""
    return (table.c.community_id == members.c.community_id) & (table.c.id == id)
