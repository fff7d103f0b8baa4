"""The journal as plain text, so that a program nobody here wrote can check our balances.

`Hledger` and `Beancount` write the same facts in two dialects: a line of text for each account,
some for each transfer, and at the end what every account should stand at. The lines carry no line
ends. Write `opening()`, then `transfer(row)` for each row in order, then `closing(balances)`; or
use `lines` for all at once. The same books give the same text.

Names are paths such as `Members:m-0042`, chosen by the caller for each account. Characters that
the other program would read as something else become `-`, and if two names then are the same, the
account's id is added.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, timedelta
from uuid import UUID

from ledger.minutes import Minutes
from ledger.transfer import PostedTransfer

_BEGINNING = date(1970, 1, 1)


class Hledger:
    """Writes hledger's journal format: every posting asserts the balance it leaves behind."""

    def __init__(self, names: Mapping[UUID, str]) -> None:
        self._names = _paths(names, _hledger_part)
        self._day = _BEGINNING

    def opening(self) -> Iterator[str]:
        """The unit and the accounts."""
        yield "commodity 1000. MIN"
        for name in self._names.values():
            yield f"account {name}"

    def transfer(self, row: PostedTransfer) -> Iterator[str]:
        """One posted transfer, dated the day it was posted (UTC)."""
        self._day = row.posted_at.astimezone(UTC).date()
        reverses = f", reverses:{row.reverses_id}" if row.reverses_id else ""
        yield ""
        yield f"{self._day} ({row.seq}) entry {row.entry_id}"
        yield f"    ; position:{row.position}, occurred:{row.occurred_on}{reverses}"
        yield f"    ; hash:{row.hash.hex()}"
        for id, minutes, balance in _sides(row):
            yield f"    {self._names[id]}  {minutes.count} MIN = {balance.count} MIN"

    def closing(self, balances: Mapping[UUID, Minutes]) -> Iterator[str]:
        """What every account should stand at. Raises `KeyError` for one without a name."""
        yield ""
        yield f"{self._day} balances"
        for id in sorted(balances):
            yield f"    {self._names[id]}  0 MIN = {balances[id].count} MIN"


class Beancount:
    """Writes beancount's format: all accounts under `Assets`, balances asserted at the end."""

    def __init__(self, names: Mapping[UUID, str]) -> None:
        self._names = {id: f"Assets:{path}" for id, path in _paths(names, _beancount_part).items()}
        self._day = _BEGINNING

    def opening(self) -> Iterator[str]:
        """The unit and the accounts."""
        yield f"{_BEGINNING} commodity MIN"
        for name in self._names.values():
            yield f"{_BEGINNING} open {name} MIN"

    def transfer(self, row: PostedTransfer) -> Iterator[str]:
        """One posted transfer, dated the day it was posted (UTC)."""
        self._day = row.posted_at.astimezone(UTC).date()
        yield ""
        yield f'{self._day} * "{row.seq}"'
        yield f'  entry: "{row.entry_id}"'
        yield f"  position: {row.position}"
        yield f"  occurred: {row.occurred_on}"
        if row.reverses_id:
            yield f'  reverses: "{row.reverses_id}"'
        yield f'  hash: "{row.hash.hex()}"'
        for id, minutes, _ in _sides(row):
            yield f"  {self._names[id]}  {minutes.count} MIN"

    def closing(self, balances: Mapping[UUID, Minutes]) -> Iterator[str]:
        """What every account should stand at. Raises `KeyError` for one without a name."""
        yield ""
        after = self._day + timedelta(days=1)  # beancount's balances are those of the morning
        for id in sorted(balances):
            yield f"{after} balance {self._names[id]}  {balances[id].count} MIN"


def lines(
    writer: Hledger | Beancount,
    transfers: Iterable[PostedTransfer],
    balances: Mapping[UUID, Minutes],
) -> Iterator[str]:
    """All lines of a journal held in memory."""
    yield from writer.opening()
    for row in transfers:
        yield from writer.transfer(row)
    yield from writer.closing(balances)


def _sides(row: PostedTransfer) -> tuple[tuple[UUID, Minutes, Minutes], ...]:
    return (
        (row.source_id, -row.minutes, row.source_balance),
        (row.destination_id, row.minutes, row.destination_balance),
    )


def _paths(names: Mapping[UUID, str], clean: Callable[[str], str]) -> dict[UUID, str]:
    """A path for each account that the other program reads as one name, no two the same."""
    paths: dict[UUID, str] = {}
    for id, name in sorted(names.items()):
        parts = unicodedata.normalize("NFC", name).split(":")
        paths[id] = ":".join(clean(part) for part in parts if part.strip()) or clean(id.hex)
    # Beancount counts what lies below a path into its balance, so none may lie below another.
    above = {path[:end] for path in paths.values() for end, char in enumerate(path) if char == ":"}
    taken: set[str] = set()
    for id, path in list(paths.items()):
        unique = path
        while unique in taken or unique in above:
            unique = f"{unique}-{id.hex}"
        taken.add(unique)
        paths[id] = unique
    return paths


def _hledger_part(part: str) -> str:
    """Letters, digits, single spaces and a few signs, beginning with a letter or a digit."""
    kept = "".join(char if char.isalnum() or char in " -_.'&" else "-" for char in part)
    tidy = " ".join(kept.split())
    return tidy if tidy[:1].isalnum() else f"x{tidy}"


def _beancount_part(part: str) -> str:
    """Letters, digits and dashes, beginning with a capital or a digit."""
    kept = "".join(char if char.isalpha() or char.isdecimal() else "-" for char in part.strip())
    first = kept[:1].upper()
    if len(first) == 1 and unicodedata.category(first) in ("Lu", "Nd"):
        return first + kept[1:]
    return f"X{kept}"
