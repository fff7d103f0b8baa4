"""The demo's mail, to be read here because it is sent to nobody."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from timebank.errors import NotFound
from web.pages import page, settings

_NAME = re.compile(r"[0-9a-f-]{1,60}")
_LINK = re.compile(r"(https?://[^\s<>]+)")
NEWEST = 100


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as the demo shows it. `lines` are pieces of text, each with whether it is a link."""

    name: str
    to: str
    subject: str
    at: datetime
    body: str

    def pieces(self) -> list[tuple[str, bool]]:
        """The body in pieces: text, and addresses to follow."""
        return [(piece, bool(_LINK.fullmatch(piece))) for piece in _LINK.split(self.body) if piece]


async def index(request: Request) -> Response:
    """The newest mails first."""
    letters = await asyncio.to_thread(_newest, settings(request).mail_folder)
    return page(request, "mail/index.html", letters=letters)


async def show(request: Request) -> Response:
    """One mail, with links that can be followed."""
    name = request.path_params["name"]
    if not _NAME.fullmatch(name):
        raise NotFound
    file = settings(request).mail_folder / f"{name}.eml"
    if not await asyncio.to_thread(file.is_file):
        raise NotFound
    return page(request, "mail/show.html", letter=await asyncio.to_thread(_read, file))


def _newest(folder: Path) -> list[Letter]:
    """Names begin with the time, so the newest are the last."""
    files = sorted(folder.glob("*.eml"), key=lambda file: file.name, reverse=True)
    return [_read(file) for file in files[:NEWEST]]


def _read(file: Path) -> Letter:
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return Letter(
        name=file.stem,
        to=str(message["To"]),
        subject=str(message["Subject"]),
        at=message["Date"].datetime,
        body=message.get_content(),
    )
