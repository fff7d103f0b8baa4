"""What pages about one gathering share: who asks, whether they may, and its calendar file."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import acting, calendars, gathering, policy
from timebank.acting import Actor
from timebank.errors import NotFound
from timebank.gathering import Gathering
from web.pages import here, language, path_id, path_of, settings


@dataclass(frozen=True, slots=True)
class Opened:
    """A gathering that a page is about, and who asks."""

    actor: Actor
    found: Gathering

    @property
    def organises(self) -> bool:
        """Whether they organise it."""
        return policy.may_organise(self.actor.member, self.found, self.actor.manages)

    @property
    def invites(self) -> bool:
        """Whether they may invite others to it."""
        return policy.may_invite_to(self.actor.member, self.found, self.actor.acts_for)


async def opened(request: Request, conn: AsyncConnection) -> Opened:
    """The gathering in the path; `NotFound` if whoever asks may not see it."""
    at = here(request)
    id = path_id(request.path_params["id"])
    actor = await acting.one(conn, at.community.id, at.me.id)
    found = await gathering.get(conn, at.community.id, id)
    if not policy.may_see_gathering(actor.member, found, actor.acts_for):
        raise NotFound("gathering")
    return Opened(actor, found)


def appointment(request: Request, found: Gathering) -> calendars.Appointment:
    """A gathering as the reader's calendar shows it."""
    at = here(request)
    address = f"{settings(request).base_url}{path_of(request, 'gatherings:show', id=found.id)}"
    return calendars.appointment(
        found, language=language(request), address=address, seat=found.seat_of(at.me.id)
    )


def calendar_file(content: bytes, name: str) -> Response:
    """A calendar file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.ics"'}
    return Response(content, media_type=calendars.MEDIA_TYPE, headers=headers)
