"""The hash chain: each posted transfer carries the hash of the one before it.

Change, remove, insert or swap a row, and every later hash is wrong. What the chain cannot show by
itself is a journal cut off at the end or computed anew from some row on; for that, a hash noted
elsewhere (an anchor) is compared.

The bytes that are hashed, so that anyone can write a second verifier:

    field(b)   = length of b as 4 bytes, big-endian, then b
    number(n)  = field(n as 8 bytes, big-endian, signed)
    genesis    = sha256(field("timebank.ledger.genesis") number(1) field(community))
    hash       = sha256(field("timebank.ledger.transfer") number(1) field(community) number(seq)
                 field(previous) field(entry) number(position) field(source) field(destination)
                 number(minutes) field(occurred_on) number(posted_at) number(source_line)
                 number(source_balance) number(destination_line) number(destination_balance)
                 field(reverses) field(commitment))
    commitment = sha256(field("timebank.ledger.commitment") number(1) field(salt) field(words))

Ids are their 16 bytes (`reverses` is empty when nothing is reversed), days are ISO 8601 text,
moments are microseconds since 1970 in UTC, words are JSON in UTF-8 with sorted keys and no spaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from struct import Struct
from uuid import UUID

from ledger.minutes import Minutes
from ledger.transfer import PostedTransfer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LENGTH = Struct(">I").pack
_EIGHT = Struct(">Iq").pack
_SHORTEST_SALT = 16

# The fields of a transfer that always have the same length, packed in one go: each with its length
# before it. What follows them are `reverses` and `commitment`.
_TITLE = (24, b"timebank.ledger.transfer", 8, 1)
_TRANSFER = Struct(
    ">I24s Iq I16s Iq I32s I16s Iq I16s I16s Iq I10s Iq Iq Iq Iq Iq".replace(" ", "")
).pack


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 in UTC, exact. Raises `ValueError` for a moment without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return (moment - _EPOCH) // _MICROSECOND


def genesis(community: UUID) -> bytes:
    """What stands before the first transfer of a community: no other community shares it."""
    return sha256(
        b"".join((_field(b"timebank.ledger.genesis"), _number(1), _field(community.bytes)))
    ).digest()


def digest(row: PostedTransfer) -> bytes:
    """The hash a transfer should carry: over its `previous` and all its facts, not its `hash`."""
    return digest_of(
        row.community_id,
        row.seq,
        row.entry_id,
        row.position,
        row.source_id,
        row.destination_id,
        row.minutes,
        row.occurred_on,
        row.posted_at,
        row.source_line,
        row.source_balance,
        row.destination_line,
        row.destination_balance,
        row.reverses_id,
        row.commitment,
        row.previous,
    )


def digest_of(
    community: UUID,
    seq: int,
    entry: UUID,
    position: int,
    source: UUID,
    destination: UUID,
    minutes: Minutes,
    occurred_on: date,
    posted_at: datetime,
    source_line: int,
    source_balance: Minutes,
    destination_line: int,
    destination_balance: Minutes,
    reverses: UUID | None,
    commitment: bytes,
    previous: bytes,
) -> bytes:
    """The same of a row's facts in their order, before there is a row."""
    facts = _TRANSFER(
        *_TITLE,
        *(16, community.bytes),
        *(8, seq),
        *(32, previous),
        *(16, entry.bytes),
        *(8, position),
        *(16, source.bytes),
        *(16, destination.bytes),
        *(8, minutes.count),
        *(10, occurred_on.isoformat().encode("ascii")),
        *(8, microseconds(posted_at)),
        *(8, source_line),
        *(8, source_balance.count),
        *(8, destination_line),
        *(8, destination_balance.count),
    )
    return sha256(
        b"".join((facts, _field(reverses.bytes if reverses else b""), _field(commitment)))
    ).digest()


def commitment(salt: bytes, words: Mapping[str, object] | str) -> bytes:
    """A hash that binds the journal to words kept elsewhere, and says nothing about them.

    With the salt anyone can check that the words are the ones that were posted. Once salt and
    words are erased, the hash cannot be guessed back, and the chain still verifies. The salt is at
    least 16 random bytes. Words are a text, or a mapping of JSON values without floats (their
    spelling differs between programs); anything else raises `TypeError`.
    """
    if len(salt) < _SHORTEST_SALT:
        raise ValueError("a salt is at least 16 bytes")
    words = words if isinstance(words, str) else dict(words)
    _refuse_unspellable(words)
    spelled = json.dumps(words, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(
        b"".join(
            (
                _field(b"timebank.ledger.commitment"),
                _number(1),
                _field(salt),
                _field(spelled.encode("utf-8")),
            )
        )
    ).digest()


def _refuse_unspellable(value: object) -> None:
    """Only what every JSON program spells alike may be committed to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError("keys are text")
            _refuse_unspellable(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_unspellable(inner)
    elif not (value is None or isinstance(value, str | int)):
        raise TypeError(f"{type(value).__name__} has no one spelling to commit to")


def _field(value: bytes) -> bytes:
    return _LENGTH(len(value)) + value


def _number(value: int) -> bytes:
    return _EIGHT(8, value)
