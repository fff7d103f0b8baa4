"""Choosing a language: kept with the person, and in a cookie for those who are not signed in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import people
from timebank.i18n import LANGUAGES
from web.access import local, set_cookie
from web.forms import Form
from web.pages import go_on, person, settings, write

_A_YEAR = 365 * 24 * 3600


async def choose(request: Request) -> Response:
    """Take a language and go back to the page one was on."""
    form = Form(await request.form())
    response = go_on(request, local(form.raw("back")))
    chosen = form.raw("language")
    if chosen in LANGUAGES:
        who = person(request)
        if who is not None:
            async with write(request) as conn:
                await people.set_language(conn, who.id, chosen)
        set_cookie(response, settings(request), "language", chosen, seconds=_A_YEAR)
    return response
