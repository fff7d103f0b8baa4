"""Reports of any period, for a board or a funder: on screen, on paper, as a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import Response

from timebank import reports
from timebank.periods import Month, Period
from web.forms import Form
from web.pages import gettext, here, look, now, page
from web.report_words import ReportWords, as_file
from web.stories import Gettext

_LONGEST = timedelta(days=366 * 50)
_LAST_DAY = date(9998, 12, 31)


@dataclass(frozen=True, slots=True)
class Choice:
    """A period that is often asked for."""

    words: str
    period: Period
    current: bool

    @property
    def query(self) -> str:
        """How an address asks for it."""
        return _query(self.period)


async def show(request: Request) -> Response:
    """The report of a month, a quarter, a year, or of any days; at first, of the last month."""
    at, _ = here(request), gettext(request)
    today = now(request).day_in(at.community.timezone)
    form, period = _asked(request, today, _)
    async with look(request) as conn:
        report = await reports.make(conn, at.community.id, period, by=at.me.id)
    name = f"report-{period.first}-{period.last}"
    file = as_file(request, report, name) if form.ok else None
    if file is not None:
        return file
    return page(
        request,
        "reports/show.html",
        status=200 if form.ok else 422,
        report=report,
        say=ReportWords(request),
        form=form,
        choices=_choices(today, period, _),
        query=_query(period),
        unfinished=period.last >= today,
    )


def _asked(request: Request, today: date, _: Gettext) -> tuple[Form, Period]:
    """The period from the query; the last month where none, or one with a mistake, is asked for."""
    form = Form(request.query_params)
    usual = Month.of(today).previous.period
    first = form.day("first", required=False)
    last = form.day("last", required=False) or today
    if first is None:
        if form.has("last") and form.ok and form.raw("last"):
            form.mistake("first", _("Say from which day on."))
        return form, usual
    if last < first:
        form.mistake("last", _("This day is before the first one."))
    elif last > _LAST_DAY or last - first > _LONGEST:
        form.mistake("last", _("This is too long. Choose fifty years at most."))
    return form, Period(first, last) if form.ok else usual


def _choices(today: date, asked: Period, _: Gettext) -> list[Choice]:
    month, quarter, year = Month.of(today), Period.quarter(today), Period.year(today)
    periods = (
        (_("Last month"), month.previous.period),
        (_("This month"), month.period),
        (_("Last quarter"), Period.quarter(quarter.first - timedelta(days=1))),
        (_("This quarter"), quarter),
        (_("Last year"), Period.year(year.first - timedelta(days=1))),
        (_("This year"), year),
    )
    return [Choice(words, period, period == asked) for words, period in periods]


def _query(period: Period) -> str:
    return f"?first={period.first}&last={period.last}"
