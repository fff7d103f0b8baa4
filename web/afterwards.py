"""Afterwards: what is left of a gathering. Two questions, notes, what somebody took on, memory."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import (
    attendance,
    gathering_actions,
    gathering_notes,
    memory,
    policy,
    rooms,
    settled,
    stories,
)
from timebank.acting import Actor
from timebank.attendance import Row
from timebank.gathering_actions import Action
from timebank.gathering_notes import Note
from timebank.roles import role_name
from timebank.rooms import Room
from timebank.settling import Line
from timebank.stories import Story, Told
from web.attempt import attempt
from web.forms import Form
from web.memory_words import remembered
from web.pages import gettext, here, now, page, path_id, read, see_other, words


async def show(request: Request) -> Response:
    """What is left, as far as this reader shares in it."""
    return await _left_page(request, Form.blank())


async def tell(request: Request) -> Response:
    """Answer the two questions, say what may be done with it, or take all of it back."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    told = Told(
        form.text("useful", required=False, limit=stories.LONGEST, lines=True),
        form.text("might", required=False, limit=stories.LONGEST, lines=True),
        form.flag("in_memory"),
        form.flag("in_reports"),
        form.flag("named"),
    )
    if form.flag("take_back"):
        told = Told("", "")
    seat_id = form.id("teller", required=False)

    async def keep(conn: AsyncConnection) -> bool:
        await stories.tell(
            conn, at.community.id, id, told, seat_id=seat_id, by=at.me.id, now=now(request)
        )
        return True

    if await attempt(request, form, keep) is None:
        return await _left_page(request, form, status=422)
    said = _("Thank you. It is kept.") if told.useful or told.might else _("It is taken back.")
    return see_other(request, "afterwards:show", id=id, said=said)


async def note(request: Request) -> Response:
    """Write a note, change it, or (emptied) remove it."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    note_id = form.id("note", required=False) or now(request).new_id()
    kept = form.text("words", required=False, limit=gathering_notes.LONGEST, lines=True)

    async def write(conn: AsyncConnection) -> bool:
        await gathering_notes.write(
            conn, at.community.id, id, note_id, kept, by=at.me.id, now=now(request)
        )
        return True

    if await attempt(request, form, write) is None:
        return await _left_page(request, form, status=422)
    said = _("Written down.") if kept else _("The note is gone.")
    return see_other(request, "afterwards:show", id=id, said=said)


async def add_action(request: Request) -> Response:
    """Somebody takes something on."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    action_id = form.id("action", required=False) or now(request).new_id()
    what, who = form.text("what", limit=500), form.id("bearer", required=False)
    until = form.day("until", required=False)

    async def add(conn: AsyncConnection) -> bool:
        await gathering_actions.add(
            conn,
            at.community.id,
            id,
            action_id,
            what,
            member=who,
            until=until,
            by=at.me.id,
            now=now(request),
        )
        return True

    if await attempt(request, form, add) is None:
        return await _left_page(request, form, status=422)
    return see_other(request, "afterwards:show", id=id, said=_("Written down."))


async def change_action(request: Request) -> Response:
    """It is done, or not done after all; or it comes off the list."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    action = path_id(request.path_params["action"])
    act = form.raw("act")

    async def change(conn: AsyncConnection) -> bool:
        place, me, moment = at.community.id, at.me.id, now(request)
        if act == "remove":
            await gathering_actions.remove(conn, place, id, action, by=me, now=moment)
        else:
            await gathering_actions.tick_off(
                conn, place, id, action, done=act != "undo", by=me, now=moment
            )
        return True

    if await attempt(request, form, change) is None:
        return await _left_page(request, form, status=422)
    said = {"remove": _("It is off the list."), "undo": _("It is to be done again.")}
    return see_other(request, "afterwards:show", id=id, said=said.get(act, _("Done. Thank you!")))


@dataclass(frozen=True, slots=True)
class _Left:
    """Everything the page shows, as far as this reader shares in it."""

    room: Room
    actor: Actor
    was_there: bool
    shares: bool
    looks_after: bool
    lines: tuple[Line, ...]
    mine: Story | None
    said: list[Story]
    notes: list[Note]
    actions: list[Action]
    came: tuple[Row, ...]
    memory: memory.Memory | None
    coming: Room | None


async def _left_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, _ = here(request), gettext(request)
    async with read(request) as conn:
        left = await _left(request, conn, path_id(request.path_params["id"]))
    own = [line for line in left.lines if line.account_id == at.me.account_id]
    names = {role.key: role.name for role in left.room.roles}
    return page(
        request,
        "afterwards/show.html",
        status=status,
        left=left,
        room=left.room,
        own=own,
        role_names=names,
        memory=remembered(left.memory, words(request)),
        may_write_for=[
            (str(row.seat_id), row.name)
            for row in left.came
            if policy.may_tell_story(at.me, row.member_id, left.actor.acts_for)
            and row.member_id != at.me.id
        ],
        people=[(str(row.member_id), row.name) for row in left.came if row.member_id],
        new_id=now(request).new_id(),
        today=now(request).day_in(at.community.timezone),
        form=form,
        role_name=lambda key, name: role_name(key, name, _),
    )


async def _left(request: Request, conn: AsyncConnection, id: UUID) -> _Left:
    at = here(request)
    community = at.community.id
    actor, room = await rooms.for_member(conn, community, id, at.me.id)
    there = await attendance.was_there(conn, community, id, at.me.id)
    shares = await gathering_notes.may_read(conn, room, actor)
    looks_after = policy.may_keep_list(actor.member, room.organisers)
    standing = settled.standing(await settled.of_gathering(conn, community, id))
    lines = await settled.lines(conn, community, id, standing.number) if standing else ()
    coming = await rooms.next_after(conn, room, now(request))
    return _Left(
        room=room,
        actor=actor,
        was_there=there,
        shares=shares,
        looks_after=looks_after,
        lines=lines,
        mine=await stories.own(conn, community, id, at.me.id),
        said=await stories.of_gathering(conn, room, everything=looks_after),
        notes=await gathering_notes.of_gathering(conn, room) if shares else [],
        actions=await gathering_actions.of_gathering(conn, room) if shares else [],
        came=(await attendance.roll(conn, room)).came if shares else (),
        memory=await memory.of(conn, room),
        coming=coming if coming and await rooms.knows_of(conn, actor, coming) else None,
    )
