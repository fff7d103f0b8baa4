"""Workshop accounts: what participants pay in, roles are paid out of, and the rest stays on.

One for each series, or for a gathering that stands alone. It belongs to everybody like the commons,
every member can read its statement, and it cannot give what it does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Table,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, AccountKind
from ledger.sql import metadata, store
from ledger.sql.types import Id, Instant, Words
from timebank.gatherings import gatherings
from timebank.moment import Moment

if TYPE_CHECKING:
    from timebank.rooms import Room

workshops = Table(
    "workshop",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),  # the account's id
    Column("name", Words, nullable=False),
    Column("series_id", Id),
    Column("gathering_id", Id),  # of a gathering that stands alone
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id", "id"], ["account.community_id", "account.id"]),
    ForeignKeyConstraint(["community_id", "series_id"], ["series.community_id", "series.id"]),
    ForeignKeyConstraint(
        ["community_id", "gathering_id"], ["gathering.community_id", "gathering.id"]
    ),
    UniqueConstraint("community_id", "series_id"),
    UniqueConstraint("community_id", "gathering_id"),
    CheckConstraint("name <> ''", name="named"),
    sqlite_strict=True,
)


def account_of(room: Room) -> UUID:
    """The account of a gathering's workshop, whether or not it is open yet: that of its series."""
    return uuid5(room.series_id or room.id, "workshop")


async def open_for(conn: AsyncConnection, room: Room, *, now: Moment) -> UUID:
    """The workshop's account of a gathering, opened if it is the first time.

    Its hard floor is zero: it gives what was paid in, and no more.
    """
    id = account_of(room)
    if not await is_one(conn, room.community_id, id):
        await store.open_account(
            conn, room.community_id, id, AccountKind.COMMONS, now.at, floor=ZERO
        )
        await conn.execute(
            insert(workshops).values(
                community_id=room.community_id,
                id=id,
                name=room.title,
                series_id=room.series_id,
                gathering_id=None if room.series_id else room.id,
                made_at=now.at,
            )
        )
    await conn.execute(
        update(gatherings)
        .where(gatherings.c.community_id == room.community_id, gatherings.c.id == room.id)
        .values(payer_id=id)
    )
    return id


async def is_one(conn: AsyncConnection, community: UUID, account: UUID) -> bool:
    """Whether this is the account of a workshop."""
    return await name_of(conn, community, account) is not None


async def name_of(conn: AsyncConnection, community: UUID, account: UUID) -> str | None:
    """What the workshop is called whose account this is; None for another account."""
    found = await conn.scalar(
        select(workshops.c.name).where(
            workshops.c.community_id == community, workshops.c.id == account
        )
    )
    return None if found is None else str(found)


async def names(conn: AsyncConnection, community: UUID) -> dict[UUID, str]:
    """All workshops of a community, by account."""
    rows = await conn.execute(
        select(workshops.c.id, workshops.c.name).where(workshops.c.community_id == community)
    )
    return {row.id: row.name for row in rows}
