"""Languages: complete catalogues, nothing left in English, days and hours as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import jinja2
import pytest

from ledger import Minutes
from timebank import catalogues, i18n
from timebank.i18n import LANGUAGES

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = sorted((ROOT / "web" / "templates").rglob("*.html"))


def test_hours_have_a_real_minus_and_a_plus_only_when_asked() -> None:
    assert i18n.format_minutes(Minutes(90)) == "1:30"
    assert i18n.format_minutes(Minutes(-90)) == "−1:30"
    assert i18n.format_minutes(Minutes(90), signed=True) == "+1:30"
    assert i18n.format_minutes(Minutes(0), signed=True) == "0:00"
    assert i18n.format_minutes(Minutes(-5)) == "−0:05"


def test_days_are_written_as_the_language_writes_them() -> None:
    day = date(2026, 11, 10)
    assert i18n.format_day(day, "en").replace(",", "") == "Tuesday 10 November 2026"
    assert i18n.format_day(day, "es") == "martes, 10 de noviembre de 2026"
    assert i18n.format_day(day, "en", "short") == "10 Nov 2026"
    assert i18n.format_day(day, "es", "short") == "10 nov 2026"


def test_moments_are_told_by_the_communitys_clocks() -> None:
    at = datetime(2026, 7, 10, 23, 5, tzinfo=UTC)
    assert i18n.format_moment(at, "en", "Europe/London") == "11 Jul 2026, 00:05"
    assert i18n.format_moment(at, "es", "America/Mexico_City") == "10 jul 2026, 17:05"


def test_what_has_passed_is_told_in_words() -> None:
    now = datetime(2026, 7, 10, 12, tzinfo=UTC)
    assert i18n.ago(now - timedelta(days=3), now, "en") == "3 days ago"
    assert i18n.ago(now - timedelta(days=3), now, "es") == "hace 3 días"
    assert i18n.ago(now - timedelta(seconds=5), now, "en") == "just now"
    assert i18n.ago(now + timedelta(hours=5), now, "en") == "just now"


def test_a_language_we_lack_is_english() -> None:
    assert i18n.translations("tlh").gettext("Sign in") == "Sign in"


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_sentence_is_translated(language: str) -> None:
    assert catalogues.faults(language) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_template_says_anything_untranslated(path: Path) -> None:
    assert left_in_english(path.read_text(encoding="utf-8")) == []


def left_in_english(source: str) -> list[str]:
    """Words that stand in a template outside `trans`, between tags or in attributes people hear."""
    environment = jinja2.Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    text, translated, block = [], False, ""
    for _line, kind, value in environment.lex(source):
        if kind == "block_begin":
            block = ""
        elif kind == "name" and not block:
            block = value
            translated = {"trans": True, "endtrans": False}.get(value, translated)
        elif kind == "data" and not translated:
            text.append(value)
        elif kind == "variable_begin":
            text.append("\x1a")
    html = "".join(text)
    heard = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', html)
    between = re.sub(r"<[^>]*>", "\n", html)
    words = re.compile(r"[A-Za-z]{2,}")
    said = [piece for piece in [*between.split("\n"), *heard] if words.search(piece)]
    return [piece.strip() for piece in said if '="' not in piece]  # attributes a macro puts in


def test_words_outside_a_translation_are_found() -> None:
    assert left_in_english("<p>Hello</p>") == ["Hello"]
    assert left_in_english('<p aria-label="Hello">{{ x }}</p>') == ["Hello"]
    assert left_in_english("<p>{% trans %}Hello{% endtrans %} · {{ name }}</p>") == []


def test_each_kind_of_call_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("timebank", "web/templates"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "web" / "some.py").write_text(
        '_("One")\ngettext(request)("Two")\nngettext(request)("Three", "Threes", 3)\n'
        'words.gettext("Four")\nN_("Five")\n_("Si" "x")\n_(known)\n'
    )
    (tmp_path / "web" / "templates" / "some.html").write_text(
        "{% trans count=n %}Seven{% pluralize %}Sevens{% endtrans %}{{ _('Eight') }}"
    )
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    found = {message.id for message in catalogues.extracted() if message.id}
    assert found == {
        "One",
        "Two",
        ("Three", "Threes"),
        "Four",
        "Five",
        "Six",
        ("Seven", "Sevens"),
        "Eight",
    }
    (tmp_path / "web" / "some.py").write_text('_(f"Hello {name}")\n')
    with pytest.raises(ValueError, match="built here"):
        catalogues.extracted()
