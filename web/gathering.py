"""A personal link to one gathering: read what it is and answer, without signing in anywhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import calendars, guests, members
from timebank.errors import LinkSpent, TimebankError
from timebank.gatherings import Answer, State
from timebank.guests import Personal
from timebank.members import Status
from timebank.roles import BuiltIn
from timebank.seats import LONGEST_WORDS
from web.at_gathering import calendar_file
from web.forms import Form
from web.gathering_words import Telling
from web.pages import (
    gettext,
    go_on,
    language,
    now,
    page,
    path_of,
    person,
    read,
    see_other,
    settings,
    write,
)


async def show(request: Request) -> Response:
    """What it is, and what one says."""
    return await _page(request, Form.blank())


async def _page(request: Request, form: Form, *, status: int = 200) -> Response:
    who = person(request)
    async with read(request) as conn:
        known = await guests.look(conn, _token(request), now=now(request))
        me = await members.of_person(conn, known.here.id, who.id) if who else None
    found = known.gathering
    request.state.community_language = known.here.language
    return page(
        request,
        "gathering/show.html",
        status=status,
        form=form,
        known=known,
        found=found,
        seat=known.seat,
        token=_token(request),
        hosting=[host.name for host in found.hosts]
        + [seat.name for seat in found.carriers(BuiltIn.HOST)],
        is_member=me is not None and me.status is Status.ACTIVE,
        is_theirs=known.seat is not None and known.seat.member_id is not None,
        open=found.state is State.PLANNED and now(request).at < found.ends_at,
        tell=Telling.to(request, known.here),
    )


async def answer(request: Request) -> Response:
    """Yes, maybe or no, with a word; on a blank card with one's name."""
    _ = gettext(request)
    form = Form(await request.form())
    said = form.choice("answer", Answer)
    words = form.text("words", required=False, limit=LONGEST_WORDS)
    name = form.text("name", required=False, limit=100)
    from_words = form.text("from", required=False, limit=100)
    if said is not None and form.ok:
        try:
            async with write(request) as conn:
                await guests.answer(
                    conn,
                    _token(request),
                    said,
                    words=words,
                    name=name,
                    from_words=from_words,
                    now=now(request),
                )
        except LinkSpent:
            raise
        except TimebankError as error:
            form.refused(error, _)
    if form.ok:
        thanks = {
            Answer.YES: _("Good that you come!"),
            Answer.MAYBE: _("Noted. Come if you can."),
            Answer.NO: _("Noted. Thank you for saying so."),
        }
        return see_other(
            request, "gathering:show", token=_token(request), said=thanks[said or Answer.NO]
        )
    return await _page(request, form, status=422)


async def as_event(request: Request) -> Response:
    """For one's own calendar."""
    async with read(request) as conn:
        known = await guests.look(conn, _token(request), now=now(request))
    event = _appointment(request, known)
    return calendar_file(calendars.one(known.here, event), "gathering")


def _appointment(request: Request, known: Personal) -> calendars.Appointment:
    address = path_of(request, "gathering:show", token=_token(request))
    return calendars.appointment(
        known.gathering,
        language=language(request),
        address=f"{settings(request).base_url}{address}",
        seat=known.seat,
    )


async def join(request: Request) -> Response:
    """Become a member: the seat comes along. Who is one already takes the seat as that."""
    _ = gettext(request)
    form = Form(await request.form())
    who = person(request)
    if form.flag("as_me") and who is not None:
        async with write(request) as conn:
            known = await guests.claim(conn, _token(request), person_id=who.id, now=now(request))
        return see_other(
            request,
            "gatherings:show",
            slug=known.here.slug,
            id=known.gathering.id,
            said=_("This seat is yours."),
        )
    async with write(request) as conn:
        known = await guests.look(conn, _token(request), now=now(request))
        secret = await guests.become_member(conn, _token(request), now=now(request))
    if secret is None:
        return go_on(request, path_of(request, "join:new", slug=known.here.slug))
    return see_other(request, "invitation:show", token=secret)


def _token(request: Request) -> str:
    return str(request.path_params["token"])
