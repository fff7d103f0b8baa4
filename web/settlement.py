"""How the hours of a gathering move: a table first, then one entry that somebody approves."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger import ZERO, LedgerError, Minutes
from timebank import acting, agreements, entries, policy, posting, settlement_steps
from timebank.acting import Actor
from timebank.agreements import Terms
from timebank.entry import Entry, Side
from timebank.errors import Forbidden, NotFound, TimebankError
from timebank.gatherings import State
from timebank.posting import Approve, Done
from timebank.settlement_steps import Plan
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
    words,
)
from web.settlement_words import PlanTeller
from web.stories import Teller


async def show(request: Request) -> Response:
    """Who gets or gives what, from which account, and why."""
    return await _plan_page(request, Form.blank())


async def send(request: Request) -> Response:
    """Send the hours to approval, as they stood in the table somebody looked at."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    seal = form.text("seal", limit=64)

    async def write_down(conn: AsyncConnection) -> tuple[Entry | None]:
        entry = await settlement_steps.send(
            conn, at.community.id, id, seal=seal, by=at.me.id, now=now(request)
        )
        return (entry,)

    done = await attempt(request, form, write_down)
    if done is None:
        return await _plan_page(request, form, status=422)
    said = _("Sent. A coordinator looks at it.") if done[0] else _("Settled. Thank you!")
    return see_other(request, "settlement:show", id=id, said=said)


async def approve(request: Request) -> Response:
    """Approve the hours of a whole gathering: all of them, or none."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    reason = form.text("words", required=False, limit=1000, lines=True)
    async with read(request) as conn:
        plan = await settlement_steps.plan(conn, at.community.id, id, by=at.me.id)
    if plan.waiting is None:
        raise NotFound("settlement")
    status = 422
    if form.ok:
        asked = Approve(
            at.community.id,
            plan.waiting.entry_id,
            at.me.id,
            words=reason,
            override=form.flag("override"),
        )
        (verdict,) = await posting.post(database(request), [asked], now=now(request))
        if isinstance(verdict, Done):
            said = _("Approved. The hours are on their statements, and everybody is thanked.")
            return see_other(request, "settlement:show", id=id, said=said)
        status = _refused(request, form, verdict.error)
    return await _plan_page(request, form, status=status)


async def vouch(request: Request) -> Response:
    """Somebody who was there says that it is right, where no coordinator can decide alone."""
    at, _ = here(request), gettext(request)
    id = path_id(request.path_params["id"])
    form = Form.blank()

    async def say(conn: AsyncConnection) -> bool:
        await settlement_steps.vouch(conn, at.community.id, id, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, say) is None:
        return await _plan_page(request, form, status=422)
    return see_other(request, "settlement:show", id=id, said=_("Thank you. That is noted."))


def _refused(request: Request, form: Form, error: TimebankError | LedgerError) -> int:
    """Put the door's refusal into the form; the status it is answered with."""
    if isinstance(error, NotFound):
        raise error
    form.refused(error, gettext(request))
    return 403 if isinstance(error, Forbidden) else 422


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads a plan, and what they may do with it."""

    actor: Actor
    entry: Entry | None
    may: frozenset[str]
    all_gain: bool


async def _plan_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    async with read(request) as conn:
        plan = await settlement_steps.plan(
            conn, at.community.id, path_id(request.path_params["id"]), by=at.me.id
        )
        reader = await _reader(request, conn, plan)
    sponsor = _sponsor(reader.entry)
    told = PlanTeller(plan, Teller(words(request), at.me.id), sponsor, reader.all_gain)
    return page(
        request,
        "settlement/show.html",
        status=status,
        plan=plan,
        room=plan.room,
        entry=reader.entry,
        may=reader.may,
        sponsor=sponsor,
        says=told.says(),
        people=told.people(),
        givers=told.givers(),
        changes=told.changes() if plan.moves else [],
        rest=told.rest(),
        guests=told.guests(),
        happened=told.happened(),
        total=_total(plan),
        first_time=not any(one.posted_at for one in plan.story),
        standing="settled" if plan.room.state is State.SETTLED else "",
        looks_after=policy.may_keep_list(reader.actor.member, plan.room.organisers),
        form=form,
    )


async def _reader(request: Request, conn: AsyncConnection, plan: Plan) -> _Reader:
    """What this reader may do now: send it, agree to it, vouch for it, approve it."""
    at = here(request)
    actor = await acting.one(conn, at.community.id, at.me.id)
    may = set()
    if plan.waiting is None:
        closed = not plan.roll.open and plan.room.state is State.HELD
        if closed and policy.may_keep_list(actor.member, plan.room.organisers):
            may.add("send")
        return _Reader(actor, None, frozenset(may), all_gain=False)
    entry = await entries.one(conn, at.community.id, plan.waiting.entry_id)
    terms = (await agreements.current(conn, at.community.id)).terms
    coordinators = await acting.all_coordinators(conn, at.community.id)
    all_gain = all(policy.gains(one.member, entry, one.manages) for one in coordinators)
    if _may_approve(actor, entry, terms):
        may.add("approve")
    if _their_word(actor, entry) and policy.may_confirm(actor.member, entry, actor.acts_for):
        may.add("confirm")
    if await settlement_steps.may_vouch(conn, actor, entry):
        may.add("vouch")
    return _Reader(actor, entry, frozenset(may), all_gain)


def _may_approve(actor: Actor, entry: Entry, terms: Terms) -> bool:
    return policy.may_approve(
        actor.member, entry, actor.manages, terms=terms
    ) and policy.agreed_enough(entry, terms)


def _their_word(actor: Actor, entry: Entry) -> bool:
    """Whether it is their word for the sponsor that is missing."""
    answers = policy.answerable(actor.member, entry, actor.acts_for)
    return any(part.must_agree and part.confirmed_at is None for part in answers)


def _sponsor(entry: Entry | None) -> str:
    """The organisation that has to agree and has not; "" for none."""
    if entry is None:
        return ""
    missing = [part for part in entry.parts if part.must_agree and part.confirmed_at is None]
    return missing[0].name if missing else ""


def _total(plan: Plan) -> Minutes:
    """What would be posted."""
    given = (move.minutes for move in plan.moves if move.side is Side.GAVE)
    return sum(given, ZERO)
