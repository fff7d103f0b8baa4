"""What has to be done whether or not anybody looks.

Mail goes out, silence agrees, agreed days come, books are proved and their seals sent, breaks end,
gatherings are reminded of, listings that come off soon are asked about, and so are members who gave
no sign for long.

Each duty is safe to do in several processes at once. One that fails is logged and done again at
its next turn; the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from timebank import (
    anchors,
    books,
    closing,
    communities,
    edge,
    listing_steps,
    mail,
    members,
    notices,
    posting,
    proposal_dates,
    reminders,
    retention,
    seats,
    series,
    sessions,
    tokens,
)
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.imports import files
from timebank.inbox import in_hand, morning
from timebank.moment import Moment
from timebank.paper.press import Press

log = logging.getLogger("web.housekeeping")

MAIL_EVERY = timedelta(seconds=2)
POST_EVERY = timedelta(minutes=5)
LOOK_EVERY = timedelta(minutes=10)
SWEEP_EVERY = timedelta(hours=1)
RECOVER_EVERY = timedelta(minutes=1)
PROVE_AFTER = timedelta(days=1)
RETENTION_EVERY = timedelta(days=1)

Clock = Callable[[], Moment]
Duty = Callable[[], Awaitable[object]]


async def run(
    database: Database,
    settings: Settings,
    clock: Clock,
    stop: asyncio.Event,
    *,
    press: Press | None = None,
) -> None:
    """Do everything at its time until `stop` is set; what is under way is finished first."""
    async with asyncio.TaskGroup() as duties:
        duties.create_task(
            every(MAIL_EVERY, lambda: mail.deliver_due(database, settings, now=clock()), stop)
        )
        duties.create_task(
            every(POST_EVERY, lambda: posting.post_agreed(database, now=clock()), stop)
        )
        duties.create_task(every(POST_EVERY, lambda: keep_dates(database, clock()), stop))
        duties.create_task(every(SWEEP_EVERY, lambda: sweep(database, clock()), stop))
        duties.create_task(every(RECOVER_EVERY, lambda: recover(database, clock()), stop))
        duties.create_task(every(SWEEP_EVERY, lambda: prove(database, clock()), stop))
        if press is not None:
            duties.create_task(every(SWEEP_EVERY, lambda: put_away(press, clock()), stop))
        duties.create_task(
            every(SWEEP_EVERY, lambda: anchors.mail_monthly(database, now=clock()), stop)
        )
        duties.create_task(every(LOOK_EVERY, lambda: morning.mail(database, now=clock()), stop))
        duties.create_task(every(SWEEP_EVERY, lambda: look_after_people(database, clock()), stop))
        duties.create_task(
            every(RETENTION_EVERY, lambda: retention.look_after_all(database, now=clock()), stop)
        )
        duties.create_task(every(SWEEP_EVERY, lambda: gatherings(database, clock()), stop))


async def keep_dates(database: Database, now: Moment) -> None:
    """Whatever was agreed for a day that has come: months to close, proposals, reviews."""
    await proposal_dates.keep(database, now=now)
    await closing.remind(database, now=now)


async def sweep(database: Database, now: Moment) -> None:
    """Forget what has ended: sessions, links, what is in hand, and files nobody brought in."""
    async with database.write(EVERYWHERE) as conn:
        await sessions.sweep(conn, now=now)
        await tokens.sweep(conn, now=now)
        await in_hand.sweep(conn, now=now)
        await files.sweep(conn, now=now)


async def put_away(press: Press, now: Moment) -> None:
    """Remove printed statements that are older than a day."""
    await asyncio.to_thread(press.sweep, now)


async def look_after_people(database: Database, now: Moment) -> None:
    """End breaks whose last day has passed, and write to those whose listings end soon."""
    async with database.read(EVERYWHERE) as conn:
        places = await communities.every(conn)
    for place in places:
        async with database.write(place.id) as conn:
            for member in await members.resume_due(conn, place.id, now=now):
                await notices.back_again(conn, place.id, member, now=now)
            await listing_steps.remind(conn, place.id, now=now)


async def gatherings(database: Database, now: Moment) -> None:
    """Make the dates of series, remind people, count the edge, and forget guests."""
    await series.make_ahead(database, now=now)
    await reminders.send_due(database, now=now)
    await edge.recount(database, now=now)
    await seats.forget_guests(database, now=now)


async def recover(database: Database, now: Moment) -> None:
    """Put files back on which nobody works any more, because a process ended."""
    async with database.write(EVERYWHERE) as conn:
        await files.recover(conn, now=now)


async def prove(database: Database, now: Moment) -> None:
    """Verify the books of each community that nobody has verified for a day."""
    async with database.read(EVERYWHERE) as conn:
        every = await communities.every(conn)
        latest = [(one, (await books.overview(conn, one.id)).last) for one in every]
    for community, last in latest:
        if last is None or now.at - last.at >= PROVE_AFTER:
            report = await books.verify(database, community.id, now=now)
            if not report.sound:
                log.error("the books of %s do not add up: run `timebank verify`", community.slug)


async def every(
    pause: timedelta, duty: Callable[[], Awaitable[object]], stop: asyncio.Event
) -> None:
    """Do a duty, wait, and do it again until `stop` is set."""
    while not stop.is_set():
        try:
            await duty()
        except Exception:
            log.exception("this will be tried again in %s", pause)
        try:
            async with asyncio.timeout(pause.total_seconds()):
                await stop.wait()
        except TimeoutError:
            continue
