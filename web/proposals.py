"""Proposals to change the agreement: writing one, saying what one thinks, putting it into force."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import (
    acting,
    agreements,
    communities,
    directory,
    lists,
    members,
    policy,
    proposals,
    proposing,
)
from timebank.acting import Actor
from timebank.agreements import Agreement
from timebank.directory import Choice
from timebank.errors import AgreementMoved, Forbidden, WrongState
from timebank.members import Member, MemberKind
from timebank.patches import overlap, patched
from timebank.proposals import PENDING, Proposal, Stance, State, Step, StepKind, Voice
from timebank.proposing import NewProposal
from web import downloads
from web.agreement import Change, Clauses, as_adopted, on_the_form, terms_in
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, now, page, path_id, read, see_other
from web.stories import Gettext

USUAL_DAYS = timedelta(days=21)
"""So long people can agree, unless a proposal says otherwise."""
ROWS = 4
"""Fields for the names of people to ask, at first."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody whose word the reader may give, and what they said so far."""

    id: UUID
    name: str
    said: Voice | None


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────


async def index(request: Request) -> Response:
    """What is proposed now, and what was."""
    at = here(request)
    async with read(request) as conn:
        if format := downloads.wanted(request):
            listed = await lists.all_proposals(conn, at.community.id)
            return await downloads.send(request, listed, format)
        pending = await proposals.listed(conn, at.community.id, PENDING)
        past = await proposals.listed(
            conn, at.community.id, [state for state in State if state not in PENDING], limit=50
        )
        mine = set(await proposals.asked_of(conn, at.community.id, at.me.id))
    return page(
        request,
        "proposals/index.html",
        pending=pending,
        past=past,
        mine=mine,
        stands=lambda one: _stands(one, gettext(request)),
        may_propose=policy.may_propose(at.me),
    )


async def show(request: Request) -> Response:
    """What would change in plain words, who has to agree, and what was said."""
    return await _proposal_page(request, Form.blank())


async def _proposal_page(
    request: Request, form: Form, *, opened: str = "", status: int = 200
) -> Response:
    at, _ = here(request), gettext(request)
    id = path_id(request.path_params["id"])
    async with read(request) as conn:
        proposal = await proposals.get(conn, at.community.id, id)
        story = await proposals.story(conn, at.community.id, id)
        base = await agreements.version(conn, at.community.id, proposal.base_version)
        current = await agreements.current(conn, at.community.id)
        speakers = await _speakers(conn, proposal, at.me)
    moved = proposal.state in PENDING and overlap(proposal.changes, base.terms, current.terms)
    pending = proposal.state in PENDING
    return page(
        request,
        "proposals/show.html",
        status=status,
        proposal=proposal,
        stands=_stands(proposal, _),
        changes=_changes(request, proposal, base),
        moved=bool(moved),
        current=current,
        asked=[voice for voice in proposal.voices if voice.asked],
        others=[voice for voice in proposal.voices if not voice.asked and voice.stance],
        stance_label=lambda stance: _stance_label(stance, _),
        story=[(step, _told(step, _)) for step in story],
        speakers=speakers if pending else [],
        stances=[(stance, _stance_choice(stance, _)) for stance in Stance],
        mine=proposal.proposed_by == at.me.id,
        may_settle=policy.may_settle(at.me),
        may_speak=policy.may_propose(at.me),
        begins=_begins(proposal, now(request).day_in(at.community.timezone)),
        form=form,
        opened=opened,
        empty=Form.blank(),
    )


def _changes(request: Request, proposal: Proposal, base: Agreement) -> list[Change]:
    return Clauses(request).changes(base.terms, patched(base.terms, proposal.changes))


async def _speakers(conn: AsyncConnection, proposal: Proposal, me: Member) -> list[Speaker]:
    """For whom the reader may speak: themselves, and of the others those who matter here."""
    said = {voice.member_id: voice for voice in proposal.voices}
    actor = await acting.one(conn, me.community_id, me.id)
    known = await members.get_many(
        conn, me.community_id, {me.id, *actor.acts_for, *(voice for voice in said)}
    )
    able = [one for one in known.values() if policy.may_voice(me, one, actor.acts_for)]
    able = [one for one in able if one.id == me.id or _matters(one, actor, said)]
    able.sort(key=lambda one: (one.id != me.id, one.kind, one.name))
    return [Speaker(one.id, one.name, said.get(one.id)) for one in able]


def _matters(member: Member, actor: Actor, said: dict[UUID, Voice]) -> bool:
    """Somebody who was asked or spoke before, or an organisation one manages."""
    return member.id in said or member.id in actor.manages


def _begins(proposal: Proposal, today: date) -> date | None:
    """The day on which it would come into force, None for at once."""
    day = proposal.effective_on
    return day if day is not None and day > today else None


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────


async def new(request: Request) -> Response:
    """The agreement as a form: change what should change."""
    at, moment = here(request), now(request)
    async with read(request) as conn:
        current = await agreements.current(conn, at.community.id)
        until = moment.day_in(at.community.timezone) + USUAL_DAYS
        filled = as_adopted(current) | {
            "id": str(moment.new_id()),
            "open_until": until.isoformat(),
        }
        return await _form_page(request, conn, Form.of(filled), current)


async def create(request: Request) -> Response:
    """Propose it, and ask those who were named."""

    async def work(conn: AsyncConnection, proposed: NewProposal, form: Form) -> Proposal:
        return await proposing.propose(
            conn,
            here(request).community.id,
            proposed,
            by=here(request).me.id,
            now=now(request),
            proposal_id=form.id("id"),
        )

    return await _send(
        request, work, None, gettext(request)("Proposed. Those you named are asked.")
    )


async def edit(request: Request) -> Response:
    """The same form, as it was proposed: for who proposed it."""
    at = here(request)
    async with read(request) as conn:
        proposal = await _own(request, conn)
        current = await agreements.current(conn, at.community.id)
        terms = patched(current.terms, proposal.changes)
        filled = as_adopted(replace(current, terms=terms)) | {
            "version": str(current.version),
            "reason": proposal.reason,
            "open_until": proposal.open_until.isoformat(),
            "effective_on": proposal.effective_on.isoformat() if proposal.effective_on else "",
            "behalf": str(proposal.on_behalf_of or ""),
        }
        filled |= _asked_fields(proposal)
        houses = {voice.member_id for voice in proposal.voices if voice.asked}
        form = Form.of(filled)
        return await _form_page(request, conn, form, current, proposal, ticked=houses)


async def update(request: Request) -> Response:
    """Change what is proposed; everybody is asked again."""
    async with read(request) as conn:
        proposal = await _own(request, conn)

    async def work(conn: AsyncConnection, proposed: NewProposal, _form: Form) -> Proposal:
        return await proposing.revise(
            conn,
            here(request).community.id,
            proposal.id,
            proposed,
            by=here(request).me.id,
            now=now(request),
        )

    said = gettext(request)("Changed. Everybody is asked again, because it is something else now.")
    return await _send(request, work, proposal, said)


Work = Callable[[AsyncConnection, NewProposal, Form], Awaitable[Proposal]]


async def _send(request: Request, work: Work, proposal: Proposal | None, said: str) -> Response:
    """What writing and changing share: read the form, do it, or show the form again."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    async with read(request) as conn:
        current = await agreements.current(conn, at.community.id)
        asked = await _named(conn, form, at.community, _)
    terms = terms_in(form, current.terms, now(request), _)
    expected = form.number("version", 1, 2**31) or 0
    open_until = form.day("open_until")
    proposed = NewProposal(
        terms=terms,
        reason=form.text("reason", limit=1000, lines=True),
        asked=tuple(asked),
        open_until=open_until or date.min,
        effective_on=form.day("effective_on", required=False),
        expected_version=expected,
        on_behalf_of=form.id("behalf", required=False),
    )
    if expected != current.version:
        form.refused(AgreementMoved(current.version), _)
    if form.ok and not agreements.changes(current.terms, terms):
        form.mistake("", _("Nothing is different from the agreement you have."))
    made = await attempt(request, form, lambda conn: work(conn, proposed, form))
    if made is None:
        async with read(request) as conn:
            return await _form_page(request, conn, form, current, proposal, status=422)
    return see_other(request, "proposals:show", id=made.id, said=said)


async def _form_page(
    request: Request,
    conn: AsyncConnection,
    form: Form,
    current: Agreement,
    proposal: Proposal | None = None,
    *,
    ticked: Set[UUID] = frozenset(),
    status: int = 200,
) -> Response:
    at, _ = here(request), gettext(request)
    everyone = await directory.choices(conn, at.community.id)
    actor = await acting.one(conn, at.community.id, at.me.id)
    houses = [one for one in everyone if one.kind is MemberKind.ORGANISATION]
    rows = max(ROWS, 1 + sum(form.has(f"asked-{row}") for row in range(proposing.MOST_ASKED)))
    return page(
        request,
        "proposals/new.html",
        status=status,
        form=form,
        current=current,
        proposal=proposal,
        **on_the_form(current.terms, _),
        houses=houses,
        ticked=set(form.ids("house")) if form.has("house") else ticked,
        people=[one for one in everyone if one.kind is MemberKind.PERSON],
        rows=range(rows),
        behalf=_behalf(actor, everyone, _),
    )


def _behalf(actor: Actor, everyone: Iterable[Choice], _: Gettext) -> list[tuple[str, str]]:
    """In whose name one may propose: one's own, or an organisation's."""
    managed = [
        (str(one.account_id), one.label) for one in everyone if one.account_id in actor.manages
    ]
    return [("", _("In my own name")), *managed] if managed else []


async def _named(
    conn: AsyncConnection, form: Form, place: communities.Community, _: Gettext
) -> list[UUID]:
    """Who has to agree: the organisations that were ticked, the people who were named."""
    found = form.ids("house") if form.has("house") else []
    for row in range(proposing.MOST_ASKED):
        field = f"asked-{row}"
        if not form.has(field):
            break
        name = form.text(field, required=False)
        if not name:
            continue
        fits = await directory.resolve(conn, place.id, name)
        if len(fits) == 1:
            found.append(fits[0].account_id)
        elif fits:
            form.mistake(field, _("This fits several people. Write the whole name."))
        else:
            form.mistake(
                field,
                _("Nobody here is called “%(name)s”. Begin with the first letters of the name.")
                % {"name": name},
            )
    return list(dict.fromkeys(found))


def _asked_fields(proposal: Proposal) -> dict[str, str]:
    """The names of the people who were asked, as fields."""
    people = [
        voice.name for voice in proposal.voices if voice.asked and voice.kind is MemberKind.PERSON
    ]
    return {f"asked-{row}": name for row, name in enumerate(people)}


async def _own(request: Request, conn: AsyncConnection) -> Proposal:
    """The proposal, for the one who made it while it is open."""
    at = here(request)
    proposal = await proposals.get(conn, at.community.id, path_id(request.path_params["id"]))
    if proposal.proposed_by != at.me.id:
        raise Forbidden("revise")
    if proposal.state is not State.OPEN:
        raise WrongState(proposal.state.value, "revise")
    return proposal


# ── Saying and deciding ──────────────────────────────────────────────────────────────────────────


async def voice(request: Request) -> Response:
    """Agree, have a concern, or stand aside: oneself, or for somebody one speaks for."""
    form = Form(await request.form())
    stance = form.choice("stance", Stance)
    member = form.id("member", required=False) or here(request).me.id
    words = form.text("words", required=False, limit=1000, lines=True)

    async def work(conn: AsyncConnection, id: UUID) -> None:
        assert stance is not None, "the form would not be right"
        await proposing.say(
            conn,
            here(request).community.id,
            id,
            stance,
            words,
            member=member,
            by=here(request).me.id,
            now=now(request),
        )

    return await _act(request, form, work, gettext(request)("Noted. You can say it anew any time."))


async def comment(request: Request) -> Response:
    """Say something about it, for all to read."""
    form = Form(await request.form())
    words = form.text("words", limit=1000, lines=True)

    async def work(conn: AsyncConnection, id: UUID) -> None:
        at = here(request)
        await proposing.comment(conn, at.community.id, id, words, by=at.me.id, now=now(request))

    return await _act(request, form, work, gettext(request)("Your words stand below the proposal."))


async def withdraw(request: Request) -> Response:
    """Take one's own proposal back."""
    form = Form(await request.form())
    words = form.text("words", required=False, limit=1000, lines=True)

    async def work(conn: AsyncConnection, id: UUID) -> None:
        at = here(request)
        await proposing.withdraw(conn, at.community.id, id, words, by=at.me.id, now=now(request))

    return await _act(request, form, work, gettext(request)("Taken back."))


async def settle(request: Request) -> Response:
    """Put it into force: at once, or from the day it names."""
    form = Form(await request.form())

    async def work(conn: AsyncConnection, id: UUID) -> None:
        at = here(request)
        await proposing.settle(conn, at.community.id, id, by=at.me.id, now=now(request))

    return await _act(request, form, work, gettext(request)("Settled. Everyone who spoke is told."))


async def decline(request: Request) -> Response:
    """Decline it, for a reason that everyone can read."""
    form = Form(await request.form())
    words = form.text("words", limit=1000, lines=True)

    async def work(conn: AsyncConnection, id: UUID) -> None:
        at = here(request)
        await proposing.decline(conn, at.community.id, id, words, by=at.me.id, now=now(request))

    return await _act(request, form, work, gettext(request)("Declined. Its proposer is told why."))


async def _act(
    request: Request,
    form: Form,
    work: Callable[[AsyncConnection, UUID], Awaitable[None]],
    said: str,
) -> Response:
    """What all of these share: do it and go back to the proposal, or say there what is wrong."""
    id = path_id(request.path_params["id"])

    async def done(conn: AsyncConnection) -> bool:
        await work(conn, id)
        return True

    if await attempt(request, form, done) is None:
        step = request.url.path.rpartition("/")[2]
        return await _proposal_page(request, form, opened=step, status=422)
    return see_other(request, "proposals:show", id=id, said=said)


# ── In words ─────────────────────────────────────────────────────────────────────────────────────


def _stands(proposal: Proposal, _: Gettext) -> str:
    """Where a proposal stands, in a few words."""
    if proposal.state is State.OPEN:
        return _("waits for a steward") if not proposal.missing else _("being talked about")
    return {
        State.SETTLED: _("settled"),
        State.IN_FORCE: _("in force"),
        State.WITHDRAWN: _("taken back"),
        State.DECLINED: _("declined"),
        State.EXPIRED: _("ran out"),
    }[proposal.state]


def _stance_label(stance: Stance | None, _: Gettext) -> str:
    """What somebody said, in a word or two."""
    if stance is None:
        return _("has not answered yet")
    return {
        Stance.AGREE: _("agrees"),
        Stance.CONCERN: _("has a concern"),
        Stance.ASIDE: _("stands aside"),
    }[stance]


def _stance_choice(stance: Stance, _: Gettext) -> str:
    """What one can say."""
    return {
        Stance.AGREE: _("I agree"),
        Stance.CONCERN: _("I have a concern"),
        Stance.ASIDE: _("I stand aside: not for it, and not in its way"),
    }[stance]


def _told(step: Step, _: Gettext) -> str:
    """What happened, and who did it."""
    sentences = {
        StepKind.PROPOSED: _("%(name)s proposed it"),
        StepKind.REVISED: _("%(name)s changed it, and everybody was asked again"),
        StepKind.COMMENT: _("%(name)s said"),
        StepKind.SETTLED: _("%(name)s settled it"),
        StepKind.IN_FORCE: _("It came into force"),
        StepKind.MOVED: _("It could not come into force on its day, and is open again"),
        StepKind.WITHDRAWN: _("%(name)s took it back"),
        StepKind.DECLINED: _("%(name)s declined it"),
        StepKind.EXPIRED: _("It ran out: not everybody had agreed in time"),
    }
    return sentences[step.kind] % {"name": step.name or _("Somebody who has left")}
