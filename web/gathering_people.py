"""Who comes to a gathering, for those who organise it; and inviting, by name, mail or card."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import directory, edge, inviting, members, policy, reminders, seats, whence
from timebank.directory import Choice
from timebank.errors import Forbidden
from timebank.gathering import Gathering
from timebank.gatherings import Answer
from timebank.members import Member, MemberKind
from timebank.spreadsheet import Table
from web import qr
from web.attempt import attempt
from web.downloads import download, wanted
from web.forms import Form
from web.gathering_words import Telling
from web.gatherings import Opened, opened
from web.name_field import means, the_one
from web.pages import (
    gettext,
    here,
    ngettext,
    now,
    page,
    path_id,
    path_of,
    read,
    see_other,
    settings,
)

MOST_NAMES = 8
"""So many lines for names the form of invitations has."""


FIRST_GAPS = 3
"""So many places from which nobody comes are shown without asking for more."""


# ── Who comes ────────────────────────────────────────────────────────────────────────────────────


async def people(request: Request) -> Response:
    """Everyone invited, what they said, who invited them across which boundary, whom to ring up."""
    return await _people_page(request, Form.blank())


async def _people_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    async with read(request) as conn:
        at_hand = await opened(request, conn)
        if not at_hand.organises:
            raise Forbidden("people")
        found = at_hand.found
        crossings = await inviting.crossings(conn, at.community, found)
        calls = await reminders.to_ring_up(conn, found)
        names = await directory.choices(conn, at.community.id)
    if file := wanted(request):
        return download(_table(found), file)
    crossed = [one for one in crossings if one.organisations or one.sectors or one.areas]
    return page(
        request,
        "gatherings/people.html",
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
    back = "gatherings:people" if form.raw("back") == "people" else "gatherings:show"
    if said is not None:
        return see_other(request, back, id=id, said=said)
    if form.raw("back") == "people":
        return await _people_page(request, form, status=422)
    return await _invite_page(request, form, status=422)


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
        name = "gatherings:people" if form.raw("back") == "people" else "gatherings:show"
        return see_other(request, name, id=id, said=_("Taken off the list."))
    return await _people_page(request, form, status=422)


# ── Inviting ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Made:
    """A personal link that was just made; it is shown this once."""

    name: str
    email: str
    link: str


async def ask_invite(request: Request) -> Response:
    """Invite: by name, everyone of last time, an organisation, or somebody who is no member."""
    return await _invite_page(request, Form.blank())


async def _invite_page(
    request: Request, form: Form, *, status: int = 200, made: Made | None = None
) -> Response:
    at = here(request)
    async with read(request) as conn:
        at_hand = await opened(request, conn)
        if not at_hand.invites:
            raise Forbidden("invite")
        found = at_hand.found
        gaps = await edge.gaps(conn, at.community, found)
        names = await directory.choices(conn, at.community.id)
        last_time = await inviting.last_time(conn, found)
        houses = await whence.houses(conn, at.community.id)
    there = {seat.member_id for seat in found.seats}
    first = _first(gaps)
    return page(
        request,
        "gatherings/invite.html",
        status=status,
        form=form,
        found=found,
        edge_first=first,
        edge_rest=[gap for gap in gaps if gap not in first],
        names=[
            one for one in names if one.kind is MemberKind.PERSON and one.account_id not in there
        ],
        rows=range(MOST_NAMES),
        last_time=len(set(last_time) - there),
        houses=_not_invited(houses, found),
        guests=_my_guests(at_hand, at.me),
        made=made,
        most_cards=inviting.MOST_CARDS,
        tell=Telling.to(request, at.community),
    )


def _first(gaps: list[edge.Gap]) -> list[edge.Gap]:
    """The few that are shown at once: sectors; without any, organisations, else areas."""
    for place in edge.Place:
        some = [gap for gap in gaps if gap.place is place]
        if some:
            return some[:FIRST_GAPS]
    return []


def _not_invited(houses: list[Member], found: Gathering) -> list[Member]:
    invited = {one.id for one in found.invited}
    return [house for house in houses if house.id not in invited]


def _my_guests(at_hand: Opened, me: Member) -> list[object]:
    """Guests one may print a card for: one's own, and all for organisers."""
    return [
        seat
        for seat in at_hand.found.seats
        if seat.member_id is None and (at_hand.organises or seat.invited_by == me.id)
    ]


async def invite(request: Request) -> Response:
    """Send the invitations."""
    form = Form(await request.form())
    what = form.raw("what")
    if what == "guest":
        return await _invite_guest(request, form)
    if what == "organisation":
        return await _invite_organisation(request, form)
    return await _invite_members(request, form, again=what == "last-time")


async def _invite_members(request: Request, form: Form, *, again: bool) -> Response:
    at = here(request)
    id = path_id(request.path_params["id"])
    words = form.text("words", required=False, limit=inviting.LONGEST_WORDS, lines=True)
    ids = [] if again else await _named(request, form)

    async def do(conn: AsyncConnection) -> int:
        wanted_ids = ids
        if again:
            wanted_ids = await inviting.last_time(conn, (await opened(request, conn)).found)
        return await inviting.several(
            conn, at.community.id, id, wanted_ids, words, by=at.me.id, now=now(request)
        )

    number = await attempt(request, form, do)
    if number is None:
        return await _invite_page(request, form, status=422)
    said = ngettext(request)("One person is invited.", "%(number)d people are invited.", number) % {
        "number": number
    }
    return see_other(request, "gatherings:show", id=id, said=said)


async def _named(request: Request, form: Form) -> list[UUID]:
    """The members whose names were typed; the first line has to be filled in."""
    ids = []
    for row in range(MOST_NAMES):
        field = f"name-{row}"
        if row == 0 or form.raw(field).strip():
            who = await the_one(request, form, field)
            if who is not None:
                ids.append(who.account_id)
    return ids


async def _invite_organisation(request: Request, form: Form) -> Response:
    at, _ = here(request), gettext(request)
    id = path_id(request.path_params["id"])
    words = form.text("words", required=False, limit=inviting.LONGEST_WORDS, lines=True)
    house = form.id("organisation")

    async def do(conn: AsyncConnection) -> bool:
        assert house is not None, "the form is in order"
        await inviting.organisation(
            conn, at.community.id, id, house, words, by=at.me.id, now=now(request)
        )
        return True

    if await attempt(request, form, do):
        said = _("Invited. Whoever keeps its account says who comes.")
        return see_other(request, "gatherings:show", id=id, said=said)
    return await _invite_page(request, form, status=422)


async def _invite_guest(request: Request, form: Form) -> Response:
    """The link is shown this once, for copying; with an address it is mailed as well."""
    at = here(request)
    id = path_id(request.path_params["id"])
    name = form.text("name", limit=100)
    email = form.text("email", required=False, limit=254)
    from_words = form.text("from", required=False, limit=100)
    words = form.text("words", required=False, limit=inviting.LONGEST_WORDS, lines=True)

    async def do(conn: AsyncConnection) -> str:
        return await inviting.guest(
            conn,
            at.community.id,
            id,
            name,
            email=email,
            from_words=from_words,
            words=words,
            by=at.me.id,
            now=now(request),
        )

    token = await attempt(request, form, do)
    if token is None:
        return await _invite_page(request, form, status=422)
    link = _address(request, token)
    return await _invite_page(request, Form.blank(), made=Made(name, email, link))


def _address(request: Request, token: str) -> str:
    return f"{settings(request).base_url}{path_of(request, 'gathering:show', token=token)}"


async def cards(request: Request) -> Response:
    """A sheet of cards to print and cut, each with a code of its own; shown this once."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    blank = form.number("blank", 0, inviting.MOST_CARDS, required=False) or 0
    guests = form.ids("guest")

    async def do(conn: AsyncConnection) -> list[inviting.Card]:
        return await inviting.cards(
            conn, at.community.id, id, guests, blank, by=at.me.id, now=now(request)
        )

    made = await attempt(request, form, do)
    if made is None:
        return await _invite_page(request, form, status=422)
    async with read(request) as conn:
        found = (await opened(request, conn)).found
    name = _("The way to your answer")
    return page(
        request,
        "gatherings/cards.html",
        found=found,
        cards=[
            (
                card.name,
                _address(request, card.token),
                qr.picture(_address(request, card.token), name),
            )
            for card in made
        ],
        tell=Telling.to(request, at.community),
    )
