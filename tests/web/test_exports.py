"""Taking everything along: for stewards, noted, and whole."""

from __future__ import annotations

import io
import json
import zipfile

from tests.web.town import Town


async def test_a_steward_takes_everything_along_and_it_is_noted(town: Town) -> None:
    await town.approve(await town.record("Ana", "Jorge", 90, note="=1+1"))
    shown = (await town.get("Stella", "exports/")).text
    assert "Download everything as one file" in shown
    taken = await town.post("Stella", "exports/archive", {})
    assert taken.headers["content-disposition"].startswith('attachment; filename="mill-road-')
    with zipfile.ZipFile(io.BytesIO(taken.content)) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["journal"]["seq"] == 1
        assert b"next-door" not in b"".join(archive.read(name) for name in archive.namelist())
        assert "'=1+1" in archive.read("lists/hours.csv").decode()
    assert "took the whole community out" in (await town.get("Stella", "audit")).text


async def test_the_journal_goes_out_in_every_form(town: Town) -> None:
    await town.approve(await town.record("Ana", "Jorge", 90))
    for form, begins in (
        ("csv", "number,posted_at"),
        ("hledger", "commodity 1000. MIN"),
        ("beancount", "1970-01-01 commodity MIN"),
        ("book", '{"is":"book"'),
    ):
        taken = await town.post("Stella", "exports/journal", {"format": form})
        assert taken.status_code == 200
        assert taken.text.startswith(begins)
    assert (await town.post("Stella", "exports/journal", {"format": "pdf"})).status_code == 422
    assert "took the journal out" in (await town.get("Stella", "audit")).text
