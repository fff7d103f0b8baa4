"""Looks: that somebody opened what is not shown to all, as a line of the audit, without its words.

One line a look. The member it is about reads it among their own matters.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import audit
from timebank.moment import Moment


class Look(StrEnum):
    """What was looked at; also the name of the act in the audit."""

    CONTACT = "look.contact"  # telephone and e-mail that are not shown to all
    CARE = "look.care"  # private notes and checks
    LIST = "look.list"  # a list with personal data, taken away as a file or printed


async def keep(
    conn: AsyncConnection,
    community: UUID,
    look: Look,
    *,
    by: UUID,
    member: UUID | None = None,
    of: str = "",
    now: Moment,
) -> None:
    """Write down that `by` looked, in a transaction that writes.

    `member` is whom it is about; None for a list, which `of` then names in a word of ours
    (`members`). One's own data is nobody's business: nothing is written.
    """
    if member == by:
        return
    await audit.write(
        conn,
        community,
        actor=by,
        action=look.value,
        subject_kind="community" if member is None else "member",
        subject=community if member is None else member,
        facts={"of": of} if of else {},
        now=now,
    )
