"""Accepting an invitation: with a new sign-in, or with the one somebody has already."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from timebank import invitations
from timebank.errors import LinkSpent, TimebankError
from web import access
from web.forms import Form
from web.pages import (
    database,
    gettext,
    language,
    now,
    page,
    path_of,
    person,
    read,
    see_other,
    settings,
)
from web.visitor import device


async def show(request: Request) -> Response:
    """Who invites you, and to what."""
    async with read(request) as conn:
        found = await invitations.look(conn, _token(request), now=now(request))
    form = Form.of({"name": found.name, "email": found.email or ""})
    request.state.community_language = found.community.language
    return page(request, "invitation/show.html", form=form, invitation=found, token=_token(request))


async def accept(request: Request) -> Response:
    """Come in: as the person who is signed in, or as somebody new."""
    form = Form(await request.form())
    async with read(request) as conn:
        found = await invitations.look(conn, _token(request), now=now(request))
    request.state.community_language = found.community.language
    try:
        done = await (_as_oneself(request) if form.flag("as_me") else _as_new(request, form))
    except LinkSpent:
        raise
    except TimebankError as error:
        form.refused(error, gettext(request))
    else:
        if done is not None:
            return done
    return page(
        request,
        "invitation/show.html",
        status=422,
        form=form,
        invitation=found,
        token=_token(request),
    )


async def _as_oneself(request: Request) -> Response:
    who = person(request)
    if who is None:
        return RedirectResponse(f"/sign-in?next=/invitation/{_token(request)}", status_code=303)
    community = await invitations.accept_as(
        database(request), _token(request), who.id, now=now(request)
    )
    said = gettext(request)("Welcome! Good to have you here.")
    return see_other(request, "home:show", slug=community.slug, said=said)


async def _as_new(request: Request, form: Form) -> Response | None:
    name, email = form.text("name", limit=100), form.text("email", limit=254)
    password = form.secret("password")
    if not form.ok:
        return None
    _person, session, community = await invitations.accept(
        database(request),
        _token(request),
        name=name,
        email=email,
        password=password,
        language=language(request),
        device=device(request),
        now=now(request),
    )
    home = path_of(request, "home:show", slug=community.slug)
    response = RedirectResponse(home, status_code=303)
    return access.sign_in(response, settings(request), session)


def _token(request: Request) -> str:
    return str(request.path_params["token"])
