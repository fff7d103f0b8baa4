"""Accepting an invitation: somebody new, somebody who signs in here already, and spent links."""

from __future__ import annotations

from tests.timebank.factories import a_community, a_member, at
from tests.web.conftest import Web
from tests.web.people import PASSWORD, a_town
from timebank import invitations, members
from timebank.db import EVERYWHERE

NEW = {"name": "Bert Jansen", "email": "bert@example.org", "password": PASSWORD}


async def an_invitation(web: Web, email: str = "", **more: object) -> str:
    """A path that Carla hands to somebody."""
    town = await a_town(web)
    async with web.db.write(EVERYWHERE) as conn:
        link = await invitations.invite(
            conn,
            town.place.id,
            name="Bert Jansen",
            email=email,
            by=town.carla.id,
            now=web.clock(),
            base_url=web.settings.base_url,
            **more,  # type: ignore[arg-type]
        )
    return link.removeprefix(web.settings.base_url)


async def test_an_invitation_says_who_invites_and_to_what(web: Web) -> None:
    path = await an_invitation(web)
    page = await (await web.browser()).get(path)
    assert "Carla Rossi would like to have you in Mill Road." in page.text
    assert 'value="Bert Jansen"' in page.text


async def test_somebody_new_comes_in_and_is_signed_in(web: Web) -> None:
    path = await an_invitation(web)
    browser = await web.browser()
    done = await browser.post(path, data=NEW)
    assert (done.status_code, done.headers["Location"]) == (303, "/c/mill-road/")
    home = await browser.get("/c/mill-road/")
    assert home.status_code == 200
    assert "Bert" in home.text
    again = await web.browser()
    assert (await again.post(path, data={**NEW, "email": "x@example.org"})).status_code == 410


async def test_what_is_missing_or_weak_is_said_and_the_invitation_still_works(web: Web) -> None:
    path = await an_invitation(web)
    browser = await web.browser()
    empty = await browser.post(path, data={})
    assert empty.status_code == 422
    assert empty.text.count("Please fill this in.") == 6, "beside each field and at the top"
    weak = await browser.post(path, data={**NEW, "password": "bert"})
    assert weak.status_code == 422
    assert "at least 12 characters" in weak.text
    assert 'value="bert@example.org"' in weak.text
    assert (await browser.post(path, data=NEW)).status_code == 303


async def test_somebody_who_is_signed_in_comes_in_as_themselves(web: Web) -> None:
    path = await an_invitation(web)
    async with web.db.write(EVERYWHERE) as conn:
        other = await a_community(conn, "elsewhere", name="Elsewhere")
        await a_member(conn, other.id, "Ines Sol", email="ines@example.org")
    browser = await web.signed_in("ines@example.org")
    assert "Come in as ines@example.org" in (await browser.get(path)).text
    done = await browser.post(path, data={"as_me": "1"})
    assert (done.status_code, done.headers["Location"]) == (303, "/c/mill-road/")
    assert "Welcome!" in (await browser.get("/c/mill-road/")).text


async def test_signing_in_first_leads_back_to_the_invitation(web: Web) -> None:
    path = await an_invitation(web)
    page = await (await web.browser()).get(path)
    assert "/sign-in?next=%2Finvitation%2F" in page.text
    without = await (await web.browser()).post(path, data={"as_me": "1"})
    assert without.headers["Location"].startswith("/sign-in?next=/invitation/")


async def test_a_known_address_with_a_wrong_password_does_not_come_in(web: Web) -> None:
    path = await an_invitation(web)
    stranger = {"name": "Ana", "email": "ana@example.org", "password": "not hers at all, this"}
    browser = await web.browser()
    answer = await browser.post(path, data=stranger)
    assert answer.status_code == 422
    assert "session" not in browser.cookies


async def test_a_member_without_a_sign_in_gets_one_and_stays_the_same_member(web: Web) -> None:
    town = await a_town(web)
    async with web.db.write(EVERYWHERE) as conn:
        bert = await a_member(conn, town.place.id, "Bert Jansen")
        link = await invitations.invite(
            conn,
            town.place.id,
            name=bert.name,
            email="",
            by=town.carla.id,
            now=web.clock(),
            base_url=web.settings.base_url,
            member_id=bert.id,
        )
    browser = await web.browser()
    await browser.post(link.removeprefix(web.settings.base_url), data=NEW)
    assert (await browser.get("/c/mill-road/")).status_code == 200
    async with web.db.read(EVERYWHERE) as conn:
        found = await members.get(conn, town.place.id, bert.id)
    assert found.person_id is not None


async def test_an_old_invitation_no_longer_works(web: Web) -> None:
    path = await an_invitation(web)
    web.clock.moment = at(days=400)
    browser = await web.browser()
    assert (await browser.get(path)).status_code == 410
    assert (await browser.post(path, data=NEW)).status_code == 410
    assert (await browser.get("/invitation/never-was-one")).status_code == 410


async def test_the_operators_link_makes_the_first_steward(web: Web) -> None:
    async with web.db.write(EVERYWHERE) as conn:
        place = await a_community(conn)
        link = await invitations.invite_steward(
            conn, place.id, now=web.clock(), base_url=web.settings.base_url
        )
    path = link.removeprefix(web.settings.base_url)
    browser = await web.browser()
    assert "you are the first" in (await browser.get(path)).text
    await browser.post(path, data=NEW)
    assert (await browser.get("/c/mill-road/agreement/edit")).status_code == 200
