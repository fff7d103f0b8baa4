"""Batches: what came in together, on a sheet or in a file, and undoing it as one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import FloorReached
from timebank import agreements, batches, entries, lists
from timebank.batches import Undone
from timebank.errors import ReasonMissing
from timebank.imports import files
from web import downloads
from web.forms import Form
from web.messages import sentence
from web.pages import (
    database,
    gettext,
    here,
    ngettext,
    now,
    page,
    path_id,
    read,
    see_other,
    words,
)
from web.stories import Teller

PAGE = 100
"""As many batches, and as many rows of one, as a page shows; the table has all of them."""


async def index(request: Request) -> Response:
    """What came in on sheets and in files, the newest first."""
    at = here(request)
    async with read(request) as conn:
        if format := downloads.wanted(request):
            listed = await lists.all_batches(conn, at.community.id, by=at.me.id)
            return await downloads.send(request, listed, format)
        latest = await batches.latest(conn, at.community.id, PAGE)
    return page(request, "batches/index.html", batches=latest)


async def show(request: Request) -> Response:
    """One batch: where its entries stand, row by row. A file is undone from its own page."""
    at, id = here(request), path_id(request.path_params["id"])
    async with read(request) as conn:
        batch = await batches.get(conn, at.community.id, id)
        if format := downloads.wanted(request):
            listed = await lists.entries_of_batch(conn, at.community.id, id, by=at.me.id)
            return await downloads.send(request, listed, format)
        standing = await batches.standing(conn, at.community.id, id)
        ids = await batches.entries_of(conn, at.community.id, id, PAGE)
        rows = await entries.load(conn, at.community.id, ids)
        file = await files.of_batch(conn, at.community.id, id)
        terms = (await agreements.current(conn, at.community.id)).terms
    return page(
        request,
        "batches/show.html",
        batch=batch,
        file=file,
        standing=standing,
        entries=rows,
        terms=terms,
        tell=Teller(words(request), at.me.id),
    )


async def ask_undo(request: Request) -> Response:
    """What undoing would do, and the reason for it."""
    return await _undo_page(request, Form.blank())


async def undo(request: Request) -> Response:
    """Undo every entry of a batch; what could not be undone is told, each with its reason."""
    at, _ = here(request), gettext(request)
    id = path_id(request.path_params["id"])
    form = Form(await request.form())
    reason = form.text("words", limit=1000, lines=True)
    if not form.ok:
        return await _undo_page(request, form, status=422)
    try:
        done = await batches.undo(
            database(request),
            at.community.id,
            id,
            by=at.me.id,
            reason=reason,
            override=form.flag("override"),
            now=now(request),
        )
    except ReasonMissing as error:
        form.refused(error, _)
        return await _undo_page(request, form, status=422)
    if done.refused:
        return await _undo_page(request, form, done=done)
    count = done.moved_back + done.taken_back
    said = ngettext(request)("%(n)d entry undone.", "%(n)d entries undone.", count) % {"n": count}
    return see_other(request, "batches:show", id=id, said=said)


async def _undo_page(
    request: Request, form: Form, *, status: int = 200, done: Undone | None = None
) -> Response:
    at, _ = here(request), gettext(request)
    id = path_id(request.path_params["id"])
    async with read(request) as conn:
        batch = await batches.get(conn, at.community.id, id)
        plan = await batches.undoing(conn, at.community.id, id, by=at.me.id)
        refused = done.refused[:PAGE] if done else ()
        why = {one.entry_id: sentence(one.error, _) for one in refused}
        left = await entries.load(conn, at.community.id, [*why, *plan.first_not_by_me])
    return page(
        request,
        "batches/undo.html",
        status=status,
        batch=batch,
        plan=plan,
        done=done,
        left=left,
        why=why,
        form=form,
        floors=any(isinstance(one.error, FloorReached) for one in refused),
        tell=Teller(words(request), at.me.id),
    )
