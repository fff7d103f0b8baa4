"""What one does at a gathering: say whether one comes, offer a role, ask somebody, answer."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import duties, inviting, seats
from timebank.gatherings import Answer
from timebank.seats import AS_EVER, LONGEST_WORDS, Whence
from web.forms import Form
from web.gatherings import take
from web.name_field import the_one
from web.pages import gettext, here, now


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


async def nobody_from(request: Request) -> Response:
    """An account manager: nobody of us, this time."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    house = form.id("house")

    async def step(conn: AsyncConnection, id: UUID) -> None:
        assert house is not None, "the form is in order"
        await inviting.nobody_from(conn, at.community.id, id, house, by=at.me.id, now=now(request))

    return await take(request, form, step, _("Noted. Thank you for saying so."))
