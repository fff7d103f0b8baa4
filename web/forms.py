"""A form as somebody sent it: each field is read into a value, each mistake noted beside it.

    form = Form(await request.form())
    name = form.text("name", limit=100)
    if form.ok: …

Every reader returns None (text: "") where the field is empty or wrong. Fields nobody reads do
nothing. A field sent twice that may stand once only is a mistake, and so is a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from starlette.datastructures import FormData, ImmutableMultiDict, QueryParams

from ledger import Minutes, NotMinutes
from ledger.errors import LedgerError
from timebank.errors import BadInput, TimebankError
from timebank.text import NotText, clean
from web.messages import field_of, sentence

E = TypeVar("E", bound=StrEnum)
Gettext = Callable[[str], str]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
_FIRST_DAY = date(1900, 1, 1)
_LONGEST_RAW = 10_000  # what is shown again of a field that was refused


class Form:
    """The fields that were sent, and the mistakes in them.

    `mistakes` maps a field to its sentence; the sentence at "" is about the whole form. They are in
    English until a page that shows the form has it `speak` the reader's language.
    """

    def __init__(self, fields: FormData | QueryParams | Mapping[str, str]) -> None:
        self._fields: dict[str, list[object]] = {}
        pairs = fields.multi_items() if isinstance(fields, ImmutableMultiDict) else fields.items()
        for name, value in pairs:
            self._fields.setdefault(name, []).append(value)
        self._faults: dict[str, BadInput | LedgerError | str] = {}
        self._gettext: Gettext = str
        self.labels: dict[str, str] = {}

    @classmethod
    def blank(cls) -> Form:
        """A form nobody has filled in yet."""
        return cls({})

    @classmethod
    def of(cls, kept: Mapping[str, str]) -> Form:
        """A form filled in with what is kept."""
        return cls(kept)

    @property
    def ok(self) -> bool:
        """Whether no mistake was found so far."""
        return not self._faults

    def speak(self, _: Gettext) -> None:
        """Say the mistakes in the reader's language from now on."""
        self._gettext = _

    @property
    def mistakes(self) -> dict[str, str]:
        """Each mistake as a sentence, in the order they were found."""
        return {
            field: fault if isinstance(fault, str) else sentence(fault, self._gettext)
            for field, fault in self._faults.items()
        }

    def mistake(self, field: str, sentence: str) -> None:
        """Note a mistake, said already in the reader's language; the first of a field stands."""
        self._faults.setdefault(field, sentence)

    def refused(self, error: TimebankError | LedgerError, _: Gettext) -> None:
        """Put a refusal beside the field it is about, else at the top."""
        field = field_of(error)
        self.mistake(field if field in self._fields else "", sentence(error, _))

    def named(self, field: str, label: str) -> str:
        """Remember how the page calls a field, for the list of mistakes. Nothing to show: ""."""
        self.labels[field] = label
        return ""

    def has(self, name: str) -> bool:
        """Whether the field was sent, empty or not."""
        return name in self._fields

    def raw(self, name: str) -> str:
        """What was typed, to show it again; "" for nothing, or for what is no text."""
        values = self._fields.get(name, [])
        return values[0][:_LONGEST_RAW] if values and isinstance(values[0], str) else ""

    def text(
        self, name: str, *, required: bool = True, limit: int = 200, lines: bool = False
    ) -> str:
        """Ordinary text of at most `limit` characters; line breaks only where `lines` allows."""
        typed = self._one(name)
        if typed is None:
            return ""
        try:
            text = clean(typed, limit, lines=lines)
        except NotText as fault:
            self._fault(name, fault.fault.value, fault.limit)
            return ""
        if required and not text:
            self._fault(name, "required")
        return text

    def secret(self, name: str, *, limit: int = 256) -> str:
        """A password, exactly as typed: nothing stripped, nothing composed."""
        typed = self._one(name)
        if typed is None:
            return ""
        if not typed:
            self._fault(name, "required")
        elif len(typed) > limit:
            self._fault(name, "too_long", limit)
        elif "\x00" in typed or any("\ud800" <= letter <= "\udfff" for letter in typed):
            self._fault(name, "not_text")
        else:
            return typed
        return ""

    def minutes(self, name: str, *, required: bool = True) -> Minutes | None:
        """An amount of time as people write it: `1:30`, `1h 30m`, `90 min`, `1,5 h`."""
        typed = self._filled(name, required)
        if not typed:
            return None
        try:
            return Minutes.parse(typed)
        except NotMinutes as fault:
            self._faults.setdefault(name, fault)
            return None

    def day(self, name: str, *, required: bool = True) -> date | None:
        """A day as browsers send it, `2026-11-10`, from 1900 on."""
        typed = self._filled(name, required)
        if not typed:
            return None
        try:
            day = date.fromisoformat(typed) if _DAY.fullmatch(typed) else None
        except ValueError:
            day = None
        if day is None or day < _FIRST_DAY:
            self._fault(name, "not_a_day")
            return None
        return day

    def choice(self, name: str, kinds: type[E], *, required: bool = True) -> E | None:
        """One of the choices that were offered."""
        typed = self._filled(name, required)
        if not typed:
            return None
        if typed not in list(kinds):
            self._fault(name, "not_offered")
            return None
        return kinds(typed)

    def id(self, name: str, *, required: bool = True) -> UUID | None:
        """An id as our own pages write it."""
        typed = self._filled(name, required)
        if not typed:
            return None
        found = read_id(typed)
        if found is None:
            self._fault(name, "not_offered")
        return found

    def ids(self, name: str) -> list[UUID]:
        """Every id that was ticked, in order, each once; what is no id is a mistake."""
        found: dict[UUID, None] = {}
        for value in self._fields.get(name, []):
            id = read_id(value) if isinstance(value, str) else None
            if id is None:
                self._fault(name, "not_offered")
            else:
                found[id] = None
        return list(found)

    def several(self, name: str) -> list[str]:
        """Every value of a field that may stand several times, as it was sent."""
        return [value for value in self._fields.get(name, []) if isinstance(value, str)]

    def number(self, name: str, least: int, most: int, *, required: bool = True) -> int | None:
        """A whole number within bounds."""
        typed = self._filled(name, required)
        if not typed:
            return None
        if not _NUMBER.fullmatch(typed):
            self._fault(name, "not_a_number")
            return None
        number = int(typed)
        if number < least:
            self._fault(name, "too_small", least)
        elif number > most:
            self._fault(name, "too_large", most)
        else:
            return number
        return None

    def flag(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self._one(name))

    def _filled(self, name: str, required: bool) -> str:
        """What was typed without the spaces around it; empty is a mistake where it is required."""
        typed = self._one(name)
        if typed is None:
            return ""
        if required and not typed.strip():
            self._fault(name, "required")
        return typed.strip()

    def _one(self, name: str) -> str | None:
        """The one value of a field; None, with a mistake noted, for several or for a file."""
        values = self._fields.get(name, [""])
        if len(values) > 1:
            self._fault(name, "twice")
            return None
        if not isinstance(values[0], str):
            self._fault(name, "not_text")
            return None
        return values[0]

    def _fault(self, name: str, reason: str, limit: int | None = None) -> None:
        self._faults.setdefault(name, BadInput(name, reason, limit))


def read_id(text: str) -> UUID | None:
    """An id in the one way we write it; None for anything else."""
    return UUID(text) if _ID.fullmatch(text) else None
