"""Our books: a sum that is zero, a seal, and checking it again."""

from __future__ import annotations

import re

from tests.web.town import Town
from timebank import anchors


async def test_members_see_that_all_balances_add_up_to_zero(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90))
    page = await town.get("Jorge", "books")
    assert "<strong>0:00</strong>" in page.text
    assert "Nobody has checked these books yet" in page.text
    assert "after line 1" in page.text
    for hidden in ("Ana Lima", "Add everything up again now"):
        assert hidden not in page.text


async def test_the_seal_can_be_copied_short_or_whole_and_held_against_the_books(
    town: Town,
) -> None:
    await town.approve(await town.record("Ana", "Bert", 90))
    page = await town.get("Jorge", "books")
    short, whole = re.findall(r'<code class="seal">([^<]+)</code>', page.text)
    async with town.db.read(town.community.id) as conn:
        seal = await anchors.current(conn, town.community.id)
    assert seal is not None
    assert anchors.parse(whole) == seal
    assert (short, len(anchors.parse(short).hash)) == (seal.on_paper, 10)


async def test_a_coordinator_adds_everything_up_again(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90))
    assert "Bert Cole" in (await town.get("Carla", "books")).text
    async with town.browser("Carla") as browser:
        answer = await browser.post(town.path("books/verify"))
        page = await browser.get(answer.headers["location"])
    assert "everything agrees" in page.text
    assert "every line up to number 1 was added up again" in page.text


async def test_members_do_not_start_the_check(town: Town) -> None:
    assert (await town.post("Ana", "books/verify", {})).status_code == 403
    assert "Nobody has checked" in (await town.get("Ana", "books")).text
