"""Looking after people, in the inbox: newcomers, checks, where somebody belongs."""

from __future__ import annotations

from timebank.inbox import Row
from timebank.inbox.of_care import DueChecks, Newcomer, Unconfirmed
from web.inbox_rows.telling import Line, Telling, with_aside
from web.pages import path_of


def newcomer(row: Row, telling: Telling) -> Line:
    """Somebody new, with whom something is still to be done."""
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
    return with_aside(about, row, telling, one.cares)


def check(row: Row, telling: Telling) -> Line:
    """Checks of somebody whose day has come to look at them again."""
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
    return with_aside(about, row, telling, one.cares)


def belonging(row: Row, telling: Telling) -> Line:
    """Where somebody says they belong, and nobody confirmed it."""
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
    return with_aside(about, row, telling)
