"""Inviting to a gathering: members by name, organisations, and guests by mail or by card.

The id in these paths is that of the gathering.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import directory, edge, inviting, whence
from timebank.errors import Forbidden
from timebank.gathering import Gathering
from timebank.members import Member, MemberKind
from web import qr
from web.at_gathering import Opened, opened
from web.attempt import attempt
from web.forms import Form
from web.gathering_words import Telling
from web.gatherings import take
from web.name_field import the_one
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


@dataclass(frozen=True, slots=True)
class Made:
    """A personal link that was just made; it is shown this once."""

    name: str
    email: str
    link: str


async def show(request: Request) -> Response:
    """Invite: by name, everyone of last time, an organisation, or somebody who is no member."""
    return await _page(request, Form.blank())


async def _page(
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
        "inviting/show.html",
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
        houses=[(house.id, house.name) for house in _not_invited(houses, found)],
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


async def create(request: Request) -> Response:
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
        return await _page(request, form, status=422)
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
    return await _page(request, form, status=422)


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
        return await _page(request, form, status=422)
    link = _address(request, token)
    return await _page(request, Form.blank(), made=Made(name, email, link))


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
        return await _page(request, form, status=422)
    async with read(request) as conn:
        found = (await opened(request, conn)).found
    name = _("The way to your answer")
    return page(
        request,
        "inviting/cards.html",
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


async def nobody_from(request: Request) -> Response:
    """An account manager: nobody of us, this time."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    house = form.id("house")

    async def step(conn: AsyncConnection, id: UUID) -> None:
        assert house is not None, "the form is in order"
        await inviting.nobody_from(conn, at.community.id, id, house, by=at.me.id, now=now(request))

    return await take(request, form, step, _("Noted. Thank you for saying so."))
