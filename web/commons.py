"""The commons: the community's own account, open to all its members."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import agreements, anchors, policy
from web import downloads
from web.pages import here, look, now, page, words
from web.statement import as_table, lines, read_asked
from web.stories import Teller


async def show(request: Request) -> Response:
    """What the commons holds, what it may give, and every line of its statement."""
    at = here(request)
    form, asked = read_asked(request)
    if form.ok and (format := downloads.wanted(request)):
        return await as_table(request, at.community.commons_id, asked, format)
    async with look(request) as conn:
        found = await lines(conn, request, at.community.commons_id, asked)
        seal = await anchors.current(conn, at.community.id)
        terms = (await agreements.current(conn, at.community.id)).terms
    left = None if terms.commons_floor is None else found.balance - terms.commons_floor
    return page(
        request,
        "commons/show.html",
        status=200 if form.ok else 422,
        statement=found,
        seal=seal,
        terms=terms,
        left=left,
        form=form,
        asked=asked,
        today=now(request).day_in(at.community.timezone),
        coordinates=policy.may_coordinate(at.me),
        tell=Teller(words(request), at.me.id),
    )
