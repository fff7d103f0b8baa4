"""Invitations: a link shown once, for somebody new or for a member without a sign-in."""

from __future__ import annotations

import re

import httpx2

from tests.web.town import Town
from timebank import invitations
from timebank.invitations import Invitation


def link(page: httpx2.Response) -> str:
    found = re.search(r'class="note link"><a href="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


async def waiting(town: Town) -> list[Invitation]:
    async with town.db.read(town.community.id) as conn:
        return await invitations.waiting(conn, town.community.id, now=town.now)


async def test_a_member_invites_a_neighbour_with_a_link_shown_once(town: Town) -> None:
    page = await town.post("Ana", "invitations/", {"name": "Rosa Diaz", "email": ""})
    assert page.status_code == 200
    async with town.browser() as browser:
        shown = await browser.get(link(page))
    assert "Ana Lima" in shown.text
    page = await town.get("Ana", "invitations/")
    assert "Rosa Diaz" in page.text
    assert "/invitation/" not in page.text


async def test_members_see_their_own_invitations_and_coordinators_all(town: Town) -> None:
    await town.post("Ana", "invitations/", {"name": "Rosa Diaz", "email": ""})
    assert "Rosa Diaz" not in (await town.get("Jorge", "invitations/")).text
    assert "Rosa Diaz" in (await town.get("Carla", "invitations/")).text


async def test_an_invitation_can_be_withdrawn_by_whoever_made_it(town: Town) -> None:
    page = await town.post("Ana", "invitations/", {"name": "Rosa Diaz", "email": ""})
    (one,) = await waiting(town)
    assert (await town.post("Jorge", f"invitations/{one.id}/withdraw", {})).status_code == 404
    assert (await town.post("Ana", f"invitations/{one.id}/withdraw", {})).status_code == 303
    assert not await waiting(town)
    async with town.browser() as browser:
        assert (await browser.get(link(page))).status_code == 410


async def test_an_address_that_is_none_is_said_beside_its_field(town: Town) -> None:
    before = await town.rows()
    answer = await town.post("Ana", "invitations/", {"name": "Rosa", "email": "not an address"})
    assert answer.status_code == 422
    assert 'id="email-mistake"' in answer.text
    assert (await town.post("Ana", "invitations/", {"name": ""})).status_code == 422
    assert await town.rows() == before


async def test_a_coordinator_gives_a_member_a_sign_in(town: Town) -> None:
    bert = str(town.id("Bert"))
    assert "A sign-in for Bert Cole" in (await town.get("Carla", "invitations/", member=bert)).text
    page = await town.post("Carla", "invitations/", {"member": bert, "email": ""})
    assert link(page)
    (one,) = await waiting(town)
    assert one.member_id == town.id("Bert")


async def test_members_give_nobody_a_sign_in(town: Town) -> None:
    before = await town.rows()
    form = {"member": str(town.id("Bert")), "email": "thief@example.org"}
    assert (await town.post("Ana", "invitations/", form)).status_code == 403
    assert (await town.get("Ana", "invitations/", member=form["member"])).status_code == 403
    assert await town.rows() == before


async def test_paused_members_invite_nobody(town: Town) -> None:
    answer = await town.post("Pia", "invitations/", {"name": "Rosa", "email": ""})
    assert answer.status_code == 403
    assert not await waiting(town)
