"""Asking to join: open to anyone where the agreement says so, and telling nobody who is known."""

from __future__ import annotations

from dataclasses import replace

from tests.web.conftest import Web
from tests.web.people import a_town, mails, path_in_mail
from timebank import agreements
from timebank.agreements import Joining
from timebank.db import EVERYWHERE

PATH = "/c/mill-road/join"
MEI = {"name": "Mei Chen", "email": "mei@example.org", "about": "I like soup.\r\nA lot."}


async def test_a_stranger_asks_to_join_and_both_sides_get_mail(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    assert "Join Mill Road" in (await browser.get(PATH)).text
    answer = await browser.post(PATH, data=MEI)
    assert answer.status_code == 200
    assert "Thank you for asking" in answer.text
    assert await mails(web, "mei@example.org")
    assert await mails(web, "carla@example.org")


async def test_until_they_are_welcomed_applicants_see_that_they_are_nearly_in(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    await browser.post(PATH, data=MEI)
    await browser.post(await path_in_mail(web, "mei@example.org", "/sign-in/link/"))
    for path in ("/c/mill-road/", "/c/mill-road/members/", "/c/mill-road/inbox"):
        page = await browser.get(path)
        assert page.status_code == 403
        assert "You are nearly in" in page.text
        assert "Carla" not in page.text


async def test_the_answer_is_the_same_for_members_and_strangers(web: Web) -> None:
    await a_town(web)
    answers = []
    for email in ("ana@example.org", "mei@example.org"):
        answer = await (await web.browser()).post(PATH, data={**MEI, "email": email})
        answers.append((answer.status_code, answer.text.replace(email, "…")))
    assert answers[0] == answers[1]


async def test_where_people_come_by_invitation_nobody_can_ask(web: Web) -> None:
    town = await a_town(web)
    async with web.db.write(EVERYWHERE) as conn:
        now = await agreements.current(conn, town.place.id)
        await agreements.adopt(
            conn,
            town.place.id,
            replace(now.terms, joining=Joining.INVITATION),
            reason="We grow slowly.",
            expected_version=now.version,
            by=town.carla.id,
            now=web.clock(),
        )
    browser = await web.browser()
    assert "by invitation" in (await browser.get(PATH)).text
    answer = await browser.post(PATH, data=MEI)
    assert answer.status_code == 422
    assert "People join here by invitation." in answer.text


async def test_members_go_straight_home_and_unknown_places_are_not_there(web: Web) -> None:
    await a_town(web)
    browser = await web.signed_in("ana@example.org")
    assert (await browser.get(PATH)).headers["Location"] == "/c/mill-road/"
    assert (await browser.get("/c/nowhere/join")).status_code == 404
    assert (await browser.post("/c/nowhere/join", data=MEI)).status_code == 404


async def test_what_is_missing_is_said(web_on_sqlite: Web) -> None:
    await a_town(web_on_sqlite)
    answer = await (await web_on_sqlite.browser()).post(PATH, data={"email": "mei at home"})
    assert answer.status_code == 422
    assert "Please fill this in." in answer.text
