"""What every route uses: the page, the redirect, the database, and who is asking where."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from timebank import i18n
from timebank.config import Environment as Runs
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database, Scope
from timebank.entry import Kind, State
from timebank.errors import NotFound
from timebank.i18n import LANGUAGES
from timebank.moment import Moment
from timebank.people import Person
from timebank.periods import Month
from web.access import Here, cookie_name, set_cookie
from web.forms import Form, read_id
from web.navigation import Group, menu
from web.stories import Words, kind_label, state_label

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
_NOTICE_SECONDS = 60
_LONGEST_NOTICE = 500
_PLACES = ("as", "after", "before", "name", "choose")
"""What an address says about the page one is on, and not about which rows are in the list."""


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """Render a template in the reader's language, with what base.html and the macros need."""
    spoken = language(request)
    for value in context.values():
        if isinstance(value, Form):
            value.speak(gettext(request))
    notice = _notice(request)
    html = (
        _templates(spoken)
        .get_template(template)
        .render(_common(request, spoken) | {"notice": notice} | context)
    )
    response = HTMLResponse(html, status_code=status)
    if notice:
        set_cookie(response, settings(request), "said", "", seconds=0)
    return response


def see_other(
    request: Request, name: str, /, *, said: str | None = None, **params: object
) -> Response:
    """Go on to a page of ours after a change; `said` is shown there, once."""
    return go_on(request, path_of(request, name, **params), said=said)


def go_on(request: Request, path: str, *, said: str | None = None) -> Response:
    """Go on to a path of ours; `said` is shown there, once."""
    response = RedirectResponse(path, status_code=303)
    if said:
        text = quote(said[:_LONGEST_NOTICE], safe="")
        set_cookie(response, settings(request), "said", text, seconds=_NOTICE_SECONDS)
    return response


def path_of(request: Request, name: str, /, **params: object) -> str:
    """The path of a route; the community of this request is filled in where none is named."""
    texts = {key: str(value) for key, value in params.items()}
    if "slug" in request.path_params:
        texts.setdefault("slug", request.path_params["slug"])
    return request.app.state.paths(name, texts)  # type: ignore[no-any-return]


def here(request: Request) -> Here:
    """The community and the member who asks, on routes of a community's members."""
    found = request.state.here
    assert isinstance(found, Here), "only routes of a community's members may ask this"
    return found


def person(request: Request) -> Person | None:
    """Who is signed in."""
    found = getattr(request.state, "person", None)
    return found if isinstance(found, Person) else None


def signed_in(request: Request) -> Person:
    """Who is signed in, on routes that only signed-in people open."""
    found = person(request)
    assert found is not None, "only routes of signed-in people may ask this"
    return found


def database(request: Request) -> Database:
    """The database."""
    found = request.app.state.database
    assert isinstance(found, Database)
    return found


def settings(request: Request) -> Settings:
    """The settings of this installation."""
    found = request.app.state.settings
    assert isinstance(found, Settings)
    return found


def now(request: Request) -> Moment:
    """One moment for the whole request."""
    if not hasattr(request.state, "moment"):
        request.state.moment = request.app.state.clock()
    moment = request.state.moment
    assert isinstance(moment, Moment)
    return moment


def today(request: Request) -> date:
    """The day it is in the community of this request."""
    return now(request).day_in(here(request).community.timezone)


def read(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """A connection that only reads, and on routes of a community's members only there."""
    return database(request).read(_scope(request))


def look(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """The same, from a replica if there is one, for pages that report and decide nothing."""
    return database(request).look(_scope(request))


def write(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """A transaction, of the same reach: leaving the block commits, an exception rolls back."""
    return database(request).write(_scope(request))


def _scope(request: Request) -> Scope:
    """The community a member asks in; all of them for who is no member, or not in one now."""
    found = getattr(request.state, "here", None)
    return found.community.id if isinstance(found, Here) else EVERYWHERE


def path_id(text: str) -> UUID:
    """An id from a path; anything else is a page that is not there (`NotFound`)."""
    found = read_id(text)
    if found is None:
        raise NotFound
    return found


def language(request: Request) -> str:
    """The person's language, else the cookie's, else the browser's, else the community's."""
    who = person(request)
    cookie = request.cookies.get(cookie_name(settings(request), "language"), "")
    asked = [who.language if who else "", cookie, *_accepted(request)]
    asked.append(getattr(request.state, "community_language", ""))
    return next((one for one in asked if one in LANGUAGES), LANGUAGES[0])


def words(request: Request) -> Words:
    """The catalogue of the reader's language."""
    return i18n.translations(language(request))


def gettext(request: Request) -> Callable[[str], str]:
    """The translator into the reader's language, called `_` by everyone."""
    return i18n.translations(language(request)).gettext


def ngettext(request: Request) -> Callable[[str, str, int], str]:
    """The translator for sentences with a number in them."""
    return i18n.translations(language(request)).ngettext


def _accepted(request: Request) -> list[str]:
    """The languages the browser asks for, the most wanted first."""
    wanted = []
    for item in request.headers.get("accept-language", "")[:200].split(","):
        tag, _semicolon, weight = item.strip().partition(";")
        try:
            wanted.append((-float(weight.partition("=")[2] or 1), tag.split("-")[0].lower()))
        except ValueError:
            continue
    return [tag for _weight, tag in sorted(wanted, key=lambda one: one[0])]


def _notice(request: Request) -> str:
    cookie = request.cookies.get(cookie_name(settings(request), "said"), "")
    text = unquote(cookie)[:_LONGEST_NOTICE]
    return "".join(letter for letter in text if letter.isprintable())


def _common(request: Request, spoken: str) -> dict[str, Any]:
    """What every template can count on."""
    at = getattr(request.state, "here", None)
    return {
        "request": request,
        "person": person(request),
        "me": at.me if at else None,
        "community": at.community if at else None,
        "language": spoken,
        "languages": [(code, i18n.NAMES[code]) for code in LANGUAGES],
        "is_demo": settings(request).environment is Runs.DEMO,
        "nav": _menu(request, at) if at else [],
        "this_moment": now(request),
    }


def _menu(request: Request, at: Here) -> list[Group]:
    return menu(at.me, request.url.path, lambda name: path_of(request, name), gettext(request))


@cache
def _templates(spoken: str) -> Environment:
    """The templates in one language. Everything is escaped; an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    translations = i18n.translations(spoken)
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "minutes": i18n.format_minutes,
        "day": _day,
        "month": _month,
        "moment": _moment,
        "ago": _ago,
        "query": query,
    }
    environment.globals |= {
        "url": _url,
        "as_file": _as_file,
        "static": static_path,
        "kind_label": lambda kind: kind_label(Kind(kind), translations.gettext),
        "state_label": lambda state: state_label(State(state), translations.gettext),
    }
    return environment


@pass_context
def _day(context: Context, day: date, style: Literal["full", "short"] = "full") -> str:
    """A day, or the day a moment falls on in the community's time zone."""
    if isinstance(day, datetime):
        day = day.astimezone(ZoneInfo(_timezone(context))).date()
    return i18n.format_day(day, context["language"], style)


@pass_context
def _month(context: Context, month: Month) -> str:
    """A month, within a sentence."""
    return i18n.format_month(month.first, context["language"])


@pass_context
def _moment(context: Context, at: datetime) -> str:
    return i18n.format_moment(at, context["language"], _timezone(context))


def _timezone(context: Context) -> str:
    community = context["community"]
    return str(community.timezone) if community else "UTC"


@pass_context
def _ago(context: Context, then: datetime) -> str:
    return i18n.ago(then, context["this_moment"].at, context["language"])


@pass_context
def _url(context: Context, name: str, /, **params: object) -> str:
    return path_of(context["request"], name, **params)


@pass_context
def _as_file(context: Context, format: str) -> str:
    """Where the list on this page is to be had as a file: the same question, all of its rows."""
    request = context["request"]
    asked = [pair for pair in request.query_params.multi_items() if pair[0] not in _PLACES]
    return f"{request.url.path}?{urlencode([*asked, ('as', format)])}"


def query(facts: Mapping[str, object]) -> str:
    """`?name=value&…`, or nothing where there is nothing to ask."""
    return f"?{urlencode({name: str(fact) for name, fact in facts.items()})}" if facts else ""


@cache
def static_path(file: str) -> str:
    """The address of one of our files; it changes with the content, so browsers may keep it."""
    digest = hashlib.sha256((STATIC / file).read_bytes()).hexdigest()[:12]
    return f"/static/{file}?v={digest}"
