"""Months: which are closed and what was reported of them; closing one, and opening it again."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import agreements, closing, lists, months, policy, reports
from timebank.closing import Unsettled
from timebank.errors import NotFound
from timebank.months import Closing, Standing, Step, StepKind, closes_on
from timebank.periods import Month
from web import downloads
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, look, now, page, read, see_other, words
from web.report_words import ReportWords, as_file
from web.stories import Gettext, Teller

LISTED = 50
"""So many waiting entries, and as many gatherings, are listed before a month is closed."""


class Row(NamedTuple):
    """One month of the list: `closable` on and after its closing day."""

    standing: Standing
    closable: bool


async def index(request: Request) -> Response:
    """The months of a year, the latest first."""
    at = here(request)
    today = now(request).day_in(at.community.timezone)
    async with read(request) as conn:
        terms = (await agreements.current(conn, at.community.id)).terms
        begun = await months.first_counted(conn, at.community.id)
        begun = min(begun or today, at.community.day_of(at.community.created_at))
        year = _year(request, begun.year, today.year)
        first = max(Month.of(begun), Month(year, 1))
        last = min(Month.of(today), Month(year, 12))
        if format := downloads.wanted(request):
            listed = await lists.months_of(conn, at.community.id, first, last)
            return await downloads.send(request, listed, format)
        found = await months.between(conn, at.community.id, first, last)
    rows = [Row(one, _closable(one, closes_on(terms, one.month), today)) for one in found]
    return page(
        request,
        "months/index.html",
        rows=rows,
        year=year,
        years=range(today.year, begun.year - 1, -1),
        closing_day=terms.closing_day,
        may_close=policy.may_close_month(at.me),
        say=ReportWords(request),
    )


async def show(request: Request) -> Response:
    """The report of a closed month; of an open one, what still waits and the way to close it."""
    month = _month(request)
    async with look(request) as conn:
        standing = await months.standing(conn, here(request).community.id, month)
    if standing.is_open:
        return await _open_page(request, standing, Form.blank())
    return await _closed_page(request, standing, Form.blank())


async def number(request: Request) -> Response:
    """The report of one closing, also of an earlier one."""
    at, month = here(request), _month(request)
    async with look(request) as conn:
        standing = await months.standing(conn, at.community.id, month)
    return await _closed_page(
        request, standing, Form.blank(), number=int(request.path_params["number"])
    )


async def close(request: Request) -> Response:
    """Close a month."""
    at, month, _ = here(request), _month(request), gettext(request)
    form = Form(await request.form())

    async def work(conn: AsyncConnection) -> Closing:
        return await closing.close(conn, at.community.id, month, by=at.me.id, now=now(request))

    closed = await attempt(request, form, work)
    if closed is None:
        async with read(request) as conn:
            standing = await months.standing(conn, at.community.id, month)
        return await _open_page(request, standing, form, status=422)
    said = _("%(month)s is closed. Its report stays as it is now.")
    return _back(request, month, said)


async def reopen(request: Request) -> Response:
    """Ask another steward to agree that a month is opened again."""
    at, month, _ = here(request), _month(request), gettext(request)
    form = Form(await request.form())
    reason = form.text("words", limit=1000, lines=True)

    async def work(conn: AsyncConnection) -> bool:
        await closing.ask_to_reopen(
            conn, at.community.id, month, reason, by=at.me.id, now=now(request)
        )
        return True

    if await attempt(request, form, work) is None:
        return await _again(request, month, form)
    return _back(request, month, _("Asked. Another steward has to agree before it is open again."))


async def agree(request: Request) -> Response:
    """The second steward agrees: the month is open again."""
    at, month, _ = here(request), _month(request), gettext(request)
    form = Form(await request.form())

    async def work(conn: AsyncConnection) -> bool:
        await closing.reopen(conn, at.community.id, month, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, work) is None:
        return await _again(request, month, form)
    return _back(request, month, _("%(month)s is open again. It waits to be closed anew."))


async def keep(request: Request) -> Response:
    """The month stays closed after all."""
    at, month, _ = here(request), _month(request), gettext(request)
    form = Form(await request.form())
    said = form.text("words", required=False, limit=1000, lines=True)

    async def work(conn: AsyncConnection) -> bool:
        await closing.keep_closed(conn, at.community.id, month, said, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, work) is None:
        return await _again(request, month, form)
    return _back(request, month, _("%(month)s stays closed."))


def _back(request: Request, month: Month, said: str) -> Response:
    facts = {"month": ReportWords(request).month(month)}
    return see_other(request, "months:show", month=month, said=said % facts)


async def _again(request: Request, month: Month, form: Form) -> Response:
    """The page of a month with what was wrong about it."""
    async with read(request) as conn:
        standing = await months.standing(conn, here(request).community.id, month)
    show_again = _open_page if standing.is_open else _closed_page
    return await show_again(request, standing, form, status=422)


async def _closed_page(
    request: Request,
    standing: Standing,
    form: Form,
    *,
    number: int | None = None,
    status: int = 200,
) -> Response:
    at, month = here(request), standing.month
    async with look(request) as conn:
        kept = await months.closing(conn, at.community.id, month, number)
        story = await months.story(conn, at.community.id, month)
    report = reports.from_json(kept.report)
    name = f"report-{month}-{kept.number}" if kept.number > 1 else f"report-{month}"
    file = as_file(request, report, name)
    if file is not None:
        return file
    say = ReportWords(request)
    return page(
        request,
        "months/closed.html",
        status=status,
        standing=standing,
        closing=kept,
        report=report,
        say=say,
        earlier=range(standing.closings, 0, -1) if standing.closings > 1 else (),
        is_latest=kept.number == standing.closings,
        story=[(step, _told(step, gettext(request))) for step in story],
        form=form,
        may_reopen=policy.may_reopen_month(at.me) and kept.number == standing.closings,
        asked_by_me=standing.asked_by == at.me.id,
        seal=f"{kept.seq}:{kept.hash.hex()[:20]}" if kept.seq else "",
    )


async def _open_page(
    request: Request, standing: Standing, form: Form, *, status: int = 200
) -> Response:
    """An open month: members read when it will be closed, coordinators what still waits."""
    at, month = here(request), standing.month
    coordinates = policy.may_close_month(at.me)
    today = now(request).day_in(at.community.timezone)
    waiting = Unsettled((), 0, (), 0)
    async with read(request) as conn:
        terms = (await agreements.current(conn, at.community.id)).terms
        story = await months.story(conn, at.community.id, month)
        if coordinates:
            waiting = await closing.unsettled(conn, at.community, month, limit=LISTED)
    day = closes_on(terms, month)
    return page(
        request,
        "months/open.html",
        status=status,
        standing=standing,
        month=month,
        day=day,
        closable=_closable(standing, day, today),
        is_over=month.last < today,
        to_come=month.first > today,
        coordinates=coordinates,
        waiting=waiting,
        earlier=range(standing.closings, 0, -1),
        story=[(step, _told(step, gettext(request))) for step in story],
        terms=terms,
        form=form,
        say=ReportWords(request),
        tell=Teller(words(request), at.me.id),
    )


def _closable(standing: Standing, day: date | None, today: date) -> bool:
    return standing.is_open and day is not None and day <= today


def _month(request: Request) -> Month:
    try:
        return Month.parse(request.path_params["month"])
    except ValueError:
        raise NotFound("month") from None


def _year(request: Request, earliest: int, latest: int) -> int:
    asked = Form(request.query_params).number("year", earliest, latest, required=False)
    return asked or latest


def _told(step: Step, _: Gettext) -> str:
    """What happened, and who did it."""
    sentences = {
        StepKind.DUE: _("The day to close it came"),
        StepKind.CLOSED: _("%(name)s closed it"),
        StepKind.ASKED: _("%(name)s asked to open it again"),
        StepKind.REOPENED: _("%(name)s agreed, and it was open again"),
        StepKind.KEPT: _("It stayed closed, said %(name)s"),
    }
    return sentences[step.kind] % {"name": step.name or _("Somebody who has left")}
