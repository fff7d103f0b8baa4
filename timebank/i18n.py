"""Languages: translations, and how minutes, days and moments are written in each.

English is the language the sentences are written in, so it is complete by definition. Every other
language has a catalogue in `timebank/locale`, read as it is: there is nothing to compile.

    python -m timebank.i18n extract     print the template of all sentences
    python -m timebank.i18n update      bring the catalogues up to date
    python -m timebank.i18n check       fail on anything missing, doubtful or left over
"""

from __future__ import annotations

import gettext as catalogues
import io
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    format_timedelta,
    get_month_names,
)
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from ledger import Minutes

LANGUAGES = ("en", "es")
NAMES = {"en": "English", "es": "Español"}
"""Each language in its own words."""

LOCALE = Path(__file__).parent / "locale"
_WRITTEN_AS = {"en": "en_GB"}
"""Where a language is written in several ways, the one we take."""

_MINUS = "−"


def N_(message: str) -> str:  # noqa: N802  (the name that gettext's tools look for)
    """Mark a sentence for translation where it stands; it is translated where it is shown."""
    return message


@cache
def translations(language: str) -> catalogues.NullTranslations:
    """The catalogue of a language, with `gettext` and `ngettext`; English for one we lack."""
    if language == "en" or language not in LANGUAGES:
        return catalogues.NullTranslations()
    compiled = io.BytesIO()
    with catalogue_file(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return catalogues.GNUTranslations(compiled)


def catalogue_file(language: str) -> Path:
    """Where the sentences of a language stand."""
    return LOCALE / language / "LC_MESSAGES" / "timebank.po"


def format_minutes(minutes: Minutes, *, signed: bool = False) -> str:
    """`1:30` or `−1:30`, with a real minus; `signed` puts a plus before what is above zero."""
    sign = _MINUS if minutes.count < 0 else "+" if signed and minutes.count > 0 else ""
    return f"{sign}{abs(minutes)}"


def format_day(day: date, language: str, style: Literal["full", "short", "tiny"] = "full") -> str:
    """`Tuesday 10 November 2026`, `10 Nov 2026`, or `10 Nov`."""
    if style == "tiny":
        return format_skeleton("MMMd", day, locale=_locale(language))
    width = "full" if style == "full" else "medium"
    return format_date(day, format=width, locale=_locale(language))


def format_month(day: date, language: str) -> str:
    """The month a day lies in: `November 2026`, `noviembre de 2026`."""
    return format_skeleton("yMMMM", day, locale=_locale(language))


def format_month_name(number: int, language: str) -> str:
    """The first month of a year as 1: `January`, `enero`."""
    names = get_month_names("wide", "stand-alone", locale=_locale(language))
    return str(names[number])


def format_moment(at: datetime, language: str, timezone: str) -> str:
    """`10 Nov 2026, 18:05` on the clocks of that time zone."""
    local = at.astimezone(ZoneInfo(timezone))
    hour = format_time(local.time(), format="HH:mm", locale=_locale(language))
    return f"{format_day(local.date(), language, 'short')}, {hour}"


def ago(then: datetime, now: datetime, language: str) -> str:
    """`3 days ago`; `just now` within the minute, and for a moment still to come."""
    passed = now - then
    if passed < timedelta(minutes=1):
        return translations(language).gettext("just now")
    return format_timedelta(-passed, add_direction=True, locale=_locale(language))


def _locale(language: str) -> str:
    return _WRITTEN_AS.get(language, language)


if __name__ == "__main__":
    import runpy

    runpy.run_module("timebank.catalogues", run_name="__main__")
