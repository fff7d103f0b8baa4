"""Pages for what did not work: each says what happened, in plain words, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from ledger import LedgerError
from ledger.errors import BrokenBooks, Busy, Unknown
from ledger.sql.trouble import disk_failed, may_pass, no_room
from timebank.errors import Forbidden, LinkSpent, NotFound, TimebankError, TooManyTries
from web.access import NotWelcomedYet
from web.messages import Gettext, sentence
from web.pages import gettext, page, person

_LOOK_AGAIN = 10  # seconds after which a page that does not know yet looks again by itself


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
    unknown = _is_unknown(request, error)
    trouble = _not_known_yet(_) if unknown else _trouble(error, status, _)
    look_again = _where_it_shows(request) if unknown else None
    response = page(
        request,
        "errors/show.html",
        status=status,
        trouble=trouble,
        look_again=look_again,
        reference=request.scope.get("reference"),
        asks_to_sign_in=_is_stranger(request) and status in (401, 403, 404),
    )
    if status == 405:
        response.headers["Allow"] = ", ".join(_allowed(request))
    if status in (429, 503):
        response.headers["Retry-After"] = "60"
    if look_again:
        response.headers["Refresh"] = f"{_LOOK_AGAIN}; url={look_again}"
    return response


def _is_unknown(request: Request, error: Exception) -> bool:
    """Whether something was to be written, and nobody knows whether it was."""
    return isinstance(error, Unknown) or (request.method == "POST" and _line_broke(error))


def _line_broke(error: Exception) -> bool:
    """Whether the database, or its disk, left us in the middle."""
    from_there = isinstance(error, (DBAPIError, OSError))
    return from_there and (may_pass(error) or disk_failed(error))


def _where_it_shows(request: Request) -> str:
    """The page on which one sees what became of it: of the same noun, or home."""
    route = request.scope.get("route")
    noun = (getattr(route, "name", None) or "").partition(":")[0]
    for name in (f"{noun}:show", f"{noun}:index", "home:show", "home:front"):
        try:
            return str(request.app.state.paths(name, request.path_params))
        except KeyError:
            continue
    return "/"


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
    return 503 if _line_broke(error) or no_room(error) else 500


_STATUS: dict[type[Exception], int] = {
    NotFound: 404,
    Forbidden: 403,
    TooManyTries: 429,
    LinkSpent: 410,
    Busy: 503,
    Unknown: 503,
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
    if no_room(error):
        return Trouble(
            _("There is no room left"),
            _("The disk of our computer is full, so nothing was written."),
            _("Please tell a coordinator: whoever looks after the computer has to make room."),
        )
    trouble = _known(status, _)
    if isinstance(error, (Forbidden, TimebankError, LedgerError)) and status in (403, 422):
        return Trouble(trouble.title, sentence(error, _), trouble.next)
    return trouble


def _not_known_yet(_: Gettext) -> Trouble:
    return Trouble(
        _("We are checking"),
        _("The line to our books broke just then. We do not know yet whether this was written."),
        _("Nothing can be lost or counted twice. This page looks again by itself in a moment."),
    )


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
