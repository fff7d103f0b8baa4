"""Rows of the inbox, told to one coordinator: what it is, since when, why it is here, who was last.

A source of the inbox has one function here that tells its rows; `_TELLERS` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request

from ledger import Minutes
from timebank import i18n
from timebank.entry import StepKind
from timebank.errors import OwnGain, ReasonMissing
from timebank.inbox import Row, Touch, Why
from timebank.inbox.of_care import DueChecks, Newcomer, Unconfirmed
from timebank.inbox.of_entries import WaitingEntry
from timebank.inbox.of_gatherings import Held
from timebank.inbox.of_listings import Unanswered
from timebank.inbox.of_members import Applicant, Person
from timebank.inbox.of_rules import Review, WaitingMonth
from timebank.limits import Beyond
from timebank.members import Member
from timebank.odd import Oddity, Reason
from timebank.proposals import Proposal, Stance
from timebank.roles import label
from web.messages import sentence
from web.pages import here, language, now, path_of, words
from web.stories import Gettext, Teller, kind_label

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
    """Tells rows to whoever asks, in their language and on the community's clocks."""

    request: Request
    teller: Teller

    @classmethod
    def to(cls, request: Request) -> Telling:
        """For the coordinator who asks."""
        return cls(request, Teller(words(request), here(request).me.id))

    def line(self, row: Row) -> Line:
        """A row of any kind."""
        return _TELLERS[row.why](row, self)

    def lines(self, rows: tuple[Row, ...] | list[Row]) -> dict[str, Line]:
        """Rows by the key with which a form names them."""
        return {str(row.key): self.line(row) for row in rows}

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


def odd(reason: Reason, telling: Telling) -> str:
    """What looks odd, in a sentence."""
    _ = telling.gettext
    facts = {
        "name": reason.name,
        "usual": telling.minutes(reason.usual) if reason.usual is not None else "",
    }
    if reason.what is Oddity.TWICE:
        if reason.other_waits:
            return _("The same people, day and hours were written down twice; both wait.")
        return _("The same people, day and hours were written down before, and approved.")
    return {
        Oddity.MUCH: _(
            "Far more than usual for %(name)s: half of the time it is %(usual)s or less."
        ),
        Oddity.LONG: _("More than twelve hours of %(name)s on one day."),
        Oddity.LATE: _("The day was long past when it was written down."),
    }[reason.what] % facts


# ── Entries ──────────────────────────────────────────────────────────────────────────────────────


def _entry(row: Row, telling: Telling) -> Line:
    waiting = row.thing
    assert isinstance(waiting, WaitingEntry)
    _, tell, entry = telling.gettext, telling.teller, waiting.entry
    commons = entry.community_id
    facts = [telling.day(entry.occurred_on)]
    if entry.note or entry.category:
        facts.append(_shortened(entry.note or entry.category or ""))
    facts.append(f"{tell.written_by(entry)}, {telling.ago(entry.recorded_at)}")
    facts += [
        _("%(name)s has no sign-in") % {"name": part.name}
        for part in entry.parts
        if not part.reachable and part.account_id != commons
    ]
    if waiting.last.kind is not StepKind.RECORDED and row.why is not Why.DISPUTE:
        facts.append(f"{tell.step(waiting.last, entry)}, {telling.ago(waiting.last.at)}")
    tag, tone = _tag(row, waiting, telling)
    why = [odd(reason, telling) for reason in waiting.odd] + _standing(row, waiting, telling)
    return Line(
        title=tell.headline(entry),
        path=telling.entry(entry.id),
        facts=tuple(facts),
        why=tuple(why),
        said=_said(row, waiting),
        tag=tag,
        tone=tone,
        minutes=entry.minutes,
        may_approve=waiting.may_approve,
    )


def _tag(row: Row, waiting: WaitingEntry, telling: Telling) -> tuple[str, str]:
    """What stands beside the title, and its tone."""
    _ = telling.gettext
    if row.why is Why.DISPUTE:
        undone = waiting.entry.contested
        return (_("not agreed, after approval") if undone else _("not agreed")), "plum"
    if row.why is Why.ODD:
        return _("looks odd"), "plum"
    if row.why is Why.ANSWER:
        return _("answered"), "tea"
    kind = waiting.entry.kind
    tone = {"help": "", "other": "", "hospitality": "tea", "activity": "tea"}.get(kind, "plum")
    return kind_label(kind, _), tone


def _standing(row: Row, waiting: WaitingEntry, telling: Telling) -> list[str]:
    """What stands in the way of approving it with others, and who looks into it."""
    _ = telling.gettext
    if row.why is Why.DISPUTE:
        step = telling.teller.step(waiting.last, waiting.entry)
        last = f"{step}, {telling.ago(waiting.last.at)}."
        if waiting.looked_into is None:
            return [last, _("Nobody looks into it yet.")]
        if waiting.looked_into.member_id == telling.teller.reader:
            return [last, _("You look into it.")]
        return [last, _("%(name)s looks into it.") % {"name": waiting.looked_into.name}]
    if row.why is Why.ANSWER and waiting.asked is not None:
        asked = _("The question was: %(words)s") % {"words": _shortened(waiting.asked.words)}
        return [asked, *_refused(waiting, telling)]
    return _refused(waiting, telling)


def _refused(waiting: WaitingEntry, telling: Telling) -> list[str]:
    error = waiting.why_not
    if error is None:
        return []
    if isinstance(error, ReasonMissing):
        return [telling.gettext("Open it and read what was said before you decide.")]
    return [sentence(error, telling.gettext)]


def why_left_out(row: Row, telling: Telling) -> str:
    """Why a thing that was ticked is not approved with the others."""
    _ = telling.gettext
    if not isinstance(row.thing, WaitingEntry):
        return _("There are no hours to approve in this.")
    if row.why is Why.DISPUTE and not isinstance(row.thing.why_not, OwnGain):
        return _("Open it and read what was said before you decide.")
    return " ".join(_refused(row.thing, telling))


def _said(row: Row, waiting: WaitingEntry) -> str:
    if row.why in (Why.DISPUTE, Why.ANSWER):
        return _shortened(waiting.last.words)
    return ""


# ── Members ──────────────────────────────────────────────────────────────────────────────────────


def _applicant(row: Row, telling: Telling) -> Line:
    assert isinstance(row.thing, Applicant)
    member, times, _ = row.thing.member, row.thing.times, telling.gettext
    facts = [_("asked %(ago)s") % {"ago": telling.ago(row.since)}]
    twice = telling.teller.words.ngettext(
        "Asked %(n)s time", "Asked %(n)s times: is it one person?", times
    )
    return Line(
        title=_("%(name)s would like to join") % {"name": member.name},
        path=telling.member(member.id),
        facts=tuple([member.area, *facts] if member.area else facts),
        said=_shortened(row.thing.about),
        tag=_("to welcome"),
        also=(path_of(telling.request, "applications:index"), twice % {"n": times})
        if times > 1
        else None,
    )


def _call(row: Row, telling: Telling) -> Line:
    assert isinstance(row.thing, Person)
    one = row.thing.call
    assert one is not None, "they are past a limit"
    _ = telling.gettext
    facts = {
        "name": one.member.name,
        "balance": telling.minutes(one.balance),
        "limit": telling.minutes(one.limit),
        "day": telling.day(one.since),
    }
    title = (
        _("%(name)s stands at %(balance)s")
        if one.beyond is Beyond.BELOW
        else _("%(name)s has %(balance)s to spend")
    )
    since = (
        _("below %(limit)s since %(day)s")
        if one.beyond is Beyond.BELOW
        else _("above %(limit)s since %(day)s")
    )
    return Line(
        title=title % facts,
        path=telling.member(one.member.id),
        facts=(since % facts,),
        why=_before(row.aside, _("Nobody has rung about it yet."), telling),
        said=row.aside.words if row.aside else "",
        tag=_("worth a call"),
        tone="tea",
    )


def _quiet(row: Row, telling: Telling) -> Line:
    assert isinstance(row.thing, Person)
    one = row.thing.quiet
    assert one is not None, "they were active once"
    _ = telling.gettext
    return Line(
        title=_("Nothing from %(name)s for a while") % {"name": one.member.name},
        path=telling.member(one.member.id),
        facts=(
            _("the last help given or received was on %(day)s")
            % {"day": telling.day(one.latest.date())},
        ),
        why=_before(row.aside, "", telling),
        said=row.aside.words if row.aside else "",
        tag=_("gone quiet"),
        tone="tea",
    )


def _before(last: Touch | None, otherwise: str, telling: Telling) -> tuple[str, ...]:
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


# ── Looking after people ─────────────────────────────────────────────────────────────────────────


def _request(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, Unanswered)
    listing, _ = one.listing, telling.gettext
    names = {"name": listing.member.name, "title": listing.title, "writer": listing.written_by_name}
    facts = [
        listing.area,
        _("written down %(ago)s") % {"ago": telling.ago(listing.written_at)},
        _("by %(writer)s") % names if listing.written_by != listing.member.id else "",
        _("on the board until %(day)s") % {"day": telling.day(listing.until)},
    ]
    about = Line(
        title=_("%(name)s asks: %(title)s") % names,
        path=path_of(telling.request, "listings:show", id=listing.id),
        facts=tuple(fact for fact in facts if fact),
        tag=_("no answer"),
        tone="plum",
    )
    if not one.may_read:
        title = _("Nobody answered what %(name)s asks for") % names
        path = telling.member(listing.member.id)
        about = replace(about, title=title, path=path, facts=())
    return _kept(about, row, telling, one.may_read)


def _newcomer(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, Newcomer)
    _ = telling.gettext
    facts = [_("came %(ago)s") % {"ago": telling.ago(row.since)}]
    if one.last is not None:
        last = {"name": one.last.name, "ago": telling.ago(one.last.at)}
        facts.append(_("%(name)s ticked something off %(ago)s") % last)
    missing = _("Still to be done: %(steps)s.") % {"steps": "; ".join(one.missing)}
    about = Line(
        title=_("%(name)s is new here") % {"name": one.member.name},
        path=telling.care(one.member, one.cares),
        facts=tuple(facts),
        why=(missing,) if one.cares else (),
        tag=_("new here"),
        tone="tea",
    )
    return _kept(about, row, telling, one.cares)


def _check(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, DueChecks)
    _ = telling.gettext
    due = [
        _("%(check)s: to look at again since %(day)s; last looked at by %(name)s on %(before)s.")
        % {
            "check": check.kind,
            "day": telling.day(check.again_on or check.checked_on),
            "name": check.noted_by,
            "before": telling.day(check.checked_on),
        }
        for check in one.due
    ]
    about = Line(
        title=_("Something of %(name)s is to be checked again") % {"name": one.member.name},
        path=telling.care(one.member, one.cares),
        why=tuple(due),
        tag=_("check again"),
        tone="tea",
    )
    return _kept(about, row, telling, one.cares)


def _belonging(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, Unconfirmed)
    hat, _ = one.hat, telling.gettext
    names = {"name": one.name, "where": hat.organisation, "role": hat.role}
    where = _("%(role)s, %(where)s") if hat.role else "%(where)s"
    written = (
        _("%(name)s wrote this down %(ago)s")
        if one.said_by
        else _("they wrote this down themselves %(ago)s")
    )
    said = {"name": one.said_by or "", "ago": telling.ago(row.since)}
    about = Line(
        title=_("Does %(name)s belong to %(where)s?") % names,
        path=path_of(telling.request, "affiliations:show", id=hat.member_id),
        facts=(where % names, written % said),
        why=(_("Nobody who keeps the organisation’s account has confirmed it."),),
        tag=_("to confirm"),
    )
    return _kept(about, row, telling)


def _ask(row: Row, telling: Telling) -> Line:
    assert isinstance(row.thing, Person)
    one = row.thing.stay
    assert one is not None, "somebody asks whether they stay"
    _ = telling.gettext
    about = Line(
        title=_("Ask %(name)s whether to stay") % {"name": one.member.name},
        path=telling.care(one.member, one.cares),
        facts=(
            _("no sign for long, seen on %(day)s") % {"day": telling.day(one.question.found_at)},
        ),
        why=(_("No mail reaches them. Ring them, or ask somebody who knows them."),),
        tag=_("to ask"),
        tone="tea",
    )
    return _kept(about, row, telling, one.cares)


def _forget(row: Row, telling: Telling) -> Line:
    assert isinstance(row.thing, Person)
    one = row.thing.stay
    assert one is not None, "somebody asks whether they stay"
    _ = telling.gettext
    asked, until = one.question.asked_at, one.forgotten_at
    assert asked is not None, "nobody is forgotten who was not asked"
    assert until is not None, "nobody is forgotten who was not asked"
    facts = {"name": one.question.asked_by or "", "ago": telling.ago(asked)}
    by = _("%(name)s asked %(ago)s") if one.question.asked_by else _("asked by mail %(ago)s")
    about = Line(
        title=_("No answer from %(name)s, who is forgotten on %(day)s")
        % {"name": one.member.name, "day": telling.day(until)},
        path=telling.care(one.member, one.cares),
        facts=(by % facts,),
        why=(_("A call may help: one word that they stay is enough."),),
        tag=_("forgotten soon"),
        tone="plum",
    )
    return _kept(about, row, telling, one.cares)


def _kept(about: Line, row: Row, telling: Telling, cares: bool = True) -> Line:
    """With who put it aside before; and for whoever had better not deal with it, that it is so."""
    if not cares:
        other = telling.gettext("Another coordinator sees to this.")
        return replace(about, why=(other,))
    before = _before(row.aside, "", telling)
    said = row.aside.words if row.aside else ""
    return replace(about, why=about.why + before, said=said)


# ── How we do it ─────────────────────────────────────────────────────────────────────────────────


def _month(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, WaitingMonth)
    _, month = telling.gettext, one.standing.month
    facts = {"month": i18n.format_month(month.first, language(telling.request))}
    path = path_of(telling.request, "months:show", month=month)
    if one.asked is not None:
        return Line(
            title=_("%(name)s asks to open %(month)s again") % (facts | {"name": one.asked.name}),
            path=path,
            facts=(telling.ago(one.asked.at),),
            why=(_("It takes a second steward."),),
            said=_shortened(one.asked.words),
            tag=_("open again?"),
            tone="plum",
        )
    again = one.standing.closings > 0
    return Line(
        title=(_("Close %(month)s again") if again else _("Close %(month)s")) % facts,
        path=path,
        facts=(_("since %(day)s") % {"day": telling.day(row.since)},),
        tag=_("to be closed"),
        tone="tea",
    )


def _proposal(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, Proposal)
    _ = telling.gettext
    name = one.on_behalf_of_name or one.proposed_by_name
    facts = [telling.day(one.proposed_at)]
    if agree := len(one.said(Stance.AGREE)):
        facts.append(_("agree: %(count)s") % {"count": agree})
    if concerned := len(one.said(Stance.CONCERN)):
        facts.append(_("have a concern: %(count)s") % {"count": concerned})
    return Line(
        title=_("%(name)s proposes to change our agreement") % {"name": name},
        path=path_of(telling.request, "proposals:show", id=one.id),
        facts=tuple(facts),
        why=(_("Nobody’s word is missing. A steward can put it into force."),),
        said=_shortened(one.reason),
        tag=_("to decide"),
    )


def _review(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, Review)
    _ = telling.gettext
    facts = [_("version %(number)s") % {"number": one.version}]
    if one.day is not None:
        facts.append(_("agreed for %(day)s") % {"day": telling.day(one.day)})
    return Line(
        title=_("Look at our agreement again"),
        path=path_of(telling.request, "agreement:show"),
        facts=tuple(facts),
        tag=_("to look at"),
    )


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1].rstrip() + "…"


# ── Gatherings ───────────────────────────────────────────────────────────────────────────────────


def _gathering(row: Row, telling: Telling) -> Line:
    one = row.thing
    assert isinstance(one, Held)
    found, _ = one.gathering, telling.gettext
    facts = {
        "title": found.title,
        "roles": ", ".join(label(role.key, role.name, _) for role in one.free),
    }
    title, page, tag = {
        Why.LACKING: (_("Somebody is missing: %(title)s"), "gatherings:show", _("soon")),
        Why.DOOR: (_("Who was at the door? %(title)s"), "attendance:show", _("names")),
        Why.LIST: (_("Who came? %(title)s"), "attendance:show", _("list open")),
        Why.SENDING: (_("The hours of %(title)s"), "settlement:show", _("to send")),
    }[row.why]
    why = {
        Why.LACKING: _("Nobody yet for: %(roles)s") if one.free else _("Nobody has said yes yet."),
        Why.DOOR: telling.teller.words.ngettext(
            "One name was written at the door. Is it somebody we know?",
            "%(n)d names were written at the door. Are they people we know?",
            found.unsure,
        )
        % {"n": found.unsure},
        Why.LIST: _("It is over, and the list of who came is still open."),
        Why.SENDING: _("The list is closed, and nobody has sent the hours to approval."),
    }[row.why]
    about = Line(
        title=title % facts,
        path=path_of(telling.request, page, id=found.id),
        facts=(telling.day(found.starts_at),),
        why=(why % facts,),
        tag=tag,
        tone="tea",
    )
    return _kept(about, row, telling)


_TELLERS: Mapping[Why, Callable[[Row, Telling], Line]] = {
    Why.APPROVAL: _entry,
    Why.ODD: _entry,
    Why.ANSWER: _entry,
    Why.DISPUTE: _entry,
    Why.APPLICATION: _applicant,
    Why.CALL: _call,
    Why.QUIET: _quiet,
    Why.REQUEST: _request,
    Why.NEWCOMER: _newcomer,
    Why.CHECK: _check,
    Why.BELONGING: _belonging,
    Why.ASK: _ask,
    Why.FORGET: _forget,
    Why.LACKING: _gathering,
    Why.DOOR: _gathering,
    Why.LIST: _gathering,
    Why.SENDING: _gathering,
    Why.MONTH: _month,
    Why.PROPOSAL: _proposal,
    Why.REVIEW: _review,
}
