"""Gatherings, told to one reader in sentences a neighbour would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from starlette.requests import Request

from ledger import ZERO
from timebank.agenda import FreeRole, Line
from timebank.communities import Community
from timebank.edge import Gap, Place
from timebank.gathering import Gathering, Seat, WantedRole
from timebank.gatherings import Answer, Openness, Rule, State
from timebank.i18n import (
    format_clock,
    format_day,
    format_minutes,
    format_span,
    format_weekday,
)
from timebank.recurrence import LAST, Every, Recurrence, local
from timebank.roles import AgreedRole, label
from web.pages import language, now, words
from web.stories import Gettext, Words

_NEAR = timedelta(days=21)
_YEAR_IS_CLEAR = 300
"""Within so many days nobody has to be told the year."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Tells gatherings of one community to one reader, at one moment."""

    words: Words
    language: str
    here: Community
    at: datetime

    @classmethod
    def to(cls, request: Request, here: Community) -> Telling:
        """To whoever asks."""
        return cls(words(request), language(request), here, now(request).at)

    # ── When ─────────────────────────────────────────────────────────────────────────────────────

    def day(self, at: datetime) -> str:
        """`Tuesday 12 May`, with the year where it is far."""
        day = local(at, self.here.timezone)[0]
        if abs((day - self.today).days) > _YEAR_IS_CLEAR:
            return format_day(day, self.language)
        return format_weekday(day, self.language)

    @property
    def today(self) -> date:
        """The day it is here."""
        return local(self.at, self.here.timezone)[0]

    def clock(self, at: datetime) -> str:
        """`18:00`."""
        return format_clock(at, self.language, self.here.timezone)

    def when(self, begin: datetime, end: datetime) -> str:
        """`Tuesday 12 May, 18:00 to 20:00`; `Today, 18:00 to 20:00`."""
        _ = self.words.gettext
        first, last = (local(one, self.here.timezone)[0] for one in (begin, end))
        if first != last:
            return format_span(begin, end, self.language, self.here.timezone)
        days = (first - self.today).days
        day = {0: _("Today"), 1: _("Tomorrow")}.get(days) or self.day(begin)
        said = _("%(day)s, %(hours)s") % {"day": day, "hours": self.hours_of(begin, end)}
        return said[:1].upper() + said[1:]

    def hours_of(self, begin: datetime, end: datetime) -> str:
        """`18:00 to 20:00`; with the days if it goes on past midnight."""
        _ = self.words.gettext
        first, last = (local(one, self.here.timezone)[0] for one in (begin, end))
        if first != last:
            return format_span(begin, end, self.language, self.here.timezone)
        facts = {"begin": self.clock(begin), "end": self.clock(end)}
        return (_("%(begin)s to %(end)s") % facts).replace(" ", "\u00a0")  # stays on one line

    def is_near(self, found: Gathering | Line) -> bool:
        """Whether it is so near that what is missing has to be said."""
        return found.starts_at - self.at < _NEAR

    def is_over(self, found: Gathering | Line) -> bool:
        """Whether it has ended."""
        return self.at >= found.ends_at

    def rule(self, rule: Recurrence) -> str:
        """`Every second Tuesday`."""
        _ = self.words.gettext
        day = self._weekday(rule.weekday)
        if rule.weeks:
            said = {
                1: _("Every %(day)s"),
                2: _("Every second %(day)s"),
                3: _("Every third %(day)s"),
                4: _("Every fourth %(day)s"),
            }.get(rule.weeks, _("Every %(weeks)s weeks, on %(day)s"))
        else:
            said = {
                1: _("The first %(day)s of every month"),
                2: _("The second %(day)s of every month"),
                3: _("The third %(day)s of every month"),
                4: _("The fourth %(day)s of every month"),
                LAST: _("The last %(day)s of every month"),
            }[rule.nth]
        return said % {"day": day, "weeks": rule.weeks}

    def _weekday(self, number: int) -> str:
        _ = self.words.gettext
        return (
            _("Monday"),
            _("Tuesday"),
            _("Wednesday"),
            _("Thursday"),
            _("Friday"),
            _("Saturday"),
            _("Sunday"),
        )[number]

    def number(self, number: int) -> str:
        """`the sixth time`, as far as people count on their fingers."""
        _ = self.words.gettext
        spelled = {
            1: _("the first time"),
            2: _("the second time"),
            3: _("the third time"),
            4: _("the fourth time"),
            5: _("the fifth time"),
            6: _("the sixth time"),
            7: _("the seventh time"),
            8: _("the eighth time"),
            9: _("the ninth time"),
            10: _("the tenth time"),
        }
        return spelled.get(number, _("time number %(number)d") % {"number": number})

    # ── Roles ────────────────────────────────────────────────────────────────────────────────────

    def role(self, role: WantedRole | FreeRole | AgreedRole) -> str:
        """What a role is called."""
        return label(role.key, role.name, self.words.gettext)

    def roles(self, some: Sequence[WantedRole | FreeRole | AgreedRole]) -> str:
        """Several, as a phrase: `Tea and cake, Notes`."""
        return ", ".join(self.role(one) for one in some)

    def carried(self, found: Gathering, seat: Seat) -> str:
        """The roles somebody carries, as a phrase."""
        keys = {duty.role_key for duty in found.duties_of(seat.id) if duty.carried}
        return self.roles([role for role in found.roles if role.key in keys])

    def minutes(self, role: WantedRole | AgreedRole) -> str:
        """What was agreed for a role: `0:45 before, 0:30 after`."""
        return minutes_of(role, self.words.gettext)

    def nobody_yet(self, free: Sequence[FreeRole | WantedRole]) -> str:
        """`Nobody yet for tea and cake.`; "" where nothing is missing."""
        if not free:
            return ""
        return self.words.gettext("Nobody yet for: %(roles)s") % {"roles": self.roles(free)}

    # ── Who ──────────────────────────────────────────────────────────────────────────────────────

    def person(self, seat: Seat) -> str:
        """A name, and where they come from: `Rosa (Shelter, with Amina Yusuf)`."""
        _ = self.words.gettext
        brought = seat.member_id is None and seat.invited_by_name
        with_whom = _("with %(name)s") % {"name": seat.invited_by_name} if brought else ""
        more = ", ".join(piece for piece in (seat.organisation, with_whom) if piece)
        return f"{seat.name} ({more})" if more else seat.name

    def coming(self, found: Gathering) -> str:
        """`7 come, 2 maybe, 1 waits`."""
        ngettext = self.words.ngettext
        comes = len(found.coming)
        maybe = sum(seat.answer is Answer.MAYBE for seat in found.seats)
        waits = sum(seat.waiting for seat in found.seats)
        pieces = [ngettext("%(n)d comes", "%(n)d come", comes) % {"n": comes}]
        if maybe:
            pieces.append(ngettext("%(n)d maybe", "%(n)d maybe", maybe) % {"n": maybe})
        if waits:
            pieces.append(ngettext("%(n)d waits", "%(n)d wait", waits) % {"n": waits})
        return ", ".join(pieces)

    def room(self, found: Gathering | Line) -> str:
        """`room for 12`, `full`; "" without a limit."""
        _ = self.words.gettext
        if found.capacity is None:
            return ""
        if found.is_full:
            return _("full")
        return _("room for %(number)d") % {"number": found.capacity}

    def mine(self, line: Line) -> str:
        """Where the reader stands with a gathering, in a word or two; "" for nowhere."""
        _ = self.words.gettext
        if line.state is State.CANCELLED:
            return _("called off")
        if line.waiting:
            return _("you wait for room")
        if line.answer is None:
            return ""
        over = self.is_over(line)
        return {
            Answer.ASKED: "" if over else _("you are invited"),
            Answer.YES: _("you said yes") if over else _("you come"),
            Answer.MAYBE: "" if over else _("you said maybe"),
            Answer.NO: "" if over else _("you said no"),
        }[line.answer]

    # ── The edge ─────────────────────────────────────────────────────────────────────────────────

    def gap(self, gap: Gap) -> str:
        """Such as: Nobody from housing yet. Three members know somebody there."""
        _ = self.words.gettext
        nobody = {
            Place.SECTOR: _("Nobody from %(name)s yet."),
            Place.ORGANISATION: _("Nobody from %(name)s yet."),
            Place.AREA: _("Nobody who lives in %(name)s yet."),
        }[gap.place] % {"name": gap.name}
        return f"{nobody} {self._know(gap)}"

    def _know(self, gap: Gap) -> str:
        _ = self.words.gettext
        if gap.asked:
            return _("Somebody is asked, and has not answered.")
        if gap.know is None:
            return _("Some of us know somebody there.")
        if gap.know == 0:
            return _("None of us has met anybody there in the past year.")
        return _("%(number)d members know somebody there.") % {"number": gap.know}

    # ── How ──────────────────────────────────────────────────────────────────────────────────────

    def openness(self, openness: Openness) -> str:
        """Who may come, as a sentence."""
        return openness_label(openness, self.words.gettext)

    def hours(self, found: Gathering, payer: str) -> str:
        """How everyone's hours are settled, as a sentence. `payer` is an organisation, or ""."""
        _ = self.words.gettext
        said = {
            Rule.SPONSORED: _("%(payer)s gives hours to everyone who carries a role."),
            Rule.ONE_FOR_ONE: _("One earns, one gives: what is left over goes to the commons."),
            Rule.SPLIT: _("Those who take part share the minutes of those who carry it."),
            Rule.WORKSHOP: _(
                "Those who take part give their time to the workshop, and it thanks those who "
                "carry it. What is left stays there to see."
            ),
            Rule.NONE: _("No hours are written down."),
        }[found.rule] % {"payer": payer or _("The commons")}
        if found.rule is Rule.SPONSORED and found.credits_taking_part:
            return said + " " + _("Taking part counts as well.")
        return said


def minutes_of(role: WantedRole | AgreedRole, _: Gettext) -> str:
    """What was agreed for a role: `0:45 before, 0:30 after`."""
    before, after = format_minutes(role.before), format_minutes(role.after)
    pieces = [
        _("%(time)s before") % {"time": before} if role.before != ZERO else "",
        _("while it lasts") if role.during else "",
        _("%(time)s after") % {"time": after} if role.after != ZERO else "",
    ]
    return ", ".join(piece for piece in pieces if piece) or _("as long as it takes")


def openness_label(openness: Openness, _: Gettext) -> str:
    """Who may come."""
    return {
        Openness.MEMBERS: _("All members are welcome, and guests they bring"),
        Openness.INVITED: _("By invitation"),
        Openness.PUBLIC: _("Everybody is welcome: it has a public page"),
    }[openness]


def openness_choices(_: Gettext) -> list[tuple[str, str]]:
    """Who may come, to choose from."""
    return [(one.value, openness_label(one, _)) for one in Openness]


def rule_choices(_: Gettext) -> list[tuple[str, str]]:
    """How hours are settled, to choose from."""
    return [
        (
            Rule.SPONSORED.value,
            _("Sponsored: roles are thanked for by the commons, or by somebody"),
        ),
        (Rule.ONE_FOR_ONE.value, _("One earns, one gives: what is left goes to the commons")),
        (Rule.SPLIT.value, _("Split: those who take part share the minutes of those who carry it")),
        (Rule.WORKSHOP.value, _("Workshop: taking part gives in, carrying it takes out")),
        (Rule.NONE.value, _("None: nobody's hours are written down")),
    ]


def every_choices(_: Gettext) -> list[tuple[str, str]]:
    """How often, to choose from; "" is once."""
    return [
        ("", _("Once")),
        (Every.WEEK.value, _("Every week")),
        (Every.TWO_WEEKS.value, _("Every second week")),
        (Every.THREE_WEEKS.value, _("Every third week")),
        (Every.FOUR_WEEKS.value, _("Every fourth week")),
        (Every.MONTH.value, _("Every month, such as each second Tuesday")),
        (Every.MONTH_END.value, _("Every month, on the last such weekday")),
    ]
