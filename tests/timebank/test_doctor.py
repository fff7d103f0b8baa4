"""The doctor names what is unsafe, and says nothing about what is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from ledger.sql import store
from tests.conftest import PROGRAM, as_owner
from tests.infrastructure import postgres
from tests.infrastructure.by_hand import by_hand
from timebank.config import Environment, Settings
from timebank.doctor import Finding, Level, examine, examine_database
from timebank.moment import Moment

NOW = Moment(datetime(2026, 5, 4, 12, tzinfo=UTC))


@pytest.fixture
def safe(tmp_path: Path) -> Settings:
    """Production settings with nothing unsafe about them."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return Settings(
        data=data,
        database_url="",
        environment=Environment.PRODUCTION,
        base_url="https://hours.example.org",
        smtp_url="smtp://user:secret@mail.example.org:587",
        mail_from="hello@hours.example.org",
        trusted_proxies="127.0.0.1",
    )


def unsafe(settings: Settings) -> list[str]:
    """What is refused in production."""
    found = examine(settings, now=NOW)
    return [finding.what for finding in found if finding.level is Level.UNSAFE]


def warned(settings: Settings) -> str:
    """All warnings, as one text."""
    found = examine(settings, now=NOW)
    return " ".join(finding.what for finding in found if finding.level is Level.WARNING)


def test_safe_settings_are_left_in_peace(safe: Settings) -> None:
    assert unsafe(safe) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"base_url": Settings.base_url}, "still http://127.0.0.1:8000"),
        ({"base_url": "http://hours.example.org"}, "unencrypted"),
        ({"base_url": "hours.example.org"}, "not an address"),
        ({"smtp_url": ""}, "No mail server"),
        ({"smtp_url": "http://mail.example.org"}, "TIMEBANK_SMTP_URL"),
        ({"trusted_proxies": "*"}, "TIMEBANK_TRUSTED_PROXIES"),
        ({"environment": Environment.DEMO, "host": "0.0.0.0"}, "TIMEBANK_ENV is demo"),  # noqa: S104
        ({"environment": Environment.DEVELOPMENT, "host": "::"}, "TIMEBANK_ENV is development"),
    ],
)
def test_an_unsafe_setting_is_named(safe: Settings, change: dict[str, str], named: str) -> None:
    (found,) = unsafe(replace(safe, **change))  # type: ignore[arg-type]
    assert named in found


def test_a_data_directory_that_everybody_can_open_is_unsafe(safe: Settings) -> None:
    safe.data.chmod(0o755)
    (found,) = unsafe(safe)
    assert str(safe.data) in found


def test_a_database_that_everybody_can_read_is_unsafe(safe: Settings) -> None:
    file = safe.data / "timebank.sqlite"
    file.touch(mode=0o600)
    assert unsafe(safe) == []
    file.chmod(0o604)
    (found,) = unsafe(safe)
    assert str(file) in found


def test_every_finding_says_what_to_do(safe: Settings) -> None:
    worst = replace(
        safe,
        base_url="http://hours.example.org",
        smtp_url="",
        mail_from="timebank@localhost",
        trusted_proxies="*",
    )
    found = examine(worst, now=NOW)
    assert len(found) >= 5
    assert all(finding.remedy for finding in found)


def test_missing_and_old_backups_are_warned_about(safe: Settings) -> None:
    assert "No backup yet" in warned(safe)
    (safe.data / "backups").mkdir()
    (safe.data / "backups" / "timebank-2026-05-03T020000Z.sqlite").touch()
    later = Moment(datetime.now(UTC))
    found = [finding.what for finding in examine(safe, now=later)]
    assert not any("backup" in what for what in found)


def test_a_sender_nobody_can_answer_is_warned_about(safe: Settings) -> None:
    assert "timebank@localhost" in warned(replace(safe, mail_from="timebank@localhost"))


async def test_a_database_of_another_schema_is_unsafe(safe: Settings) -> None:
    (missing,) = await examine_database(safe, now=NOW)
    assert "no database yet" in missing.what
    (safe.data / "timebank.sqlite").touch()
    (empty,) = await examine_database(safe, now=NOW)
    assert empty.level is Level.UNSAFE
    assert "timebank migrate" in empty.what


async def test_a_database_that_does_not_answer_is_named_without_its_password(
    safe: Settings,
) -> None:
    away = replace(safe, database_url="postgresql://someone:hunter2@127.0.0.1:1/nowhere")
    (found,) = await examine_database(away, now=NOW)
    assert found.level is Level.UNSAFE
    assert "hunter2" not in str(found)


def warnings_for(settings: Settings, statement: str = "") -> list[str]:
    """What is said about the program's role, after its owner did something to it."""

    async def changed() -> list[Finding]:
        if statement:
            async with by_hand(settings) as conn:
                await conn.exec_driver_sql(statement)
        return await examine_database(settings, now=NOW)

    return [f"{finding.level}: {finding.what}" for finding in asyncio.run(changed())]


def test_the_program_s_own_role_is_left_in_peace(postgres_settings: Settings) -> None:
    assert warnings_for(postgres_settings) == []


def test_a_superuser_is_warned_about(
    postgres_settings: Settings, postgres_server: postgres.Server
) -> None:
    database = make_url(postgres_settings.url).database or ""
    mighty = replace(postgres_settings, database_url=postgres_server.url(database))
    (found,) = warnings_for(mighty)
    assert found == "warning: The program is superuser of the database."


def test_an_owner_is_warned_about(postgres_settings: Settings) -> None:
    (found,) = warnings_for(as_owner(postgres_settings))
    assert found.startswith("warning: The program's role owns the tables")


def test_a_role_that_could_change_the_journal_is_warned_about(postgres_settings: Settings) -> None:
    (found,) = warnings_for(postgres_settings, f"GRANT TRUNCATE ON transfer TO {PROGRAM}")
    assert found == "warning: The program's role could change posted transfers."


async def test_a_line_of_tomorrow_is_warned_about(db_settings: Settings) -> None:
    for days, warned in ((-1, 0), (1, 1)):
        async with by_hand(db_settings) as conn:
            await store.open_journal(conn, uuid4(), NOW.at + timedelta(days=days))
        found = [str(one) for one in await examine_database(db_settings, now=NOW)]
        assert sum("still to come" in one for one in found) == warned
        assert warned == 0 or any("2026-05-05 12:00" in one for one in found)
