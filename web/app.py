"""The web application: `uvicorn web.app:create_served_app --factory`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.middleware import Middleware

from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.imports import files as import_files
from timebank.moment import Moment
from timebank.paper.press import Press
from web import housekeeping
from web.access import refuse_undeclared
from web.errors import HANDLED, error_page
from web.jobs import Jobs
from web.routes import path_for, routes
from web.security import (
    MAX_BODY,
    MAX_UPLOAD,
    UPLOADS,
    BodyLimit,
    CrossSite,
    Headers,
    Hosts,
    Mishaps,
    allowed_hosts,
    security_headers,
)


def create_app(
    settings: Settings | None = None, *, clock: Callable[[], Moment] = Moment.now
) -> Starlette:
    """The application for these settings, or for those of the environment.

    Raises `ValueError` for a route that declares no policy. Starting it raises `SchemaMismatch`
    on a database of another version.
    """
    settings = settings or Settings.from_env()
    table = routes()
    refuse_undeclared(table)
    app = Starlette(
        routes=table,
        lifespan=_lifespan,
        middleware=[
            Middleware(Headers, headers=security_headers(settings)),
            Middleware(Mishaps, error_page=error_page),
            Middleware(Hosts, allowed=allowed_hosts(settings), error_page=error_page),
            Middleware(
                BodyLimit,
                limit=MAX_BODY,
                uploads=(UPLOADS, MAX_UPLOAD),
                error_page=error_page,
            ),
            Middleware(CrossSite, error_page=error_page),
        ],
        exception_handlers=dict.fromkeys(HANDLED, error_page),
    )
    app.state.settings = settings
    app.state.database = Database(settings)
    app.state.press = Press(app.state.database, settings.data / "paper")
    app.state.clock = clock
    app.state.paths = path_for
    app.state.jobs = Jobs()
    return app


def create_served_app() -> Starlette:
    """`create_app`, for a process that does nothing but serve it, with the same refusals.

    What is read by now stays as long as the process does. It is kept out of the search for garbage,
    which would look through all of it while somebody waits for a page.
    """
    app = create_app()
    gc.collect()
    gc.freeze()
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """The database, and beside it what has to be done whether or not anybody looks."""
    database: Database = app.state.database
    await database.start()
    if database.is_sqlite:  # its one process was not running, so nobody is at work
        async with database.write(EVERYWHERE) as conn:
            await import_files.recover(conn, now=app.state.clock(), quiet_for=timedelta())
    stop = asyncio.Event()
    work = asyncio.create_task(
        housekeeping.run(database, app.state.settings, app.state.clock, stop, press=app.state.press)
    )
    try:
        yield
    finally:
        stop.set()
        await app.state.jobs.stop()
        await work
        await app.state.press.stop()
        await database.stop()
