"""Taking everything along: the whole community as one file, and its journal for other programs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from timebank import audit, export, migrate
from timebank.archive import writing
from timebank.export import Format
from web.forms import Form
from web.pages import database, gettext, here, now, page, write

_JOURNALS = {
    Format.CSV: ("csv", "text/csv; charset=utf-8"),
    Format.HLEDGER: ("journal", "text/plain; charset=utf-8"),
    Format.BEANCOUNT: ("beancount", "text/plain; charset=utf-8"),
    Format.BOOK: ("jsonl", "application/x-ndjson"),
}


async def index(request: Request) -> Response:
    """What there is to take along."""
    return _index(request, Form.blank())


async def archive(request: Request) -> Response:
    """Everything as one archive, written out as it is read. Taking it is noted."""
    at, moment = here(request), now(request)
    await _note(request, "archive.taken")
    db, community = database(request), at.community.id

    async def pieces() -> AsyncIterator[bytes]:
        async with db.read(community) as conn:
            async for piece in writing.pieces(
                conn, community, schema_version=migrate.head(), now=moment
            ):
                yield piece

    day = moment.day_in(at.community.timezone).isoformat()
    return _file(pieces(), f"{at.community.slug}-{day}.zip", "application/zip")


async def journal(request: Request) -> Response:
    """The journal in a form that other programs read. Taking it is noted."""
    at = here(request)
    form = Form(await request.form())
    format = form.choice("format", Format)
    if format is None:
        return _index(request, form, status=422)
    await _note(request, "journal.taken", format=format.value)
    db, community = database(request), at.community

    async def lines() -> AsyncIterator[bytes]:
        async with db.read(community.id) as conn:
            async for line in export.lines(conn, community, format):
                yield f"{line}\n".encode()

    ending, kind = _JOURNALS[format]
    return _file(lines(), f"{community.slug}-journal.{ending}", kind)


def _index(request: Request, form: Form, *, status: int = 200) -> Response:
    _ = gettext(request)
    formats = [
        (Format.CSV, _("a table for spreadsheets (CSV)")),
        (Format.HLEDGER, _("plain text for hledger, which adds it all up again")),
        (Format.BEANCOUNT, _("plain text for beancount, which does so too")),
        (Format.BOOK, _("the sealed book without names, for a verifier of your own")),
    ]
    return page(
        request,
        "exports/index.html",
        status=status,
        form=form,
        formats=formats,
    )


def _file(pieces: AsyncIterator[bytes], name: str, kind: str) -> Response:
    return StreamingResponse(
        pieces,
        media_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _note(request: Request, action: str, **facts: str) -> None:
    at = here(request)
    async with write(request) as conn:
        await audit.write(
            conn,
            at.community.id,
            actor=at.me.id,
            action=action,
            subject_kind="community",
            subject=at.community.id,
            facts=facts,
            now=now(request),
        )
