"""Adding members, many at once: with their accounts, numbers and addresses.

Whoever has an address can ask for a link by mail and sign in with it; no password is made up. An
address that signs in elsewhere already is the same person's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import AccountKind
from ledger.sql import store
from timebank.imports import files
from timebank.imports.files import numbers
from timebank.imports.planning import Scene
from timebank.members import MemberKind, Role, Status, members
from timebank.people import people
from timebank.text import fold

_ACCOUNTS = {
    MemberKind.PERSON: AccountKind.MEMBER,
    MemberKind.ORGANISATION: AccountKind.ORGANISATION,
}


async def newcomers(
    conn: AsyncConnection,
    scene: Scene,
    new: Sequence[Mapping[str, Any]],
    *,
    kind: MemberKind = MemberKind.PERSON,
    status: Status = Status.ACTIVE,
) -> None:
    """Add these members, each with an id, a name, and whatever else is known."""
    if not new:
        return
    persons = await _persons(conn, scene, [one["email"] for one in new if one.get("email")])
    by, at = scene.actor.id, scene.now.at
    rows = [
        {
            "community_id": scene.place.id,
            "id": UUID(one["id"]),
            "kind": kind.value,
            "person_id": persons.get(one.get("email") or ""),
            "name": one["name"],
            "name_key": fold(one["name"]),
            "search_key": fold(f"{one['name']} {one.get('area', '')} {one.get('about', '')}"),
            "phone": one.get("phone", ""),
            "contact_shown": False,
            "area": one.get("area", ""),
            "about": one.get("about", ""),
            "role": Role.MEMBER.value,
            "status": status.value,
            "invited_by": by,
            "welcomed_by": by,
            "applied_at": at,
            "joined_at": _since(one.get("joined"), scene) or at,
            "ended_at": at if status is Status.LEFT else None,
        }
        for one in new
    ]
    await conn.execute(insert(members), rows)
    await store.open_accounts(
        conn,
        scene.place.id,
        {row["id"]: _ACCOUNTS[kind] for row in rows},
        at,
        floor=scene.agreement.terms.hard_floor,
    )
    await learn(conn, scene, {one["number"]: UUID(one["id"]) for one in new if one.get("number")})
    await files.keep_made(conn, scene.file, [("member", row["id"]) for row in rows])


async def former(conn: AsyncConnection, scene: Scene, new: Sequence[Mapping[str, Any]]) -> None:
    """Add people who were members once, by name."""
    await newcomers(conn, scene, new, status=Status.LEFT)


async def learn(conn: AsyncConnection, scene: Scene, known: Mapping[str, UUID]) -> None:
    """Remember what another program calls these members."""
    rows = [
        {"community_id": scene.place.id, "number": number, "member_id": id}
        for number, id in {fold(number): id for number, id in known.items()}.items()
    ]
    if rows:
        await conn.execute(insert(numbers), rows)


async def _persons(
    conn: AsyncConnection, scene: Scene, addresses: Sequence[str]
) -> dict[str, UUID]:
    """Who signs in with these addresses; those who are new are written down."""
    if not addresses:
        return {}
    rows = await conn.execute(
        select(people.c.email, people.c.id).where(people.c.email.in_(addresses))
    )
    found: dict[str, UUID] = {row.email: row.id for row in rows}
    new = {
        address: scene.now.new_id() for address in dict.fromkeys(addresses) if address not in found
    }
    if new:
        await conn.execute(
            insert(people),
            [
                {
                    "id": id,
                    "email": address,
                    "password_hash": None,
                    "language": scene.place.language,
                    "created_at": scene.now.at,
                }
                for address, id in new.items()
            ],
        )
        await files.keep_made(conn, scene.file, [("person", id) for id in new.values()])
    return found | new


def _since(day: str | None, scene: Scene) -> datetime | None:
    """The beginning of a day where the community is, as a moment in UTC."""
    if not day:
        return None
    zone = ZoneInfo(scene.place.timezone)
    moment = datetime.combine(date.fromisoformat(day), time(), zone).astimezone(UTC)
    return min(moment, scene.now.at)
