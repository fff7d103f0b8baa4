"""Home: what I gave and received, what waits for me, and for whom mine waits."""

from __future__ import annotations

import re

from httpx2 import Response
from sqlalchemy import select

from tests.web.town import Town
from timebank import members
from timebank.db import EVERYWHERE
from timebank.entry import State


async def test_home_says_given_received_and_what_is_left(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90))
    await town.approve(await town.record("Jorge", "Ana", 60))
    page = await town.get("Ana")
    for said in ("Good afternoon, Ana", "1:30", "1:00", "0:30", "I gave time", "I received time"):
        assert said in page.text


async def test_somebody_new_is_invited_to_begin(town: Town) -> None:
    page = await town.get("Jorge")
    assert "Nothing on your statement yet" in page.text
    assert "Waiting for" not in page.text


async def test_what_waits_for_me_can_be_confirmed_at_once(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60)
    page = await town.get("Jorge")
    assert "Ana Lima says they gave you 1:00" in page.text
    confirm = town.path(f"entries/{entry.id}/confirm")
    assert f'action="{confirm}"' in page.text
    async with town.browser("Jorge") as browser:
        answer = await browser.post(confirm, data={"back": "home"})
        after = await browser.get(answer.headers["location"])
    assert "Confirmed. Thank you!" in after.text
    assert "Waiting for you" not in after.text
    assert (await town.entry(entry.id)).state is State.CONFIRMED


async def test_what_of_mine_waits_says_for_whom_and_since_when(town: Town) -> None:
    await town.record("Ana", "Jorge", 60)
    page = await town.get("Ana")
    assert "Waiting for others" in page.text
    assert "Waits for a coordinator to approve it." in page.text
    assert "Last step" in page.text


async def test_coordinators_see_how_much_waits_in_the_inbox(town: Town) -> None:
    assert (
        "One thing waits in the inbox" in (await town.get("Carla")).text
    )  # Mei would like to join
    await town.record("Ana", "Jorge", 60)
    assert "2 things wait in the inbox" in (await town.get("Carla")).text
    assert "in the inbox" not in (await town.get("Ana")).text


async def test_the_menu_has_every_page_once_and_coordinators_have_theirs(town: Town) -> None:
    def led_to(page: Response) -> list[str]:
        menu = page.text.split("<nav", 1)[1].split("</nav>", 1)[0]
        return re.findall(r'<li[^>]*><a href="([^"]*)"', menu)

    of_ana, of_carla = led_to(await town.get("Ana")), led_to(await town.get("Carla"))
    assert town.path("listings/") in of_ana
    assert len(set(of_carla)) == len(of_carla) > len(of_ana) == len(set(of_ana))
    hers = [path for path in of_carla if path not in of_ana]
    assert town.path("care/") in hers
    for path in set(hers) - {town.path("attendance/")}:  # whoever organises has lists, too
        assert (await town.get("Ana", path.removeprefix(town.path("")))).status_code == 403


async def test_a_paused_member_looks_and_writes_nothing_down(town: Town) -> None:
    page = await town.get("Pia")
    assert "You are taking a break" in page.text
    assert "I gave time" not in page.text
    assert (await town.get("Pia", "entries/new")).status_code == 403


async def test_the_front_door_leads_to_the_only_community(town: Town) -> None:
    async with town.browser("Ana") as browser:
        answer = await browser.get("/")
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(town.path())
    async with town.browser() as browser:
        answer = await browser.get("/")
    assert "An hour is an hour" in answer.text


async def test_the_front_door_offers_a_choice_of_several_communities(town: Town) -> None:
    async with town.db.write(EVERYWHERE) as conn:
        table = members.members
        query = select(table.c.person_id).where(table.c.id == town.id("Ana"))
        await members.insert_member(
            conn,
            town.next_door.id,
            name="Ana Lima",
            status=members.Status.ACTIVE,
            person_id=(await conn.execute(query)).scalar_one(),
            now=town.now,
        )
    async with town.browser("Ana") as browser:
        answer = await browser.get("/")
    assert "Mill Road" in answer.text
    assert "Next Door" in answer.text


async def test_somebody_from_next_door_finds_nothing_here(town: Town) -> None:
    for rest in ("", "statement", "members/", "commons", "agreement", "books", "audit", "my-data"):
        assert (await town.get("Olga", rest)).status_code == 404, rest
