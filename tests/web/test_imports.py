"""Bringing in a file on the pages: upload, match, look, all at once; and what is refused there."""

from __future__ import annotations

import csv
import io
import re

import httpx2
import pytest

from tests.timebank.importing import a_csv
from tests.web.test_queries import MOST, counted
from tests.web.town import Town
from timebank.entry import Kind
from timebank.imports.files import What
from web.security import MAX_UPLOAD

PEOPLE = a_csv(
    "N,Nombre,Correo", "17,Zoë Ñandú,zoe@example.org", "18,Omar Haddad,", ",,x@y.example"
)
HOURS = a_csv(
    "Date,from,from ID,to,to ID,post,post ID,Comments,quantity",
    "2024-05-18,Ana Lima,,Zoë Ñandú,17,,,Weeding <b>,1.5",
    "2024-05-19,Bank,0,Ana Lima,,,,Welcome,2",
)


async def upload(town: Town, who: str, content: bytes, name: str = "list.csv") -> httpx2.Response:
    """A file sent to the community by somebody."""
    async with town.browser(who) as browser:
        sent = {"file": (name, content, "text/csv")}
        response = await browser.post(town.path("imports/"), files=sent)
        await town.app.state.jobs.settled()
        return response


def where(response: httpx2.Response) -> str:
    """The page of the file that an upload leads to, from the community's home on."""
    assert response.status_code == 303, response.text
    return response.headers["location"].split("/", 3)[3]


async def check(town: Town, who: str, page: str, what: str, **more: str) -> httpx2.Response:
    """Check a file with the columns that its page suggests."""
    shown = (await town.get(who, page, what=what)).text
    columns = dict(
        re.findall(
            r'<select id="(column-[a-z_]+)".*?<option value="(\d+)" selected', shown, re.DOTALL
        )
    )
    found = {
        name: chosen
        for name, chosen in columns.items()
        if re.search(
            rf'name="{name}"(?:(?!</select>).)*value="{chosen}" selected', shown, re.DOTALL
        )
    }
    response = await town.post(who, f"{page}/check", {"what": what, **found, **more})
    await town.app.state.jobs.settled()
    return response


async def run(town: Town, who: str, page: str, **more: str) -> httpx2.Response:
    response = await town.post(who, f"{page}/run", more)
    await town.app.state.jobs.settled()
    return response


async def brought(town: Town, who: str, content: bytes, what: str) -> str:
    page = where(await upload(town, who, content))
    await check(town, who, page, what)
    await run(town, who, page, leave_out="1")
    return page


async def test_from_a_list_of_another_program_to_members_and_back(town: Town) -> None:
    page = where(await upload(town, "Carla", PEOPLE))
    shown = (await town.get("Carla", page)).text
    assert "Which column is what?" in shown
    assert "Nothing is brought in yet." in shown
    await check(town, "Carla", page, "people")
    shown = (await town.get("Carla", page)).text
    assert "Zoë Ñandú becomes a member." in shown
    assert "There is no name in this row." in shown
    assert "Bring in 2 rows" in shown
    refused = await run(town, "Carla", page)
    assert refused.status_code == 422
    assert "tick that they stay out" in refused.text.replace("\n", " ")
    await run(town, "Carla", page, leave_out="1")
    assert "2 rows were new." in (await town.get("Carla", page)).text
    assert "Zoë Ñandú" in (await town.get("Ana", "members/", q="zoe")).text
    undo = (await town.get("Carla", f"{page}/undo")).text
    assert "2 members whom this file added are forgotten" in undo
    assert (await town.post("Carla", f"{page}/undo", {"words": ""})).status_code == 422
    await town.post("Carla", f"{page}/undo", {"words": "The wrong list"})
    await town.app.state.jobs.settled()
    assert "Brought in, and undone" in (await town.get("Carla", page)).text
    assert "Zoë Ñandú" not in (await town.get("Ana", "members/", q="zoe")).text


async def test_pages_of_a_file_ask_as_often_with_many_rows_as_with_few(town: Town) -> None:
    asked = []
    for count in (3, 600):
        rows = [f"Neighbour {number},n{count}-{number}@example.org" for number in range(count)]
        page = where(await upload(town, "Carla", a_csv("Name,E-mail", *rows)))
        sent = []
        for rest in ("", "?rows=new", "/undo"):
            if rest == "?rows=new":
                await check(town, "Carla", page, "people")
            elif rest == "/undo":
                await run(town, "Carla", page)
            await town.get("Carla", page + rest)
            with counted(town.db) as statements:
                assert (await town.get("Carla", page + rest)).status_code == 200
            sent.append(len(statements))
        asked.append(sent)
    assert asked[0] == asked[1]
    assert max(asked[0]) <= MOST


async def test_hours_wait_for_a_steward_and_their_entries_say_where_they_came_from(
    town: Town,
) -> None:
    await brought(town, "Carla", PEOPLE, "people")
    page = where(await upload(town, "Carla", HOURS))
    await check(town, "Carla", page, "hours")
    assert "brought in by a steward" in (await town.get("Carla", page)).text
    assert (await run(town, "Carla", page)).status_code == 403
    assert "Bring in 2 entries, 3:30" in (await town.get("Stella", page)).text
    await run(town, "Stella", page)
    assert (await town.balance("Ana")).count == 120 - 90
    help = next(one for one in await town.entries_of("Ana") if one.kind is Kind.HELP)
    shown = (await town.get("Ana", f"entries/{help.id}")).text
    assert "Stella Ford brought it in from a file" in shown
    assert "Weeding &lt;b&gt;" in shown
    assert (await town.get("Carla", f"{page}/undo")).status_code == 403
    audit = (await town.get("Stella", "audit")).text
    assert "Stella Ford brought in a file" in audit


async def test_the_same_file_again_says_so_and_offers_nothing(town: Town) -> None:
    await brought(town, "Carla", PEOPLE, "people")
    page = where(await upload(town, "Dora", PEOPLE))
    assert "Carla Reyes brought in this very file" in (await town.get("Dora", page)).text
    await check(town, "Dora", page, "people")
    shown = (await town.get("Dora", page)).text
    assert "There is nothing new in this file" in shown
    assert f"{page}/run" not in shown
    gone = await town.post("Dora", f"{page}/forget", {})
    assert gone.status_code == 303
    assert (await town.get("Dora", page)).status_code == 404


async def test_the_whole_check_as_a_table_has_no_formula_in_it(town: Town) -> None:
    rows = [f"=HYPERLINK(1) {number}" for number in range(300)]
    page = where(await upload(town, "Carla", a_csv("Name", *rows)))
    await check(town, "Carla", page, "people")
    shown = (await town.get("Carla", page)).text
    assert shown.count("becomes a member.") == 200
    table = await town.get("Carla", page, **{"as": "csv"})
    lines = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert len(lines) == 301
    assert lines[0] == ["row", "outcome", "why", "Name"]
    assert lines[1][:2] == ["2", "new"]
    assert not [cell for line in lines for cell in line if cell.startswith("=")]


@pytest.mark.parametrize("what", list(What))
async def test_an_empty_table_to_fill_in_is_understood_again(town: Town, what: What) -> None:
    table = await town.get("Carla", "imports/", **{"what": what, "as": "xlsx"})
    page = where(await upload(town, "Carla", table.content, "empty.xlsx"))
    shown = (await town.get("Carla", page)).text
    chosen = re.search(r'name="what" value="([a-z]+)"', shown)
    assert chosen is not None
    assert chosen[1] == what
    assert (await town.get("Carla", page)).status_code == 200


async def test_what_is_no_table_is_refused_with_a_sentence_and_forgotten(town: Town) -> None:
    before = await town.rows()
    page = where(await upload(town, "Carla", b"\x89PNG" + bytes(range(256)) * 9, "x.xlsx"))
    shown = (await town.get("Carla", page)).text
    assert "neither a spreadsheet nor a text" in shown
    await town.post("Carla", f"{page}/forget", {})
    assert await town.rows() == before
    assert list((town.db.settings.data / "uploads").iterdir()) == []


async def test_no_file_and_a_file_that_is_too_large_are_refused(town: Town) -> None:
    before = await town.rows()
    async with town.browser("Carla") as browser:
        nothing = await browser.post(town.path("imports/"), files={"file": ("", b"")})
        assert nothing.status_code == 422
        assert "Choose a file first." in nothing.text
        large = await browser.post(
            town.path("imports/"), files={"file": ("x.csv", b"x" * (MAX_UPLOAD + 1))}
        )
        assert large.status_code == 413
        elsewhere = await browser.post(
            town.path("members/"), files={"file": ("x.csv", b"x" * 300_000)}
        )
        assert elsewhere.status_code == 413, "only where files are brought in"
    async with town.browser("Ana") as browser:
        sent = {"file": ("x.csv", PEOPLE, "text/csv")}
        assert (await browser.post(town.path("imports/"), files=sent)).status_code == 403
    assert await town.rows() == before


async def test_columns_that_are_missing_stand_beside_their_field(town: Town) -> None:
    page = where(await upload(town, "Carla", HOURS))
    response = await town.post(
        "Carla", f"{page}/check", {"what": "hours", "column-day": "", "column-source": "1"}
    )
    assert response.status_code == 422
    assert 'id="column-day-mistake"' in response.text
    both = {"what": "hours", "column-day": "0", "column-time": "8", "column-giver": "1"}
    response = await town.post("Carla", f"{page}/check", both | {"column-source": "1"})
    assert "Choose either who gave and who received" in response.text
