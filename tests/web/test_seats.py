"""Answers on the page, the list of those who organise, and the line of those who wait."""

from __future__ import annotations

from tests.web.test_gatherings import found, planned, says
from tests.web.town import Town
from timebank import buddies
from timebank.gatherings import Answer


async def test_one_click_says_yes_and_another_changes_it_with_a_word(town: Town) -> None:
    id = await planned(town)
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "I’m coming" in page.text
    assert (await town.post("Jorge", f"seats/{id}/answer", {"answer": "yes"})).status_code == 303
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "You come." in page.text
    said = {"answer": "no", "words": "A cold", "whence": ""}
    await town.post("Jorge", f"seats/{id}/answer", said)
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "You said no." in page.text
    assert "“A cold”" in page.text
    assert "A cold" not in (await town.get("Dora", f"gatherings/{id}")).text  # for organisers
    assert "“A cold”" in (await town.get("Ana", f"seats/{id}")).text
    wrong = await town.post("Jorge", f"seats/{id}/answer", {"answer": "perhaps"})
    assert wrong.status_code == 422


async def test_a_full_gathering_offers_the_line_and_says_so(town: Town) -> None:
    id = await planned(town, capacity="1")
    await says(town, id, "Dora")
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "Put me in the line" in page.text
    await town.post("Jorge", f"seats/{id}/answer", {"answer": "yes"})
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "you wait in the line" in page.text
    assert "1 comes, 1 waits · full" in page.text
    assert "you wait for room" in (await town.get("Jorge", "gatherings/")).text
    await says(town, id, "Dora", Answer.NO)
    assert "You come." in (await town.get("Jorge", f"gatherings/{id}")).text


async def test_who_may_answer_for_somebody_finds_them_on_the_page(town: Town) -> None:
    id = await planned(town)
    async with town.db.write(town.community.id) as conn:
        await buddies.add(
            conn,
            town.community.id,
            town.id("Bert"),
            town.id("Jorge"),
            consent="He said so.",
            by=town.id("Carla"),
            now=town.now,
        )
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "Answer for somebody" in page.text
    answer = {"answer": "yes", "for": str(town.id("Bert"))}
    assert (await town.post("Jorge", f"seats/{id}/answer", answer)).status_code == 303
    assert "Bert Cole" in (await town.get("Dora", f"gatherings/{id}")).text
    forbidden = {"answer": "yes", "for": str(town.id("Dora"))}
    assert (await town.post("Jorge", f"seats/{id}/answer", forbidden)).status_code == 403


async def test_organisers_have_the_list_put_people_on_it_and_see_whom_to_ring_up(
    town: Town,
) -> None:
    id = await planned(town)
    assert (await town.get("Jorge", f"seats/{id}")).status_code == 403
    for name, more in (
        ("Bert Cole", {}),  # no sign-in: signed up
        ("Jorge", {}),  # answers himself: invited
        ("Rosa Díaz", {"from": "Shelter"}),  # nobody here: a guest
        ("Dora Nagy", {"guest": "1"}),  # a guest who is called like a member
    ):
        form = {"name": name, "back": "list", **more}
        assert (await town.post("Ana", f"seats/{id}", form)).status_code == 303, name
    seats = {seat.name: seat for seat in (await found(town, id)).seats}
    assert seats["Bert Cole"].comes
    assert seats["Jorge Medina"].answer is Answer.ASKED
    assert seats["Rosa Díaz"].organisation == "Shelter"
    assert seats["Dora Nagy"].member_id is None
    page = await town.get("Ana", f"seats/{id}")
    assert "Glad of a call" in page.text
    assert "07700 900222" not in page.text  # Ana plans it, and does not coordinate
    assert "07700 900222" in (await town.get("Carla", f"seats/{id}")).text
    assert "invited by Ana Lima" in page.text
    twice = await town.post("Ana", f"seats/{id}", {"name": "Rosa Diaz", "back": "list"})
    assert twice.status_code == 422
    assert "is on the list already" in twice.text
    off = {"seat": str(seats["Rosa Díaz"].id)}
    assert (await town.post("Ana", f"seats/{id}/off", off)).status_code == 303
    table = await town.get("Ana", f"seats/{id}", **{"as": "csv"})
    assert "Bert Cole,yes" in table.text
    assert "Rosa" not in table.text
