"""What is in an archive, what is left out and why, and how values are spelled.

It follows the tables of the program, so a table that is new tomorrow is in it. A table or a column
stays out only if it stands here with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Select, Table, select

from ledger import Minutes
from ledger.sql import metadata
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, Json, MinutesType, Words
from timebank.communities import communities
from timebank.imports import files
from timebank.members import members
from timebank.people import people

FORMAT = "timebank archive"
VERSION = 1
"""Of the archive's own form. Which tables and columns there are, `schema` in the manifest says."""

LEFT_OUT: Mapping[str, str] = {
    "session": "who is signed in where: secrets, of no use elsewhere",
    "token": "links that were mailed or printed: secrets, for another address",
    "door": "codes at the door of a gathering: secrets, printed for one evening",
    "feed": "secret addresses of calendars: whoever wants one makes a new one there",
    "throttle": "wrong tries to sign in, forgotten within the hour",
    "outbox": "mail that was sent, or will be sent by the installation it is in",
    "import_row": "rows of files that were not brought in; those files stay behind too",
}
"""Tables that stay behind, and why."""

LEFT_OUT_COLUMNS: Mapping[tuple[str, str], str] = {
    ("person", "password_hash"): "passwords stay behind: people have a link sent to their address",
}
"""Columns that stay behind, and why. They are empty afterwards."""

_KINDS: Mapping[type[Any], str] = {
    Id: "id",
    Instant: "moment",
    Day: "day",
    MinutesType: "minutes",
    Count: "number",
    Flag: "yes or no",
    Hash: "bytes",
    Words: "text",
    Json: "JSON",
}


def tables() -> list[Table]:
    """The tables of an archive, each after those it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def columns(table: Table) -> list[Column[Any]]:
    """The columns of a table that are in an archive."""
    return [column for column in table.c if (table.name, column.name) not in LEFT_OUT_COLUMNS]


def kind(column: Column[Any]) -> str:
    """What a column holds, in a word that docs/archive.md explains."""
    return _KINDS[type(column.type)]


def rows_of(table: Table, community: UUID) -> Select[Any]:
    """A community's rows of a table, in the order of their keys."""
    query = select(*columns(table)).order_by(*table.primary_key.columns)
    if table is communities:
        return query.where(table.c.id == community)
    if table is people:
        theirs = select(members.c.person_id).where(
            members.c.community_id == community, members.c.person_id.is_not(None)
        )
        return query.where(table.c.id.in_(theirs))
    if table is files.incoming:
        query = query.where(table.c.stage.in_(files.BROUGHT_IN))
    return query.where(table.c.community_id == community)


def later(table: Table) -> list[str]:
    """Columns that refer to rows of the same table: they are filled in once all rows are there."""
    found = []
    for key in table.constraints:
        if isinstance(key, ForeignKeyConstraint) and key.referred_table is table:
            found += [column.name for column in key.columns if column.name != "community_id"]
    return found


def spelled(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Minutes):
        return value.count
    return value.hex() if isinstance(value, bytes) else value


def read_back(column: Column[Any], value: Any) -> Any:
    """A value of a column out of JSON. Raises `ValueError` or `TypeError` for anything else."""
    if value is None:
        return None
    held = type(column.type)
    if held is Json:
        return value
    if held in _SPELLED_AS_TEXT:
        if not isinstance(value, str):
            raise TypeError(f"{column} is spelled as text")
        return _SPELLED_AS_TEXT[held](value)
    if held is MinutesType:
        return Minutes(value)
    wanted = bool if held is Flag else int
    if type(value) is not wanted:
        raise TypeError(f"{column} is no {wanted.__name__}")
    return value


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


_SPELLED_AS_TEXT: Mapping[type[Any], Any] = {
    Id: UUID,
    Instant: _moment,
    Day: date.fromisoformat,
    Hash: bytes.fromhex,
    Words: str,
}
