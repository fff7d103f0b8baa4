"""On paper: what comes in on it and what goes out on it, from the sign-in sheet to statements."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from timebank import directory, lists, noticeboard
from timebank.errors import NotFound
from timebank.i18n import format_day, format_month
from timebank.paper import handouts
from timebank.paper import statements as statements_of
from timebank.paper.handouts import Blank, PrintedMember
from timebank.paper.press import Order, Press, Stage, minute
from timebank.paper.statement import Month
from timebank.paper.statements import Who
from timebank.spreadsheet import Cell
from web import sheet_form
from web.forms import Form
from web.pages import (
    gettext,
    go_on,
    here,
    language,
    look,
    now,
    page,
    path_of,
    query,
    read,
    write,
)
from web.sheet_form import Shape
from web.stories import Gettext

MONTHS = 13
"""So many months can be chosen, from the latest one that is over backwards; and the present one."""

_SOON = 1.5  # seconds: a few statements are made while one waits for the page
_PDF = "application/pdf"


async def index(request: Request) -> Response:
    """Everything about paper on one page."""
    async with read(request) as conn:
        return await _index_page(request, conn, Form.blank())


async def _index_page(
    request: Request, conn: AsyncConnection, form: Form, *, status: int = 200
) -> Response:
    at = here(request)
    latest = Month.of(now(request).day_in(at.community.timezone))
    people = await directory.choices(conn, at.community.id)
    months = [latest.before]
    while len(months) < MONTHS:
        months.append(months[-1].before)
    spoken = language(request)
    return page(
        request,
        "paper/index.html",
        status=status,
        form=form,
        people=people,
        months=[(month, format_month(month.first, spoken)) for month in (*months, latest)],
        who=Who,
        many=await statements_of.how_many(conn, at.community.id),
    )


# ── Handouts ─────────────────────────────────────────────────────────────────────────────────────


async def sheet(request: Request) -> Response:
    """A blank sheet with the columns of the page on which it is typed in."""
    at, _ = here(request), gettext(request)
    asked = request.query_params.get("shape")
    shape = Shape(asked) if asked in list(Shape) else Shape.PEOPLE
    blank = _blank(shape, _)
    if _wants_pdf(request):
        draw = partial(
            handouts.blank, blank, at.community.name, language(request), at=now(request).at
        )
        return await _pdf(draw, f"sheet-{shape}")
    return page(request, "paper/sheet.html", blank=blank, shape=shape, rows=20)


def _blank(shape: Shape, _: Gettext) -> Blank:
    headings = sheet_form.headings(_)
    shares = {"day": 9, "giver": 18, "receiver": 18, "minutes": 10, "note": 26, "category": 16}
    if shape is Shape.ENTRIES:
        columns = [(headings[cell], float(shares[cell])) for cell in sheet_form.CELLS[shape]]
        note = _("Write times as 1:30 or 90 min. A coordinator types this sheet in.")
        return Blank(_("Hours given and received"), (), columns, note, landscape=True)
    widths = {"name": 50, "minutes": 22, "side": 28}
    columns = [(headings[cell], float(widths[cell])) for cell in sheet_form.CELLS[shape]]
    head = [
        _("What was it?"),
        _("Which day?"),
        _("How long was it?"),
        _("Whom was it for?"),
        _("What sort of thing was it?"),
    ]
    note = _("Leave “how long” empty if you were here all the time.")
    return Blank(_("Who was here"), head, columns, note)


async def members(request: Request) -> Response:
    """The member list, to read or as a PDF: telephones as far as one may see them."""
    at, spoken = here(request), language(request)
    async with look(request) as conn:
        listed = await lists.directory_of(conn, at.community.id, by=at.me.id, now=now(request))
        rows = [_printed(dict(zip(listed.headings, row, strict=True))) async for row in listed.rows]
    if not _wants_pdf(request):
        return page(request, "paper/members.html", rows=rows, today=_today(request))
    await _note_taken(request, "members", len(rows))
    draw = partial(
        handouts.member_list,
        rows,
        at.community.name,
        spoken,
        at=now(request).at,
        day=format_day(_today(request), spoken),
    )
    return await _pdf(draw, "members")


def _printed(row: Mapping[str, Cell]) -> PrintedMember:
    texts = (row[name] for name in ("name", "phone", "area", "offers", "requests"))
    return PrintedMember(*map(str, texts))


async def board(request: Request) -> Response:
    """The notice-board: open offers and requests in big letters, with telephones or without."""
    at = here(request)
    phones = request.query_params.get("phones") == "1"
    async with look(request) as conn:
        notices = await noticeboard.notices(conn, at.community.id, today=_today(request))
    if not _wants_pdf(request):
        return page(
            request, "paper/board.html", notices=notices, phones=phones, today=_today(request)
        )
    await _note_taken(request, "board", len(notices))
    draw = partial(
        handouts.board,
        notices,
        at.community.name,
        language(request),
        at=now(request).at,
        phones=phones,
    )
    return await _pdf(draw, "notice-board")


def _today(request: Request) -> date:
    return now(request).day_in(here(request).community.timezone)


def _wants_pdf(request: Request) -> bool:
    return request.query_params.get("as") == "pdf"


async def _pdf(draw: Callable[[], bytes], name: str) -> Response:
    """A document to open or keep, drawn beside the event loop."""
    return Response(
        await to_thread(draw),
        media_type=_PDF,
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )


async def _note_taken(request: Request, listed: str, rows: int) -> None:
    at = here(request)
    async with write(request) as conn:
        await lists.taken(conn, at.community.id, listed, "pdf", rows, by=at.me.id, now=now(request))


# ── Statements ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Asked:
    """What stands in the address of statements that were ordered."""

    month: str
    who: str
    member: str
    busy: str
    asked: str

    @classmethod
    def of(cls, order: Order) -> _Asked:
        return cls(
            str(order.month),
            order.who.value,
            str(order.member or ""),
            "1" if order.only_busy else "",
            str(order.asked),
        )

    @property
    def query(self) -> str:
        facts = {
            "month": self.month,
            "who": self.who,
            "member": self.member,
            "busy": self.busy,
            "asked": self.asked,
        }
        return query({name: fact for name, fact in facts.items() if fact})


async def make_statements(request: Request) -> Response:
    """Order the statements of a month; those of a few people are made at once."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    async with read(request) as conn:
        order = await _order(conn, request, form, _)
        if order is None:
            return await _index_page(request, conn, form, status=422)
    press = _press(request)
    await press.look(order, by=at.me.id, now=now(request))
    await press.wait(order, _SOON)
    return go_on(request, path_of(request, "paper:statements") + _Asked.of(order).query)


async def _order(conn: AsyncConnection, request: Request, form: Form, _: Gettext) -> Order | None:
    """What the form orders; None, with its mistakes noted, when that is not clear."""
    at = here(request)
    month = _month(form.raw("month"))
    who = form.choice("who", Who)
    member: UUID | None = None
    if month is None:
        form.mistake("month", _("Choose one of those offered here."))
    if who is Who.ONE:
        name = form.text("name", limit=200)
        found = await directory.resolve(conn, at.community.id, name) if name else []
        if len(found) == 1:
            member = found[0].account_id
        elif name:
            form.mistake(
                "name", _("Several are called that.") if found else _("Nobody here is called that.")
            )
    if not form.ok or month is None or who is None:
        return None
    busy = form.flag("busy") and who is not Who.ONE
    return Order(at.community.id, month, who, member, minute(now(request)), busy)


async def statements(request: Request) -> Response:
    """How far the statements are; the file, as soon as it is there."""
    at = here(request)
    order = _ordered(request)
    if order is None:
        return await index(request)
    progress = await _press(request).look(order, by=at.me.id, now=now(request))
    if request.query_params.get("as") == "json":
        return JSONResponse({"stage": progress.stage, "done": progress.done, "of": progress.of})
    asked = _Asked.of(order).query
    return page(
        request,
        "paper/statements.html",
        progress=progress,
        order=order,
        month=format_month(order.month.first, language(request)),
        again=path_of(request, "paper:statements") + asked,
        file=path_of(request, "paper:statements_file") + asked,
        stage=Stage,
        who=Who,
    )


async def statements_file(request: Request) -> Response:
    """The finished statements; who takes them along is noted."""
    at, order = here(request), _ordered(request)
    if order is None:
        raise NotFound
    progress = await _press(request).look(order, by=at.me.id, now=now(request))
    found = _press(request).file(order)
    if found is None:
        raise NotFound
    await _note_taken(request, "statements", progress.done)
    return FileResponse(
        found,
        media_type=_PDF,
        filename=f"statements-{order.month}.pdf",
        content_disposition_type="inline",
    )


def _ordered(request: Request) -> Order | None:
    """The order that an address names; None for one that we would not have written."""
    form = Form(request.query_params)
    month = _month(form.raw("month"))
    who = form.choice("who", Who)
    member = form.id("member", required=False)
    asked = form.number("asked", 0, 2**31)
    if not form.ok or month is None or who is None or asked is None:
        return None
    if (who is Who.ONE) is (member is None):
        return None
    return Order(here(request).community.id, month, who, member, asked, form.flag("busy"))


def _month(text: str) -> Month | None:
    try:
        return Month.parse(text)
    except ValueError:
        return None


def _press(request: Request) -> Press:
    press = request.app.state.press
    assert isinstance(press, Press)
    return press
