"""Signing in and out, with a password or a mailed link; and what strangers can learn: nothing."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from tests.timebank.factories import at
from tests.web.conftest import Web
from tests.web.people import PASSWORD, a_town, mails, path_in_mail
from timebank.db import EVERYWHERE
from timebank.people import sessions

ANA = {"email": "ana@example.org", "password": PASSWORD}
HOME = "/c/mill-road/"


async def how_many_sessions(web: Web) -> int:
    async with web.db.read(EVERYWHERE) as conn:
        query = select(func.count()).select_from(sessions)
        return int((await conn.execute(query)).scalar_one())


async def test_a_member_signs_in_with_a_password_and_is_at_home(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    answer = await browser.post("/sign-in", data=ANA)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    front = await browser.get("/")
    assert front.status_code == 303
    assert front.headers["Location"].endswith(HOME)
    assert (await browser.get(HOME)).status_code == 200


async def test_one_goes_on_to_the_page_one_wanted(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    sent_away = await browser.get(f"{HOME}statement?first=2026-01-01")
    assert sent_away.status_code == 303
    page = await browser.get(sent_away.headers["Location"])
    assert 'value="/c/mill-road/statement?first=2026-01-01"' in page.text
    answer = await browser.post(
        "/sign-in", data={**ANA, "next": "/c/mill-road/statement?first=2026-01-01"}
    )
    assert answer.headers["Location"] == "/c/mill-road/statement?first=2026-01-01"
    elsewhere = await (await web.browser()).post("/sign-in", data={**ANA, "next": "//evil.example"})
    assert elsewhere.headers["Location"] == "/"


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(web: Web) -> None:
    await a_town(web)
    answers = []
    for email in ("ana@example.org", "nobody@example.org", "no address at all"):
        wrong = {"email": email, "password": "not the right one"}
        answer = await (await web.browser()).post("/sign-in", data=wrong)
        answers.append((answer.status_code, answer.text.replace(email, "…")))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 422
    assert "do not belong together" in answers[0][1]
    assert "not the right one" not in answers[0][1]
    assert await how_many_sessions(web) == 0


async def test_the_session_is_a_new_one_at_each_sign_in(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    web.give_session(browser, "planted-by-somebody-else")
    await browser.post("/sign-in", data=ANA)
    first = browser.cookies["session"]
    assert first != "planted-by-somebody-else"
    await browser.post("/sign-in", data=ANA)
    second = browser.cookies["session"]
    assert second != first
    assert await how_many_sessions(web) == 1, "the session before it has ended"
    old = await web.browser()
    web.give_session(old, first)
    assert (await old.get("/me")).status_code == 303


async def test_signing_out_ends_the_session_itself(web: Web) -> None:
    await a_town(web)
    browser, copy = await web.browser(), await web.browser()
    await browser.post("/sign-in", data=ANA)
    web.give_session(copy, browser.cookies["session"])
    assert (await copy.get("/me")).status_code == 200
    out = await browser.post("/sign-out")
    assert out.status_code == 303
    assert "You are signed out" in (await browser.get("/")).text
    assert (await copy.get("/me")).status_code == 303


async def test_signing_out_everywhere_ends_every_session(web: Web) -> None:
    await a_town(web)
    phone, library = await web.signed_in("ana@example.org"), await web.signed_in("ana@example.org")
    carla = await web.signed_in("carla@example.org")
    await phone.post("/sign-out/everywhere")
    assert (await phone.get("/me")).status_code == 303
    assert (await library.get("/me")).status_code == 303
    assert (await carla.get("/me")).status_code == 200


async def test_a_session_ends_after_thirty_days_without_a_visit(web: Web) -> None:
    await a_town(web)
    browser = await web.signed_in("ana@example.org")
    for days in (20, 40, 60):
        web.clock.moment = at(days=days)
        assert (await browser.get("/me")).status_code == 200, "each visit counts"
    web.clock.moment = at(days=60 + 30, seconds=1)
    assert (await browser.get("/me")).status_code == 303


async def test_a_session_ends_after_a_hundred_and_eighty_days_in_any_case(web: Web) -> None:
    await a_town(web)
    browser = await web.signed_in("ana@example.org")
    for days in range(10, 180, 10):
        web.clock.moment = at(days=days)
        assert (await browser.get("/me")).status_code == 200
    web.clock.moment = at(days=180, seconds=1)
    assert (await browser.get("/me")).status_code == 303


async def test_many_wrong_tries_have_to_wait_but_a_link_still_works(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    for _ in range(5):
        await browser.post("/sign-in", data={**ANA, "password": "wrong"})
    slowed = await browser.post("/sign-in", data=ANA)
    assert slowed.status_code == 429
    assert "Too many tries" in slowed.text
    await browser.post("/sign-in/link", data={"email": "ana@example.org"})
    path = await path_in_mail(web, "ana@example.org", "/sign-in/link/")
    assert (await browser.post(path)).status_code == 303
    assert (await browser.get("/me")).status_code == 200


async def test_a_link_by_mail_signs_in_once(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    asked = await browser.post("/sign-in/link", data={"email": " ANA@example.org "})
    assert asked.status_code == 200
    path = await path_in_mail(web, "ana@example.org", "/sign-in/link/")
    for _ in range(2):
        looked = await browser.get(path)
        assert "Sign me in" in looked.text, "looking at a link in advance does not use it up"
    assert (await browser.post(path)).headers["Location"] == "/"
    assert (await browser.get("/me")).status_code == 200
    other = await web.browser()
    again = await other.post(path)
    assert again.status_code == 410
    assert "This link no longer works" in again.text
    assert (await other.get(path)).status_code == 410


async def test_a_link_by_mail_does_not_work_for_long(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    await browser.post("/sign-in/link", data={"email": "ana@example.org"})
    path = await path_in_mail(web, "ana@example.org", "/sign-in/link/")
    web.clock.moment = at(minutes=31)
    assert (await browser.post(path)).status_code == 410


async def test_asking_for_a_link_tells_nobody_who_is_known(web: Web) -> None:
    await a_town(web)
    answers = []
    for email in ("ana@example.org", "nobody@example.org"):
        answer = await (await web.browser()).post("/sign-in/link", data={"email": email})
        answers.append((answer.status_code, answer.text.replace(email, "…")))
    assert answers[0] == answers[1]
    assert await mails(web, "nobody@example.org") == []


async def test_an_address_that_is_none_is_said_to_be_none(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    for path in ("/sign-in/link", "/password/forgotten"):
        answer = await browser.post(path, data={"email": "ana at home"})
        assert answer.status_code == 422
        assert "not an e-mail address" in answer.text


async def test_links_begin_with_the_address_of_the_settings_and_not_of_the_request(
    web: Web,
) -> None:
    await a_town(web)
    browser = await web.browser()
    forged = {"Host": "localhost:8000", "X-Forwarded-Host": "evil.example"}
    await browser.post("/sign-in/link", data={"email": "ana@example.org"}, headers=forged)
    (body,) = await mails(web, "ana@example.org")
    assert web.settings.base_url in body
    assert "evil.example" not in body
    assert "localhost" not in body


async def test_the_session_cookie_lives_as_long_as_the_session(web_on_sqlite: Web) -> None:
    await a_town(web_on_sqlite)
    answer = await (await web_on_sqlite.browser()).post("/sign-in", data=ANA)
    cookie = answer.headers["Set-Cookie"]
    for part in ("session=", "HttpOnly", "Path=/", "SameSite=lax"):
        assert part in cookie
    assert f"Max-Age={round(timedelta(days=180).total_seconds())}" in cookie
    assert len(cookie.partition("=")[2].partition(";")[0]) >= 43, "256 bits"


async def test_the_list_of_mistakes_names_the_fields(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    answer = await browser.post("/sign-in", data={"email": "", "password": ""})
    assert answer.status_code == 422
    assert "Your e-mail address: Please fill this in." in answer.text
    assert "Your password: Please fill this in." in answer.text
