"""Reports: what a community did in a period, for its board, its funders and itself.

Hours are told as given and as received, by everything they can be told by. Nothing in a report is
about fewer than five people, and nothing can be worked out of it that is (`timebank.small_counts`).
Gifts of hours are no help, and what was undone counts neither way.

A report is values only, so that the one that was kept when a month was closed is shown in the same
way as one made today. Kept, it is JSON with sorted keys and no spaces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from timebank import acting, communities, policy, report_facts
from timebank.entry import Kind
from timebank.errors import Forbidden
from timebank.figures import Pot, rows
from timebank.periods import Period
from timebank.report_facts import Facts, House
from timebank.small_counts import FEWEST, Amount, Folded, Row, added, fold, showable

FORMAT = 1
"""The version of how a report is kept."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: what it is about, how many people stand in it, and their hours.

    `key` says what it is about where that has no name of the community's own: a kind, a month,
    `neighbours`, `none`. `parts` are the rows that this one is made of.
    """

    key: str
    name: str
    people: int
    given: Minutes
    received: Minutes
    parts: Table | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by one thing, `folded` small ones as their sum `together`, and the total of all.

    Without a total, too few people stand in it for anything to be shown; without lines, for more
    than the total.
    """

    name: str
    lines: tuple[Line, ...]
    together: Line | None
    folded: int
    total: Line | None

    @property
    def most(self) -> Minutes:
        """The largest amount in a row, for pictures."""
        shown = [*self.lines, self.together] if self.together else self.lines
        return max((max(line.given, line.received) for line in shown if line), default=ZERO)


@dataclass(frozen=True, slots=True)
class Report:
    """What a community did from the first day to the last. Numbers that are None are hidden.

    `numbers` are, by name: people who were `active`, `gave`, `received`, did `both`, exchanged
    for the `first` time, `joined`, `joined_and_exchanged`; `days_to_first` (the median, from
    joining); `organisations` active and `organisations_joined`; `exchanges`; `seconds_waited` from
    writing down to counting (the median); `gatherings` held and who `came`; `requests` made and
    those `unanswered`; minutes given `late` and `taken_back`, and those of the commons, which
    `commons_gave` and `commons_received`.
    """

    community: str
    first: date
    last: date
    numbers: Mapping[str, int | None]
    tables: tuple[Table, ...]

    @property
    def period(self) -> Period:
        """The days it is about."""
        return Period(self.first, self.last)

    @property
    def total(self) -> Line | None:
        """What all members gave and received; None if they were too few."""
        return self.table("kind").total

    def table(self, name: str) -> Table:
        """One of its tables; an empty one where it has none of that name."""
        return next(
            (one for one in self.tables if one.name == name), Table(name, (), None, 0, None)
        )


async def make(conn: AsyncConnection, community: UUID, period: Period, *, by: UUID) -> Report:
    """The report of any period as things stand now. For coordinators (`Forbidden`)."""
    actor = await acting.one(conn, community, by)
    if not policy.may_report(actor.member):
        raise Forbidden("report")
    return await read(conn, community, period)


async def read(conn: AsyncConnection, community: UUID, period: Period) -> Report:
    """The report of a period; who may see it, the caller has asked."""
    place = await communities.by_id(conn, community)
    return publish(place.name, period, await report_facts.read(conn, place, period))


# ── What of the facts may be shown ───────────────────────────────────────────────────────────────


def publish(community: str, period: Period, facts: Facts) -> Report:
    """The report that may be shown of these facts. Pure: nothing is read."""
    sums = facts.sums
    kinds = [kind.value for kind in Kind]
    tables = [
        _table("kind", sums.kinds, lambda kind: (kinds.index(kind),), lambda kind: (kind, "")),
        _categories(facts),
        _table("area", sums.areas, lambda area: (not area, area), _called(facts.areas)),
        _sectors(facts),
    ]
    if period.month is None:
        name = _table("month", sums.months, lambda month: (month,), lambda month: (str(month), ""))
        tables.append(name)
    return Report(community, period.first, period.last, _numbers(facts), tuple(tables))


def _numbers(facts: Facts) -> dict[str, int | None]:
    sums, first = facts.sums, facts.days_to_first
    active = sums.gave | sums.received
    enough = len(active) >= FEWEST
    found: dict[str, int | None] = showable(
        {
            "active": active,
            "gave": sums.gave,
            "received": sums.received,
            "both": sums.gave & sums.received,
            "joined": facts.joined,
            "first": facts.first,
            "joined_and_exchanged": facts.joined & facts.first,
        }
    )
    found["days_to_first"] = first[(len(first) - 1) // 2] if len(first) >= FEWEST else None
    found["organisations"] = sum(1 for house in sums.houses if house is not None)
    found["organisations_joined"] = facts.houses_joined
    found["exchanges"] = sums.exchanges if enough or not sums.exchanges else None
    waited = enough and facts.waits >= FEWEST
    found["seconds_waited"] = facts.seconds_waited if waited else None
    found["gatherings"] = facts.gatherings
    found["came"] = facts.came if facts.came >= FEWEST or not facts.came else None
    late = {"late": sums.late.amounts["given"], "on_time": sums.on_time.amounts["given"]}
    found["late"] = _two(late)["late"]
    back = facts.taken_back.total.amounts["given"]
    found["taken_back"] = back.value if back.shown else None
    found["commons_gave"], found["commons_received"] = sums.commons
    return found | _requests(facts.requests)


def _requests(requests: Sequence[tuple[Any, bool]]) -> dict[str, int | None]:
    """Requests of the period, and those that nobody has answered."""
    owners = {
        name: Amount(len(some), frozenset(some))
        for name, some in (
            ("answered", [owner for owner, answered in requests if answered]),
            ("unanswered", [owner for owner, answered in requests if not answered]),
        )
    }
    made = owners["answered"] + owners["unanswered"]
    return {
        "requests": made.value if made.shown else None,
        "unanswered": _two(owners)["unanswered"],
    }


def _two(parts: Mapping[str, Amount]) -> dict[str, int | None]:
    """Two halves of a whole that is shown: either both of them may be shown, or neither."""
    shown = all(amount.shown for amount in parts.values())
    return {name: amount.value if shown else None for name, amount in parts.items()}


def _categories(facts: Facts) -> Table:
    """By category, in the community's own order; last what has none."""
    order = {id: place for place, id in enumerate(facts.categories)}
    return _table(
        "category",
        facts.sums.categories,
        lambda id: (order.get(id, len(order)),),
        _called(facts.categories),
    )


def _sectors(facts: Facts) -> Table:
    """By the sector of one's organisation, and in each by organisation; last the neighbours.

    Organisations are shown only within a sector that is shown itself: they add up to it.
    """
    within: dict[Any, list[Row[Any]]] = {}
    sectors: dict[Any, House] = {}
    for house, pot in facts.sums.houses.items():
        known = facts.houses.get(house) if house is not None else None
        sector = (known.sector or "none") if known else "neighbours"
        within.setdefault(sector, []).append(Row(house, pot.amounts))
        if known:
            sectors[sector] = known
    order = sorted(
        within,
        key=lambda one: (
            one == "neighbours",
            one == "none",
            sectors[one].sector_position if one in sectors else 0,
            sectors[one].sector_name if one in sectors else "",
        ),
    )
    folded = fold([Row(one, added(row.amounts for row in within[one])) for one in order])
    table = _shown("sector", folded, lambda one: _sector_called(one, sectors))
    lines = [
        replace(line, parts=_organisations(within[row.key], facts)) if row.key in sectors else line
        for line, row in zip(table.lines, folded.rows, strict=True)
    ]
    return replace(table, lines=tuple(lines))


def _sector_called(sector: Any, known: Mapping[Any, House]) -> tuple[str, str]:
    return (sector, "") if sector in ("none", "neighbours") else ("", known[sector].sector_name)


def _organisations(some: Sequence[Row[Any]], facts: Facts) -> Table:
    ordered = sorted(some, key=lambda row: facts.houses[row.key].name)
    return _shown("organisation", fold(ordered), lambda id: ("", facts.houses[id].name))


def _called(names: Mapping[Any, str]) -> Callable[[Any], tuple[str, str]]:
    """Key and name of a row by its id: `none` where it has no name."""
    return lambda id: ("", names[id]) if names.get(id) else ("none", "")


def _table(
    name: str,
    pots: Mapping[Any, Pot],
    order: Callable[[Any], Any],
    called: Callable[[Any], tuple[str, str]],
) -> Table:
    """A table by one thing, its rows in an order, each with its key and its name."""
    ordered = sorted(rows(pots), key=lambda row: order(row.key))
    return _shown(name, fold(ordered), called)


def _shown(name: str, table: Folded[Any], called: Callable[[Any], tuple[str, str]]) -> Table:
    return Table(
        name,
        tuple(_line(row.amounts, *called(row.key)) for row in table.rows),
        _line(table.together, "together") if table.together else None,
        table.folded,
        _line(table.total, "total") if table.total else None,
    )


def _line(amounts: Mapping[str, Amount], key: str, name: str = "") -> Line:
    return Line(
        key,
        name,
        len(amounts["people"].people),
        Minutes(amounts["given"].value),
        Minutes(amounts["received"].value),
    )


# ── Keeping it ───────────────────────────────────────────────────────────────────────────────────


def as_json(report: Report) -> str:
    """The report as it is kept: the same report is always the same text."""
    kept = {
        "format": FORMAT,
        "community": report.community,
        "first": report.first.isoformat(),
        "last": report.last.isoformat(),
        "numbers": dict(report.numbers),
        "tables": [_table_as_json(table) for table in report.tables],
    }
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str) -> Report:
    """The report that was kept. Raises `ValueError` for a format we do not know."""
    kept = json.loads(text)
    if kept.get("format") != FORMAT:
        raise ValueError(f"reports of format {kept.get('format')} are not known here")
    return Report(
        kept["community"],
        date.fromisoformat(kept["first"]),
        date.fromisoformat(kept["last"]),
        kept["numbers"],
        tuple(_table_from_json(table) for table in kept["tables"]),
    )


def _table_as_json(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "lines": [_line_as_json(line) for line in table.lines],
        "together": _line_as_json(table.together) if table.together else None,
        "folded": table.folded,
        "total": _line_as_json(table.total) if table.total else None,
    }


def _line_as_json(line: Line) -> dict[str, Any]:
    return {
        "key": line.key,
        "name": line.name,
        "people": line.people,
        "given": line.given.count,
        "received": line.received.count,
        "parts": _table_as_json(line.parts) if line.parts else None,
    }


def _table_from_json(kept: Mapping[str, Any]) -> Table:
    return Table(
        kept["name"],
        tuple(_line_from_json(line) for line in kept["lines"]),
        _line_from_json(kept["together"]) if kept["together"] else None,
        kept["folded"],
        _line_from_json(kept["total"]) if kept["total"] else None,
    )


def _line_from_json(kept: Mapping[str, Any]) -> Line:
    return Line(
        kept["key"],
        kept["name"],
        kept["people"],
        Minutes(kept["given"]),
        Minutes(kept["received"]),
        _table_from_json(kept["parts"]) if kept["parts"] else None,
    )
