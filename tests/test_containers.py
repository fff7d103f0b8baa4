"""The container files are valid, and start nothing without the secrets they need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
GIVEN = {
    "TIMEBANK_DB_PASSWORD": "made-up",
    "TIMEBANK_BASE_URL": "https://example.org",
    "TIMEBANK_SMTP_URL": "smtp://mail.example.org:587",
    "TIMEBANK_MAIL_FROM": "hours@example.org",
}


def _program(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} comes with the test requirements"
    return found


def _compose(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_program("docker-compose"), "--file", ROOT / "docker-compose.yml", "config"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_compose_file_is_valid() -> None:
    done = _compose(GIVEN)
    assert done.returncode == 0, done.stderr
    assert "read_only: true" in done.stdout


def test_nothing_starts_without_its_secrets() -> None:
    for name in GIVEN:
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
