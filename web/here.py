"""“I'm here”: what the code at the door opens, for members and for everybody else."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import doors, members
from timebank.doors import Door
from timebank.i18n import format_moment
from timebank.members import Member, Status
from timebank.rooms import Room
from web.attempt import attempt
from web.forms import Form
from web.pages import language, now, page, person, read


async def show(request: Request) -> Response:
    """One button for a member who is signed in; for everybody else a place for their name."""
    return await _door_page(request, Form.blank())


async def come(request: Request) -> Response:
    """Tick the member who is signed in, or put a name on the list to be confirmed."""
    form = Form(await request.form())
    token = _token(request)
    async with read(request) as conn:
        me = await _me(request, conn, await doors.look(conn, token, now=now(request)))
    as_me = form.flag("as_me") and me is not None
    name = "" if as_me else form.text("name", limit=100)
    seat_id = form.id("seat", required=False) or now(request).new_id()

    async def come_in(conn: AsyncConnection) -> Room:
        if as_me and me is not None:
            return await doors.come_in(conn, token, by=me.id, now=now(request))
        return await doors.leave_name(conn, token, name, seat_id=seat_id, now=now(request))

    done = await attempt(request, form, come_in)
    if done is None:
        return await _door_page(request, form, status=422)
    return await _door_page(request, form, came=True, named=not as_me)


async def _door_page(
    request: Request, form: Form, *, came: bool = False, named: bool = False, status: int = 200
) -> Response:
    token = _token(request)
    async with read(request) as conn:
        door = await doors.look(conn, token, now=now(request))
        me = None if named else await _me(request, conn, door)
        there = me is not None and await doors.is_there(conn, door.room, me.id)
    request.state.community_language = door.community.language
    zone, spoken = door.community.timezone, language(request)
    return page(
        request,
        "here/show.html",
        status=status,
        form=form,
        door=door,
        token=token,
        me_here=me,
        done=came or there,
        seat_id=now(request).new_id(),
        opens=format_moment(door.room.starts_at - doors.OPENS, spoken, zone),
        shuts=format_moment(door.room.ends_at + doors.OPENS, spoken, zone),
    )


async def _me(request: Request, conn: AsyncConnection, door: Door) -> Member | None:
    """The active member of this community who is signed in here."""
    who = person(request)
    if who is None:
        return None
    member = await members.of_person(conn, door.community.id, who.id)
    return member if member is not None and member.status is Status.ACTIVE else None


def _token(request: Request) -> str:
    return str(request.path_params["token"])
