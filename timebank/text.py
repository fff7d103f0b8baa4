"""What may be text here, and how names are compared.

Text comes in through `clean`: composed (NFC), without control characters, without marks that turn
the direction of writing, and not longer than its field.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum


class TextFault(StrEnum):
    """Why a text is refused."""

    TOO_LONG = "too_long"
    NOT_TEXT = "not_text"  # control characters, half a character, or marks that turn the writing


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class NotText(ValueError):
    """A text that is refused; `fault` says why and `limit` how long it may be."""

    def __init__(self, fault: TextFault, limit: int) -> None:
        super().__init__(f"{fault}: at most {limit} characters of ordinary text")
        self.fault = fault
        self.limit = limit


def clean(text: str, limit: int, *, lines: bool = False) -> str:
    """The text as we keep it, or raise `NotText`. Line breaks stay only where `lines` allows them.

    The ends are stripped, and so are runs of spaces where there is one line only.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not lines:
        text = " ".join(text.split(" ")).replace("\t", " ")
    if any(_forbidden(character, lines) for character in text):
        raise NotText(TextFault.NOT_TEXT, limit)
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > limit:
        raise NotText(TextFault.TOO_LONG, limit)
    return text


def _forbidden(character: str, lines: bool) -> bool:
    if character == "\n":
        return not lines
    if character == "\t":
        return False
    return character in _TURNING or unicodedata.category(character) in ("Cc", "Cs", "Cn")


def fold(name: str) -> str:
    """A name for comparing and searching: no case, no accents, one space between words."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.split())


def like(text: str) -> str:
    """A LIKE pattern that finds folded text anywhere; `escape="\\\\"` goes with it."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
