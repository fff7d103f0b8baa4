"""A report in the reader's words: the same for one made now and for one kept long ago."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from ledger import Minutes
from timebank import reports
from timebank.entry import Kind
from timebank.i18n import format_day, format_minutes, format_month
from timebank.periods import Month, Period
from timebank.reports import Line, Report, Table
from timebank.small_counts import FEWEST
from timebank.spreadsheet import Cell
from timebank.spreadsheet import Table as Sheet
from web.downloads import download, wanted
from web.pages import gettext, language, ngettext
from web.stories import kind_label


@dataclass(frozen=True, slots=True)
class Heading:
    """What a table of a report is called: a title, and what its rows are about."""

    title: str
    rows: str


class ReportWords:
    """Says what stands in a report."""

    def __init__(self, request: Request) -> None:
        self._gettext = gettext(request)
        self._ngettext = ngettext(request)
        self._language = language(request)

    def period(self, period: Period) -> str:
        """`November 2026`, `2026`, or from a day to a day."""
        if period.month is not None:
            return _capital(format_month(period.first, self._language))
        if period == Period.year(period.first):
            return str(period.first.year)
        _ = self._gettext
        return _("%(first)s to %(last)s") % {
            "first": format_day(period.first, self._language, "short"),
            "last": format_day(period.last, self._language, "short"),
        }

    def month(self, month: Month) -> str:
        """`November 2026`, to begin a line with."""
        return _capital(format_month(month.first, self._language))

    def month_within(self, month: Month) -> str:
        """The same, within a sentence."""
        return format_month(month.first, self._language)

    def heading(self, table: Table) -> Heading:
        """What a table is called."""
        _ = self._gettext
        return {
            "kind": Heading(_("Kinds of hours"), _("Kind")),
            "category": Heading(_("What it was about"), _("Category")),
            "area": Heading(_("Where people live"), _("Area")),
            "sector": Heading(_("Organisations and sectors"), _("Sector or organisation")),
            "organisation": Heading(_("Organisations"), _("Organisation")),
            "month": Heading(_("Month by month"), _("Month")),
        }[table.name]

    def line(self, line: Line, table: Table) -> str:
        """What a row of a table is about."""
        _ = self._gettext
        named = {
            "total": lambda: _("All together"),
            "together": lambda: self._together(table),
            "neighbours": lambda: _("Here as neighbours"),
            "none": lambda: self._none(table),
        }
        if line.key in named:
            return named[line.key]()
        if table.name == "kind":
            return _capital(kind_label(Kind(line.key), _))
        return self.month(Month.parse(line.key)) if table.name == "month" else line.name

    def _together(self, table: Table) -> str:
        """The sum of what is too small to be shown alone."""
        ngettext = self._ngettext
        rows = {
            "category": ngettext("%(n)d other category", "%(n)d other categories", table.folded),
            "area": ngettext("%(n)d other area", "%(n)d other areas", table.folded),
            "sector": ngettext("%(n)d other sector", "%(n)d other sectors", table.folded),
            "organisation": ngettext(
                "%(n)d other organisation", "%(n)d other organisations", table.folded
            ),
            "month": ngettext("%(n)d other month", "%(n)d other months", table.folded),
            "kind": ngettext("%(n)d other kind", "%(n)d other kinds", table.folded),
        }
        return rows[table.name] % {"n": table.folded}

    def _none(self, table: Table) -> str:
        _ = self._gettext
        return {
            "category": _("No category named"),
            "area": _("No area named"),
            "sector": _("No sector named"),
        }[table.name]

    def people(self, count: int) -> str:
        """`12 people`."""
        return self._ngettext("%(n)d person", "%(n)d people", count) % {"n": count}

    def who(self, report: Report) -> str:
        """How many gave, received and did both, as far as it may be said."""
        _, numbers = self._gettext, report.numbers
        if numbers["active"] is None:
            return _("Fewer than five people gave or received hours, so nothing of it is shown.")
        if not numbers["active"]:
            return _("Nobody gave or received hours.")
        parts = [
            sentence % {"n": count}
            for name, sentence in (
                ("gave", _("%(n)d gave")),
                ("received", _("%(n)d received")),
                ("both", _("%(n)d did both")),
            )
            if (count := numbers[name])
        ]
        said = _("%(people)s gave or received hours") % {"people": self.people(numbers["active"])}
        return f"{said}: {', '.join(parts)}." if parts else f"{said}."

    def exchanges(self, report: Report) -> str:
        """How often, and how many organisations were among them."""
        ngettext, numbers = self._ngettext, report.numbers
        times, houses = numbers["exchanges"] or 0, numbers["organisations"] or 0
        said = ngettext("%(n)d exchange", "%(n)d exchanges", times) % {"n": times}
        if houses:
            also = ngettext("%(n)d organisation took part", "%(n)d organisations took part", houses)
            return f"{said}, {also % {'n': houses}}."
        return f"{said}."

    def commons(self, report: Report) -> str:
        """What the commons gave and received."""
        _ = self._gettext
        gave, got = report.numbers["commons_gave"] or 0, report.numbers["commons_received"] or 0
        facts = {"received": _time(got), "given": _time(gave)}
        if gave and got:
            return _("The commons received %(received)s for all of us, and gave %(given)s.") % facts
        if got:
            return _("The commons received %(received)s for all of us.") % facts
        return _("The commons gave %(given)s.") % facts if gave else ""

    def late(self, report: Report) -> str:
        """What of it belongs to months that were closed before."""
        _, numbers = self._gettext, report.numbers
        said = []
        if numbers["late"]:
            said.append(
                _("Late: %(late)s of it happened in months that were closed already.")
                % {"late": _time(numbers["late"])}
            )
        if numbers["taken_back"]:
            said.append(
                _("Taken back: %(back)s that had been reported before was undone.")
                % {"back": _time(numbers["taken_back"])}
            )
        return " ".join(said)

    def others(self, report: Report) -> list[tuple[str, str]]:
        """The other figures: what each is, and what it comes to. Hidden ones say so."""
        numbers = report.numbers
        return [
            (self.others_called(name), self._figure(name, numbers.get(name)))
            for name, needs in _OTHERS.items()
            if numbers.get(needs) != 0
        ]

    def labels(self) -> Mapping[str, str]:
        """What all the figures beside the tables are called, in their order."""
        _ = self._gettext
        return {
            "active": _("People who gave or received hours"),
            "gave": _("People who gave"),
            "received": _("People who received"),
            "both": _("People who did both"),
            "organisations": _("Organisations that took part"),
            "exchanges": _("Exchanges"),
            "commons_gave": _("Help given by the commons, in minutes"),
            "commons_received": _("Help received by the commons, in minutes"),
            "late": _("Late, from months that were closed already, in minutes"),
            "taken_back": _("Taken back of what had been reported before, in minutes"),
            "joined": _("People who joined"),
            "joined_and_exchanged": _("People who joined and exchanged hours already"),
            "organisations_joined": _("Organisations that joined"),
            "first": _("People who exchanged hours for the first time"),
            "days_to_first": _("From joining to the first exchange, half of them within (days)"),
            "seconds_waited": _("From writing down to counting, half of them within (seconds)"),
            "gatherings": _("Gatherings held"),
            "came": _("People who came to gatherings"),
            "requests": _("Requests made"),
            "unanswered": _("Requests that nobody has answered"),
        }

    def others_called(self, name: str) -> str:
        """What a figure is called on a page, where it stands with its unit."""
        _ = self._gettext
        return {
            "days_to_first": _("From joining to the first exchange, half of them within"),
            "seconds_waited": _("From writing down to counting, half of them within"),
        }.get(name) or self.labels()[name]

    def _figure(self, name: str, value: int | None) -> str:
        _, ngettext = self._gettext, self._ngettext
        if value is None:
            return _("not shown")
        if name == "days_to_first":
            return ngettext("%(n)d day", "%(n)d days", value) % {"n": value}
        if name == "seconds_waited":
            return self._while(timedelta(seconds=value))
        return str(value)

    def _while(self, passed: timedelta) -> str:
        ngettext = self._ngettext
        hours = round(passed.total_seconds() / 3600)
        if hours < 1:
            return self._gettext("an hour")
        if hours < 48:
            return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
        days = round(hours / 24)
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}

    def few(self) -> str:
        """Why one figure is not there."""
        return self._gettext("too few people to be shown")

    def hidden(self) -> str:
        """Why some figures are not there."""
        _ = self._gettext
        return _(
            "Nothing is shown about fewer than %(n)d people, nor what it could be worked out from: "
            "small rows stand together. Gifts of hours are not counted as help, and what was "
            "undone is not counted at all."
        ) % {"n": FEWEST}


_OTHERS = {
    "joined": "active",
    "joined_and_exchanged": "joined",
    "organisations_joined": "organisations_joined",
    "first": "active",
    "days_to_first": "first",
    "seconds_waited": "exchanges",
    "gatherings": "gatherings",
    "came": "gatherings",
    "requests": "requests",
    "unanswered": "requests",
}
"""The other figures, each with the one that it means nothing without (its own, where it is 0)."""


def as_file(request: Request, report: Report, name: str) -> Response | None:
    """The report as a file, if one was asked for: `as=csv`, `xlsx`, or `json` as it is kept."""
    if request.query_params.get("as") == "json":
        return Response(
            reports.as_json(report),
            media_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}.json"'},
        )
    format = wanted(request)
    if format is None:
        return None
    return download(sheet(report, ReportWords(request), name), format)


HEADINGS = ("about", "row", "people", "given_minutes", "received_minutes", "figure", "note")


def sheet(report: Report, say: ReportWords, name: str) -> Sheet:
    """The report as one table: a row for each figure; minutes, and an empty cell for what hides."""
    return Sheet(name, HEADINGS, list(_sheet_rows(report, say)))


def _sheet_rows(report: Report, say: ReportWords) -> Iterator[list[Cell]]:
    about = say.period(report.period)
    for name, label in say.labels().items():
        value = report.numbers.get(name)
        yield [about, label, None, None, None, value, say.few() if value is None else None]
    for table in report.tables:
        yield from _table_rows(table, say, say.heading(table).title)


def _table_rows(table: Table, say: ReportWords, about: str) -> Iterator[list[Cell]]:
    for line in table.lines:
        name = say.line(line, table)
        yield [about, name, line.people, line.given, line.received, None, None]
        if line.parts is not None:
            yield from _table_rows(line.parts, say, f"{about}: {name}")
    for end in (table.together, table.total if table.name != "organisation" else None):
        if end is not None:
            name = say.line(end, table)
            yield [about, name, end.people, end.given, end.received, None, None]


def _time(minutes: int) -> str:
    return format_minutes(Minutes(minutes))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
