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
from sqlalchemy import make_url

from tests.infrastructure import postgres
from timebank import migrate
from timebank.cli.data import bring_up_to_date
from timebank.config import Settings
from timebank.doctor import examine_database
from timebank.moment import Moment
from timebank.rights import RIGHTS
from timebank.servers import Host, hosts

ROOT = Path(__file__).parents[1]
GIVEN = {
    "TIMEBANK_DB_PASSWORD": "programs-own",
    "TIMEBANK_DB_OWNER_PASSWORD": "owners-own",
    "TIMEBANK_BASE_URL": "https://example.org",
    "TIMEBANK_SMTP_URL": "smtp://mail.example.org:587",
    "TIMEBANK_MAIL_FROM": "hours@example.org",
}
REPLICATED = {
    "COMPOSE_PROFILES": "replicas",
    "TIMEBANK_STANDBY": "standby",
    "TIMEBANK_DB_STANDBY_PASSWORD": "standbys-own",
    "TIMEBANK_DB_WAITS_FOR": "standby",
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


def _composed(**more: str) -> dict[str, Any]:
    done = _compose(GIVEN | more)
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


def test_without_the_profile_nothing_is_said_of_a_standby() -> None:
    composed = _composed()
    assert set(composed["services"]) == {"app", "db", "migrate"}
    assert "standby" not in json.dumps(composed["services"]["app"]["environment"])
    assert "--synchronous_standby_names=" in composed["services"]["db"]["command"]


def test_with_the_profile_two_processes_know_of_both_servers() -> None:
    services = _composed(**REPLICATED)["services"]
    for name in ("app", "app-2"):
        settings = Settings.from_env(services[name]["environment"])
        assert hosts(make_url(settings.url)) == [Host("db", 5432), Host("standby", 5432)]
        assert hosts(make_url(settings.replicas_url)) == [Host("standby", 5432)]
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert sorted(port["published"] for port in ports) == ["8000", "8001"]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert "--synchronous_standby_names=standby" in services["db"]["command"]
    assert services["standby"]["cap_drop"] == ["ALL"]


def _run_config(server: postgres.Server, name: str, folder: Path, **environment: str) -> str:
    """Run a script of the compose file with psql; what it complains of."""
    script = folder / f"{name}.sql"
    content = _composed(**REPLICATED)["configs"][name]["content"]
    script.write_text(content.replace("$$", "$"))
    done = subprocess.run(
        [server.programs / "psql", "--no-psqlrc", "--quiet", f"--file={script}"],
        env={
            "PATH": os.environ["PATH"],
            "PGHOST": str(server.address.query["host"]),
            "PGDATABASE": "postgres",
            "PGUSER": "postgres",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == bool(done.stderr), done.stderr
    return done.stderr


def test_the_standby_gets_a_role_that_may_follow_and_a_slot(tmp_path: Path) -> None:
    """On a primary that waits for its standby, too: the standby starts after this."""
    with postgres.running("synchronous_standby_names=standby") as server:
        for _ in range(2):  # once at each start
            assert not _run_config(server, "following", tmp_path, STANDBY_PASSWORD="it's \\ odd")
        found = asyncio.run(
            _fetch(
                server,
                "SELECT rolreplication AND rolcanlogin AND NOT rolsuper, slot_type"
                " FROM pg_roles, pg_replication_slots"
                " WHERE rolname = 'timebank_standby' AND slot_name = 'standby'",
            )
        )
        assert found == [(True, "physical")]
        refused = _run_config(server, "following", tmp_path, STANDBY_PASSWORD="")
        assert "set TIMEBANK_DB_STANDBY_PASSWORD" in refused


def test_the_database_lets_in_the_standby_and_nobody_without_a_password(
    own_server: postgres.Server, tmp_path: Path
) -> None:
    rules = _composed(**REPLICATED)["configs"]["hba"]["content"]
    folder = Path(asyncio.run(_fetch(own_server, "SHOW data_directory"))[0][0])
    (folder / "pg_hba.conf").write_text(rules)
    found = asyncio.run(
        _fetch(own_server, "SELECT database, address, auth_method, error FROM pg_hba_file_rules")
    )
    assert all(error is None for *_, error in found)
    local = {None, "127.0.0.1", "::1"}
    assert {how for _, where, how, _ in found if where not in local} == {"scram-sha-256"}
    assert [where for of, where, *_ in found if of == ["replication"]] == ["all"]


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


async def _fetch(server: postgres.Server, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(server.url("postgres").replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def _tables(server: postgres.Server) -> list[Table]:
    connection = await asyncpg.connect(server.url("timebank").replace("+asyncpg", ""))
    try:
        rows = await connection.fetch(_TABLES, PRIVILEGES)
    finally:
        await connection.close()
    return [Table(**{**row, "may": set(row["may"])}) for row in rows]


def _migrate(server: postgres.Server, folder: Path) -> Settings:
    """What the service `migrate` does, with the settings it has, on this server."""
    given = _composed()["services"]["migrate"]["environment"]
    here = {
        name: make_url(given[name]).set(host=None, query=server.address.query)
        for name in ("TIMEBANK_DATABASE_URL", "TIMEBANK_OWNER_URL")
    }
    addresses = {name: url.render_as_string(hide_password=False) for name, url in here.items()}
    settings = Settings.from_env({**given, **addresses, "TIMEBANK_DATA": str(folder)})
    bring_up_to_date(settings)
    return settings


def test_the_program_s_role_can_only_add_to_what_is_never_edited(
    own_server: postgres.Server, tmp_path: Path
) -> None:
    asyncio.run(_begin(own_server))
    _migrate(own_server, tmp_path)
    settings = _migrate(own_server, tmp_path)  # once at each start

    assert asyncio.run(examine_database(settings, now=Moment.now())) == []
    tables = asyncio.run(_tables(own_server))
    assert {table.name for table in tables if table.never_edited} >= {"transfer", "audit"}
    for table in tables:
        rights = RIGHTS[table.name]
        assert ("INSERT" in table.may) == rights.insert, table.name
        assert ("UPDATE" in table.may) == ("*" in rights.update), table.name
        assert ("DELETE" in table.may) == rights.delete, table.name
        assert "UPDATE" not in table.may or not table.never_edited, table.name
        assert "DELETE" not in table.may or not table.never_deleted, table.name


async def _begin(server: postgres.Server) -> None:
    """As the image of PostgreSQL does it: the owner is superuser, and has an empty database."""
    await _fetch(server, "CREATE ROLE timebank_owner SUPERUSER LOGIN")
    await server.create_database("timebank", owner="timebank_owner")


@pytest.mark.parametrize("password", ["it's \\ odd", "%s $1 :name"])
def test_a_role_that_is_not_there_is_made_with_its_password(
    own_server: postgres.Server, tmp_path: Path, password: str
) -> None:
    asyncio.run(_begin(own_server))
    odd = make_url(own_server.url("timebank")).set(username='odd "role"', password=password)
    settings = Settings(
        data=tmp_path,
        database_url=odd.render_as_string(hide_password=False),
        owner_url=own_server.url("timebank"),
    )
    migrate.upgrade(settings)
    assert asyncio.run(examine_database(settings, now=Moment.now())) == []
