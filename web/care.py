"""Care: whom to look after, and what coordinators keep about one member besides their profile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import (
    agreements,
    buddies,
    caring,
    checks,
    contacts,
    directory,
    keeping_apart,
    looks,
    members,
    notes,
    own_lists,
    retention,
    stays,
    welcoming,
)
from timebank.checks import Standing
from timebank.looks import Look
from timebank.own_lists import Which
from timebank.stays import Answer
from web.attempt import attempt
from web.forms import Form
from web.pages import (
    gettext,
    here,
    ngettext,
    now,
    page,
    path_id,
    read,
    see_other,
    today,
    write,
)
from web.stories import Gettext

Change = Callable[[AsyncConnection, UUID, UUID], Awaitable[object]]


async def index(request: Request) -> Response:
    """Newcomers, checks to look at again, and whom to ask whether they stay."""
    return await _index_page(request, Form.blank())


async def welcome_many(request: Request) -> Response:
    """Everything on the list is done for those who are ticked."""
    at = here(request)
    form = Form(await request.form())
    ids = form.ids("newcomer")
    if not ids:
        form.mistake("newcomer", gettext(request)("Tick those for whom everything is done."))

    async def tick(conn: AsyncConnection) -> int:
        return await welcoming.tick_all(conn, at.community.id, ids, by=at.me.id, now=now(request))

    count = await attempt(request, form, tick)
    if count is None:
        return await _index_page(request, form, status=422)
    said = ngettext(request)("%(n)d newcomer is done.", "%(n)d newcomers are done.", count)
    return see_other(request, "care:index", said=said % {"n": count})


async def show(request: Request) -> Response:
    """What is kept about one member; that I looked stands in the audit."""
    return await _care_page(request, Form.blank())


async def note(request: Request) -> Response:
    """Note something for the other coordinators."""
    form = Form(await request.form())
    words = form.text("words", limit=notes.LONGEST, lines=True)

    async def write_down(conn: AsyncConnection, community: UUID, id: UUID) -> None:
        await notes.write(conn, community, id, words, by=here(request).me.id, now=now(request))

    return await _change(request, form, write_down, gettext(request)("Noted."), "words")


async def remove_note(request: Request) -> Response:
    """Take a note away for good."""
    form = Form(await request.form())
    row = path_id(request.path_params["row"])

    async def remove(conn: AsyncConnection, community: UUID, id: UUID) -> None:
        await notes.remove(conn, community, id, row, by=here(request).me.id, now=now(request))

    return await _change(request, form, remove, gettext(request)("The note is gone."))


async def check(request: Request) -> Response:
    """Write down how a check stands."""
    form = Form(await request.form())
    kind = form.id("check")
    standing = form.choice("standing", Standing)
    day = form.day("checked_on", required=False) or today(request)
    again = form.day("again_on", required=False)

    async def write_down(conn: AsyncConnection, community: UUID, id: UUID) -> None:
        assert kind is not None, "the form was read without a mistake"
        assert standing is not None, "the form was read without a mistake"
        await checks.note(
            conn,
            community,
            id,
            kind=kind,
            standing=standing,
            checked_on=day,
            again_on=again,
            by=here(request).me.id,
            now=now(request),
        )

    return await _change(request, form, write_down, gettext(request)("Noted."), "check")


async def welcome(request: Request) -> Response:
    """Tick off what is done with somebody new."""
    form = Form(await request.form())
    done = form.ids("step")

    async def tick(conn: AsyncConnection, community: UUID, id: UUID) -> None:
        await welcoming.tick(conn, community, id, done, by=here(request).me.id, now=now(request))

    said = gettext(request)("Noted.")
    if form.raw("back") == "profile":
        return await _change(request, form, tick, said, to="members:show")
    return await _change(request, form, tick, said)


async def keep_apart(request: Request) -> Response:
    """Keep this member and somebody else apart; neither is told."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    name = form.text("other", limit=100)
    reason = form.text("why", required=False, limit=1000, lines=True)
    async with read(request) as conn:
        found = await directory.resolve(conn, at.community.id, name) if name else []
    if name and len(found) != 1:
        form.mistake("other", _("Choose one name from the list."))

    async def begin(conn: AsyncConnection, community: UUID, id: UUID) -> None:
        await caring.carer(conn, community, id, at.me.id)
        await keeping_apart.begin(
            conn, community, id, found[0].account_id, words=reason, by=at.me.id, now=now(request)
        )

    return await _change(request, form, begin, _("Noted. Nobody tells them."), "other")


async def end_apart(request: Request) -> Response:
    """They need not be kept apart any more."""
    at = here(request)
    form = Form(await request.form())
    row = path_id(request.path_params["row"])

    async def end(conn: AsyncConnection, community: UUID, id: UUID) -> None:
        await caring.carer(conn, community, id, at.me.id)
        await keeping_apart.end(conn, community, row, by=at.me.id, now=now(request))

    return await _change(request, form, end, gettext(request)("They are no longer kept apart."))


async def stay(request: Request) -> Response:
    """What somebody said who was asked whether they stay; or that they were asked."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    answer = form.choice("answer", Answer, required=False)
    if answer is Answer.GOES and not form.flag("sure"):
        form.mistake("sure", _("Tick this box if they really want to be forgotten."))

    async def write_down(conn: AsyncConnection, community: UUID, id: UUID) -> None:
        if answer is None:
            await retention.note_asked(conn, community, id, by=at.me.id, now=now(request))
        else:
            await retention.note_answer(conn, community, id, answer, by=at.me.id, now=now(request))

    if answer is not Answer.GOES:
        return await _change(request, form, write_down, _("Noted."), "answer")
    id = _id(request)
    await attempt(
        request, form, lambda conn: write_down(conn, at.community.id, id), everywhere=True
    )
    if not form.ok:
        return await _care_page(request, form, status=422, opened="answer")
    return see_other(request, "care:index", said=_("They are forgotten; their hours stay."))


async def _change(
    request: Request,
    form: Form,
    change: Change,
    said: str,
    opened: str = "",
    *,
    to: str = "care:show",
) -> Response:
    at, id = here(request), _id(request)
    await attempt(request, form, lambda conn: change(conn, at.community.id, id))
    if form.ok:
        return see_other(request, to, id=id, said=said)
    return await _care_page(request, form, status=422, opened=opened)


async def _care_page(
    request: Request, form: Form, *, status: int = 200, opened: str = ""
) -> Response:
    at, _, id = here(request), gettext(request), _id(request)
    place = at.community.id
    async with write(request) as conn:
        member = await caring.carer(conn, place, id, at.me.id)
        await looks.keep(conn, place, Look.CARE, by=at.me.id, member=id, now=now(request))
        reach = await contacts.of(conn, place, id)
        found = await checks.of(conn, place, id)
        context = {
            "profile": await members.profile(conn, place, id),
            "notes": await notes.of(conn, place, id),
            "welcome_list": await welcoming.of(conn, place, id),
            "apart": await keeping_apart.of(conn, place, id, by=at.me.id),
            "stay": await stays.open_question(conn, place, id),
            "buddies": await buddies.of(conn, place, id),
            "kinds": [
                (one.id, one.name)
                for one in await own_lists.items(conn, place, Which.CHECKS)
                if not one.retired
            ],
            "people": await directory.choices(conn, place),
            "terms": (await agreements.current(conn, place)).terms,
        }
    return page(
        request,
        "care/show.html",
        status=status,
        member=member,
        reach=reach,
        checks=checks.latest(found),
        earlier=[one for one in found if one not in checks.latest(found)],
        standing=lambda one: standing_label(one, _),
        standings=[(one, standing_label(one, _)) for one in Standing],
        today=today(request),
        opened=opened,
        form=form,
        empty=Form.blank(),
        **context,
    )


async def _index_page(request: Request, form: Form, *, status: int = 200) -> Response:
    place = here(request).community.id
    async with read(request) as conn:
        terms = (await agreements.current(conn, place)).terms
        newcomers = await welcoming.newcomers(conn, place)
        due = (await conn.execute(checks.waits(place, terms=terms, now=now(request)))).all()
        to_ask = (
            await conn.execute(stays.waits_to_ask(place, terms=terms, now=now(request)))
        ).all()
        going = (
            await conn.execute(stays.waits_to_forget(place, terms=terms, now=now(request)))
        ).all()
        ids = {row.id for row in (*due, *to_ask, *going)}
        known = await members.get_many(conn, place, ids)
    return page(
        request,
        "care/index.html",
        status=status,
        newcomers=newcomers,
        due=[known[row.id] for row in due],
        to_ask=[known[row.id] for row in to_ask],
        going=[(known[row.id], row.since + stays.ANSWER_WITHIN) for row in going],
        form=form,
    )


def standing_label(standing: Standing, _: Gettext) -> str:
    """How a check stands, in the reader's words."""
    return {
        Standing.ASKED: _("asked for"),
        Standing.IN_ORDER: _("in order"),
        Standing.NOT_IN_ORDER: _("not in order"),
    }[standing]


def _id(request: Request) -> UUID:
    return path_id(request.path_params["id"])
