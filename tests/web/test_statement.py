"""Statements: lines with the balance behind each, by period, by search, as CSV."""

from __future__ import annotations

from tests.web.town import Town
from timebank import anchors


async def test_a_statement_shows_each_line_with_its_balance(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90, note="Shopping"))
    await town.approve(await town.record("Jorge", "Ana", 60, note="A lift"))
    page = await town.get("Ana", "statement")
    for said in (
        "Shopping",
        "A lift",
        "+1:30",
        "−1:00",
        "0:30",
        "from Bert Cole",
        "to Jorge Medina",
    ):
        assert said in page.text, said


async def test_an_undone_pair_is_struck_out_and_stays_readable(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 90, note="Shopping")
    await town.approve(entry)
    await town.post("Carla", f"entries/{entry.id}/undo", {"words": "Twice on the sheet"})
    for name, path in (("Ana", "statement"), ("Carla", f"statement/{town.id('Bert')}")):
        page = await town.get(name, path)
        assert page.text.count('class="undone"') == 2
        assert "<s>Shopping</s>" in page.text
        assert "undone later" in page.text
        assert "undoes an earlier line" in page.text


async def test_search_and_days_narrow_a_statement(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90, note="Shopping"))
    await town.approve(await town.record("Ana", "Jorge", 60, note="Garden"))
    page = await town.get("Ana", "statement", q="garden")
    assert "Garden" in page.text
    assert "Shopping" not in page.text
    assert "No lines here" in (await town.get("Ana", "statement", q="piano")).text
    assert "No lines here" in (await town.get("Ana", "statement", last="2026-05-03")).text
    page = await town.get("Ana", "statement", first="2026-05-04", last="2026-05-04")
    assert "Shopping" in page.text


async def test_days_that_are_none_are_said_beside_the_field(town: Town) -> None:
    page = await town.get("Ana", "statement", first="2026-13-01")
    assert page.status_code == 422
    assert "This is not a day" in page.text
    page = await town.get("Ana", "statement", first="2026-05-04", last="2026-05-01")
    assert page.status_code == 422
    assert "before the first one" in page.text


async def test_a_long_statement_turns_its_pages(town: Town) -> None:
    for number in range(52):
        await town.approve(await town.record("Ana", "Bert", 15, note=f"Favour {number}."))
    newest = await town.get("Ana", "statement")
    assert "Favour 51." in newest.text
    assert "Favour 1." not in newest.text
    older = await town.get("Ana", "statement", before="3")
    assert "Favour 1." in older.text
    assert "Back to the newest" in older.text


async def test_csv_holds_every_line_and_no_formula(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90, note='=HYPERLINK("x")'))
    answer = await town.get("Ana", "statement", **{"as": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    heading, line = answer.text.removeprefix("\ufeff").strip().split("\r\n")
    assert heading.startswith("line,")
    assert "Bert Cole" in line
    assert ",=" not in line
    assert ',"=' not in line


async def test_a_printed_statement_carries_the_seal_of_the_books(town: Town) -> None:
    assert "The seal of our books" not in (await town.get("Ana", "statement")).text
    await town.approve(await town.record("Ana", "Bert", 90, note="Shopping"))
    async with town.db.read(town.community.id) as conn:
        seal = await anchors.current(conn, town.community.id)
    assert seal is not None
    assert seal.on_paper.startswith("1:")
    for name, path in (
        ("Ana", "statement"),
        ("Carla", f"statement/{town.id('Bert')}"),
        ("Jorge", "commons"),
    ):
        said = (await town.get(name, path)).text
        (printed,) = [line for line in said.splitlines() if "The seal of our books" in line]
        assert 'class="who print-only"' in printed
        assert seal.on_paper in printed


async def test_statements_of_others_are_not_there(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90, note="Shopping"))
    for rest in (f"statement/{town.id('Ana')}", f"statement/{town.id('Ana')}?as=csv"):
        assert (await town.get("Jorge", rest)).status_code == 404
        assert (await town.get("Carla", rest)).status_code == 200
    assert (await town.get("Carla", f"statement/{town.id('Olga')}")).status_code == 404


async def test_members_read_the_statement_of_the_commons(town: Town) -> None:
    rest = f"statement/{town.community.commons_id}"
    assert (await town.get("Jorge", rest)).status_code == 200
