"""The container files are valid, start nothing without its secrets, and give few rights.

Building the image and running it is not tried here.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.infrastructure import postgres
from timebank import migrate
from timebank.config import Settings

ROOT = Path(__file__).parents[1]
GIVEN = {
    "TIMEBANK_DB_PASSWORD": "programs-own",
    "TIMEBANK_DB_OWNER_PASSWORD": "owners-own",
    "TIMEBANK_BASE_URL": "https://example.org",
    "TIMEBANK_SMTP_URL": "smtp://mail.example.org:587",
    "TIMEBANK_MAIL_FROM": "hours@example.org",
}
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def _program(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} comes with the test requirements"
    return found


_COMPOSE = (_program("docker-compose"), "--file", str(ROOT / "docker-compose.yml"))


def _compose(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_COMPOSE, "--env-file", os.devnull, "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _composed() -> dict[str, Any]:
    done = _compose(GIVEN)
    assert done.returncode == 0, done.stderr
    composed: dict[str, Any] = json.loads(done.stdout)
    return composed


def test_the_program_can_write_nowhere_but_in_its_data() -> None:
    services = _composed()["services"]
    for name in ("app", "migrate"):
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    assert [volume["target"] for volume in services["app"]["volumes"]] == ["/data"]


def test_only_the_program_can_be_reached_and_only_from_the_machine_itself() -> None:
    services = _composed()["services"]
    assert [name for name, service in services.items() if service.get("ports")] == ["app"]
    assert {port["host_ip"] for port in services["app"]["ports"]} == {"127.0.0.1"}


@pytest.mark.parametrize("name", GIVEN)
def test_nothing_starts_without_its_secrets(name: str) -> None:
    done = _compose({key: value for key, value in GIVEN.items() if key != name})
    assert done.returncode != 0, f"{name} may not have a default"
    assert name in done.stderr


def test_the_dockerfile_has_no_findings() -> None:
    done = subprocess.run(
        [_program("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_container_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 10001"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and what the database itself refuses whoever asks."""

    name: str
    may: set[str]
    never_edited: bool
    never_deleted: bool


_TABLES = r"""
SELECT c.relname AS name,
       ARRAY(SELECT p FROM unnest($1::text[]) p WHERE has_table_privilege('timebank', c.oid, p))
           AS may,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid
               AND t.tgname LIKE '%\_kept' AND t.tgattr::text = '') AS never_edited,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid
               AND t.tgname LIKE '%\_undeleted') AS never_deleted
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
"""


@pytest.fixture
def own_server() -> Iterator[postgres.Server]:
    """A server of this test's own: roles belong to a whole server."""
    with postgres.running() as server:
        yield server


async def _tables(server: postgres.Server) -> list[Table]:
    connection = await asyncpg.connect(server.url("timebank").replace("+asyncpg", ""))
    try:
        rows = await connection.fetch(_TABLES, PRIVILEGES)
    finally:
        await connection.close()
    return [Table(**{**row, "may": set(row["may"])}) for row in rows]


def _give_rights(server: postgres.Server, folder: Path) -> None:
    script = folder / "rights.sql"
    script.write_text(_composed()["configs"]["rights"]["content"].replace("$$", "$"))
    done = subprocess.run(
        [server.programs / "psql", "--no-psqlrc", "--quiet", f"--file={script}"],
        env={
            "PATH": os.environ["PATH"],
            "PGHOST": str(server.address.query["host"]),
            "PGDATABASE": "timebank",
            "PGUSER": "postgres",
            "PROGRAM_PASSWORD": "it's \\ odd",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_the_program_s_role_can_only_add_to_what_is_never_edited(
    own_server: postgres.Server, tmp_path: Path
) -> None:
    url = asyncio.run(own_server.create_database("timebank"))
    migrate.upgrade(Settings(data=tmp_path, database_url=url))
    _give_rights(own_server, tmp_path)
    _give_rights(own_server, tmp_path)  # once at each start, so it may change nothing the next time

    tables = asyncio.run(_tables(own_server))

    assert {table.name for table in tables if table.never_edited} >= {"transfer", "audit"}
    for table in tables:
        refused = {"UPDATE"} if table.never_edited else set()
        refused |= {"DELETE"} if table.never_deleted else set()
        assert table.may == set(PRIVILEGES) - refused, table.name
