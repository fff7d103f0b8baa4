"""Asking to join a community."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import agreements, applications, communities
from timebank.agreements import Joining
from timebank.errors import TimebankError
from web.forms import Form
from web.pages import gettext, language, now, page, person, read, see_other, write
from web.visitor import network


async def new(request: Request) -> Response:
    """What this community is, and a few words about oneself. Members go straight home."""
    who = person(request)
    if who is not None:
        async with read(request) as conn:
            mine = await communities.all_of(conn, who.id)
        if any(community.slug == request.path_params["slug"] for community, _member in mine):
            return see_other(request, "home:show")
    return await _page(request, Form.of({"email": who.email} if who else {}))


async def create(request: Request) -> Response:
    """Ask. Whether the address is known already, nobody learns from the answer."""
    form = Form(await request.form())
    name = form.text("name", limit=100)
    email = form.text("email", limit=254)
    about = form.text("about", required=False, limit=1000, lines=True)
    if form.ok:
        try:
            async with write(request) as conn:
                community = await communities.by_slug(conn, request.path_params["slug"])
                await applications.apply(
                    conn,
                    community.id,
                    name=name,
                    email=email,
                    about=about,
                    language=language(request),
                    network=network(request),
                    now=now(request),
                )
        except TimebankError as error:
            form.refused(error, gettext(request))
        else:
            return page(request, "join/thanks.html", at=community, email=email)
    return await _page(request, form, status=422)


async def _page(request: Request, form: Form, *, status: int = 200) -> Response:
    async with read(request) as conn:
        community = await communities.by_slug(conn, request.path_params["slug"])
        terms = (await agreements.current(conn, community.id)).terms
    request.state.community_language = community.language
    by_asking = terms.joining is Joining.APPLY
    return page(
        request,
        "join/new.html",
        status=status,
        form=form,
        at=community,
        terms=terms,
        by_asking=by_asking,
    )
