"""Organisations: who they are, whom to ask for, who belongs there, what they give and receive."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import (
    acting,
    affiliations,
    buddies,
    directory,
    keeping_apart,
    listings,
    looks,
    members,
    organisations,
    policy,
    sectors,
    statements,
)
from timebank.errors import Forbidden, NotFound
from timebank.looks import Look
from timebank.members import Member, Profile, Status
from timebank.spreadsheet import Table
from web.attempt import attempt
from web.downloads import download, wanted
from web.forms import Form
from web.members import status_label
from web.pages import (
    gettext,
    here,
    now,
    page,
    path_id,
    read,
    see_other,
    today,
    write,
)

_LONG = 1000


async def index(request: Request) -> Response:
    """All organisations, of one sector or one area."""
    at = here(request)
    form = Form(request.query_params)
    sector = form.id("sector", required=False)
    area = form.text("area", required=False, limit=100)
    search = form.text("q", required=False, limit=100)
    async with read(request) as conn:
        found = await organisations.page(
            conn, at.community.id, sector=sector, area=area, search=search
        )
        known = await sectors.of(conn, at.community.id)
        areas = await organisations.areas(conn, at.community.id)
    if format := wanted(request):
        async with write(request) as conn:
            await looks.keep(
                conn, at.community.id, Look.LIST, by=at.me.id, of="organisations", now=now(request)
            )
        rows = [
            (one.member.name, one.sector, one.member.area, one.contact, one.about) for one in found
        ]
        headings = ("name", "sector", "area", "contact", "about")
        return download(Table("organisations", headings, rows), format)
    return page(
        request,
        "organisations/index.html",
        organisations=found,
        sectors=[(str(one.id), one.name) for one in known],
        areas=areas,
        filtered=bool(sector or area or search),
        coordinates=policy.may_coordinate(at.me),
        form=form,
    )


async def new(request: Request) -> Response:
    """A new organisation."""
    return await _form_page(request, Form.blank(), None)


async def create(request: Request) -> Response:
    """Add it."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    name, sector, texts = _read(form)

    async def add(conn: AsyncConnection) -> Member:
        return await organisations.add(
            conn,
            at.community.id,
            name=name,
            sector=sector,
            area=texts["area"],
            about=texts["about"],
            contact=texts["contact"],
            by=at.me.id,
            now=now(request),
        )

    house = await attempt(request, form, add)
    if house is None:
        return await _form_page(request, form, None, status=422)
    said = _("%(name)s is a member now. Say next who keeps its account.") % {"name": name}
    return see_other(request, "members:buddies", id=house.id, said=said)


async def show(request: Request) -> Response:
    """One organisation."""
    return await _house_page(request, Form.blank())


async def edit(request: Request) -> Response:
    """Change what its page says: who keeps its account, or a coordinator."""
    profile = await _editable(request)
    kept = {
        "name": profile.member.name,
        "sector": str(profile.sector_id or ""),
        "area": profile.member.area,
        "about": profile.about,
        "contact": profile.contact,
    }
    return await _form_page(request, Form.of(kept), profile)


async def update(request: Request) -> Response:
    """Keep what was changed."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    profile = await _editable(request)
    name, sector, texts = _read(form)

    async def keep(conn: AsyncConnection) -> None:
        await organisations.edit(
            conn,
            at.community.id,
            profile.member.id,
            name=name,
            sector=sector,
            area=texts["area"],
            about=texts["about"],
            contact=texts["contact"],
            by=at.me.id,
            now=now(request),
        )

    await attempt(request, form, keep)
    if form.ok:
        return see_other(
            request, "organisations:show", id=profile.member.id, said=_("Changed. Thank you!")
        )
    return await _form_page(request, form, profile, status=422)


async def add_person(request: Request) -> Response:
    """Say who belongs here."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    name = form.text("person", limit=100)
    role = form.text("role", required=False, limit=100)
    since = form.day("since", required=False) or today(request)
    async with read(request) as conn:
        found = await directory.resolve(conn, at.community.id, name) if name else []
    if name and len(found) != 1:
        form.mistake("person", _("Choose one name from the list."))

    async def add(conn: AsyncConnection) -> UUID:
        return await affiliations.add(
            conn,
            at.community.id,
            found[0].account_id,
            organisation=id,
            role=role,
            since=since,
            by=at.me.id,
            now=now(request),
        )

    await attempt(request, form, add)
    if form.ok:
        said = _("%(name)s belongs here now.") % {"name": found[0].label}
        return see_other(request, "organisations:show", id=id, said=said)
    return await _house_page(request, form, status=422)


async def _house_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, _, id = here(request), gettext(request), path_id(request.path_params["id"])
    place, day = at.community.id, today(request)
    async with read(request) as conn:
        house = await organisations.get(conn, place, id)
        if not policy.may_see_profile(at.me, house):
            raise NotFound("organisation")
        profile = await members.profile(conn, place, id)
        actor = await acting.one(conn, place, at.me.id)
        keepers = await buddies.of(conn, place, id)
        people = await affiliations.people_of(conn, place, id, on=day)
        board = await listings.of_member(conn, place, id, today=day)
        apart = await keeping_apart.from_whom(conn, place, at.me.id)
        sees_statement = await statements.may_see(conn, place, id, by=at.me.id)
        keeps = id in actor.acts_for and policy.may_act(at.me)
        may_add = policy.may_confirm_affiliation(actor.member, id, actor.acts_for)
        choices = await directory.choices(conn, place) if may_add else []
    return page(
        request,
        "organisations/show.html",
        status=status,
        profile=profile,
        house=house,
        keepers=keepers,
        people=people,
        listings=[] if id in apart or house.status is not Status.ACTIVE else board,
        writes_listings=policy.may_list_for(actor.member, id, actor.acts_for),
        keeps=keeps,
        may_add=may_add and house.status is Status.ACTIVE,
        may_edit=policy.may_edit_member(at.me, house, actor.acts_for),
        may_end=policy.may_end_membership(at.me, house),
        sees_statement=sees_statement,
        choices=choices,
        today=day,
        status_label=partial(status_label, _=_),
        form=form,
    )


async def _form_page(
    request: Request, form: Form, profile: Profile | None, *, status: int = 200
) -> Response:
    at = here(request)
    async with read(request) as conn:
        known = [(str(one.id), one.name) for one in await sectors.of(conn, at.community.id)]
    if profile is not None and profile.sector_id is not None:
        kept = (str(profile.sector_id), profile.sector)
        known = known if kept in known else [*known, kept]  # one that was retired may stay
    return page(
        request,
        "organisations/edit.html",
        status=status,
        form=form,
        profile=profile,
        sectors=known,
    )


async def _editable(request: Request) -> Profile:
    at, id = here(request), path_id(request.path_params["id"])
    async with read(request) as conn:
        house = await organisations.get(conn, at.community.id, id)
        actor = await acting.one(conn, at.community.id, at.me.id)
        if not policy.may_edit_member(at.me, house, actor.acts_for):
            raise Forbidden("edit")
        return await members.profile(conn, at.community.id, id)


def _read(form: Form) -> tuple[str, UUID | None, dict[str, str]]:
    name = form.text("name", limit=100)
    sector = form.id("sector", required=False)
    texts = {
        "area": form.text("area", required=False, limit=100),
        "contact": form.text("contact", required=False, limit=200),
        "about": form.text("about", required=False, limit=_LONG, lines=True),
    }
    return name, sector, texts
