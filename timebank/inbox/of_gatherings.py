"""Gatherings in the inbox: somebody missing soon, a list left open, hours nobody sent, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import agenda, lately, planning
from timebank.agenda import FreeRole
from timebank.agreements import Terms
from timebank.gatherings import gatherings
from timebank.inbox import aside
from timebank.inbox.source import Desk, Why
from timebank.lately import Lately
from timebank.moment import Moment
from timebank.text import like


@dataclass(frozen=True, slots=True)
class Held:
    """A gathering, and the roles for which somebody is still missing."""

    gathering: Lately
    free: tuple[FreeRole, ...]


def lacking(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Gatherings within a week that lack somebody or anybody; not what somebody put aside."""
    return planning.waits(community, terms=terms, now=now).where(
        ~aside.is_aside(community, Why.LACKING, gatherings.c.id, now=now)
    )


def finds(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in the title of a gathering, or in its place."""
    table, letters = gatherings, like(word.lower())
    return exists(
        select(table.c.id)
        .where(
            table.c.community_id == community,
            table.c.id == id,
            func.lower(table.c.title).like(letters, escape="\\")
            | func.lower(table.c.place).like(letters, escape="\\"),
        )
        .correlate_except(table)
    )


async def read(
    conn: AsyncConnection,
    community: UUID,
    ids: Sequence[UUID],
    desk: Desk,  # noqa: ARG001
) -> Mapping[UUID, Held]:
    """These gatherings: two queries."""
    free = await agenda.free_roles(conn, community, ids)
    found = await lately.described(conn, community, ids)
    return {id: Held(one, tuple(free.get(id, ()))) for id, one in found.items()}
