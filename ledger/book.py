"""The whole book of a community as lines of JSON, for verifiers that others write.

docs/ledger.md describes every field and every rule; `verifier/verify_books.py` is written from that
page alone. There are no names and no words in it: ids, minutes, days, moments and hashes. A book is
spelled in one way only, so the same book gives the same bytes.

Write `opening`, then `account` for each account in the order of ids, then `transfer` for each row
in the order of numbers, then `closing`. The lines carry no line ends. What was put into the
database by hand is written as it is, so that whoever reads the lines finds it.
"""

from __future__ import annotations

import json
from typing import NamedTuple
from uuid import UUID

from ledger import chain
from ledger.journal import Head
from ledger.proof import Row

VERSION = 1
"""Counted up whenever a verifier written for the lines as they are now could not read them."""


class AccountRow(NamedTuple):
    """An account as plain values: id as bytes, minutes, microseconds since 1970 in UTC."""

    id: bytes
    kind: str
    balance: int
    lines: int
    floor: int | None
    opened_at: int
    closed_at: int | None


def opening(head: Head) -> str:
    """The first line: what this is, of which community, up to where."""
    community = _id(head.community.bytes)
    return _line(**{"is": "book"}, version=VERSION, community=community, **_where(head))


def account(row: AccountRow) -> str:
    """An account and what it stands at."""
    return _line(
        **{"is": "account"},
        id=_id(row.id),
        kind=row.kind,
        balance=row.balance,
        lines=row.lines,
        floor=row.floor,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )


def transfer(row: Row) -> str:
    """A transfer with all that its hash covers."""
    return _line(
        **{"is": "transfer"},
        seq=row.seq,
        entry=_id(row.entry_id),
        position=row.position,
        source=_id(row.source_id),
        destination=_id(row.destination_id),
        minutes=row.minutes,
        occurred_on=row.occurred_on.decode("utf-8", "replace"),
        posted_at=row.posted_at,
        source_line=row.source_line,
        source_balance=row.source_balance,
        destination_line=row.destination_line,
        destination_balance=row.destination_balance,
        reverses=None if row.reverses_id is None else _id(row.reverses_id),
        commitment=row.commitment.hex(),
        previous=row.previous.hex(),
        hash=row.hash.hex(),
    )


def closing(head: Head, *, accounts: int, transfers: int) -> str:
    """The last line: how many of each are stored, and the head once more."""
    return _line(**{"is": "end"}, accounts=accounts, transfers=transfers, **_where(head))


_spell = json.JSONEncoder(separators=(",", ":")).encode


def _where(head: Head) -> dict[str, int | str]:
    at = chain.microseconds(head.posted_at)
    return {"seq": head.seq, "hash": head.hash.hex(), "posted_at": at}


def _line(**fields: int | str | None) -> str:
    """The fields in their order, in ASCII, without a space."""
    return _spell(fields)


def _id(id: bytes) -> str:
    """An id as UUIDs are written; of any other length, which only a hand can do, plain digits."""
    return str(UUID(bytes=id)) if len(id) == 16 else id.hex()
