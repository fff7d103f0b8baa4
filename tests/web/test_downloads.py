"""Any list on a page is to be had as a table: the same rows for the same person, and all of them.

Seen to turn red: a filter that the table forgets; a phone number that was not shown; a list of
others that the audit does not tell of.
"""

from __future__ import annotations

import csv
import io
import re

import pytest
from httpx2 import Response
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from tests.web.test_imports import upload
from tests.web.test_proposals import propose
from tests.web.test_sheets import HEAD, post
from tests.web.test_sheets import rows as rows_of_a_sheet
from tests.web.town import Town
from timebank import audit
from timebank.lists import taken
from web.routes import TABLE

LISTS = {
    "entries:index": ("Ana", "entries/"),
    "entries:index of everybody": ("Carla", "entries/?show=all"),
    "statement:show": ("Ana", "statement"),
    "statement:of_account": ("Carla", "statement/{bert}"),
    "commons:show": ("Ana", "commons"),
    "members:index": ("Ana", "members/"),
    "organisations:index": ("Ana", "organisations/"),
    "listings:index": ("Ana", "listings/"),
    "invitations:index": ("Ana", "invitations/"),
    "audit:show": ("Stella", "audit"),
    "inbox:index": ("Carla", "inbox"),
    "books:show": ("Carla", "books"),
    "batches:index": ("Carla", "batches/"),
    "imports:index": ("Carla", "imports/"),
    "proposals:index": ("Ana", "proposals/"),
    "months:index": ("Ana", "months/"),
    "batches:show": ("Carla", f"batches/{HEAD['id']}"),
}
"""Each page with a list on it, and who asks for it here."""

NO_LISTS = {
    "attendance:index": "a list of what to do",
    "formats:index": "a few names to choose from",
    "gatherings:index": "what is coming; it goes along as a calendar",
    "whats_on:index": "for everybody; it goes along as a calendar",
    "mail:index": "the demo's own mail, of no community",
    "exports:index": "all there is, at once",
    "paper:index": "where one begins; there is no list on it",
    "lists:index": "where one begins; there is no list on it",
    "care:index": "who is to be looked after is a table in the inbox",
    "applications:index": "who asked to join is a table in the inbox",
}
"""Pages that are called a list and have no table, and why."""


def rows(answer: Response) -> list[dict[str, str]]:
    """What a CSV says."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def sheet(answer: Response) -> list[dict[str, object]]:
    """What an XLSX says."""
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    found = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0)
    headings, *lines = found.to_python()
    return [dict(zip(map(str, headings), line, strict=True)) for line in lines]


async def busy(town: Town) -> None:
    """Something in every list."""
    await town.approve(await town.record("Ana", "Bert", 90, note="=1+1"))
    await town.record("Jorge", "Ana", 60, note="Waits")
    await town.approve(await town.record("Ana", "the commons", 30, note="Tea for all"))
    await town.post("Ana", "invitations/", {"name": "Gus", "email": ""})
    lift = {"which": "request", "title": "A lift"}
    assert (await town.post("Ana", "listings/", lift)).status_code == 303
    await post(town, HEAD | rows_of_a_sheet(("4/5", "Jorge", "Bert", "1h", "From a slip")))
    await upload(town, "Carla", b"Name\nOmar Haddad\n")
    await propose(town, dispute_days="14")


def test_every_page_that_is_called_a_list_is_one_here() -> None:
    called = {row[3] for row in TABLE if row[0] == "GET" and row[3].endswith(":index")}
    assert called <= set(LISTS) | set(NO_LISTS)


async def test_every_list_has_its_links_and_both_files(town: Town) -> None:
    await busy(town)
    for name, (who, path) in LISTS.items():
        path = path.replace("{bert}", str(town.id("Bert")))
        page = (await town.get(who, path)).text
        end = page[page.index('<p class="take ') :]
        links = re.findall(r'href="([^"]+[?;]as=(?:csv|xlsx))" download', end)
        assert len(links) == 2, name
        as_csv = rows(await town.get(who, path, **{"as": "csv"}))
        as_xlsx = sheet(await town.get(who, path, **{"as": "xlsx"}))
        noted = name == "audit:show"  # what was taken along stands there by now
        assert len(as_csv) == len(as_xlsx) - noted > 0, name
        assert list(as_csv[0]) == list(as_xlsx[0]), name
        assert all(None not in row and None not in row.values() for row in as_csv), name
        unknown = await town.get(who, path, **{"as": "pdf"})
        assert unknown.headers["content-type"].startswith("text/html"), name


async def test_text_is_no_formula_and_minutes_are_numbers(town: Town) -> None:
    await busy(town)
    newest = rows(await town.get("Ana", "statement", **{"as": "csv"}))[0]
    assert (newest["note"], newest["came_in_minutes"]) == ("'=1+1", "90")
    newest_cells = sheet(await town.get("Ana", "statement", **{"as": "xlsx"}))[0]
    assert (newest_cells["note"], newest_cells["came_in_minutes"]) == ("=1+1", 90.0)


async def test_the_filter_of_the_page_holds_for_the_table(town: Town) -> None:
    await busy(town)
    found = rows(await town.get("Ana", "entries/", show="waiting", **{"as": "csv"}))
    assert [row["note"] for row in found] == ["Waits"]
    found = rows(await town.get("Ana", "statement", q="tea", **{"as": "csv"}))
    assert [row["note"] for row in found] == ["Tea for all"]
    found = rows(await town.get("Ana", "members/", q="jorge", **{"as": "csv"}))
    assert [row["name"] for row in found] == ["Jorge Medina"]
    found = rows(await town.get("Carla", "entries/", show="all", q="tea", **{"as": "csv"}))
    assert [row["note"] for row in found] == ["Tea for all"]
    found = rows(await town.get("Carla", "entries/?show=all&state=recorded&as=csv"))
    assert [row["note"] for row in found] == ["Waits"]
    page = await town.get("Ana", "statement", q="tea", before="3")
    assert "?q=tea&amp;as=csv" in page.text
    wrong = await town.get("Ana", "statement", first="never", **{"as": "csv"})
    assert wrong.status_code == 422
    assert "This is not a day" in wrong.text


async def test_a_table_has_all_rows_and_not_only_those_of_the_page(town: Town) -> None:
    for number in range(52):
        await town.record("Ana", "Bert", 15, note=f"Favour {number}.")
    assert "Favour 0." not in (await town.get("Ana", "entries/")).text
    found = rows(await town.get("Ana", "entries/", **{"as": "csv"}))
    assert len(found) == 52
    assert found[-1]["note"] == "Favour 0."
    everybodys = rows(await town.get("Carla", "entries/?show=all&as=csv"))
    assert len(everybodys) == 52
    waiting = rows(await town.get("Carla", "inbox", after="", **{"as": "csv"}))
    assert len([row for row in waiting if row["why"] in ("approval", "odd")]) == 52
    assert [row for row in waiting if row["why"] == "application"]


async def test_who_may_see_it_decides_what_is_in_it(town: Town) -> None:
    await busy(town)
    told = {row["name"]: row for row in rows(await town.get("Jorge", "members/?as=csv"))}
    assert told["Ana Lima"]["phone"] == told["Ana Lima"]["email"] == ""
    assert told["Jorge Medina"]["email"] == "jorge@m.example"
    assert "Pia Lund" not in told
    asked_for_all = await town.get("Jorge", "members/", all="1", **{"as": "csv"})
    assert "Pia Lund" not in asked_for_all.text
    told = {row["name"]: row for row in rows(await town.get("Carla", "members/?all=1&as=csv"))}
    assert told["Ana Lima"]["phone"] == "07700 900111"
    assert told["Pia Lund"]["status"] == "paused"
    assert rows(await town.get("Jorge", "invitations/?as=csv")) == []
    assert rows(await town.get("Carla", "invitations/?as=csv"))[0]["name"] == "Gus"
    for path in ("inbox?as=csv", f"statement/{town.id('Ana')}?as=csv", "entries/?show=all&as=csv"):
        assert (await town.get("Jorge", path)).status_code in (403, 404)
    assert (await town.get("Jorge", "books?as=csv")).headers["content-type"].startswith("text/html")
    own = rows(await town.get("Jorge", "audit?as=csv"))
    assert len(own) < len(rows(await town.get("Stella", "audit?as=csv")))
    assert "entry.recorded" in {row["action"] for row in own if row["who"] == "Jorge Medina"}
    assert not any(row["name"] == "Gus" or row["who"] == "Ana Lima" for row in own), own


async def test_who_takes_a_list_about_others_along_is_in_the_audit(town: Town) -> None:
    await busy(town)
    for path in ("entries/", "statement", "commons", "members/"):
        await town.get("Ana", path)
        await town.get("Ana", path, **{"as": "csv"})
    await town.get("Carla", f"statement/{town.id('Ana')}", **{"as": "xlsx"})
    async with town.db.read(town.community.id) as conn:
        query = select(audit.audit).where(audit.audit.c.action == "list.taken")
        noted = [
            (row.actor_id, row.facts["list"], row.facts["as"], row.facts["rows"])
            for row in await conn.execute(query.order_by(audit.audit.c.id))
        ]
    assert noted == [
        (town.id("Ana"), "members", "csv", 7),
        (town.id("Carla"), "statement", "xlsx", 2),
    ]
    assert (
        "Carla Reyes took a list along as a file: somebody’s statement"
        in (await town.get("Stella", "audit")).text
    )


@pytest.mark.parametrize("name", ["members", "brand-new"])
async def test_the_audit_names_lists_it_does_not_know_yet(town: Town, name: str) -> None:
    async with town.db.write(town.community.id) as conn:
        await taken(conn, town.community.id, name, "csv", 3, by=town.id("Carla"), now=town.now)
    assert ("the members" if name == "members" else name) in (
        await town.get("Stella", "audit")
    ).text
