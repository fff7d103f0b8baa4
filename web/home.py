"""The front door of the installation, and a member's home in a community."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from timebank import (
    acting,
    agenda,
    agreements,
    communities,
    entries,
    inbox,
    lately,
    limits,
    policy,
    proposals,
    statements,
)
from web import limit_words
from web.gathering_words import Telling
from web.pages import gettext, here, now, page, person, read, words
from web.stories import Gettext, Teller

LATEST = 5
WAITING = 10
UNFINISHED = 3
"""So many gatherings of one's own that wait for their list or their hours."""


async def front(request: Request) -> Response:
    """What this is, for strangers; the way to your community, or a choice of several."""
    who = person(request)
    if who is None:
        return page(request, "home/front.html", mine=[])
    async with read(request) as conn:
        mine = await communities.all_of(conn, who.id)
    if len(mine) == 1:
        slug = mine[0][0].slug
        return RedirectResponse(request.url_for("home:show", slug=slug), status_code=303)
    return page(request, "home/front.html", mine=mine)


async def show(request: Request) -> Response:
    """Given, received and what is left; what waits for me, and for whom mine waits."""
    at = here(request)
    community, me = at.community.id, at.me
    coordinates = policy.may_coordinate(me)
    async with read(request) as conn:
        for_me = await entries.waiting_for(conn, community, me.id, WAITING)
        of_mine = await entries.waiting_of(conn, community, me.id, WAITING)
        latest = await statements.page(conn, community, me.account_id, by=me.id, limit=LATEST)
        terms = (await agreements.current(conn, community)).terms
        limit = limits.around(terms, latest.balance, latest.given)
        in_inbox = 0
        if coordinates:
            in_inbox = await inbox.count(conn, community, terms=terms, now=now(request))
        actor = await acting.one(conn, community, me.id)
        unfinished = await lately.unfinished(
            conn, community, by=me.id, now=now(request), limit=UNFINISHED
        )
        next_one = await agenda.next_one(conn, actor, now=now(request).at)
        asked = await proposals.asked_of(conn, community, me.id)
    return page(
        request,
        "home/show.html",
        greeting=_greeting(now(request).at, at.community.timezone, gettext(request)),
        name=_first_name(me.name),
        given=latest.given,
        received=latest.received,
        balance=latest.balance,
        for_me=for_me,
        of_mine=of_mine,
        latest=latest.lines,
        terms=terms,
        past=limit_words.past(limit, gettext(request)),
        in_inbox=in_inbox,
        asked=asked,
        coordinates=coordinates,
        next_one=next_one,
        unfinished=unfinished if policy.may_act(me) else [],
        telling=Telling.to(request, at.community),
        tell=Teller(words(request), me.id),
    )


def _greeting(at: datetime, timezone: str, _: Gettext) -> str:
    hour = at.astimezone(ZoneInfo(timezone)).hour
    if 4 <= hour < 12:
        return _("Good morning, %(name)s")
    if 12 <= hour < 18:
        return _("Good afternoon, %(name)s")
    return _("Good evening, %(name)s")


def _first_name(name: str) -> str:
    """The first word, where it can stand alone; `Dr. Ada Lima` stays as it is."""
    first = name.split()[0]
    return name if len(first) < 3 or first.endswith(".") else first
