"""Lists of a community's own: categories, sectors, kinds of check, steps of welcoming.

A community begins with some in its language; coordinators add, rename, order and retire them. What
was used once stays readable wherever it was used: nothing is ever deleted, and what is retired can
come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import audit, checks, communities, members, organisations, policy, sectors, welcoming
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.moment import Moment
from timebank.text import fold

MOST = 60
"""Items in use on one list; more than that nobody finds anything on."""


class Which(StrEnum):
    """One of the lists; also its name in addresses and in the audit."""

    CATEGORIES = "categories"  # what help is about
    SECTORS = "sectors"
    CHECKS = "checks"
    WELCOME = "welcome"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list, and whether it is still offered."""

    id: UUID
    name: str
    retired: bool


_TABLES: dict[Which, Table] = {
    Which.CATEGORIES: communities.categories,
    Which.SECTORS: sectors.sectors,
    Which.CHECKS: checks.kinds,
    Which.WELCOME: welcoming.steps,
}
_FIRST = {
    Which.CATEGORIES: communities.FIRST_CATEGORIES,
    Which.SECTORS: sectors.FIRST,
    Which.CHECKS: checks.FIRST,
    Which.WELCOME: welcoming.FIRST,
}


async def begin(conn: AsyncConnection, community: UUID, language: str, *, now: Moment) -> None:
    """The lists a community begins with, in its language. For `communities.create`."""
    for which, table in _TABLES.items():
        rows = [
            _row(which, community, now.new_id(), name, position, now)
            for position, name in enumerate(_FIRST[which][language])
        ]
        await conn.execute(insert(table), rows)


async def items(conn: AsyncConnection, community: UUID, which: Which) -> list[Item]:
    """Everything on a list: what is in use in the community's order, then what is retired."""
    table = _TABLES[which]
    rows = await conn.execute(
        select(table.c.id, table.c.name, table.c.retired_at)
        .where(table.c.community_id == community)
        .order_by(table.c.retired_at.is_not(None), table.c.position, table.c.name)
    )
    return [Item(row.id, row.name, row.retired_at is not None) for row in rows]


async def add(
    conn: AsyncConnection, community: UUID, which: Which, name: str, *, by: UUID, now: Moment
) -> UUID:
    """Put something at the end of a list; what was retired under this name comes back instead.

    Coordinators only (`Forbidden`). Refuses with `BadInput` a name that is empty, on the list
    already, or one too many.
    """
    await _refuse_others(conn, community, by)
    found = await items(conn, community, which)
    _refuse_name(found, name)
    in_use = [one for one in found if not one.retired]
    if len(in_use) >= MOST:
        raise BadInput("name", "list_is_full", MOST)
    table = _TABLES[which]
    before = next((one for one in found if fold(one.name) == fold(name)), None)
    if before is not None:
        await _set(conn, community, table, before.id, name=name, retired_at=None)
        await _order(conn, community, table, [*[one.id for one in in_use], before.id])
        await _note(conn, community, "list.restored", which, before.id, by, now)
        return before.id
    id = now.new_id()
    await conn.execute(insert(table).values(_row(which, community, id, name, len(in_use), now)))
    await _note(conn, community, "list.added", which, id, by, now)
    return id


async def rename(
    conn: AsyncConnection,
    community: UUID,
    which: Which,
    id: UUID,
    name: str,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Call an item something else, everywhere it was used too. Refused for the reasons of `add`."""
    await _refuse_others(conn, community, by)
    found = await items(conn, community, which)
    _one(found, id)
    _refuse_name([one for one in found if one.id != id], name, retired_too=True)
    await _set(conn, community, _TABLES[which], id, name=name)
    if which is Which.SECTORS:
        await members.refresh_search(conn, community, await _in_sector(conn, community, id))
    await _note(conn, community, "list.renamed", which, id, by, now)


async def move(
    conn: AsyncConnection,
    community: UUID,
    which: Which,
    id: UUID,
    *,
    up: bool,
    by: UUID,
    now: Moment,
) -> None:
    """Move an item one place up or down; at the end of the list it stays where it is."""
    await _refuse_others(conn, community, by)
    found = await items(conn, community, which)
    if _one(found, id).retired:
        raise NotFound("item")
    order = [one.id for one in found if not one.retired]
    place = order.index(id)
    other = place - 1 if up else place + 1
    if not 0 <= other < len(order):
        return
    order[place], order[other] = order[other], order[place]
    await _order(conn, community, _TABLES[which], order)
    await _note(conn, community, "list.moved", which, id, by, now)


async def retire(
    conn: AsyncConnection, community: UUID, which: Which, id: UUID, *, by: UUID, now: Moment
) -> None:
    """Offer an item no more; where it was used it stays. Twice is once."""
    await _refuse_others(conn, community, by)
    if _one(await items(conn, community, which), id).retired:
        return
    await _set(conn, community, _TABLES[which], id, retired_at=now.at)
    await _note(conn, community, "list.retired", which, id, by, now)


async def restore(
    conn: AsyncConnection, community: UUID, which: Which, id: UUID, *, by: UUID, now: Moment
) -> None:
    """Offer a retired item again, at the end of the list."""
    found = await items(conn, community, which)
    one = _one(found, id)
    if one.retired:
        await add(conn, community, which, one.name, by=by, now=now)
    else:
        await _refuse_others(conn, community, by)


def _row(
    which: Which, community: UUID, id: UUID, name: str, position: int, now: Moment
) -> dict[str, object]:
    row = {"community_id": community, "id": id, "name": name, "position": position}
    return row | ({"added_at": now.at} if which is Which.WELCOME else {})


async def _refuse_others(conn: AsyncConnection, community: UUID, by: UUID) -> None:
    if not policy.may_keep_lists(await members.get(conn, community, by)):
        raise Forbidden("lists")


def _refuse_name(found: list[Item], name: str, *, retired_too: bool = False) -> None:
    if not name:
        raise BadInput("name", "missing")
    taken = [one for one in found if fold(one.name) == fold(name)]
    if any(retired_too or not one.retired for one in taken):
        raise BadInput("name", "name_taken")


def _one(found: list[Item], id: UUID) -> Item:
    for one in found:
        if one.id == id:
            return one
    raise NotFound("item")


async def _set(
    conn: AsyncConnection, community: UUID, table: Table, id: UUID, **values: object
) -> None:
    await conn.execute(
        update(table).where(table.c.community_id == community, table.c.id == id).values(**values)
    )


async def _order(conn: AsyncConnection, community: UUID, table: Table, ids: list[UUID]) -> None:
    """Number these items in this order."""
    for position, id in enumerate(ids):
        await _set(conn, community, table, id, position=position)


async def _in_sector(conn: AsyncConnection, community: UUID, sector: UUID) -> list[UUID]:
    table = organisations.organisations
    rows = await conn.execute(
        select(table.c.id).where(table.c.community_id == community, table.c.sector_id == sector)
    )
    return [row.id for row in rows]


async def _note(
    conn: AsyncConnection,
    community: UUID,
    action: str,
    which: Which,
    id: UUID,
    by: UUID,
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="list",
        subject=id,
        facts={"list": which.value},
        now=now,
    )
