"""A personal link: read, answer, put it in a calendar, become a member, without signing in."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from tests.web.test_gatherings import found, planned
from tests.web.town import Town
from timebank import agreements, inviting, planning
from timebank.agreements import Joining
from timebank.gatherings import Answer

# What these pages say is no matter of the database; what is beneath them runs on both.
pytestmark = pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)


async def link(town: Town, id: UUID, *, blank: bool = False) -> str:
    """The path of a link that Ana made: for Rosa, or on a card for whoever has it."""
    async with town.db.write(town.community.id) as conn:
        here, by, now = town.community.id, town.id("Ana"), town.now
        if blank:
            (card,) = await inviting.cards(conn, here, id, [], 1, by=by, now=now)
            return f"/gathering/{card.token}"
        token = await inviting.guest(conn, here, id, "Rosa Díaz", by=by, now=now)
        return f"/gathering/{token}"


async def test_a_guest_answers_and_comes_in_by_the_same_link(town: Town) -> None:
    id = await planned(town, link="https://meet.example.org/x", bring="A cup")
    path = await link(town, id)
    async with town.browser() as rosa:
        page = await rosa.get(path)
        for said in ("For Rosa Díaz", "Tea and talk", "Ana Lima invites you.", "A cup"):
            assert said in page.text, said
        assert "meet.example.org" not in page.text
        assert "Jorge" not in page.text
        answer = await rosa.post(path, data={"answer": "yes", "words": "With a cake"})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        page = await rosa.get(path)
        assert "You come." in page.text
        assert "https://meet.example.org/x" in page.text
        file = await rosa.get(f"{path}/event.ics")
        assert f"UID:{id}" in file.text
        assert (await rosa.post(path, data={"answer": "asked"})).status_code == 422
        join = await rosa.post(f"{path}/join", data={})
        invitation = join.headers["location"]
        assert invitation.startswith("/invitation/")
        assert 'value="Rosa Díaz"' in (await rosa.get(invitation)).text
        done = await rosa.post(
            invitation,
            data={
                "name": "Rosa Díaz",
                "email": "rosa@elsewhere.example",
                "password": "seven kettles on the canal",
            },
        )
        assert done.status_code == 303
        page = await rosa.get(path)
        assert "This seat belongs to a member by now." in page.text
        page = await rosa.get(town.path(f"gatherings/{id}"))
        assert "You come." in page.text
        assert "“With a cake”" in page.text
    (seat,) = (await found(town, id)).seats
    assert seat.has_sign_in


async def test_a_card_asks_for_a_name_once_and_leads_to_asking_to_join(town: Town) -> None:
    id = await planned(town)
    path = await link(town, id, blank=True)
    async with town.browser() as somebody:
        assert "Your name" in (await somebody.get(path)).text
        nameless = await somebody.post(path, data={"answer": "yes", "name": ""})
        assert nameless.status_code == 422
        said = {"answer": "maybe", "name": "Nadia", "from": "Shelter"}
        assert (await somebody.post(path, data=said)).status_code == 303
        assert "Your name" not in (await somebody.get(path)).text
        join = await somebody.post(f"{path}/join", data={})
        assert join.headers["location"] == town.path("join")
    (seat,) = (await found(town, id)).seats
    assert (seat.name, seat.answer, seat.organisation) == ("Nadia", Answer.MAYBE, "Shelter")


async def test_a_member_who_is_signed_in_takes_the_seat_as_that(town: Town) -> None:
    id = await planned(town)
    path = await link(town, id)
    async with town.browser("Jorge") as jorge:
        assert "This seat is mine" in (await jorge.get(path)).text
        taken = await jorge.post(f"{path}/join", data={"as_me": "1"})
        assert taken.headers["location"] == town.path(f"gatherings/{id}")
        assert "This seat belongs to a member by now." in (await jorge.get(path)).text
    assert (await found(town, id)).seats[0].name == "Jorge Medina"


async def test_what_is_called_off_is_said_and_closed(town: Town) -> None:
    id = await planned(town)
    path = await link(town, id)
    async with town.db.write(town.community.id) as conn:
        await planning.call_off(
            conn, town.community.id, id, "The pipes burst.", by=town.id("Ana"), now=town.now
        )
        terms = (await agreements.current(conn, town.community.id)).terms
    assert terms.joining is Joining.APPLY
    async with town.browser() as rosa:
        page = await rosa.get(path)
        assert "It does not take place." in page.text
        assert not re.search(r'name="answer"', page.text)
        assert (await rosa.post(path, data={"answer": "yes"})).status_code == 422
