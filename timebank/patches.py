"""What a proposal changes in an agreement: only the terms that differ, as plain values.

So a proposal still fits after another one was adopted, unless both change the same. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from ledger import Minutes
from timebank import roles
from timebank.agreements import Terms, changes


def patch(old: Terms, new: Terms) -> dict[str, Any]:
    """The terms of `new` that differ from `old`, by name, as JSON has them."""
    return {name: _plain(name, getattr(new, name)) for name in changes(old, new)}


def patched(terms: Terms, kept: Mapping[str, Any]) -> Terms:
    """The terms with those of a patch in their place; terms that are no more are left out."""
    kinds = _kinds()
    return replace(
        terms, **{name: _value(kinds[name], value) for name, value in kept.items() if name in kinds}
    )


def overlap(kept: Mapping[str, Any], old: Terms, new: Terms) -> list[str]:
    """The terms that a patch made for `old` changes, and that have changed to `new` meanwhile."""
    return [name for name in changes(old, new) if name in kept]


def _plain(name: str, value: Any) -> Any:
    if name == "roles":
        return roles.as_json(value)
    if isinstance(value, Minutes):
        return value.count
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else value


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(kind) is tuple:
        return roles.from_json(value)
    if kind is date:
        return date.fromisoformat(value)
    if kind is Minutes or issubclass(kind, StrEnum):
        return kind(value)
    return value


@cache
def _kinds() -> Mapping[str, Any]:
    """What each term is: `Minutes` for `Minutes | None` as well."""
    found = {}
    for name, hint in get_type_hints(Terms).items():
        choices = [kind for kind in get_args(hint) if kind is not type(None)]
        found[name] = hint if get_origin(hint) is tuple or not choices else choices[0]
    return found
