"""What is on, for everybody: public gatherings on one page and as a feed, if the community likes.

A public gathering has its own page in any case. Nobody is named there but who hosts.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import agenda, agreements, calendars, communities, feeds, gathering
from timebank.agreements import Joining
from timebank.communities import Community
from timebank.errors import NotFound
from timebank.gathering import Gathering
from timebank.gatherings import Openness
from timebank.roles import BuiltIn
from web.at_gathering import calendar_file
from web.gathering_words import Telling
from web.pages import language, now, page, path_id, path_of, read, settings


async def index(request: Request) -> Response:
    """Everything public that is coming; not there where the community does not want it."""
    async with read(request) as conn:
        community = await _shown(request, conn)
        lines = await agenda.public(conn, community.id, after=now(request).at)
        joining = (await agreements.current(conn, community.id)).terms.joining
    request.state.community_language = community.language
    return page(
        request,
        "whats_on/index.html",
        at=community,
        lines=lines,
        by_asking=joining is Joining.APPLY,
        tell=Telling.to(request, community),
    )


async def feed(request: Request) -> Response:
    """The same for calendar programs."""
    async with read(request) as conn:
        community = await _shown(request, conn)
        lines = await agenda.public(conn, community.id, after=now(request).at)
        found = await gathering.load(conn, community.id, [line.id for line in lines])
    events = [_appointment(request, community, one) for one in found]
    return calendar_file(calendars.feed(community, community.name, events), "whats-on")


async def _shown(request: Request, conn: AsyncConnection) -> Community:
    community = await communities.by_slug(conn, request.path_params["slug"])
    if not await feeds.is_shown(conn, community.id):
        raise NotFound("page")
    return community


async def show(request: Request) -> Response:
    """One public gathering."""
    async with read(request) as conn:
        community, found = await _public(request, conn)
        listed = await feeds.is_shown(conn, community.id)
        joining = (await agreements.current(conn, community.id)).terms.joining
    request.state.community_language = community.language
    return page(
        request,
        "whats_on/show.html",
        at=community,
        found=found,
        hosting=_hosting(found),
        listed=listed,
        by_asking=joining is Joining.APPLY,
        is_over=now(request).at >= found.ends_at,
        tell=Telling.to(request, community),
    )


async def as_event(request: Request) -> Response:
    """One public gathering for a calendar."""
    async with read(request) as conn:
        community, found = await _public(request, conn)
    content = calendars.one(community, _appointment(request, community, found))
    return calendar_file(content, "gathering")


async def _public(request: Request, conn: AsyncConnection) -> tuple[Community, Gathering]:
    community = await communities.by_slug(conn, request.path_params["slug"])
    id: UUID = path_id(request.path_params["id"])
    found = await gathering.get(conn, community.id, id)
    if found.openness is not Openness.PUBLIC:
        raise NotFound("gathering")
    return community, found


def _hosting(found: Gathering) -> list[str]:
    """Who hosts it, by name: organisations, and people who said they would."""
    people = [seat.name for seat in found.carriers(BuiltIn.HOST)]
    return [host.name for host in found.hosts] + people


def _appointment(request: Request, community: Community, found: Gathering) -> calendars.Appointment:
    address = path_of(request, "whats_on:show", slug=community.slug, id=found.id)
    return calendars.appointment(
        found, language=language(request), address=f"{settings(request).base_url}{address}"
    )
