"""Roles at a gathering: offer to carry one, give it back, ask somebody, say yes or no."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import duties
from web.forms import Form
from web.gatherings import take
from web.name_field import the_one
from web.pages import gettext, here, now


async def offer(request: Request) -> Response:
    """I will."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    key = form.text("duty", limit=100)
    member = form.id("for", required=False)

    async def step(conn: AsyncConnection, id: UUID) -> None:
        await duties.offer(
            conn, at.community.id, id, key, member=member, by=at.me.id, now=now(request)
        )

    return await take(request, form, step, _("Thank you! It is good to know that you do it."))


async def release(request: Request) -> Response:
    """I cannot after all; or an organiser takes it back."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    key, seat = form.text("duty", limit=100), form.id("seat")

    async def step(conn: AsyncConnection, id: UUID) -> None:
        assert seat is not None, "the form is in order"
        await duties.release(conn, at.community.id, id, key, seat, by=at.me.id, now=now(request))

    return await take(request, form, step, _("Noted. Somebody else can do it now."))


async def ask(request: Request) -> Response:
    """Would you?"""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    key = form.text("duty", limit=100)
    words = form.text("words", required=False, limit=1000, lines=True)
    who = await the_one(request, form, "who")

    async def step(conn: AsyncConnection, id: UUID) -> None:
        assert who is not None, "the form is in order"
        await duties.ask(
            conn, at.community.id, id, key, who.account_id, words, by=at.me.id, now=now(request)
        )

    said = _("%(name)s is asked.") % {"name": who.label if who else ""}
    return await take(request, form, step, said)


async def reply(request: Request) -> Response:
    """Yes, I will; or no, not this time."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    key, seat = form.text("duty", limit=100), form.id("seat")
    agrees = form.raw("agrees") == "yes"

    async def step(conn: AsyncConnection, id: UUID) -> None:
        assert seat is not None, "the form is in order"
        await duties.reply(
            conn, at.community.id, id, key, seat, agrees=agrees, by=at.me.id, now=now(request)
        )

    said = _("Thank you! It is good to know.") if agrees else _("Noted. Thank you for saying so.")
    return await take(request, form, step, said)


async def take_up(request: Request) -> Response:
    """Yes please: who offered to lead it organises it, too."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    key, seat = form.text("duty", limit=100), form.id("seat")

    async def step(conn: AsyncConnection, id: UUID) -> None:
        assert seat is not None, "the form is in order"
        await duties.take_up(conn, at.community.id, id, key, seat, by=at.me.id, now=now(request))

    return await take(request, form, step, _("You organise it together now."))
