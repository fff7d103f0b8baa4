"""Applicants: who waits to be welcomed, and which of them look like one person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import members, people
from timebank.members import Member, Status
from timebank.text import fold


@dataclass(frozen=True, slots=True)
class Application:
    """Somebody who waits to be welcomed, with what they wrote."""

    member: Member
    email: str
    about: str
    applied_at: datetime


async def waiting(conn: AsyncConnection, community: UUID) -> list[list[Application]]:
    """Who waits, those who look like one person together; who asked first stands first."""
    table = members.members
    rows = await conn.execute(
        select(
            *(table.c[name] for name in members.COLUMNS),
            table.c.about,
            table.c.applied_at,
            people.people.c.email,
        )
        .outerjoin(people.people, people.people.c.id == table.c.person_id)
        .where(table.c.community_id == community, table.c.status == Status.APPLIED.value)
        .order_by(table.c.applied_at, table.c.id)
    )
    return folded(
        Application(members.as_member(row), row.email or "", row.about, row.applied_at)
        for row in rows
    )


def folded(applications: Iterable[Application]) -> list[list[Application]]:
    """Applications by person, as far as names and mailboxes tell; their order is kept.

    The same name in another spelling is one person, and so is the same mailbox: dots and what
    stands behind a plus lead to no other one.
    """
    groups: list[tuple[set[str], list[Application]]] = []
    for one in applications:
        keys = {f"name {fold(one.member.name)}"}
        if one.email:
            keys.add(f"mail {_mailbox(one.email)}")
        same = [group for group in groups if group[0] & keys]
        rest = [group for group in groups if not group[0] & keys]
        known = keys.union(*(group[0] for group in same))
        merged = [*(each for group in same for each in group[1]), one]
        groups = [*rest, (known, sorted(merged, key=_first))]
    return sorted((group[1] for group in groups), key=lambda some: _first(some[0]))


def _first(one: Application) -> tuple[datetime, UUID]:
    return one.applied_at, one.member.id


def _mailbox(address: str) -> str:
    local, _at, host = address.casefold().rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{host}"
