"""Staying: the page behind the link in the mail that asks whether somebody would like to stay."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import retention
from web.pages import now, page, read, write


async def show(request: Request) -> Response:
    """One button. A link alone changes nothing: programs that read mail follow links too."""
    async with read(request) as conn:
        place = await retention.look(conn, request.path_params["token"], now=now(request))
    request.state.community_language = place.language
    return page(request, "stay/show.html", place=place, done=False)


async def say_yes(request: Request) -> Response:
    """They stay."""
    async with write(request) as conn:
        place = await retention.say_yes(conn, request.path_params["token"], now=now(request))
    request.state.community_language = place.language
    return page(request, "stay/show.html", place=place, done=True)
