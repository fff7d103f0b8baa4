"""The calendar: a month at a glance, the reader's own calendar, and whether everybody sees it."""

from __future__ import annotations

import calendar as months
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import acting, agenda, feeds, formats, policy
from timebank.agenda import Line
from timebank.i18n import format_month, weekdays
from timebank.recurrence import local, moment
from web.attempt import attempt
from web.forms import Form
from web.gathering_words import Telling
from web.gatherings import chosen, narrowed, shown_query
from web.pages import (
    gettext,
    here,
    language,
    now,
    page,
    path_of,
    read,
    see_other,
    settings,
)

_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a month, and what takes place on it."""

    day: date
    lines: list[Line]


async def show(request: Request) -> Response:
    """A month, as a table of days and as a list below it."""
    at = here(request)
    form = Form(request.query_params)
    choice = chosen(form)
    today = now(request).day_in(at.community.timezone)
    first = _month(request.query_params.get("month", ""), today)
    last = _next(first)
    zone = at.community.timezone
    async with read(request) as conn:
        actor = await acting.one(conn, at.community.id, at.me.id)
        lines = await agenda.between(
            conn, actor, _begin(first, zone), _begin(last, zone), choice=choice
        )
        areas = await agenda.areas(conn, at.community.id, after=_begin(first, zone))
        kinds = await formats.of(conn, at.community.id)
    return page(
        request,
        "calendar/show.html",
        title=format_month(first, language(request)),
        weeks=_weeks(first, lines, zone),
        names=weekdays(language(request)),
        days=_days(lines, zone),
        today=today,
        before=f"{_previous(first):%Y-%m}",
        after=f"{last:%Y-%m}",
        month=f"{first:%Y-%m}",
        choice=choice,
        form=form,
        areas=areas,
        kinds=kinds,
        query=shown_query(choice),
        narrowed=narrowed,
        tell=Telling.to(request, at.community),
        may_plan=policy.may_plan(at.me),
    )


def _begin(day: date, zone: str) -> datetime:
    """The moment a day begins there."""
    return moment(day, time(), zone)


def _month(asked: str, today: date) -> date:
    """The first day of the month that is asked for; of this one for what is no month."""
    found = _MONTH.fullmatch(asked)
    return date(int(found[1]), int(found[2]), 1) if found else today.replace(day=1)


def _next(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _previous(first: date) -> date:
    return (first - timedelta(days=1)).replace(day=1)


def _days(lines: list[Line], zone: str) -> list[Day]:
    """The days on which something begins, in their order."""
    found: dict[date, list[Line]] = {}
    for line in lines:
        found.setdefault(local(line.starts_at, zone)[0], []).append(line)
    return [Day(day, some) for day, some in sorted(found.items())]


def _weeks(first: date, lines: list[Line], zone: str) -> list[list[Day | None]]:
    """The month in weeks from Monday on; None for days of its neighbours."""
    by_day = {one.day: one.lines for one in _days(lines, zone)}
    return [
        [Day(day, by_day.get(day, [])) if day.month == first.month else None for day in week]
        for week in months.Calendar().monthdatescalendar(first.year, first.month)
    ]


# ── In one's own calendar ────────────────────────────────────────────────────────────────────────


async def ask_feed(request: Request) -> Response:
    """How one's own calendar follows; and for coordinators, whether everybody sees what is on."""
    return await _feed_page(request, None)


async def _feed_page(request: Request, address: str | None) -> Response:
    at = here(request)
    async with read(request) as conn:
        made_at = await feeds.made_at(conn, at.community.id, at.me.id)
        shown = await feeds.is_shown(conn, at.community.id)
    base = settings(request).base_url
    return page(
        request,
        "calendar/feed.html",
        made_at=made_at,
        address=address,
        shown=shown,
        opens=policy.may_open_calendar(at.me),
        public_page=f"{base}{path_of(request, 'whats_on:index')}",
        public_feed=f"{base}{path_of(request, 'whats_on:feed')}",
    )


async def renew_feed(request: Request) -> Response:
    """Make a secret address, shown this once; or end the one there is."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    if form.flag("end"):

        async def end(conn: AsyncConnection) -> None:
            await feeds.end(conn, at.community.id, by=at.me.id, now=now(request))

        await attempt(request, form, end)
        return see_other(request, "calendar:ask_feed", said=_("The address opens nothing more."))

    async def renew(conn: AsyncConnection) -> str:
        return await feeds.renew(conn, at.community.id, by=at.me.id, now=now(request))

    token = await attempt(request, form, renew)
    path = path_of(request, "feed:show", token=token or "")
    return await _feed_page(request, f"{settings(request).base_url}{path}")


async def open_to_all(request: Request) -> Response:
    """Show public gatherings to everybody on one page, or not any more."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    shown = form.raw("shown") == "1"

    async def do(conn: AsyncConnection) -> None:
        await feeds.show(conn, at.community.id, shown, by=at.me.id, now=now(request))

    await attempt(request, form, do)
    said = _("Everybody can see what is on.") if shown else _("Only members see what is on.")
    return see_other(request, "calendar:ask_feed", said=said)
