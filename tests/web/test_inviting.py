"""Inviting on the page: several at once, everyone of last time, an organisation, cards to print."""

from __future__ import annotations

import re

import pytest

from tests.web.test_gatherings import found, planned, says
from tests.web.town import Town
from timebank import buddies, edge
from timebank.gatherings import Answer
from timebank.members import members

# What these pages say is no matter of the database; what is beneath them runs on both.
pytestmark = pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)


async def test_members_are_invited_by_name_and_everyone_of_last_time_at_once(town: Town) -> None:
    before = await planned(town, day="2026-05-04", at="20:00")
    for who in ("Dora", "Stella"):
        await says(town, before, who)
    id = await planned(town)
    page = await town.get("Ana", f"inviting/{id}")
    assert "Invite everyone of last time: 2 people" in page.text
    names = {"what": "members", "name-0": "Jorge", "name-1": "dora", "words": "Do come"}
    assert (await town.post("Ana", f"inviting/{id}", names)).status_code == 303
    assert (await town.post("Ana", f"inviting/{id}", {"what": "last-time"})).status_code == 303
    seats = {seat.name: seat.answer for seat in (await found(town, id)).seats}
    assert seats == dict.fromkeys(("Jorge Medina", "Dora Nagy", "Stella Ford"), Answer.ASKED)
    assert "Ana Lima invites you." in (await town.get("Jorge", f"gatherings/{id}")).text
    assert "you are invited" in (await town.get("Jorge", "gatherings/")).text
    for wrong in ({"name-0": ""}, {"name-0": "Zebedee"}):
        again = await town.post("Ana", f"inviting/{id}", {"what": "members", **wrong})
        assert again.status_code == 422


async def test_an_organisation_is_invited_and_its_account_manager_names_who_comes(
    town: Town,
) -> None:
    async with town.db.write(town.community.id) as conn:
        await buddies.add(
            conn,
            town.community.id,
            town.id("the library"),
            town.id("Jorge"),
            consent="Agreed.",
            by=town.id("Carla"),
            now=town.now,
        )
    id = await planned(town, openness="invited")
    assert (await town.get("Jorge", f"gatherings/{id}")).status_code == 404
    house = {"what": "organisation", "organisation": str(town.id("the library"))}
    assert (await town.post("Ana", f"inviting/{id}", house)).status_code == 303
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "Mill Road Library is invited by Ana Lima. Who comes from there?" in page.text
    form = {"name": "Rosa", "organisation": str(town.id("the library"))}
    assert (await town.post("Jorge", f"seats/{id}", form)).status_code == 303
    assert (await found(town, id)).coming[0].organisation == "Mill Road Library"
    nobody = {"house": str(town.id("the library"))}
    assert (await town.post("Jorge", f"inviting/{id}/nobody", nobody)).status_code == 303
    assert "nobody this time" in (await town.get("Ana", f"seats/{id}")).text


async def test_cards_have_a_code_each_and_a_guest_gets_a_link_shown_once(town: Town) -> None:
    id = await planned(town)
    form = {"what": "guest", "name": "Rosa", "from": "Shelter"}
    made = await town.post("Ana", f"inviting/{id}", form)
    assert made.status_code == 200
    link = re.search(r"<code>http://127.0.0.1:8000(/gathering/[\w-]{43})</code>", made.text)
    assert link
    assert link[1] not in (await town.get("Ana", f"inviting/{id}")).text
    guest = (await found(town, id)).seats[0]
    cards = await town.post("Ana", f"inviting/{id}/cards", {"blank": "3", "guest": str(guest.id)})
    assert cards.status_code == 200
    assert cards.text.count("<svg") == 4
    assert "For Rosa" in cards.text
    none = await town.post("Ana", f"inviting/{id}/cards", {"blank": "0"})
    assert none.status_code == 422
    bad = await town.post("Ana", f"inviting/{id}", form | {"name": "Tom", "email": "nowhere"})
    assert "not an e-mail address" in bad.text


async def test_the_edge_says_the_same_to_everybody_who_reads_it(town: Town) -> None:
    await town.approve(await town.record("Ana", "Jorge", 60))
    async with town.db.write(town.community.id) as conn:
        await conn.execute(
            members.update().where(members.c.id == town.id("Jorge")).values(area="Canal Side")
        )
    await edge.count(town.db, town.community, now=town.now)
    id = await planned(town)

    async def said(who: str) -> list[str]:
        page = await town.get(who, f"inviting/{id}")
        return re.findall(r"<li>(Nobody [^<]*)</li>", page.text)

    # Ana is the one who knows somebody there; Dora and Carla know nobody. All read the same.
    theirs = [await said(who) for who in ("Ana", "Dora", "Carla")]
    assert theirs[0] == theirs[1] == theirs[2]
    assert "Nobody who lives in Canal Side yet. Some of us know somebody there." in theirs[0]
