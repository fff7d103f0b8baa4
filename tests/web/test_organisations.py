"""Organisations: their list, their page, who belongs there, and what their managers do."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.web.town import Town, hidden
from timebank import affiliations, buddies, directory, members, sectors
from timebank.entry import Kind
from timebank.members import MemberKind


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    """SQLite alone: what these pages ask is tried on both databases in tests/timebank."""
    return town_on_sqlite


async def the_sectors(town: Town) -> dict[str, UUID]:
    async with town.db.read(town.community.id) as conn:
        return {one.name: one.id for one in await sectors.of(conn, town.community.id)}


async def let_keep(town: Town, name: str) -> None:
    """Somebody keeps the library's account."""
    async with town.db.write(town.community.id) as conn:
        await buddies.add(
            conn,
            town.community.id,
            town.id("the library"),
            town.id(name),
            consent="A letter.",
            by=town.id("Carla"),
            now=town.now,
        )


async def test_a_coordinator_adds_one_and_is_led_to_who_keeps_it(town: Town) -> None:
    known = await the_sectors(town)
    form = {
        "name": "The Surgery",
        "sector": str(known["Health"]),
        "area": "Station Quarter",
        "contact": "Priya at the desk",
        "about": "Two doctors.",
    }
    answer = await town.post("Carla", "organisations/", form)
    async with town.db.read(town.community.id) as conn:
        (found,) = await directory.page(conn, town.community.id, search="surgery")
    assert found.member.kind is MemberKind.ORGANISATION
    assert answer.headers["location"] == town.path(f"members/{found.member.id}/buddies")
    page = await town.get("Ana", f"organisations/{found.member.id}")
    for said in ("Health", "Station Quarter", "Priya at the desk", "Two doctors."):
        assert said in page.text, said
    assert (await town.post("Ana", "organisations/", form)).status_code == 403
    assert (await town.post("Carla", "organisations/", {"name": ""})).status_code == 422


async def test_the_list_is_read_by_sector_area_and_name_and_taken_along(town: Town) -> None:
    known = await the_sectors(town)
    house = f"organisations/{town.id('the library')}"
    form = {"name": "Mill Road Library", "sector": str(known["Arts and culture"]), "area": "Mill"}
    assert (await town.post("Carla", f"{house}/edit", form)).status_code == 303
    for query, there in (
        ({}, True),
        ({"sector": str(known["Arts and culture"])}, True),
        ({"sector": str(known["Health"])}, False),
        ({"area": "Mill"}, True),
        ({"area": "Elsewhere"}, False),
        ({"q": "libr"}, True),
        ({"q": "culture"}, True),
    ):
        page = await town.get("Ana", "organisations/", **query)
        assert ("Mill Road Library</strong>" in page.text) is there, query
    page = await town.get("Ana", "organisations/", area="Mill")
    for format in ("csv", "xlsx"):
        assert f'organisations/?area=Mill&amp;as={format}"' in page.text
    for area, there in (("Mill", True), ("Elsewhere", False)):
        table = await town.get("Ana", "organisations/", **{"as": "csv", "area": area})
        assert ("Mill Road Library,Arts and culture,Mill" in table.text) is there
    assert "took a list with personal data away" in (await town.get("Stella", "audit")).text


async def test_a_link_to_the_member_leads_to_the_organisation(town: Town) -> None:
    id = town.id("the library")
    answer = await town.get("Ana", f"members/{id}")
    assert answer.headers["location"] == town.path(f"organisations/{id}")
    assert (await town.get("Ana", f"organisations/{town.id('Jorge')}")).status_code == 404
    answer = await town.get("Carla", f"members/{id}/edit")
    assert answer.headers["location"] == town.path(f"organisations/{id}/edit")


async def test_who_keeps_its_account_sees_its_statement_and_gives_its_hours(town: Town) -> None:
    id = town.id("the library")
    for said in ("received time", "Give hours to the commons", "the whole statement"):
        assert said not in (await town.get("Ana", f"organisations/{id}")).text
    await let_keep(town, "Ana")
    page = await town.get("Ana", f"organisations/{id}")
    for said in ("Mill Road Library received time", "Give hours to the commons", "statement"):
        assert said in page.text
    sheet = await town.get("Ana", "entries/new", kind="donation", behalf=str(id))
    assert f'<option value="{id}" selected>' in sheet.text
    form = {
        "id": hidden(sheet, "id"),
        "side": "gave",
        "gift": "donation",
        "behalf": str(id),
        "minutes": "2:00",
        "day": "2026-05-04",
    }
    assert (await town.post("Ana", "entries/", form)).status_code == 303
    (entry,) = await town.entries_of("the library")
    assert entry.kind is Kind.DONATION
    await town.approve(entry)
    assert (await town.balance("the library")).count == -120
    assert (await town.balance("the commons")).count == 120


async def test_who_keeps_it_says_who_belongs_there_and_confirms_who_said_so(town: Town) -> None:
    house = f"organisations/{town.id('the library')}"
    await town.post(
        "Jorge", f"affiliations/{town.id('Jorge')}", {"organisation": str(town.id("the library"))}
    )
    assert "not confirmed yet" in (await town.get("Dora", house)).text
    form = {"person": "Bert Cole", "role": "reads to children"}
    assert (await town.post("Ana", f"{house}/people", form)).status_code == 403
    await let_keep(town, "Ana")
    assert (await town.post("Ana", f"{house}/people", form)).status_code == 303
    assert (await town.post("Ana", f"{house}/people", {"person": "Nobody"})).status_code == 422
    page = await town.get("Dora", house)
    assert "reads to children" in page.text
    async with town.db.read(town.community.id) as conn:
        (hat,) = await affiliations.of(conn, town.community.id, town.id("Jorge"))
    path = f"affiliations/{town.id('Jorge')}/{hat.id}/confirm"
    answer = await town.post("Ana", path, {"house": str(town.id("the library"))})
    assert answer.headers["location"] == town.path(house)
    assert "not confirmed yet" not in (await town.get("Dora", house)).text


async def test_a_sector_that_was_retired_may_stay(town: Town) -> None:
    known = await the_sectors(town)
    house = f"organisations/{town.id('the library')}"
    form = {"name": "Library", "sector": str(known["Faith"])}
    assert (await town.post("Carla", f"{house}/edit", form)).status_code == 303
    await town.post("Carla", f"lists/sectors/{known['Faith']}/retire", {})
    assert "Faith" not in (await town.get("Carla", "organisations/new")).text
    assert "Faith" in (await town.get("Carla", f"{house}/edit")).text
    assert (await town.post("Carla", f"{house}/edit", form)).status_code == 303


async def test_an_organisation_is_paused_and_resumed_like_a_member(town: Town) -> None:
    id = town.id("the library")
    assert (await town.post("Carla", f"members/{id}/pause", {})).status_code == 303
    assert "taking a break" in (await town.get("Carla", f"organisations/{id}")).text
    assert (await town.post("Carla", f"members/{id}/resume", {})).status_code == 303
    async with town.db.read(town.community.id) as conn:
        assert (await members.get(conn, town.community.id, id)).status == "active"
