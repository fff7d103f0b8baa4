"""A backup is the book as of one moment, and coming back is proved before anything is replaced."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from ledger import AccountKind, Head, JournalEntry, Minutes, Posted, Transfer
from ledger.sql import read, store
from ledger.sql.verify import verify
from tests.infrastructure import postgres
from timebank import communities, migrate
from timebank.backup import BackupError, back_up, restore
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.moment import Moment

NOW = Moment(datetime(2026, 5, 4, 2, tzinfo=UTC))


class Busy:
    """A community in which hours move all the time. Remembers the hash of each transfer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dice = Random(7)
        self.hashes: dict[int, bytes] = {}
        self.community = UUID(int=0)
        self.members: list[UUID] = []

    async def begin(self) -> None:
        now = self._moment()
        db = Database(self.settings)
        await db.start()
        async with db.write(EVERYWHERE) as conn:
            made = await communities.create(
                conn, slug="busy", name="Busy", language="en", timezone="UTC", now=now
            )
            self.community = made.id
            for _ in range(5):
                account = await store.open_account(
                    conn, made.id, now.new_id(), AccountKind.MEMBER, now.at
                )
                self.members.append(account.id)
        await db.stop()

    async def post(self, count: int) -> None:
        db = Database(self.settings)
        await db.start()
        for _ in range(count):
            async with db.write(EVERYWHERE) as conn:
                (verdict,) = await store.post(
                    conn, self.community, [self._entry()], self._moment().at
                )
            assert isinstance(verdict, Posted)
            for row in verdict.transfers:
                self.hashes[row.seq] = row.hash
        await db.stop()

    def _entry(self) -> JournalEntry:
        now = self._moment()
        source, destination = self.dice.sample(self.members, 2)
        commitment = hashlib.sha256(self.dice.randbytes(8)).digest()
        transfer = Transfer(source, destination, Minutes(self.dice.randint(1, 90)))
        return JournalEntry(now.new_id(), (transfer,), now.at.date(), commitment)

    def _moment(self) -> Moment:
        return Moment(datetime.now(UTC), self.dice.randbytes)


@pytest.fixture
def busy(sqlite_settings: Settings) -> Busy:
    """Twenty transfers in it."""
    found = Busy(sqlite_settings)

    async def fill() -> None:
        await found.begin()
        await found.post(20)

    asyncio.run(fill())
    return found


def proved(settings: Settings) -> None:
    """What a restore asks of a copy: it is brought up to date, and every book in it verifies."""
    migrate.upgrade(settings)

    async def prove() -> bool:
        db = Database(settings)
        await db.start()
        try:
            async with db.read(EVERYWHERE) as conn:
                found = await communities.every(conn)
            sound = []
            for community in found:
                async with db.read(EVERYWHERE) as conn:
                    sound.append((await verify(conn, community.id)).sound)
            return all(sound)
        finally:
            await db.stop()

    if not asyncio.run(prove()):
        raise BackupError("The books do not verify.")


def head_of(settings: Settings, community: UUID) -> Head:
    async def ask() -> Head:
        db = Database(settings)
        await db.start()
        try:
            async with db.read(EVERYWHERE) as conn:
                return await read.head(conn, community)
        finally:
            await db.stop()

    return asyncio.run(ask())


def elsewhere(tmp_path: Path) -> Settings:
    """A machine with nothing on it."""
    return Settings(data=tmp_path / "elsewhere", database_url="")


def test_a_backup_made_while_hours_move_is_a_prefix_of_the_book(busy: Busy, tmp_path: Path) -> None:
    async def work() -> list[tuple[int, int]]:
        windows = []
        moving = asyncio.create_task(busy.post(150))
        for number in range(4):
            await asyncio.sleep(0.05)
            before = max(busy.hashes)
            target = tmp_path / f"{number}.sqlite"
            await asyncio.to_thread(back_up, busy.settings, target)
            windows.append((before, max(busy.hashes) + 1))
        await moving
        return windows

    windows = asyncio.run(work())
    assert windows[0][0] < windows[-1][1] - 1, "hours moved between the backups"
    for number, (before, after) in enumerate(windows):
        copy = replace(
            busy.settings, database_url=f"sqlite+aiosqlite:///{tmp_path}/{number}.sqlite"
        )
        proved(copy)
        head = head_of(copy, busy.community)
        assert before <= head.seq <= after
        assert busy.hashes[head.seq] == head.hash


def test_a_backup_has_its_checksum_beside_it_and_is_the_owners_alone(
    busy: Busy, tmp_path: Path
) -> None:
    made = back_up(busy.settings, tmp_path / "out" / "monday.sqlite")
    beside = made.path.with_name("monday.sqlite.sha256")
    subprocess.run(
        ["sha256sum", "--check", beside.name], cwd=beside.parent, check=True, capture_output=True
    )
    assert made.path.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in made.path.parent.iterdir()) == [
        "monday.sqlite",
        "monday.sqlite.sha256",
    ]


def test_a_backup_never_overwrites_a_file(busy: Busy, tmp_path: Path) -> None:
    there = tmp_path / "precious"
    there.write_text("mine")
    with pytest.raises(BackupError, match="exists already"):
        back_up(busy.settings, there)
    assert there.read_text() == "mine"


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no database"):
        back_up(elsewhere(tmp_path), tmp_path / "b.sqlite")
    assert not (tmp_path / "b.sqlite").exists()


def test_what_was_backed_up_comes_back_and_verifies(busy: Busy, tmp_path: Path) -> None:
    made = back_up(busy.settings, tmp_path / "b.sqlite")
    there = elsewhere(tmp_path)
    assert restore(there, made.path, proved, force=False, now=NOW) is None
    proved(there)
    assert head_of(there, busy.community) == head_of(busy.settings, busy.community)
    assert (there.data / "timebank.sqlite").stat().st_mode & 0o077 == 0


def test_data_that_is_there_is_not_replaced_without_being_asked_twice(
    busy: Busy, tmp_path: Path
) -> None:
    made = back_up(busy.settings, tmp_path / "b.sqlite")
    asyncio.run(busy.post(3))
    later = head_of(busy.settings, busy.community)
    with pytest.raises(BackupError, match="--force"):
        restore(busy.settings, made.path, proved, force=False, now=NOW)
    assert head_of(busy.settings, busy.community) == later

    kept = restore(busy.settings, made.path, proved, force=True, now=NOW)
    assert head_of(busy.settings, busy.community).seq == 20
    assert kept is not None
    copy = replace(busy.settings, database_url=f"sqlite+aiosqlite:///{kept}")
    assert head_of(copy, busy.community) == later


def test_a_database_in_use_is_not_replaced(busy: Busy, tmp_path: Path) -> None:
    made = back_up(busy.settings, tmp_path / "b.sqlite")
    user = sqlite3.connect(busy.settings.data / "timebank.sqlite")
    user.execute("SELECT count(*) FROM transfer").fetchone()
    with pytest.raises(BackupError, match="Stop the program"):
        restore(busy.settings, made.path, proved, force=True, now=NOW)
    user.close()
    proved(busy.settings)


def garbage(kind: str, good: Path, bad: Path) -> None:
    """Write something to `bad` that is no backup."""
    if kind == "not there":
        return
    if kind == "empty":
        bad.touch()
    if kind == "a letter":
        bad.write_text("Dear neighbours")
    if kind == "half":
        bad.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    if kind == "another database":
        other = sqlite3.connect(bad)
        other.execute("CREATE TABLE recipe (name TEXT)")
        other.close()
    if kind == "not what its checksum says":
        data = bytearray(good.read_bytes())
        data[-1] ^= 1
        bad.write_bytes(data)
        checksum = good.with_name(good.name + ".sha256").read_text()
        bad.with_name(bad.name + ".sha256").write_text(checksum)


@pytest.mark.parametrize(
    "kind",
    ["not there", "empty", "a letter", "half", "another database", "not what its checksum says"],
)
def test_what_is_no_backup_is_refused_and_changes_nothing(
    busy: Busy, tmp_path: Path, kind: str
) -> None:
    made = back_up(busy.settings, tmp_path / "b.sqlite")
    bad = tmp_path / "bad.sqlite"
    garbage(kind, made.path, bad)
    before = head_of(busy.settings, busy.community)
    with pytest.raises(BackupError):
        restore(busy.settings, bad, proved, force=True, now=NOW)
    assert head_of(busy.settings, busy.community) == before
    assert not (busy.settings.data / "timebank.sqlite.restoring").exists()


def test_books_that_do_not_verify_are_not_put_in_place(busy: Busy, tmp_path: Path) -> None:
    made = back_up(busy.settings, tmp_path / "b.sqlite")
    changed = tmp_path / "changed.sqlite"
    changed.write_bytes(made.path.read_bytes())
    db = sqlite3.connect(changed, isolation_level=None)
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{name}"')
    db.execute("UPDATE transfer SET minutes = minutes + 1 WHERE seq = 7")
    db.close()
    there = elsewhere(tmp_path)
    with pytest.raises(BackupError, match="do not verify"):
        restore(there, changed, proved, force=False, now=NOW)
    assert list(there.data.iterdir()) == []


@pytest.fixture
def on_postgres(
    postgres_settings: Settings,
    postgres_server: postgres.Server,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """A migrated PostgreSQL database, with its own tools at hand."""
    monkeypatch.setenv("PATH", str(postgres_server.programs), prepend=":")
    return postgres_settings


def test_postgresql_comes_back_from_a_backup(on_postgres: Settings, tmp_path: Path) -> None:
    busy = Busy(on_postgres)

    async def fill(count: int) -> None:
        if not busy.members:
            await busy.begin()
        await busy.post(count)

    asyncio.run(fill(20))
    made = back_up(on_postgres, tmp_path / "b.dump")
    asyncio.run(fill(3))
    with pytest.raises(BackupError, match="--force"):
        restore(on_postgres, made.path, proved, force=False, now=NOW)
    kept = restore(on_postgres, made.path, proved, force=True, now=NOW)
    assert kept is not None
    assert head_of(on_postgres, busy.community).seq == 20
    restore(on_postgres, kept, proved, force=True, now=Moment(datetime.now(UTC)))
    assert head_of(on_postgres, busy.community).seq == 23


def test_a_missing_tool_is_named(
    on_postgres: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="needs pg_dump"):
        back_up(on_postgres, tmp_path / "b.dump")
    assert not (tmp_path / "b.dump").exists()


def test_a_backup_of_one_kind_of_database_is_not_restored_into_the_other(
    on_postgres: Settings, busy: Busy, tmp_path: Path
) -> None:
    made = back_up(busy.settings, tmp_path / "b.sqlite")
    with pytest.raises(BackupError, match="another kind"):
        restore(on_postgres, made.path, proved, force=True, now=NOW)
