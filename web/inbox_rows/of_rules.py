"""How we do it, in the inbox: months to close, proposals to decide on, the agreement to look at."""

from __future__ import annotations

from timebank import i18n
from timebank.inbox import Row
from timebank.inbox.of_rules import Review, WaitingMonth
from timebank.proposals import Proposal, Stance
from web.inbox_rows.telling import Line, Telling, shortened
from web.pages import language, path_of


def month(row: Row, telling: Telling) -> Line:
    """A month to close, or one that a steward asks to open again."""
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
            said=shortened(one.asked.words),
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


def proposal(row: Row, telling: Telling) -> Line:
    """A proposal that a steward can put into force."""
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
        said=shortened(one.reason),
        tag=_("to decide"),
    )


def review(row: Row, telling: Telling) -> Line:
    """The agreement, on the day it is to be looked at again."""
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
