"""Holds what stands in a database against what people were told, with plain statements.

Nothing of the program's own reads here, but for the ids of reversals.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from tests.faults.neighbours import APPROVE, RECORD, UNDO, Deed, Neighbours
from tests.faults.street import FILE
from timebank.config import Settings
from timebank.posting import reversal_id

Rows: TypeAlias = list[tuple[Any, ...]]

_STATEMENTS = {
    "entries": "SELECT id, state, note, reverses_id FROM entry",
    "transfers": "SELECT seq, entry_id, source_id, destination_id, minutes FROM transfer",
    "head": "SELECT seq FROM journal",
    "accounts": "SELECT id, balance, lines FROM account",
    "steps": "SELECT entry_id, kind, count(*) FROM step GROUP BY entry_id, kind",
    "acts": """
        SELECT subject_id, action, count(*) FROM audit
        WHERE action IN ('entry.approved', 'entry.reversed') GROUP BY subject_id, action
    """,
}


@dataclass(frozen=True)
class Found:
    """What stands in the tables, ids as `UUID`."""

    tables: Mapping[str, Rows]

    def states(self) -> dict[UUID, str]:
        """Where each entry stands that somebody wrote down."""
        return {id: state for id, state, _, reverses in self.tables["entries"] if not reverses}

    def posted(self) -> Counter[UUID]:
        """How many transfers each journal entry has."""
        return Counter(entry for _, entry, *_ in self.tables["transfers"])


async def look(settings: Settings, scratch: Path) -> Found:
    """What a server would show, or a copy of the SQLite file as it lies there."""
    if settings.database_url:
        return await _look_at_server(settings.url.replace("+asyncpg", ""))
    return _look_at_copy(settings.data, scratch)


async def _look_at_server(url: str) -> Found:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return Found(
                {
                    name: [tuple(map(_plain, row)) for row in await connection.fetch(statement)]
                    for name, statement in _STATEMENTS.items()
                }
            )
    finally:
        await connection.close()


def _look_at_copy(folder: Path, scratch: Path) -> Found:
    """A copy, because opening the file itself would recover it before the program has to."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for file in folder.glob(f"{FILE}*"):
        if not file.name.endswith("-shm"):
            shutil.copyfile(file, scratch / file.name)
    with closing(sqlite3.connect(scratch / FILE)) as conn:
        damage = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
        assert damage == "ok", f"the file is damaged: {damage}"
        return Found(
            {
                name: [tuple(map(_plain, row)) for row in conn.execute(statement)]
                for name, statement in _STATEMENTS.items()
            }
        )


def _plain(value: Any) -> Any:
    """Both databases' ids as `UUID`."""
    if isinstance(value, bytes) and len(value) == 16:
        return UUID(bytes=value)
    return UUID(str(value)) if hasattr(value, "hex") and hasattr(value, "fields") else value


def compare(found: Found, people: Neighbours, *, settled: bool = False) -> list[str]:
    """What was acknowledged and is not there, is there twice, or was never asked for.

    `settled`: everything was answered, so what is there is exactly what was acknowledged.
    """
    return [
        *_denied(found, people),
        *_lost(found, people),
        *_doubled(found),
        *_unasked(found, people, settled=settled),
        *_sums(found),
    ]


def written(found: Found, deeds: Iterable[Deed]) -> int:
    """How many of these were done though nobody was told: a retry must not do them again."""
    states, posted = found.states(), found.posted()
    done = {
        RECORD: lambda id: id in states,
        APPROVE: lambda id: id in posted,
        UNDO: lambda id: reversal_id(id) in posted,
    }
    return sum(done[deed.what](deed.entries[0]) for deed in deeds)


def _denied(found: Found, people: Neighbours) -> list[str]:
    """Whoever was told that nothing was written can rely on it."""
    count = written(found, people.denied)
    return [f"{count} were told that nothing was written, and it was"] if count else []


def _lost(found: Found, people: Neighbours) -> list[str]:
    states, posted = found.states(), found.posted()
    notes = {id: note for id, _, note, _ in found.tables["entries"]}
    return [
        *(
            f"LOST: entry {id} was written down, and there is {notes.get(id)}"
            for id, deed in people.told[RECORD].items()
            if notes.get(id) != dict(deed.form)["note"]
        ),
        *(
            f"LOST: entry {id} was approved, is {states.get(id)}, with {posted[id]} transfers"
            for id in people.told[APPROVE]
            if posted[id] != 1 or states.get(id) not in ("approved", "reversed")
        ),
        *(
            f"LOST: entry {id} was undone, and is {states.get(id)}"
            for id in people.told[UNDO]
            if posted[reversal_id(id)] != 1 or states.get(id) != "reversed"
        ),
    ]


def _doubled(found: Found) -> list[str]:
    notes = Counter(note for _, _, note, reverses in found.tables["entries"] if not reverses)
    return [
        *(f"DOUBLED: {note} stands {n} times" for note, n in notes.items() if n > 1),
        *(f"DOUBLED: {id} is posted {n} times" for id, n in found.posted().items() if n > 1),
        *(
            f"DOUBLED: {id} was {kind} {n} times"
            for table in ("steps", "acts")
            for id, kind, n in found.tables[table]
            if n > 1
        ),
    ]


def _unasked(found: Found, people: Neighbours, *, settled: bool) -> list[str]:
    """Nothing stands there that nobody asked for; states and journal say the same."""
    states, posted = found.states(), found.posted()
    wrong = [f"nobody wrote entry {id} down" for id in states if id not in people.sent]
    standing = {id for id, state in states.items() if state in ("approved", "reversed")}
    undone = {reversal_id(id) for id, state in states.items() if state == "reversed"}
    if set(posted) != standing | undone:
        wrong.append("what entries say and what the journal holds is not the same")
    if settled and set(states) != set(people.told[RECORD]):
        wrong.append("what was written down is not what was acknowledged")
    if settled and standing != set(people.told[APPROVE]):
        wrong.append("what was approved is not what was acknowledged")
    if settled and len(undone) != len(people.told[UNDO]):
        wrong.append("what was undone is not what was acknowledged")
    return wrong


def _sums(found: Found) -> list[str]:
    """Numbers without gaps, and balances that are their lines."""
    transfers = found.tables["transfers"]
    balances: Counter[UUID] = Counter()
    lines: Counter[UUID] = Counter()
    for _, _, source, destination, minutes in transfers:
        balances[source] -= minutes
        balances[destination] += minutes
        lines.update((source, destination))
    wrong = [
        f"account {id} stands at {balance} after {count} lines, and its transfers say otherwise"
        for id, balance, count in found.tables["accounts"]
        if (balances[id], lines[id]) != (balance, count)
    ]
    if sorted(row[0] for row in transfers) != list(range(1, len(transfers) + 1)):
        wrong.append("the journal's numbers have gaps")
    if found.tables["head"] != [(len(transfers),)]:
        wrong.append(f"the head says {found.tables['head']} of {len(transfers)} transfers")
    return wrong
