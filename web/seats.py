"""Seats: say whether one comes; for those who organise, the list of everybody, and whom to ring up.

The id in these paths is that of the gathering.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import directory, inviting, members, policy, reminders, seats
from timebank.directory import Choice
from timebank.errors import Forbidden
from timebank.gathering import Gathering
from timebank.gatherings import Answer
from timebank.members import MemberKind
from timebank.seats import AS_EVER, LONGEST_WORDS, Whence
from timebank.spreadsheet import Table
from web.at_gathering import opened
from web.attempt import attempt
from web.downloads import download, wanted
from web.forms import Form
from web.gathering_words import Telling
from web.gatherings import show_page, take
from web.name_field import means
from web.pages import gettext, here, now, page, path_id, read, see_other


async def answer(request: Request) -> Response:
    """Yes, maybe or no, with a word; for oneself, or for somebody one answers for."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    said = form.choice("answer", Answer)
    words = form.text("words", required=False, limit=LONGEST_WORDS)
    member = form.id("for", required=False)
    whence = _whence(form)

    async def step(conn: AsyncConnection, id: UUID) -> None:
        assert said is not None, "the form is in order"
        await seats.answer(
            conn,
            at.community.id,
            id,
            said,
            words=words,
            whence=whence,
            member=member,
            by=at.me.id,
            now=now(request),
        )

    thanks = {
        Answer.YES: _("Good that you come!"),
        Answer.MAYBE: _("Noted. Come if you can."),
        Answer.NO: _("Noted. Thank you for saying so."),
    }
    return await take(
        request, form, step, thanks.get(said or Answer.NO, "") if not member else _("Noted.")
    )


def _whence(form: Form) -> Whence:
    """Where somebody comes from: as ever where nobody was asked, a neighbour for "neighbour"."""
    if not form.has("whence") or not form.raw("whence"):
        return AS_EVER
    if form.raw("whence") == "neighbour":
        return None
    return form.id("whence")


# ── The list ─────────────────────────────────────────────────────────────────────────────────────


async def show(request: Request) -> Response:
    """Everyone invited, what they said, who invited them across which boundary, whom to ring up."""
    return await _list_page(request, Form.blank())


async def _list_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    async with read(request) as conn:
        at_hand = await opened(request, conn)
        if not at_hand.organises:
            raise Forbidden("people")
        found = at_hand.found
        crossings = await inviting.crossings(conn, at.community, found)
        calls = await reminders.to_ring_up(conn, found, at_hand.actor)
        names = await directory.choices(conn, at.community.id)
    if file := wanted(request):
        return download(_table(found), file)
    crossed = [one for one in crossings if one.organisations or one.sectors or one.areas]
    return page(
        request,
        "seats/show.html",
        status=status,
        form=form,
        found=found,
        groups=_groups(request, found),
        crossings={one.seat_id: one for one in crossings},
        invitations=len(crossings),
        crossed=len(crossed),
        calls=calls,
        names=[one for one in names if one.kind is MemberKind.PERSON],
        tell=Telling.to(request, at.community),
        open=now(request).at < found.ends_at,
    )


def _groups(request: Request, found: Gathering) -> list[tuple[str, list[object]]]:
    """The seats as people ask for them: who comes, waits, may come, was asked, does not."""
    _ = gettext(request)
    seats_ = found.seats
    groups = (
        (_("They come"), [seat for seat in seats_ if seat.comes]),
        (_("They wait for room"), [seat for seat in seats_ if seat.waiting]),
        (_("Maybe"), [seat for seat in seats_ if seat.answer is Answer.MAYBE]),
        (_("Invited, no answer yet"), [seat for seat in seats_ if seat.answer is Answer.ASKED]),
        (_("Not this time"), [seat for seat in seats_ if seat.answer is Answer.NO]),
    )
    return [(heading, list(some)) for heading, some in groups if some]


def _table(found: Gathering) -> Table:
    headings = ("name", "member", "from", "answer", "waits", "words", "invited_by", "roles")
    rows = [
        (
            seat.name,
            "yes" if seat.member_id else "no",
            seat.organisation,
            seat.answer.value,
            "yes" if seat.waiting else "no",
            seat.words,
            seat.invited_by_name or "",
            ", ".join(duty.role_key for duty in found.duties_of(seat.id) if duty.carried),
        )
        for seat in found.seats
    ]
    return Table("people", headings, rows)


async def add(request: Request) -> Response:
    """Put somebody on the list who said that they come: a member one answers for, or a guest."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    name = form.text("name", limit=100)
    from_words = form.text("from", required=False, limit=100)
    organisation = form.id("organisation", required=False)
    known = await means(request, name) if name else []
    persons = [one for one in known if one.kind is MemberKind.PERSON]
    as_guest = form.flag("guest") or not persons
    if not as_guest and len(persons) > 1:
        form.mistake(
            "name",
            _("This fits several people: %(names)s. Write the whole name.")
            % {"names": ", ".join(one.label for one in persons)},
        )

    async def put(conn: AsyncConnection) -> str:
        if as_guest:
            await seats.bring(
                conn,
                at.community.id,
                id,
                name,
                from_words=from_words,
                organisation=organisation,
                by=at.me.id,
                now=now(request),
            )
            return _("%(name)s is on the list.") % {"name": name}
        return await _put_member(request, conn, id, persons[0], organisation)

    said = await attempt(request, form, put)
    if said is not None:
        back = "seats:show" if form.raw("back") == "list" else "gatherings:show"
        return see_other(request, back, id=id, said=said)
    if form.raw("back") == "list":
        return await _list_page(request, form, status=422)
    return await show_page(request, form, status=422)


async def _put_member(
    request: Request, conn: AsyncConnection, id: UUID, who: Choice, organisation: UUID | None
) -> str:
    """A member is signed up by who may answer for them; others are invited, and answer."""
    at, _ = here(request), gettext(request)
    at_hand = await opened(request, conn)
    member = await members.get(conn, at.community.id, who.account_id)
    actor = at_hand.actor
    if policy.may_answer_for(actor.member, member, at_hand.found, actor.acts_for):
        await seats.answer(
            conn,
            at.community.id,
            id,
            Answer.YES,
            member=member.id,
            by=at.me.id,
            now=now(request),
        )
        return _("%(name)s is on the list.") % {"name": member.name}
    await inviting.several(
        conn,
        at.community.id,
        id,
        [member.id],
        organisation=organisation,
        by=at.me.id,
        now=now(request),
    )
    return _("%(name)s is invited, and answers for themselves.") % {"name": member.name}


async def take_off(request: Request) -> Response:
    """A guest does not come."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id, seat = path_id(request.path_params["id"]), form.id("seat")

    async def do(conn: AsyncConnection) -> bool:
        assert seat is not None, "the form is in order"
        await seats.take_off(conn, at.community.id, id, seat, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, do):
        return see_other(request, "seats:show", id=id, said=_("Taken off the list."))
    return await _list_page(request, form, status=422)
