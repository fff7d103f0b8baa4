"""Signing in with a password or a mailed link, and signing out here or everywhere."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from timebank import sessions, signing_in, tokens
from timebank.db import Database
from timebank.errors import TimebankError, TooManyTries
from timebank.moment import Moment
from timebank.tokens import Purpose
from web import access
from web.forms import Form
from web.pages import (
    database,
    gettext,
    go_on,
    now,
    page,
    person,
    read,
    settings,
    signed_in,
    write,
)
from web.visitor import device, network


class Ask(Protocol):
    """What mails a link to an address, if it is known."""

    def __call__(
        self, db: Database, email: str, *, network: str, now: Moment
    ) -> Awaitable[None]: ...


async def new(request: Request) -> Response:
    """The sign-in page; who is signed in goes straight on."""
    wanted = access.local(request.query_params.get("next"))
    if person(request) is not None:
        return RedirectResponse(wanted, status_code=303)
    return page(request, "sign_in/new.html", form=Form.blank(), wanted=wanted)


async def create(request: Request) -> Response:
    """Sign in with address and password; the session is a new one every time."""
    form = Form(await request.form())
    email, password = form.text("email", limit=254), form.secret("password")
    wanted = access.local(form.raw("next"))
    if form.ok:
        try:
            _person, token = await signing_in.sign_in(
                database(request),
                email,
                password,
                network=network(request),
                device=device(request),
                now=now(request),
            )
        except TimebankError as error:
            form.refused(error, gettext(request))
            status = 429 if isinstance(error, TooManyTries) else 422
            return page(request, "sign_in/new.html", status=status, form=form, wanted=wanted)
        return await _begun(request, token, wanted)
    return page(request, "sign_in/new.html", status=422, form=form, wanted=wanted)


async def ask_link(request: Request) -> Response:
    """Ask for a link by mail instead."""
    return page(request, "sign_in/link.html", form=Form.blank())


async def send_link(request: Request) -> Response:
    """Mail a link, if the address is known. The answer is the same either way."""
    return await mail_link(request, signing_in.ask_link, "sign_in/link.html")


async def mail_link(request: Request, ask: Ask, template: str) -> Response:
    """Have `ask` mail a link to the address in the form, or show the form of `template` again."""
    form = Form(await request.form())
    email = form.text("email", limit=254)
    if form.ok:
        try:
            await ask(database(request), email, network=network(request), now=now(request))
        except TimebankError as error:
            form.refused(error, gettext(request))
            status = 429 if isinstance(error, TooManyTries) else 422
            return page(request, template, status=status, form=form)
        return page(request, "sign_in/sent.html", email=email)
    return page(request, template, status=422, form=form)


async def open_link(request: Request) -> Response:
    """A button: mail programs that look at links in advance must not use them up."""
    token = request.path_params["token"]
    async with read(request) as conn:
        await tokens.look(conn, token, Purpose.SIGN_IN, now=now(request))
    return page(request, "sign_in/open.html", token=token)


async def use_link(request: Request) -> Response:
    """Sign in with the link, which then works no more."""
    _person, session = await signing_in.use_link(
        database(request), request.path_params["token"], device=device(request), now=now(request)
    )
    return await _begun(request, session, "/")


async def destroy(request: Request) -> Response:
    """Sign out on this device."""
    await _end_old_session(request)
    response = go_on(request, "/", said=gettext(request)("You are signed out. See you soon!"))
    return access.sign_out(response, settings(request))


async def destroy_all(request: Request) -> Response:
    """Sign out on every device."""
    who = signed_in(request)
    async with write(request) as conn:
        await sessions.end_all(conn, who.id)
    said = gettext(request)("You are signed out on every device.")
    return access.sign_out(go_on(request, "/", said=said), settings(request))


async def _begun(request: Request, token: str, wanted: str) -> Response:
    """Go on with the new session; the one this browser had before ends."""
    await _end_old_session(request)
    return access.sign_in(RedirectResponse(wanted, status_code=303), settings(request), token)


async def _end_old_session(request: Request) -> None:
    old = access.session_token(request)
    if old and person(request) is not None:
        async with write(request) as conn:
            await sessions.end(conn, old)
