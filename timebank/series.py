"""Series: gatherings that come again, "every second Tuesday".

A series keeps its rule, its time on the community's clocks and the plan of dates to come. They are
made into gatherings some months ahead, one by one: then each may be moved or called off alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import acting, audit, gathering_mails, planning, policy
from timebank import gathering as gathering_values
from timebank import plan as plans
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, Forbidden, NotFound, WrongState
from timebank.gathering import Gathering, note
from timebank.gatherings import Answer, State, gatherings
from timebank.gatherings import series as table
from timebank.members import MemberKind, Status, members
from timebank.moment import Moment
from timebank.plan import Plan, When
from timebank.planning import Setting
from timebank.recurrence import Every, Recurrence, read_clock, write_clock

AHEAD = timedelta(days=120)
"""How far ahead the dates of a series are made into gatherings."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series as it goes on: its rule from `first_on`, its time, and the plan of dates to come.

    `last_on` is the last day on which it may take place; None while nobody has set an end.
    """

    community_id: UUID
    id: UUID
    rule: Recurrence
    first_on: date
    when: When  # of the first day
    plan: Plan
    last_on: date | None
    made_by: UUID
    ended_at: datetime | None


async def begin(
    conn: AsyncConnection,
    community: UUID,
    plan: Plan,
    when: When,
    every: Every,
    last_on: date | None = None,
    *,
    by: UUID,
    now: Moment,
    id: UUID | None = None,
) -> UUID:
    """Plan a series from its first date on; the id of the first gathering, which is `id` if given.

    Refuses as `planning.make` does, and with `BadInput` an end before the first date.
    """
    actor = await acting.active(conn, community, by)
    if not policy.may_plan(actor.member):
        raise Forbidden("plan")
    first = id or now.new_id()
    if id is not None and await planning.is_there(conn, community, id, by):
        return id
    known = await planning.setting(conn, community)
    plan = plans.tidy(plan)
    plans.refuse_nonsense(plan, when, now.at, known.here.timezone)
    await planning.refuse_strangers(conn, community, plan)
    if last_on is not None and last_on < when.day:
        raise BadInput("last_on", "before_first_date")
    rule = Recurrence.of(every, when.day)
    refuse_other_day(rule, when.day)
    series_id = now.new_id()
    await conn.execute(
        insert(table).values(
            community_id=community,
            id=series_id,
            rule=str(rule),
            first_on=when.day,
            at=write_clock(when.at),
            lasts=when.lasts,
            plan=plans.as_json(plan),
            last_on=last_on,
            made_by=by,
            made_at=now.at,
        )
    )
    await planning.put(
        conn,
        known,
        plan,
        when,
        id=first,
        by=by,
        now=now,
        series_id=series_id,
        occurs_on=when.day,
    )
    await _make(conn, known, await lock(conn, community, series_id), now)
    await audit.write(
        conn,
        community,
        actor=by,
        action="series.begun",
        subject_kind="series",
        subject=series_id,
        now=now,
    )
    return first


async def get(conn: AsyncConnection, community: UUID, id: UUID) -> Series:
    """One series, or `NotFound`."""
    query = select(table).where(table.c.community_id == community, table.c.id == id)
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("series")
    return _series(row)


async def lock(conn: AsyncConnection, community: UUID, id: UUID) -> Series:
    """The series, kept from others who change it, or make its dates, until the transaction ends."""
    query = (
        select(table.c.id)
        .where(table.c.community_id == community, table.c.id == id)
        .with_for_update()
    )
    await conn.execute(query)
    return await get(conn, community, id)


def _series(row: Any) -> Series:
    at = read_clock(row.at)
    assert at is not None, "written by `write_clock`"
    return Series(
        row.community_id,
        row.id,
        Recurrence.parse(row.rule),
        row.first_on,
        When(row.first_on, at, row.lasts),
        plans.from_json(row.plan),
        row.last_on,
        row.made_by,
        row.ended_at,
    )


async def number_of(conn: AsyncConnection, found: Gathering) -> int:
    """Which date of its series this is, without those called off: 1 for the first; 0 for none."""
    if found.series_id is None:
        return 0
    rows = await conn.execute(
        select(gatherings.c.id).where(
            gatherings.c.community_id == found.community_id,
            gatherings.c.series_id == found.series_id,
            gatherings.c.starts_at <= found.starts_at,
            gatherings.c.state != State.CANCELLED.value,
        )
    )
    return len(rows.all())


async def dates_of(
    conn: AsyncConnection, community: UUID, id: UUID, *, after: datetime, limit: int = 12
) -> list[tuple[UUID, datetime, datetime, State]]:
    """The dates of a series that begin after a moment: id, begin, end (UTC) and state."""
    rows = await conn.execute(
        select(gatherings.c.id, gatherings.c.starts_at, gatherings.c.ends_at, gatherings.c.state)
        .where(
            gatherings.c.community_id == community,
            gatherings.c.series_id == id,
            gatherings.c.starts_at > after,
            gatherings.c.occurs_on.is_not(None),
        )
        .order_by(gatherings.c.starts_at)
        .limit(limit)
    )
    return [(row.id, row.starts_at, row.ends_at, State(row.state)) for row in rows]


# ── Making dates ahead ───────────────────────────────────────────────────────────────────────────


async def make_ahead(db: Database, *, now: Moment) -> int:
    """Make the dates of every series up to `AHEAD`; how many. For housekeeping.

    Safe to do in several processes at once: a series is locked while its dates are made.
    """
    made = 0
    async with db.read(EVERYWHERE) as conn:
        going_on = select(table.c.community_id, table.c.id).where(
            table.c.ended_at.is_(None),
            or_(table.c.last_on.is_(None), table.c.last_on >= (now.at - timedelta(days=1)).date()),
        )
        found = (await conn.execute(going_on)).all()
    for row in found:
        async with db.read(row.community_id) as conn:
            known = await planning.setting(conn, row.community_id)
            lacks = await _missing(conn, known, await get(conn, row.community_id, row.id), now)
        if lacks:
            async with db.write(row.community_id) as conn:
                known = await planning.setting(conn, row.community_id)
                made += await _make(conn, known, await lock(conn, row.community_id, row.id), now)
    return made


async def _missing(
    conn: AsyncConnection, known: Setting, series: Series, now: Moment
) -> list[date]:
    """The days up to `AHEAD` that no gathering stands for yet; a day called off has one."""
    if series.ended_at is not None:
        return []
    until = now.day_in(known.here.timezone) + AHEAD
    if series.last_on is not None:
        until = min(until, series.last_on)
    there = {
        row.occurs_on
        for row in await conn.execute(
            select(gatherings.c.occurs_on).where(
                gatherings.c.community_id == series.community_id,
                gatherings.c.series_id == series.id,
                gatherings.c.occurs_on.is_not(None),
            )
        )
    }
    return [day for day in series.rule.days(series.first_on, until) if day not in there]


async def _make(conn: AsyncConnection, known: Setting, series: Series, now: Moment) -> int:
    """Make the missing dates, with the agreement of today and organisations that are still here."""
    days = await _missing(conn, known, series, now)
    plan = await _as_far_as_here(conn, known, series.plan) if days else series.plan
    for day in days:
        await planning.put(
            conn,
            known,
            plan,
            replace(series.when, day=day),
            id=now.new_id(),
            by=series.made_by,
            now=now,
            series_id=series.id,
            occurs_on=day,
        )
    return len(days)


async def _as_far_as_here(conn: AsyncConnection, known: Setting, plan: Plan) -> Plan:
    """The plan without organisations that have left; their place as a payer the commons takes."""
    houses = {*plan.hosts, *([plan.payer_id] if plan.payer_id else [])}
    query = select(members.c.id).where(
        members.c.community_id == known.here.id,
        members.c.id.in_(houses),
        members.c.kind == MemberKind.ORGANISATION.value,
        members.c.status == Status.ACTIVE.value,
    )
    here = {row.id for row in await conn.execute(query)} if houses else set()
    return replace(
        plan,
        hosts=tuple(host for host in plan.hosts if host in here),
        payer_id=plan.payer_id if plan.payer_id in here else None,
    )


# ── Changing all that come ───────────────────────────────────────────────────────────────────────


async def edit_from(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    plan: Plan,
    when: When,
    every: Every | None,
    last_on: date | None,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Change this gathering and all that come after it in its series.

    What is different is changed in each of them, and nothing else: a date that was given another
    place keeps it, unless the place is what changes. With another day or rhythm (`every`, None for
    the one it has) the dates move on in their order, with everybody who signed up for them. A date
    after `last_on` is called off. Everyone is told once. Refuses as `planning.edit` does.
    """
    series = await _lock_series_of(conn, community, id)
    _actor, this = await planning.at_hand(conn, community, id, by, "edit")
    known = await planning.setting(conn, community)
    plan = plans.tidy(plan)
    plans.refuse_nonsense(plan, when, now.at, known.here.timezone)
    await planning.refuse_strangers(conn, community, plan)
    if last_on is not None and last_on < when.day:
        raise BadInput("last_on", "before_first_date")
    different = plans.changed(plans.of(this), plan)
    rhythm = every or series.rule.every or Every.WEEK
    moved = when.day != plans.when_of(this, known.here.timezone).day
    anew = moved or rhythm is not (series.rule.every or Every.WEEK)
    rule = Recurrence.of(rhythm, when.day) if anew else series.rule
    before = await _from(conn, this)
    days = await _days_for(conn, before, rule, when.day) if anew else []
    changed_plan = replace(series.plan, **different)
    await _keep(conn, series, changed_plan, when, rule if anew else None, last_on)
    pairs = []
    for place, one in enumerate(before):
        theirs = _time_of(known, series, this, one, when, days[place] if anew else None)
        new_plan = replace(plans.of(one), **different)
        if one.id != this.id:
            new_plan = _keep_carried(one, new_plan)
        after = await planning.change(
            conn, known, one, new_plan, theirs, now=now, occurs_on=days[place] if anew else None
        )
        pairs.append((one, after))
    ended = [after for _one, after in pairs if _is_after(after, last_on)]
    pairs = [(one, after) for one, after in pairs if not _is_after(after, last_on)]
    await gathering_mails.changed(conn, known.here, pairs, by=by, now=now)
    await _drop(conn, known, ended, by=by, now=now)
    await _make(conn, known, await lock(conn, community, series.id), now)
    await note(conn, this, "series.changed", by=by, now=now)


async def _lock_series_of(conn: AsyncConnection, community: UUID, id: UUID) -> Series:
    """The series of a gathering, locked before any of its dates, so that no two lock crosswise."""
    query = select(gatherings.c.series_id).where(
        gatherings.c.community_id == community, gatherings.c.id == id
    )
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("gathering")
    if row.series_id is None:
        raise WrongState("alone", "edit")
    return await lock(conn, community, row.series_id)


def _is_after(found: Gathering, last_on: date | None) -> bool:
    return last_on is not None and found.occurs_on is not None and found.occurs_on > last_on


async def _from(conn: AsyncConnection, this: Gathering) -> list[Gathering]:
    """This date of a series and those after it that are planned, locked, in their order."""
    query = (
        select(gatherings.c.id)
        .where(
            gatherings.c.community_id == this.community_id,
            gatherings.c.series_id == this.series_id,
            gatherings.c.state == State.PLANNED.value,
            gatherings.c.occurs_on >= this.occurs_on,
        )
        .order_by(gatherings.c.occurs_on)
        .with_for_update()
    )
    ids = [row.id for row in await conn.execute(query)]
    return await gathering_values.load(conn, this.community_id, ids)


async def _days_for(
    conn: AsyncConnection, before: list[Gathering], rule: Recurrence, first: date
) -> list[date]:
    """The new days of these dates, in their order; the days they had are free for each other.

    Days called off belong to the old rhythm: the series gives them no more, so they stand in the
    way of nobody. `BadInput` for a first day that the rule does not give, and for one that an
    earlier date has.
    """
    refuse_other_day(rule, first)
    this, ids = before[0], [one.id for one in before]
    days = list(islice(rule.days(first, first + timedelta(weeks=6 * len(before))), len(before)))
    of_it = and_(
        gatherings.c.community_id == this.community_id,
        gatherings.c.series_id == this.series_id,
        gatherings.c.occurs_on.is_not(None),
    )
    called_off = gatherings.c.state == State.CANCELLED.value
    taken = select(gatherings.c.id).where(
        of_it, ~called_off, gatherings.c.id.not_in(ids), gatherings.c.occurs_on.in_(days)
    )
    if (await conn.execute(taken)).first() is not None:
        raise BadInput("day", "has_a_date_already")
    await conn.execute(
        update(gatherings)
        .where(
            of_it,
            or_(
                gatherings.c.id.in_(ids),
                and_(called_off, gatherings.c.occurs_on >= min(first, this.occurs_on or first)),
            ),
        )
        .values(occurs_on=None)
    )
    return days


def refuse_other_day(rule: Recurrence, first: date) -> None:
    """Raise `BadInput` for a first day that the rule does not give: not the last of its month."""
    if next(rule.days(first, first + timedelta(weeks=6)), None) != first:
        raise BadInput("every", "not_on_this_day")


def _time_of(
    known: Setting,
    series: Series,
    this: Gathering,
    one: Gathering,
    when: When,
    day: date | None,
) -> When:
    """When a date is from now on: as this one, on its own day; one that was moved alone stays."""
    if one.id == this.id or day is not None:
        return replace(when, day=day or when.day)
    theirs = plans.when_of(one, known.here.timezone)
    was = plans.when_of(this, known.here.timezone)
    as_planned = theirs.day == one.occurs_on and theirs.at == series.when.at
    return replace(
        theirs,
        at=when.at if as_planned and when.at != was.at else theirs.at,
        lasts=when.lasts if when.lasts != was.lasts else theirs.lasts,
    )


def _keep_carried(one: Gathering, plan: Plan) -> Plan:
    """The plan for another date, where a role that somebody carries already stays."""
    roles = dict(plan.roles)
    for role in one.roles:
        carriers = len(one.carriers(role.key))
        if role.wanted and carriers > roles.get(role.key, 0):
            roles[role.key] = carriers
    return replace(plan, roles=tuple(roles.items()))


async def _keep(
    conn: AsyncConnection,
    series: Series,
    plan: Plan,
    when: When,
    rule: Recurrence | None,
    last_on: date | None,
) -> None:
    """What the series gives its next dates. With a new rhythm it is counted from this day on."""
    values: dict[str, Any] = {
        "plan": plans.as_json(plan),
        "at": write_clock(when.at),
        "lasts": when.lasts,
        "last_on": last_on,
    }
    if rule is not None:
        values |= {"rule": str(rule), "first_on": when.day}
    await conn.execute(
        update(table)
        .where(table.c.community_id == series.community_id, table.c.id == series.id)
        .values(**values)
    )


async def end(
    conn: AsyncConnection, community: UUID, id: UUID, words: str, *, by: UUID, now: Moment
) -> None:
    """This gathering and all that come after it in its series do not take place.

    Everyone who has a seat is told once, with a word why. Refuses as `planning.call_off` does.
    """
    series = await _lock_series_of(conn, community, id)
    _actor, this = await planning.at_hand(conn, community, id, by, "call_off")
    known = await planning.setting(conn, community)
    await conn.execute(
        update(table)
        .where(table.c.community_id == community, table.c.id == series.id)
        .values(ended_at=now.at)
    )
    await _drop(conn, known, await _from(conn, this), words=words, by=by, now=now)
    await note(conn, this, "series.ended", by=by, now=now)


async def _drop(
    conn: AsyncConnection,
    known: Setting,
    found: list[Gathering],
    *,
    words: str = "",
    by: UUID,
    now: Moment,
) -> None:
    """Dates that the series gives no more; those that mattered to nobody are simply not there."""
    for one in found:
        more = {} if _matters(one) else {"occurs_on": None}
        await planning.set_called_off(conn, one, words, now=now, **more)
    told = [one for one in found if _matters(one)]
    if told:
        await gathering_mails.called_off(conn, known.here, told, words, by=by, now=now)


def _matters(one: Gathering) -> bool:
    """Whether anybody has been asked, or comes."""
    return any(seat.answer is not Answer.NO for seat in one.seats)
