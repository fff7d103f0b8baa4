"""Offers and requests: the board, one listing with its answers, and the board on paper."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger.chain import microseconds
from timebank import (
    acting,
    buddies,
    communities,
    contacts,
    directory,
    listing_steps,
    listings,
    looks,
    members,
    policy,
)
from timebank.acting import Actor
from timebank.contacts import Contact
from timebank.errors import Forbidden, NotFound
from timebank.listing_steps import NewListing
from timebank.listings import Listing, ListingKind, Wanted
from timebank.looks import Look
from timebank.members import Member, Role
from timebank.spreadsheet import Table
from web.attempt import attempt
from web.downloads import download, wanted
from web.forms import Form, read_id
from web.pages import gettext, here, now, page, path_id, read, see_other, today, write

PAGE = 50
MOST_ON_PAPER = 500
_HEADINGS = ("kind", "title", "words", "category", "area", "name", "since", "until")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked the board for, with the words of the form."""

    form: Form
    wanted: Wanted

    @property
    def facts(self) -> dict[str, str]:
        """The same as parts of an address."""
        kind, category = self.wanted.kind, self.wanted.category
        facts = {
            "kind": kind.value if kind else "",
            "category": str(category or ""),
            "area": self.wanted.area,
            "q": self.wanted.search,
        }
        return {name: fact for name, fact in facts.items() if fact}

    def of_kind(self, kind: str) -> dict[str, str]:
        """The same of another kind; "" for both."""
        facts = self.facts | {"kind": kind}
        return {name: fact for name, fact in facts.items() if fact}


async def index(request: Request) -> Response:
    """What is offered and asked for, by kind, category, area or some letters."""
    at, asked = here(request), _asked(request)
    after = _place(request.query_params.get("after"))
    async with read(request) as conn:
        found = await listings.page(
            conn,
            at.community.id,
            asked.wanted,
            by=at.me.id,
            today=today(request),
            after=after,
            limit=MOST_ON_PAPER if wanted(request) else PAGE + 1,
        )
        categories = await communities.categories_of(conn, at.community.id)
        areas = await listings.areas(conn, at.community.id, today=today(request))
    if format := wanted(request):
        await _note_download(request)
        return download(_table(found), format)
    more = ""
    if len(found) > PAGE:
        last = found[PAGE - 1]
        more = f"{microseconds(last.written_at)}-{last.id.hex}"
    return page(
        request,
        "listings/index.html",
        listings=found[:PAGE],
        asked=asked,
        filtered=bool(asked.facts),
        more=asked.facts | {"after": more} if more else {},
        categories=[(str(one.id), one.name) for one in categories],
        areas=areas,
        form=asked.form,
    )


async def board(request: Request) -> Response:
    """The same for a notice-board: big letters, by category, with a number or a name to ask for."""
    at, asked = here(request), _asked(request)
    async with read(request) as conn:
        found = await listings.page(
            conn,
            at.community.id,
            asked.wanted,
            by=at.me.id,
            today=today(request),
            limit=MOST_ON_PAPER,
        )
        reach = await contacts.open_to_members(
            conn, at.community.id, {one.member.id for one in found}
        )
        order = await communities.categories_of(conn, at.community.id)
        asked_at = await members.active_with_role(
            conn, at.community.id, (Role.COORDINATOR, Role.STEWARD)
        )
        reach |= await contacts.open_to_members(conn, at.community.id, [one.id for one in asked_at])
    return page(
        request,
        "listings/board.html",
        coordinators=asked_at,
        parts=_parts(found, [one.name for one in order]),
        reach=reach,
        asked=asked,
        today=today(request),
        empty=Contact("", ""),
    )


async def new(request: Request) -> Response:
    """A sheet to write an offer or a request on."""
    kind = request.query_params.get("kind")
    form = Form.of({"which": kind} if kind in list(ListingKind) else {})
    return await _form_page(request, form, None)


async def create(request: Request) -> Response:
    """Put it on the board, once: the sheet brought the id it will have."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = form.id("id", required=False) or now(request).new_id()
    kind = form.choice("which", ListingKind)
    member = await _whose(request, form)
    listing = _read(form, kind)

    async def put(conn: AsyncConnection) -> UUID:
        assert listing is not None, "the form was read without a mistake"
        return await listing_steps.write(
            conn, at.community.id, member, listing, by=at.me.id, now=now(request), id=id
        )

    if await attempt(request, form, put) is None:
        return await _form_page(request, form, None, status=422)
    said = _("It is on the board now. We tell you when somebody answers.")
    return see_other(request, "listings:show", id=id, said=said)


async def show(request: Request) -> Response:
    """One offer or request, who answered, and what I can do about it."""
    return await _listing_page(request, Form.blank())


async def edit(request: Request) -> Response:
    """Say it otherwise."""
    listing = await _editable(request)
    kept = {
        "which": listing.kind.value,
        "title": listing.title,
        "words": listing.words,
        "category": str(listing.category_id or ""),
        "area": listing.area,
        "until": listing.until.isoformat(),
    }
    return await _form_page(request, Form.of(kept), listing)


async def update(request: Request) -> Response:
    """Keep what was changed."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    old = await _editable(request)
    listing = _read(form, old.kind)

    async def change(conn: AsyncConnection) -> None:
        assert listing is not None, "the form was read without a mistake"
        await listing_steps.change(
            conn, at.community.id, old.id, listing, by=at.me.id, now=now(request)
        )

    await attempt(request, form, change)
    if form.ok:
        return see_other(request, "listings:show", id=old.id, said=_("Changed. Thank you!"))
    return await _form_page(request, form, old, status=422)


async def renew(request: Request) -> Response:
    """Keep it on the board for three more months."""
    at = here(request)
    form = Form(await request.form())
    await attempt(
        request,
        form,
        lambda conn: listing_steps.renew(
            conn, at.community.id, _id(request), by=at.me.id, now=now(request)
        ),
    )
    return await _after(request, form, gettext(request)("It stays for three more months."))


async def close(request: Request) -> Response:
    """Take it off the board: somebody was found, or it is not wanted any more."""
    at = here(request)
    form = Form(await request.form())
    await attempt(
        request,
        form,
        lambda conn: listing_steps.close(
            conn, at.community.id, _id(request), by=at.me.id, now=now(request)
        ),
    )
    return await _after(request, form, gettext(request)("It is off the board. Thank you!"))


async def answer(request: Request) -> Response:
    """Say "I can help", or "I would like that"."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    words = form.text("words", limit=listing_steps.LONGEST_ANSWER, lines=True)
    share = form.flag("share")
    member = await _whose(request, form)
    await attempt(
        request,
        form,
        lambda conn: listing_steps.answer(
            conn,
            at.community.id,
            _id(request),
            words,
            member=member,
            share_contact=share,
            by=at.me.id,
            now=now(request),
        ),
    )
    return await _after(request, form, _("Thank you. We tell them what you said."))


async def take_back(request: Request) -> Response:
    """I answered, and think otherwise now."""
    at = here(request)
    form = Form(await request.form())
    member = form.id("member", required=False) or at.me.id
    await attempt(
        request,
        form,
        lambda conn: listing_steps.take_back(
            conn, at.community.id, _id(request), member, by=at.me.id, now=now(request)
        ),
    )
    return await _after(request, form, gettext(request)("Your answer is taken back."))


def _asked(request: Request) -> Asked:
    form = Form(request.query_params)
    return Asked(
        form,
        Wanted(
            kind=form.choice("kind", ListingKind, required=False),
            category=form.id("category", required=False),
            area=form.text("area", required=False, limit=100),
            search=form.text("q", required=False, limit=100),
        ),
    )


def _place(after: str | None) -> tuple[datetime, UUID] | None:
    """A place in the list, as its page wrote it; else `NotFound`."""
    if not after:
        return None
    moment, _, hexed = after.partition("-")
    try:
        if not (moment.isascii() and moment.isdigit() and len(moment) <= 17 and len(hexed) == 32):
            raise ValueError(after)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment)), UUID(hexed)
    except (ValueError, OverflowError):
        raise NotFound("page") from None


def _parts(
    found: list[Listing], order: list[str]
) -> list[tuple[ListingKind, list[tuple[str, list[Listing]]]]]:
    """Requests, then offers, each by category in the community's order."""

    def category(one: Listing) -> str:
        return one.category or ""

    places = {name: place for place, name in enumerate(order)}
    parts = []
    for kind in (ListingKind.REQUEST, ListingKind.OFFER):
        theirs = sorted(
            (one for one in found if one.kind is kind),
            key=lambda one: (places.get(category(one), len(order)), category(one)),
        )
        groups = [(name, list(some)) for name, some in groupby(theirs, category)]
        if groups:
            parts.append((kind, groups))
    return parts


def _table(found: list[Listing]) -> Table:
    rows = [
        (
            one.kind.value,
            one.title,
            one.words,
            one.category or "",
            one.area,
            one.member.name,
            one.written_at,
            one.until,
        )
        for one in found
    ]
    return Table("listings", _HEADINGS, rows)


async def _note_download(request: Request) -> None:
    at = here(request)
    async with write(request) as conn:
        await looks.keep(
            conn, at.community.id, Look.LIST, by=at.me.id, of="listings", now=now(request)
        )


async def _listing_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, place = here(request), here(request).community.id
    async with read(request) as conn:
        listing, actor = await _seen(request, conn)
        writes = policy.may_list_for(actor.member, listing.member.id, actor.acts_for)
        reads = policy.may_read_answers(actor.member, listing.member.id, actor.acts_for)
        found = await listings.answers_to(conn, place, listing.id)
        sight = await contacts.sight(conn, place, listing.member.id, by=at.me.id)
        for_others = await buddies.records_for(conn, place, at.me.id)
        guardians = buddies.agreed_by_guardians(await buddies.of(conn, place, at.me.id))
        mine = await members.profile(conn, place, at.me.id)
        people = []
        if policy.may_coordinate(at.me):
            people = await directory.choices(conn, place)
    answered = {one.member.id for one in found}
    answering = [(at.me.id, at.me.name), *((one.id, one.name) for one in for_others)]
    return page(
        request,
        "listings/show.html",
        status=status,
        listing=listing,
        mine=listing.member.id == at.me.id,
        writes=writes,
        reads=reads,
        concerned=listing.member.id in actor.accounts,
        answers=found if reads else [one for one in found if one.member.id in actor.accounts],
        is_open=listing.is_open(today(request)),
        ends_soon=listing.ends_soon(today(request)),
        sight=sight,
        may_answer=policy.may_act(at.me)
        and listing.is_open(today(request))
        and listing.member.id != at.me.id
        and at.me.id not in answered,
        for_others=[one for one in answering if one[0] != listing.member.id],
        people=people,
        coordinates=policy.may_coordinate(at.me),
        may_share=guardians and bool(mine.phone or mine.email),
        shares_anyway=mine.contact_shown,
        speaks_for=actor.accounts,
        form=form,
    )


async def _seen(request: Request, conn: AsyncConnection) -> tuple[Listing, Actor]:
    at = here(request)
    actor = await acting.one(conn, at.community.id, at.me.id)
    listing = await listings.seen(conn, at.community.id, _id(request), actor, today=today(request))
    return listing, actor


async def _editable(request: Request) -> Listing:
    async with read(request) as conn:
        listing, actor = await _seen(request, conn)
    if not policy.may_list_for(actor.member, listing.member.id, actor.acts_for):
        raise Forbidden("listing")
    return listing


async def _form_page(
    request: Request, form: Form, listing: Listing | None, *, status: int = 200
) -> Response:
    at, place = here(request), here(request).community.id
    async with read(request) as conn:
        categories = await communities.categories_of(conn, place)
        for_others = await buddies.records_for(conn, place, at.me.id)
        coordinates = policy.may_coordinate(at.me)
        people = await directory.choices(conn, place) if coordinates and listing is None else []
        whose = await _asked_for(request, conn)
    known = [(str(one.id), one.name) for one in categories]
    if listing is not None and listing.category_id is not None:
        kept = (str(listing.category_id), listing.category or "")
        known = known if kept in known else [*known, kept]  # one that was retired may stay
    return page(
        request,
        "listings/edit.html",
        status=status,
        form=form,
        listing=listing,
        id=form.raw("id") or now(request).new_id(),
        categories=known,
        for_others=[(str(at.me.id), at.me.name), *((str(one.id), one.name) for one in for_others)],
        people=people,
        coordinates=coordinates,
        whose=whose,
        area=whose.area if whose else at.me.area,
        lasts=today(request) + listings.LASTS,
    )


async def _asked_for(request: Request, conn: AsyncConnection) -> Member | None:
    """For whom a sheet was asked for (`for`), if anybody else."""
    id = read_id(request.query_params.get("for", ""))
    if id is None:
        return None
    return await members.get(conn, here(request).community.id, id)


async def _whose(request: Request, form: Form) -> UUID:
    """In whose name it is: one of those I act for, or whose name a coordinator typed."""
    at, _ = here(request), gettext(request)
    name = form.text("whose", required=False, limit=100)
    if not name:
        return form.id("member", required=False) or at.me.id
    async with read(request) as conn:
        found = await directory.resolve(conn, at.community.id, name)
    if len(found) != 1:
        form.mistake("whose", _("Choose one name from the list."))
        return at.me.id
    return found[0].account_id


def _read(form: Form, kind: ListingKind | None) -> NewListing | None:
    title = form.text("title", limit=listing_steps.LONGEST_TITLE)
    words = form.text("words", required=False, limit=listing_steps.LONGEST_WORDS, lines=True)
    category = form.id("category", required=False)
    area = form.text("area", required=False, limit=100)
    until = form.day("until", required=False)
    if kind is None or not form.ok:
        return None
    return NewListing(kind, title, words, category, area, until)


async def _after(request: Request, form: Form, said: str) -> Response:
    if not form.ok:
        return await _listing_page(request, form, status=422)
    if form.raw("back") == "mine":
        return see_other(request, "members:listings", id=here(request).me.id, said=said)
    return see_other(request, "listings:show", id=_id(request), said=said)


def _id(request: Request) -> UUID:
    return path_id(request.path_params["id"])
