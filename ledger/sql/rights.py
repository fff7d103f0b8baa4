"""What the program may do with each table, said once and kept to by both databases.

On PostgreSQL the program signs in as a role of its own, and `grants` gives that role its rights. On
SQLite there are no roles, so `authorizer` refuses on the program's own connections whatever is not
a right; it is asked when a statement is prepared, not for each row. Whoever migrates, backs up or
restores uses another role, or another connection.

`rows_apart` adds row-level security on PostgreSQL: a session sees and writes the rows of the one
community it names in `SETTING`, those of all if it says `EVERY`, and none if it says nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.sql.planner import known_soon

SETTING: Final = "timebank.community"
EVERY: Final = "*"


@dataclass(frozen=True, slots=True)
class Rights:
    """Reading is always allowed. `update` names the columns that may change, or `ANY` of them."""

    insert: bool = True
    update: frozenset[str] = frozenset()
    delete: bool = False


ANY: Final = frozenset({"*"})

LEDGER: Mapping[str, Rights] = {
    "journal": Rights(update=frozenset({"seq", "hash", "posted_at"})),
    "account": Rights(update=frozenset({"balance", "lines", "floor", "closed_at"})),
    "transfer": Rights(),
}
"""Journal rows are read and added. To lock rows takes a right to update, which these heads have."""


def grants(tables: Mapping[str, Rights], *, role: str, database: str) -> Iterator[str]:
    """The statements for PostgreSQL that leave `role` with these rights and no others.

    Both names stand as in a statement, quoted if they need that. To be run by the owner of the
    tables and of the database. Nobody may make tables, temporary ones neither: one named like ours
    would be found in its place.
    """
    yield f"REVOKE ALL ON TABLE {', '.join(tables)} FROM PUBLIC, {role}"
    for table, rights in tables.items():
        yield f"GRANT {', '.join(_allowed(rights))} ON TABLE {table} TO {role}"
    yield f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}"
    yield f"GRANT USAGE ON SCHEMA public TO {role}"
    yield f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}"


def _allowed(rights: Rights) -> Iterator[str]:
    yield "SELECT"
    if rights.insert:
        yield "INSERT"
    if rights.update:
        yield "UPDATE" if rights.update == ANY else f"UPDATE ({', '.join(sorted(rights.update))})"
    if rights.delete:
        yield "DELETE"


def rows_apart(table: str, column: str = "community_id") -> list[str]:
    """The statements for PostgreSQL that show and take a table's rows one community at a time.

    Its owner is held to it too. Rows without a community are seen from everywhere only. Foreign
    keys and unique keys look at all rows, as they have to.
    """
    setting = f"current_setting('{SETTING}', true)"
    # A CASE, because PostgreSQL takes an equation it cannot look into for something that holds of
    # one row in a hundred or two hundred, and would then read a whole community to find a few rows.
    ours = f"CASE WHEN {column}::text = {setting} THEN true ELSE {setting} = '{EVERY}' END"
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {table}_of_the_community ON {table} USING ({ours}) WITH CHECK ({ours})",
    ]


def new_table(table: str, *, dialect: str, column: str = "community_id") -> list[str]:
    """What a new table needs besides its columns, on PostgreSQL; on SQLite it needs nothing.

    `rows_apart`, and a planner that knows it soon.
    """
    if dialect != "postgresql":
        return []
    return [known_soon(table), *rows_apart(table, column)]


_HARMLESS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
    }
)
_DESCRIBING = frozenset({"table_info", "table_xinfo"})
_ASKED = _DESCRIBING | {
    "busy_timeout",
    "foreign_keys",
    "journal_mode",
    "query_only",
    "recursive_triggers",
    "synchronous",
    "wal_autocheckpoint",
}
"""Pragmas that may be asked; none may be set."""


def authorizer(
    tables: Mapping[str, Rights],
) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    """What SQLite has to ask about each step of a statement; what is no right is refused.

    To be set on a connection that is ready for use: afterwards no pragma can be set on it.
    """

    def allowed(action: int, first: str | None, second: str | None) -> bool:
        rights = tables.get(first or "")
        if action == sqlite3.SQLITE_INSERT:
            return rights is not None and rights.insert
        if action == sqlite3.SQLITE_UPDATE:
            return rights is not None and (rights.update == ANY or second in rights.update)
        if action == sqlite3.SQLITE_DELETE:
            return rights is not None and rights.delete
        if action == sqlite3.SQLITE_PRAGMA:
            return first in _ASKED and (second is None or first in _DESCRIBING)
        return action == sqlite3.SQLITE_FUNCTION and second != "load_extension"

    def judge(
        action: int, first: str | None, second: str | None, _schema: str | None, _by: str | None
    ) -> int:
        if action in _HARMLESS or allowed(action, first, second):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return judge
