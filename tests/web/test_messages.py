"""Every refusal has a sentence for people, and every reason for refusing a field as well."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ledger import Minutes, NotMinutesReason
from ledger import errors as books
from timebank import errors
from web.messages import has_reason, has_sentence, sentence

ROOT = Path(__file__).parent.parent.parent
MONEY = ("pay", "paid", "price", "money", "debt", "owe", "credit", "wallet", "cost", "fee")
FACTS: dict[str, Any] = {
    "what": "page",
    "action": "approve",
    "field": "name",
    "reason": "too_long",
    "limit": 5,
    "state": "approved",
    "step": "confirm",
    "name": "Bert",
    "names": ("Bert", "the Library"),
    "side": "gave",
    "given": Minutes(60),
    "received": Minutes(30),
    "day": date(2026, 5, 4),
    "count": 3,
    "until": datetime(2026, 5, 4, tzinfo=UTC),
    "version": 2,
    "slug": "mill-road",
    "text": "90",
    "minutes": Minutes(30),
    "floor": Minutes(-600),
    "balance": Minutes(-590),
    "community": UUID(int=1),
    "account": UUID(int=2),
    "entry": UUID(int=3),
    "by": UUID(int=4),
    "reverses": UUID(int=5),
    "finding": "x",
    "key": "tea",
    "carriers": 2,
}


def refusals() -> Iterator[type[Exception]]:
    for module, root in ((errors, errors.TimebankError), (books, books.LedgerError)):
        for _name, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, root) and kind.__module__ == module.__name__:
                yield kind


def example(kind: type[Exception]) -> Any:
    fields = getattr(kind, "__dataclass_fields__", {})
    names = [name for name in fields if name in FACTS]
    facts = {name: FACTS[name] for name in names}
    if kind is books.NotMinutes:
        facts["reason"] = NotMinutesReason.AMBIGUOUS
    return kind(**facts)


@pytest.mark.parametrize("kind", list(refusals()), ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_sentence_of_its_own(kind: type[Exception]) -> None:
    assert has_sentence(kind), f"give {kind.__name__} a sentence in web/messages.py"
    said = sentence(example(kind), str)
    assert said[0].isupper() or said[0] in "“0123456789−"
    assert said.endswith((".", "!", "?"))
    assert "%(" not in said
    assert not any(f" {word}" in said.lower() for word in MONEY)


@pytest.mark.parametrize("reason", list(NotMinutesReason))
def test_every_reason_why_a_text_is_no_time_is_said(reason: NotMinutesReason) -> None:
    assert sentence(books.NotMinutes("soon", reason), str).endswith(".")


def test_an_unreasonably_long_text_is_cut_where_it_is_quoted() -> None:
    said = sentence(books.NotMinutes("x" * 9000, NotMinutesReason.NOT_UNDERSTOOD), str)
    assert len(said) < 200


def test_every_reason_for_refusing_a_field_is_said() -> None:
    silent = {reason for reason in reasons_in_the_domain() if not has_reason(reason)}
    assert not silent, f"give these a sentence in web/messages.py: {silent}"


def reasons_in_the_domain() -> set[str]:
    found = set()
    for path in (ROOT / "timebank").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BadInput":
                reason = node.args[1] if len(node.args) > 1 else None
                if isinstance(reason, ast.Constant):
                    found.add(str(reason.value))
    assert "missing" in found
    return found
