"""Proposals on the page: written on the agreement's own form, agreed to, put into force."""

from __future__ import annotations

import re

from tests.web.test_agreement import version
from tests.web.town import Town, hidden
from timebank import buddies
from timebank.db import EVERYWHERE


async def the_form(town: Town, who: str = "Ana", **changed: str) -> dict[str, str]:
    """The form as it opens, with some fields changed."""
    page = await town.get(who, "proposals/new")
    assert page.status_code == 200
    form = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"[^>]* checked', page.text))
    fields = ("step", "dispute_days", "approval_above", "soft_floor", "hard_floor", "open_until")
    form |= {
        name: found[1]
        for name in fields
        if (found := re.search(rf'name="{name}"[^>]* value="([^"]*)"', page.text))
    }
    form |= {"version": hidden(page, "version"), "id": hidden(page, "id")}
    return form | {"reason": "We talked about it in May"} | changed


async def propose(town: Town, who: str = "Ana", **changed: str) -> str:
    """Propose it; the path of the proposal."""
    answer = await town.post(who, "proposals/", await the_form(town, who, **changed))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).removeprefix("/c/mill-road/")


async def manage_the_library(town: Town, who: str) -> None:
    async with town.db.write(EVERYWHERE) as conn:
        await buddies.add(
            conn,
            town.community.id,
            town.id("the library"),
            town.id(who),
            consent="The board said so",
            by=town.id("Stella"),
            now=town.now,
        )


async def test_from_a_proposal_to_a_version_everyone_can_follow(town: Town) -> None:
    await manage_the_library(town, "Jorge")
    house = str(town.id("the library"))
    path = await propose(town, dispute_days="14", house=house, **{"asked-0": "Dora"})
    page = await town.get("Jorge", "")
    assert "A proposal to change our agreement asks for your word" in page.text
    page = await town.get("Jorge", path)
    for said in ("has 7 days to say", "has 14 days to say", "Mill Road Library", "Dora Nagy"):
        assert said in page.text, said
    assert "2 words are still missing" in page.text
    await town.post("Jorge", f"{path}/voice", {"stance": "agree", "member": house})
    answer = await town.post("Dora", f"{path}/voice", {"stance": "concern"})
    assert answer.status_code == 422
    assert "Please give a reason" in answer.text
    await town.post("Dora", f"{path}/voice", {"stance": "concern", "words": "Rather long"})
    await town.post("Ana", f"{path}/comment", {"words": "People go on holiday"})
    page = await town.get("Stella", path)
    assert "Rather long" in page.text
    assert "People go on holiday" in page.text
    assert "Put it into force now" not in page.text
    answer = await town.post("Stella", f"{path}/settle", {})
    assert answer.status_code == 422
    assert "Not everyone who was asked has agreed yet: Dora Nagy." in answer.text
    await town.post("Dora", f"{path}/voice", {"stance": "aside"})
    assert "Put it into force now" in (await town.get("Stella", path)).text
    assert (await town.post("Stella", f"{path}/settle", {})).status_code == 303
    assert await version(town) == 2
    page = await town.get("Ana", "agreement")
    assert "Proposed by Ana Lima" in page.text
    assert "agreed by Mill Road Library, Ana Lima" in page.text
    assert "has 14 days to say" in page.text


async def test_a_proposal_that_makes_no_sense_comes_back_as_it_was_typed(town: Town) -> None:
    before = await town.rows()
    for field, typed, said in (
        ("reason", "", "Please fill this in"),
        ("step", "0", "at least 1"),
        ("open_until", "2026-05-04", "from tomorrow on"),
        ("effective_on", "2026-05-03", "This day is past"),
        ("asked-0", "Zebedee", "Nobody here is called"),
        ("closing_day", "29", "at most 28"),
        ("house", "nonsense", "Choose one of those offered"),
    ):
        form = await the_form(town, dispute_days="14", **{field: typed})
        answer = await town.post("Ana", "proposals/", form)
        assert answer.status_code == 422, (field, typed)
        assert said in answer.text, (field, typed)
        assert 'value="14"' in answer.text
    answer = await town.post("Ana", "proposals/", await the_form(town))
    assert answer.status_code == 422
    assert "Nothing is different" in answer.text
    assert await town.rows() == before


async def test_a_double_click_proposes_once(town: Town) -> None:
    form = await the_form(town, dispute_days="14")
    places = {(await town.post("Ana", "proposals/", form)).headers["location"] for _ in range(2)}
    assert len(places) == 1


async def test_two_at_once_and_the_second_has_to_be_looked_at_again(town: Town) -> None:
    first, second = await propose(town, dispute_days="14"), await propose(town, dispute_days="3")
    await town.post("Stella", f"{first}/settle", {})
    page = await town.get("Stella", second)
    assert "has changed the same since this was written" in page.text
    answer = await town.post("Stella", f"{second}/settle", {})
    assert answer.status_code == 422
    assert "Version 2 was adopted meanwhile" in answer.text
    page = await town.get("Ana", f"{second}/edit")
    assert 'value="3"' in page.text
    form = await the_form(town, dispute_days="3")
    assert (await town.post("Ana", f"{second}/edit", form)).status_code == 303
    assert (await town.post("Stella", f"{second}/settle", {})).status_code == 303
    assert await version(town) == 3


async def test_a_proposal_is_taken_back_or_declined_with_a_reason(town: Town) -> None:
    first, second = await propose(town, dispute_days="14"), await propose(town, dispute_days="3")
    assert (await town.post("Ana", f"{first}/withdraw", {"words": ""})).status_code == 303
    assert (await town.post("Stella", f"{second}/decline", {"words": ""})).status_code == 422
    await town.post("Stella", f"{second}/decline", {"words": "We agreed on seven in March"})
    assert "We agreed on seven in March" in (await town.get("Ana", second)).text
    page = await town.get("Ana", "proposals/")
    assert "taken back" in page.text
    assert "declined" in page.text


async def test_the_day_it_holds_from_stands_on_the_button_and_the_page(town: Town) -> None:
    path = await propose(town, dispute_days="14", effective_on="2026-06-01")
    assert "Settle it: it holds from 1 Jun 2026" in (await town.get("Stella", path)).text
    await town.post("Stella", f"{path}/settle", {})
    page = await town.get("Ana", path)
    assert "Stella Ford settled it: it holds from Monday, 1 June 2026 on." in page.text
    assert "holds from Monday, 1 June 2026 on" in (await town.get("Ana", "agreement")).text
