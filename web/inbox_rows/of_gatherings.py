"""Gatherings in the inbox: somebody missing soon, a list left open, hours nobody sent, names."""

from __future__ import annotations

from timebank.inbox import Row, Why
from timebank.inbox.of_gatherings import Held
from timebank.roles import label
from web.inbox_rows.telling import Line, Telling, with_aside
from web.pages import path_of


def gathering(row: Row, telling: Telling) -> Line:
    """A gathering that lacks somebody, or of which something is left to do."""
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
    return with_aside(about, row, telling)
