"""What has to hold in a SQLite file after any fault, looked at with nothing of the program's own.

Quick enough for every one of a million files: a few plain statements, and sums in Python.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from uuid import UUID

_TRANSFERS = """
    SELECT seq, entry_id, position, source_id, destination_id, minutes, source_line,
        source_balance, destination_line, destination_balance, previous, hash
    FROM transfer ORDER BY seq
"""
_STANDING = "SELECT id FROM entry WHERE state IN ('approved', 'reversed')"
_MOVED = "SELECT count(*) FROM step WHERE kind IN ('approved', 'posted', 'reversed')"


def examine(file: Path, acknowledged: Mapping[UUID, int], *, whole: bool = False) -> list[str]:
    """What is wrong in a database that holds one community; SQLite recovers it on opening.

    `acknowledged`: journal entries that have to be there, and their number of transfers. `whole`
    also compares every index with its table.
    """
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as conn:
            conn.execute("PRAGMA locking_mode = EXCLUSIVE")  # no shared memory: a fresh start
            conn.execute("PRAGMA synchronous = OFF")  # this copy may be lost
            check = "integrity_check" if whole else "quick_check"
            found = conn.execute(f"PRAGMA {check}(1)").fetchone()[0]
            if found != "ok":
                return [f"the file is damaged: {found}"]
            return [*_books(conn), *_acknowledged(conn, acknowledged)]
    except sqlite3.DatabaseError as error:
        return [f"the file cannot be read: {error}"]


def _books(conn: sqlite3.Connection) -> list[str]:
    """Numbers without gaps, links, lines and balances, head and accounts."""
    wrong = []
    previous, count = None, 0
    accounts: dict[bytes, tuple[int, int]] = {}
    entries: set[bytes] = set()
    for row in conn.execute(_TRANSFERS):
        seq, entry, _, source, destination, minutes = row[:6]
        count += 1
        if seq != count or (previous is not None and row[10] != previous):
            wrong.append(f"transfer {seq} does not follow transfer {count - 1}")
        previous = row[11]
        entries.add(entry)
        for account, moved, line, left in (
            (source, -minutes, *row[6:8]),
            (destination, minutes, *row[8:10]),
        ):
            lines, balance = accounts.get(account, (0, 0))
            accounts[account] = lines + 1, balance + moved
            if (line, left) != accounts[account]:
                wrong.append(f"transfer {seq} is not the next line of its account")
    ((head, hash),) = conn.execute("SELECT seq, hash FROM journal").fetchall()
    if head != count or (previous is not None and hash != previous):
        wrong.append(f"the journal's head says {head} and there are {count} transfers")
    for id, lines, balance in conn.execute("SELECT id, lines, balance FROM account"):
        if (lines, balance) != accounts.pop(id, (0, 0)):
            wrong.append("an account does not stand where its lines leave it")
    if accounts:
        wrong.append("an account is missing")
    if entries != {row[0] for row in conn.execute(_STANDING)}:
        wrong.append("an entry says it is posted and is not, or the other way round")
    if len(entries) != conn.execute(_MOVED).fetchone()[0]:
        wrong.append("a posting has no step in its entry's story, or two")
    return wrong


def _acknowledged(conn: sqlite3.Connection, acknowledged: Mapping[UUID, int]) -> list[str]:
    found = Counter(row[0] for row in conn.execute("SELECT entry_id FROM transfer"))
    return [
        f"entry {id} was acknowledged with {transfers} transfers and has {found[id.bytes]}"
        for id, transfers in acknowledged.items()
        if found[id.bytes] != transfers
    ]
