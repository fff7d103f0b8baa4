"""Formats: how kinds of gatherings go. All members read them, coordinators write them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import agreements, formats, policy
from timebank.agreements import Terms
from timebank.formats import Format, NewFormat
from timebank.gatherings import Rule
from web.attempt import attempt
from web.forms import Form
from web.gathering_words import Telling, rule_choices
from web.pages import gettext, here, now, page, path_id, read, see_other
from web.plan_form import wanted_roles


async def index(request: Request) -> Response:
    """All of them, with what each needs."""
    at = here(request)
    edits = policy.may_edit_formats(at.me)
    async with read(request) as conn:
        found = await formats.of(conn, at.community.id, retired=edits)
        terms = (await agreements.current(conn, at.community.id)).terms
    tell = Telling.to(request, at.community)
    names = {role.key: tell.role(role) for role in terms.roles}
    return page(
        request,
        "formats/index.html",
        formats=found,
        needs={one.id: _needs(one, names) for one in found},
        edits=edits,
        may_plan=policy.may_plan(at.me),
        rules=dict(rule_choices(gettext(request))),
    )


def _needs(format: Format, names: dict[str, str]) -> list[tuple[str, int]]:
    """Its roles by name, and how many people each; those the agreement has no more are left out."""
    return [(names[key], number) for key, number in format.roles if key in names]


async def new(request: Request) -> Response:
    """Write one."""
    fields = {"lasts": "2:00", "rule": Rule.SPONSORED.value, "credits_taking_part": "1"}
    return await _form_page(request, Form.of(fields), None)


async def create(request: Request) -> Response:
    """Add it."""
    return await _keep(request, None)


async def edit(request: Request) -> Response:
    """Change one."""
    at = here(request)
    async with read(request) as conn:
        found = await formats.get(conn, at.community.id, path_id(request.path_params["id"]))
    return await _form_page(request, Form.of(_as_kept(found)), found)


async def update(request: Request) -> Response:
    """Keep what was changed."""
    return await _keep(request, path_id(request.path_params["id"]))


async def retire(request: Request) -> Response:
    """Put it away, or take it out again."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    id = path_id(request.path_params["id"])
    away = not form.flag("back")

    async def do(conn: AsyncConnection) -> None:
        await formats.retire(conn, at.community.id, id, away, by=at.me.id, now=now(request))

    await attempt(request, form, do)
    said = _("Put away. Nobody is offered it any more.") if away else _("It is offered again.")
    return see_other(request, "formats:index", said=said)


async def _keep(request: Request, id: UUID | None) -> Response:
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    async with read(request) as conn:
        terms = (await agreements.current(conn, at.community.id)).terms
        found = await formats.get(conn, at.community.id, id) if id else None
    new_format = _read(form, terms)

    async def do(conn: AsyncConnection) -> bool:
        assert new_format is not None, "the form is in order"
        if id is None:
            await formats.add(conn, at.community.id, new_format, by=at.me.id, now=now(request))
        else:
            await formats.edit(conn, at.community.id, id, new_format, by=at.me.id, now=now(request))
        return True

    if await attempt(request, form, do):
        said = _("%(name)s is among the formats.") % {"name": form.raw("name")}
        return see_other(request, "formats:index", said=said)
    return await _form_page(request, form, found, status=422)


def _read(form: Form, terms: Terms) -> NewFormat | None:
    lasts, rule = form.minutes("lasts"), form.choice("rule", Rule)
    name = form.text("name", limit=100)
    about = form.text("about", required=False, limit=1000, lines=True)
    roles = tuple(
        (role.key, number)
        for role in wanted_roles(terms)
        if (number := form.number(f"role-{role.key}", 0, 20, required=False))
    )
    if lasts is None or rule is None:
        return None
    return NewFormat(name, about, lasts, rule, form.flag("credits_taking_part"), roles)


def _as_kept(found: Format) -> dict[str, str]:
    flags = {"credits_taking_part": "1"} if found.credits_taking_part else {}
    return {
        "name": found.name,
        "about": found.about,
        "lasts": str(found.lasts),
        "rule": found.rule.value,
        **{f"role-{key}": str(number) for key, number in found.roles},
        **flags,
    }


async def _form_page(
    request: Request, form: Form, found: Format | None, *, status: int = 200
) -> Response:
    at = here(request)
    async with read(request) as conn:
        terms = (await agreements.current(conn, at.community.id)).terms
    tell = Telling.to(request, at.community)
    return page(
        request,
        "formats/form.html",
        status=status,
        form=form,
        found=found,
        roles=[
            (f"role-{role.key}", tell.role(role), tell.minutes(role))
            for role in wanted_roles(terms)
        ],
        rules=rule_choices(gettext(request)),
    )
