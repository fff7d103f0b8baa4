"""The whole community as one file: nothing is lost, and the books are the same down to the seal."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from ledger.sql import metadata
from ledger.sql.types import Hash, Words
from tests.conftest import OWNER, complete, settings_for
from tests.infrastructure.postgres import Server
from tests.timebank import any_row
from tests.timebank.factories import at
from tests.timebank.importing import a_csv, bring, read
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import books, closing, entries, invitations, migrate, months
from timebank.archive import document, reading, schema, writing
from timebank.archive.reading import ArchiveError
from timebank.cli import main
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.imports import files
from timebank.periods import Month

OF_OLD = Month(2019, 5)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    db = Database(settings)
    await db.start()
    try:
        yield db
    finally:
        await db.stop()


async def archived(db: Database, road: MillRoad) -> bytes:
    async with db.read(road.id) as conn:
        return b"".join(
            [
                piece
                async for piece in writing.pieces(
                    conn, road.id, schema_version=migrate.head(), now=at(days=2)
                )
            ]
        )


async def lived_in(db: Database) -> MillRoad:
    """Mill Road with entries, an undone one, a closed month, secrets, and words like formulas."""
    road = await mill_road(db)
    new = helped(road.ana, road.bert)
    await road.approve(await road.record(replace(new, note="=SUM(A1)\nand “more”"), road.ana))
    await road.undo(await _one(road))
    await road.agree(closing_day=7)
    async with db.write(road.id) as conn:
        await closing.close(conn, road.id, OF_OLD, by=road.carla.id, now=at())
    await bring(  # an hour of a closed month
        road,
        a_csv("Date,from,to,Comments,quantity", "2019-05-18,Ana Lima,commons,'gift,1.5"),
    )
    await read(road, a_csv("Name", "Somebody else"), name="unfinished.csv")
    async with db.write(road.id) as conn:
        await invitations.invite(
            conn, road.id, name="Noor", email="noor@example.org", by=road.ana.id, now=at(),
            base_url="",
        )  # fmt: skip
    return road


async def _one(road: MillRoad) -> Any:
    entry = await road.record(helped(road.bert, road.ana), road.bert)
    await road.approve(entry)
    return entry


async def rows(db: Database, road: MillRoad) -> dict[str, list[str]]:
    """Every row of every table, and every column, that an archive of Mill Road holds."""
    async with db.read(EVERYWHERE) as conn:
        return {
            table.name: sorted(map(_shown, await conn.execute(schema.rows_of(table, road.id))))
            for table in schema.tables()
        }


async def is_empty(db: Database) -> bool:
    """Whether there is nothing in any table that an archive could fill."""
    async with db.read(EVERYWHERE) as conn:
        return not any([(await conn.execute(select(table))).first() for table in schema.tables()])


def _shown(row: Any) -> str:
    """A row with all its values; the keys of JSON have no order."""
    return repr(
        [json.dumps(one, sort_keys=True) if isinstance(one, dict | list) else one for one in row]
    )


def path_of(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    return path


@pytest.fixture
def empty(sqlite_template: Path, tmp_path: Path) -> Settings:
    """Another SQLite database, migrated and empty."""
    settings = Settings(data=tmp_path / "elsewhere", database_url="")
    settings.data.mkdir()
    shutil.copyfile(sqlite_template, settings.data / "timebank.sqlite")
    return settings


@pytest.fixture
def empty_postgres(
    postgres_server: Server, postgres_template: str, tmp_path: Path
) -> Iterator[Settings]:
    """Another PostgreSQL database, migrated and empty."""
    name = f"archive_{os.getpid()}"
    complete(postgres_server.create_database(name, postgres_template, owner=OWNER))
    yield settings_for(postgres_server, name, tmp_path / "elsewhere")
    complete(postgres_server.drop_database(name))


@pytest.fixture(params=["empty", "empty_postgres"])
def elsewhere(request: pytest.FixtureRequest) -> Settings:
    """An empty database of either kind."""
    found: Settings = request.getfixturevalue(request.param)
    return found


async def test_an_archive_comes_back_with_identical_books_on_either_database(
    db: Database, elsewhere: Settings, tmp_path: Path
) -> None:
    road = await lived_in(db)
    content = await archived(db, road)
    before = await rows(db, road)
    async with db.read(road.id) as conn:
        head = await books.overview(conn, road.id)
        closed = await months.closing(conn, road.id, OF_OLD)
    async with opened(elsewhere) as there:
        place = await reading.bring_in(
            there, path_of(content, tmp_path), schema_version=migrate.head()
        )
        assert place == road.community
        after = await rows(there, road)
        for name in before:
            assert after[name] == before[name], name
        async with there.read(EVERYWHERE) as conn:
            assert await months.closing(conn, road.id, OF_OLD) == closed
            late = select(entries.entries.c.counted_on).where(
                entries.entries.c.occurred_on == date(2019, 5, 18)
            )
            assert (await conn.scalars(late)).all() == [date(2019, 6, 30)]
            names = (await conn.scalars(select(files.incoming.c.name))).all()
        assert "unfinished.csv" not in names
        report = await books.verify(there, place.id, now=at(days=3))
        assert report.sound, report.findings
        assert (report.seq, report.hash) == (head.head_seq, head.head_hash)
        with pytest.raises(ArchiveError, match="data in this installation"):
            await reading.bring_in(there, path_of(content, tmp_path), schema_version=migrate.head())


async def test_every_table_travels_or_says_why_not(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    names = {table.name for table in metadata.sorted_tables}
    assert set(schema.LEFT_OUT) <= names
    async with opened(sqlite_settings) as db:
        road = await lived_in(db)
        async with db.write(road.id) as conn:
            await any_row.fill(conn, road.id)
        content = await archived(db, road)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            sizes = {table["name"]: table["rows"] for table in manifest["tables"]}
        assert sizes.keys() == names - set(schema.LEFT_OUT)
        assert min(sizes.values()) > 0, sizes


def test_no_secret_travels_unseen() -> None:
    # A column that is called like a secret is left out, or somebody looked at it and says here why.
    looked_at = {
        ("journal", "hash"), ("transfer", "hash"), ("verification", "hash"), ("closing", "hash"),
        ("entry", "salt"),  # the commitments could not be compared without it
    }  # fmt: skip
    for table in schema.tables():
        for column in schema.columns(table):
            like = any(word in column.name for word in ("secret", "token", "password", "salt"))
            hashed = isinstance(column.type, Hash) and "hash" in column.name
            if like or hashed:
                assert (table.name, column.name) in looked_at, f"{table.name}.{column.name}"


async def test_no_password_session_link_or_unsent_mail_is_in_it(
    sqlite_settings: Settings,
) -> None:
    async with opened(sqlite_settings) as db:
        road = await lived_in(db)
        content = await archived(db, road)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        names = archive.namelist()
    assert b"password_hash" not in everything.replace(b"person.password_hash", b"")
    assert b"noor@example.org" not in everything
    assert b"ana@example.org" in everything
    assert not [name for name in names if "session" in name or "token" in name]


async def test_its_lists_are_safe_and_can_be_brought_in_elsewhere(
    sqlite_settings: Settings, tmp_path: Path, empty: Settings
) -> None:
    async with opened(sqlite_settings) as db:
        road = await lived_in(db)
        content = await archived(db, road)
        balances = [await road.balance(one) for one in (road.ana, road.bert, road.commons)]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lists = {
            name.removeprefix("lists/").removesuffix(".csv"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("lists/")
        }
    for text in lists.values():
        for row in csv.reader(io.StringIO(text.decode("utf-8-sig"))):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@", "\t"))]
    async with opened(empty) as db:
        there = await mill_road(db)
        known = await bring(there, lists["hours"].replace(str(road.ana.id).encode(), b"x"))
        assert known.outcome["mistakes"] == 0
        assert [
            await there.balance(one) for one in (there.ana, there.bert, there.commons)
        ] == balances


def _change(name: str, old: bytes, new: bytes) -> Any:
    return lambda parts: _changed(parts, name, old, new)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda parts: parts.pop("manifest.json"), "no whole archive"),
        (lambda parts: parts.pop("tables/transfer.jsonl"), "cannot be read"),
        (_change("tables/transfer.jsonl", b'"minutes":', b'"minutes":9'), "as it was written"),
        (_change("manifest.json", b'"schema": "', b'"schema": "0'), "is of schema"),
        (_change("tables/member.jsonl", b'"name":', b'"title":'), "other columns"),
        (_change("tables/entry.jsonl", b"-", b"x"), "cannot be read"),
    ],
    ids=["no manifest", "a table gone", "minutes changed", "another schema", "a column", "an id"],
)  # fmt: skip
async def test_what_is_not_as_it_was_written_is_refused_whole(
    spoil: Any, sentence: str, sqlite_settings: Settings, tmp_path: Path,
    empty: Settings,
) -> None:  # fmt: skip
    async with opened(sqlite_settings) as db:
        content = await archived(db, await lived_in(db))
    spoiled = _repacked(content, spoil)
    async with opened(empty) as there:
        with pytest.raises(ArchiveError, match=sentence):
            await reading.bring_in(there, path_of(spoiled, tmp_path), schema_version=migrate.head())
        assert await is_empty(there), "nothing of it is there"


async def test_books_that_were_written_anew_with_right_sums_are_refused(
    sqlite_settings: Settings, tmp_path: Path, empty: Settings
) -> None:
    """Whoever changes minutes and mends the hashes of the files still cannot mend the chain."""
    import hashlib

    def forge(parts: dict[str, bytes]) -> None:
        name = "tables/part.jsonl"
        _changed(parts, name, b'"minutes":60', b'"minutes":61')
        manifest = json.loads(parts["manifest.json"])
        for table in manifest["tables"]:
            if table["name"] == "part":
                table["sha256"] = hashlib.sha256(parts[name]).hexdigest()
        parts["manifest.json"] = json.dumps(manifest).encode()

    async with opened(sqlite_settings) as db:
        content = await archived(db, await lived_in(db))
    async with opened(empty) as there:
        with pytest.raises(ArchiveError, match="do not verify"):
            await reading.bring_in(
                there, path_of(_repacked(content, forge), tmp_path), schema_version=migrate.head()
            )
        assert await is_empty(there)


def _repacked(content: bytes, spoil: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    spoil(parts)
    with zipfile.ZipFile(file, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)
    return file.getvalue()


def _changed(parts: dict[str, bytes], name: str, old: bytes, new: bytes) -> None:
    assert old in parts[name]
    parts[name] = parts[name].replace(old, new, 1)


def test_the_page_about_archives_names_every_table_and_column() -> None:
    page = Path("docs/archive.md").read_text()
    described = document.descriptions(Path("docs/architecture.md").read_text())
    assert document.written(page, described) == page, (
        "docs/archive.md is not as the tables are: run python -m timebank.archive.document"
    )
    assert all(table.name in described for table in schema.tables())


def test_every_kind_of_column_is_spelled_and_read_back() -> None:
    for table in schema.tables():
        for column in schema.columns(table):
            assert schema.kind(column)
            value = any_row._value(column.type, 3, None)  # noqa: SLF001 - any value of that kind
            if isinstance(column.type, Words):
                value = "Zoë\n“=1+1”\u2028"
            assert schema.read_back(column, json.loads(json.dumps(schema.spelled(value)))) == value


def test_from_the_command_line_out_and_in_again(
    sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    async def live() -> None:
        async with opened(sqlite_settings) as db:
            await lived_in(db)

    asyncio.run(live())
    out = tmp_path / "mill-road.zip"
    monkeypatch.setenv("TIMEBANK_DATA", str(sqlite_settings.data))
    run = CliRunner()
    said = run.invoke(main, ["export", "mill-road", "--format", "archive", "--out", str(out)])
    assert said.exit_code == 0, said.output
    assert out.stat().st_mode & 0o77 == 0
    assert run.invoke(main, ["export", "mill-road", "--format", "archive"]).exit_code == 2
    monkeypatch.setenv("TIMEBANK_DATA", str(tmp_path / "new"))
    assert run.invoke(main, ["migrate"]).exit_code == 0
    said = run.invoke(main, ["import-archive", str(out)])
    assert said.exit_code == 0, said.output
    assert "sound" in said.output
    again = run.invoke(main, ["import-archive", str(out)])
    assert again.exit_code == 1
    assert "goes into an empty one" in again.output
    assert run.invoke(main, ["import-archive", str(tmp_path / "none.zip")]).exit_code == 1
