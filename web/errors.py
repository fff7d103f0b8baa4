"""Pages for what did not work: each says what happened, in plain words, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from ledger import LedgerError
from ledger.errors import BrokenBooks
from timebank.errors import Busy, Forbidden, LinkSpent, NotFound, TimebankError, TooManyTries
from web.access import NotWelcomedYet
from web.messages import Gettext, sentence
from web.pages import gettext, page, person


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a page of trouble says: a title, what happened, and what to do now."""

    title: str
    happened: str
    next: str


async def error_page(request: Request, error: Exception) -> Response:
    """The page for an error. Nothing of the error itself is shown but what was meant for people."""
    status = status_of(error)
    _ = gettext(request)
    trouble = _trouble(error, status, _)
    response = page(
        request,
        "errors/show.html",
        status=status,
        trouble=trouble,
        reference=request.scope.get("reference"),
        asks_to_sign_in=_is_stranger(request) and status in (401, 403, 404),
    )
    if status == 405:
        response.headers["Allow"] = ", ".join(_allowed(request))
    if status in (429, 503):
        response.headers["Retry-After"] = "60"
    return response


def _is_stranger(request: Request) -> bool:
    """Whether we looked who asks, and nobody is signed in. No route, and nobody looked."""
    return hasattr(request.state, "person") and person(request) is None


def status_of(error: Exception) -> int:
    """The HTTP status an error is answered with."""
    if isinstance(error, HTTPException):
        return error.status_code
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            return status
    return 500


_STATUS: dict[type[Exception], int] = {
    NotFound: 404,
    Forbidden: 403,
    TooManyTries: 429,
    LinkSpent: 410,
    Busy: 503,
    PoolTimeout: 503,
    BrokenBooks: 500,
    TimebankError: 422,
    LedgerError: 422,
}

HANDLED: tuple[type[Exception], ...] = (HTTPException, TimebankError, LedgerError, PoolTimeout)
"""What becomes a page; everything else is logged first, under a reference."""


def _trouble(error: Exception, status: int, _: Gettext) -> Trouble:
    if isinstance(error, NotWelcomedYet):
        return Trouble(
            _("You are nearly in"),
            _("You asked to join, and nobody has welcomed you yet."),
            _("A coordinator will get in touch. You get a mail as soon as you are in."),
        )
    trouble = _known(status, _)
    if isinstance(error, (Forbidden, TimebankError, LedgerError)) and status in (403, 422):
        return Trouble(trouble.title, sentence(error, _), trouble.next)
    return trouble


def _known(status: int, _: Gettext) -> Trouble:
    """What each status means to a person."""
    unknown = 500 if status >= 500 else 400
    table = _table(_)
    return table.get(status, table[unknown])


def _table(_: Gettext) -> dict[int, Trouble]:
    return {
        400: Trouble(
            _("We did not understand that"),
            _("What your browser sent makes no sense to us."),
            _("Go back, load the page anew, and try again."),
        ),
        401: Trouble(
            _("Please sign in again"),
            _("You are signed out by now, so nothing was written."),
            _("Sign in, and then do it once more."),
        ),
        403: Trouble(
            _("This is not open to you"),
            _("This request did not come from a page of ours, so we did nothing."),
            _("If you think you should be able to do this, ask a coordinator."),
        ),
        404: Trouble(
            _("There is nothing here"),
            _("The address may have a mistake in it, or the page is not open to you."),
            _("Look at the address once more, or begin at the start."),
        ),
        405: Trouble(
            _("This cannot be done here"),
            _("This address answers, but not to that."),
            _("Go back, and use the links and buttons of the page."),
        ),
        410: Trouble(
            _("This link no longer works"),
            _("It was used before, it is too old, or a newer one took its place."),
            _("Ask for a new one: links work once, and not for long, so that they stay yours."),
        ),
        413: Trouble(
            _("This is too much at once"),
            _("What you sent is larger than we can take, so nothing was written."),
            _("Go back and make it shorter."),
        ),
        422: Trouble(
            _("That did not work"),
            _("Nothing was written."),
            _("Go back, look at it again, and try once more."),
        ),
        429: Trouble(
            _("A little slower, please"),
            _("There were too many tries in a short time."),
            _("Wait a few minutes, then try again. A link by mail always works."),
        ),
        500: Trouble(
            _("Something broke, and it is our fault"),
            _("What you just did was written whole or not at all, never by half."),
            _("Look whether it is there; if not, try again. If it stays broken, tell somebody."),
        ),
        503: Trouble(
            _("A lot is going on just now"),
            _("Nothing was written."),
            _("Please try again in a minute."),
        ),
    }


def _allowed(request: Request) -> list[str]:
    """The methods this address does answer to."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)
