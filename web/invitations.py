"""Invitations: a link for somebody we know, to send, to copy or to print."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import invitations, lists, members, policy
from timebank.errors import Forbidden
from timebank.members import Member
from web import downloads
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, now, page, path_id, read, see_other, settings


async def index(request: Request) -> Response:
    """Invite somebody, and see who has been invited and has not come yet."""
    if format := downloads.wanted(request):
        at = here(request)
        async with read(request) as conn:
            listed = await lists.invited(conn, at.community.id, by=at.me.id, now=now(request))
            return await downloads.send(request, listed, format)
    form = Form.blank()
    asked = request.query_params.get("member")
    return await _invitations_page(request, form, await _existing(request, asked))


async def create(request: Request) -> Response:
    """Make the link, and mail it where an address is given; it is shown this once."""
    at = here(request)
    form = Form(await request.form())
    existing = await _existing(request, form.raw("member"))
    name = existing.name if existing else form.text("name", limit=100)
    email = form.text("email", required=False, limit=254)

    async def invite(conn: AsyncConnection) -> str:
        return await invitations.invite(
            conn,
            at.community.id,
            name=name,
            email=email,
            by=at.me.id,
            now=now(request),
            base_url=settings(request).base_url,
            member_id=existing.id if existing else None,
        )

    link = await attempt(request, form, invite)
    if link is None:
        return await _invitations_page(request, form, existing, status=422)
    return page(request, "invitations/made.html", name=name, email=email, link=link)


async def withdraw(request: Request) -> Response:
    """Take an invitation back: its link no longer works."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())

    async def take_back(conn: AsyncConnection) -> None:
        await invitations.withdraw(
            conn, at.community.id, request.path_params["id"], by=at.me.id, now=now(request)
        )

    await attempt(request, form, take_back)
    if not form.ok:
        return await _invitations_page(request, form, None, status=422)
    said = _("Withdrawn. The link no longer works.")
    return see_other(request, "invitations:index", said=said)


async def _existing(request: Request, asked: str | None) -> Member | None:
    """The member who shall get a sign-in; only coordinators give one."""
    if not asked:
        return None
    at = here(request)
    if not policy.may_coordinate(at.me):
        raise Forbidden("invite")
    async with read(request) as conn:
        return await members.get(conn, at.community.id, path_id(asked))


async def _invitations_page(
    request: Request, form: Form, existing: Member | None, *, status: int = 200
) -> Response:
    at = here(request)
    async with read(request) as conn:
        waiting = await invitations.waiting(conn, at.community.id, now=now(request))
    if not policy.may_coordinate(at.me):
        waiting = [one for one in waiting if one.invited_by == at.me.id]
    return page(
        request,
        "invitations/index.html",
        status=status,
        waiting=waiting,
        existing=existing,
        form=form,
    )
