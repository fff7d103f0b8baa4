"""A real SMTP server on loopback that keeps what it is given."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Sink:
    """What arrived, in order. `refusals` are answered, one each, before mail is taken again."""

    url: str = ""
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    async def handle_DATA(  # noqa: N802  (aiosmtpd calls it by this name)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail, or refuse it if a refusal is due."""
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes), "the controller does not decode"
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 kept"


@contextmanager
def running() -> Iterator[Sink]:
    """A server on a free port of 127.0.0.1; `Sink.url` names it as the settings want it."""
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=_free_port())
    sink.url = f"smtp://127.0.0.1:{controller.port}"
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
