"""The real things that other tests lean on do what those tests take for granted."""

from __future__ import annotations

from email.message import EmailMessage

import aiosmtplib
import asyncpg
import pytest
from playwright.async_api import Browser

from tests.infrastructure.postgres import Server
from tests.infrastructure.smtp import Sink


async def _first_value(server: Server, database: str, query: str) -> object:
    url = server.url(database).replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_database_is_copied_from_another(postgres_server: Server) -> None:
    await postgres_server.create_database("copied_from")
    await _first_value(postgres_server, "copied_from", "CREATE TABLE seen AS SELECT 42 AS answer")
    await postgres_server.create_database("copied_to", template="copied_from")

    assert await _first_value(postgres_server, "copied_to", "SELECT answer FROM seen") == 42

    for name in ("copied_from", "copied_to"):
        await postgres_server.drop_database(name)


async def test_the_server_s_own_programs_are_at_hand(postgres_server: Server) -> None:
    for name in ("psql", "pg_dump", "pg_restore"):
        assert (postgres_server.programs / name).exists()


@pytest.mark.asyncio(loop_scope="session")
async def test_the_browser_shows_a_page_without_scripts(browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.set_content("<h1>Tea</h1><script>document.body.textContent = 'no'</script>")

    assert await page.locator("h1").inner_text() == "Tea"

    await context.close()


async def test_the_mail_server_keeps_what_it_is_given_or_refuses_it(mail_server: Sink) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Té"
    message.set_content("At four.")
    mail_server.refusals.append("451 later")
    host, port = mail_server.url.removeprefix("smtp://").split(":")

    with pytest.raises(aiosmtplib.SMTPResponseException, match="later"):
        await aiosmtplib.send(message, hostname=host, port=int(port))
    await aiosmtplib.send(message, hostname=host, port=int(port))

    assert [kept["Subject"] for kept in mail_server.received] == ["Té"]
    assert mail_server.recipients == [["b@example.org"]]
