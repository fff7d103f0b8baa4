"""What a report shows of a small community is true, and tells of nobody.

Seen to turn red: organisations listed without regard to their sector; an organisation's own hours
shown as if nobody stood behind them; the minutes of the commons added to those of members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from timebank.entry import Kind
from timebank.figures import Hat, Part, Sums, Who
from timebank.periods import Period
from timebank.report_facts import Facts, House
from timebank.reports import Line, Report, Table, as_json, from_json, publish
from timebank.settled_hours import Settled, within
from timebank.small_counts import FEWEST

MAY = Period(date(2026, 5, 1), date(2026, 5, 31))
SPRING = Period(date(2026, 4, 1), date(2026, 6, 30))
PEOPLE = [f"p{n}" for n in range(12)]
HOUSES = {
    "library": House("Library", "culture", "Culture", 1),
    "museum": House("Museum", "culture", "Culture", 1),
    "surgery": House("Surgery", "health", "Health", 2),
    "club": House("Club", None, "", 0),
}
AREAS = ("", "north", "south")
CATEGORIES = {"c1": "Garden", "c2": "Food"}
ACCOUNTS = [*PEOPLE, *HOUSES, "commons"]


def _entries(dice: Random) -> list[Part]:
    """Some entries with few people in each, so that there is something to hide and to show."""
    found = []
    for number in range(dice.choice((3, 10, 30, 60))):
        several = dice.sample(ACCOUNTS, dice.choice((2, 2, 2, 4)))
        givers = dice.randint(1, len(several) - 1)
        kind, category = dice.choice(("help", "hospitality")), dice.choice((None, *CATEGORIES))
        day = SPRING.first + timedelta(dice.randrange(91))
        counted = day if dice.random() < 0.8 else SPRING.first + timedelta(dice.randrange(91))
        for place, account in enumerate(several):
            gave = place < givers
            minutes = len(several) - givers if gave else givers
            side = "gave" if gave else "received"
            found.append(Part(number, kind, category, day, counted, account, side, minutes))
    return found


def _hats(dice: Random) -> dict[str, list[Hat]]:
    """Organisations that some people belong to, most of them all the time."""
    found = {}
    for person in PEOPLE:
        if dice.random() < 0.7:
            since = SPRING.first + timedelta(dice.choice((0, 0, 0, 40)))
            until = since + timedelta(20) if dice.random() < 0.2 else None
            hats = [Hat(house, since, until) for house in dice.sample(list(HOUSES), 2)]
            found[person] = hats
    return found


class Village(NamedTuple):
    """A small community: what its people gave each other, and where they belong."""

    parts: list[Part]
    hats: dict[str, list[Hat]]


def _village(seed: int) -> Village:
    dice = Random(seed)
    return Village(_entries(dice), _hats(dice))


villages = st.integers(0, 2**32).map(_village)


def facts(parts: Iterable[Part], worn: dict[str, list[Hat]], joined: Iterable[str] = ()) -> Facts:
    """The facts of these entries; everyone lives somewhere."""
    who = {person: Who("person", AREAS[n % 3]) for n, person in enumerate(PEOPLE)}
    who |= {house: Who("organisation", AREAS[n % 3]) for n, house in enumerate(HOUSES)}
    sums, back = Sums(who, worn, lambda day: day), Sums(who, worn, lambda day: day)
    sums.take(parts)
    sums.close()
    back.close()
    return Facts(
        sums=sums,
        taken_back=back,
        areas={area: area.title() for area in AREAS},
        houses=HOUSES,
        categories=CATEGORIES,
        joined=frozenset(joined),
        houses_joined=0,
        first=frozenset(),
        days_to_first=[],
        waits=0,
        seconds_waited=None,
        requests=[],
        gatherings=0,
        came=0,
    )


# ── Somebody who adds and subtracts ──────────────────────────────────────────────────────────────

Parts = frozenset[Part]


class Reader:
    """Knows which parts each line of a report is the sum of, and subtracts them from each other."""

    def __init__(self, parts: list[Part], worn: dict[str, list[Hat]]) -> None:
        self.parts = parts
        self.worn = worn

    def told(self, report: Report) -> list[list[Parts]]:
        """For each table the parts that its lines are about, with those that nest in it."""
        members = [part for part in self.parts if part.account != "commons"]
        return [
            self._table(report.table("kind"), members, lambda part: (part.kind, "")),
            self._table(report.table("category"), members, self._category),
            self._table(report.table("area"), members, self._area),
            self._table(report.table("month"), members, self._month),
            self._sectors(report.table("sector"), members),
        ]

    def _table(
        self, table: Table, parts: list[Part], key: Callable[[Part], tuple[str, str]]
    ) -> list[Parts]:
        lines = {(line.key, line.name): line for line in table.lines}
        sets = {name: frozenset(p for p in parts if key(p) == name) for name in lines}
        for name, line in lines.items():
            self._is_true(line, sets[name])
        found = list(sets.values())
        if table.together is not None:
            rest = frozenset(parts).difference(*found)
            self._is_true(table.together, rest)
            assert len({key(part) for part in rest}) == table.folded >= 2
            found.append(rest)
        if table.total is not None:
            self._is_true(table.total, frozenset(parts))
            found.append(frozenset(parts))
        return found

    def _sectors(self, table: Table, parts: list[Part]) -> list[Parts]:
        found = self._table(table, parts, self._sector)
        for line in table.lines:
            if line.parts is not None:
                inside = [p for p in parts if self._sector(p) == (line.key, line.name)]
                found += self._table(line.parts, inside, self._house)
        return found

    def _category(self, part: Part) -> tuple[str, str]:
        return ("", CATEGORIES[part.category]) if part.category else ("none", "")

    def _area(self, part: Part) -> tuple[str, str]:
        place = (
            PEOPLE.index(part.account)
            if part.account in PEOPLE
            else list(HOUSES).index(part.account)
        )
        area = AREAS[place % 3]
        return ("", area.title()) if area else ("none", "")

    def _month(self, part: Part) -> tuple[str, str]:
        return (f"{part.counted:%Y-%m}", "")

    def _stands_for(self, part: Part) -> str | None:
        if part.account in HOUSES:
            return str(part.account)
        worn = [hat for hat in self.worn.get(part.account, ()) if hat.worn(part.day)]
        return worn[0].organisation if worn else None

    def _sector(self, part: Part) -> tuple[str, str]:
        house = self._stands_for(part)
        if house is None:
            return ("neighbours", "")
        sector = HOUSES[house].sector_name
        return ("", sector) if sector else ("none", "")

    def _house(self, part: Part) -> tuple[str, str]:
        house = self._stands_for(part)
        assert house is not None
        return ("", HOUSES[house].name)

    def _is_true(self, line: Line, parts: Parts) -> None:
        given = sum(part.minutes for part in parts if part.side == "gave")
        received = sum(part.minutes for part in parts if part.side == "received")
        people = {part.account for part in parts if part.account in PEOPLE}
        assert (line.given.count, line.received.count) == (given, received)
        assert line.people == len(people)

    def people(self, parts: Parts, side: str) -> set[Any]:
        """Whom the minutes of one side of some parts are about."""
        found: set[Any] = set()
        for part in parts:
            if part.side != side:
                continue
            if part.account in PEOPLE:
                found.add(part.account)
            else:
                found |= {
                    other.account
                    for other in self.parts
                    if (other.group, other.account in PEOPLE) == (part.group, True)
                    and other.side != side
                }
        return found


def differences(sets: list[Parts]) -> set[Parts]:
    """Everything that comes out by taking what is told from what holds it, again and again."""
    known = {one for one in sets if one}
    while True:
        further = {big - small for big in known for small in known if small < big}
        further |= {one | other for one in known for other in known if not one & other}
        if further <= known or len(known) > 200:
            return known
        known |= further


@settings(max_examples=200, deadline=None)
@given(villages)
def test_no_table_lets_anybody_work_out_a_figure_about_few(village: Village) -> None:
    reader = Reader(*village)
    for told in reader.told(publish("Mill Road", SPRING, facts(*village))):
        for some in differences(told):
            for side in ("gave", "received"):
                if any(part.side == side for part in some):
                    assert len(reader.people(some, side)) >= FEWEST


@settings(max_examples=30, deadline=None)
@given(villages)
def test_a_kept_report_is_the_same_report(village: Village) -> None:
    report = publish("Mill Road", SPRING, facts(*village))
    assert from_json(as_json(report)) == report
    assert as_json(from_json(as_json(report))) == as_json(report)


def test_a_report_of_many_shows_all_there_is() -> None:
    parts = [
        Part(n, "help", "c1", MAY.first, MAY.first, account, side, 60)
        for n in range(12)
        for account, side in ((PEOPLE[n], "gave"), (PEOPLE[(n + 1) % 12], "received"))
    ]
    report = publish("Mill Road", MAY, facts(parts, {}, joined=PEOPLE[:5]))
    assert report.numbers["active"] == report.numbers["both"] == 12
    assert report.numbers["joined"] == 5
    assert report.table("month").lines == ()  # it is one
    (line,) = report.table("kind").lines
    assert (line.key, line.people, line.given.count) == (Kind.HELP.value, 12, 720)
    # Four people live in each of the three areas: fewer than five.
    assert report.table("area").lines == ()
    assert report.table("area").total is not None


# ── Gatherings ───────────────────────────────────────────────────────────────────────────────────


def settled(number: int, counted: int, undone: int | None = None) -> Settled:
    """A settlement that counts on this day, and may be undone on another."""
    return Settled("tea", number, None, 1, counted, counted, undone, undone)


LINES = {
    ("tea", 1): {("ana", "hospitality", "gave"): 90, ("commons", "hospitality", "received"): 90},
    ("tea", 2): {
        ("ana", "hospitality", "gave"): 60,
        ("bert", "facilitation", "gave"): 45,
        ("commons", "hospitality", "received"): 105,
    },
}


def told(parts: list[Part]) -> dict[tuple[str, str, str], int]:
    return {(part.account, part.kind, part.side): part.minutes for part in parts}


def test_a_corrected_gathering_counts_as_it_was_corrected() -> None:
    given, back = within([settled(1, 2), settled(2, 5)], LINES, 1, 9)
    assert told(given) == LINES["tea", 2]
    assert back == []


def test_a_correction_in_a_later_period_brings_and_takes_only_the_difference() -> None:
    both = [settled(1, 2), settled(2, 5)]
    given, _ = within(both, LINES, 1, 4)
    assert told(given) == LINES["tea", 1]
    given, back = within(both, LINES, 5, 9)
    assert told(given) == {
        ("bert", "facilitation", "gave"): 45,
        ("commons", "hospitality", "received"): 15,
    }
    assert told(back) == {("ana", "hospitality", "gave"): 30}


def test_an_undone_settlement_counts_not_at_all_and_the_next_one_whole() -> None:
    given, back = within([settled(1, 2, undone=3), settled(2, 5)], LINES, 1, 9)
    assert told(given) == LINES["tea", 2]
    assert back == []
    given, back = within([settled(1, 2, undone=3), settled(2, 5)], LINES, 3, 9)
    assert told(given) == {
        ("bert", "facilitation", "gave"): 45,
        ("commons", "hospitality", "received"): 15,
    }
    assert told(back) == {("ana", "hospitality", "gave"): 30}
