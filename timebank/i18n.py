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
import re
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
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
_YEAR = re.compile(r",?\s*(?:'[^']*')?\s*y+$")  # with the word before it: `'de' y`


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


def format_clock(at: datetime, language: str, timezone: str) -> str:
    """`18:05` on the clocks of that time zone."""
    local = at.astimezone(ZoneInfo(timezone))
    return format_time(local.time(), format="HH:mm", locale=_locale(language))


def format_weekday(day: date, language: str) -> str:
    """`Tuesday 10 November`, for a day whose year nobody has to be told."""
    whole = Locale.parse(_locale(language)).date_formats["full"].pattern
    return format_date(day, format=_YEAR.sub("", whole), locale=_locale(language))


def weekdays(language: str) -> list[tuple[str, str]]:
    """The days of the week from Monday on, each short and in full: `Mo`, `Monday`."""
    locale = Locale.parse(_locale(language))
    names = locale.days["stand-alone"]
    return [(names["short"][day], names["wide"][day]) for day in range(7)]


def format_span(begin: datetime, end: datetime, language: str, timezone: str) -> str:
    """`Tuesday 10 November 2026, 18:00 to 20:00`; with both days if it goes on past midnight."""
    _ = translations(language).gettext
    first, last = (at.astimezone(ZoneInfo(timezone)).date() for at in (begin, end))
    facts = {
        "day": format_day(first, language),
        "begin": format_clock(begin, language, timezone),
        "last": format_day(last, language),
        "end": format_clock(end, language, timezone),
    }
    if first == last:
        return _("%(day)s, %(begin)s to %(end)s") % facts
    return _("%(day)s, %(begin)s to %(last)s, %(end)s") % facts


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
