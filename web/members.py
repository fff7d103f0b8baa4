"""Members: the directory, a person's page, and who may do what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import (
    acting,
    affiliations,
    applications,
    buddies,
    contacts,
    directory,
    keeping_apart,
    listings,
    lists,
    members,
    policy,
    statements,
    welcoming,
)
from timebank.directory import DirectoryRow
from timebank.errors import Forbidden, NotFound
from timebank.members import BuddyKind, Member, MemberKind, Profile, Role, Status
from timebank.moment import Moment
from timebank.text import fold
from web import downloads
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, look, now, page, path_id, read, see_other, today, write
from web.stories import Gettext

PAGE = 50
_LONG = 1000
_TEXTS = {"phone": 50, "area": 100, "about": _LONG}


async def index(request: Request) -> Response:
    """Who is here, what they offer and what they would like."""
    at, _ = here(request), gettext(request)
    form = Form(request.query_params)
    search = form.text("q", required=False, limit=100)
    coordinates = policy.may_coordinate(at.me)
    everyone = coordinates and form.flag("all")
    last = form.id("after", required=False)
    include = tuple(Status) if everyone else (Status.ACTIVE,)
    if format := downloads.wanted(request):
        async with look(request) as conn:
            listed = await lists.directory_of(
                conn,
                at.community.id,
                by=at.me.id,
                search=search,
                include=include,
                now=now(request),
            )
            return await downloads.send(request, listed, format)
    async with read(request) as conn:
        rows = await directory.page(
            conn,
            at.community.id,
            search=search,
            include=include,
            today=today(request),
            after=(fold(form.raw("name")), last) if last else None,
            limit=PAGE + 1,
        )
    return page(
        request,
        "members/index.html",
        rows=rows[:PAGE],
        more=_more(rows, search, everyone),
        search=search,
        everyone=everyone,
        coordinates=coordinates,
        may_invite=policy.may_invite(at.me),
        form=form,
        some=partial(some, _=_),
        role_label=partial(role_label, _=_),
        status_label=partial(status_label, _=_),
    )


async def show(request: Request) -> Response:
    """One member: what they can offer, what they would like, how to reach them."""
    return await _profile_page(request, Form.blank())


async def contact(request: Request) -> Response:
    """How to reach somebody who does not show it to all; that I looked stands in the audit."""
    at, id = here(request), _id(request)
    async with write(request) as conn:
        member = await members.get(conn, at.community.id, id)
        if not policy.may_see_profile(at.me, member):
            raise NotFound("member")
        found = await contacts.look(conn, at.community.id, id, by=at.me.id, now=now(request))
    return page(request, "members/contact.html", member=member, contact=found)


async def new(request: Request) -> Response:
    """Add somebody with a name only."""
    return page(request, "members/new.html", form=Form.blank())


async def create(request: Request) -> Response:
    """Add somebody who has no e-mail, or not yet."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    name = form.text("name", limit=100)
    phone = form.text("phone", required=False, limit=50)
    area = form.text("area", required=False, limit=100)

    async def add(conn: AsyncConnection) -> Member:
        return await members.add(
            conn,
            at.community.id,
            name=name,
            phone=phone,
            area=area,
            by=at.me.id,
            now=now(request),
        )

    member = await attempt(request, form, add)
    if member is None:
        return page(request, "members/new.html", status=422, form=form)
    said = _("%(name)s is a member now. Welcome!") % {"name": name}
    return see_other(request, "members:show", id=member.id, said=said)


async def edit(request: Request) -> Response:
    """Change what the others read about somebody: oneself, or anyone for a coordinator."""
    profile = await _editable(request)
    if profile.member.kind is MemberKind.ORGANISATION:
        return see_other(request, "organisations:edit", id=profile.member.id)
    return page(request, "members/edit.html", form=Form.of(_as_kept(profile)), profile=profile)


async def update(request: Request) -> Response:
    """Keep what was changed."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    profile = await _editable(request)
    name = form.text("name", limit=100)
    texts = {
        field: form.text(field, required=False, limit=limit, lines=limit == _LONG)
        for field, limit in _TEXTS.items()
    }
    shown = form.flag("contact_shown")

    async def keep(conn: AsyncConnection) -> None:
        await members.edit(
            conn,
            at.community.id,
            profile.member.id,
            name=name,
            phone=texts["phone"],
            contact_shown=shown,
            area=texts["area"],
            about=texts["about"],
            by=at.me.id,
            now=now(request),
        )

    await attempt(request, form, keep)
    if form.ok:
        said = _("Changed. Thank you!")
        return see_other(request, "members:show", id=profile.member.id, said=said)
    return page(request, "members/edit.html", status=422, form=form, profile=profile)


async def listings_of(request: Request) -> Response:
    """What one member offers and asks for; for themselves also what is over."""
    at, id = here(request), _id(request)
    async with read(request) as conn:
        member = await members.get(conn, at.community.id, id)
        if not policy.may_see_profile(at.me, member):
            raise NotFound("member")
        actor = await acting.one(conn, at.community.id, at.me.id)
        writes = policy.may_list_for(actor.member, id, actor.acts_for)
        kept_apart = await keeping_apart.apart(conn, at.community.id, [(at.me.id, id)])
        if kept_apart or not (writes or member.status is Status.ACTIVE):
            found = []
        else:
            found = await listings.of_member(
                conn, at.community.id, id, today=today(request), everything=writes
            )
    return page(
        request,
        "members/listings.html",
        member=member,
        mine=id == at.me.id,
        writes=writes,
        listings=found,
        today=today(request),
    )


async def welcome(request: Request) -> Response:
    """Let somebody in who asked to join."""
    form = Form(await request.form())
    return await _change(request, form, applications.welcome, gettext(request)("Welcomed."))


async def decline(request: Request) -> Response:
    """Tell somebody who asked to join that it will not be, and why."""
    form = Form(await request.form())
    reason = form.text("words", limit=1000, lines=True)

    async def refuse(
        conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
    ) -> None:
        await applications.refuse(conn, community, id, reason=reason, by=by, now=now)

    return await _change(request, form, refuse, gettext(request)("We tell them."), to="inbox:index")


async def pause(request: Request) -> Response:
    """Take a break: nothing is recorded for or by a paused member, and their board is empty."""
    form = Form(await request.form())
    until = form.day("until", required=False)

    async def rest(
        conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
    ) -> None:
        await members.pause(conn, community, id, until=until, by=by, now=now)

    return await _change(request, form, rest, gettext(request)("Paused. Have a good rest."))


async def resume(request: Request) -> Response:
    """Come back from a break."""
    form = Form(await request.form())
    return await _change(request, form, members.resume, gettext(request)("Welcome back!"))


async def leave(request: Request) -> Response:
    """End a membership; the lines on the statements stay."""
    _ = gettext(request)
    form = Form(await request.form())
    if not form.flag("sure"):
        form.mistake("sure", _("Tick this box if the membership should really end."))
    mine = _id(request) == here(request).me.id
    said = _("You have left. Thank you for your time.") if mine else _("The membership has ended.")
    to = "home:front" if mine else "members:show"
    return await _change(request, form, members.leave, said, to=to)


async def role(request: Request) -> Response:
    """Make somebody a coordinator or a steward, or a member again."""
    form = Form(await request.form())
    chosen = form.choice("role", Role) or Role.MEMBER

    async def set_role(
        conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
    ) -> None:
        await members.set_role(conn, community, id, chosen, by=by, now=now)

    return await _change(request, form, set_role, gettext(request)("Changed."))


async def buddies_page(request: Request) -> Response:
    """Who may write hours down for somebody, how that was agreed, and who could once."""
    return await _buddies_page(request, Form.blank())


async def add_buddy(request: Request) -> Response:
    """Let somebody record for this member, with the member's consent in words."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    name = form.text("buddy", limit=100)
    consent = form.text("consent", limit=500, lines=True)
    kind = form.choice("as_what", BuddyKind, required=False) or BuddyKind.BUDDY
    async with read(request) as conn:
        found = await directory.resolve(conn, at.community.id, name) if name else []
    people = [choice for choice in found if choice.account_id != at.community.commons_id]
    if name and len(people) != 1:
        form.mistake("buddy", _("Choose one name from the list."))
    await attempt(
        request,
        form,
        lambda conn: buddies.add(
            conn,
            at.community.id,
            _id(request),
            people[0].account_id,
            consent=consent,
            kind=kind,
            by=at.me.id,
            now=now(request),
        ),
    )
    return await _buddies_after(request, form, _("Thank you. They can write hours down now."))


async def end_buddy(request: Request) -> Response:
    """End somebody's recording for this member."""
    at = here(request)
    form = Form(await request.form())
    row = path_id(request.path_params["row"])
    await attempt(
        request,
        form,
        lambda conn: buddies.end(conn, at.community.id, row, by=at.me.id, now=now(request)),
    )
    said = gettext(request)("They no longer write hours down.")
    return await _buddies_after(request, form, said)


async def let_contact(request: Request) -> Response:
    """A guardian lets members see how to reach the member, or does so no more."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    row = path_id(request.path_params["row"])
    seen = form.flag("seen")
    await attempt(
        request,
        form,
        lambda conn: buddies.let_contact_be_seen(
            conn, at.community.id, row, seen, by=at.me.id, now=now(request)
        ),
    )
    said = _("Members may see it now.") if seen else _("Members no longer see it.")
    return await _buddies_after(request, form, said)


async def keep_apart(request: Request) -> Response:
    """Have nothing to do with somebody from now on; nobody tells them."""
    form = Form(await request.form())
    words = form.text("words", required=False, limit=1000, lines=True)

    async def begin(
        conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
    ) -> None:
        await keeping_apart.begin(conn, community, by, id, words=words, by=by, now=now)

    said = gettext(request)("Noted. You and they are kept apart, and nobody tells them.")
    return await _change(request, form, begin, said)


async def end_apart(request: Request) -> Response:
    """It is good again."""
    form = Form(await request.form())

    async def end(
        conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
    ) -> None:
        for one in await keeping_apart.of(conn, community, by, by=by):
            if one.other_id == id:
                await keeping_apart.end(conn, community, one.id, by=by, now=now)
                return
        raise NotFound("apart")

    return await _change(request, form, end, gettext(request)("You are no longer kept apart."))


async def _change(
    request: Request,
    form: Form,
    change: Callable[..., Awaitable[object]],
    said: str,
    *,
    to: str = "members:show",
) -> Response:
    """Change a member and show the page that fits; the profile again when it was refused."""
    at, id = here(request), _id(request)
    await attempt(
        request,
        form,
        lambda conn: change(conn, at.community.id, id, by=at.me.id, now=now(request)),
    )
    return await _shown(request, form, said, to=to)


async def _shown(request: Request, form: Form, said: str, *, to: str = "members:show") -> Response:
    """The page that follows a change; the profile with the mistakes when it was refused."""
    if not form.ok:
        return await _profile_page(request, form, status=422)
    if to == "members:show":
        return see_other(request, to, id=_id(request), said=said)
    return see_other(request, to, said=said)


async def _profile_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, _, id = here(request), gettext(request), _id(request)
    place = at.community.id
    async with read(request) as conn:
        profile = await members.profile(conn, place, id)
        member = profile.member
        if not policy.may_see_profile(at.me, member):
            raise NotFound("member")
        if member.kind is MemberKind.ORGANISATION and form.ok:
            return see_other(request, "organisations:show", id=id)
        actor = await acting.one(conn, place, at.me.id)
        apart = await keeping_apart.of(conn, place, id, by=at.me.id)
        kept_apart = at.me.id in await keeping_apart.from_whom(conn, place, id)
        hats = await affiliations.of(conn, place, id)
        helpers = await buddies.of(conn, place, id)
        helped = await buddies.records_for(conn, place, id)
        sight = await contacts.sight(conn, place, id, by=at.me.id)
        board = await listings.of_member(conn, place, id, today=today(request))
        sees_statement = await statements.may_see(conn, place, id, by=at.me.id)
        ticks = []
        if policy.may_coordinate(at.me) and member.role is Role.MEMBER:
            ticks = await welcoming.of(conn, place, id)
    cares = policy.may_care(at.me, member, kept_apart=kept_apart)
    return page(
        request,
        "members/show.html",
        status=status,
        profile=profile,
        member=member,
        mine=id == at.me.id,
        hats=[hat for hat in hats if hat.worn_on(today(request))],
        buddies=helpers,
        helped=helped,
        sight=sight,
        listings=[] if kept_apart or member.status is not Status.ACTIVE else board,
        writes_listings=policy.may_list_for(actor.member, id, actor.acts_for),
        asked_apart=any(at.me.id == one.asked_by == one.other_id for one in apart),
        coordinates=policy.may_coordinate(at.me),
        cares=cares,
        welcome_list=ticks if cares and not all(one.done for one in ticks) else [],
        may_edit=policy.may_edit_member(at.me, member, actor.acts_for),
        may_end=policy.may_end_membership(at.me, member),
        may_affiliate=policy.may_affiliate(actor.member, id, None, actor.acts_for),
        may_set_role=policy.may_set_role(at.me),
        sees_statement=sees_statement,
        roles=[(role, role_label(role, _)) for role in Role],
        role_label=partial(role_label, _=_),
        status_label=partial(status_label, _=_),
        form=form,
        empty=Form.blank(),
    )


async def _buddies_after(request: Request, form: Form, said: str) -> Response:
    """The page of buddies after a change, or with the mistakes when it was refused."""
    if form.ok:
        return see_other(request, "members:buddies", id=_id(request), said=said)
    return await _buddies_page(request, form, status=422)


async def _buddies_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, id = here(request), _id(request)
    async with read(request) as conn:
        member = await members.get(conn, at.community.id, id)
        if not policy.may_see_profile(at.me, member):
            raise NotFound("member")
        found = await buddies.of(conn, at.community.id, id, ended=True)
        contact_shown = (await members.profile(conn, at.community.id, id)).contact_shown
        may_name = policy.may_name_buddy(at.me, member)
        people = await directory.choices(conn, at.community.id) if may_name else []
    knows = may_name or id == at.me.id or any(one.buddy_id == at.me.id for one in found)
    return page(
        request,
        "members/buddies.html",
        status=status,
        member=member,
        mine=id == at.me.id,
        buddies=[one for one in found if one.until is None],
        ended=[one for one in found if one.until is not None] if knows else [],
        knows=knows,
        contact_shown=contact_shown,
        may_name=may_name and member.status in (Status.ACTIVE, Status.PAUSED),
        may_end=lambda one: policy.may_end_buddy(at.me, member, one.buddy_id),
        may_have_guardian=member.kind is MemberKind.PERSON and member.role is Role.MEMBER,
        people=[choice for choice in people if choice.account_id != id],
        form=form,
    )


def _more(rows: Sequence[DirectoryRow], search: str, everyone: bool) -> str:
    """The address of the next page, from the question mark on; empty where there is none."""
    if len(rows) <= PAGE:
        return ""
    last = rows[PAGE - 1].member
    facts = {"q": search, "all": "1" if everyone else "", "name": last.name, "after": str(last.id)}
    return "?" + urlencode({name: fact for name, fact in facts.items() if fact})


async def _editable(request: Request) -> Profile:
    at = here(request)
    async with read(request) as conn:
        profile = await members.profile(conn, at.community.id, _id(request))
        actor = await acting.one(conn, at.community.id, at.me.id)
    if not policy.may_edit_member(at.me, profile.member, actor.acts_for):
        raise Forbidden("edit")
    return profile


def _id(request: Request) -> UUID:
    return path_id(request.path_params["id"])


def _as_kept(profile: Profile) -> dict[str, str]:
    shown = {"contact_shown": "1"} if profile.contact_shown else {}
    texts = {"phone": profile.phone, "about": profile.about, "area": profile.member.area}
    return {"name": profile.member.name, **texts, **shown}


def some(titles: Sequence[str], _: Gettext, most: int = 3) -> str:
    """`Gardening, lifts and 2 more`: what fits on a line."""
    if len(titles) <= most:
        return ", ".join(titles)
    rest = len(titles) - most + 1
    facts = {"some": ", ".join(titles[: most - 1]), "rest": rest}
    return _("%(some)s and %(rest)d more") % facts


def role_label(role: Role, _: Gettext) -> str:
    """A role in the reader's words."""
    return {
        Role.MEMBER: _("member"),
        Role.COORDINATOR: _("coordinator"),
        Role.STEWARD: _("steward"),
    }[role]


def status_label(status: Status, _: Gettext) -> str:
    """Where a membership stands, in the reader's words."""
    return {
        Status.APPLIED: _("asked to join"),
        Status.ACTIVE: _("active"),
        Status.PAUSED: _("taking a break"),
        Status.LEFT: _("has left"),
    }[status]
