"""Mail is sent for what was committed, once, and to nobody else."""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import select

from tests.infrastructure.smtp import Sink
from tests.timebank.factories import at
from timebank import mail
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment
from timebank.outbox import Mail, outbox, put_many

TEA = Mail(
    "ana@example.org", "Ana Límà", "Tea on Tuesday?", "Höla Ana,\n\ncome at four.\n", "/c/mill/"
)


async def _put(db: Database, *mails: Mail, now: Moment | None = None) -> None:
    async with db.write(EVERYWHERE) as conn:
        await put_many(conn, mails, now=now or at())


async def _rows(db: Database) -> list[Any]:
    async with db.read(EVERYWHERE) as conn:
        return list((await conn.execute(select(outbox).order_by(outbox.c.id))).all())


@pytest.fixture
def to_server(db: Database, mail_server: Sink) -> Settings:
    """Settings that send over the test's own mail server."""
    return replace(
        db.settings,
        smtp_url=mail_server.url,
        base_url="https://hours.example.org",
        mail_from="tea@hours.example.org",
    )


async def test_a_mail_arrives_in_plain_text_under_its_own_id(
    db: Database, to_server: Settings, mail_server: Sink
) -> None:
    await _put(db, TEA)
    assert await mail.deliver_due(db, to_server, now=at(seconds=1)) == 1
    (message,) = mail_server.received
    (row,) = await _rows(db)
    assert mail_server.recipients == [["ana@example.org"]]
    assert message["To"] == "Ana Límà <ana@example.org>"
    assert message["From"] == "tea@hours.example.org"
    assert message["Subject"] == "Tea on Tuesday?"
    assert message["Message-ID"] == f"<{row.id}@hours.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    text = message.get_content().replace("\r\n", "\n")
    assert text == "Höla Ana,\n\ncome at four.\n\nhttps://hours.example.org/c/mill/\n"


async def test_a_mail_is_sent_once(db: Database, to_server: Settings, mail_server: Sink) -> None:
    await _put(db, TEA)
    sent = [await mail.deliver_due(db, to_server, now=at(minutes=minute)) for minute in range(3)]
    assert sent == [1, 0, 0]
    assert len(mail_server.received) == 1


async def test_of_many_senders_at_once_one_sends_each_mail(
    db: Database, to_server: Settings, mail_server: Sink
) -> None:
    await _put(db, *(replace(TEA, subject=f"Tea {number}") for number in range(10)))
    sent = await asyncio.gather(
        *(mail.deliver_due(db, to_server, now=at(seconds=1)) for _ in range(6))
    )
    assert sum(sent) == 10
    assert len({message["Subject"] for message in mail_server.received}) == 10
    assert len(mail_server.received) == 10


async def test_what_was_rolled_back_is_not_sent(
    db: Database, to_server: Settings, mail_server: Sink
) -> None:
    async def fail() -> None:
        async with db.write(EVERYWHERE) as conn:
            await put_many(conn, [TEA], now=at())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await mail.deliver_due(db, to_server, now=at(seconds=1)) == 0
    assert mail_server.received == []


async def test_a_refused_mail_is_tried_again_later_and_given_up_after_eight(
    db: Database, to_server: Settings, mail_server: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    mail_server.refusals = ["451 later, please"] * 8
    await _put(db, TEA)
    tries, due = 0, []
    with caplog.at_level(logging.WARNING):
        for minute in range(1500):
            before = len(mail_server.refusals)
            await mail.deliver_due(db, to_server, now=at(minutes=minute, seconds=1))
            if len(mail_server.refusals) < before:
                tries += 1
                due.append(minute)
            if not mail_server.refusals:
                break
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert tries == 8
    assert gaps == sorted(gaps)
    (row,) = await _rows(db)
    assert row.dead_at is not None
    assert await mail.deliver_due(db, to_server, now=at(days=30)) == 0
    assert mail_server.received == []
    assert "ana@example.org" not in caplog.text, "addresses do not belong in logs"


async def test_one_mail_that_fails_does_not_hold_up_the_others(
    db: Database, to_server: Settings, mail_server: Sink
) -> None:
    mail_server.refusals = ["550 no such person"]
    await _put(db, TEA)
    await _put(db, replace(TEA, to_address="bo@example.org"), now=at(milliseconds=5))
    assert await mail.deliver_due(db, to_server, now=at(seconds=1)) == 1
    assert mail_server.recipients == [["bo@example.org"]]
    assert await mail.deliver_due(db, to_server, now=at(hours=1)) == 1


async def test_after_a_crash_between_sending_and_marking_the_id_is_the_same(
    db: Database, to_server: Settings, mail_server: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _put(db, TEA)
    sent = mail._send  # noqa: SLF001

    async def send_and_die(*arguments: Any) -> None:
        await sent(*arguments)
        raise SystemExit

    monkeypatch.setattr(mail, "_send", send_and_die)
    with pytest.raises(SystemExit):
        await mail.deliver_due(db, to_server, now=at())
    monkeypatch.setattr(mail, "_send", sent)
    assert await mail.deliver_due(db, to_server, now=at(minutes=1)) == 0  # still claimed
    assert await mail.deliver_due(db, to_server, now=at(minutes=11)) == 1
    first, second = mail_server.received
    assert first["Message-ID"] == second["Message-ID"]


async def test_no_server_at_all_is_a_failed_try(db: Database, to_server: Settings) -> None:
    await _put(db, TEA)
    nobody = replace(to_server, smtp_url="smtp://127.0.0.1:1")
    assert await mail.deliver_due(db, nobody, now=at()) == 0
    (row,) = await _rows(db)
    assert (row.tries, row.sent_at) == (1, None)


async def test_without_a_server_mail_goes_into_files(db: Database) -> None:
    await _put(db, TEA, replace(TEA, subject="Tea again"))
    assert await mail.deliver_due(db, db.settings, now=at(seconds=1)) == 2
    files = sorted(db.settings.mail_folder.glob("*.eml"))
    assert {path.stem for path in files} == {str(row.id) for row in await _rows(db)}
    message = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert message["To"] == "Ana Límà <ana@example.org>"


@pytest.mark.parametrize(
    "spoiled",
    [
        {"subject": "Tea\r\nBcc: eve@example.org"},
        {"to_name": "Ana\r\nBcc: eve@example.org"},
        {"to_name": '"Ana" <eve@example.org>, Bo'},
        {"to_name": "Ana\nBcc: eve@example.org\n\nbody"},
        {"body": "Hello\r\n.\r\nMAIL FROM:<eve@example.org>\r\n"},
    ],
    ids=["line in subject", "line in name", "address in name", "body in name", "dot in body"],
)
async def test_nothing_a_person_wrote_reaches_another_header_or_address(
    db: Database, to_server: Settings, mail_server: Sink, spoiled: dict[str, Any]
) -> None:
    await _put(db, replace(TEA, **spoiled))
    await mail.deliver_due(db, to_server, now=at(seconds=1))
    assert mail_server.recipients in ([], [["ana@example.org"]])
    for message in mail_server.received:
        assert message["Bcc"] is None
        assert [one.addr_spec for one in message["To"].addresses] == ["ana@example.org"]


@pytest.mark.parametrize(
    "address",
    ["ana@example.org, eve@example.org", "ana@example.org\r\nBcc: eve@example.org", "ana, eve"],
    ids=["two", "another header", "no addresses"],
)
async def test_a_mail_has_one_address(
    db: Database, to_server: Settings, mail_server: Sink, address: str
) -> None:
    await _put(db, replace(TEA, to_address=address))
    assert await mail.deliver_due(db, to_server, now=at(seconds=1)) == 0
    assert mail_server.received == []
