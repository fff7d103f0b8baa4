"""Handouts: the blank sign-in sheet, the member list and the notice-board, as PDFs.

Each is a pure function of what stands on it, in the language of whoever prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from timebank.i18n import format_day, translations
from timebank.listings import ListingKind
from timebank.noticeboard import Notice
from timebank.paper.page import Column, Paper

_ROW = 11.0  # millimetres: high enough to write in
_TOGETHER = 45.0  # millimetres that a heading and the notice below it stay together on


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty sheet: lines to fill in at the top, then rows with these columns.

    `columns` are pairs of a heading and a share of the width.
    """

    title: str
    head: Sequence[str]
    columns: Sequence[tuple[str, float]]
    note: str = ""
    landscape: bool = False


@dataclass(frozen=True, slots=True)
class PrintedMember:
    """A member on the list: as far as whoever prints it may see."""

    name: str
    phone: str
    area: str
    offers: str
    requests: str


def blank(sheet: Blank, community: str, language: str, *, at: datetime) -> bytes:
    """An empty sheet on one page, with as many rows as there is room for."""
    paper = Paper(sheet.title, language, size=13, at=at, landscape=sheet.landscape)
    paper.page()
    paper.words(community, size=12)
    paper.words(sheet.title, size=22, bold=True)
    paper.gap(3)
    for label in sheet.head:
        paper.fill_in(label, _ROW)
    paper.gap(5)
    columns = [
        Column(heading, share * (paper.width - 10)) for heading, share in _shares(sheet.columns)
    ]
    numbered = [Column("", 10.0), *columns]
    paper.heads(numbered)
    room_for_note = 12 if sheet.note else 0
    number = 0
    while paper.room - room_for_note >= _ROW:
        number += 1
        paper.cells([column.width for column in numbered], _ROW, str(number))
    if sheet.note:
        paper.gap(3)
        paper.words(sheet.note, size=11)
    return paper.bytes()


def _shares(columns: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """The columns with shares that add up to one."""
    total = sum(share for _, share in columns)
    return [(heading, share / total) for heading, share in columns]


def member_list(
    rows: Iterable[PrintedMember], community: str, language: str, *, at: datetime, day: str
) -> bytes:
    """Everybody with telephone, area, offers and requests."""
    _ = translations(language).gettext
    title = _("Who is here")
    paper = Paper(title, language, size=11.5, at=at)
    columns = (
        Column(_("Name"), 42),
        Column(_("Telephone"), 32),
        Column(_("Area"), 28),
        Column(_("Offers, and asks for"), paper.width - 102),
    )
    paper.overleaf = lambda: paper.heads(columns)
    paper.page()
    paper.words(f"{community} · {day}")
    paper.words(title, size=22, bold=True)
    paper.gap(3)
    paper.heads(columns)
    for row in rows:
        both = [row.offers] if row.offers else []
        if row.requests:
            both.append(_("Asks for: {requests}").format(requests=row.requests))
        paper.row(columns, (row.name, row.phone, row.area, "\n".join(both)))
    return paper.bytes()


def board(
    notices: Sequence[Notice], community: str, language: str, *, at: datetime, phones: bool
) -> bytes:
    """Offers and requests in big letters, to be read from a step away."""
    _ = translations(language).gettext
    paper = Paper(_("Notice-board"), language, size=16, at=at)
    paper.page()
    paper.words(community, size=30, bold=True)
    if not notices:
        paper.words(_("Nothing is offered or asked for at the moment."))
    kinds = {ListingKind.OFFER: _("Offered"), ListingKind.REQUEST: _("Asked for")}
    for kind, of_kind in groupby(notices, lambda notice: notice.kind):
        paper.need(_TOGETHER + 12)
        paper.gap(6)
        paper.words(kinds[kind], size=26, bold=True)
        for category, some in groupby(of_kind, lambda notice: notice.category):
            if category:
                paper.need(_TOGETHER)
                paper.gap(5)
                paper.words(category, size=18)
            for notice in some:
                _pin(paper, notice, language, phones=phones)
    return paper.bytes()


def _pin(paper: Paper, notice: Notice, language: str, *, phones: bool) -> None:
    """One notice: what, in a few more words, and whom to ask until when."""
    _ = translations(language).gettext
    paper.need(_TOGETHER - 15)
    paper.gap(2)
    paper.rule(grey=190)
    paper.gap(2)
    paper.words(notice.title, size=20, bold=True)
    if notice.words:
        paper.words(notice.words)
    name = ", ".join(filter(None, (notice.name, notice.phone if phones else "")))
    until = format_day(notice.until, language, "short")
    said = _("Ask {name}. Until {day}.").format(name=name, day=until)
    paper.words(f"{notice.area} · {said}" if notice.area else said)
