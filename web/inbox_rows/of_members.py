"""Members in the inbox: who asked to join, is worth a call, has gone quiet, or may not stay."""

from __future__ import annotations

from timebank.inbox import Row
from timebank.inbox.of_members import Applicant, Person
from timebank.limits import Beyond
from web.inbox_rows.telling import Line, Telling, done_before, shortened, with_aside
from web.pages import path_of


def applicant(row: Row, telling: Telling) -> Line:
    """Somebody who asked to join."""
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
        said=shortened(row.thing.about),
        tag=_("to welcome"),
        also=(path_of(telling.request, "applications:index"), twice % {"n": times})
        if times > 1
        else None,
    )


def call(row: Row, telling: Telling) -> Line:
    """Somebody past a limit at which we talk."""
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
        why=done_before(row.aside, _("Nobody has rung about it yet."), telling),
        said=row.aside.words if row.aside else "",
        tag=_("worth a call"),
        tone="tea",
    )


def quiet(row: Row, telling: Telling) -> Line:
    """Somebody who gave or received, and then nothing for a while."""
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
        why=done_before(row.aside, "", telling),
        said=row.aside.words if row.aside else "",
        tag=_("gone quiet"),
        tone="tea",
    )


def ask(row: Row, telling: Telling) -> Line:
    """Somebody to be asked whether they stay."""
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
    return with_aside(about, row, telling, one.cares)


def forget(row: Row, telling: Telling) -> Line:
    """Somebody who was asked whether they stay, and is forgotten soon."""
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
    return with_aside(about, row, telling, one.cares)
