"""Sheets: type in what stands on paper, see what it would become, and post it as one batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.errors import KeyReused
from timebank import batches, communities, directory, sheets
from timebank.entry import Kind, Side
from timebank.errors import NotConfirmed, OwnGain
from timebank.i18n import format_day, format_minutes
from timebank.sheets import MOST_ROWS, Below, Checked, LongAgo, Posted, Remark, Stopped
from web import sheet_form
from web.forms import Form
from web.messages import sentence
from web.pages import (
    database,
    gettext,
    here,
    language,
    ngettext,
    now,
    page,
    read,
    see_other,
)
from web.sheet_form import Reading, Shape, Sheet
from web.stories import kind_label

_KINDS = tuple(kind for kind in Kind if not kind.is_gift)


async def new(request: Request) -> Response:
    """An empty sheet: one row an entry, or one row a person."""
    asked = request.query_params.get("shape")
    shape = Shape(asked) if asked in list(Shape) else Shape.ENTRIES
    async with read(request) as conn:
        return await _sheet_page(request, conn, Sheet(now(request).new_id(), shape), Form.blank())


async def names(request: Request) -> Response:
    """Everybody who can be named on a sheet, for a script that completes them."""
    at = here(request)
    async with read(request) as conn:
        people = await directory.choices(conn, at.community.id, limit=None)
    commons = sheet_form.commons(at.community, gettext(request))
    return JSONResponse({"names": [one.label for one in (*people, commons)]})


async def create(request: Request) -> Response:
    """Check the sheet as a whole; asked again with what was found, post it."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    sheet = sheet_form.from_form(form, form.id("id", required=False) or now(request).new_id())
    act = form.raw("act")
    async with read(request) as conn:
        if act in ("more", "change"):
            sheet = sheet.longer() if act == "more" else sheet
            return await _sheet_page(request, conn, sheet, form)
        today = now(request).day_in(at.community.timezone)
        reading = await sheet_form.read(conn, at.community, sheet, form, today, _)
        checked: list[Checked] = []
        if form.ok:
            checked = await sheets.check(
                conn, at.community.id, reading.lines, by=at.me.id, now=now(request), batch=sheet.id
            )
            sheet_form.refused(sheet, form, checked, _)
        if not form.ok:
            return await _sheet_page(request, conn, sheet, form, reading, status=422)
        # A second click finds the batch there, and its own hours on the statements.
        sent_before = await batches.known(conn, at.community.id, sheet.id)
    if act == "post" and (sent_before or form.raw("seen") == _digest(checked)):
        return await _post(request, sheet, form, reading)
    return await _check_page(request, sheet, form, reading, checked)


async def _post(request: Request, sheet: Sheet, form: Form, reading: Reading) -> Response:
    at, _ = here(request), gettext(request)
    label = form.raw("note").strip()[:200] if sheet.shape is Shape.PEOPLE else ""
    try:
        posted: Posted | Stopped | KeyReused = await sheets.post(
            database(request),
            at.community.id,
            reading.lines,
            batch=sheet.id,
            label=label,
            by=at.me.id,
            now=now(request),
        )
    except KeyReused as error:
        posted = error
    if isinstance(posted, Posted):
        return see_other(request, "batches:show", id=sheet.id, said=_said(request, posted))
    if isinstance(posted, Stopped):
        sheet_form.refuse(sheet, form, posted.row, posted.error, _)
    else:
        form.mistake("", sentence(posted, _))
    async with read(request) as conn:
        return await _sheet_page(request, conn, sheet, form, reading, status=422)


def _said(request: Request, posted: Posted) -> str:
    """What became of the rows, in a sentence or two."""
    translate, count = ngettext(request), posted.counted
    waiting = len(posted.verdicts) - count
    said = []
    if count:
        said.append(
            translate(
                "%(n)d entry is on the statements.", "%(n)d entries are on the statements.", count
            )
            % {"n": count}
        )
    if waiting:
        said.append(
            translate("%(n)d entry waits.", "%(n)d entries wait.", waiting) % {"n": waiting}
        )
    return " ".join(said)


async def _sheet_page(
    request: Request,
    conn: AsyncConnection,
    sheet: Sheet,
    form: Form,
    reading: Reading | None = None,
    *,
    status: int = 200,
) -> Response:
    at, _ = here(request), gettext(request)
    today = now(request).day_in(at.community.timezone)
    categories = await communities.categories_of(conn, at.community.id)
    people = await directory.choices(conn, at.community.id)
    return page(
        request,
        "sheets/new.html",
        status=status,
        sheet=sheet,
        form=form,
        choices=reading.choices if reading else {},
        people=[*people, sheet_form.commons(at.community, _)],
        categories=categories,
        kinds=[(kind, kind_label(kind, _).capitalize()) for kind in _KINDS],
        sides=[(Side.GAVE, _("gave")), (Side.RECEIVED, _("received"))],
        headings=sheet_form.headings(_),
        first_day=f"{today.day}/{today.month}",
        today=today,
        most_rows=MOST_ROWS,
        commons_label=sheet_form.commons(at.community, _).label,
    )


async def _check_page(
    request: Request, sheet: Sheet, form: Form, reading: Reading, checked: Sequence[Checked]
) -> Response:
    _ = gettext(request)
    counts = [one for one in checked if one.counts]
    waits = [one for one in checked if not one.counts]
    categories = {}
    if any(line.category_id for line in reading.lines):
        async with read(request) as conn:
            known = await communities.categories_of(conn, here(request).community.id)
        categories = {one.id: one.name for one in known}
    return page(
        request,
        "sheets/check.html",
        sheet=sheet,
        sent=[(name, form.raw(name)) for name in _sent(sheet, form)],
        seen=_digest(checked),
        outdated=form.raw("act") == "post",
        counts=counts,
        waits=waits,
        total_counts=sheets.total(counts),
        total_waits=sheets.total(waits),
        first=[one for one in checked if not one.counts or one.remarks],
        plain=[one for one in checked if one.counts and not one.remarks],
        called=reading.called,
        categories=categories,
        notes={one.line.row: _notes(request, one) for one in checked},
    )


def _sent(sheet: Sheet, form: Form) -> list[str]:
    """The fields that make the sheet, to be sent once more."""
    head = ["id", "shape", "kind"]
    if sheet.shape is Shape.PEOPLE:
        head += ["day", "note", "category", "other", "other-is", "minutes"]
    cells = [f"{cell}-{number}" for number in range(sheet.rows) for cell in sheet.cells]
    chosen = [f"{field}-is" for field in cells]
    return [field for field in (*head, *cells, *chosen) if form.raw(field)]


def _notes(request: Request, checked: Checked) -> list[str]:
    """What is to be said about a row before it is posted."""
    _ = gettext(request)
    notes = []
    if isinstance(checked.waits, OwnGain):
        notes.append(_("You gain from it, so another coordinator has to approve it."))
    elif isinstance(checked.waits, NotConfirmed):
        notes.append(_("The other side confirms it first, as our agreement asks."))
    elif checked.waits is not None:
        notes.append(sentence(checked.waits, _))
    return notes + [_remark(request, remark) for remark in checked.remarks]


def _remark(request: Request, remark: Remark) -> str:
    _ = gettext(request)
    if isinstance(remark, Below):
        said = _("%(name)s would stand at %(balance)s. That may be worth a call.")
        return said % {"name": remark.name, "balance": format_minutes(remark.after)}
    if isinstance(remark, LongAgo):
        said = _("%(day)s is long ago. Is it the right year?")
        return said % {"day": format_day(remark.day, language(request))}
    if remark.row is not None:
        return _("The same stands on row %(row)s.") % {"row": remark.row}
    return _("The same is written down already.")


def _digest(checked: Sequence[Checked]) -> str:
    """Stands for what the check page showed, so that nobody posts anything they have not seen."""
    shown = [(one.line, one.minutes, type(one.waits).__name__, one.remarks) for one in checked]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:32]
