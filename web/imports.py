"""Bringing in a file: upload it, say which column is what, look at every row, and then all at once.

Reading, checking and bringing in go on after the request; the page says how far they are.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import os
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ledger import Minutes
from timebank import lists, policy
from timebank.errors import Forbidden, NotFound
from timebank.i18n import format_minutes
from timebank.imports import checking, files, matching, reading, running, undoing
from timebank.imports.fields import fields_of
from timebank.imports.files import File, Row, Stage, Verdict, What
from timebank.imports.matching import Guess, Order, Settings, Unit
from timebank.spreadsheet import Table, safe_cell
from timebank.text import NotText, clean
from web.access import Here
from web.attempt import attempt
from web.downloads import download, send, wanted
from web.forms import Form
from web.import_words import field_label, refusal, told, what_label
from web.jobs import Jobs
from web.pages import (
    database,
    gettext,
    here,
    language,
    now,
    page,
    path_id,
    read,
    see_other,
    settings,
    words,
    write,
)

SHOWN = 200
"""So many rows of a checked file are on the page; all of them are in the file to download."""

MOST = 30 * 1024 * 1024
"""Bytes of a file."""

_CHUNK = 1024 * 1024
_AGAIN = 3  # seconds until a page about work under way looks again


async def index(request: Request) -> Response:
    """The files so far, and the form for another; `what` with `as`: an empty table to fill in."""
    kind = request.query_params.get("what")
    format = wanted(request)
    if format is not None and kind in list(What):
        headings = [field.key for field in fields_of(What(kind)).values()]
        return download(Table(str(kind), headings, []), format)
    if format is not None:
        async with read(request) as conn:
            listed = await lists.all_files(conn, here(request).community.id, by=here(request).me.id)
            return await send(request, listed, format)
    return await _index(request, Form.blank())


async def create(request: Request) -> Response:
    """Take a file, and read it in a process of its own."""
    at, _ = here(request), gettext(request)
    form = Form.blank()
    async with request.form(max_files=1, max_fields=5) as sent:
        upload = sent.get("file")
        if not isinstance(upload, UploadFile) or not upload.filename:
            form.mistake("file", _("Choose a file first."))
            return await _index(request, form, status=422)
        path = _place(settings(request).data)
        size, fingerprint = await asyncio.to_thread(_keep, upload.file, path)
        name = _name(upload.filename, _)
    if size > MOST:
        await asyncio.to_thread(path.unlink)
        form.mistake("file", _("This file is larger than 30 MB. Divide it into several."))
        return await _index(request, form, status=422)
    async with write(request) as conn:
        file = await files.begin(
            conn, at.community.id, name, fingerprint, by=at.me.id, now=now(request)
        )
    await _work(request, file, reading.read(database(request), file, path, clock=_clock(request)))
    return see_other(request, "imports:show", id=file.id)


async def show(request: Request) -> Response:
    """Where a file stands; with `as=csv`, all its rows and what is said of them."""
    at, id = here(request), path_id(request.path_params["id"])
    async with read(request) as conn:
        file = await files.get(conn, at.community.id, id)
        if wanted(request) is not None and file.stage is Stage.CHECKED:
            return _all_rows(request, file)
        if file.working:
            return _at_work(request, file)
        again = "again" in request.query_params and file.stage is Stage.CHECKED
        if file.stage is Stage.MATCHING or again:
            return await _matching_page(request, conn, file, Form.blank())
        return await _result_page(request, conn, file, Form.blank())


async def check(request: Request) -> Response:
    """Say which column is what, and check every row."""
    at, id = here(request), path_id(request.path_params["id"])
    form = Form(await request.form())
    what = form.choice("what", What) or What.PEOPLE
    async with read(request) as conn:
        file = await files.get(conn, at.community.id, id)
    chosen = _chosen(form, file, what)

    async def begin(conn: AsyncConnection) -> File:
        return await checking.begin(
            conn, at.community.id, id, what, chosen, by=at.me.id, now=now(request)
        )

    begun = await attempt(request, form, begin)
    if begun is None:
        if file.stage not in (Stage.MATCHING, Stage.CHECKED):
            return see_other(request, "imports:show", id=id)
        async with read(request) as conn:
            return await _matching_page(request, conn, file, form, what=what, status=422)
    work = checking.check(database(request), begun, by=at.me.id, clock=_clock(request))
    await _work(request, begun, work)
    return see_other(request, "imports:show", id=id)


async def run(request: Request) -> Response:
    """Bring it in, all or nothing."""
    at, id = here(request), path_id(request.path_params["id"])
    form = Form(await request.form())

    async def begin(conn: AsyncConnection) -> File:
        return await running.begin(
            conn,
            at.community.id,
            id,
            leave_out=form.flag("leave_out"),
            by=at.me.id,
            now=now(request),
        )

    begun = await attempt(request, form, begin)
    if begun is None:
        return await _shown_again(request, id, form)
    db = database(request)
    work = running.run(
        db, begun, by=at.me.id, clock=_clock(request), progress=_progress(request, id)
    )
    await _work(request, begun, work)
    return see_other(request, "imports:show", id=id)


async def ask_undo(request: Request) -> Response:
    """What undoing a file would do, and the form that asks for the reason."""
    return await _undo_page(request, Form.blank())


async def undo(request: Request) -> Response:
    """Undo all that a file brought in."""
    at, id = here(request), path_id(request.path_params["id"])
    form = Form(await request.form())
    reason = form.text("words", limit=1000, lines=True)

    async def begin(conn: AsyncConnection) -> File:
        return await undoing.begin(
            conn, at.community.id, id, reason=reason, by=at.me.id, now=now(request)
        )

    begun = await attempt(request, form, begin)
    if begun is None:
        return await _undo_page(request, form, status=422)
    db = database(request)
    work = undoing.undo(
        db,
        begun,
        reason=reason,
        by=at.me.id,
        clock=_clock(request),
        progress=_progress(request, id),
    )
    await _work(request, begun, work)
    return see_other(request, "imports:show", id=id)


async def forget(request: Request) -> Response:
    """Forget a file that was not brought in."""
    at, _ = here(request), gettext(request)
    id = path_id(request.path_params["id"])
    form = Form(await request.form())

    async def gone(conn: AsyncConnection) -> bool:
        await files.forget(conn, await files.get(conn, at.community.id, id))
        return True

    if await attempt(request, form, gone):
        return see_other(request, "imports:index", said=_("The file is forgotten."))
    return await _shown_again(request, id, form)


# ── Uploads and work ─────────────────────────────────────────────────────────────────────────────


def _place(data: Path) -> Path:
    """Where an upload lies until it is read; nobody else may look."""
    folder = data / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / os.urandom(16).hex()


def _keep(source: BinaryIO, path: Path) -> tuple[int, bytes]:
    """Copy an upload; its size and what stands for its bytes. It stops where it is too large."""
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as target:
        path.chmod(0o600)
        while (chunk := source.read(_CHUNK)) and size <= MOST:
            digest.update(chunk)
            target.write(chunk)
            size += len(chunk)
    return size, digest.digest()


def _name(sent: str, _: Any) -> str:
    """The file's own name, without folders; browsers may send anything."""
    try:
        return clean(sent.replace("\\", "/").rpartition("/")[2][-100:], 100) or _("A file")
    except NotText:
        return str(_("A file"))


async def _work(request: Request, file: File, work: Coroutine[Any, Any, None]) -> None:
    """Begin some work on a file. If it fails, the file goes back to where the work began."""
    db, clock = database(request), _clock(request)

    async def guarded() -> None:
        try:
            await work
        except Exception:
            async with db.write(file.community_id) as conn:
                await files.give_back(conn, file, now=clock())
            raise

    await _jobs(request).begin(file.id, guarded())


def _jobs(request: Request) -> Jobs:
    found = request.app.state.jobs
    assert isinstance(found, Jobs)
    return found


def _clock(request: Request) -> Any:
    return request.app.state.clock


def _progress(request: Request, id: UUID) -> Any:
    jobs = _jobs(request)

    def progress(done: int) -> None:
        jobs.progress[id] = done

    return progress


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────


async def _index(request: Request, form: Form, *, status: int = 200) -> Response:
    at, _ = here(request), gettext(request)
    async with read(request) as conn:
        found = await files.latest(conn, at.community.id)
    return page(
        request,
        "imports/index.html",
        status=status,
        form=form,
        files=found,
        kinds=[(what, what_label(what, _)) for what in What],
        stage_words=lambda file: _stage(file, _),
    )


def _stage(file: File, _: Any) -> str:
    return str(
        {
            Stage.READING: _("is being read"),
            Stage.REFUSED: _("could not be read"),
            Stage.MATCHING: _("waits: which column is what?"),
            Stage.CHECKING: _("is being checked"),
            Stage.CHECKED: _("is checked, and not brought in yet"),
            Stage.RUNNING: _("is being brought in"),
            Stage.DONE: _("was brought in"),
            Stage.UNDOING: _("is being undone"),
            Stage.UNDONE: _("was brought in, and undone"),
        }[file.stage]
    )


def _at_work(request: Request, file: File) -> Response:
    """A page that looks again by itself until the work is done."""
    done = _jobs(request).progress.get(file.id, file.done)
    response = page(
        request,
        "imports/working.html",
        file=file,
        done=done,
        what=_stage(file, gettext(request)),
    )
    response.headers["Refresh"] = str(_AGAIN)
    return response


class _Column(NamedTuple):
    """A column as it can be chosen: its number from 0, and its words."""

    number: str
    words: str


class _Asked(NamedTuple):
    """A field of the form: its name there, its words, the column suggested.

    `likely`: it is in the file, or it has to be; the others stand folded below.
    """

    field: str
    words: str
    suggested: str
    likely: bool


async def _matching_page(
    request: Request,
    conn: AsyncConnection,
    file: File,
    form: Form,
    *,
    what: What | None = None,
    status: int = 200,
) -> Response:
    _ = gettext(request)
    first = await files.samples(conn, file, matching.LOOKED_AT)
    asked = request.query_params.get("what")
    if what is None and asked in list(What):
        what = What(asked)
    guess = await _guess(conn, file, first, what)
    earlier = await files.same_as(conn, file)
    return page(
        request,
        "imports/matching.html",
        status=status,
        file=file,
        form=form,
        what=guess.what,
        guess=guess,
        kinds=[(kind, what_label(kind, _)) for kind in What],
        columns=_columns(file, first),
        asked=_asked(guess, form, _),
        units=[(unit.value, words) for unit, words in _unit_words(_).items()],
        orders=[(order.value, words) for order, words in _order_words(_).items()],
        read_as=_read_as(file, _),
        earlier=earlier,
        trouble=refusal(file.outcome, _) if file.outcome.get("reason") else "",
    )


async def _guess(conn: AsyncConnection, file: File, first: list[Row], what: What | None) -> Guess:
    """What was chosen for this file or one like it before; else what the headings say."""
    if file.what is not None and file.settings and what in (None, file.what):
        return Guess(file.what, Settings.from_json(file.settings))
    known = await matching.recall(conn, file)
    if known is not None and what in (None, known.what):
        return known
    return matching.suggest(file, first, what)


def _columns(file: File, first: list[Row]) -> list[_Column]:
    """Each column by its letter, its heading and what stands below it first."""
    names = file.found["headings"]
    below = [row for row in first if row.number > file.found["heading_row"]]
    found = []
    for number in range(file.found["width"]):
        name = names[number] if number < len(names) else ""
        cells = (row.cells[number] for row in below if number < len(row.cells))
        sample = next((cell for cell in cells if cell), "")
        words = " · ".join(part for part in (_letter(number), name[:40], _short(sample)) if part)
        found.append(_Column(str(number), words))
    return found


def _letter(number: int) -> str:
    """A column as a spreadsheet calls it: A, B, … AA."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _short(text: str) -> str:
    text = " ".join(text.split())
    return f"“{text[:24]}…”" if len(text) > 25 else f"“{text}”" if text else ""


def _asked(guess: Guess, form: Form, _: Any) -> list[_Asked]:
    columns = guess.settings.columns
    missing = checking.missing(guess.what, columns)
    found = []
    for field in fields_of(guess.what).values():
        name = f"column-{field.key}"
        likely = field.needed or field.key in columns or field.key in missing or form.raw(name)
        words = field_label(guess.what, field.key, _)
        found.append(_Asked(name, words, str(columns.get(field.key, "")), bool(likely)))
    return found


def _chosen(form: Form, file: File, what: What) -> Settings:
    """What the form says; mistakes stand in it."""
    width = max(file.found.get("width", 1), 1)
    columns = {}
    for key in fields_of(what):
        column = form.number(f"column-{key}", 0, width - 1, required=False)
        if column is not None:
            columns[key] = column
    heading_row = file.found.get("heading_row", 0)
    return Settings(
        columns,
        first=1 if form.flag("no_headings") else heading_row + 1,
        unit=form.choice("unit", Unit, required=False) or Unit.HOURS,
        order=form.choice("order", Order, required=False) or Order.DAY_FIRST,
        add_people=form.flag("add_people"),
        keep_floors=form.flag("keep_floors"),
        write=form.flag("write"),
    )


def _unit_words(_: Any) -> dict[Unit, str]:
    return {
        Unit.HOURS: _("hours, such as 1.5"),
        Unit.MINUTES: _("minutes, such as 90"),
        Unit.SECONDS: _("seconds, such as 5400"),
    }


def _order_words(_: Any) -> dict[Order, str]:
    return {
        Order.DAY_FIRST: _("day, month, year: 31/12/2026"),
        Order.MONTH_FIRST: _("month, day, year: 12/31/2026"),
    }


def _read_as(file: File, _: Any) -> str:
    """How the file was read, where that is worth a word."""
    found, said = file.found, []
    if found.get("encoding") == "cp1252":
        said.append(
            _("Its letters were read as Windows-1252. If accents look wrong, save it as UTF-8.")
        )
    elif str(found.get("encoding", "")).startswith("utf-16"):
        said.append(_("Its letters were read as UTF-16."))
    if found.get("format") == "csv" and file.name.lower().endswith((".xlsx", ".ods", ".xls")):
        said.append(_("It is called a spreadsheet, but it is a text, and was read as CSV."))
    if found.get("others"):
        sheet = {"sheet": found["sheet"]}
        said.append(
            _("Only its first sheet, “%(sheet)s”, was read. Save others on their own.") % sheet
        )
    if not found.get("heading_row"):
        said.append(_("It seems to have no headings."))
    return " ".join(said)


async def _result_page(
    request: Request, conn: AsyncConnection, file: File, form: Form, *, status: int = 200
) -> Response:
    at, _ = here(request), gettext(request)
    if file.stage is Stage.REFUSED:
        return page(
            request, "imports/refused.html", file=file, form=form,
            why=refusal(file.outcome, _), status=status,
        )  # fmt: skip
    if file.stage is not Stage.CHECKED:
        return page(
            request,
            "imports/done.html",
            file=file,
            what=what_label(file.what or What.PEOPLE, _),
            may_undo=_may_undo(at, file),
            minutes=_of_minutes(file),
            status=status,
        )
    chosen = request.query_params.get("rows")
    verdict = Verdict(chosen) if chosen in list(Verdict) else None
    shown = [row async for row in _first_rows(conn, file, verdict)]
    return page(
        request,
        "imports/checked.html",
        file=file,
        form=form,
        what=what_label(file.what or What.PEOPLE, _),
        button=_button(request, file),
        may_run=_may_run(at, file),
        minutes=_of_minutes(file),
        verdict=verdict,
        rows=[(row, told(row, language(request), _)) for row in shown],
        shown=SHOWN,
        earlier=await files.same_as(conn, file),
        settings=Settings.from_json(file.settings),
        status=status,
    )


def _of_minutes(file: File) -> dict[str, Minutes]:
    """The totals that are amounts of time."""
    return {
        key: Minutes(file.outcome.get(key, 0)) for key in ("minutes", "gift_minutes", "own_minutes")
    }


def _button(request: Request, file: File) -> str:
    """What bringing it in does, and how much."""
    many = words(request)
    outcome = file.outcome
    if file.what is What.HOURS:
        said = many.ngettext(
            "Bring in one entry, %(minutes)s",
            "Bring in %(count)d entries, %(minutes)s",
            outcome["new"],
        )
    else:
        said = many.ngettext("Bring in one row", "Bring in %(count)d rows", outcome["new"])
    minutes = format_minutes(Minutes(outcome["minutes"]))
    return said % {"count": outcome["new"], "minutes": minutes}


def _may_run(at: Here, file: File) -> bool:
    return policy.may_bring_in_hours(at.me) or not file.outcome.get("entries")


def _may_undo(at: Here, file: File) -> bool:
    return file.stage is Stage.DONE and _may_run(at, file)


async def _first_rows(
    conn: AsyncConnection, file: File, verdict: Verdict | None
) -> AsyncIterator[Row]:
    async for found in files.in_order(conn, file, verdict=verdict, chunk=SHOWN + 1):
        for row in found:
            if row.verdict is not None:
                yield row
        return


def _all_rows(request: Request, file: File) -> Response:
    """Every row with what is said of it, as a table; written out as it is read."""
    _, spoken = gettext(request), language(request)
    db, community = database(request), file.community_id

    async def lines() -> AsyncIterator[bytes]:
        names = file.found["headings"]
        yield "\ufeff".encode() + _line(["row", "outcome", "why", *names])
        async with db.read(community) as conn:
            async for rows in files.in_order(conn, file):
                for row in rows:
                    if row.verdict is not None:
                        words = " ".join(told(row, spoken, _))
                        yield _line([str(row.number), row.verdict.value, words, *row.cells])

    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="check.csv"'},
    )


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([safe_cell(cell) for cell in cells])
    return text.getvalue().encode()


async def _shown_again(request: Request, id: UUID, form: Form) -> Response:
    """The page of a file with a mistake in its form; where it has moved on, just the page."""
    async with read(request) as conn:
        file = await files.get(conn, here(request).community.id, id)
        if file.stage not in (Stage.CHECKED, Stage.REFUSED):
            return see_other(request, "imports:show", id=id)
        return await _result_page(request, conn, file, form, status=422)


async def _undo_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, _ = here(request), gettext(request)
    async with read(request) as conn:
        file = await files.get(conn, at.community.id, path_id(request.path_params["id"]))
        if file.stage is not Stage.DONE:
            raise NotFound("import")
        if not _may_undo(at, file):
            raise Forbidden("undo")
        prospect = await undoing.prospect(conn, file)
    return page(
        request, "imports/undo.html", file=file, form=form, prospect=prospect, status=status
    )
