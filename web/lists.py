"""Lists of our own: what help is about, sectors, kinds of check, steps of welcoming."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import own_lists
from timebank.errors import NotFound
from timebank.own_lists import Which
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, now, page, path_id, read, see_other
from web.stories import Gettext


async def index(request: Request) -> Response:
    """Which lists there are, and what stands on them."""
    at, _ = here(request), gettext(request)
    async with read(request) as conn:
        found = [(which, await own_lists.items(conn, at.community.id, which)) for which in Which]
    return page(
        request,
        "lists/index.html",
        lists=[(which, [one.name for one in some if not one.retired]) for which, some in found],
        heading=lambda which: heading(which, _),
        about=lambda which: about(which, _),
    )


async def show(request: Request) -> Response:
    """One list: add, rename, move, retire and bring back."""
    return await _list_page(request, Form.blank())


async def add(request: Request) -> Response:
    """Put something on the list."""
    form = Form(await request.form())
    name = form.text("name", limit=100)

    async def put(conn: AsyncConnection, community: UUID, by: UUID) -> None:
        await own_lists.add(conn, community, _which(request), name, by=by, now=now(request))

    return await _change(request, form, put, gettext(request)("It is on the list."))


async def rename(request: Request) -> Response:
    """Call it something else, wherever it was used."""
    form = Form(await request.form())
    name = form.text("name", limit=100)

    async def call(conn: AsyncConnection, community: UUID, by: UUID) -> None:
        await own_lists.rename(
            conn, community, _which(request), _id(request), name, by=by, now=now(request)
        )

    return await _change(request, form, call, gettext(request)("Renamed."), opened=True)


async def move(request: Request) -> Response:
    """Move it one place."""
    form = Form(await request.form())
    up = form.flag("up")

    async def shift(conn: AsyncConnection, community: UUID, by: UUID) -> None:
        await own_lists.move(
            conn, community, _which(request), _id(request), up=up, by=by, now=now(request)
        )

    return await _change(request, form, shift, gettext(request)("Moved."))


async def retire(request: Request) -> Response:
    """Offer it no more."""
    form = Form(await request.form())

    async def rest(conn: AsyncConnection, community: UUID, by: UUID) -> None:
        await own_lists.retire(
            conn, community, _which(request), _id(request), by=by, now=now(request)
        )

    said = gettext(request)("It is not offered any more. Where it was used, it stays.")
    return await _change(request, form, rest, said)


async def restore(request: Request) -> Response:
    """Offer it again."""
    form = Form(await request.form())

    async def back(conn: AsyncConnection, community: UUID, by: UUID) -> None:
        await own_lists.restore(
            conn, community, _which(request), _id(request), by=by, now=now(request)
        )

    return await _change(request, form, back, gettext(request)("It is offered again."))


def heading(which: Which, _: Gettext) -> str:
    """What a list is called."""
    return {
        Which.CATEGORIES: _("What help is about"),
        Which.SECTORS: _("Sectors"),
        Which.CHECKS: _("What we check"),
        Which.WELCOME: _("Welcoming somebody"),
    }[which]


def about(which: Which, _: Gettext) -> str:
    """What a list is for."""
    return {
        Which.CATEGORIES: _("Entries, offers and requests name one of these."),
        Which.SECTORS: _("Each organisation belongs to one of these."),
        Which.CHECKS: _("What coordinators note about members: how it stands and when, no papers."),
        Which.WELCOME: _("What is ticked off with everyone who is new from now on."),
    }[which]


Change = Callable[[AsyncConnection, UUID, UUID], Awaitable[None]]


async def _change(
    request: Request, form: Form, change: Change, said: str, *, opened: bool = False
) -> Response:
    at = here(request)
    await attempt(request, form, lambda conn: change(conn, at.community.id, at.me.id))
    if form.ok:
        return see_other(request, "lists:show", list=_which(request), said=said)
    return await _list_page(request, form, status=422, opened=_id(request) if opened else None)


async def _list_page(
    request: Request, form: Form, *, status: int = 200, opened: UUID | None = None
) -> Response:
    at, _, which = here(request), gettext(request), _which(request)
    async with read(request) as conn:
        found = await own_lists.items(conn, at.community.id, which)
    return page(
        request,
        "lists/show.html",
        status=status,
        which=which,
        heading=heading(which, _),
        about=about(which, _),
        items=[one for one in found if not one.retired],
        retired=[one for one in found if one.retired],
        form=form,
        opened=opened,
        empty=Form.blank(),
    )


def _which(request: Request) -> Which:
    name = request.path_params["list"]
    if name not in list(Which):
        raise NotFound("list")
    return Which(name)


def _id(request: Request) -> UUID:
    return path_id(request.path_params["id"])
