"""The demo: two made-up communities with a year behind them.

They are made through the same functions that real people use, and are the same every time: names,
entries, minutes, even the randomness in the ids come from fixed dice. Only the calendar moves: the
year ends yesterday, so that the demo never looks abandoned.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from sqlalchemy import func, select, update

from ledger.sql import planner
from timebank import communities, demo_board, demo_together, demo_town
from timebank.db import EVERYWHERE, Database
from timebank.demo_gatherings import gather
from timebank.demo_people import BARRIO_BANK, PASSPHRASE, RIVERSIDE_BANK
from timebank.demo_year import weeks
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.people import people

__all__ = ["PASSPHRASE", "SIGN_INS", "NotADemoError", "is_there", "make"]

SIGN_INS = (
    ("a member", "Amina Yusuf", "amina@riverside.example"),
    ("a coordinator", "Daniel Price", "daniel@riverside.example"),
    ("a steward", "Margaret Okafor", "margaret@riverside.example"),
    ("a member of both communities", "Jorge Medina", "jorge@riverside.example"),
    ("a coordinator in Spanish", "Vicent Soler", "vicent@barrio.example"),
)
"""Worth trying first: who they are, their names and their addresses."""

_NEIGHBOURHOODS = (RIVERSIDE_BANK, BARRIO_BANK)
_SEED = 20240229
_MAIL_KEPT = timedelta(days=2)  # older mail counts as sent long ago

Progress = Callable[[int, int], None]


class NotADemoError(Exception):
    """The database holds something that is not the demo, so the demo stays away from it."""


async def is_there(db: Database) -> bool:
    """Whether the demo is in this database already. Raises `NotADemoError` if something else is."""
    await refuse_real_people(db)
    async with db.read(EVERYWHERE) as conn:
        slugs = set((await conn.execute(select(communities.communities.c.slug))).scalars())
    if slugs and slugs != {place.slug for place in _NEIGHBOURHOODS}:
        raise NotADemoError(
            "This demo was interrupted while it was made, or holds other communities too. "
            "Start it with --fresh."
        )
    return bool(slugs)


async def refuse_real_people(db: Database) -> None:
    """Raise `NotADemoError` if this database holds anything that the demo did not make."""
    ours = [place.slug for place in _NEIGHBOURHOODS]
    slug, email = communities.communities.c.slug, people.c.email
    async with db.read(EVERYWHERE) as conn:
        founded = await conn.scalar(select(func.count()).where(slug.in_(ours)))
        strange = await conn.scalar(select(func.count()).where(slug.not_in(ours)))
        known = await conn.scalar(select(func.count()).where(email.not_like("%.example")))
    if strange or (known and not founded):
        raise NotADemoError(
            "This database holds a time bank that is not the demo. Give the demo a place of its "
            "own: set TIMEBANK_DATA or TIMEBANK_DATABASE_URL."
        )


async def make(
    db: Database, *, base_url: str, now: Moment, progress: Progress | None = None
) -> None:
    """Fill an empty database with the demo. `progress` is told the weeks done, and of how many.

    The year ends on the day before `now`.
    """
    total = sum(place.weeks + 1 for place in _NEIGHBOURHOODS)
    done = 0
    for number, place in enumerate(_NEIGHBOURHOODS):
        town = await demo_town.found(db, place, base_url, now, _dice(2 * number))
        for week, happenings in weeks(place, _dice(2 * number + 1)):
            await demo_town.welcome_newcomers(town, week)
            await demo_board.belong(town, week)
            await gather(town, week)
            await demo_town.live(town, week, happenings)
            await demo_together.decide(town, week)
            done += 1
            if progress:
                progress(done, total)
        await demo_board.fill(town)
        await demo_town.ask_to_join(town)
    await _forget_old_mail(db, now)
    await planner.inform(db.settings.owners_url)


def _dice(number: int) -> Random:
    """Dice that always fall the same way. Nothing secret hangs on them."""
    return Random(_SEED + number)  # noqa: S311


async def _forget_old_mail(db: Database, now: Moment) -> None:
    """Mail of the past year counts as sent when it was written; the latest still waits."""
    kept = now.at - _MAIL_KEPT
    async with db.write(EVERYWHERE) as conn:
        await conn.execute(
            update(outbox)
            .where(outbox.c.created_at < kept, outbox.c.sent_at.is_(None))
            .values(sent_at=outbox.c.created_at)
        )
