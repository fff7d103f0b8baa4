"""Listings in the inbox: requests that nobody answered."""

from __future__ import annotations

from dataclasses import replace

from timebank.inbox import Row
from timebank.inbox.of_listings import Unanswered
from web.inbox_rows.telling import Line, Telling, with_aside
from web.pages import path_of


def request(row: Row, telling: Telling) -> Line:
    """A request on the board that nobody answered."""
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
    return with_aside(about, row, telling, one.may_read)
