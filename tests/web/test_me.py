"""My sign-in: communities, language, password."""

from __future__ import annotations

from tests.timebank.factories import a_community, a_member
from tests.web.conftest import Web
from tests.web.people import ANOTHER, PASSWORD, a_town
from timebank.db import EVERYWHERE

ANA = "ana@example.org"


async def test_my_communities_are_listed_and_nobody_elses(web: Web) -> None:
    await a_town(web)
    async with web.db.write(EVERYWHERE) as conn:
        await a_community(conn, "hidden-lane", name="Hidden Lane")
    page = await (await web.signed_in(ANA)).get("/me")
    assert "Mill Road" in page.text
    assert "Hidden Lane" not in page.text


async def test_who_belongs_to_several_chooses_at_the_front(web: Web) -> None:
    await a_town(web)
    async with web.db.write(EVERYWHERE) as conn:
        place = await a_community(conn, "high-street", name="High Street")
        lone = await a_member(conn, place.id, "Ana", email="lone@example.org")
        assert lone.person_id
    browser = await web.signed_in("lone@example.org")
    assert (await browser.get("/")).headers["Location"].endswith("/c/high-street/")


async def test_the_language_of_my_pages_changes(web: Web) -> None:
    await a_town(web)
    browser = await web.signed_in(ANA)
    assert 'lang="en"' in (await browser.get("/me")).text
    await browser.post("/me/language", data={"language": "es"})
    assert '<html lang="es">' in (await browser.get("/me")).text
    wrong = await browser.post("/me/language", data={"language": "tlh"})
    assert wrong.status_code == 422


async def test_my_password_changes_with_the_old_one_and_every_session_ends(web: Web) -> None:
    await a_town(web)
    browser = await web.signed_in(ANA)
    wrong = await browser.post("/me/password", data={"old": "no", "password": ANOTHER})
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    weak = await browser.post("/me/password", data={"old": PASSWORD, "password": "short"})
    assert weak.status_code == 422
    done = await browser.post("/me/password", data={"old": PASSWORD, "password": ANOTHER})
    assert (done.status_code, done.headers["Location"]) == (303, "/sign-in")
    assert (await browser.get("/me")).status_code == 303
    again = await browser.post("/sign-in", data={"email": ANA, "password": ANOTHER})
    assert again.status_code == 303


async def test_who_has_no_password_yet_chooses_one(web: Web) -> None:
    await a_town(web)
    browser = await web.signed_in("carla@example.org")
    page = await browser.get("/me")
    assert "The password you have now" not in page.text
    assert (await browser.post("/me/password", data={"password": ANOTHER})).status_code == 303


async def test_nobody_sees_this_page_without_signing_in(web_on_sqlite: Web) -> None:
    browser = await web_on_sqlite.browser()
    assert (await browser.get("/me")).headers["Location"] == "/sign-in?next=%2Fme"
    assert (await browser.post("/me/password", data={})).status_code == 401
