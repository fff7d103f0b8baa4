"""Statements: an account's lines in a period, to read, to print, to take along as a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import agreements, anchors, limits, lists, statements
from timebank.spreadsheet import Format
from timebank.statements import StatementPage
from web import downloads, limit_words
from web.forms import Form
from web.pages import gettext, here, look, now, page, path_id, words
from web.stories import Teller

PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines somebody wants to see."""

    first_day: date | None = None
    last_day: date | None = None
    search: str = ""
    before: int | None = None

    @property
    def narrowed(self) -> bool:
        """Whether anything but the whole statement was asked for."""
        return bool(self.first_day or self.last_day or self.search)

    def query(self, before: int | None = None) -> str:
        """The same question in an address, from the question mark on; another page of it."""
        facts = {
            "first": self.first_day,
            "last": self.last_day,
            "q": self.search,
            "before": before,
        }
        given = {name: str(fact) for name, fact in facts.items() if fact}
        return f"?{urlencode(given)}" if given else ""


async def show(request: Request) -> Response:
    """My own statement."""
    return await _statement_page(request, here(request).me.account_id)


async def of_account(request: Request) -> Response:
    """Somebody's statement, if it is open to me."""
    return await _statement_page(request, path_id(request.path_params["account_id"]))


async def lines(
    conn: AsyncConnection, request: Request, account_id: UUID, asked: Asked, limit: int = PAGE
) -> StatementPage:
    """The lines asked for, newest first."""
    at = here(request)
    return await statements.page(
        conn,
        at.community.id,
        account_id,
        by=at.me.id,
        before_line=asked.before,
        limit=limit,
        first_day=asked.first_day,
        last_day=asked.last_day,
        search=asked.search,
    )


async def as_table(request: Request, account_id: UUID, asked: Asked, format: Format) -> Response:
    """All lines asked for as a file, the oldest first."""
    at = here(request)
    async with look(request) as conn:
        listed = await lists.statement(
            conn,
            at.community.id,
            account_id,
            by=at.me.id,
            first_day=asked.first_day,
            last_day=asked.last_day,
            search=asked.search,
        )
        return await downloads.send(request, listed, format)


def read_asked(request: Request) -> tuple[Form, Asked]:
    """The period, the search and the page from the query; mistakes stand in the form."""
    form = Form(request.query_params)
    asked = Asked(
        form.day("first", required=False),
        form.day("last", required=False),
        form.text("q", required=False, limit=100),
        form.number("before", 1, 2**53, required=False),
    )
    if asked.first_day and asked.last_day and asked.first_day > asked.last_day:
        form.mistake("last", gettext(request)("This day is before the first one."))
    return form, asked if form.ok else Asked()


async def _statement_page(request: Request, account_id: UUID) -> Response:
    at = here(request)
    form, asked = read_asked(request)
    if form.ok and (format := downloads.wanted(request)):
        return await as_table(request, account_id, asked, format)
    async with look(request) as conn:
        found = await lines(conn, request, account_id, asked)
        seal = await anchors.current(conn, at.community.id)
        terms = (await agreements.current(conn, at.community.id)).terms
        limit = await limits.of(conn, at.community.id, account_id, terms)
    mine = account_id == at.me.account_id
    return page(
        request,
        "statement/show.html",
        status=200 if form.ok else 422,
        statement=found,
        seal=seal,
        limits=limit_words.all_of(limit, terms, gettext(request)),
        past=limit_words.past(limit, gettext(request)) if mine else "",
        account_id=account_id,
        mine=mine,
        is_commons=account_id == at.community.commons_id,
        form=form,
        asked=asked,
        today=now(request).day_in(at.community.timezone),
        tell=Teller(words(request), at.me.id),
    )
