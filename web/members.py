"""Members: the directory, a person's page, and who may do what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import applications, buddies, directory, lists, members, policy, statements
from timebank.directory import DirectoryRow
from timebank.errors import Forbidden, NotFound
from timebank.members import Member, MemberKind, Profile, Role, Status
from timebank.moment import Moment
from timebank.text import fold
from web import downloads
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, look, now, page, path_id, read, see_other
from web.stories import Gettext

PAGE = 50
_LONG = 1000
_TEXTS = {"phone": 50, "area": 100, "about": _LONG, "offers": _LONG, "wishes": _LONG}


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
        role_label=partial(role_label, _=_),
        status_label=partial(status_label, _=_),
    )


async def show(request: Request) -> Response:
    """One member: what they can offer, what they would like, how to reach them."""
    return await _profile_page(request, Form.blank())


async def new(request: Request) -> Response:
    """Add somebody with a name only."""
    return page(request, "members/new.html", form=Form.blank(), kinds=_kinds(gettext(request)))


async def create(request: Request) -> Response:
    """Add somebody who has no e-mail, or not yet; an organisation too."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    name = form.text("name", limit=100)
    kind = form.choice("kind", MemberKind) or MemberKind.PERSON
    phone = form.text("phone", required=False, limit=50)
    area = form.text("area", required=False, limit=100)
    sector = form.text("sector", required=False, limit=100)

    async def add(conn: AsyncConnection) -> Member:
        return await members.add(
            conn,
            at.community.id,
            name=name,
            phone=phone,
            area=area,
            kind=kind,
            sector=sector if kind is MemberKind.ORGANISATION else "",
            by=at.me.id,
            now=now(request),
        )

    member = await attempt(request, form, add)
    if member is None:
        kinds = _kinds(_)
        return page(request, "members/new.html", status=422, form=form, kinds=kinds)
    said = _("%(name)s is a member now. Welcome!") % {"name": name}
    return see_other(request, "members:show", id=member.id, said=said)


async def edit(request: Request) -> Response:
    """Change what the others read about somebody: oneself, or anyone for a coordinator."""
    profile = await _editable(request)
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
            offers=texts["offers"],
            wishes=texts["wishes"],
            by=at.me.id,
            now=now(request),
        )

    await attempt(request, form, keep)
    if form.ok:
        said = _("Changed. Thank you!")
        return see_other(request, "members:show", id=profile.member.id, said=said)
    return page(request, "members/edit.html", status=422, form=form, profile=profile)


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
    """Take a break: nothing is recorded for or by a paused member."""
    form = Form(await request.form())
    return await _change(
        request, form, members.pause, gettext(request)("Paused. Have a good rest.")
    )


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


async def add_buddy(request: Request) -> Response:
    """Let somebody record for this member, with the member's consent in words."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    name = form.text("buddy", limit=100)
    consent = form.text("consent", limit=500, lines=True)
    async with read(request) as conn:
        found = await directory.resolve(conn, at.community.id, name) if name else []
    people = [choice for choice in found if choice.account_id != at.community.commons_id]
    if name and len(people) != 1:
        form.mistake("buddy", _("Choose one name from the list."))

    async def add(
        conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment
    ) -> None:
        buddy = people[0].account_id
        await buddies.add(conn, community, id, buddy, consent=consent, by=by, now=now)

    return await _change(request, form, add, _("Thank you. They can write hours down now."))


async def end_buddy(request: Request) -> Response:
    """End somebody's recording for this member."""
    form = Form(await request.form())
    row = path_id(request.path_params["buddy"])

    at = here(request)
    await attempt(
        request,
        form,
        lambda conn: buddies.end(conn, at.community.id, row, by=at.me.id, now=now(request)),
    )
    return await _shown(request, form, gettext(request)("They no longer write hours down."))


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
    at, _ = here(request), gettext(request)
    async with read(request) as conn:
        profile = await members.profile(conn, at.community.id, _id(request))
        member = profile.member
        if not policy.may_see_profile(at.me, member):
            raise NotFound("member")
        helpers = await buddies.of(conn, at.community.id, member.id)
        helped = await buddies.records_for(conn, at.community.id, member.id)
        may_edit = policy.may_edit_member(at.me, member)
        people = await directory.choices(conn, at.community.id) if may_edit else []
        sees_statement = await statements.may_see(conn, at.community.id, member.id, by=at.me.id)
    return page(
        request,
        "members/show.html",
        status=status,
        profile=profile,
        member=member,
        mine=member.id == at.me.id,
        buddies=helpers,
        helped=helped,
        people=[choice for choice in people if choice.account_id != member.id],
        coordinates=policy.may_coordinate(at.me),
        may_edit=may_edit,
        may_set_role=policy.may_set_role(at.me),
        sees_contact=profile.contact_shown or may_edit,
        sees_statement=sees_statement,
        roles=[(role, role_label(role, _)) for role in Role],
        role_label=partial(role_label, _=_),
        status_label=partial(status_label, _=_),
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
    if not policy.may_edit_member(at.me, profile.member):
        raise Forbidden("edit")
    return profile


def _id(request: Request) -> UUID:
    return path_id(request.path_params["id"])


def _as_kept(profile: Profile) -> dict[str, str]:
    texts = {field: getattr(profile, field) for field in ("phone", "about", "offers", "wishes")}
    shown = {"contact_shown": "1"} if profile.contact_shown else {}
    return {"name": profile.member.name, "area": profile.member.area, **texts, **shown}


def _kinds(_: Gettext) -> list[tuple[MemberKind, str]]:
    return [
        (MemberKind.PERSON, _("A person")),
        (MemberKind.ORGANISATION, _("An organisation")),
    ]


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
