"""One member's statement of a month: what stands on it, and how it is drawn in large print.

Plain values and nothing of a database, so that another process may draw them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from ledger import ZERO, Minutes
from timebank.i18n import format_day, format_minutes, format_month, translations
from timebank.paper.page import Column, Paper

SIZE = 16.0
"""Points: the smallest letters on a statement."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month."""

    first: date

    @classmethod
    def of(cls, day: date) -> Month:
        """The month this day is in."""
        return cls(day.replace(day=1))

    @classmethod
    def parse(cls, text: str) -> Month:
        """From `2026-04`. Raises `ValueError`."""
        year, _, month = text.partition("-")
        if not (text.isascii() and len(year) == 4 and len(month) == 2 and (year + month).isdigit()):
            raise ValueError(text)
        return cls(date(int(year), int(month), 1))

    @property
    def after(self) -> Month:
        """The month after it."""
        return Month.of(self.first + timedelta(days=31))

    @property
    def before(self) -> Month:
        """The month before it."""
        return Month.of(self.first - timedelta(days=1))

    @property
    def last(self) -> date:
        """Its last day."""
        return self.after.first - timedelta(days=1)

    def __str__(self) -> str:
        return self.first.strftime("%Y-%m")


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """One line in words; `minutes` are signed, `balance` is what it left behind."""

    day: date
    words: str
    minutes: Minutes
    balance: Minutes
    undone: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry that waits, in words, and what it would move, signed."""

    day: date
    words: str
    minutes: Minutes


@dataclass(slots=True)
class PrintedStatement:
    """All that stands on one member's statement of a month, in the language they read.

    `given` and `received` are help of this month; `gifts` are hours that were given as such.
    """

    language: str
    community: str
    name: str
    area: str
    month: Month
    opening: Minutes
    closing: Minutes
    to_ask: Sequence[str]
    seal: str
    printed_on: date
    given: Minutes = ZERO
    received: Minutes = ZERO
    gifts: Minutes = ZERO
    lines: list[PrintedLine] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        """Whether nothing happened and nothing waits."""
        return not self.lines and not self.waiting


# ── Drawing ──────────────────────────────────────────────────────────────────────────────────────

_DAY, _HOURS, _BALANCE = 24.0, 23.0, 26.0


def begin(title: str, language: str, at: datetime) -> Paper:
    """A document for statements."""
    return Paper(title, language, size=SIZE, at=at)


def draw(paper: Paper, page: PrintedStatement) -> None:
    """One statement, on as many pages as it needs and at least one."""
    _ = translations(page.language).gettext
    month = format_month(page.month.first, page.language)
    paper.page()
    overleaf = 1

    def goes_on() -> None:
        nonlocal overleaf
        overleaf += 1
        going_on = _("{name}, {month}, page {number}")
        paper.words(going_on.format(name=page.name, month=month, number=overleaf), bold=True)
        paper.gap(3)

    paper.overleaf = goes_on
    paper.words(" · ".join(filter(None, (page.community, page.area))))
    paper.words(page.name, size=26, bold=True)
    paper.words(_("Statement for {month}").format(month=month), size=20)
    paper.gap(4)
    _sums(paper, page)
    _table(paper, page)
    _waits(paper, page)
    _closing_words(paper, page)


def _sums(paper: Paper, page: PrintedStatement) -> None:
    _ = translations(page.language).gettext
    facts = {"given": format_minutes(page.given), "received": format_minutes(page.received)}
    paper.words(_("In this month you gave {given} and received {received}.").format(**facts))
    if page.gifts:
        gifts = format_minutes(page.gifts, signed=True)
        paper.words(_("Gifts of hours: {gifts}.").format(gifts=gifts))
    last = format_day(page.month.last, page.language, "short")
    balance = format_minutes(page.closing)
    said = _("Your balance on {day}: {balance}").format(day=last, balance=balance)
    paper.words(said, bold=True)
    if page.closing < ZERO:
        paper.words(_("Below zero is ordinary: somebody has to receive so that others can give."))
    paper.gap(4)


def _table(paper: Paper, page: PrintedStatement) -> None:
    _ = translations(page.language).gettext
    what = paper.width - _DAY - _HOURS - _BALANCE
    columns = (
        Column(_("Day"), _DAY),
        Column(_("What"), what),
        Column(_("Hours"), _HOURS, right=True),
        Column(_("Balance"), _BALANCE, right=True),
    )
    if not page.lines:
        paper.words(_("Nothing was written on your statement in this month."))
        return
    paper.heads(columns)
    paper.row(columns, ("", _("At the start"), "", format_minutes(page.opening)))
    for line in page.lines:
        paper.row(
            columns,
            (
                _short(line.day, page.language),
                line.words,
                format_minutes(line.minutes, signed=True),
                format_minutes(line.balance),
            ),
            struck=(2,) if line.undone else (),
        )
    paper.row(columns, ("", _("At the end"), "", format_minutes(page.closing)), bold=True)


def _waits(paper: Paper, page: PrintedStatement) -> None:
    if not page.waiting:
        return
    _ = translations(page.language).gettext
    columns = (
        Column("", _DAY),
        Column("", paper.width - _DAY - _HOURS),
        Column("", _HOURS, right=True),
    )
    paper.gap(6)
    paper.words(_("Still waiting, and not counted yet"), bold=True)
    for one in page.waiting:
        hours = format_minutes(one.minutes, signed=True)
        paper.row(columns, (_short(one.day, page.language), one.words, hours))


def _closing_words(paper: Paper, page: PrintedStatement) -> None:
    _ = translations(page.language).gettext
    paper.gap(6)
    paper.words(_("Is something not right, or missing?"), bold=True)
    said = _("Tell a coordinator, or write it on this page and hand it back.")
    if page.to_ask:
        said = _("Tell a coordinator: {names}. Or write it on this page and hand it back.")
    together = _("We look at it together, and what was wrong is undone.")
    paper.words(f"{said} {together}".format(names="; ".join(page.to_ask)))
    if page.seal:
        paper.gap(4)
        day = format_day(page.printed_on, page.language, "short")
        paper.words(
            _("The seal of our books on {day}:").format(day=day)
            + f"\n{page.seal}\n"
            + _("Keep this page: with it anyone can check that no line up to then was changed.")
        )


def _short(day: date, language: str) -> str:
    return format_day(day, language, "tiny")
