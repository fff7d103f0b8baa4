"""A forgotten password: a link by mail, and with it a new password."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import signing_in, tokens
from timebank.errors import LinkSpent, TimebankError
from timebank.tokens import Purpose
from web import access
from web.forms import Form
from web.pages import database, gettext, now, page, read, see_other, settings
from web.sign_in import mail_link


async def ask(request: Request) -> Response:
    """Say for which address."""
    return page(request, "password/ask.html", form=Form.blank())


async def send(request: Request) -> Response:
    """Mail a link, if the address is known. The answer is the same either way."""
    return await mail_link(request, signing_in.ask_reset, "password/ask.html")


async def new(request: Request) -> Response:
    """Choose a new password, with a link that works."""
    token = request.path_params["token"]
    async with read(request) as conn:
        await tokens.look(conn, token, Purpose.RESET, now=now(request))
    return page(request, "password/new.html", form=Form.blank(), token=token)


async def create(request: Request) -> Response:
    """Keep the new password. Every session ends, and one signs in with the new one."""
    form, token = Form(await request.form()), request.path_params["token"]
    password = form.secret("password")
    if form.ok:
        try:
            await signing_in.reset_password(database(request), token, password, now=now(request))
        except LinkSpent:
            raise
        except TimebankError as error:
            form.refused(error, gettext(request))
        else:
            said = gettext(request)("Your new password is kept. Sign in with it.")
            return access.sign_out(see_other(request, "sign_in:new", said=said), settings(request))
    return page(request, "password/new.html", status=422, form=form, token=token)
