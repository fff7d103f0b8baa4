"""What happens in a demo community's year, week by week, as plain values: nothing is written here.

The same neighbourhood and the same dice give the same year. Days are counted back from the day
the demo is made, so that the year always ends then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random

from timebank.demo_people import Neighbour, Neighbourhood, Topic
from timebank.entry import Kind

COMMONS = ""
"""The commons stands among the names as the empty one."""

FOUNDERS = 12
HOUSES_AFTER = 8  # weeks; by then those who keep their accounts are members
_LOWEST = -420  # nobody in the demo asks for more help below minus seven hours


class Ending(StrEnum):
    """How far an entry of the demo gets."""

    APPROVED = "approved"
    ARGUED = "argued"  # disputed, answered, then approved
    CHANGED = "changed"  # returned with a question, changed, then approved
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    REVERSED = "reversed"
    KEPT = "kept"  # disputed after approval, and kept
    WAITING = "waiting"
    DISPUTED = "disputed"
    RETURNED = "returned"
    CONTESTED = "contested"  # disputed after approval, not settled yet


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry to be: who, for whom, how long (in minutes), and what becomes of it.

    Minutes are what each giver gave; `own_minutes` (many givers) says it for each in turn.
    """

    days_ago: int
    kind: Kind
    topic: Topic | None
    note: str
    givers: tuple[str, ...]
    receivers: tuple[str, ...]
    minutes: int
    own_minutes: tuple[int, ...] = ()
    confirmed: bool = False
    receiver_records: bool = False
    ending: Ending = Ending.APPROVED


@dataclass
class _Year:
    """The dice, and how everybody stands so far."""

    place: Neighbourhood
    dice: Random
    balances: Counter[str] = field(default_factory=Counter)

    def share(self, happening: Happening) -> Happening:
        """Keep the balances up as if it were posted."""
        gift = happening.kind.is_gift
        for giver, minutes in zip(happening.givers, _each(happening), strict=True):
            self.balances[giver] += -minutes if gift else minutes
        part = sum(_each(happening)) // len(happening.receivers)
        for receiver in happening.receivers:
            self.balances[receiver] += part if gift else -part
        return happening


def joins_in_week(place: Neighbourhood, index: int) -> int:
    """How many weeks ago the person at this place of the list came in."""
    return place.weeks if index < FOUNDERS else max(4, place.weeks - (index - FOUNDERS) - 1)


def weeks(place: Neighbourhood, dice: Random) -> Iterator[tuple[int, list[Happening]]]:
    """Each week's number (how many weeks ago it ended; 0 ends yesterday) and what happened."""
    year = _Year(place, dice)
    plain = 0
    for week in range(place.weeks, -1, -1):
        here = [who for n, who in enumerate(place.people) if joins_in_week(place, n) >= week]
        if week <= 3:
            here = [who for who in here if who.name not in (place.paused, place.left)]
        happenings = [_favour(year, week, here) for _ in range(place.favours_each_week)]
        happenings += _special(year, week, here)
        happenings.sort(key=lambda happening: -happening.days_ago)
        ended = []
        for happening in happenings:
            if _may_turn(place, happening):
                plain += 1
                ended.append(_turned(happening, week, plain))
            elif week == 0 and not happening.kind.is_gift:
                ended.append(replace(happening, ending=Ending.WAITING))
            else:
                ended.append(happening)
        yield week, ended


def _favour(year: _Year, week: int, here: Sequence[Neighbour]) -> Happening:
    """One neighbour does something for another who wished for it."""
    offered = {skill for who in here for skill in who.offers}
    asking = [
        who
        for who in here
        if year.balances[who.name] > _LOWEST and offered & (set(who.wishes) - set(who.offers))
    ]
    receiver = _pick(year, asking, more=+1)
    skills = [
        skill for skill in receiver.wishes if skill in offered and skill in year.place.favours
    ]
    skill = year.dice.choice([s for s in skills if s not in receiver.offers])
    giver = _pick(year, [who for who in here if skill in who.offers], more=-1)
    favour = year.place.favours[skill]
    return year.share(
        Happening(
            days_ago=7 * week + year.dice.randint(1, 7),
            kind=favour.kind,
            topic=favour.topic,
            note=year.dice.choice(favour.notes),
            givers=(giver.name,),
            receivers=(receiver.name,),
            minutes=year.dice.choice(favour.minutes),
            confirmed=year.dice.random() < 0.25,
            receiver_records=year.dice.random() < 0.25,
        )
    )


def _special(year: _Year, week: int, here: Sequence[Neighbour]) -> list[Happening]:
    """What is not one neighbour for another: groups, organisations, gifts."""
    found = []
    if week % 4 == 1:
        found.append(_group(year, week, here, "workshop"))
    if week % 6 == 2:
        found.append(_group(year, week, here, "together"))
    if week % 7 == 3:
        found.append(_group(year, week, here, "joint"))
    if week % 3 == 0:
        found.append(_gift(year, week, here))
    if year.place.houses and week < year.place.weeks - HOUSES_AFTER:
        found.append(_with_house(year, week, here))
    return [year.share(happening) for happening in found]


def _group(year: _Year, week: int, here: Sequence[Neighbour], shape: str) -> Happening:
    """One to many, many to many, or many to one among neighbours.

    The first steward is never among them: somebody has to be left to approve.
    """
    few = min(len(here) - 1, 6)
    people = sorted(year.dice.sample(here[1:], few), key=lambda who: year.balances[who.name])
    names = [who.name for who in people]
    kind = Kind.ACTIVITY
    if shape == "workshop":
        (note, topic), givers, receivers = year.dice.choice(year.place.workshops), 1, few - 1
    elif shape == "together":
        (note, topic), givers, receivers = year.dice.choice(year.place.together), 3, few - 3
    else:
        (note, topic), givers, receivers = year.dice.choice(year.place.joint), 2, 1
        kind = Kind.HELP
    return Happening(
        days_ago=7 * week + 2,
        kind=kind,
        topic=topic,
        note=note,
        givers=tuple(names[:givers]),
        receivers=tuple(names[-receivers:]),
        minutes=year.dice.choice((90, 120, 150)),
    )


def _gift(year: _Year, week: int, here: Sequence[Neighbour]) -> Happening:
    """A grant from the commons to who has least, or a donation to it from who has most."""
    ordered = sorted(here, key=lambda who: year.balances[who.name])
    words, day = year.place.words, 7 * week + 4
    if week % 2:
        least = (ordered[0].name,)
        return Happening(day, Kind.GRANT, None, words.welcome_gift, (COMMONS,), least, 120)
    most = (ordered[-1].name,)
    return Happening(day, Kind.DONATION, None, words.donation, most, (COMMONS,), 60)


def _with_house(year: _Year, week: int, here: Sequence[Neighbour]) -> Happening:
    """A neighbour does something for an organisation, or it does for a neighbour."""
    house = year.place.houses[week % len(year.place.houses)]
    gets = week % 4 != 0
    skill = year.dice.choice(house.gets if gets else house.gives)
    favour = year.place.favours[skill]
    able = [who for who in here if skill in who.offers and who.name != house.manager]
    others = [who for who in here if who.name != house.manager]
    neighbour = _pick(year, (able or others) if gets else others, more=-1 if gets else +1)
    sides = ((neighbour.name,), (house.name,)) if gets else ((house.name,), (neighbour.name,))
    return Happening(
        days_ago=7 * week + 5,
        kind=favour.kind,
        topic=favour.topic,
        note=year.dice.choice(favour.notes),
        givers=sides[0],
        receivers=sides[1],
        minutes=year.dice.choice(favour.minutes),
        receiver_records=gets,
    )


_PAST = {
    9: Ending.DECLINED,
    21: Ending.ARGUED,
    34: Ending.WITHDRAWN,
    47: Ending.REVERSED,
    60: Ending.CHANGED,
    85: Ending.KEPT,
    99: Ending.REVERSED,
    113: Ending.DECLINED,
    126: Ending.WITHDRAWN,
    139: Ending.ARGUED,
    152: Ending.REVERSED,
    165: Ending.CHANGED,
    178: Ending.DECLINED,
    191: Ending.WITHDRAWN,
    204: Ending.REVERSED,
    217: Ending.DECLINED,
}
"""What became of some entries between two neighbours, counted through the year."""

_LATELY = (
    Ending.DISPUTED,
    Ending.WAITING,
    Ending.WAITING,
    Ending.CONTESTED,
    Ending.WAITING,
    Ending.RETURNED,
    Ending.WAITING,
    Ending.WAITING,
    Ending.REVERSED,
)
"""Where the entries of the last weeks stand, in turn."""


def _may_turn(place: Neighbourhood, happening: Happening) -> bool:
    """Whether both sides are one neighbour who can answer for themselves."""
    reachable = {who.name for who in place.people if who.email}
    names = (*happening.givers, *happening.receivers)
    return not happening.kind.is_gift and len(names) == 2 and set(names) <= reachable


def _turned(happening: Happening, week: int, plain: int) -> Happening:
    """The same happening with its ending; one that takes a turn was not confirmed before."""
    late = week <= 1
    ending = _LATELY[plain % len(_LATELY)] if late else _PAST.get(plain, Ending.APPROVED)
    confirmed = happening.confirmed and ending in (Ending.APPROVED, Ending.WAITING)
    return replace(happening, confirmed=confirmed, ending=ending)


def _pick(year: _Year, people: Sequence[Neighbour], *, more: int) -> Neighbour:
    """Somebody: rather with many hours (`more` is 1), or rather with few (-1)."""
    weights = [max(1.0, 10 + more * year.balances[who.name] / 60) for who in people]
    return year.dice.choices(people, weights)[0]


def _each(happening: Happening) -> tuple[int, ...]:
    return happening.own_minutes or (happening.minutes,) * len(happening.givers)
