"""Attendance: the list of a gathering on a phone, on paper, and at the door.

One form for everybody: without a script it is saved as a whole, and with one each tick is sent by
itself, as a form with one row, to the same address. Rows that were not sent are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from timebank import (
    attendance,
    attendance_closing,
    carrying,
    directory,
    doors,
    lately,
    rooms,
    settled,
    ticks,
    walk_ins,
)
from timebank.attendance import Roll, Row
from timebank.gatherings import Answer
from timebank.roles import role_name
from timebank.rooms import Room
from timebank.ticks import How, Outcome
from web import qr, tick_form
from web.attempt import attempt
from web.forms import Form, read_id
from web.pages import gettext, here, ngettext, now, page, path_id, read, see_other, settings
from web.stories import Gettext

MOST_FIELDS = 10_000
"""Fields of the longest list: three a row."""

_OVERLAP = timedelta(seconds=30)  # two phones' ticks may arrive in another order than they began


async def index(request: Request) -> Response:
    """Gatherings lately that I look after, and what each of them waits for."""
    at = here(request)
    async with read(request) as conn:
        found = await lately.of(conn, at.community.id, by=at.me.id, now=now(request))
    return page(request, "attendance/index.html", lately=found)


async def show(request: Request) -> Response:
    """The list: tick who came."""
    return await _list_page(request, Form.blank())


async def save(request: Request) -> Response:
    """Keep what changed: of all rows that were sent, or of the one that a script sends."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form(max_fields=MOST_FIELDS))
    async with read(request) as conn:
        roll = await _roll(request, conn)
    changes = tick_form.changes(roll, form, _how(request, roll.room))
    outcomes: Mapping[UUID, Outcome] = {}
    if changes and form.ok:

        async def tick(conn: AsyncConnection) -> Mapping[UUID, Outcome]:
            return await ticks.tick(
                conn, at.community.id, roll.room.id, changes, by=at.me.id, now=now(request)
            )

        outcomes = await attempt(request, form, tick) or {}
    if _asks_for_json(request):
        return await _heard(request, form, roll.room, outcomes)
    if Outcome.CLOSED in outcomes.values():
        form.mistake("", _("The list was closed meanwhile, so nothing of this was kept."))
    if not form.ok:
        return await _list_page(request, form, status=422)
    said = ngettext(request)("%(n)d change saved.", "%(n)d changes saved.", len(outcomes))
    return see_other(request, "attendance:show", id=roll.room.id, said=said % {"n": len(outcomes)})


async def add(request: Request) -> Response:
    """Somebody walked in: a member by name, or a guest."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    name = form.text("name", limit=100)
    seat_id = form.id("seat", required=False) or now(request).new_id()

    async def walk_in(conn: AsyncConnection) -> walk_ins.Added:
        return await walk_ins.add(
            conn, at.community.id, id, name, seat_id=seat_id, by=at.me.id, now=now(request)
        )

    added = await attempt(request, form, walk_in)
    if _asks_for_json(request):
        return _added(form, added)
    if added is None:
        return await _list_page(request, form, status=422)
    said = _("%(name)s is on the list.") % {"name": added.name}
    return see_other(request, "attendance:show", id=id, said=said)


async def recognise(request: Request) -> Response:
    """Say who a name is: a member, a guest we know as that, or nobody."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    seat_id = form.id("seat")
    async with read(request) as conn:
        who = await _meant(request, conn, form)

    async def settle(conn: AsyncConnection) -> bool:
        place, moment = at.community.id, now(request)
        assert seat_id is not None, "the form has no mistakes"
        if who == "nobody":
            await walk_ins.strike(conn, place, id, seat_id, by=at.me.id, now=moment)
        else:
            member = read_id(who)
            await walk_ins.recognise(conn, place, id, seat_id, member, by=at.me.id, now=moment)
        return True

    if await attempt(request, form, settle) is None:
        return await _list_page(request, form, status=422)
    return see_other(request, "attendance:show", id=id, said=_("Thank you. That is settled."))


async def _meant(request: Request, conn: AsyncConnection, form: Form) -> str:
    """`guest`, `nobody`, or the id of the member that was chosen or typed."""
    _ = gettext(request)
    typed = form.text("member", required=False, limit=100)
    if not typed:
        who = form.text("who", required=False)
        if who not in ("guest", "nobody") and read_id(who) is None:
            form.mistake("", _("Choose who it is, or write a member’s name."))
        return who
    choices = await directory.resolve(conn, here(request).community.id, typed)
    if len(choices) != 1:
        form.mistake("", _("No member, or several, can be meant by “%(name)s”.") % {"name": typed})
        return ""
    return str(choices[0].account_id)


async def roles(request: Request) -> Response:
    """Who did what, with real minutes."""
    return await _roles_page(request, Form.blank())


async def carry(request: Request) -> Response:
    """Keep who carried which role, before, during and after."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form(max_fields=MOST_FIELDS))
    async with read(request) as conn:
        roll = await _roll(request, conn)
    carried, dropped = tick_form.carried(roll, form)
    carried += tick_form.newly_carried(form)

    async def write_down(conn: AsyncConnection) -> bool:
        await carrying.write_down(
            conn,
            at.community.id,
            roll.room.id,
            carried,
            dropped=dropped,
            by=at.me.id,
            now=now(request),
        )
        return True

    if await attempt(request, form, write_down) is None:
        return await _roles_page(request, form, status=422)
    name = "attendance:roles" if form.raw("bearer") else "attendance:show"
    return see_other(request, name, id=roll.room.id, said=_("Written down."))


async def close(request: Request) -> Response:
    """Everybody is on it: close the list, and see how the hours will move."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])

    async def shut(conn: AsyncConnection) -> bool:
        await attendance_closing.close(conn, at.community.id, id, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, shut) is None:
        return await _list_page(request, form, status=422)
    return see_other(request, "settlement:show", id=id, said=_("The list is closed."))


async def reopen(request: Request) -> Response:
    """Open a closed list again, with a reason."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    why = form.text("words", required=False, limit=1000, lines=True)

    async def open_(conn: AsyncConnection) -> bool:
        await attendance_closing.reopen(
            conn, at.community.id, id, why, by=at.me.id, now=now(request)
        )
        return True

    if await attempt(request, form, open_) is None:
        return await _list_page(request, form, status=422)
    return see_other(request, "attendance:show", id=id, said=_("The list is open again."))


async def sheet(request: Request) -> Response:
    """The list on paper: the same people in the same order, with empty lines below."""
    async with read(request) as conn:
        roll = await _roll(request, conn)
    return page(
        request, "attendance/sheet.html", roll=roll, room=roll.room, role_name=_named(request)
    )


async def door(request: Request) -> Response:
    """The code to show, or to hang on the door."""
    async with read(request) as conn:
        room = (await _roll(request, conn)).room
        token = await doors.token_of(conn, room.community_id, room.id)
    _ = gettext(request)
    address = f"{settings(request).base_url}/here/{token}"
    return page(
        request,
        "attendance/door.html",
        room=room,
        address=address if token else "",
        picture=qr.picture(address, _("Code for “I’m here”")) if token else "",
        opens=room.starts_at - doors.OPENS,
        shuts=_clock(here(request).community.timezone)(room.ends_at + doors.OPENS),
    )


async def make_door(request: Request) -> Response:
    """Make the code, or another one in its place."""
    at = here(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])

    async def make(conn: AsyncConnection) -> str:
        return await doors.make(
            conn, at.community.id, id, anew=form.flag("anew"), by=at.me.id, now=now(request)
        )

    await attempt(request, form, make)
    return see_other(request, "attendance:door", id=id)


def _how(request: Request, room: Room) -> How:
    """From the list in the room, or typed in from paper afterwards."""
    over = now(request).at > room.ends_at
    return How.SHEET if over and not _asks_for_json(request) else How.LIST


# ── What a script hears ──────────────────────────────────────────────────────────────────────────


def _asks_for_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


async def _heard(
    request: Request, form: Form, room: Room, outcomes: Mapping[UUID, Outcome]
) -> Response:
    """What became of the ticks, and what stands for those about whom others sent some since."""
    form.speak(gettext(request))
    since = _since(request.query_params.get("since"))
    stands: Iterable[ticks.Stands] = ()
    async with read(request) as conn:
        people = await attendance.names(conn, room)
        if since is not None:
            stands = await ticks.arrived_since(conn, room.community_id, room.id, since - _OVERLAP)
    return JSONResponse(
        {
            "ticks": {str(id): outcome.value for id, outcome in outcomes.items()},
            "rows": {
                str(one.seat_id): None if one.present is None else one.present.count
                for one in stands
            },
            "people": people,
            "now": now(request).at.isoformat(),
            "mistakes": list(form.mistakes.values()),
        },
        status_code=200 if form.ok else 422,
    )


def _added(form: Form, added: walk_ins.Added | None) -> Response:
    if added is None:
        return JSONResponse({"mistakes": list(form.mistakes.values())}, status_code=422)
    return JSONResponse(
        {
            "seat": str(added.seat_id),
            "name": added.name,
            "unsure": bool(added.choices),
        }
    )


def _since(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of the list under a heading; those that are folded are looked for only now and then."""

    heading: str
    rows: tuple[Row, ...]
    folded: bool


async def _roll(request: Request, conn: AsyncConnection) -> Roll:
    at = here(request)
    _, room = await rooms.for_organiser(
        conn, at.community.id, path_id(request.path_params["id"]), at.me.id
    )
    return await attendance.roll(conn, room)


async def _list_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, _ = here(request), gettext(request)
    async with read(request) as conn:
        roll = await _roll(request, conn)
        people = await directory.choices(conn, at.community.id)
        meant = await directory.resolve_many(
            conn, at.community.id, [row.name for row in roll.to_confirm]
        )
        posted = settled.standing(await settled.of_gathering(conn, at.community.id, roll.room.id))
    return page(
        request,
        "attendance/show.html",
        status=status,
        roll=roll,
        room=roll.room,
        sections=_sections(roll, _),
        people=people,
        meant=meant,
        posted=posted,
        form=form,
        sheet_id=now(request).new_id(),
        seat_id=now(request).new_id(),
        begun=roll.room.has_begun(now(request)),
        over=now(request).at >= roll.room.ends_at,
        role_name=_named(request),
        clock=_clock(at.community.timezone),
    )


def _clock(timezone: str) -> Callable[[datetime], str]:
    """`18:05`, by the community's clocks: everybody on the list knows the day."""
    return lambda at: at.astimezone(ZoneInfo(timezone)).strftime("%H:%M")


def _sections(roll: Roll, _: Gettext) -> list[Section]:
    """Those expected first; those who may still come, and those who said no, are folded."""
    likely = [row for row in roll.rows if row.expected or row.came or row.to_confirm]
    no = [row for row in roll.rows if row not in likely and row.answer is Answer.NO]
    maybe = [row for row in roll.rows if row not in likely and row not in no]
    found = [
        Section("", tuple(likely), folded=False),
        Section(_("Asked, and may still come"), tuple(maybe), folded=bool(likely)),
        Section(_("Said they would not come"), tuple(no), folded=True),
    ]
    return [section for section in found if section.rows]


async def _roles_page(request: Request, form: Form, *, status: int = 200) -> Response:
    async with read(request) as conn:
        roll = await _roll(request, conn)
        more = await carrying.more_roles(conn, roll.room)
    named = _named(request)
    known = [(role.key, role.name) for role in roll.room.roles]
    offered = [*known, *((role.key, role.name) for role in more)]
    return page(
        request,
        "attendance/roles.html",
        status=status,
        roll=roll,
        room=roll.room,
        offered=[(key, named(key, name)) for key, name in offered],
        people=[(str(row.seat_id), row.name) for row in roll.rows],
        form=form,
        role_name=named,
    )


def _named(request: Request) -> Callable[[str, str], str]:
    """What roles are called in the reader's language."""
    _ = gettext(request)
    return lambda key, name: role_name(key, name, _)
