"""Applications: who would like to join, and who welcomed whom."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import applicants, applications
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, now, page, path_id, read, see_other


async def index(request: Request) -> Response:
    """Those who wait, what looks like one person together, and what was decided lately."""
    return await _applications_page(request, Form.blank())


async def same(request: Request) -> Response:
    """These are all one person: go on with this application, and forget the others."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    others = form.ids("double")
    id = path_id(request.path_params["id"])
    await attempt(
        request,
        form,
        lambda conn: applications.same_person(
            conn, at.community.id, id, others, by=at.me.id, now=now(request)
        ),
        everywhere=True,
    )
    if not form.ok:
        return await _applications_page(request, form, status=422)
    said = _("One person, one application. The others are forgotten.")
    return see_other(request, "applications:index", said=said)


async def _applications_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    async with read(request) as conn:
        waiting = await applicants.waiting(conn, at.community.id)
        decided = await applications.decided(conn, at.community.id)
    return page(
        request,
        "applications/index.html",
        status=status,
        waiting=waiting,
        decided=decided,
        form=form,
    )
