"""The style sheet, the scripts, the fonts and the picture that pages need."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse

from timebank.errors import NotFound
from web.pages import STATIC, static_path

_A_YEAR = "public, max-age=31536000, immutable"
_A_WEEK = "public, max-age=604800"
_KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}


async def show(request: Request) -> Response:
    """One file; kept for a year under an address that names its content, else for a week."""
    path = request.path_params["file"]
    if path not in _files():
        raise NotFound
    file = _files()[path]
    response = FileResponse(file, media_type=_KINDS[file.suffix], stat_result=file.stat())
    named = static_path(path).partition("=")[2] == request.query_params.get("v")
    response.headers["Cache-Control"] = _A_YEAR if named else _A_WEEK
    if response.headers["etag"] in request.headers.get("if-none-match", ""):
        return NotModifiedResponse(response.headers)
    return response


async def icon(_request: Request) -> Response:
    """Where browsers look for a picture of us."""
    return RedirectResponse(static_path("icon.svg"), status_code=302)


@cache
def _files() -> dict[str, Path]:
    """The files there are, by path: a request chooses one of these and never a path of its own."""
    return {
        file.relative_to(STATIC).as_posix(): file
        for file in STATIC.rglob("*")
        if file.suffix in _KINDS
    }
