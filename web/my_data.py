"""My data: what is kept about me, all of it to take along, and closing my account."""

from __future__ import annotations

from asyncio import to_thread

from starlette.requests import Request
from starlette.responses import Response

from ledger import LedgerError
from timebank import members, my_data
from timebank.db import EVERYWHERE
from timebank.errors import TimebankError
from web.forms import Form
from web.pages import database, gettext, here, now, page, read, see_other


async def show(request: Request) -> Response:
    """What we keep about me, in words."""
    return await _my_data_page(request, Form.blank())


async def download(request: Request) -> Response:
    """Everything about me in one archive."""
    at = here(request)
    async with read(request) as conn:
        archive = await my_data.archive(conn, at.community.id, at.me.id, now=now(request))
    day = now(request).day_in(at.community.timezone).isoformat()
    return Response(
        archive,
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="my-data-{day}.zip"'},
    )


async def close(request: Request) -> Response:
    """Close my account for good: my name and words go, the hours of others stay right."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    if not form.flag("sure"):
        form.mistake("sure", _("Tick this box if you really want to close your account."))
    if form.ok:
        try:
            async with database(request).write(EVERYWHERE) as conn:  # the sign-in may go too
                await my_data.close(conn, at.community.id, at.me.id, by=at.me.id, now=now(request))
        except (TimebankError, LedgerError) as error:
            form.refused(error, _)
        else:
            await to_thread(request.app.state.press.forget, at.community.id)
            said = _("Your account is closed. Thank you for the time you shared with us.")
            return see_other(request, "home:front", said=said)
    return await _my_data_page(request, form, status=422)


async def _my_data_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at = here(request)
    async with read(request) as conn:
        profile = await members.profile(conn, at.community.id, at.me.id)
    return page(request, "my_data/show.html", status=status, profile=profile, form=form)
