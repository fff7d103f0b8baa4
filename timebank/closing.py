"""Closing a month, and opening it again; and reminding the coordinators when its day comes.

Everything happens under the lock of the journal's head: what was posted before a closing is in its
report, and what is posted after it finds the month closed. Steps are kept with who and when, in the
transaction of what they change, together with the audit and the mails that tell of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, insert, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import read, store
from timebank import (
    acting,
    agreements,
    audit,
    communities,
    entries,
    gatherings,
    months,
    policy,
    readers,
    reports,
)
from timebank.acting import Actor
from timebank.agreements import Terms
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.entries import LONGEST_WORDS
from timebank.entry import OPEN, Entry
from timebank.entry import State as EntryState
from timebank.errors import (
    BadInput,
    Forbidden,
    NoClosingDay,
    ReasonMissing,
    SecondSteward,
    TooEarly,
    WrongState,
)
from timebank.i18n import N_, format_month
from timebank.moment import Moment
from timebank.months import Closing, Standing, State, StepKind, closes_on
from timebank.periods import Month


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What still waits with days in a month: the first of each, and how many there are.

    Once the month is closed, it counts in a later one.
    """

    entries: tuple[Entry, ...]
    more_entries: int
    gatherings: tuple[Unfinished, ...]
    more_gatherings: int

    @property
    def total(self) -> int:
        """How many things there are."""
        shown = len(self.entries) + len(self.gatherings)
        return shown + self.more_entries + self.more_gatherings


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A gathering of the month whose hours are not settled. `held`: attendance is taken."""

    id: UUID
    title: str
    starts_at: datetime
    held: bool


async def unsettled(
    conn: AsyncConnection, place: Community, month: Month, *, limit: int = 50
) -> Unsettled:
    """What still waits with days in a month, the oldest first: entries, disputes, gatherings."""
    waiting = await _waiting(conn, place.id, month)
    open_ = await _gatherings(conn, place, month)
    return Unsettled(
        tuple(await entries.load(conn, place.id, waiting[:limit])),
        max(0, len(waiting) - limit),
        tuple(open_[:limit]),
        max(0, len(open_) - limit),
    )


async def _waiting(conn: AsyncConnection, community: UUID, month: Month) -> list[UUID]:
    """Entries that wait, and posted ones somebody disputes, each along an index of its own."""
    table = entries.entries
    columns = select(table.c.id, table.c.recorded_at).where(table.c.community_id == community)
    both = union_all(
        columns.where(
            table.c.state.in_([state.value for state in OPEN]),
            table.c.occurred_on.between(month.first, month.last),
        ),
        columns.where(
            table.c.contested,
            table.c.state == EntryState.APPROVED.value,
            table.c.counted_on.between(month.first, month.last),
        ),
    ).subquery()
    rows = await conn.execute(select(both.c.id).order_by(both.c.recorded_at, both.c.id))
    return [row.id for row in rows]


async def _gatherings(conn: AsyncConnection, place: Community, month: Month) -> list[Unfinished]:
    table, held = gatherings.gatherings, gatherings.State.HELD.value
    unfinished = or_(
        table.c.state == gatherings.State.PLANNED.value,
        and_(table.c.state == held, table.c.rule != gatherings.Rule.NONE.value),
    )
    rows = await conn.execute(
        select(table.c.id, table.c.title, table.c.starts_at, table.c.state)
        .where(
            table.c.community_id == place.id,
            table.c.starts_at >= place.begins(month.first),
            table.c.starts_at < place.begins(month.next.first),
            unfinished,
        )
        .order_by(table.c.starts_at, table.c.id)
    )
    return [Unfinished(row.id, row.title, row.starts_at, row.state == held) for row in rows]


# ── A coordinator closes ─────────────────────────────────────────────────────────────────────────


async def close(
    conn: AsyncConnection, community: UUID, month: Month, *, by: UUID, now: Moment
) -> Closing:
    """Close a month: its report is made once more and kept for good.

    What is posted from now on with a day of it is late. By a coordinator (`Forbidden`), from the
    agreed day on (`TooEarly`, `NoClosingDay`). Twice is once: the closing that is there answers.
    """
    head = await store.lock(conn, community)
    actor = await acting.active(conn, community, by)
    if not policy.may_close_month(actor.member):
        raise Forbidden("close")
    place = await communities.by_id(conn, community)
    terms = (await agreements.current(conn, community)).terms
    now = _after(now, head.posted_at)
    refuse_early(terms, month, now.day_in(place.timezone))
    standing = await months.standing(conn, community, month)
    if not standing.is_open:
        return await months.closing(conn, community, month)
    report = reports.as_json(await reports.read(conn, community, month.period))
    number = standing.closings + 1
    await _put(conn, community, standing, state=State.CLOSED.value, closings=number, now=now)
    await conn.execute(
        insert(months.closings).values(
            community_id=community,
            month_id=standing.id,
            number=number,
            closed_by=by,
            closed_at=now.at,
            seq=head.seq,
            hash=head.hash,
            report=report,
            digest=sha256(report.encode()).digest(),
        )
    )
    await _step(conn, community, standing, StepKind.CLOSED, actor, "", now)
    return await months.closing(conn, community, month)


def refuse_early(terms: Terms, month: Month, today: date) -> None:
    """Raise `NoClosingDay`, or `TooEarly` before the day on which a month may be closed."""
    day = closes_on(terms, month)
    if day is None:
        raise NoClosingDay
    if today < day:
        raise TooEarly(day)


# ── Two stewards open it again ───────────────────────────────────────────────────────────────────


async def ask_to_reopen(
    conn: AsyncConnection, community: UUID, month: Month, reason: str, *, by: UUID, now: Moment
) -> None:
    """Ask another steward to agree that a closed month is opened again, with a reason.

    Refuses with `Forbidden`, `ReasonMissing` and `WrongState`.
    """
    actor, standing = await _steward(conn, community, month, by)
    _refuse_words(reason, needed=True)
    if standing.state is not State.CLOSED:
        raise WrongState(standing.state.value, "ask")
    await _put(conn, community, standing, state=State.REOPENING.value, asked_by=by, now=now)
    await _step(conn, community, standing, StepKind.ASKED, actor, reason, now)
    stewards = await readers.stewards(conn, community)
    await _tell(
        conn,
        community,
        month,
        [one for one in stewards if one != by],
        N_("{who} asks to open {month} again"),
        N_("{who} would like to open {month} again:\n\n{words}\n\nIt takes a second steward."),
        now,
        who=actor.member.name,
        words=reason,
    )


async def reopen(
    conn: AsyncConnection, community: UUID, month: Month, words: str = "", *, by: UUID, now: Moment
) -> None:
    """Agree that a month is opened again: not by the steward who asked for it (`SecondSteward`).

    Hours of its days count in it from now on. What was counted elsewhere meanwhile stays there, and
    the report that was kept stays readable. Refuses with `Forbidden` and `WrongState`.
    """
    actor, standing = await _steward(conn, community, month, by)
    _refuse_words(words)
    if standing.state is not State.REOPENING:
        raise WrongState(standing.state.value, "reopen")
    if standing.asked_by == by:
        raise SecondSteward
    await _put(conn, community, standing, state=State.OPEN.value, asked_by=None, now=now)
    await _step(conn, community, standing, StepKind.REOPENED, actor, words, now)
    await _tell(
        conn,
        community,
        month,
        [one for one in await readers.coordinators(conn, community) if one != by],
        N_("{month} is open again"),
        N_("{who} agreed, so {month} is open again. It waits in the inbox to be closed anew."),
        now,
        who=actor.member.name,
    )


async def keep_closed(
    conn: AsyncConnection, community: UUID, month: Month, words: str = "", *, by: UUID, now: Moment
) -> None:
    """Say that a month stays closed after all: whoever asked, or another steward.

    Refuses with `Forbidden` and `WrongState`.
    """
    actor, standing = await _steward(conn, community, month, by)
    _refuse_words(words)
    if standing.state is not State.REOPENING:
        raise WrongState(standing.state.value, "keep")
    await _put(conn, community, standing, state=State.CLOSED.value, asked_by=None, now=now)
    await _step(conn, community, standing, StepKind.KEPT, actor, words, now)
    if standing.asked_by not in (None, by):
        await _tell(
            conn,
            community,
            month,
            [standing.asked_by],
            N_("{month} stays closed"),
            N_("{who} thinks that {month} should stay closed.\n\n{words}"),
            now,
            who=actor.member.name,
            words=words,
        )


# ── The calendar ─────────────────────────────────────────────────────────────────────────────────


async def remind(db: Database, *, now: Moment) -> int:
    """Note the months whose closing day has come, and tell the coordinators; how many are new.

    For all communities, each by its own calendar. Safe to do at any time, in several processes.
    """
    async with db.read(EVERYWHERE) as conn:
        every = await communities.every(conn)
    found = 0
    for place in every:
        async with db.read(place.id) as conn:
            due = await _due(conn, place, now)
        if due:
            async with db.write(place.id) as conn:
                await store.lock(conn, place.id)  # two processes at once: one after the other
                for month in await _due(conn, place, now):
                    await _note_due(conn, place, month, now)
                    found += 1
    return found


async def _due(conn: AsyncConnection, place: Community, now: Moment) -> list[Month]:
    """The months whose closing day came since it was agreed, and of which nobody was told yet."""
    versions = await agreements.history(conn, place.id)
    terms, agreed = versions[0].terms, versions[0].adopted_at
    if terms.closing_day is None:
        return []
    for version in versions:
        if version.terms.closing_day is None:
            break
        agreed = version.adopted_at
    today, begun = now.day_in(place.timezone), place.day_of(agreed)
    last = Month.of(today).previous
    first = Month.of(begun).previous
    standings = await months.between(conn, place.id, first, last) if first <= last else []
    due = []
    for one in standings:
        day = closes_on(terms, one.month)
        untold = one.is_open and one.due_at is None
        if untold and day is not None and begun <= day <= today:
            due.append(one.month)
    return due[::-1]


async def _note_due(conn: AsyncConnection, place: Community, month: Month, now: Moment) -> None:
    standing = await months.standing(conn, place.id, month)
    await _put(conn, place.id, standing, due_at=now.at, now=now)
    await _step(conn, place.id, standing, StepKind.DUE, None, "", now)
    waiting = await unsettled(conn, place, month)
    await _tell(
        conn,
        place.id,
        month,
        await readers.coordinators(conn, place.id),
        N_("{month} can be closed"),
        N_(
            "The day has come to close {month}. Still waiting with days in it: {count}. "
            "Once it is closed, its report stays as it is, and later hours count in the next "
            "month."
        ),
        now,
        count=str(waiting.total),
    )


# ── What all of them share ───────────────────────────────────────────────────────────────────────


async def _steward(
    conn: AsyncConnection, community: UUID, month: Month, by: UUID
) -> tuple[Actor, Standing]:
    """The steward who acts, and the month as it stands, with the journal's head locked."""
    await store.lock(conn, community)
    actor = await acting.active(conn, community, by)
    if not policy.may_reopen_month(actor.member):
        raise Forbidden("reopen")
    return actor, await months.standing(conn, community, month)


async def _put(
    conn: AsyncConnection, community: UUID, standing: Standing, *, now: Moment, **values: Any
) -> None:
    """Change how a month stands; one that nothing happened to so far gets its row."""
    table = months.months
    if standing.touched_at is not None:
        await conn.execute(
            update(table)
            .where(table.c.community_id == community, table.c.id == standing.id)
            .values(touched_at=now.at, **values)
        )
        return
    begin = {"state": State.OPEN.value, "closings": 0}
    await conn.execute(
        insert(table).values(
            community_id=community,
            id=standing.id,
            first_day=standing.month.first,
            touched_at=now.at,
            **begin | values,
        )
    )


async def _step(
    conn: AsyncConnection,
    community: UUID,
    standing: Standing,
    kind: StepKind,
    by: Actor | None,
    words: str,
    now: Moment,
) -> None:
    """Keep a step of a month's story, and write the audit."""
    table = months.steps
    number = select(func.coalesce(func.max(table.c.number), 0) + 1).where(
        table.c.community_id == community, table.c.month_id == standing.id
    )
    await conn.execute(
        insert(table).values(
            community_id=community,
            month_id=standing.id,
            number=number.scalar_subquery(),
            kind=kind.value,
            member_id=by.id if by else None,
            at=now.at,
            words=words,
            seq=(await read.head(conn, community)).seq,
        )
    )
    if by is not None:
        await audit.write(
            conn,
            community,
            actor=by.id,
            action=f"month.{kind.value}",
            subject_kind="month",
            subject=standing.id,
            facts={"month": str(standing.month)},
            now=now,
        )


async def _tell(
    conn: AsyncConnection,
    community: UUID,
    month: Month,
    ids: Sequence[UUID],
    subject: str,
    body: str,
    now: Moment,
    **facts: str,
) -> None:
    await readers.tell(
        conn,
        community,
        ids,
        subject,
        body,
        path=f"/months/{month}",
        now=now,
        spoken=lambda language: {"month": format_month(month.first, language)},
        **facts,
    )


def _after(now: Moment, posted_at: datetime) -> Moment:
    """Not before the latest posting, even if its clock was ahead of ours."""
    return now if now.at >= posted_at else Moment(posted_at, now.random_bytes)


def _refuse_words(words: str, *, needed: bool = False) -> None:
    if needed and not words.strip():
        raise ReasonMissing
    if len(words) > LONGEST_WORDS:
        raise BadInput("words", "too_long", LONGEST_WORDS)
