"""Matching columns: where the headings are, which column is what, and how its cells are read.

What somebody chose for a set of headings is remembered for their community. Pure, but for that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.imports import cells
from timebank.imports.fields import FIELDS, guess, likeliest, plain
from timebank.imports.files import File, Row, What, remembered
from timebank.moment import Moment

LOOKED_AT = 50
"""So many rows are looked at before somebody says which column is what."""

_ABOVE = 10  # rows that may stand above the headings: a title, a date


class Unit(StrEnum):
    """What a bare number of time means."""

    HOURS = "hours"
    MINUTES = "minutes"
    SECONDS = "seconds"


class Order(StrEnum):
    """How a day is written in figures; year-month-day is always understood."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


@dataclass(frozen=True, slots=True)
class Settings:
    """Which column (from 0 on) each field is, and how to read the file.

    `first` is the number of the first row that counts. `add_people`: whoever the hours name and is
    not here becomes a former member. `keep_floors`: hours that would pass a hard floor are a
    mistake. `write`: those with an address get a mail.
    """

    columns: Mapping[str, int]
    first: int
    unit: Unit = Unit.HOURS
    order: Order = Order.DAY_FIRST
    add_people: bool = False
    keep_floors: bool = False
    write: bool = False

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self) | {"columns": dict(self.columns)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Settings:
        """As it was kept."""
        return cls(**{**kept, "unit": Unit(kept["unit"]), "order": Order(kept["order"])})

    def cell(self, row: Row, key: str) -> str:
        """What a row says of a field; "" where it says nothing, or no column is that field."""
        column = self.columns.get(key)
        if column is None or column >= len(row.cells):
            return ""
        return cells.unmarked(row.cells[column])


@dataclass(frozen=True, slots=True)
class Guess:
    """What a file most likely is."""

    what: What
    settings: Settings
    known: bool = field(default=False)  # chosen before, for the same headings


def headings(first: Sequence[Row]) -> dict[str, Any]:
    """Where the headings are among the first rows: the row that has most words we know.

    Else the first row, if it looks like headings: words, each another, and no figures. It tells
    {"headings": the cells, "heading_row": its number, or 0 where there seem to be none, "above":
    how many rows go with it, "width": how many columns there are}.
    """
    known = {word for fields in FIELDS.values() for field in fields for word in field.words}
    best, most = None, 0
    for row in first[:_ABOVE]:
        count = sum(1 for cell in row.cells if plain(cell) in known)
        if count > most:
            best, most = row, count
    if (best is None or most < min(2, len(best.cells))) and first:
        best = first[0] if _like_headings(first[0]) else None
    if best is None:
        return {"headings": [], "heading_row": 0, "above": 0, "width": _width(first)}
    return {
        "headings": list(best.cells),
        "heading_row": best.number,
        "above": sum(1 for row in first if row.number <= best.number),
        "width": max(_width(first), len(best.cells)),
    }


def _like_headings(row: Row) -> bool:
    words = [plain(cell) for cell in row.cells]
    distinct = all(words) and len(set(words)) == len(words) > 1
    return distinct and not any(
        character.isdigit() or character == "@" for word in row.cells for character in word
    )


def _width(first: Sequence[Row]) -> int:
    return max((len(row.cells) for row in first), default=0)


def suggest(file: File, first: Sequence[Row], what: What | None = None) -> Guess:
    """What the file seems to be, or which column is what if it is `what`."""
    names = file.found["headings"]
    kind = what or likeliest(names)
    columns = guess(kind, names)
    heading_row = file.found["heading_row"]
    below = [row for row in first if row.number > heading_row]
    settings = Settings(columns, heading_row + 1)
    return Guess(
        kind,
        Settings(
            columns,
            heading_row + 1,
            unit=_unit(names, settings),
            order=_order(below, settings),
        ),
    )


def _unit(names: Sequence[str], settings: Settings) -> Unit:
    """What the heading of the time says its numbers are."""
    column = settings.columns.get("time", settings.columns.get("balance"))
    name = plain(names[column]) if column is not None and column < len(names) else ""
    if any(word in name for word in ("min",)):
        return Unit.MINUTES
    return Unit.SECONDS if "second" in name or "segundo" in name else Unit.HOURS


def _order(below: Sequence[Row], settings: Settings) -> Order:
    """Month first only if some day cannot be read otherwise."""
    keys = ("day", "joined", "since", "until", "written")
    days = [settings.cell(row, key) for row in below for key in keys]
    return Order.MONTH_FIRST if any(cells.month_is_first(day) for day in days) else Order.DAY_FIRST


def fingerprint(names: Sequence[str]) -> bytes:
    """What stands for a set of headings, in whatever order."""
    return hashlib.sha256(json.dumps(sorted(map(plain, names))).encode()).digest()


async def remember(
    conn: AsyncConnection, file: File, what: What, settings: Settings, *, now: Moment
) -> None:
    """Keep the choice for the next file with these headings."""
    names = file.found["headings"]
    if not names:
        return
    by_name = {
        key: plain(names[column]) for key, column in settings.columns.items() if column < len(names)
    }
    kept = settings.as_json() | {"columns": by_name}
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(remembered).values(
        community_id=file.community_id,
        headings=fingerprint(names),
        what=what.value,
        settings=kept,
        used_at=now.at,
    )
    new = statement.excluded
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=["community_id", "headings"],
            set_={"what": new.what, "settings": new.settings, "used_at": new.used_at},
        )
    )


async def recall(conn: AsyncConnection, file: File) -> Guess | None:
    """What was chosen for these headings before; None if they are new here."""
    names = file.found["headings"]
    if not names:
        return None
    row = (
        await conn.execute(
            select(remembered).where(
                remembered.c.community_id == file.community_id,
                remembered.c.headings == fingerprint(names),
            )
        )
    ).first()
    if row is None:
        return None
    places = {plain(name): column for column, name in reversed(list(enumerate(names)))}
    columns = {key: places[name] for key, name in row.settings["columns"].items() if name in places}
    kept = row.settings | {"columns": columns, "first": file.found["heading_row"] + 1}
    return Guess(What(row.what), Settings.from_json(kept | {"write": False}), known=True)
