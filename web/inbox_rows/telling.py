"""A row of the inbox as a page shows it, and what every function that tells rows needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request

from ledger import Minutes
from timebank import i18n
from timebank.inbox import Row, Touch
from timebank.members import Member
from web.pages import here, language, now, path_of, words
from web.stories import Gettext, Teller

LONGEST_NOTE = 80  # characters of a note in a row


@dataclass(frozen=True, slots=True)
class Line:
    """One row as a page shows it.

    `facts` stand together, `why` are sentences on lines of their own, `said` are somebody's words.
    `also` is one more page about it: its path, and the words of the link.
    """

    title: str
    path: str
    facts: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    said: str = ""
    tag: str = ""
    tone: str = ""
    minutes: Minutes | None = None
    may_approve: bool = False
    also: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """To whom rows are told: days, times and paths, in their language and on local clocks."""

    request: Request
    teller: Teller

    @classmethod
    def to(cls, request: Request) -> Telling:
        """For the coordinator who asks."""
        return cls(request, Teller(words(request), here(request).me.id))

    @property
    def gettext(self) -> Gettext:
        """The translator into the reader's language."""
        return self.teller.words.gettext

    def day(self, day: date) -> str:
        """A day, or the day a moment falls on where the community is."""
        if isinstance(day, datetime):
            day = day.astimezone(ZoneInfo(here(self.request).community.timezone)).date()
        return i18n.format_day(day, language(self.request), "short")

    def ago(self, at: datetime) -> str:
        """How long ago a moment was."""
        return i18n.ago(at, now(self.request).at, language(self.request))

    def minutes(self, minutes: Minutes) -> str:
        """An amount of time."""
        return i18n.format_minutes(minutes)

    def entry(self, id: UUID) -> str:
        """The path of an entry."""
        return path_of(self.request, "entries:show", id=id)

    def member(self, id: UUID) -> str:
        """The path of a member's page."""
        return path_of(self.request, "members:show", id=id)

    def care(self, member: Member, cares: bool) -> str:
        """The path of what is kept about a member; of their page, for who may not read that."""
        return path_of(self.request, "care:show", id=member.id) if cares else self.member(member.id)


def done_before(last: Touch | None, otherwise: str, telling: Telling) -> tuple[str, ...]:
    """What was done about somebody before."""
    if last is None:
        return (otherwise,) if otherwise else ()
    _ = telling.gettext
    sentence = (
        _("%(name)s last put this aside on %(day)s:")
        if last.words
        else _("%(name)s last put this aside on %(day)s.")
    )
    return (sentence % {"name": last.name, "day": telling.day(last.at)},)


def with_aside(about: Line, row: Row, telling: Telling, cares: bool = True) -> Line:
    """The row with who put it aside before; without `cares`, only that another sees to it."""
    if not cares:
        other = telling.gettext("Another coordinator sees to this.")
        return replace(about, why=(other,))
    before = done_before(row.aside, "", telling)
    said = row.aside.words if row.aside else ""
    return replace(about, why=about.why + before, said=said)


def shortened(text: str) -> str:
    """Somebody's words, as many of them as fit into a row."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1].rstrip() + "…"
