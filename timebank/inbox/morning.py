"""The mail of the morning: to coordinators who want it, if something waits. Once a day.

The hour is that of the community's own clocks. A day on which nothing waits at that hour has none.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Table,
    and_,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Day, Id
from timebank import communities, outbox, policy, readers
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, Forbidden
from timebank.i18n import ago, translations
from timebank.inbox.listing import counts
from timebank.inbox.source import Why
from timebank.inbox.sources import BY_WHY
from timebank.members import Role, Status, get, members
from timebank.moment import Moment
from timebank.outbox import Mail
from timebank.readers import Reader

mornings = Table(
    "morning_mail",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("member_id", Id, primary_key=True),
    Column("hour", Count, nullable=False),
    Column("mailed_on", Day),  # the last day that was looked at, mail or not
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
    sqlite_strict=True,
)


async def hour_of(conn: AsyncConnection, community: UUID, member: UUID) -> int | None:
    """At which hour a coordinator wants the mail; None for not at all."""
    found: int | None = await conn.scalar(
        select(mornings.c.hour).where(
            mornings.c.community_id == community, mornings.c.member_id == member
        )
    )
    return found


async def choose(
    conn: AsyncConnection, community: UUID, hour: int | None, *, by: UUID, now: Moment
) -> None:
    """Want the mail at an hour from 0 to 23, or (None) not at all. The first comes tomorrow.

    For coordinators (`Forbidden`).
    """
    if not policy.may_coordinate(await get(conn, community, by)):
        raise Forbidden("inbox")
    if hour is None:
        await conn.execute(
            delete(mornings).where(mornings.c.community_id == community, mornings.c.member_id == by)
        )
        return
    if not 0 <= hour <= 23:
        raise BadInput("hour", "not_offered")
    here = await communities.by_id(conn, community)
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(mornings).values(
        community_id=community, member_id=by, hour=hour, mailed_on=now.day_in(here.timezone)
    )
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=["community_id", "member_id"], set_={"hour": hour}
        )
    )


async def mail(db: Database, *, now: Moment) -> int:
    """Mail to every coordinator whose hour has come what waits; how many mails there are.

    For all communities. Safe to do at any time and in several processes: who was looked at today
    is noted in the transaction of their mail.
    """
    async with db.read(EVERYWHERE) as conn:
        every = await communities.every(conn)
        due = [here for here in every if await _due(conn, here, now)]
    put = 0
    for here in due:
        async with db.write(here.id) as conn:
            put += await _mail(conn, here, now)
    return put


async def _due(conn: AsyncConnection, here: Community, now: Moment) -> list[UUID]:
    """Coordinators whose hour has come today, and who were not looked at yet."""
    local = now.at.astimezone(ZoneInfo(here.timezone))
    rows = await conn.execute(
        select(mornings.c.member_id)
        .join(
            members,
            and_(
                members.c.community_id == mornings.c.community_id,
                members.c.id == mornings.c.member_id,
            ),
        )
        .where(
            mornings.c.community_id == here.id,
            mornings.c.hour <= local.hour,
            _not_on(local.date()),
            members.c.status == Status.ACTIVE.value,
            members.c.role.in_((Role.COORDINATOR.value, Role.STEWARD.value)),
        )
        .order_by(mornings.c.member_id)
    )
    return [row.member_id for row in rows]


def _not_on(today: date) -> ColumnElement[bool]:
    return or_(mornings.c.mailed_on.is_(None), mornings.c.mailed_on < today)


async def _mail(conn: AsyncConnection, here: Community, now: Moment) -> int:
    today = now.day_in(here.timezone)
    theirs = []
    for member in await _due(conn, here, now):
        noted = await conn.execute(
            update(mornings)
            .where(
                mornings.c.community_id == here.id,
                mornings.c.member_id == member,
                _not_on(today),
            )
            .values(mailed_on=today)
        )
        if noted.rowcount == 1:  # else another process was quicker
            theirs.append(member)
    found, oldest = await counts(conn, here.id, now=now)
    if not found or not theirs:
        return 0
    told = readers.distinct(await readers.of(conn, here.id, theirs), set(theirs))
    mails = []
    for reader in told:
        since = "" if oldest is None else ago(oldest, now.at, reader.language)
        mails.append(_words(here, reader, found, since))
    await outbox.put_many(conn, mails, now=now)
    return len(mails)


def _words(here: Community, reader: Reader, found: dict[Why, int], since: str) -> Mail:
    words = translations(reader.language)
    _, total = words.gettext, sum(found.values())
    facts = {"name": reader.name, "community": here.name, "count": total, "since": since}
    subject = words.ngettext(
        "({count}) One thing waits in {community}",
        "({count}) {count} things wait in {community}",
        total,
    )
    lines = [f"    {_(BY_WHY[why].name)}: {number}" for why, number in found.items()]
    body = [
        _("Hello {name},"),
        _("this waits for a coordinator; the oldest came {since}:"),
        "\n".join(lines),
        _("You can choose another hour, or no mail at all, below the inbox:"),
    ]
    return Mail(
        reader.email,
        reader.name,
        subject.format(**facts),
        "\n\n".join(body).format(**facts),
        f"/c/{here.slug}/inbox",
        here.id,
    )
