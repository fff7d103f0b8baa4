"""Offers and requests on pages: written, found, answered, turned into hours, and printed."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.web.town import Town, hidden
from timebank import buddies, communities, listings, members
from timebank.listings import Listing


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    """SQLite alone: what these pages ask is tried on both databases in tests/timebank."""
    return town_on_sqlite


async def the_listing(town: Town, id: UUID) -> Listing:
    async with town.db.read(town.community.id) as conn:
        return await listings.get(conn, town.community.id, id)


async def write(town: Town, name: str, **form: str) -> UUID:
    """Put something on the board as somebody; the id it has."""
    facts = {"which": "request", "title": "A lift to the eye clinic"} | form
    answer = await town.post(name, "listings/", facts)
    assert answer.status_code == 303, answer.text
    return UUID(answer.headers["location"].rsplit("/", 1)[1])


async def show_contact(town: Town, name: str, *, shown: bool) -> None:
    async with town.db.write(town.community.id) as conn:
        await members.edit(
            conn,
            town.community.id,
            town.id(name),
            name=town.people[name].name,
            phone="07700 900100",
            contact_shown=shown,
            area="",
            about="",
            by=town.id(name),
            now=town.now,
        )


async def test_a_request_is_written_found_changed_and_taken_off(town: Town) -> None:
    sheet = await town.get("Ana", "listings/new", kind="request")
    assert hidden(sheet, "which") == "request"
    form = {"id": hidden(sheet, "id"), "words": "Every Thursday", "area": "Mill Road"}
    id = await write(town, "Ana", **form)
    assert str(id) == form["id"]
    assert await write(town, "Ana", **form) == id  # a double click
    for query, there in (
        ({}, True),
        ({"kind": "request"}, True),
        ({"kind": "offer"}, False),
        ({"q": "clinic"}, True),
        ({"q": "ana lima"}, True),
        ({"q": "zzz"}, False),
        ({"area": "Mill Road"}, True),
        ({"area": "Elsewhere"}, False),
    ):
        page = await town.get("Jorge", "listings/", **query)
        assert ("eye clinic" in page.text) is there, query
    change = {"title": "A lift to the market", "until": "2026-06-01"}
    assert (await town.post("Jorge", f"listings/{id}/edit", change)).status_code == 403
    assert (await town.post("Ana", f"listings/{id}/edit", change)).status_code == 303
    page = await town.get("Jorge", f"listings/{id}")
    assert "A lift to the market" in page.text
    assert (await town.post("Ana", f"listings/{id}/close", {})).status_code == 303
    assert (await town.get("Jorge", f"listings/{id}")).status_code == 404
    mine = await town.get("Ana", f"members/{town.id('Ana')}/listings")
    assert "off the board" in mine.text
    answer = await town.post("Ana", f"listings/{id}/renew", {"back": "mine"})
    assert answer.headers["location"].endswith("/listings")
    assert (await town.get("Jorge", f"listings/{id}")).status_code == 200


async def test_mistakes_are_shown_beside_their_field(town: Town) -> None:
    form = {"which": "offer", "title": "", "until": "2020-01-01"}
    page = await town.post("Ana", "listings/", form)
    assert page.status_code == 422
    assert "Please fill this in" in page.text
    page = await town.post("Ana", "listings/", form | {"title": "Soup"})
    assert "This day has passed already" in page.text
    page = await town.post("Ana", "listings/", {"title": "Soup"})
    assert page.status_code == 422


async def test_a_coordinator_writes_for_somebody_without_a_computer(town: Town) -> None:
    id = await write(town, "Carla", whose="Bert Cole")
    listing = await the_listing(town, id)
    assert (listing.member.id, listing.written_by) == (town.id("Bert"), town.id("Carla"))
    page = await town.get("Ana", f"listings/{id}")
    assert "Bert Cole" in page.text
    assert "by Carla Reyes" in page.text
    wrong = {"which": "offer", "title": "Soup", "whose": "Nobody"}
    assert (await town.post("Carla", "listings/", wrong)).status_code == 422
    sheet = await town.get("Carla", "listings/new", kind="offer", **{"for": str(town.id("Bert"))})
    assert hidden(sheet, "member") == str(town.id("Bert"))
    assert (
        await town.post("Ana", "listings/", wrong | {"whose": "", "member": str(town.id("Bert"))})
    ).status_code == 403


async def test_somebody_answers_and_the_one_who_asked_reaches_them(town: Town) -> None:
    id = await write(town, "Ana")
    await show_contact(town, "Jorge", shown=False)
    page = await town.get("Jorge", f"listings/{id}")
    assert "They may see my telephone number" in page.text
    form = {"words": "On Thursday?", "share": "1"}
    assert (await town.post("Jorge", f"listings/{id}/answer", form)).status_code == 303
    assert (await town.post("Jorge", f"listings/{id}/answer", {"words": ""})).status_code == 422
    seen = await town.get("Ana", f"listings/{id}")
    for said in ("On Thursday?", "07700 900100", "jorge@m.example", "Write down the hours"):
        assert said in seen.text, said
    for who, answer_is_there in (("Dora", True), ("Jorge", True), ("Stella", True)):
        page = await town.get(who, f"listings/{id}")
        assert ("On Thursday?" in page.text) is answer_is_there, who
        assert "07700 900100" not in page.text.partition("<main")[2] or who == "Jorge", who
    async with town.db.write(town.community.id) as conn:
        await members.set_role(
            conn,
            town.community.id,
            town.id("Dora"),
            members.Role.MEMBER,
            by=town.id("Stella"),
            now=town.now,
        )
    assert "On Thursday?" not in (await town.get("Dora", f"listings/{id}")).text
    back = await town.post("Jorge", f"listings/{id}/take-back", {})
    assert back.status_code == 303
    assert "Nobody yet." in (await town.get("Ana", f"listings/{id}")).text


async def test_hours_begin_with_what_the_request_said(town: Town) -> None:
    async with town.db.read(town.community.id) as conn:
        category = (await communities.categories_of(conn, town.community.id))[1]
    id = await write(town, "Ana", category=str(category.id))
    await town.post("Jorge", f"listings/{id}/answer", {"words": "I can."})
    about = {"listing": str(id), "with": str(town.id("Jorge"))}
    sheet = await town.get("Ana", "entries/new", **about)
    for said in ("I received time", 'value="Jorge Medina"', "A lift to the eye clinic</textarea>"):
        assert said in sheet.text, said
    assert f'<option value="{category.id}" selected>' in sheet.text
    assert hidden(sheet, "listing") == str(id)
    form = {
        "id": hidden(sheet, "id"),
        "side": "received",
        "listing": str(id),
        "giver-0": "Jorge Medina",
        "minutes": "1:00",
        "day": "2026-05-04",
        "kind": "help",
        "category": str(category.id),
        "note": "A lift to the eye clinic",
    }
    answer = await town.post("Ana", "entries/", form)
    assert answer.status_code == 303
    entry = UUID(answer.headers["location"].rsplit("/", 1)[1])
    page = await town.get("Jorge", f"entries/{entry}")
    assert "It came from the request “A lift to the eye clinic”" in page.text
    async with town.db.read(town.community.id) as conn:
        found = await listings.of_entry(conn, town.community.id, entry)
    assert found is not None
    assert found.id == id


async def test_hours_of_a_listing_stand_on_the_side_they_belong_to(town: Town) -> None:
    soup = await write(town, "Ana", which="offer", title="Soup")
    sheet = await town.get("Jorge", "entries/new", listing=str(soup))
    assert "I received time" in sheet.text
    assert 'value="Ana Lima"' in sheet.text
    sheet = await town.get(
        "Ana", "entries/new", listing=str(soup), **{"with": str(town.id("Bert"))}
    )
    assert "I gave time" in sheet.text
    assert 'value="Bert Cole"' in sheet.text
    between = {"listing": str(soup), "with": str(town.id("Jorge"))}
    sheet = await town.get("Carla", "entries/new", **between)
    assert "Write hours down" in sheet.text
    assert 'value="Ana Lima"' in sheet.text
    assert 'value="Jorge Medina"' in sheet.text
    async with town.db.write(town.community.id) as conn:
        await buddies.add(
            conn,
            town.community.id,
            town.id("Bert"),
            town.id("Ana"),
            consent="He said so.",
            by=town.id("Carla"),
            now=town.now,
        )
    berts = await write(town, "Ana", member=str(town.id("Bert")))
    sheet = await town.get(
        "Ana", "entries/new", listing=str(berts), **{"with": str(town.id("Jorge"))}
    )
    assert "I received time" in sheet.text
    assert f'<option value="{town.id("Bert")}" selected>' in sheet.text
    await town.post("Ana", f"listings/{berts}/close", {})
    assert (await town.get("Jorge", "entries/new", listing=str(berts))).status_code == 404


async def test_the_board_is_printed_with_a_number_or_a_name_to_ask_for(town: Town) -> None:
    await write(town, "Ana")
    await write(town, "Jorge", which="offer", title="Soup")
    await show_contact(town, "Jorge", shown=True)
    board = await town.get("Dora", "listings/board")
    for said in ("Ask for Ana Lima", "Jorge Medina, 07700 900100", "Carla Reyes"):
        assert said in board.text, said
    assert board.text.index("Who would like help") < board.text.index("Who offers what")
    assert "Soup" not in (await town.get("Dora", "listings/board", kind="request")).text


async def test_the_board_is_taken_along_as_a_table_and_turned_over(town: Town) -> None:
    for number in range(52):
        await write(town, "Ana", title=f"Favour {number:02}")
    page = await town.get("Jorge", "listings/")
    assert "Favour 51" in page.text
    assert "Favour 01" not in page.text
    address = page.text.split('<nav class="turn"><a href="')[1].split('"')[0].replace("&amp;", "&")
    async with town.browser("Jorge") as browser:
        rest = await browser.get(address)
    assert "Favour 01" in rest.text
    assert (await town.get("Jorge", "listings/", after="nonsense")).status_code == 404
    table = await town.get("Jorge", "listings/", **{"as": "csv", "q": "favour 0"})
    assert table.text.count("request,Favour 0") == 10
