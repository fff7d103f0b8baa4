"""A secret address: the gatherings its owner goes to, for their calendar program."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from timebank import acting, agenda, calendars, communities, feeds, gathering
from timebank.agenda import Choice
from timebank.gatherings import Answer
from timebank.i18n import translations
from web.at_gathering import calendar_file
from web.pages import now, path_of, read, settings

BACK = timedelta(days=90)
AHEAD = timedelta(days=400)
MOST = 300
"""So many gatherings are in it; nobody goes to more."""


async def show(request: Request) -> Response:
    """What the address opens; `NotFound` for one that opens nothing, or not any more."""
    token = str(request.path_params["token"])
    async with read(request) as conn:
        community = await communities.by_slug(conn, request.path_params["slug"])
        owner = await feeds.open_(conn, community.id, token)
        actor = await acting.one(conn, community.id, owner.member.id)
        lines = await agenda.between(
            conn,
            actor,
            now(request).at - BACK,
            now(request).at + AHEAD,
            choice=Choice(mine=True),
            limit=MOST,
        )
        ids = [line.id for line in lines if line.answer in (Answer.YES, Answer.MAYBE)]
        found = await gathering.load(conn, community.id, ids)
    base = settings(request).base_url
    events = [
        calendars.appointment(
            one,
            language=owner.language,
            address=f"{base}{path_of(request, 'gatherings:show', id=one.id)}",
            seat=one.seat_of(owner.member.id),
        )
        for one in found
    ]
    name = translations(owner.language).gettext("{community}: where I go")
    content = calendars.feed(community, name.format(community=community.name), events)
    return calendar_file(content, "mine")
