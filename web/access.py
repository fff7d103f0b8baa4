"""Who may open which page: each route declares a policy, and this file keeps to it.

    signed out            GET: to the sign-in page and back; else 401
    not in the community  404, as if it were not there
    not welcomed yet      403, with what happens next
    taking a break        403 for what active members do
    not in that role      403

What somebody may do with one particular thing is asked again in the domain, with rows that are
locked. Here it is decided which pages there are at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from timebank import communities, members, sessions
from timebank.communities import Community
from timebank.config import Environment, Settings
from timebank.db import EVERYWHERE, Database
from timebank.errors import Forbidden, NotFound, ReadOnlyMember
from timebank.members import Member, Role, Status
from timebank.people import Person

Handler = Callable[[Request], Awaitable[Response]]


class Policy(StrEnum):
    """Who may open a page."""

    PUBLIC = "public"  # the same for everybody: nobody is asked who they are
    ANYONE = "anyone"
    SIGNED_IN = "signed_in"
    MEMBER = "member"  # of this community: welcomed, and has not left
    ACTIVE = "active"
    COORDINATOR = "coordinator"
    STEWARD = "steward"
    DEMO_ONLY = "demo_only"


_OF_A_COMMUNITY = (Policy.MEMBER, Policy.ACTIVE, Policy.COORDINATOR, Policy.STEWARD)
_OPEN = (Policy.PUBLIC, Policy.ANYONE)
_ROLES = {
    Policy.COORDINATOR: (Role.COORDINATOR, Role.STEWARD),
    Policy.STEWARD: (Role.STEWARD,),
}


class NotWelcomedYet(Forbidden):
    """Somebody who asked to join waits for a coordinator, and sees nothing until then."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where a request stands: the community, the member who asks, and the person they are."""

    community: Community
    me: Member
    person: Person


def guard(policy: Policy, path: str, handler: Handler) -> Handler:
    """The handler behind its policy. The domain decides again about each single thing."""

    @wraps(handler)
    async def guarded(request: Request) -> Response:
        request.scope["pattern"] = path  # what the log may hold: never the path itself
        request.state.person = None if policy is Policy.PUBLIC else await _person(request)
        request.state.here = None
        if policy is Policy.DEMO_ONLY:
            if request.app.state.settings.environment is not Environment.DEMO:
                raise NotFound
        elif policy not in _OPEN and request.state.person is None:
            return _to_sign_in(request)
        elif policy in _OF_A_COMMUNITY:
            request.state.here = await _here(request)
            _refuse_unless(policy, request.state.here.me)
        return await handler(request)

    guarded.policy = policy  # type: ignore[attr-defined]
    return guarded


def policy_of(route: BaseRoute) -> Policy | None:
    """The policy a route declares, or None."""
    policy: Any = getattr(getattr(route, "endpoint", None), "policy", None)
    return policy if isinstance(policy, Policy) else None


def refuse_undeclared(routes: Iterable[BaseRoute]) -> None:
    """Raise `ValueError` naming the routes that say nothing about who may open them."""
    silent = [getattr(route, "path", "?") for route in routes if policy_of(route) is None]
    if silent:
        raise ValueError(f"routes without a policy: {', '.join(silent)}")


async def _person(request: Request) -> Person | None:
    """Who is signed in, by the session cookie; the session is marked as in use now and then."""
    token = session_token(request)
    if not token:
        return None
    database: Database = request.app.state.database
    now = request.app.state.clock()
    async with database.read(EVERYWHERE) as conn:
        found = await sessions.find(conn, token, now=now)
    if found is None:
        return None
    person, seen_at = found
    # Whoever only reads does not wait for somebody who writes; the next look will do.
    if sessions.is_stale(seen_at, now) and not database.occupied:
        async with database.write(EVERYWHERE) as conn:
            await sessions.touch(conn, token, now=now)
    return person


async def _here(request: Request) -> Here:
    """The community in the path and the person's membership of it; `NotFound` without one."""
    database: Database = request.app.state.database
    async with database.read(EVERYWHERE) as conn:
        community = await communities.by_slug(conn, request.path_params["slug"])
        me = await members.of_person(conn, community.id, request.state.person.id)
    if me is None or me.status is Status.LEFT:
        raise NotFound("community")
    return Here(community, me, request.state.person)


def _refuse_unless(policy: Policy, me: Member) -> None:
    if me.status is Status.APPLIED:
        raise NotWelcomedYet
    if policy is Policy.MEMBER:
        return
    if me.status is not Status.ACTIVE:
        raise ReadOnlyMember("active")
    if policy in _ROLES and me.role not in _ROLES[policy]:
        raise Forbidden(policy.value)


def _to_sign_in(request: Request) -> Response:
    if request.method not in ("GET", "HEAD"):
        raise HTTPException(401)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(wanted, safe='')}", status_code=303)


def local(path: str | None) -> str:
    """A path of ours to go on to; "/" for everything that could lead elsewhere."""
    if not path or len(path) > 500 or not path.startswith("/") or path.startswith("//"):
        return "/"
    if (
        "\\" in path
        or not path.isascii()
        or any(letter <= " " or letter == "\x7f" for letter in path)
    ):
        return "/"
    parts = urlsplit(path)
    return "/" if parts.scheme or parts.netloc else path


def cookie_name(settings: Settings, name: str) -> str:
    """Over TLS the name itself forbids that another host or path sets the cookie."""
    return f"__Host-{name}" if settings.secure else name


def session_token(request: Request) -> str | None:
    """The secret in the session cookie; None for none, and for what cannot be one."""
    token = request.cookies.get(cookie_name(request.app.state.settings, "session"))
    return token if token and len(token) <= 100 and token.isascii() else None


def sign_in(response: Response, settings: Settings, token: str) -> Response:
    """Let the browser keep a new session, in place of any it had."""
    set_cookie(
        response, settings, "session", token, seconds=round(sessions.LONGEST.total_seconds())
    )
    return response


def sign_out(response: Response, settings: Settings) -> Response:
    """Let the browser forget the session."""
    set_cookie(response, settings, "session", "", seconds=0)
    return response


def set_cookie(
    response: Response, settings: Settings, name: str, value: str, *, seconds: int
) -> None:
    """A cookie of ours: for this host only, out of reach of scripts; 0 seconds removes it."""
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=seconds,
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="lax",
    )
