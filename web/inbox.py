"""The inbox: everything that waits, what has waited longest first; acting on one or on many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger import ZERO, LedgerError
from timebank import applications, entries, entry_steps, inbox, posting
from timebank.entry import Entry
from timebank.errors import NotFound, TimebankError
from timebank.inbox import BY_WHY, Act, Row, Thing, Why, aside, deeds, in_hand, morning
from timebank.inbox import undoing as going_back
from timebank.inbox.deeds import Deed, DeedKind, Item
from timebank.lists import Listed
from timebank.posting import Approve, Done
from timebank.spreadsheet import Cell
from web import downloads, inbox_chosen
from web.attempt import attempt
from web.forms import Form
from web.inbox_chosen import MOST_AT_ONCE, Chosen
from web.inbox_rows import tellers
from web.inbox_rows.of_entries import why_left_out
from web.inbox_rows.telling import Line, Telling
from web.messages import sentence
from web.pages import (
    database,
    gettext,
    here,
    now,
    page,
    path_id,
    query,
    read,
    see_other,
    words,
    write,
)
from web.stories import Teller

PAGE = 50

_JUST_NOW = timedelta(minutes=10)
_ASIDE = timedelta(days=14)  # what is suggested


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Asked:
    """Which things somebody wants to see: one kind of them, those with some words in them."""

    why: Why | None = None
    search: str = ""
    after: str | None = None

    def query(self, **more: object) -> str:
        """The same question in an address, from the question mark on; without the page."""
        facts = {"why": self.why, "q": self.search, **more}
        return query({name: fact for name, fact in facts.items() if fact})


async def index(request: Request) -> Response:
    """Everything that waits, of all kinds or of one; as a file with `as`."""
    if format := downloads.wanted(request):
        return await downloads.send(request, await _listed(request), format)
    return await _inbox_page(request, Form.blank())


async def done(request: Request) -> Response:
    """What I did here today, and the way back."""
    at = here(request)
    async with read(request) as conn:
        mine = await deeds.since(conn, at.community.id, _today_begins(request), by=at.me.id)
    return page(request, "inbox/done.html", deeds=mine, say=lambda deed: _say(request, deed))


# ── Acting on one or on many ─────────────────────────────────────────────────────────────────────


async def approve(request: Request) -> Response:
    """Show what would be approved and how much it is; asked again with `sure`, approve it."""
    form = Form(await request.form())
    if form.flag("sure"):
        return await _approve(request, form)
    chosen = await inbox_chosen.from_form(request, form)
    rows = chosen.rows
    if not rows:
        return await _nothing_chosen(request, form, chosen, _tick_first(request))
    await inbox_chosen.have_in_hand(request, rows)
    telling = Telling.to(request)
    fine = [row for row in rows if inbox_chosen.may_approve(row)]
    left_out = [
        (tellers.line(row, telling), why_left_out(row, telling)) for row in rows if row not in fine
    ]
    return page(
        request,
        "inbox/approve.html",
        rows=fine,
        lines=tellers.lines(fine, telling),
        left_out=left_out,
        gone=chosen.gone,
        others=inbox_chosen.with_others(request, fine),
        total=inbox_chosen.total(fine),
        deed=now(request).new_id(),
    )


def _tick_first(request: Request) -> str:
    return gettext(request)("Tick the entries you want to approve first.")


async def _approve(request: Request, form: Form) -> Response:
    at = here(request)
    chosen = form.ids("entry")[:MOST_AT_ONCE]
    async with read(request) as conn:
        found = await entries.several(conn, at.community.id, chosen, by=at.me.id)
    if not found:
        return await _nothing_chosen(request, form, Chosen([], len(chosen)), _tick_first(request))
    asked = [Approve(at.community.id, entry.id, at.me.id) for entry in found]
    verdicts = await posting.post(database(request), asked, now=now(request))
    refused = {
        verdict.entry_id: sentence(verdict.error, gettext(request))
        for verdict in verdicts
        if not isinstance(verdict, Done)
    }
    async with write(request) as conn:
        # What somebody else had approved by then is no deed of mine to undo.
        mine = await entries.approved_by(conn, at.community.id, chosen, at.me.id)
        items = [_item(one) for one in found if one.id in mine and one.id not in refused]
        await inbox_chosen.keep(request, conn, form, DeedKind.APPROVED, items)
    return _told(request, found, refused, DeedKind.APPROVED)


async def return_with_question(request: Request) -> Response:
    """Ask one question about the chosen entries; each goes back to whoever wrote it down."""
    form = Form(await request.form())
    if form.flag("sure"):
        return await _return(request, form)
    chosen = await inbox_chosen.from_form(request, form, needs=Act.RETURN)
    if not chosen.rows:
        return await _nothing_chosen(
            request, form, chosen, gettext(request)("Tick the entries you want to ask about first.")
        )
    await inbox_chosen.have_in_hand(request, chosen.rows)
    return _return_page(request, [inbox_chosen.entry_of(row) for row in chosen.rows], Form.blank())


async def _return(request: Request, form: Form) -> Response:
    at, _ = here(request), gettext(request)
    chosen = form.ids("entry")[:MOST_AT_ONCE]
    async with read(request) as conn:
        if await inbox_chosen.is_done(request, conn, form):
            return see_other(request, "inbox:index")  # a double click
        found = await entries.several(conn, at.community.id, chosen, by=at.me.id)
    if not found:
        said = _("Tick the entries you want to ask about first.")
        return await _nothing_chosen(request, form, Chosen([], len(chosen)), said)
    question = form.text("words", limit=1000, lines=True)
    if not form.ok:
        return _return_page(request, found, form, status=422)
    refused: dict[UUID, str] = {}
    for entry in found:
        try:
            async with write(request) as conn:
                await entry_steps.return_with_question(
                    conn, at.community.id, entry.id, by=at.me.id, now=now(request), words=question
                )
        except (TimebankError, LedgerError) as error:
            refused[entry.id] = sentence(error, _)
    returned = [entry for entry in found if entry.id not in refused]
    async with write(request) as conn:
        items = [_item(entry, entry.state.value) for entry in returned]
        await inbox_chosen.keep(request, conn, form, DeedKind.RETURNED, items)
    return _told(request, found, refused, DeedKind.RETURNED)


async def welcome(request: Request) -> Response:
    """Welcome those who asked to join; many of them after looking once more."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    chosen = await inbox_chosen.from_form(request, form, needs=Act.WELCOME)
    rows = chosen.rows
    if not rows:
        return await _nothing_chosen(
            request, form, chosen, _("Tick the people you want to welcome first.")
        )
    telling = Telling.to(request)
    if not form.flag("sure") and len(rows) > 1:
        await inbox_chosen.have_in_hand(request, rows)
        return page(
            request,
            "inbox/welcome.html",
            rows=rows,
            lines=tellers.lines(rows, telling),
            deed=now(request).new_id(),
        )
    welcomed, names = [], []
    for row in rows:
        try:
            async with write(request) as conn:
                await applications.welcome(
                    conn, at.community.id, row.id, by=at.me.id, now=now(request)
                )
            welcomed.append(Item(row.key))
            names.append(inbox_chosen.name_of(row))
        except TimebankError as error:
            form.mistake("thing", sentence(error, _))
    async with write(request) as conn:
        await inbox_chosen.keep(request, conn, form, DeedKind.WELCOMED, welcomed)
    if not form.ok:
        return await _inbox_page(request, form, status=422)
    said = _("Welcome, %(names)s! They are told.") % {"names": telling.teller.names(names, 5)}
    return see_other(request, "inbox:index", said=said)


async def put_aside(request: Request) -> Response:
    """Put things aside until a day, with a word; the day and the word are asked for first."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    chosen = await inbox_chosen.from_form(request, form, needs=Act.PUT_ASIDE)
    rows = chosen.rows
    if not rows:
        return await _nothing_chosen(
            request, form, chosen, _("Tick what you want to put aside first.")
        )
    if not form.flag("sure"):
        await inbox_chosen.have_in_hand(request, rows)
        return _aside_page(request, rows, Form.blank())
    until = form.day("until")
    told = form.text("words", required=False, limit=500, lines=True)

    async def put(conn: AsyncConnection) -> list[UUID]:
        assert until is not None, "the form is right"
        things = [row.key for row in rows]
        morning_of = datetime.combine(until, time(), ZoneInfo(at.community.timezone))
        notes = await aside.put(
            conn, at.community.id, things, until=morning_of, words=told, by=at.me.id,
            now=now(request),
        )  # fmt: skip
        items = [Item(thing, before=str(note)) for thing, note in zip(things, notes, strict=True)]
        await inbox_chosen.keep(request, conn, form, DeedKind.PUT_ASIDE, items)
        return notes

    if await attempt(request, form, put) is None:
        return _aside_page(request, rows, form, status=422)
    return see_other(request, "inbox:index")


async def take(request: Request) -> Response:
    """Have things in hand, so that others see it; `opened` for as long as a look takes."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    chosen = await inbox_chosen.from_form(request, form, needs=Act.TAKE)
    if not chosen.rows:
        return await _nothing_chosen(request, form, chosen, _("Tick what you want to take first."))
    things = [row.key for row in chosen.rows]
    async with write(request) as conn:
        if form.flag("opened"):
            await in_hand.open_(conn, at.community.id, things, by=at.me.id, now=now(request))
            return Response(status_code=204)
        await in_hand.take(conn, at.community.id, things, by=at.me.id, now=now(request))
        await inbox_chosen.keep(
            request, conn, form, DeedKind.TAKEN, [Item(thing) for thing in things]
        )
    return see_other(request, "inbox:index")


async def let_go(request: Request) -> Response:
    """Leave things to whoever comes."""
    at = here(request)
    form = Form(await request.form())
    things = inbox_chosen.things(form)
    async with write(request) as conn:
        await in_hand.let_go(conn, at.community.id, things, by=at.me.id)
    said = gettext(request)("You are not on it any more.")
    return see_other(request, "inbox:index", said=said)


# ── Going back ───────────────────────────────────────────────────────────────────────────────────


async def ask_undo(request: Request) -> Response:
    """What a deed was, and the question whether it is to be undone."""
    return await _undo_page(request, Form.blank())


async def undo(request: Request) -> Response:
    """Undo a deed: everything goes back to where it was, or says why it cannot."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    reason = form.text("words", required=False, limit=1000, lines=True)
    if form.ok:
        try:
            undone = await going_back.undo(
                database(request), at.community.id, id, reason=reason, by=at.me.id, now=now(request)
            )
        except NotFound:
            raise
        except (TimebankError, LedgerError) as error:
            form.refused(error, _)
        else:
            if not undone.refused:
                said = _("Undone: everything is where it was before.")
                return see_other(request, "inbox:index", said=said)
            refused = {thing.id: sentence(error, _) for thing, error in undone.refused.items()}
            async with read(request) as conn:
                ids = [thing.id for thing in (*undone.done, *undone.refused)]
                found = await entries.several(conn, at.community.id, ids, by=at.me.id)
            return _told(request, found, refused, None)
    return await _undo_page(request, form, status=422)


async def choose_mail(request: Request) -> Response:
    """Want a mail each morning if something waits, at an hour; or none."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    hour = form.number("hour", 0, 23, required=False)

    async def choose(conn: AsyncConnection) -> bool:
        await morning.choose(conn, at.community.id, hour, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, choose) is None:
        return await _inbox_page(request, form, status=422)
    if hour is None:
        return see_other(request, "inbox:index", said=_("You get no mail about the inbox."))
    said = _("From tomorrow on you get a mail at %(hour)s, if something waits.")
    return see_other(request, "inbox:index", said=said % {"hour": f"{hour}:00"})


async def _nothing_chosen(request: Request, form: Form, chosen: Chosen, said: str) -> Response:
    """The inbox once more, with what is missing; or, with what somebody else did meanwhile."""
    _ = gettext(request)
    if chosen.gone:
        said = _("Somebody was quicker: what you chose does not wait any more.")
    form.mistake("", said)
    return await _inbox_page(request, form, status=422)


def _item(entry: Entry, before: str = "") -> Item:
    return Item(Thing(Why.APPROVAL, entry.id), entry.minutes, before)


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────


def _asked(request: Request) -> Asked:
    form = Form(request.query_params)
    why = form.choice("why", Why, required=False)
    search = form.text("q", required=False, limit=100)
    return Asked(why, search, request.query_params.get("after"))


async def _inbox_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, asked = here(request), _asked(request)
    async with read(request) as conn:
        waiting = await inbox.page(
            conn,
            at.community.id,
            by=at.me.id,
            why=asked.why,
            search=asked.search,
            after=asked.after,
            limit=PAGE,
            now=now(request),
        )
        mine = await deeds.since(
            conn, at.community.id, now(request).at - _JUST_NOW, by=at.me.id, limit=1
        )
        hour = await morning.hour_of(conn, at.community.id, at.me.id)
    telling, _ = Telling.to(request), gettext(request)
    acts = {act for row in waiting.rows for act in row.acts}
    return page(
        request,
        "inbox/index.html",
        status=status,
        inbox=waiting,
        lines=tellers.lines(waiting.rows, telling),
        kinds=[(why, _(BY_WHY[why].name), number) for why, number in waiting.counts.items()],
        asked=asked,
        acts=[act for act in Act if act in acts],
        ordinary=min(waiting.counts.get(Why.APPROVAL, 0), MOST_AT_ONCE),
        chosen=_ticked(request, form, waiting.rows),
        form=form,
        just_now=next((deed for deed in mine if deed.can_be_undone), None),
        say=lambda deed: _say(request, deed),
        hour=hour,
        hours=[("", _("No mail"))] + [(str(n), f"{n}:00") for n in range(24)],
    )


def _ticked(request: Request, form: Form, rows: Sequence[Row]) -> set[str]:
    """What is ticked when the page opens: all that may be approved, if asked for, or as it was."""
    if request.query_params.get("choose") == "all":
        return {str(row.key) for row in rows if inbox_chosen.may_approve(row)}
    return set(form.several("thing"))


def _return_page(
    request: Request, found: Sequence[Entry], form: Form, *, status: int = 200
) -> Response:
    return page(
        request,
        "inbox/return.html",
        status=status,
        entries=found,
        form=form,
        deed=form.raw("deed") or now(request).new_id(),
        tell=Teller(words(request), here(request).me.id),
    )


def _aside_page(
    request: Request, rows: Sequence[Row], form: Form, *, status: int = 200
) -> Response:
    telling = Telling.to(request)
    today = now(request).day_in(here(request).community.timezone)
    return page(
        request,
        "inbox/aside.html",
        status=status,
        rows=rows,
        lines=tellers.lines(rows, telling),
        until=today + _ASIDE,
        calls=any(row.why is Why.CALL for row in rows),
        people=any(row.why is not Why.ODD for row in rows),
        further=aside.FURTHER,
        form=form,
        deed=form.raw("deed") or now(request).new_id(),
    )


async def _undo_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    id = path_id(request.path_params["id"])
    async with read(request) as conn:
        deed = await deeds.get(conn, at.community.id, id, by=at.me.id)
        items = await deeds.items_of(conn, at.community.id, id)
        ids = [item.thing.id for item in items]
        found = await entries.several(conn, at.community.id, ids, by=at.me.id)
    return page(
        request,
        "inbox/undo.html",
        status=status,
        deed=deed,
        said=_say(request, deed),
        entries=found,
        form=form,
        reason=gettext(request)("Approved by mistake, several at once."),
        tell=Teller(words(request), at.me.id),
    )


def _say(request: Request, deed: Deed) -> str:
    """What a deed was: `You approved 48 entries, 61:30`."""
    catalogue, n = words(request), deed.count
    facts = {"n": n, "minutes": Telling.to(request).minutes(deed.minutes)}
    return {
        DeedKind.APPROVED: catalogue.ngettext(
            "You approved one entry, %(minutes)s", "You approved %(n)d entries, %(minutes)s", n
        ),
        DeedKind.RETURNED: catalogue.ngettext(
            "You asked about one entry", "You asked about %(n)d entries", n
        ),
        DeedKind.WELCOMED: catalogue.ngettext(
            "You welcomed one person", "You welcomed %(n)d people", n
        ),
        DeedKind.PUT_ASIDE: catalogue.ngettext(
            "You put one thing aside", "You put %(n)d things aside", n
        ),
        DeedKind.TAKEN: catalogue.ngettext("You took one thing", "You took %(n)d things", n),
    }[deed.kind] % facts


def _told(
    request: Request, found: Sequence[Entry], refused: dict[UUID, str], kind: DeedKind | None
) -> Response:
    """Say for each entry what happened; back to the inbox when all went well."""
    fine = [entry for entry in found if entry.id not in refused]
    if not refused:
        return see_other(request, "inbox:index")  # where it stands what was done just now
    return page(
        request,
        "inbox/told.html",
        done=fine,
        refused=[(entry, refused[entry.id]) for entry in found if entry.id in refused],
        kind=kind,
        total=sum((entry.minutes for entry in fine), ZERO),
        tell=Teller(words(request), here(request).me.id),
    )


def _today_begins(request: Request) -> datetime:
    """The midnight before this moment, where the community is."""
    zone = here(request).community.timezone
    return datetime.combine(now(request).day_in(zone), time(), ZoneInfo(zone))


# ── As a file ────────────────────────────────────────────────────────────────────────────────────

_HEADINGS = ("why", "what", "since", "minutes", "facts", "notes", "said")
_MOST_ROWS = 10_000


async def _listed(request: Request) -> Listed:
    """Everything that was asked for, not only one page of it."""
    at, asked = here(request), _asked(request)
    async with read(request) as conn:
        waiting = await inbox.page(
            conn,
            at.community.id,
            by=at.me.id,
            why=asked.why,
            search=asked.search,
            limit=_MOST_ROWS,
            now=now(request),
        )
    lines = tellers.lines(waiting.rows, Telling.to(request))

    async def rows() -> AsyncIterator[tuple[Cell, ...]]:
        for row in waiting.rows:
            yield _cells(row, lines[str(row.key)])

    return Listed("inbox", _HEADINGS, rows())


def _cells(row: Row, line: Line) -> tuple[Cell, ...]:
    facts, why = " · ".join(line.facts), " ".join(line.why)
    return (row.why.value, line.title, row.since, line.minutes, facts, why, line.said)
