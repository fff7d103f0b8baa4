"""What Citus, YugabyteDB and CockroachDB accept, as rules for our tables and statements.

The rules are read from what those three document. None of the three was run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Constraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table
from sqlalchemy import UniqueConstraint as Unique

TENANT = "community_id"

NOT_BY_COMMUNITY: Mapping[str, str] = {
    "community": "the list of communities itself, found by its short name before one is known",
    "person": "one sign-in serves several communities",
    "session": "belongs to a person",
    "token": "a mailed link is found by its hash alone, and may be a person's",
    "throttle": "counts wrong tries to sign in, before anybody is known",
    "outbox": "one queue of mail for the installation; some mail is a person's",
}
"""Tables that are few and small, kept whole on every server or on one; and why."""

EXTRAS: Mapping[str, str] = {
    r"CREATE TRIGGER \w+ BEFORE": "a second wall: correctness never depends on a trigger",
    r"CREATE FUNCTION refuse_change\(\)": "the triggers' only function; it refuses",
    r"CREATE POLICY": "a second wall behind our own scoping; CockroachDB has it since 25.2",
    r"ALTER TABLE \w+ (NO )?(FORCE|ENABLE|DISABLE) ROW LEVEL SECURITY": "as the policies",
}
"""What migrations may do on PostgreSQL beyond what all three accept; to be left out there."""

_NEVER = {
    r"\b(SMALL|BIG)?SERIAL\b": "a sequence: ids are made by the application",
    r"\bSEQUENCE\b|\bNEXTVAL\b": "a sequence: ids are made by the application",
    r"\bGENERATED\b[^,]*\bAS\s+IDENTITY\b": "a sequence: ids are made by the application",
    r"(?<!NOT )\bDEFERRABLE\b|\bSET\s+CONSTRAINTS\b": "CockroachDB has no deferrable constraints",
    r"\bEXCLUDE\b": "no exclusion constraints in CockroachDB, nor across shards in Citus",
    r"\bPG_(TRY_)?ADVISORY\w*": "advisory locks hold on one server only",
    r"\b(UN)?LISTEN\b|\bNOTIFY\b|\bPG_NOTIFY\b": "notifications stay on one server",
    r"\bLOCK\s+TABLE\b": "not in CockroachDB",
    r"\bWITH\s+HOLD\b": "a cursor that outlives its transaction stays on one server",
    r"\bSELECT\s+(FROM|WHERE)\b": "CockroachDB wants something named after SELECT",
    r"\bMERGE\s+INTO\b": "not in CockroachDB",
    r"\b(CTID|XMIN|TABLEOID)\b": "where PostgreSQL keeps a row is its own affair",
    r"\bINHERITS\b|\bUNLOGGED\b|\bTEMP(ORARY)?\s+TABLE\b": "PostgreSQL alone",
    r"\bEXTENSION\b": "PostgreSQL alone",
}
_EXTRA = {
    r"\bCREATE\s.*\b(FUNCTION|PROCEDURE)\b|\bPLPGSQL\b|^\s*(DO|CALL)\b": "a procedure",
    r"\bTRIGGER\b": "a trigger",
    r"\bPOLICY\b|\bROW\s+LEVEL\s+SECURITY\b": "row-level security",
}


def objections(statement: str) -> list[str]:
    """Why one of the three would not take a statement; in migrations, `EXTRAS` are let pass."""
    plain = _without_words(statement)
    found = [
        f"{reason}: {_short(statement)}"
        for pattern, reason in _NEVER.items()
        if re.search(pattern, plain, re.IGNORECASE)
    ]
    extra = [what for pattern, what in _EXTRA.items() if re.search(pattern, plain, re.IGNORECASE)]
    if extra and not any(re.match(rf"\s*{allowed}", statement) for allowed in EXTRAS):
        found.append(f"{extra[0]} outside of the extras: {_short(statement)}")
    return found


def objections_on_the_way(statement: str, tenant_tables: Iterable[str]) -> list[str]:
    """The same for a statement of the posting path, where no extra is needed.

    Each time a community's table is read or written, the community has to be named.
    """
    plain = _without_words(statement)
    found = objections(statement)
    found += [
        f"{what} on the way of a posting: {_short(statement)}"
        for pattern, what in _EXTRA.items()
        if re.search(pattern, plain, re.IGNORECASE)
    ]
    names = "|".join(map(re.escape, tenant_tables))
    touched = re.findall(
        rf"\b(?:FROM|JOIN|UPDATE|INTO|,)\s+({names})\b(?!\.)", plain, re.IGNORECASE
    )
    if len(touched) > len(_named(plain)):
        found.append(f"no community named for {', '.join(touched)}: {_short(statement)}")
    return found


def objections_to_table(table: Table) -> Iterator[str]:
    """What is wrong with the keys of a table: the community has to lead them."""
    if table.name in NOT_BY_COMMUNITY:
        return
    if TENANT not in table.c or table.c[TENANT].nullable:
        yield f"{table.name}: every row has to belong to a community"
    keys: list[Constraint | Index] = [*table.constraints, *table.indexes]
    for key in keys:
        yield from _objections_to_key(table, key)


def _objections_to_key(table: Table, key: Constraint | Index) -> Iterator[str]:
    names = [column.name for column in key.columns] if hasattr(key, "columns") else []
    where = f"{table.name} ({', '.join(names)})"
    if isinstance(key, ForeignKeyConstraint):
        if key.deferrable:
            yield f"{where}: CockroachDB has no deferrable constraints"
        other = key.referred_table.name
        pairs = {element.parent.name: element.column.name for element in key.elements}
        if other in NOT_BY_COMMUNITY:
            return
        if names[:1] != [TENANT] or pairs[TENANT] != TENANT:
            yield f"{where}: a reference to {other} has to begin with {TENANT}"
    elif _is_unique(key) and names[:1] != [TENANT]:
        yield f"{where}: a unique key has to begin with {TENANT}"


def _is_unique(key: Constraint | Index) -> bool:
    if isinstance(key, Index):
        return bool(key.unique)
    return isinstance(key, PrimaryKeyConstraint | Unique)


def _named(statement: str) -> list[str]:
    """The times a community is given: compared with something, or among the columns inserted."""
    compared = rf"\b{TENANT}\s*(?:=|IN\b)"
    inserted = rf"INTO\s+\w+\s*\([^)]*\b{TENANT}\b[^)]*\)"
    return re.findall(rf"{compared}|{inserted}", statement, re.IGNORECASE)


def _without_words(statement: str) -> str:
    """Without what stands in quotes or comments."""
    return re.sub(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", "''", statement, flags=re.DOTALL)


def _short(statement: str) -> str:
    return " ".join(statement.split())[:120]
