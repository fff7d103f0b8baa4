"""The command line teaches, says what happened, and ends with an exit code one can rely on."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.timebank.demo_data import Demo
from timebank.cli import main
from timebank.cli.serving import environment
from timebank.config import Environment, Settings

COMMANDS = sorted(main.commands)


@pytest.fixture
def empty(tmp_path: Path) -> dict[str, str]:
    """A machine with nothing on it."""
    return {"TIMEBANK_DATA": str(tmp_path / "data"), "TIMEBANK_DATABASE_URL": ""}


def run(env: dict[str, str], *arguments: str) -> Result:
    """A command; an error that is not told as a sentence is raised."""
    done = CliRunner().invoke(main, arguments, env=env)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def riverside(env: dict[str, str]) -> None:
    """A community, made the way an operator makes it."""
    assert run(env, "migrate").exit_code == 0
    done = run(env, "create-community", "riverside", "--name", "Riverside Time Bank")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    done = run({}, command, "--help")
    assert done.exit_code == 0
    assert f"timebank {command}" in done.stdout.split("Example", 1)[1]
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_the_program_explains_itself_and_its_exit_codes() -> None:
    done = run({}, "--help")
    assert "timebank demo" in done.stdout
    assert "Exit codes" in done.stdout
    for command in COMMANDS:
        assert command in done.stdout


def test_every_option_has_a_word_of_help() -> None:
    for command in main.commands.values():
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{command.name} {option.name}"


def test_a_command_that_does_not_exist_is_a_misunderstanding(empty: dict[str, str]) -> None:
    assert run(empty, "pay").exit_code == 2
    assert run(empty, "create-community").exit_code == 2


def test_a_wrong_setting_is_named(empty: dict[str, str]) -> None:
    done = run({**empty, "TIMEBANK_PORT": "http"}, "migrate")
    assert done.exit_code == 2
    assert "TIMEBANK_PORT" in done.stderr


def test_from_nothing_to_an_invitation(empty: dict[str, str]) -> None:
    riverside(empty)
    done = run(empty, "invite-steward", "riverside")
    assert done.exit_code == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/invitation/[\w-]{20,}\n", done.stdout)
    assert run(empty, "invite-steward", "riverside").stdout != done.stdout


def test_migrating_twice_says_that_there_is_nothing_to_do(empty: dict[str, str]) -> None:
    assert "from nothing to" in run(empty, "migrate").stdout
    assert "up to date" in run(empty, "migrate").stdout


def test_data_is_readable_by_its_owner_only(empty: dict[str, str]) -> None:
    riverside(empty)
    data = Path(empty["TIMEBANK_DATA"])
    for path in (data, *data.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create-community", "riverside", "--name", "Again"), "already a community"),
        (("create-community", "Not A Slug", "--name", "X"), "slug"),
        (("create-community", "x", "--name", "X", "--language", "tlh"), "language"),
        (("create-community", "x", "--name", "X", "--timezone", "Moon"), "timezone"),
        (("invite-steward", "nowhere"), "no such community"),
        (("verify", "--community", "nowhere"), "no such community"),
        (("export", "nowhere", "--format", "csv"), "no such community"),
        (("restore", "nothing.sqlite"), "no file"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_code_one(
    empty: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    riverside(empty)
    done = run(empty, *arguments)
    assert done.exit_code == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_a_database_one_is_told_to_migrate(empty: dict[str, str]) -> None:
    done = run(empty, "create-community", "riverside", "--name", "Riverside")
    assert done.exit_code == 1
    Path(empty["TIMEBANK_DATA"]).mkdir(exist_ok=True)
    done = run(empty, "verify")
    assert done.exit_code == 1
    assert "timebank migrate" in done.stderr


def test_sound_books_are_told_as_sound(demo_data: Demo) -> None:
    done = run(demo_data.environment, "verify")
    assert done.exit_code == 0, done.output
    assert "riverside: sound." in done.stdout
    assert "barrio-del-puerto: sound." in done.stdout
    assert "Verifying riverside" in done.stderr
    only = run(demo_data.environment, "verify", "--community", "barrio-del-puerto")
    assert "riverside" not in only.stdout


def test_a_changed_transfer_is_found_with_exit_code_one(demo_data: Demo) -> None:
    db = sqlite3.connect(demo_data.data / "timebank.sqlite", isolation_level=None)
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{name}"')
    db.execute(
        "UPDATE transfer SET minutes = minutes + 1 WHERE seq = 7 AND community_id ="
        " (SELECT id FROM community WHERE slug = 'riverside')"
    )
    db.close()
    done = run(demo_data.environment, "verify")
    assert done.exit_code == 1
    assert "riverside: NOT SOUND" in done.stdout
    assert "transfer 7" in done.stdout
    assert "barrio-del-puerto: sound." in done.stdout


def test_back_up_lose_everything_restore_and_verify(demo_data: Demo) -> None:
    env = demo_data.environment
    file = demo_data.data.parent / "monday.sqlite"
    assert run(env, "backup", str(file)).exit_code == 0
    before = run(env, "export", "riverside", "--format", "csv").stdout
    for path in demo_data.data.glob("timebank.sqlite*"):
        path.unlink()
    done = run(env, "restore", str(file))
    assert done.exit_code == 0, done.output
    assert "riverside: sound." in done.stdout
    assert run(env, "verify").exit_code == 0
    assert run(env, "export", "riverside", "--format", "csv").stdout == before


def test_a_backup_without_a_name_goes_to_the_data_directory(demo_data: Demo) -> None:
    done = run(demo_data.environment, "backup")
    assert done.exit_code == 0
    (made,) = (demo_data.data / "backups").glob("timebank-*.sqlite")
    assert str(made) in done.stdout


def test_the_demo_is_not_made_twice(demo_data: Demo) -> None:
    before = (demo_data.data / "timebank.sqlite").read_bytes()
    done = run(demo_data.environment, "demo", "--no-serve")
    assert done.exit_code == 0
    assert done.stdout == demo_data.printed
    assert len((demo_data.data / "timebank.sqlite").read_bytes()) == len(before)
    assert "Making" not in done.stderr


def test_the_demo_never_throws_real_people_away(empty: dict[str, str]) -> None:
    riverside(empty)
    run(empty, "create-community", "real", "--name", "Real")
    file = Path(empty["TIMEBANK_DATA"]) / "timebank.sqlite"
    for arguments in (("demo", "--no-serve"), ("demo", "--no-serve", "--fresh")):
        done = run(empty, *arguments)
        assert done.exit_code == 1
        assert "not the demo" in done.stderr
    assert "already a community" in run(empty, "create-community", "real", "--name", "Real").stderr
    assert file.exists()


def test_in_production_nothing_unsafe_is_served(empty: dict[str, str]) -> None:
    unsafe = {**empty, "TIMEBANK_ENV": "production"}
    done = run(unsafe, "serve")
    assert done.exit_code == 1
    assert "TIMEBANK_BASE_URL" in done.stderr
    assert "TIMEBANK_SMTP_URL" in done.stderr
    checked = run(unsafe, "doctor")
    assert checked.exit_code == 1
    assert "unsafe:" in checked.stdout


def test_the_doctor_says_when_all_is_well_enough(demo_data: Demo) -> None:
    done = run(demo_data.environment, "doctor")
    assert done.exit_code == 0, done.output
    assert "unsafe:" not in done.stdout


def test_settings_survive_the_way_to_the_server(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path,
        database_url="postgresql://a@b/c",
        environment=Environment.PRODUCTION,
        base_url="https://hours.example.org",
        host="::1",
        port=8123,
        smtp_url="smtps://mail.example.org",
        mail_from="a@b.example",
        trusted_proxies="10.0.0.1",
    )
    assert Settings.from_env(environment(settings)) == settings
    assert Settings.from_env(environment(replace(settings, database_url=""))) != settings


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_the_demo_answers_under_its_address_and_stops_when_told(demo_data: Demo) -> None:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "timebank", "demo", "--port", str(port)],
        env={**os.environ, **demo_data.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answer = _answer(port, "/health", server)
        assert answer.status == 200
        assert "server" not in {name.lower() for name, _ in answer.getheaders()}
    finally:
        server.send_signal(signal.SIGINT)
        printed, complained = server.communicate(timeout=30)
    assert f"http://127.0.0.1:{port}" in printed
    assert "Traceback" not in complained


def _answer(port: int, path: str, server: subprocess.Popen[str]) -> http.client.HTTPResponse:
    """What the server answers, once it does."""
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            found = connection.getresponse()
            found.read()
        except ConnectionError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return found
        finally:
            connection.close()
