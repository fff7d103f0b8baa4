"""What came in together: row by row, and undone as one with one reason."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from ledger import Minutes
from tests.web.test_sheets import HEAD, post, rows
from tests.web.town import Town
from timebank import agreements, sheets
from timebank.entry import Kind, State
from timebank.sheets import Line

BATCH = HEAD["id"]


async def typed_in(town: Town) -> None:
    """Three rows: two count, Carla's own waits."""
    form = HEAD | rows(
        ("4/5", "Ana", "Bert", "1:30", "Shopping"),
        ("", "Carla", "Bert", "1h", "Paperwork"),
        ("", "Jorge", "Carla", "45m", "A lift"),
    )
    done = await post(town, form)
    assert done.headers["location"] == town.path(f"batches/{BATCH}")


async def test_a_batch_shows_where_its_rows_stand(town: Town) -> None:
    assert "Is there a slip in the drawer?" in (await town.get("Carla", "batches/")).text
    await typed_in(town)
    index = (await town.get("Dora", "batches/")).text
    assert "A sheet of 4 May 2026" in index
    assert "typed in by Carla Reyes" in index
    assert "3 rows" in index
    page = (await town.get("Dora", f"batches/{BATCH}")).text
    assert "approved: 2 entries, 2:15" in page
    assert "waiting: one entry, 1:00" in page
    assert page.index("Shopping") < page.index("Paperwork") < page.index("A lift")
    table = await town.get("Dora", f"batches/{BATCH}", **{"as": "csv"})
    assert table.text.count("\r\n") == 4
    assert (await town.get("Ana", f"batches/{BATCH}")).status_code == 403
    assert (await town.get("Carla", f"batches/{town.id('Ana')}")).status_code == 404


async def test_a_batch_is_undone_as_far_as_one_may_and_the_rest_by_another(town: Town) -> None:
    await typed_in(town)
    ask = " ".join((await town.get("Carla", f"batches/{BATCH}/undo")).text.split())
    assert "One entry, 1:30, is moved back." in ask
    assert "One entry still waits and is taken back." in ask
    assert "You would gain from undoing one entry" in ask
    assert "Undo 2 entries" in ask
    silent = await town.post("Carla", f"batches/{BATCH}/undo", {"words": " "})
    assert silent.status_code == 422
    assert await town.balance("Ana") == Minutes(90)
    answer = await town.post("Carla", f"batches/{BATCH}/undo", {"words": "The wrong week"})
    assert answer.status_code == 200
    assert "Not all of it worked" in answer.text
    assert "2 entries undone." in answer.text
    assert await town.balance("Ana") == Minutes(0)
    assert await town.balance("Jorge") == Minutes(45)
    done = await town.post("Dora", f"batches/{BATCH}/undo", {"words": "The wrong week"})
    assert done.status_code == 303
    assert await town.balance("Jorge") == Minutes(0)
    page = (await town.get("Dora", f"batches/{BATCH}")).text
    assert "undone: 2 entries, 2:15" in page
    assert "Undo all of it" not in page
    assert (
        "There is nothing left to undo here."
        in (await town.get("Dora", f"batches/{BATCH}/undo")).text
    )
    (entry,) = [one for one in await town.entries_of("Carla") if one.note == "Paperwork"]
    assert entry.state is State.WITHDRAWN


async def test_a_floor_in_the_way_is_said_and_passed_for_a_reason(town: Town) -> None:
    """Ana has given away since what the sheet brought her."""
    line = Line(
        1, Kind.HELP, town.id("Ana"), town.id("Bert"), Minutes(60), town.now.at.date(), "Soup"
    )
    await sheets.post(
        town.db,
        town.community.id,
        [line],
        batch=UUID(BATCH),
        label="",
        by=town.id("Carla"),
        now=town.now,
    )
    await town.approve(await town.record("Jorge", "Ana", 60))
    await _nobody_below_zero(town)
    answer = await town.post("Dora", f"batches/{BATCH}/undo", {"words": "Not hers"})
    assert "Undo it all the same, for this reason" in answer.text
    done = await town.post("Dora", f"batches/{BATCH}/undo", {"words": "Not hers", "override": "1"})
    assert done.status_code == 303
    assert await town.balance("Ana") == Minutes(-60)


async def _nobody_below_zero(town: Town) -> None:
    """As the agreement says from now on."""
    async with town.db.write(town.community.id) as conn:
        current = await agreements.current(conn, town.community.id)
        await agreements.adopt(
            conn,
            town.community.id,
            replace(current.terms, soft_floor=Minutes(0), hard_floor=Minutes(0)),
            reason="For a while",
            expected_version=current.version,
            by=town.id("Stella"),
            now=town.now,
        )
