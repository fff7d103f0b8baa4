"""Sending what lies in the outbox: over SMTP, or into files while no mail server is set.

A mail is claimed for ten minutes, sent, and marked. If we end between sending and marking, it is
sent again under the same Message-ID, by which a mail server or reader recognises it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment
from timebank.outbox import outbox

log = logging.getLogger("timebank.mail")

_TRIES = 8
_BATCH = 20
_CLAIM = timedelta(minutes=10)
_ADDRESS_MARKS = frozenset(' ,;:<>"()\t\r\n')  # with which a header would name several


async def deliver_due(db: Database, settings: Settings, *, now: Moment) -> int:
    """Send what is due; how many were sent. What fails is tried again later, eight times in all."""
    sent = 0
    for _ in range(_BATCH):
        outcome = await _deliver_one(db, settings, now)
        if outcome is None:
            break
        sent += outcome
    return sent


async def _deliver_one(db: Database, settings: Settings, now: Moment) -> bool | None:
    """Send one mail: True if sent, False if it failed, None if nothing is due."""
    async with db.write(EVERYWHERE) as conn:
        row = (await conn.execute(_due(now))).first()
        if row is None:
            return None
        await _change(conn, row.id, due_at=now.at + _CLAIM)
    # No transaction is open while a mail server takes its time: others want to write.
    try:
        await _send(settings, _message(settings, row))
    except (OSError, ValueError, aiosmtplib.SMTPException) as error:
        async with db.write(EVERYWHERE) as conn:
            await _postpone(conn, row, error, now)
        return False
    async with db.write(EVERYWHERE) as conn:
        # What was said is with its reader now, and need not be kept here as well.
        words = dict.fromkeys(("to_name", "subject", "body", "path", "last_error"), "")
        await _change(conn, row.id, sent_at=now.at, tries=row.tries + 1, **words)
    return True


async def _change(conn: AsyncConnection, mail: UUID, **values: Any) -> None:
    await conn.execute(update(outbox).where(outbox.c.id == mail).values(**values))


def _due(now: Moment) -> Any:
    """The mail that has waited longest. Several senders on PostgreSQL take different ones."""
    return (
        select(outbox)
        .where(outbox.c.sent_at.is_(None), outbox.c.dead_at.is_(None), outbox.c.due_at <= now.at)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


async def _postpone(conn: AsyncConnection, row: Any, error: Exception, now: Moment) -> None:
    tries = row.tries + 1
    log.warning("mail %s was not sent (try %d): %s", row.id, tries, type(error).__name__)
    await _change(
        conn,
        row.id,
        tries=tries,
        due_at=now.at + timedelta(minutes=2**tries),
        dead_at=now.at if tries >= _TRIES else None,
        last_error=f"{type(error).__name__}: {error}"[:500],
    )


def _message(settings: Settings, row: Any) -> EmailMessage:
    if row.to_address.count("@") != 1 or not _ADDRESS_MARKS.isdisjoint(row.to_address):
        raise ValueError("a mail goes to one address")
    host = urlsplit(settings.base_url).hostname or "localhost"
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = formataddr((row.to_name, row.to_address))
    message["Subject"] = row.subject
    message["Date"] = format_datetime(row.created_at)
    message["Message-ID"] = f"<{row.id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    link = f"\n\n{settings.base_url}{row.path}\n" if row.path else "\n"
    message.set_content(row.body.rstrip() + link)
    return message


async def _send(settings: Settings, message: EmailMessage) -> None:
    if not settings.smtp_url:
        await asyncio.to_thread(_write_file, settings.mail_folder, message)
        return
    server = urlsplit(settings.smtp_url)
    if server.scheme not in ("smtp", "smtps") or not server.hostname:
        raise ValueError("TIMEBANK_SMTP_URL is not smtp://host:port or smtps://host:port")
    await aiosmtplib.send(
        message,
        hostname=server.hostname,
        port=server.port or (465 if server.scheme == "smtps" else 587),
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=server.scheme == "smtps",
        timeout=20,
    )


def _write_file(folder: Path, message: EmailMessage) -> None:
    """Write the mail under its own id, so that sending it twice leaves one file."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = str(message["Message-ID"]).strip("<>").partition("@")[0]
    draft = folder / f".{name}.part"
    draft.write_bytes(bytes(message))
    draft.replace(folder / f"{name}.eml")
