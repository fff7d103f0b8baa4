"""Whether we are well: asked by machines, answered without looking at who asks."""

from __future__ import annotations

import asyncio
import threading

from tests.web.conftest import Web


async def test_we_are_well_while_the_database_answers(web: Web) -> None:
    answer = await (await web.browser()).get("/health")
    assert (answer.status_code, answer.text) == (200, "well\n")


async def test_we_say_so_when_the_database_does_not_answer(web_on_sqlite: Web) -> None:
    for file in web_on_sqlite.settings.data.glob("timebank.sqlite*"):
        file.unlink()
    await web_on_sqlite.db.stop()
    (web_on_sqlite.settings.data / "timebank.sqlite").mkdir()
    browser = await web_on_sqlite.browser()
    web_on_sqlite.give_session(browser, "whoever")
    answer = await browser.get("/health")
    assert answer.status_code == 503
    assert "sqlite" not in answer.text
    await _failed_connections_have_ended()


async def _failed_connections_have_ended() -> None:
    """A connection that could not be opened ends its thread by itself, a moment later.

    That thread tells the event loop, so the loop has to be there still.
    """
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)
            assert not thread.is_alive()
