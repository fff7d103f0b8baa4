#!/usr/bin/env python3
"""Verify the book of a time bank from the file it exports, trusting nothing but arithmetic.

    timebank export riverside --format book > riverside.book
    python3 verify_books.py riverside.book
    python3 verify_books.py riverside.book --anchor "1234:ab12 cd34 ef56 7890 abcd"

Without a file it reads standard input. It was written from docs/ledger.md alone and shares no code
with the program whose books it checks. One file, Python 3.8 or later, nothing to install.

Every hash is computed again, every line and balance added up again, every reversal compared with
what it reverses. An anchor is the number and the hash of a transfer that somebody noted elsewhere:
only anchors show that the journal's end was cut off, or that all of it was written anew. Memory
grows with the accounts and the reversals, not with the transfers.

Exit codes: 0 sound; 1 not sound; 2 this is no such file, or the command was misunderstood.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import struct
import sys
import tempfile
import uuid
from datetime import date
from hashlib import sha256
from typing import IO, Any, Callable, Dict, Iterable, Iterator, Tuple

VERSION = 1
MOST_FINDINGS = 100
LONGEST_LINE = 4096
FEWEST_DIGITS = 16

ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HASH = re.compile("[0-9a-f]{64}")
DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

Fields = Dict[str, Any]
Anchor = Tuple[int, str]
Move = Tuple[bytes, bytes, int]


class NotABook(Exception):
    """The file is not one that this program can verify."""


class Unreadable(Exception):
    """A line is not as the description says."""


# Reading: each field of each line, exactly as described, and nothing else.


LEAST, MOST = -(2**63), 2**63 - 1


def _number(value: Any) -> int:
    if type(value) is not int or not LEAST <= value <= MOST:
        raise Unreadable("is not a whole number")
    return value


def _number_or_none(value: Any) -> int | None:
    return None if value is None else _number(value)


def _id(value: Any) -> bytes:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise Unreadable("is not an id")
    return bytes.fromhex(value.replace("-", ""))


def _id_or_none(value: Any) -> bytes | None:
    return None if value is None else _id(value)


def _hash(value: Any) -> bytes:
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise Unreadable("is not a hash")
    return bytes.fromhex(value)


def _day(value: Any) -> bytes:
    try:
        if not DAY.fullmatch(value):
            raise ValueError
        date(int(value[:4]), int(value[5:7]), int(value[8:]))
    except (TypeError, ValueError):
        raise Unreadable("is not a day") from None
    day: bytes = value.encode("ascii")
    return day


def _kind(value: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable("is not a word")
    return value


Reader = Callable[[Any], Any]

LINES: dict[str, dict[str, Reader]] = {
    "book": {
        "is": _kind,
        "version": _number,
        "community": _id,
        "seq": _number,
        "hash": _hash,
        "posted_at": _number,
    },
    "account": {
        "is": _kind,
        "id": _id,
        "kind": _kind,
        "balance": _number,
        "lines": _number,
        "floor": _number_or_none,
        "opened_at": _number,
        "closed_at": _number_or_none,
    },
    "transfer": {
        "is": _kind,
        "seq": _number,
        "entry": _id,
        "position": _number,
        "source": _id,
        "destination": _id,
        "minutes": _number,
        "occurred_on": _day,
        "posted_at": _number,
        "source_line": _number,
        "source_balance": _number,
        "destination_line": _number,
        "destination_balance": _number,
        "reverses": _id_or_none,
        "commitment": _hash,
        "previous": _hash,
        "hash": _hash,
    },
    "end": {
        "is": _kind,
        "accounts": _number,
        "transfers": _number,
        "seq": _number,
        "hash": _hash,
        "posted_at": _number,
    },
}


_SPELL = json.JSONEncoder(separators=(",", ":")).encode


def _spoken(line: bytes) -> Fields:
    """What a line says in JSON, spelled in the one way a book is spelled."""
    try:
        said = json.loads(line.decode("ascii"))
        again = _SPELL(said) + "\n"
    except (ValueError, RecursionError):
        raise Unreadable("it is not JSON") from None
    if not isinstance(said, dict) or again.encode("ascii", "replace") != line:
        raise Unreadable("it is not spelled as a book is")
    return said


def _read(line: bytes) -> Fields:
    """The fields of a line as numbers and bytes."""
    said = _spoken(line)
    kind = said.get("is")
    readers = LINES.get(kind) if isinstance(kind, str) else None
    if readers is None or list(said) != list(readers):
        raise Unreadable("it has other fields than a line of a book")
    fields: Fields = {}
    name = ""
    try:
        for name, reader in readers.items():
            fields[name] = reader(said[name])
    except Unreadable as error:
        raise Unreadable(f"{name} {error}") from None
    return fields


# Hashing: field(b) is the length of b in 4 bytes, then b; number(n) is field of n in 8 bytes.


def _field(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _eight(value: int) -> bytes:
    return _field(struct.pack(">q", value))


def genesis(community: bytes) -> bytes:
    """What the first transfer of a community follows on from."""
    return sha256(_field(b"timebank.ledger.genesis") + _eight(1) + _field(community)).digest()


def digest(community: bytes, row: Fields) -> bytes:
    """The hash that a transfer should have."""
    return sha256(
        b"".join(
            (
                _field(b"timebank.ledger.transfer"),
                _eight(1),
                _field(community),
                _eight(row["seq"]),
                _field(row["previous"]),
                _field(row["entry"]),
                _eight(row["position"]),
                _field(row["source"]),
                _field(row["destination"]),
                _eight(row["minutes"]),
                _field(row["occurred_on"]),
                _eight(row["posted_at"]),
                _eight(row["source_line"]),
                _eight(row["source_balance"]),
                _eight(row["destination_line"]),
                _eight(row["destination_balance"]),
                _field(row["reverses"] or b""),
                _field(row["commitment"]),
            )
        )
    ).digest()


class Account:
    """An account as the book says it is, and as its lines add up."""

    def __init__(self, said: Fields) -> None:
        self.said = said
        self.balance = 0
        self.lines = 0


class Verification:
    """Everything that is known after some lines of a book."""

    def __init__(self, anchors: Iterable[Anchor], reversed_ids: set[bytes]) -> None:
        self.findings: list[str] = []
        self.found = 0
        self.community = b""
        self.head: tuple[int, bytes, int] = (0, b"", 0)
        self.seq = 0
        self.hash = b""
        self.at: int | None = None
        self.transfers = 0
        self.accounts: dict[bytes, Account] = {}
        self.last_id = b""
        self.stage = "book"
        self.anchors: dict[int, list[str]] = {}
        for seq, digits in anchors:
            self.anchors.setdefault(seq, []).append(digits)
        self.entry: list[Fields] = []
        self.wanted = reversed_ids
        self.originals: dict[bytes, list[Move]] = {}
        self.undone: set[bytes] = set()

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return self.found == 0

    def note(self, sentence: str) -> None:
        """Keep a finding, or only count it when there are too many."""
        self.found += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(sentence)

    def take(self, number: int, line: bytes) -> None:
        """Take the next line of the file. Raises `NotABook` for a first line of something else."""
        if number == 1:
            self._take_first(line)
            return
        try:
            fields = _read(line)
        except Unreadable as error:
            self.note(f"Line {number} of the file cannot be read: {error}.")
            return
        kind = fields["is"]
        stages = list(LINES)
        if stages.index(kind) < stages.index(self.stage) or self.stage == "end" or kind == "book":
            self.note(f"Line {number} of the file is out of place.")
        self.stage = kind
        if kind == "account":
            self._take_account(fields)
        elif kind == "transfer":
            self._take_transfer(fields)
        elif kind == "end":
            self._take_end(fields)

    def finish(self) -> None:
        """The file has ended: what can only be said of the whole."""
        if self.stage != "end":
            self.note("The file ends too early: its last line is missing.")
        self._entry_ends()
        total = 0
        for account in self.accounts.values():
            self._check_account(account)
            total += account.said["balance"]
        if total != 0:
            self.note(f"All balances together are {total} minutes, and should be 0.")
        self._check_head(self.head)
        for seq in sorted(self.anchors):
            if seq > self.seq:
                self.note(
                    f"Transfer {seq} was noted in an anchor, and the journal ends at {self.seq}: "
                    "its end was cut off."
                )
            else:
                self.note(f"Transfer {seq} was noted in an anchor, and is missing.")

    def below_floor(self) -> list[str]:
        """A sentence for each account that is under its floor now; no fault."""
        return [
            f"Account {_named(id)} stands at {account.said['balance']} minutes, below its "
            f"floor of {account.said['floor']}: by an override, or because the floor was raised. "
            "That is no fault."
            for id, account in sorted(self.accounts.items())
            if account.said["floor"] is not None and account.said["balance"] < account.said["floor"]
        ]

    def _take_first(self, line: bytes) -> None:
        try:
            said = _spoken(line)
        except Unreadable:
            said = {}
        if said.get("is") != "book":
            raise NotABook("This is not the book of a time bank.")
        if said.get("version") != VERSION:
            raise NotABook(
                f"This book is written in version {said.get('version')} of the format; this "
                f"program knows {VERSION}."
            )
        try:
            fields = _read(line)
        except Unreadable as error:
            self.note(f"Line 1 of the file cannot be read: {error}.")
            return
        self.community = fields["community"]
        self.head = (fields["seq"], fields["hash"], fields["posted_at"])
        self.hash = genesis(self.community)
        self._check_anchors(0, self.hash)

    def _take_account(self, said: Fields) -> None:
        if said["id"] <= self.last_id:
            name = _named(said["id"])
            self.note(f"Account {name} is out of order, or stands in the book twice.")
        self.last_id = said["id"]
        self.accounts[said["id"]] = Account(said)

    def _take_transfer(self, row: Fields) -> None:
        self.transfers += 1
        seq = row["seq"]
        if seq != self.seq + 1:
            self.note(f"Transfer {self.seq + 1} is missing.")
        if row["previous"] != self.hash:
            self.note(f"Transfer {seq} does not follow on from the one before it.")
        if row["hash"] != digest(self.community, row):
            self.note(f"Transfer {seq} is not what was posted: its hash does not fit.")
        if self.at is not None and row["posted_at"] < self.at:
            self.note(f"Transfer {seq} was posted before the one before it.")
        if row["minutes"] < 1 or row["source"] == row["destination"]:
            self.note(f"Transfer {seq} moves nothing from one account to another.")
        self._check_anchors(seq, row["hash"])
        self._check_place(row)
        self._add(row, "source", -row["minutes"])
        self._add(row, "destination", row["minutes"])
        self.seq, self.hash, self.at = seq, row["hash"], row["posted_at"]

    def _take_end(self, said: Fields) -> None:
        if (said["seq"], said["hash"], said["posted_at"]) != self.head:
            self.note("The first and the last line of the file name different ends.")
        for kind, counted in (("accounts", len(self.accounts)), ("transfers", self.transfers)):
            if said[kind] != counted:
                self.note(f"{said[kind]} {kind} are stored, and {counted} are in the book.")

    def _check_anchors(self, seq: int, found: bytes) -> None:
        for digits in self.anchors.pop(seq, []):
            if not found.hex().startswith(digits):
                self.note(
                    f"Transfer {seq} is not the one noted in the anchor {seq}:{digits}: "
                    "the journal was written anew from there, or from before."
                )

    def _check_place(self, row: Fields) -> None:
        """Transfers of an entry stand together, counted from 1, and agree on what they share."""
        if self.entry and row["entry"] != self.entry[0]["entry"]:
            self._entry_ends()
        shared = ("occurred_on", "posted_at", "reverses", "commitment")
        differs = any(row[name] != self.entry[0][name] for name in shared) if self.entry else False
        if row["position"] != len(self.entry) + 1 or differs:
            self.note(f"Transfer {row['seq']} is not in its place in its entry.")
        self.entry.append(row)

    def _entry_ends(self) -> None:
        """All transfers of the entry at hand are there: compare it, if it is a reversal."""
        if not self.entry:
            return
        first, rows = self.entry[0], self.entry
        seq = first["seq"]
        moves = [(row["source"], row["destination"], row["minutes"]) for row in rows]
        self.entry = []
        reverses = first["reverses"]
        if reverses is not None:
            back = [(to, by, minutes) for by, to, minutes in self.originals.get(reverses, ())]
            if not back or moves != back[::-1]:
                self.note(f"Transfer {seq} does not move back what it says it reverses.")
            if reverses in self.undone:
                self.note(f"Transfer {seq} reverses what was reversed before.")
            self.undone.add(reverses)
        if first["entry"] in self.wanted:
            self.originals[first["entry"]] = moves

    def _add(self, row: Fields, side: str, minutes: int) -> None:
        """Add a transfer to one of its two accounts, and compare with what the row says."""
        seq, id = row["seq"], row[side]
        account = self.accounts.get(id)
        if account is None:
            self.note(f"Account {_named(id)} of transfer {seq} is not in the book.")
            return
        account.lines += 1
        account.balance += minutes
        line, left = row[side + "_line"], row[side + "_balance"]
        if line != account.lines:
            self.note(
                f"Transfer {seq} is line {line} of account {_named(id)}, and should be line "
                f"{account.lines}."
            )
        if left != account.balance:
            self.note(
                f"Transfer {seq} leaves account {_named(id)} at {left} minutes, and should leave "
                f"it at {account.balance}."
            )

    def _check_account(self, account: Account) -> None:
        said = account.said
        name = _named(said["id"])
        if said["balance"] != account.balance:
            self.note(
                f"Account {name} stands at {said['balance']} minutes, and its lines add up to "
                f"{account.balance}."
            )
        if said["lines"] != account.lines:
            self.note(f"Account {name} counts {said['lines']} lines, and has {account.lines}.")

    def _check_head(self, head: tuple[int, bytes, int]) -> None:
        seq, ends, at = head
        if (seq, ends) != (self.seq, self.hash) or (self.at is not None and at != self.at):
            self.note(
                f"The journal ends at {self.seq}:{self.hash.hex()[:20]}, and its head says "
                f"{seq}:{ends.hex()[:20]}."
            )


def anchor(text: str) -> Anchor:
    """An anchor as somebody typed it: a number, a colon, 16 to 64 digits of the hash.

    Spaces and capitals do not matter. Raises `ValueError` with a sentence.
    """
    found = re.fullmatch("([0-9]{1,18}):([0-9a-f]*)", "".join(text.split()).lower(), re.ASCII)
    if found is None:
        raise ValueError("An anchor is a number, a colon and a hash, such as 12:ab12cd34ef567890.")
    digits = found.group(2)
    if len(digits) % 2 or not FEWEST_DIGITS <= len(digits) <= 64:
        raise ValueError(
            "An anchor has 16 to 64 digits after the colon, and an even number of them; this one "
            f"has {len(digits)}."
        )
    return int(found.group(1)), digits


def verify(lines: Callable[[], Iterable[bytes]], anchors: Iterable[Anchor] = ()) -> Verification:
    """Verify a book. `lines` gives its lines, ends included, and is asked twice.

    First for what is reversed, so that of all the entries only those are remembered the second
    time. Raises `NotABook`.
    """
    reversed_ids: set[bytes] = set()
    for line in lines():
        if b'"reverses":"' in line:
            try:
                reversed_ids.add(_read(line).get("reverses") or b"")
            except Unreadable:
                continue  # it is read, and told, the second time
    verification = Verification(anchors, reversed_ids)
    number = 0
    for line in lines():
        number += 1
        verification.take(number, line)
    if number == 0:
        raise NotABook("There is nothing in this file.")
    verification.finish()
    return verification


def _named(id: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=id)


def _lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file from its beginning; one that never ends comes in pieces."""
    file.seek(0)
    while True:
        line = file.readline(LONGEST_LINE)
        if not line:
            return
        yield line


def _told(verification: Verification, anchors: list[Anchor]) -> Iterator[str]:
    """The outcome in sentences, the last one saying whether the book is sound."""
    yield from verification.below_floor()
    yield from verification.findings
    if verification.found > len(verification.findings):
        yield f"And {verification.found - len(verification.findings)} more."
    if not verification.sound:
        yield f"NOT SOUND: {verification.found} findings."
        return
    if not anchors:
        yield (
            "No anchor was given: an end that was cut off, or a journal written anew from some "
            "transfer on, cannot be seen without one."
        )
    community = _named(verification.community)
    yield (
        f"SOUND: {verification.transfers} transfers, {len(verification.accounts)} accounts, "
        f"{len(anchors)} anchors; community {community}; "
        f"ends at {verification.seq}:{verification.hash.hex()}"
    )


def _argument(text: str) -> Anchor:
    try:
        return anchor(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(arguments: list[str] | None = None) -> int:
    """Verify the file named on the command line, say what was found, answer the exit code."""
    parser = argparse.ArgumentParser(description="Verify the exported book of a time bank.")
    parser.add_argument("file", nargs="?", help="the exported book; otherwise standard input")
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        type=_argument,
        metavar="SEQ:HASH",
        help="a number and a hash noted elsewhere, at least 16 digits of it; may be repeated",
    )
    asked = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryFile() if asked.file is None else open(asked.file, "rb") as file:
            if asked.file is None:  # a pipe can be read once only
                shutil.copyfileobj(sys.stdin.buffer, file)
            verification = verify(lambda: _lines_of(file), asked.anchor)
    except (NotABook, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for sentence in _told(verification, asked.anchor):
        print(sentence)
    return 0 if verification.sound else 1


if __name__ == "__main__":
    sys.exit(main())
