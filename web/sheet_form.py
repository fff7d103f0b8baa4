"""The sheet as a form: rows of cells, read into the lines of a sheet, each mistake beside its cell.

    entries   one row an entry: day, who gave, who received, how long, for what, about what
    people    one row a person of one happening: who, how long, whether they gave or received

A cell with a ditto mark says what the cell above says, and so does a day that is left empty. A row
in which nothing is written is no row. Names are looked up all together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import LedgerError, Minutes, NotMinutes, NotMinutesReason
from ledger.errors import NotPositive, TooMuch
from timebank import communities, days, directory
from timebank.communities import Category, Community
from timebank.directory import Choice
from timebank.entry import Kind, Side
from timebank.errors import BadInput, DayAhead, SamePersonTwice, TimebankError
from timebank.members import MemberKind
from timebank.sheets import MOST_ROWS, Checked, Line
from timebank.text import fold
from web.forms import Form
from web.messages import sentence
from web.stories import Gettext

FIRST_ROWS = 10
"""Rows of an empty sheet; with a script, more of them come by themselves."""

DITTO = frozenset(('"', "''", "″", "“", "”", "„", "«", "»", "〃"))


class Shape(StrEnum):
    """What a row of the sheet is."""

    ENTRIES = "entries"
    PEOPLE = "people"


CELLS = {
    Shape.ENTRIES: ("day", "giver", "receiver", "minutes", "note", "category"),
    Shape.PEOPLE: ("name", "minutes", "side"),
}
_NAMES = ("giver", "receiver", "name")
_BY_THEMSELVES = ("day", "side")
"""What may stand in a row in which nothing else is written: it is no row then."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet as it stands: the id its batch will have, its shape, and how many rows it shows."""

    id: UUID
    shape: Shape
    rows: int = FIRST_ROWS

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of a row, in the order in which they are typed."""
        return CELLS[self.shape]

    def longer(self) -> Sheet:
        """The same sheet with ten more rows, as long as it may have them."""
        return Sheet(self.id, self.shape, min(self.rows + FIRST_ROWS, MOST_ROWS))


@dataclass(slots=True)
class Reading:
    """What was read: the lines, how everybody in them is called, and names that are unclear.

    `choices` has whom the name in a cell can mean, by the cell's field.
    """

    lines: list[Line] = field(default_factory=list)
    called: dict[UUID, str] = field(default_factory=dict)
    choices: dict[str, Sequence[Choice]] = field(default_factory=dict)


def headings(_: Gettext) -> dict[str, str]:
    """What stands above each column, and on the paper that matches it."""
    return {
        "day": _("Day"),
        "giver": _("Who gave"),
        "receiver": _("Who received"),
        "minutes": _("How long"),
        "note": _("For what"),
        "category": _("About what"),
        "name": _("Name"),
        "side": _("Gave or received"),
    }


def from_form(form: Form, id: UUID) -> Sheet:
    """The sheet as it was sent, with as many rows as it had."""
    shape = form.choice("shape", Shape, required=False) or Shape.ENTRIES
    first = CELLS[shape][1 if shape is Shape.ENTRIES else 0]
    rows = next((n for n in range(MOST_ROWS) if not form.has(f"{first}-{n}")), MOST_ROWS)
    return Sheet(id, shape, max(rows, FIRST_ROWS))


async def read(
    conn: AsyncConnection, community: Community, sheet: Sheet, form: Form, today: date, _: Gettext
) -> Reading:
    """The lines that were typed. With a mistake in the form they are not all there."""
    rows = _written(sheet, form)
    if not rows:
        form.mistake(f"{sheet.cells[0]}-0", _("Nothing is written on this sheet yet."))
    typed = {row.texts[cell] for row in rows for cell in _NAMES if row.texts.get(cell)}
    if sheet.shape is Shape.PEOPLE:
        typed |= {form.text("other")}
    reader = _Reader(
        community,
        form,
        today,
        _,
        await directory.resolve_many(conn, community.id, typed),
        await communities.categories_of(conn, community.id),
    )
    if sheet.shape is Shape.ENTRIES:
        reader.entries(rows, form.choice("kind", Kind))
    else:
        reader.people(rows)
    return reader.found


def refused(sheet: Sheet, form: Form, checked: Iterable[Checked], _: Gettext) -> None:
    """Put what the agreement refuses beside the cell it is about."""
    for one in checked:
        if one.refused is not None:
            refuse(sheet, form, one.line.row, one.refused, _)


def refuse(
    sheet: Sheet, form: Form, row: int, error: TimebankError | LedgerError, _: Gettext
) -> None:
    """Put one refusal beside the cell of its row."""
    cell = _cell_of(error)
    if cell not in sheet.cells:
        cell = sheet.cells[0]
    form.mistake(f"{cell}-{row - 1}", sentence(error, _))


def _cell_of(error: TimebankError | LedgerError) -> str:
    if isinstance(error, NotPositive | TooMuch | NotMinutes):
        return "minutes"
    if isinstance(error, DayAhead):
        return "day"
    if isinstance(error, SamePersonTwice):
        return "receiver"
    return error.field if isinstance(error, BadInput) else "giver"


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Row:
    """One row that somebody wrote in, with what its ditto marks stand for."""

    number: int
    texts: Mapping[str, str]

    def field(self, cell: str) -> str:
        return f"{cell}-{self.number}"


def _written(sheet: Sheet, form: Form) -> list[_Row]:
    """The rows with something in them, each ditto mark replaced by what stands above it."""
    above: dict[str, str] = {}
    rows = []
    for number in range(sheet.rows):
        texts = {
            cell: form.text(f"{cell}-{number}", required=False, limit=1000) for cell in sheet.cells
        }
        if not any(text for cell, text in texts.items() if cell not in _BY_THEMSELVES):
            if texts.get("day") and texts["day"] not in DITTO:
                above["day"] = texts["day"]
            continue
        for cell, text in texts.items():
            if text in DITTO or (cell == "day" and not text):
                texts[cell] = above.get(cell, "")
        above = texts
        rows.append(_Row(number, texts))
    return rows


class _Reader:
    """Reads rows into lines, and notes each mistake beside its cell."""

    def __init__(
        self,
        community: Community,
        form: Form,
        today: date,
        _: Gettext,
        names: Mapping[str, Sequence[Choice]],
        categories: Sequence[Category],
    ) -> None:
        self._community, self._form, self._today, self._ = community, form, today, _
        self._names, self._categories = names, categories
        self.found = Reading()

    def entries(self, rows: Sequence[_Row], kind: Kind | None) -> None:
        """One row, one entry."""
        if kind is not None and kind.is_gift:
            self._form.mistake("kind", self._("Choose one of those offered here."))
        for row in rows:
            day = self._day(row)
            giver, receiver = self._name(row, "giver"), self._name(row, "receiver")
            minutes = self._minutes(row)
            category, known = self._category(row)
            if kind is None or day is None or giver is None or receiver is None:
                continue
            if minutes is None or not known:
                continue
            self.found.lines.append(
                Line(
                    row.number + 1,
                    kind,
                    giver.account_id,
                    receiver.account_id,
                    minutes,
                    day,
                    row.texts["note"],
                    category,
                )
            )

    def people(self, rows: Sequence[_Row]) -> None:
        """One row, one person: against whoever stands opposite all of them."""
        form, _ = self._form, self._
        kind, day = form.choice("kind", Kind), form.day("day")
        note, category = form.text("note", limit=200), form.id("category", required=False)
        lasted = form.minutes("minutes", required=False)
        other = self._named("other", form.text("other"))
        signed: dict[tuple[UUID, Side], int] = {}
        for row in rows:
            person = self._name(row, "name")
            minutes = self._minutes(row, lasted)
            side = form.choice(row.field("side"), Side, required=False) or Side.GAVE
            if person is None or other is None:
                continue
            if side is Side.RECEIVED and other.kind is MemberKind.PERSON:
                said = _(
                    "%(name)s would be given the time of everyone here. Give %(name)s a row of "
                    "their own, and let it be for the commons."
                )
                form.mistake(row.field("side"), said % {"name": other.label})
            if (before := signed.setdefault((person.account_id, side), row.number)) != row.number:
                said = _("%(name)s stands on row %(row)s already. Write both times on one row.")
                form.mistake(row.field("name"), said % {"name": person.label, "row": before + 1})
            if kind is None or day is None or minutes is None:
                continue
            pair = (person.account_id, other.account_id)
            giver, receiver = pair if side is Side.GAVE else pair[::-1]
            self.found.lines.append(
                Line(row.number + 1, kind, giver, receiver, minutes, day, note, category)
            )

    def _day(self, row: _Row) -> date | None:
        text, field = row.texts["day"], row.field("day")
        if not text:
            self._form.mistake(field, self._("Which day?"))
            return None
        try:
            return days.parse(text, today=self._today)
        except days.NotADay:
            said = self._("This is no day. Write it as 4/5 or 4 May.")
            self._form.mistake(field, said)
            return None

    def _minutes(self, row: _Row, otherwise: Minutes | None = None) -> Minutes | None:
        text, field = row.texts["minutes"], row.field("minutes")
        if not text and otherwise is not None:
            return otherwise
        try:
            return Minutes.parse(text)
        except NotMinutes as fault:
            self._form.mistake(field, _in_short(fault, self._))
            return None

    def _category(self, row: _Row) -> tuple[UUID | None, bool]:
        """The category, if one is written; and whether we know it."""
        text = fold(row.texts["category"])
        if not text:
            return None, True
        exact = [one for one in self._categories if fold(one.name) == text]
        fitting = exact or [
            one for one in self._categories if f" {fold(one.name)}".find(f" {text}") >= 0
        ]
        if len(fitting) == 1:
            return fitting[0].id, True
        self._form.mistake(
            row.field("category"),
            self._("Several begin like this. Write a little more.")
            if fitting
            else self._("We have nothing of this name. Leave it empty if nothing fits."),
        )
        return None, False

    def _name(self, row: _Row, cell: str) -> Choice | None:
        return self._named(row.field(cell), row.texts[cell])

    def _named(self, field: str, text: str) -> Choice | None:
        """Whom the name in a cell means; None, with a sentence, where that is not clear."""
        form, _ = self._form, self._
        if not text:
            form.mistake(field, _("Who?"))
            return None
        choices = [*self._names.get(text, ()), *self._commons(text)]
        picked = form.id(f"{field}-is", required=False)
        for choice in choices:
            if len(choices) == 1 or choice.account_id == picked:
                self.found.called[choice.account_id] = choice.label
                return choice
        if not choices:
            form.mistake(field, _("Nobody here is called that."))
        else:
            form.mistake(field, _("Several are called that."))
        self.found.choices[field] = choices
        return None

    def _commons(self, text: str) -> list[Choice]:
        choice = commons(self._community, self._)
        words = fold(choice.label).split()
        begun = all(any(word.startswith(one) for word in words) for one in fold(text).split())
        return [choice] if begun else []


def _in_short(fault: NotMinutes, _: Gettext) -> str:
    """Why something is no time, in few enough words for a narrow cell."""
    if fault.reason is NotMinutesReason.EMPTY:
        return _("How long?")
    if fault.reason is NotMinutesReason.AMBIGUOUS:
        return _("%(text)s h or %(text)s min?") % {"text": fault.text.strip()}
    return _("Write it as 1:30 or 90 min.")


def commons(community: Community, _: Gettext) -> Choice:
    """The commons, as one more that can be named."""
    return Choice(community.commons_id, _("the commons"), MemberKind.ORGANISATION)
