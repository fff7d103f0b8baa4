"""Entries: write hours down, read an entry's story, and move it on step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger import LedgerError
from ledger.errors import FloorReached
from timebank import (
    acting,
    agreements,
    buddies,
    communities,
    directory,
    entries,
    entry_steps,
    listings,
    members,
    policy,
    posting,
    recording,
)
from timebank.entry import OPEN, Entry, Kind, Side
from timebank.errors import Forbidden, NotFound, TimebankError
from timebank.listings import ListingKind
from timebank.members import Member
from timebank.posting import Approve, Done, Undo
from web import record_form
from web.attempt import attempt
from web.forms import Form
from web.pages import (
    database,
    gettext,
    here,
    now,
    page,
    path_id,
    read,
    see_other,
    today,
    words,
)
from web.record_form import Gift, Sheet, Stance
from web.stories import Teller, kind_label

PAGE = 50


async def index(request: Request) -> Response:
    """My entries, newest first: all, or those that still wait."""
    at = here(request)
    waiting = request.query_params.get("show") == "waiting"
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
            return await _sheet_of_listing(request, conn, path_id(asked["listing"]), other)
        name = other.name if other else ""
        sheet = record_form.blank(
            now(request).new_id(),
            stance,
            gift,
            giver="" if stance is Stance.GAVE else name,
            receiver=name if stance is Stance.GAVE else "",
        )
        form = Form.of({"behalf": asked["behalf"]} if asked.get("behalf") else {})
        return await _sheet_page(request, conn, sheet, form)


async def create(request: Request) -> Response:
    """Write an entry down, once: the sheet brought the id the entry will have."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = form.id("id") or now(request).new_id()
    sheet = record_form.from_form(form, id)
    _may_use(sheet.gift, at.me)
    async with read(request) as conn:
        if reshaped := _reshaped(sheet, form, at.me):
            return await _sheet_page(request, conn, reshaped, form)
        behalf = await _behalf(conn, at.community.id, at.me, form)
        sheet = await record_form.look_up(conn, at.community, sheet, form, _)
    entry = record_form.new_entry(sheet, form, at.me, behalf, at.community)
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
        return await _sheet_page(request, conn, sheet, form, status=422)


async def edit(request: Request) -> Response:
    """The entry as it was written down, to be corrected."""
    at = here(request)
    async with read(request) as conn:
        entry = await _entry(request, conn)
        if not policy.may_change(at.me, entry):
            raise Forbidden("change")
        form = Form.of(_as_written(entry))
        return await _sheet_page(request, conn, record_form.of_entry(entry), form, entry=entry)


async def update(request: Request) -> Response:
    """Correct an entry; everyone concerned sees that it was changed."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    async with read(request) as conn:
        old = await _entry(request, conn)
        sheet = record_form.from_form(form, old.id)
        if reshaped := _reshaped(sheet, form, at.me):
            return await _sheet_page(request, conn, reshaped, form, entry=old)
        sheet = await record_form.look_up(conn, at.community, sheet, form, _)
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
        return await _sheet_page(request, conn, sheet, form, entry=old, status=422)


async def show(request: Request) -> Response:
    """An entry with its story, and what I may do about it; `open` names a step to unfold."""
    return await _story_page(request, Form.blank(), opened=request.query_params.get("open", ""))


async def confirm(request: Request) -> Response:
    """Say that it is right."""
    return await _take_step(request, entry_steps.confirm, gettext(request)("Confirmed. Thank you!"))


async def dispute(request: Request) -> Response:
    """Say that it is not right, and how it was."""
    _ = gettext(request)
    return await _take_step(
        request, entry_steps.dispute, _("Thank you for saying so. A coordinator will look at it.")
    )


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
            said = _("Approved. The hours are on their statements.")
            return see_other(request, "entries:show", id=id, said=said)
        form.refused(error, _)
    return await _story_page(request, form, status=_status(error), opened="approve", refused=error)


async def ask_undo(request: Request) -> Response:
    """Ask for the reason before an entry is undone."""
    async with read(request) as conn:
        return await _undo_page(request, conn, Form.blank())


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
        return await _undo_page(request, conn, form, status=_status(error), refused=error)


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
        return await _story_page(request, form, status=422, opened=opened)
    if form.raw("back") == "home":
        return see_other(request, "home:show", said=said)
    return see_other(request, "entries:show", id=id, said=said)


async def _ask_door(request: Request, asked: Approve | Undo) -> Refusal | None:
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


async def _entry(request: Request, conn: AsyncConnection) -> Entry:
    at = here(request)
    id = path_id(request.path_params["id"])
    return await entries.get(conn, at.community.id, id, by=at.me.id)


async def _story_page(
    request: Request,
    form: Form,
    *,
    status: int = 200,
    opened: str = "",
    refused: Refusal | None = None,
) -> Response:
    at = here(request)
    async with read(request) as conn:
        entry = await _entry(request, conn)
        story = await entries.story(conn, at.community.id, entry.id)
        terms = (await agreements.current(conn, at.community.id)).terms
        listing = await listings.of_entry(conn, at.community.id, entry.id)
        actor = await acting.one(conn, at.community.id, at.me.id)
        sole = await acting.coordinators(conn, at.community.id) == 1
        below = []
        if entry.state in OPEN:
            below = await posting.below_soft_floor(conn, at.community.id, entry)
    return page(
        request,
        "entries/show.html",
        status=status,
        entry=entry,
        listing=listing,
        listing_is_open=listing is not None and listing.is_open(today(request)),
        story=story,
        terms=terms,
        below=below,
        may=policy.steps_open_to(
            actor.member,
            entry,
            terms,
            acts_for=actor.acts_for,
            manages=actor.manages,
            sole=sole,
            today=now(request).at.date(),
        ),
        form=form,
        empty=Form.blank(),
        opened=opened,
        floor_reached=isinstance(refused, FloorReached),
        tell=Teller(words(request), at.me.id),
    )


async def _undo_page(
    request: Request,
    conn: AsyncConnection,
    form: Form,
    *,
    status: int = 200,
    refused: Refusal | None = None,
) -> Response:
    entry = await _entry(request, conn)
    actor = await acting.one(conn, entry.community_id, here(request).me.id)
    if not policy.may_undo(actor.member, entry, actor.manages):
        raise Forbidden("undo")
    return page(
        request,
        "entries/undo.html",
        status=status,
        entry=entry,
        form=form,
        floor_reached=isinstance(refused, FloorReached),
        tell=Teller(words(request), here(request).me.id),
    )


async def _sheet_of_listing(
    request: Request, conn: AsyncConnection, id: UUID, other: Member | None
) -> Response:
    """A sheet that begins as an offer or a request says: who helps whom, and with what.

    `other` is whoever took it up; without one, it is the member who asks.
    """
    at = here(request)
    actor = await acting.one(conn, at.community.id, at.me.id)
    listing = await listings.seen(conn, at.community.id, id, actor, today=today(request))
    two = (listing.member, other or at.me)
    giver, receiver = two if listing.kind is ListingKind.OFFER else two[::-1]
    ours = {at.me.id: "", **{account: str(account) for account in actor.acts_for}}
    if giver.id in ours:
        stance, behalf = Stance.GAVE, ours[giver.id]
    elif receiver.id in ours:
        stance, behalf = Stance.RECEIVED, ours[receiver.id]
    else:
        stance, behalf = Stance.BETWEEN, ""
    sheet = record_form.blank(
        now(request).new_id(),
        stance,
        Gift.NONE,
        giver="" if stance is Stance.GAVE else giver.name,
        receiver="" if stance is Stance.RECEIVED else receiver.name,
    )
    form = Form.of(
        {
            "listing": str(listing.id),
            "note": listing.title,
            "category": str(listing.category_id or ""),
            "behalf": behalf,
        }
    )
    return await _sheet_page(request, conn, sheet, form)


async def _sheet_page(
    request: Request,
    conn: AsyncConnection,
    sheet: Sheet,
    form: Form,
    *,
    entry: Entry | None = None,
    status: int = 200,
) -> Response:
    at, _ = here(request), gettext(request)
    people = await directory.choices(conn, at.community.id)
    for_others = await buddies.records_for(conn, at.community.id, at.me.id)
    categories = await communities.categories_of(conn, at.community.id)
    return page(
        request,
        "entries/new.html",
        status=status,
        sheet=sheet,
        form=form,
        entry=entry,
        people=[choice for choice in people if choice.account_id != at.me.account_id]
        if not sheet.several
        else people,
        for_others=[(str(member.id), member.name) for member in for_others],
        kinds=[(kind, kind_label(kind, _)) for kind in Kind if not kind.is_gift],
        categories=[(str(one.id), one.name) for one in categories],
        terms=(await agreements.current(conn, at.community.id)).terms,
        today=now(request).day_in(at.community.timezone),
    )


def _reshaped(sheet: Sheet, form: Form, me: Member) -> Sheet | None:
    """The sheet in its new shape, where a button asked for one instead of recording."""
    asked = form.raw("act")
    if asked == "several":
        return record_form.spread(sheet, me.name)
    if asked == "one-more-giver":
        return sheet.with_row(Side.GAVE)
    if asked == "one-more-receiver":
        return sheet.with_row(Side.RECEIVED)
    return None


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


def _as_written(entry: Entry) -> dict[str, str]:
    """The fields of the sheet, filled in from an entry."""
    first = entry.givers[0]
    return {
        "minutes": str(first.minutes),
        "day": entry.occurred_on.isoformat(),
        "note": entry.note,
        "kind": entry.kind.value,
        "category": str(entry.category_id or ""),
    }


def _one_of(kinds: type[S], text: str | None, otherwise: S) -> S:
    """A member of an enum from a query, or the usual one where the query says something else."""
    return kinds(text) if text in list(kinds) else otherwise
