"""Who reads our mail: members with an address, and for those without one the buddies they have.

A guardian reads what concerns a member in any case.

What is written to them is in `timebank.notices`, and beside the nouns that have much to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, outbox
from timebank.i18n import translations
from timebank.members import BuddyKind, Role, Status, buddies, members
from timebank.moment import Moment
from timebank.outbox import Mail
from timebank.people import people


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody a mail goes to, and the member it concerns."""

    member_id: UUID
    reads_for: UUID
    name: str
    email: str
    language: str


async def coordinators(conn: AsyncConnection, community: UUID) -> list[UUID]:
    """The active coordinators and stewards."""
    query = select(members.c.id).where(
        members.c.community_id == community,
        members.c.status == Status.ACTIVE.value,
        members.c.role.in_([Role.COORDINATOR.value, Role.STEWARD.value]),
    )
    return [row.id for row in await conn.execute(query)]


async def stewards(conn: AsyncConnection, community: UUID) -> list[UUID]:
    """The active stewards."""
    query = select(members.c.id).where(
        members.c.community_id == community,
        members.c.status == Status.ACTIVE.value,
        members.c.role == Role.STEWARD.value,
    )
    return [row.id for row in await conn.execute(query)]


async def of(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> list[Reader]:
    """Those with an address among these members, the buddies of the others, and all guardians.

    Whoever coordinates reads of others, which is no guardian's business.
    """
    wanted = list(ids)
    own = (
        select(
            members.c.id,
            members.c.id.label("reads_for"),
            members.c.name,
            people.c.email,
            people.c.language,
        )
        .join(people, people.c.id == members.c.person_id)
        .where(
            members.c.community_id == community,
            members.c.id.in_(wanted),
        )
    )
    helped = members.alias("helped")
    buddys = (
        select(
            members.c.id,
            buddies.c.member_id,
            members.c.name,
            people.c.email,
            people.c.language,
        )
        .join(people, people.c.id == members.c.person_id)
        .join(
            buddies,
            (buddies.c.community_id == members.c.community_id)
            & (buddies.c.buddy_id == members.c.id),
        )
        .join(
            helped,
            (helped.c.community_id == buddies.c.community_id)
            & (helped.c.id == buddies.c.member_id),
        )
        .where(
            members.c.community_id == community,
            members.c.status == Status.ACTIVE.value,
            buddies.c.member_id.in_(wanted),
            buddies.c.until.is_(None),
            or_(
                helped.c.person_id.is_(None),
                and_(
                    buddies.c.kind == BuddyKind.GUARDIAN.value, helped.c.role == Role.MEMBER.value
                ),
            ),
        )
    )
    rows = [*await conn.execute(own), *await conn.execute(buddys)]
    return [Reader(*row) for row in rows]


def distinct(readers: Sequence[Reader], concerned: set[UUID]) -> Iterable[Reader]:
    """One mail a person, even for those who read for others as well."""
    seen: set[str] = set()
    for reader in readers:
        if reader.reads_for in concerned and reader.email not in seen:
            seen.add(reader.email)
            yield reader


async def tell(
    conn: AsyncConnection,
    community: UUID,
    ids: Sequence[UUID],
    subject: str,
    body: str,
    *,
    path: str | None = None,
    now: Moment,
    spoken: Callable[[str], Mapping[str, str]] = lambda _: {},
    **facts: str,
) -> None:
    """The same words to all of these members, or to who reads for them, each in their language.

    `subject` and `body` are marked with `N_` and may hold {name} (the reader's), {community}, what
    stands in `facts`, and what `spoken` says in the reader's language; `path` is the page they are
    about, from the community's home on.
    """
    here = await communities.by_id(conn, community)
    mails = []
    for reader in await of(conn, community, ids):
        _ = translations(reader.language).gettext
        known = {
            "name": reader.name,
            "community": here.name,
            **facts,
            **spoken(reader.language),
        }
        greeting = _("Hello {name},").format(name=reader.name)
        words = _(body).format(**known)
        link = f"/c/{here.slug}{path}" if path else ""
        mails.append(
            Mail(
                reader.email,
                reader.name,
                _(subject).format(**known),
                f"{greeting}\n\n{words}",
                link,
                community,
            )
        )
    await outbox.put_many(conn, mails, now=now)
