"""My data: read it, take it along, close the account, and the books still agree."""

from __future__ import annotations

import io
import zipfile

from tests.web.town import Town
from timebank import books


async def test_what_is_kept_is_said_in_words(town: Town) -> None:
    page = await town.get("Ana", "my-data")
    for said in ("Ana Lima", "ana@m.example", "07700 900111", "Download everything about me"):
        assert said in page.text


async def test_everything_about_me_comes_as_one_archive(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90, note="Shopping"))
    answer = await town.get("Ana", "my-data/download")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        everything = "".join(archive.read(name).decode() for name in archive.namelist())
    for kept in ("Ana Lima", "ana@m.example", "Shopping"):
        assert kept in everything


async def test_closing_takes_a_tick(town: Town) -> None:
    before = await town.rows()
    answer = await town.post("Ana", "my-data/close", {})
    assert answer.status_code == 422
    assert "Tick this box" in answer.text
    assert await town.rows() == before


async def test_closing_waits_for_what_waits(town: Town) -> None:
    await town.record("Ana", "Bert", 90)
    answer = await town.post("Ana", "my-data/close", {"sure": "1"})
    assert answer.status_code == 422
    assert "still wait for a decision" in answer.text
    assert (await town.get("Ana")).status_code == 200


async def test_a_closed_account_is_forgotten_and_the_books_still_agree(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90, note="Words of Ana"))
    answer = await town.post("Ana", "my-data/close", {"sure": "1"})
    assert answer.status_code == 303, answer.text
    page = await town.get("Carla", f"statement/{town.id('Bert')}")
    assert "1:30" in page.text
    for gone in ("Ana Lima", "Words of Ana"):
        assert gone not in page.text
    report = await books.verify(town.db, town.community.id, now=town.now)
    assert report.sound, report.findings
