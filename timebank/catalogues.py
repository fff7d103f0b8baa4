"""Keeping the catalogues of translations in step with the sentences in the program.

For developers, through `python -m timebank.i18n`; nothing here runs while people use the program.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from timebank.i18n import LANGUAGES, catalogue_file

ROOT = Path(__file__).parent.parent
_ONE = {"_", "N_", "gettext"}
_SEVERAL = {"ngettext"}
_HEADER = """\
# The sentences of the time bank in another language. Licence: AGPL-3.0-or-later.
# `python -m timebank.i18n update` brings it up to date.
"""

Found = tuple[str, str | tuple[str, str]]


def extracted() -> Catalog:
    """Every sentence of the program, each with the files it stands in.

    Raises `ValueError` naming the place where a sentence is built instead of written, so that
    nobody could translate it.
    """
    catalog = Catalog(project="timebank", header_comment=_HEADER, charset="utf-8")
    for file, message in sorted([*_in_programs(), *_in_templates()], key=str):
        catalog.add(message, locations=[(file, 0)])
    return catalog


def _in_programs() -> Iterator[Found]:
    for folder in ("timebank", "web"):
        for path in (ROOT / folder).rglob("*.py"):
            file = str(path.relative_to(ROOT))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not (count := _sentences_of(node)):
                    continue
                if (found := _literal(node, count, file)) is not None:
                    yield file, found


def _sentences_of(call: ast.Call) -> int:
    """How many sentences a call translates: `_("…")` one, `ngettext("…", "…", n)` two.

    `gettext(request)("…")` translates as well; `gettext(request)` only fetches a translator.
    """
    called: ast.expr = call.func
    fetched = isinstance(called, ast.Call)
    if isinstance(called, ast.Call):
        called = called.func
    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
    if name not in _ONE | _SEVERAL or not call.args:
        return 0
    if not fetched and isinstance(called, ast.Name) and name in ("gettext", "ngettext"):
        return _plainly(call, name)
    return 2 if name in _SEVERAL else 1


def _plainly(call: ast.Call, name: str) -> int:
    """`gettext("…")`, not `gettext(request)`."""
    if not isinstance(call.args[0], ast.Constant):
        return 0
    return 2 if name in _SEVERAL else 1


def _literal(call: ast.Call, count: int, file: str) -> str | tuple[str, str] | None:
    """The sentences of a call; None where it is given ones that were marked with `N_` before."""
    arguments = call.args[:count]
    if any(isinstance(one, (ast.JoinedStr, ast.BinOp)) for one in arguments):
        raise ValueError(f"{file}:{call.lineno}: a sentence is built here, not written")
    texts = [one.value for one in arguments if isinstance(one, ast.Constant)]
    sentences = [text for text in texts if isinstance(text, str)]
    if len(sentences) != count:
        return None
    return sentences[0] if count == 1 else (sentences[0], sentences[1])


def _in_templates() -> Iterator[Found]:
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2)}
    for path in (ROOT / "web" / "templates").rglob("*.html"):
        file = str(path.relative_to(ROOT))
        options = {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}
        found: Any = extract_from_file("jinja2", path, keywords=keywords, options=options)
        for _line, message, _comments, _context in found:  # its types promise one thing more
            yield file, message if isinstance(message, str) else (message[0], message[1])


def update(language: str) -> None:
    """Write the catalogue anew: new sentences empty, those no longer said left out."""
    catalog = _read(language)
    fresh = extracted()
    fresh.creation_date = catalog.creation_date
    catalog.update(fresh, no_fuzzy_matching=True, update_header_comment=True)
    file = catalogue_file(language)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_written(catalog))


def faults(language: str) -> list[str]:
    """What is missing, doubtful, left over or wrong in a catalogue, one sentence each."""
    catalog, wanted = _read(language), extracted()
    found = [f"missing: {m.id!r}" for m in wanted if m.id and _entry(catalog, m) is None]
    for message in catalog:
        if not message.id:
            continue
        if _entry(wanted, message) is None:
            found.append(f"no longer said: {message.id!r}")
        elif message.fuzzy:
            found.append(f"doubtful: {message.id!r}")
        elif not _translated(message):
            found.append(f"not translated: {message.id!r}")
        else:
            found += [f"{fault}: {message.id!r}" for fault in message.check(catalog)]
    return found


def _translated(message: Message) -> bool:
    """Whether every form of the sentence is there: one, or one for each plural."""
    forms = message.string if isinstance(message.string, tuple | list) else [message.string]
    return all(forms)


def _entry(catalog: Catalog, message: Message) -> Message | None:
    """The same sentence in another catalogue, in the singular or with its plural alike."""
    found = catalog.get(message.id)
    return found if found is not None and found.id == message.id else None


def _read(language: str) -> Catalog:
    file = catalogue_file(language)
    if not file.exists():
        return Catalog(
            locale=language,
            project="timebank",
            version="1",
            msgid_bugs_address=" ",
            last_translator=" ",
            language_team=language,
            charset="utf-8",
            fuzzy=False,
        )
    with file.open("rb") as opened:
        return read_po(opened, locale=language)


def _written(catalog: Catalog) -> bytes:
    text = io.BytesIO()
    write_po(
        text,
        catalog,
        width=100,
        omit_header=False,
        sort_output=True,
        ignore_obsolete=True,
        include_lineno=False,
    )
    return text.getvalue()


@click.group()
def main() -> None:
    """Keep the translations in step with the program."""


@main.command("extract")
def _extract() -> None:
    """Print every sentence of the program as a template."""
    click.echo(_written(extracted()).decode(), nl=False)


@main.command("update")
def _update() -> None:
    """Bring every catalogue up to date."""
    for language in LANGUAGES[1:]:
        update(language)


@main.command("check")
def _check() -> None:
    """Fail on anything missing, doubtful or left over."""
    found = [f"{language}: {fault}" for language in LANGUAGES[1:] for fault in faults(language)]
    for fault in found:
        click.echo(fault, err=True)
    if found:
        raise click.ClickException(f"{len(found)} to mend. `python -m timebank.i18n update` helps.")


if __name__ == "__main__":
    main()
