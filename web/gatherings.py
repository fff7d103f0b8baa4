"""Gatherings: what is coming, one of them, and planning, changing or calling one off.

Answers and roles are in `web.gathering_steps`, lists and invitations in `web.gathering_people`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import (
    acting,
    agenda,
    agreements,
    buddies,
    calendars,
    directory,
    doors,
    formats,
    gathering,
    planning,
    policy,
    seats,
    series,
    whence,
)
from timebank.acting import Actor
from timebank.affiliations import Hat
from timebank.agenda import Choice, Line
from timebank.errors import Forbidden, NotFound
from timebank.gathering import Gathering
from timebank.gatherings import Answer, Rule, State
from timebank.members import Member, MemberKind
from timebank.series import Series
from timebank.spreadsheet import Table
from web import plan_form
from web.at_gathering import appointment, calendar_file, opened
from web.attempt import attempt
from web.downloads import download, wanted
from web.forms import Form
from web.gathering_words import Telling, every_choices, openness_choices, rule_choices
from web.pages import (
    gettext,
    here,
    now,
    page,
    path_id,
    path_of,
    read,
    see_other,
    settings,
)
from web.stories import Gettext

PAGE = 40
LAST_TIMES = 3
"""So many of the latest gatherings are offered to be done again."""


# ── What is coming ───────────────────────────────────────────────────────────────────────────────


async def index(request: Request) -> Response:
    """What is coming as a list, or what has been; all of it or mine, by area and by kind."""
    at = here(request)
    form = Form(request.query_params)
    choice = chosen(form)
    past = request.query_params.get("show") == "past"
    limit = 5000 if wanted(request) else PAGE + 1
    async with read(request) as conn:
        actor = await acting.one(conn, at.community.id, at.me.id)
        if past:
            lines = await agenda.past(
                conn, actor, before=now(request).at, choice=choice, limit=limit
            )
        else:
            lines = await agenda.coming(
                conn, actor, now=now(request).at, choice=choice, limit=limit
            )
        areas = await agenda.areas(conn, at.community.id, after=now(request).at)
        kinds = await formats.of(conn, at.community.id)
    telling = Telling.to(request, at.community)
    if file := wanted(request):
        return download(_table(lines, telling), file)
    return page(
        request,
        "gatherings/index.html",
        lines=lines[:PAGE],
        more=len(lines) > PAGE,
        past=past,
        choice=choice,
        form=form,
        areas=areas,
        kinds=kinds,
        tell=telling,
        may_plan=policy.may_plan(at.me),
        query=shown_query(choice),
        narrowed=narrowed,
    )


def chosen(form: Form) -> Choice:
    """Which gatherings a list is asked for; what makes no sense is all of them."""
    return Choice(
        mine=form.raw("mine") == "1",
        area=form.text("area", required=False, limit=100),
        format_id=form.id("kind", required=False),
    )


def shown_query(choice: Choice) -> dict[str, str]:
    """A choice as it stands in an address."""
    return narrowed(choice) | ({"mine": "1"} if choice.mine else {})


def narrowed(choice: Choice) -> dict[str, str]:
    """The area and the kind of a choice as they stand in an address."""
    facts = {"area": choice.area, "kind": str(choice.format_id or "")}
    return {name: fact for name, fact in facts.items() if fact}


def _table(lines: list[Line], telling: Telling) -> Table:
    headings = (
        "starts_at",
        "ends_at",
        "title",
        "place",
        "area",
        "kind",
        "hosts",
        "state",
        "coming",
        "capacity",
        "roles_free",
    )
    rows = [
        (
            line.starts_at,
            line.ends_at,
            line.title,
            line.place,
            line.area,
            line.format,
            ", ".join(line.hosts),
            line.state.value,
            line.coming,
            line.capacity,
            telling.roles(line.free),
        )
        for line in lines
    ]
    return Table("gatherings", headings, rows)


# ── One of them ──────────────────────────────────────────────────────────────────────────────────


async def show(request: Request) -> Response:
    """One gathering: what it is, who does what, who comes, and what I say."""
    return await show_page(request, Form.blank())


async def show_page(request: Request, form: Form, *, status: int = 200) -> Response:
    """The page of a gathering; `form` has the mistakes of a step that was refused."""
    at = here(request)
    community = at.community
    async with read(request) as conn:
        at_hand = await opened(request, conn)
        found, actor = at_hand.found, at_hand.actor
        hats = await seats.hats_of(conn, community, found, at.me.id)
        helped = await _helped(conn, actor)
        whole, number, dates = await _series(conn, found)
        payer = await _payer(conn, found)
        names = await directory.choices(conn, community.id) if at_hand.organises else []
    seat = found.seat_of(at.me.id)
    telling = Telling.to(request, community)
    mine = {house.id for house in found.invited} & actor.manages
    held = found.state is not State.CANCELLED
    return page(
        request,
        "gatherings/show.html",
        status=status,
        form=form,
        found=found,
        seat=seat,
        my_duties={duty.role_key: duty for duty in found.duties_of(seat.id)} if seat else {},
        hats=_hat_options(hats, gettext(request)),
        helped=[(one.id, one.name) for one in helped],
        asked_for=_asked_for(found, actor),
        houses=[house for house in found.invited if house.id in mine],
        whole=whole,
        number=number,
        dates=dates,
        payer=payer,
        names=[one for one in names if one.kind is MemberKind.PERSON],
        organises=at_hand.organises,
        invites=at_hand.invites,
        acts=policy.may_act(at.me),
        open=found.state is State.PLANNED and now(request).at < found.ends_at,
        begun=held and now(request).at >= found.starts_at - doors.OPENS,
        over=held and now(request).at >= found.ends_at,
        tell=telling,
        public=f"{settings(request).base_url}{path_of(request, 'whats_on:show', id=found.id)}",
    )


def _hat_options(hats: list[Hat], _: Gettext) -> list[tuple[str, str]]:
    """Where one may come from, to choose from; nothing for who has no choice."""
    if not hats:
        return []
    return [
        *((str(hat.organisation_id), hat.organisation) for hat in hats),
        ("neighbour", _("here as a neighbour")),
    ]


async def _helped(conn: AsyncConnection, actor: Actor) -> list[Member]:
    """The people this member may answer for."""
    if not actor.acts_for:
        return []
    some = await buddies.records_for(conn, actor.member.community_id, actor.id)
    return [one for one in some if one.kind is MemberKind.PERSON]


def _asked_for(found: Gathering, actor: Actor) -> list[tuple[gathering.Duty, gathering.Seat]]:
    """What they, or people they answer for, are asked to do."""
    return [
        (duty, seat)
        for duty in found.duties
        if duty.state == "asked"
        and (seat := found.seat(duty.seat_id)) is not None
        and seat.member_id in actor.accounts
    ]


Dates = list[tuple[UUID, datetime, datetime, State]]


async def _series(conn: AsyncConnection, found: Gathering) -> tuple[Series | None, int, Dates]:
    if found.series_id is None:
        return None, 0, []
    whole = await series.get(conn, found.community_id, found.series_id)
    number = await series.number_of(conn, found)
    dates = await series.dates_of(
        conn, found.community_id, found.series_id, after=found.starts_at, limit=3
    )
    return whole, number, dates


async def _payer(conn: AsyncConnection, found: Gathering) -> str:
    """The organisation that sponsors it; "" for the commons."""
    if found.rule is not Rule.SPONSORED or found.payer_id in (None, found.community_id):
        return ""
    return next((one.name for one in found.hosts if one.id == found.payer_id), "") or next(
        (
            one.name
            for one in await whence.houses(conn, found.community_id)
            if one.id == found.payer_id
        ),
        "",
    )


# ── Planning ─────────────────────────────────────────────────────────────────────────────────────


async def new(request: Request) -> Response:
    """Choose what it shall be like; then the form, with most of it filled in."""
    at = here(request)
    asked = request.query_params
    if not any(name in asked for name in ("format", "like", "plain")):
        return await _choose_page(request)
    today = now(request).day_in(at.community.timezone)
    async with read(request) as conn:
        terms = (await agreements.current(conn, at.community.id)).terms
        if "like" in asked:
            actor = await acting.one(conn, at.community.id, at.me.id)
            found = await gathering.get(conn, at.community.id, path_id(asked["like"]))
            if not policy.may_see_gathering(actor.member, found, actor.acts_for):
                raise NotFound("gathering")
            fields = plan_form.again(found, at.community.timezone, today)
        elif "format" in asked:
            format = await formats.get(conn, at.community.id, path_id(asked["format"]))
            fields = plan_form.blank(format, terms, today)
        else:
            fields = plan_form.blank(None, terms, today)
        fields["id"] = str(now(request).new_id())
        return await _form_page(request, conn, Form.of(fields), None, None)


async def _choose_page(request: Request) -> Response:
    at = here(request)
    async with read(request) as conn:
        actor = await acting.one(conn, at.community.id, at.me.id)
        kinds = await formats.of(conn, at.community.id)
        before = await agenda.past(
            conn, actor, before=now(request).at, choice=Choice(mine=True), limit=20
        )
    last: dict[str, Line] = {}
    for line in before:
        if line.state is not State.CANCELLED:
            last.setdefault(line.title, line)
    return page(
        request,
        "gatherings/choose.html",
        kinds=kinds,
        last=list(last.values())[:LAST_TIMES],
        tell=Telling.to(request, at.community),
        edits_formats=policy.may_edit_formats(at.me),
    )


async def create(request: Request) -> Response:
    """Plan it, once: the form brought the id it will have."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = form.id("id", required=False) or now(request).new_id()
    async with read(request) as conn:
        terms = (await agreements.current(conn, at.community.id)).terms
    planned = plan_form.read(form, terms)

    async def plan(conn: AsyncConnection) -> UUID:
        assert planned is not None, "the form is in order"
        if planned.every is None:
            return await planning.make(
                conn,
                at.community.id,
                planned.plan,
                planned.when,
                by=at.me.id,
                now=now(request),
                id=id,
            )
        return await series.begin(
            conn,
            at.community.id,
            planned.plan,
            planned.when,
            planned.every,
            planned.last_on,
            by=at.me.id,
            now=now(request),
            id=id,
        )

    made = await attempt(request, form, plan)
    if made is not None:
        said = _("It is in the calendar. Now invite somebody!")
        return see_other(request, "gatherings:show", id=made, said=said)
    async with read(request) as conn:
        return await _form_page(request, conn, form, None, None, status=422)


async def edit(request: Request) -> Response:
    """Change it: this one, or all that come."""
    at = here(request)
    async with read(request) as conn:
        found, whole = await _editable(request, conn)
        form = Form.of(plan_form.of(found, at.community.timezone, whole))
        return await _form_page(request, conn, form, found, whole)


async def update(request: Request) -> Response:
    """Keep what was changed, and tell everyone who has to know."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    async with read(request) as conn:
        found, whole = await _editable(request, conn)
        terms = (await agreements.current(conn, at.community.id)).terms
    planned = plan_form.read(form, terms)
    all_that_come = whole is not None and form.raw("scope") == "all"

    async def keep(conn: AsyncConnection) -> bool:
        assert planned is not None, "the form is in order"
        if all_that_come:
            await series.edit_from(
                conn,
                at.community.id,
                found.id,
                planned.plan,
                planned.when,
                planned.every,
                planned.last_on,
                by=at.me.id,
                now=now(request),
            )
        else:
            await planning.edit(
                conn,
                at.community.id,
                found.id,
                planned.plan,
                planned.when,
                by=at.me.id,
                now=now(request),
            )
        return True

    if await attempt(request, form, keep):
        said = _("Changed, in all that come.") if all_that_come else _("Changed.")
        return see_other(request, "gatherings:show", id=found.id, said=said)
    async with read(request) as conn:
        return await _form_page(request, conn, form, found, whole, status=422)


async def _editable(request: Request, conn: AsyncConnection) -> tuple[Gathering, Series | None]:
    at_hand = await opened(request, conn)
    if not at_hand.organises:
        raise Forbidden("edit")
    found = at_hand.found
    whole = await series.get(conn, found.community_id, found.series_id) if found.series_id else None
    return found, whole


async def _form_page(
    request: Request,
    conn: AsyncConnection,
    form: Form,
    found: Gathering | None,
    whole: Series | None,
    *,
    status: int = 200,
) -> Response:
    at, _ = here(request), gettext(request)
    houses = await whence.houses(conn, at.community.id)
    terms = (await agreements.current(conn, at.community.id)).terms
    tell = Telling.to(request, at.community)
    return page(
        request,
        "gatherings/form.html",
        status=status,
        form=form,
        found=found,
        whole=whole,
        roles=[
            (f"role-{role.key}", tell.role(role), tell.minutes(role))
            for role in plan_form.wanted_roles(terms)
        ],
        house_options=plan_form.house_options(houses, _("nobody else")),
        payer_options=plan_form.house_options(houses, _("The commons")),
        host_fields=plan_form.host_fields(form),
        openness=openness_choices(_),
        rules=rule_choices(_),
        every=every_choices(_),
        more_is_open=plan_form.more_is_open(form),
        tell=tell,
    )


# ── Calling it off ───────────────────────────────────────────────────────────────────────────────


async def ask_call_off(request: Request) -> Response:
    """Ask for a word to everyone, and say who will be told."""
    return await _call_off_page(request, Form.blank())


async def call_off(request: Request) -> Response:
    """It does not take place: this one, or this one and all that come."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    words = form.text("words", required=False, limit=1000, lines=True)
    verb = series.end if form.raw("scope") == "all" else planning.call_off

    async def do(conn: AsyncConnection) -> bool:
        await verb(conn, at.community.id, id, words, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, do):
        said = _("Called off. Everyone who has a seat is told.")
        return see_other(request, "gatherings:show", id=id, said=said)
    return await _call_off_page(request, form, status=422)


async def _call_off_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    async with read(request) as conn:
        at_hand = await opened(request, conn)
    if not at_hand.organises:
        raise Forbidden("call_off")
    found = at_hand.found
    told = [seat for seat in found.seats if seat.answer is not Answer.NO]
    return page(
        request,
        "gatherings/call_off.html",
        status=status,
        form=form,
        found=found,
        told=len(told),
        tell=Telling.to(request, at.community),
    )


# ── Calendar files ───────────────────────────────────────────────────────────────────────────────


async def as_event(request: Request) -> Response:
    """One gathering for the reader's own calendar."""
    at = here(request)
    async with read(request) as conn:
        found = (await opened(request, conn)).found
    return calendar_file(calendars.one(at.community, appointment(request, found)), "gathering")


async def as_series(request: Request) -> Response:
    """A whole series for the reader's own calendar, from now on."""
    at = here(request)
    async with read(request) as conn:
        found = (await opened(request, conn)).found
        if found.series_id is None:
            raise NotFound("series")
        whole = await series.get(conn, at.community.id, found.series_id)
        dates = await series.dates_of(
            conn, at.community.id, found.series_id, after=now(request).at, limit=99
        )
        coming = await gathering.load(conn, at.community.id, [one[0] for one in dates])
    events = [appointment(request, one) for one in coming]
    return calendar_file(calendars.series(at.community, whole, events), "series")


Step = Callable[[AsyncConnection, UUID], Awaitable[object]]


async def take(request: Request, form: Form, step: Step, said: str) -> Response:
    """Take one step at the gathering in the path and go back to it; or say why not, there."""
    id = path_id(request.path_params["id"])

    async def do(conn: AsyncConnection) -> bool:
        await step(conn, id)
        return True

    if await attempt(request, form, do):
        return see_other(request, "gatherings:show", id=id, said=said)
    return await show_page(request, form, status=422)
