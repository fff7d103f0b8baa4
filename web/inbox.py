"""The inbox: what waits for a coordinator, oldest first, and approving many entries at once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from ledger import ZERO, LedgerError, Minutes
from timebank import entries, entry_steps, inbox, lists, posting
from timebank.entry import Entry
from timebank.errors import OwnGain, TimebankError
from timebank.inbox import InboxRow, Why
from timebank.posting import Approve, Done
from web import downloads
from web.forms import Form
from web.messages import sentence
from web.pages import database, gettext, here, ngettext, now, page, read, see_other, words, write
from web.stories import Gettext, Teller

PAGE = 50


async def index(request: Request) -> Response:
    """Hours to approve, questions to settle, people to welcome."""
    if format := downloads.wanted(request):
        at = here(request)
        async with read(request) as conn:
            listed = await lists.in_the_inbox(conn, at.community.id, by=at.me.id, now=now(request))
            return await downloads.send(request, listed, format)
    return await _inbox_page(request, Form.blank())


async def approve(request: Request) -> Response:
    """Show what would be approved and how much it is; asked again with `sure`, approve it."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    chosen = form.ids("entry")[:PAGE]
    if not chosen:
        form.mistake("entry", _("Tick the entries you want to approve first."))
        return await _inbox_page(request, form, status=422)
    found = await _entries(request, chosen)
    if not form.flag("sure"):
        return _chosen_page(request, "inbox/approve.html", found, form)
    asked = [Approve(at.community.id, entry.id, at.me.id) for entry in found]
    verdicts = await posting.post(database(request), asked, now=now(request))
    refused = {
        verdict.entry_id: sentence(verdict.error, _)
        for verdict in verdicts
        if not isinstance(verdict, Done)
    }
    return _told(request, found, refused)


async def return_with_question(request: Request) -> Response:
    """Ask one question about the chosen entries; each goes back to whoever wrote it down."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    chosen = form.ids("entry")[:PAGE]
    if not chosen:
        form.mistake("entry", _("Tick the entries you want to ask about first."))
        return await _inbox_page(request, form, status=422)
    found = await _entries(request, chosen)
    question = form.text("words", limit=1000, lines=True) if form.flag("sure") else ""
    if not form.flag("sure") or not form.ok:
        status = 200 if form.ok else 422
        return _chosen_page(request, "inbox/return.html", found, form, status=status)
    refused: dict[UUID, str] = {}
    for entry in found:
        try:
            async with write(request) as conn:
                await entry_steps.return_with_question(
                    conn, at.community.id, entry.id, by=at.me.id, now=now(request), words=question
                )
        except (TimebankError, LedgerError) as error:
            refused[entry.id] = sentence(error, _)
    return _told(request, found, refused, returned=True)


def _why_here(row: InboxRow, _: Gettext) -> str:
    """What is out of the ordinary about a row; empty for hours that simply wait."""
    return {
        Why.APPROVAL: "",
        Why.DISPUTED: _("not agreed"),
        Why.CONTESTED: _("not agreed, after approval"),
    }[row.why_here]


def _why_not(row: InboxRow, _: Gettext) -> str:
    """Why this entry is not approved together with others."""
    if row.why_not is None:
        return ""
    if row.why_here is not Why.APPROVAL and not isinstance(row.why_not, OwnGain):
        return _("Open it and read what was said before you decide.")
    return sentence(row.why_not, _)


async def _entries(request: Request, ids: Sequence[UUID]) -> list[Entry]:
    at = here(request)
    async with read(request) as conn:
        return await entries.several(conn, at.community.id, ids, by=at.me.id)


async def _inbox_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    after = request.query_params.get("after")
    async with read(request) as conn:
        waiting = await inbox.page(
            conn, at.community.id, by=at.me.id, after=after, limit=PAGE, now=now(request)
        )
    _ = gettext(request)
    return page(
        request,
        "inbox/index.html",
        status=status,
        inbox=waiting,
        why_not={row.entry.id: _why_not(row, _) for row in waiting.entries if row.why_not},
        reasons={row.entry.id: _why_here(row, _) for row in waiting.entries},
        form=form,
        all_chosen=request.query_params.get("choose") == "all",
        tell=Teller(words(request), at.me.id),
    )


def _chosen_page(
    request: Request, template: str, found: Sequence[Entry], form: Form, *, status: int = 200
) -> Response:
    return page(
        request,
        template,
        status=status,
        entries=found,
        total=_total(found),
        form=form,
        tell=Teller(words(request), here(request).me.id),
    )


def _told(
    request: Request,
    found: Sequence[Entry],
    refused: dict[UUID, str],
    *,
    returned: bool = False,
) -> Response:
    """Say for each entry what happened; back to the inbox when all went well."""
    done = [entry for entry in found if entry.id not in refused]
    if not refused:
        count = len(done)
        if returned:
            said = ngettext(request)("%(n)d question sent.", "%(n)d questions sent.", count)
        else:
            said = ngettext(request)("%(n)d entry approved.", "%(n)d entries approved.", count)
        return see_other(request, "inbox:index", said=said % {"n": count})
    return page(
        request,
        "inbox/told.html",
        done=done,
        refused=[(entry, refused[entry.id]) for entry in found if entry.id in refused],
        returned=returned,
        total=_total(done),
        tell=Teller(words(request), here(request).me.id),
    )


def _total(found: Sequence[Entry]) -> Minutes:
    return sum((entry.minutes for entry in found), ZERO)
