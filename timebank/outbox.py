"""The outbox: mail is written in the transaction of what it tells, and sent afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, Words
from timebank.moment import Moment

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),  # also the Message-ID, so that a repeat is recognised
    Column("community_id", Id, ForeignKey("community.id")),
    Column("to_address", Words, nullable=False),
    Column("to_name", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("body", Words, nullable=False),  # emptied once it is sent, and so is the path
    Column("path", Words, nullable=False, server_default=""),  # where on our site it leads
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),  # not before; grows with each failed try
    Column("tries", Count, nullable=False),
    Column("sent_at", Instant),
    Column("dead_at", Instant),  # given up; somebody has to look
    Column("last_error", Words, nullable=False, server_default=""),
    Index("ix_outbox_due", "sent_at", "dead_at", "due_at"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one address, its words already in the reader's language.

    `path` is where on our own site it leads; the address of the site is put before it on sending.
    With an `id` of its own, a mail cannot be written twice: the second raises `IntegrityError`.
    """

    to_address: str
    to_name: str
    subject: str
    body: str
    path: str = ""
    community: UUID | None = None
    id: UUID | None = None


async def put_many(conn: AsyncConnection, mails: Sequence[Mail], *, now: Moment) -> None:
    """Have these mails sent once this transaction is committed, and only then."""
    if not mails:
        return
    rows = [
        {
            "id": mail.id or now.new_id(),
            "community_id": mail.community,
            "to_address": mail.to_address,
            "to_name": mail.to_name,
            "subject": " ".join(mail.subject.split()),  # a header has one line
            "body": mail.body,
            "path": mail.path,
            "created_at": now.at,
            "due_at": now.at,
            "tries": 0,
        }
        for mail in mails
    ]
    await conn.execute(insert(outbox), rows)
