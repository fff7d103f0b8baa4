"""Our books: every account, the total that is zero, and when somebody last added it all up."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import books, lists, policy
from timebank.anchors import Anchor
from web import downloads
from web.pages import database, gettext, here, look, now, page, see_other


async def show(request: Request) -> Response:
    """The books in words; coordinators also see each account's balance."""
    at = here(request)
    coordinates = policy.may_coordinate(at.me)
    if coordinates and (format := downloads.wanted(request)):
        async with look(request) as conn:
            listed = await lists.accounts(conn, at.community.id, by=at.me.id)
            return await downloads.send(request, listed, format)
    async with look(request) as conn:
        overview = await books.overview(conn, at.community.id)
        accounts = await books.account_rows(conn, at.community.id, None, 500) if coordinates else []
    return page(
        request,
        "books/show.html",
        overview=overview,
        seal=Anchor(overview.head_seq, overview.head_hash),
        accounts=accounts,
        coordinates=coordinates,
    )


async def verify(request: Request) -> Response:
    """Add everything up again, now."""
    at, _ = here(request), gettext(request)
    report = await books.verify(database(request), at.community.id, now=now(request))
    said = (
        _("All added up again: everything agrees.")
        if report.sound
        else _("Something does not agree. Please tell whoever runs this installation.")
    )
    return see_other(request, "books:show", said=said)
