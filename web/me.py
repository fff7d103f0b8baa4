"""My sign-in: the communities I belong to, my language, my password, my devices."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import communities, people, signing_in
from timebank.errors import TimebankError, WrongSignIn
from timebank.i18n import LANGUAGES
from web import access
from web.forms import Form
from web.pages import database, gettext, now, page, read, see_other, settings, signed_in, write
from web.visitor import network


async def show(request: Request) -> Response:
    """Everything about signing in."""
    return await _page(request, Form.blank())


async def language(request: Request) -> Response:
    """The language of my pages and mails."""
    form = Form(await request.form())
    chosen = form.raw("language")
    if chosen not in LANGUAGES:
        form.mistake("language", gettext(request)("Choose one of those offered here."))
        return await _page(request, form, status=422)
    async with write(request) as conn:
        await people.set_language(conn, signed_in(request).id, chosen)
    return see_other(request, "me:show")


async def password(request: Request) -> Response:
    """Another password, knowing the old one. Every session ends, this one too."""
    who, _ = signed_in(request), gettext(request)
    form = Form(await request.form())
    old = form.secret("old") if who.has_password else ""
    new = form.secret("password")
    if form.ok:
        try:
            await signing_in.change_password(
                database(request), who.id, old, new, network=network(request), now=now(request)
            )
        except WrongSignIn:
            form.mistake("old", _("This is not your password."))
        except TimebankError as error:
            form.refused(error, _)
        else:
            said = _("Your new password is kept. Sign in with it.")
            return access.sign_out(see_other(request, "sign_in:new", said=said), settings(request))
    return await _page(request, form, status=422)


async def _page(request: Request, form: Form, *, status: int = 200) -> Response:
    async with read(request) as conn:
        mine = await communities.all_of(conn, signed_in(request).id)
    return page(request, "me/show.html", status=status, form=form, mine=mine)
