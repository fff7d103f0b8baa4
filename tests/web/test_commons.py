"""The commons: open to every member, given to by anyone, given from by coordinators."""

from __future__ import annotations

from tests.web.town import Town
from timebank.entry import Kind


async def test_every_member_reads_every_line_of_the_commons(town: Town) -> None:
    entry = await town.record(
        "Ana", "the commons", 60, kind=Kind.DONATION, note="For somebody who cannot give"
    )
    await town.approve(entry)
    page = await town.get("Jorge", "commons")
    assert "For somebody who cannot give" in page.text
    assert "1:00" in page.text
    assert "from Ana Lima" in page.text


async def test_the_budget_is_said_in_words(town: Town) -> None:
    assert "sets no limit" in (await town.get("Ana", "commons")).text


async def test_members_are_offered_to_give_and_coordinators_to_grant(town: Town) -> None:
    page = await town.get("Ana", "commons")
    assert "Give hours to the commons" in page.text
    assert "Give hours from the commons" not in page.text
    assert "Give hours from the commons" in (await town.get("Carla", "commons")).text
    assert "Give hours to the commons" not in (await town.get("Pia", "commons")).text


async def test_gifts_count_in_balances_and_not_as_help(town: Town) -> None:
    entry = await town.record("the commons", "Bert", 120, by="Carla", kind=Kind.GRANT)
    await town.approve(entry)
    page = await town.get("Carla", f"members/{town.id('Bert')}")
    given, received, balance = (
        piece.split("</strong>")[0] for piece in page.text.split("<strong>")[-3:]
    )
    assert (given, received, balance) == ("0:00", "0:00", "2:00")


async def test_a_search_in_the_commons_narrows_it(town: Town) -> None:
    assert "No lines here" in (await town.get("Ana", "commons", q="piano")).text
