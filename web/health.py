"""Whether we are well, for machines that ask."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from web.pages import read


async def show(request: Request) -> Response:
    """200 while the database answers, 503 while it does not."""
    try:
        async with read(request) as conn:
            await conn.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):
        return PlainTextResponse("the database does not answer\n", status_code=503)
    return PlainTextResponse("well\n")
