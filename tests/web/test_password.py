"""A forgotten password: mailed link, new password, every session ended, nothing given away."""

from __future__ import annotations

from tests.timebank.factories import at
from tests.web.conftest import Web
from tests.web.people import ANOTHER, PASSWORD, a_town, mails, path_in_mail

ANA = "ana@example.org"


async def a_link(web: Web) -> str:
    await a_town(web)
    await (await web.browser()).post("/password/forgotten", data={"email": ANA})
    return await path_in_mail(web, ANA, "/password/")


async def test_a_forgotten_password_is_replaced_with_a_mailed_link(web: Web) -> None:
    path = await a_link(web)
    elsewhere = await web.signed_in(ANA)
    browser = await web.browser()
    assert "Choose a new password" in (await browser.get(path)).text
    done = await browser.post(path, data={"password": ANOTHER})
    assert (done.status_code, done.headers["Location"]) == (303, "/sign-in")
    assert "Your new password is kept" in (await browser.get("/sign-in")).text
    assert (await browser.get("/me")).status_code == 303, "nobody is signed in by a reset"
    assert (await elsewhere.get("/me")).status_code == 303, "every session has ended"
    wrong = await browser.post("/sign-in", data={"email": ANA, "password": PASSWORD})
    assert wrong.status_code == 422
    right = await browser.post("/sign-in", data={"email": ANA, "password": ANOTHER})
    assert right.status_code == 303
    assert len(await mails(web, ANA)) == 2, "the owner is told"


async def test_the_link_works_once_and_for_an_hour(web: Web) -> None:
    path = await a_link(web)
    browser = await web.browser()
    await browser.post(path, data={"password": ANOTHER})
    assert (await browser.get(path)).status_code == 410
    assert (await browser.post(path, data={"password": PASSWORD})).status_code == 410


async def test_the_link_grows_old(web: Web) -> None:
    path = await a_link(web)
    web.clock.moment = at(minutes=61)
    assert (await (await web.browser()).get(path)).status_code == 410


async def test_a_newer_link_takes_the_place_of_an_older_one(web: Web) -> None:
    path = await a_link(web)
    browser = await web.browser()
    await browser.post("/password/forgotten", data={"email": ANA})
    assert (await browser.get(path)).status_code == 410


async def test_a_weak_password_is_refused_and_the_link_still_works(web: Web) -> None:
    path = await a_link(web)
    browser = await web.browser()
    for weak in ("short", "passwordpassword", "aaaaaaaaaaaaaaaa", "x" * 257, ""):
        answer = await browser.post(path, data={"password": weak})
        assert answer.status_code == 422
        assert f'value="{weak}"' not in answer.text
    assert (await browser.post(path, data={"password": ANOTHER})).status_code == 303


async def test_asking_tells_nobody_who_is_known(web: Web) -> None:
    await a_town(web)
    answers = []
    for email in (ANA, "nobody@example.org"):
        answer = await (await web.browser()).post("/password/forgotten", data={"email": email})
        answers.append((answer.status_code, answer.text.replace(email, "…")))
    assert answers[0] == answers[1]


async def test_a_link_that_signs_in_sets_no_password(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    await browser.post("/sign-in/link", data={"email": ANA})
    path = await path_in_mail(web, ANA, "/sign-in/link/")
    answer = await browser.post(
        path.replace("/sign-in/link/", "/password/"), data={"password": "x"}
    )
    assert answer.status_code in (410, 422)
    looked = await browser.get(path.replace("/sign-in/link/", "/password/"))
    assert looked.status_code == 410
