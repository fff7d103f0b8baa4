"""Entries: write hours down, read an entry's story, and move it on step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger import LedgerError
from ledger.errors import FloorReached
from timebank import (
    acting,
    agreements,
    corrections,
    entries,
    entry_steps,
    finding,
    lists,
    members,
    policy,
    posting,
    recording,
)
from timebank.entry import OPEN, Entry, NewEntry, Share, State
from timebank.errors import Forbidden, NotFound, TimebankError
from timebank.inbox import Thing, Why, deeds
from timebank.inbox.deeds import DeedKind, Item
from timebank.members import Member
from timebank.posting import Approve, Correct, Done, Undo
from web import downloads, entry_pages, record_form, sheet_pages
from web.attempt import attempt
from web.forms import Form
from web.pages import (
    database,
    gettext,
    here,
    look,
    now,
    page,
    path_id,
    query,
    read,
    see_other,
    words,
    write,
)
from web.record_form import Gift, Stance
from web.stories import Teller, state_label

PAGE = 50


async def index(request: Request) -> Response:
    """My entries, newest first: all, or those that still wait. For coordinators, everybody's."""
    at = here(request)
    show = request.query_params.get("show", "")
    if show == "all":
        return await _everybodys(request)
    waiting = show == "waiting"
    if format := downloads.wanted(request):
        async with look(request) as conn:
            listed = lists.own_entries(
                conn, at.community.id, by=at.me.id, states=OPEN if waiting else None
            )
            return await downloads.send(request, listed, format)
    async with read(request) as conn:
        mine = await entries.recent_of(
            conn, at.community.id, at.me.id, PAGE, states=OPEN if waiting else None
        )
        terms = (await agreements.current(conn, at.community.id)).terms
    return page(
        request,
        "entries/index.html",
        entries=mine,
        waiting=waiting,
        terms=terms,
        sees_all=policy.may_coordinate(at.me),
        tell=Teller(words(request), at.me.id),
    )


async def _everybodys(request: Request) -> Response:
    """Any entry of the community, found by a name, words or days, with who touched it last."""
    at = here(request)
    form = Form(request.query_params)
    search = form.text("q", required=False, limit=100)
    first, last = form.day("first", required=False), form.day("last", required=False)
    state = form.choice("state", State, required=False)
    narrowed: dict[str, Any] = {
        "search": search,
        "first_day": first,
        "last_day": last,
        "states": [state] if state else (),
    }
    if form.ok and (format := downloads.wanted(request)):
        async with look(request) as conn:
            listed = lists.everybodys_entries(conn, at.community.id, by=at.me.id, **narrowed)
            return await downloads.send(request, listed, format)
    async with read(request) as conn:
        found = await finding.find(
            conn,
            at.community.id,
            by=at.me.id,
            before=request.query_params.get("before"),
            limit=PAGE,
            **narrowed,
        )
        told = await entries.stories(conn, at.community.id, [one.id for one in found.entries])
    _ = gettext(request)
    asked = {"q": search, "first": first, "last": last, "state": state}
    facts = {"show": "all", **{name: fact for name, fact in asked.items() if fact}}
    return page(
        request,
        "entries/all.html",
        status=200 if form.ok else 422,
        found=found,
        last_steps={id: story[-1] for id, story in told.items()},
        form=form,
        narrowed=len(facts) > 1,
        states=[("", _("any"))] + [(one, state_label(one, _)) for one in State],
        further=query(facts | {"before": found.next_before}),
        tell=Teller(words(request), at.me.id),
    )


async def new(request: Request) -> Response:
    """A sheet to write on. `side` and `kind` choose its shape, `with` a name to begin with.

    With `listing`, it begins with what that offer or request says.
    """
    at = here(request)
    asked = request.query_params
    stance = _one_of(Stance, asked.get("side"), Stance.GAVE)
    gift = _one_of(Gift, asked.get("kind"), Gift.NONE)
    _may_use(gift, at.me)
    async with read(request) as conn:
        other = None
        if asked.get("with"):
            other = await members.get(conn, at.community.id, path_id(asked["with"]))
        if asked.get("listing"):
            return await sheet_pages.of_listing(request, conn, path_id(asked["listing"]), other)
        name = other.name if other else ""
        sheet = record_form.blank(
            now(request).new_id(),
            stance,
            gift,
            giver="" if stance is Stance.GAVE else name,
            receiver=name if stance is Stance.GAVE else "",
        )
        form = Form.of({"behalf": asked["behalf"]} if asked.get("behalf") else {})
        return await sheet_pages.show(request, conn, sheet, form)


async def create(request: Request) -> Response:
    """Write an entry down, once: the sheet brought the id the entry will have."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = form.id("id") or now(request).new_id()
    sheet = record_form.from_form(form, id)
    _may_use(sheet.gift, at.me)
    async with read(request) as conn:
        if anew := sheet_pages.reshaped(sheet, form, at.me):
            return await sheet_pages.show(request, conn, anew, form)
        behalf = await _behalf(conn, at.community.id, at.me, form)
        sheet = await record_form.look_up(conn, at.community, sheet, form, _)
    entry = record_form.new_entry(sheet, form, at.me, behalf, at.community)
    if entry is not None and not form.flag("known"):
        warned = await sheet_pages.foreseen(request, entry, id)
        if warned:
            async with read(request) as conn:
                return await sheet_pages.show(request, conn, sheet, form, warned=warned)
    if entry is not None:

        async def record(conn: AsyncConnection) -> Entry:
            return await recording.record(
                conn, at.community.id, entry, by=at.me.id, now=now(request), entry_id=id
            )

        done = await attempt(request, form, record)
        if done is not None:
            said = _("Written down. Thank you!")
            return see_other(request, "entries:show", id=done.id, said=said)
    async with read(request) as conn:
        return await sheet_pages.show(request, conn, sheet, form, status=422)


async def edit(request: Request) -> Response:
    """The entry as it was written down, to be corrected."""
    at = here(request)
    async with read(request) as conn:
        entry = await entry_pages.at_hand(request, conn)
        if not policy.may_change(at.me, entry):
            raise Forbidden("change")
        form = Form.of(sheet_pages.as_written(entry))
        return await sheet_pages.show(request, conn, record_form.of_entry(entry), form, entry=entry)


async def update(request: Request) -> Response:
    """Correct an entry; everyone concerned sees that it was changed."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    async with read(request) as conn:
        old = await entry_pages.at_hand(request, conn)
        sheet = record_form.from_form(form, old.id)
        if anew := sheet_pages.reshaped(sheet, form, at.me):
            return await sheet_pages.show(request, conn, anew, form, entry=old)
        known = record_form.names_in(old)
        sheet = await record_form.look_up(conn, at.community, sheet, form, _, known=known)
        behalf = await _same_behalf(conn, old)
    entry = record_form.new_entry(sheet, form, at.me, behalf, at.community)
    if entry is not None:

        async def change(conn: AsyncConnection) -> Entry:
            return await recording.change(
                conn, at.community.id, old.id, entry, by=at.me.id, now=now(request)
            )

        if await attempt(request, form, change) is not None:
            return see_other(request, "entries:show", id=old.id, said=_("Corrected. Thank you!"))
    async with read(request) as conn:
        return await sheet_pages.show(request, conn, sheet, form, entry=old, status=422)


async def show(request: Request) -> Response:
    """An entry with its story, and what I may do about it; `open` names a step to unfold."""
    return await entry_pages.story(
        request, Form.blank(), opened=request.query_params.get("open", "")
    )


async def confirm(request: Request) -> Response:
    """Say that it is right."""
    return await _take_step(request, entry_steps.confirm, gettext(request)("Confirmed. Thank you!"))


async def dispute(request: Request) -> Response:
    """Say that it is not right, and how it was; with `wish`, that it should be undone."""
    _ = gettext(request)
    form = Form(await request.form())
    step = entry_steps.ask_undo if form.raw("wish") == "undo" else entry_steps.dispute
    return await _take_step(
        request, step, _("Thank you for saying so. A coordinator will look at it.")
    )


async def take(request: Request) -> Response:
    """Look into what somebody disputes; both sides see who does."""
    _ = gettext(request)
    said = _("You look into it, and both sides are told.")
    return await _take_step(request, entry_steps.take, said)


async def answer(request: Request) -> Response:
    """Answer a question, or what somebody said."""
    return await _take_step(
        request, entry_steps.answer, gettext(request)("Your answer is with them.")
    )


async def withdraw(request: Request) -> Response:
    """Take my own entry back."""
    _ = gettext(request)
    return await _take_step(request, entry_steps.withdraw, _("Taken back. No hours were moved."))


async def return_with_question(request: Request) -> Response:
    """Send it back to whoever wrote it down."""
    _ = gettext(request)
    return await _take_step(
        request, entry_steps.return_with_question, _("Your question is with them.")
    )


async def decline(request: Request) -> Response:
    """Decline with a reason; no hours move."""
    _ = gettext(request)
    return await _take_step(
        request, entry_steps.decline, _("Declined. Everyone concerned is told.")
    )


async def keep(request: Request) -> Response:
    """Settle a dispute about an approved entry: it stays."""
    return await _take_step(request, entry_steps.keep, gettext(request)("It stays as it is."))


async def approve(request: Request) -> Response:
    """Approve one entry: its hours move, all or none."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    reason = form.text("words", required=False, limit=1000, lines=True)
    override = form.flag("override")
    error: Refusal | None = None
    if form.ok:
        error = await _ask_door(
            request, Approve(at.community.id, id, at.me.id, words=reason, override=override)
        )
        if error is None:
            await _keep_deed(request, DeedKind.APPROVED, id)
            said = _("Approved. The hours are on their statements.")
            return see_other(request, "entries:show", id=id, said=said)
        form.refused(error, _)
    return await entry_pages.story(
        request, form, status=_status(error), opened="approve", refused=error
    )


async def ask_undo(request: Request) -> Response:
    """Ask for the reason before an entry is undone."""
    async with read(request) as conn:
        return await entry_pages.undo(request, conn, Form.blank())


async def undo(request: Request) -> Response:
    """Move the same minutes back; both sides are told and see the pair."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    reason = form.text("words", limit=1000, lines=True)
    override = form.flag("override")
    error: Refusal | None = None
    if form.ok:
        error = await _ask_door(
            request, Undo(at.community.id, id, at.me.id, reason, override=override)
        )
        if error is None:
            said = _("Undone. The hours are back where they came from.")
            return see_other(request, "entries:show", id=id, said=said)
        form.refused(error, _)
    async with read(request) as conn:
        return await entry_pages.undo(request, conn, form, status=_status(error), refused=error)


async def ask_correct(request: Request) -> Response:
    """The entry as it stands, to be written down as it should have been, and the reason."""
    async with read(request) as conn:
        old = await _correctable(request, conn)
        sheet = record_form.of_entry(old, now(request).new_id())
        return await sheet_pages.show(
            request, conn, sheet, Form.of(sheet_pages.as_written(old)), entry=old, correcting=True
        )


async def correct(request: Request) -> Response:
    """Take an entry back and write another one down in its place: both, or neither."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = form.id("id", required=False) or now(request).new_id()
    async with read(request) as conn:
        old = await entry_pages.at_hand(request, conn)
        sheet = record_form.from_form(form, id)
        if anew := sheet_pages.reshaped(sheet, form, at.me):
            return await sheet_pages.show(request, conn, anew, form, entry=old, correcting=True)
        known = record_form.names_in(old)
        sheet = await record_form.look_up(conn, at.community, sheet, form, _, known=known)
    new = record_form.new_entry(sheet, form, at.me, None, at.community)
    reason = form.text("words", limit=1000, lines=True)
    error: Refusal | None = None
    if new is not None and form.ok:
        error = await _correct(request, form, old, _same_givers(old, new), reason, id)
        if error is None and form.ok:
            said = _("Corrected. Everyone concerned is told.")
            return see_other(request, "entries:show", id=id, said=said)
    async with read(request) as conn:
        return await sheet_pages.show(
            request,
            conn,
            sheet,
            form,
            entry=old,
            status=422 if error is None else _status(error),
            correcting=True,
            floor_reached=isinstance(error, FloorReached),
        )


async def _correct(
    request: Request, form: Form, old: Entry, new: NewEntry, reason: str, id: UUID
) -> Refusal | None:
    """Through the door where it is posted; else it is declined and written anew."""
    at = here(request)
    if old.state not in OPEN:
        override = form.flag("override")
        asked = Correct(at.community.id, old.id, at.me.id, reason, new, id, override)
        error = await _ask_door(request, asked)
        if error is not None:
            form.refused(error, gettext(request))
        return error

    async def replace(conn: AsyncConnection) -> Entry:
        return await corrections.replace(
            conn,
            at.community.id,
            old.id,
            new,
            reason=reason,
            corrected_id=id,
            by=at.me.id,
            now=now(request),
        )

    await attempt(request, form, replace)
    return None


def _same_givers(old: Entry, new: NewEntry) -> NewEntry:
    """A gift of hours comes from where it came from: the form does not ask that again."""
    if not old.kind.is_gift:
        return new
    givers = tuple(Share(part.account_id) for part in old.givers)
    return dataclasses.replace(new, givers=givers)


async def _correctable(request: Request, conn: AsyncConnection) -> Entry:
    entry = await entry_pages.at_hand(request, conn)
    actor = await acting.one(conn, entry.community_id, here(request).me.id)
    if not policy.may_correct(actor.member, entry, actor.manages):
        raise Forbidden("correct")
    return entry


Refusal = TimebankError | LedgerError
S = TypeVar("S", bound=StrEnum)
Step = Callable[..., Awaitable[Entry]]


async def _take_step(request: Request, step: Step, said: str) -> Response:
    """Take one step of an entry's story with the words of the form, and show where it stands."""
    at = here(request)
    form = Form(await request.form())
    told = form.text("words", required=False, limit=1000, lines=True)
    id = path_id(request.path_params["id"])

    async def take(conn: AsyncConnection) -> Entry:
        return await step(conn, at.community.id, id, by=at.me.id, now=now(request), words=told)

    await attempt(request, form, take)
    if not form.ok:
        opened = request.url.path.rsplit("/", 1)[1]
        return await entry_pages.story(request, form, status=422, opened=opened)
    if form.raw("back") == "home":
        return see_other(request, "home:show", said=said)
    return see_other(request, "entries:show", id=id, said=said)


async def _keep_deed(request: Request, kind: DeedKind, id: UUID) -> None:
    """Among what the coordinator did today, with the way back; a double click is one deed."""
    at = here(request)
    async with write(request) as conn:
        entry = await entries.get(conn, at.community.id, id, by=at.me.id)
        item = Item(Thing(Why.APPROVAL, id), entry.minutes)
        await deeds.keep(
            conn,
            at.community.id,
            kind,
            [item],
            id=uuid5(id, f"{kind} by {at.me.id}"),
            by=at.me.id,
            now=now(request),
        )


async def _ask_door(request: Request, asked: Approve | Undo | Correct) -> Refusal | None:
    """Hand one request to the door: None when it is done. What one may not know of is raised."""
    (verdict,) = await posting.post(database(request), [asked], now=now(request))
    if isinstance(verdict, Done):
        return None
    if isinstance(verdict.error, NotFound):
        raise verdict.error
    return verdict.error


def _status(error: Refusal | None) -> int:
    """403 for what one may not do, 422 for what is not possible as it stands."""
    return 403 if isinstance(error, Forbidden) else 422


async def _behalf(conn: AsyncConnection, community: UUID, me: Member, form: Form) -> Member | None:
    """For whom this is written down; the domain checks that they agreed to it."""
    id = form.id("behalf", required=False)
    return None if id is None or id == me.id else await members.get(conn, community, id)


async def _same_behalf(conn: AsyncConnection, entry: Entry) -> Member | None:
    if entry.on_behalf_of is None:
        return None
    return await members.get(conn, entry.community_id, entry.on_behalf_of)


def _may_use(gift: Gift, me: Member) -> None:
    """Gifts from the commons are given by coordinators; anyone may give to it."""
    if gift is Gift.GRANT and not policy.may_coordinate(me):
        raise Forbidden("grant")


def _one_of(kinds: type[S], text: str | None, otherwise: S) -> S:
    """A member of an enum from a query, or the usual one where the query says something else."""
    return kinds(text) if text in list(kinds) else otherwise
