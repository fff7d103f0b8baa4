"""Anchors: the journal's latest number and hash, noted where no owner of the database can reach.

A chain of hashes shows every change but two: an end cut off, and a journal written anew. So its
head goes to the coordinators by mail each month and stands on printed statements; `timebank verify`
holds the books against whatever was noted. Members read it as "the seal".

Written out, an anchor is `1234:` and 64 digits. On paper 20 of them do, in groups of four:
`1234:ab12 cd34 ef56 7890 abcd`. Anything from 16 digits on is understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.proof import SHORTEST_ANCHOR
from ledger.sql import read, store
from timebank import communities, notices
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.errors import TimebankError
from timebank.moment import Moment
from timebank.outbox import outbox

_ON_PAPER = 20  # digits
_WHOLE = 64
_FEWEST = 2 * SHORTEST_ANCHOR


class NotAnAnchor(TimebankError):
    """The text is no number, colon and hash."""

    def __str__(self) -> str:
        return (
            "An anchor is a number, a colon and 16 to 64 digits of a hash (an even number of "
            "them), such as 1234:ab12cd34ef567890."
        )


@dataclass(frozen=True, slots=True)
class Anchor:
    """A transfer's number, and its hash or at least the first eight bytes of it."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        """As it is given to `timebank verify`."""
        return f"{self.seq}:{self.hash.hex()}"

    @property
    def on_paper(self) -> str:
        """Short enough to be copied by hand: `1234:ab12 cd34 ef56 7890 abcd`."""
        digits = self.hash.hex()[:_ON_PAPER]
        groups = (digits[at : at + 4] for at in range(0, len(digits), 4))
        return f"{self.seq}:{' '.join(groups)}"


def parse(text: str) -> Anchor:
    """An anchor as somebody typed it. Spaces and capitals do not matter. Raises `NotAnAnchor`."""
    found = re.fullmatch("([0-9]{1,18}):([0-9a-f]*)", "".join(text.split()).lower(), re.ASCII)
    if found is None or len(found[2]) % 2 or not _FEWEST <= len(found[2]) <= _WHOLE:
        raise NotAnAnchor
    return Anchor(int(found[1]), bytes.fromhex(found[2]))


async def current(conn: AsyncConnection, community: UUID) -> Anchor | None:
    """Where the journal ends now; None while nothing is posted."""
    head = await read.head(conn, community)
    return Anchor(head.seq, head.hash) if head.seq else None


async def mail_monthly(db: Database, *, now: Moment) -> int:
    """Mail each community's anchor to its coordinators, once a month; how many mails are new.

    The month is the one where the community lives. Safe to do at any time, in several processes: a
    month that was mailed is recognised by the ids of its mails. A community in which nothing is
    posted, or no coordinator reads mail, gets none yet.
    """
    async with db.read(EVERYWHERE) as conn:
        every = await communities.every(conn)
        waiting = [one for one in every if not await _is_mailed(conn, one, now)]
    put = 0
    for community in waiting:
        async with db.write(community.id) as conn:
            put += await _mail(conn, community, now)
    return put


async def _mail(conn: AsyncConnection, community: Community, now: Moment) -> int:
    await store.lock(conn, community.id)  # two processes at once: one after the other
    anchor = await current(conn, community.id)
    if anchor is None or await _is_mailed(conn, community, now):
        return 0
    ids = (_mail_id(community, now, number) for number in range(_MOST))
    return await notices.anchored(
        conn, community, whole=str(anchor), on_paper=anchor.on_paper, ids=ids, now=now
    )


async def _is_mailed(conn: AsyncConnection, community: Community, now: Moment) -> bool:
    """Whether any of this month's mails was written; it stays in the outbox after it was sent."""
    ids = [_mail_id(community, now, number) for number in range(_MOST)]
    found = select(func.count()).where(outbox.c.id.in_(ids))
    return bool(await conn.scalar(found))


_MOST = 100  # coordinators who get a mail


def _mail_id(community: Community, now: Moment, number: int) -> UUID:
    """The id of the month's mail to the coordinator with this number: always the same."""
    month = now.day_in(community.timezone).strftime("%Y-%m")
    return uuid5(community.id, f"anchor {month} {number}")
