"""One write, asked for by a form: it is done, or the form says why not and nothing was written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from ledger import LedgerError
from timebank.db import EVERYWHERE
from timebank.errors import Forbidden, NotFound, TimebankError
from web.forms import Form
from web.pages import database, gettext, write

T = TypeVar("T")


async def attempt(
    request: Request,
    form: Form,
    work: Callable[[AsyncConnection], Awaitable[T]],
    *,
    everywhere: bool = False,
) -> T | None:
    """Run `work` in a transaction of its own, unless the form already has mistakes.

    With `everywhere` the transaction reaches beyond the community: somebody's sign-in may go too.

    A refusal stands in the form afterwards (`form.ok` is False) and None comes back. What one may
    not know of (`NotFound`) or may not do (`Forbidden`) is raised: that is no mistake in a form.
    """
    if not form.ok:
        return None
    try:
        async with database(request).write(EVERYWHERE) if everywhere else write(request) as conn:
            return await work(conn)
    except (NotFound, Forbidden):
        raise
    except (TimebankError, LedgerError) as error:
        form.refused(error, gettext(request))
        return None
